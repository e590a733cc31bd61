"""Work items of finance: deciding them decides their subject in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from finance.credit import queries as credit
from finance.credit import service as credit_service
from finance.receivables import service
from finance.receivables.models import Invoice, ReceivableAdjustment
from finance.receivables.service import AdjustmentInput, BillInput, BillLine
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden, InvalidInput
from tests.factories import finance, inventory

D = Decimal


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network()
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        finance.account(net.dealers[0], "100")
        yield net


def item(key: str) -> WorkItem:
    return db.session.query(WorkItem).filter_by(key=key).order_by(WorkItem.id.desc()).populate_existing().first()


def boss(net: inventory.Network) -> object:
    return use_actor(inventory.clerk([net.head_office, *net.units], user_id=8))


def submitted(net: inventory.Network) -> int:
    made = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "1", "113")])
    ref = service.apply(BillInput([BillLine(finance.lines_of(made)[0].id)]))
    service.submit(ref.id)
    return ref.id


def test_the_examiners_work_item_approves_and_issues(net: inventory.Network) -> None:
    invoice_id = submitted(net)
    found = item(f"invoice:{invoice_id}")
    assert (found.figures["percent"], found.figures["warnings"]) == (113, "limit")
    with boss(net):
        with pytest.raises(InvalidInput):
            cases.handle(found.id, "approve")
        cases.handle(found.id, "approve", "paid in cash")
    assert db.session.get_one(Invoice, invoice_id).state == "issued"
    assert item(f"invoice:{invoice_id}").state == "handled"


def test_the_applicant_cannot_handle_his_own_application(net: inventory.Network) -> None:
    found = item(f"invoice:{submitted(net)}")
    with pytest.raises(Forbidden):
        cases.handle(found.id, "approve", "me")


def test_rejecting_needs_a_reason_and_withdraws_nothing_else(net: inventory.Network) -> None:
    invoice_id = submitted(net)
    with boss(net):
        cases.handle(item(f"invoice:{invoice_id}").id, "reject", "wrong price")
    assert db.session.get_one(Invoice, invoice_id).state == "rejected"


def test_deciding_on_the_page_takes_the_work_item_away(net: inventory.Network) -> None:
    invoice_id = submitted(net)
    with boss(net):
        service.approve(invoice_id, "seen")
    assert item(f"invoice:{invoice_id}").state == "withdrawn"


def test_limits_and_adjustments_are_decided_from_the_inbox(net: inventory.Network) -> None:
    change = credit_service.propose_limit(kind="limit", amount=D(900), reason="season", payer_id=net.dealers[0])
    asked = service.request_adjustment(AdjustmentInput(net.dealers[0], D(5), "interest", "late", date(2026, 3, 2)))
    with boss(net):
        cases.handle(item(f"credit_limit:{change}").id, "approve")
        cases.handle(item(f"receivable_adjustment:{asked.id}").id, "approve")
    assert credit.headroom(net.dealers[0]).limit == D(900)
    assert db.session.get_one(ReceivableAdjustment, asked.id).state == "posted"
