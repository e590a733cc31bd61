"""Opening receivables and credit limits from a file: faults at once, repeatable, exported as they came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from branches.org.models import Dealer
from finance import hooks, sheets
from finance.credit import queries as credit
from finance.receivables import queries
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.sheets import Applied, SheetRow
from tests.factories import finance, inventory

D = Decimal
DAY = date(2026, 3, 2)


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        yield net


def code(net: inventory.Network, number: int = 0) -> str:
    return str(db.session.get_one(Dealer, net.dealers[number]).code)


def opening(number: int, dealer: str, document: str, amount: str, **values: object) -> SheetRow:
    return SheetRow(number, {"dealer": dealer, "number": document, "date": DAY, "amount": D(amount), **values})


def test_opening_receivables_come_in_once(net: inventory.Network) -> None:
    rows = [opening(2, code(net), "A-1", "100", due_on=date(2026, 4, 2)), opening(3, code(net), "A-2", "-30")]
    assert sheets.check_opening(rows) == []
    assert sheets.apply_opening(rows) == Applied(created=2)
    assert sheets.apply_opening(rows) == Applied(unchanged=2)
    assert [(item.amount, item.due_on) for item in queries.open_items(net.dealers[0])] == [
        (D(100), date(2026, 4, 2)),
        (D(-30), DAY),
    ]
    assert [row["number"] for row in sheets.export_opening()] == ["A-1", "A-2"]


def test_all_faults_of_opening_receivables_are_told_with_their_rows(net: inventory.Network) -> None:
    sheets.apply_opening([opening(2, code(net), "A-1", "100")])
    rows = [
        opening(2, code(net), "A-1", "100"),
        opening(3, "nobody", "B", "1"),
        opening(4, code(net), "C", "0"),
        opening(5, code(net), "C", "4"),
    ]
    found = {(fault.row, fault.column) for fault in sheets.check_opening(rows)}
    assert found == {(2, "number"), (3, "dealer"), (4, "amount"), (4, "number"), (5, "number")}


def test_limits_are_set_and_an_absent_column_stays(net: inventory.Network) -> None:
    finance.account(net.dealers[0], "700")
    row = SheetRow(2, {"dealer": code(net), "temporary": D(50), "temporary_until": date(2999, 1, 1)})
    assert sheets.check_limits([row]) == []
    assert sheets.apply_limits([row]) == Applied(changed=1)
    assert sheets.apply_limits([row]) == Applied(unchanged=1)
    assert credit.headroom(net.dealers[0]).limit == D(750)
    bad = SheetRow(2, {"dealer": "nobody", "limit": D(-1), "temporary": D(5)})
    assert {fault.column for fault in sheets.check_limits([bad])} == {"dealer", "limit", "temporary_until"}


def test_a_dealer_with_open_money_cannot_be_merged_away(net: inventory.Network) -> None:
    assert hooks.dealer_obstacles(net.dealers[0]) == []
    sheets.apply_opening([opening(2, code(net), "A-1", "100")])
    assert len(hooks.dealer_obstacles(net.dealers[0])) == 2


def test_the_credit_account_follows_its_dealer(net: inventory.Network) -> None:
    finance.run(hooks.dealer_created, net.dealers[0], net.units[0])
    finance.run(hooks.dealer_moved, net.dealers[0], net.units[1])
    from finance.credit.models import CreditAccount

    assert db.session.get_one(CreditAccount, net.dealers[0], populate_existing=True).unit_id == net.units[1]
