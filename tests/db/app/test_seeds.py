"""What every installation starts with is there, and what administrators changed or removed stays as it is."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import delete, select, update

from branches.org import queries as org
from branches.org.models import DealerGrade, Option
from finance.ledger.models import Account
from sdm.app import seeds
from sdm.auth.models import Role
from sdm.cases import service as cases
from sdm.cases.models import ApprovalRoute
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db


def _count(column: object) -> int:
    return len(db.session.execute(select(column)).all())  # type: ignore[call-overload]


def test_an_empty_database_receives_all_that_a_company_needs_to_begin(committing_db: Flask) -> None:
    seeds.plant(committing_db)
    with committing_db.app_context():
        assert _count(Account.code) >= 16
        assert {"clerk", "storekeeper", "finance", "administrator"} <= set(
            db.session.execute(select(Role.code)).scalars()
        )
        assert _count(ApprovalRoute.id) == 2
        assert _count(DealerGrade.code) == 1
        for name in ("return_reason", "payment_method", "dealer_channel"):
            assert org.options(name), name


def test_planting_again_leaves_what_was_changed_or_removed(committing_db: Flask) -> None:
    seeds.plant(committing_db)
    with committing_db.app_context(), use_actor(system_actor("test")):
        _administrators_changes()
        cases.set_routes("sales_order", [])
    seeds.plant(committing_db)
    with committing_db.app_context():
        assert [row.name for row in org.options("return_reason")] == ["撞坏"]
        assert db.session.execute(select(Role.name).where(Role.code == "clerk")).scalar() == "内勤"
        assert _count(ApprovalRoute.id) == 0


@command(None)
def _administrators_changes() -> None:
    db.session.execute(delete(Option).where(Option.list_code == "return_reason", Option.code != "damaged"))
    db.session.execute(update(Option).where(Option.list_code == "return_reason").values(name="撞坏"))
    db.session.execute(update(Role).where(Role.code == "clerk").values(name="内勤"))
