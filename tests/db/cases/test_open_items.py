"""Opening work items on a connection that has long prepared its statements."""

from __future__ import annotations

from sdm.cases import service
from sdm.cases.models import WorkItem
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import org


def test_an_item_is_opened_and_brought_up_to_date_however_often_the_statement_ran(session: object) -> None:
    unit = org.branch()

    @command.command(None)
    def opened(number: int) -> int:
        return service.open_item(
            kind="sales_return", key=f"again:{number % 2}", title="t", subject_kind="sales_return", subject_id=number,
            unit_id=unit.id, figures={"n": number},
        )  # fmt: skip

    with use_actor(system_actor("test")):
        ids = [opened(number) for number in range(24)]  # prepared after 5 runs, planned for any values after 10
        rows = db.session.query(WorkItem).filter(WorkItem.key.like("again:%")).all()
    assert len(set(ids)) == len(rows) == 2
    assert sorted(row.figures["n"] for row in rows) == [22, 23]
