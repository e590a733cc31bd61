"""Posting, reversing and closing: what the database itself refuses, too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from branches.org import queries as org
from finance.ledger import accounts, queries, service
from finance.ledger.models import Account
from finance.ledger.service import Line
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db, sqlstate
from sdm.kernel.errors import AlreadyExists, Conflict, PeriodClosed
from tests.factories import finance, inventory

D = Decimal


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        yield net


def entity(unit_id: int) -> int:
    return org.legal_entity_id_of(unit_id)


def test_the_chart_is_there_from_the_start(net: inventory.Network) -> None:
    assert {row.code for row in db.session.query(Account)} == {account.code for account in accounts.CHART}


def test_an_entry_merges_equal_lines_and_drops_zeros(net: inventory.Network) -> None:
    unit = net.units[0]
    lines = [
        Line(accounts.RECEIVABLE, D(60)),
        Line(accounts.RECEIVABLE, D(40)),
        Line(accounts.COST, D(0)),
        Line(accounts.OPENING_EQUITY, D(-100)),
    ]
    finance.entry(unit, entity(unit), lines=lines)
    [posted] = queries.postings_of("test", 1)
    assert [(line.account_code, line.amount) for line in posted.lines] == [
        (accounts.RECEIVABLE, D("100.00")),
        (accounts.OPENING_EQUITY, D("-100.00")),
    ]
    assert queries.balance(accounts.RECEIVABLE, unit, date(2026, 3, 2)) == D("100.00")
    assert queries.balance(accounts.RECEIVABLE, unit, date(2026, 3, 1)) == 0


def test_an_unbalanced_entry_is_refused_before_the_database(net: inventory.Network) -> None:
    with pytest.raises(RuntimeError, match="balance"):
        finance.entry(net.units[0], entity(net.units[0]), lines=[Line(accounts.COST, D(1))])


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([(1, "1122", None, "100"), (2, "4103", None, "-99")], "SD010"),
        (
            [(1, "1122", None, "100"), (2, "4103", None, "-100"), (3, "6401", None, "1"), (4, "6401", None, "-1")],
            "SD011",
        ),
    ],
)
def test_the_database_refuses_what_code_might_miss(net: inventory.Network, lines: list, state: str) -> None:
    unit = net.units[0]
    finance.entry(unit, entity(unit))
    header = db.session.execute(
        text(
            "INSERT INTO entry (unit_id, posted_on, period, document_kind, document_id, event, line_count)"
            " VALUES (:u, '2026-03-02', '2026-03', 'raw', 1, 'x', 2) RETURNING id"
        ),
        {"u": unit},
    ).scalar_one()
    rows = ",".join(
        f"({header}, {no}, {unit}, {entity(unit)}, 'CNY', '{account}', {counter or 'NULL'}, {amount},"
        " '2026-03-02', '2026-03')"
        for no, account, counter, amount in lines
    )
    with pytest.raises(DBAPIError) as error:
        db.session.execute(
            text(
                "INSERT INTO entry_line (entry_id, line_no, unit_id, legal_entity_id, currency, account_code,"
                f" counter_unit_id, amount, posted_on, belongs_period) VALUES {rows}"
            )
        )
    assert sqlstate(error.value) == state


def test_inter_unit_lines_must_net_to_zero_per_pair(net: inventory.Network) -> None:
    one, other = net.units
    good = [
        Line(accounts.INTER_UNIT, D(70), unit_id=one, counter_unit_id=other),
        Line(accounts.INVENTORY, D(-70), unit_id=one),
        Line(accounts.COST, D(70), unit_id=other),
        Line(accounts.INTER_UNIT, D(-70), unit_id=other, counter_unit_id=one),
    ]
    finance.entry(one, entity(one), lines=good)
    bad = [*good[:1], Line(accounts.INVENTORY, D(-70), unit_id=one)]
    with pytest.raises(Exception, match="SD012"):
        finance.entry(one, entity(one), lines=bad, document_id=2)


@pytest.mark.parametrize("table", ["entry", "entry_line"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET unit_id = unit_id", "DELETE FROM {}"])
def test_posted_rows_are_never_changed_or_deleted(net: inventory.Network, table: str, verb: str) -> None:
    finance.entry(net.units[0], entity(net.units[0]))
    with pytest.raises(DBAPIError) as error:
        db.session.execute(text(verb.format(table)))
    assert sqlstate(error.value) == "SD001"


def test_a_step_posts_once(net: inventory.Network) -> None:
    finance.entry(net.units[0], entity(net.units[0]))
    with pytest.raises(AlreadyExists):
        finance.entry(net.units[0], entity(net.units[0]))


def test_a_reversal_takes_the_entry_back_and_belongs_to_its_period(net: inventory.Network) -> None:
    unit = net.units[0]
    made = finance.entry(unit, entity(unit))
    back = finance.run(service.reverse, made, date(2026, 4, 5))
    entries = queries.postings_of("test", 1)
    assert [entry.id for entry in entries] == [made, back]
    assert queries.balance(accounts.RECEIVABLE, unit, date(2026, 4, 5)) == 0
    assert {line.belongs_period for line in entries[1].lines} == {"2026-03"}
    assert entries[1].period == "2026-04"


def test_nothing_is_posted_into_a_closed_period(net: inventory.Network) -> None:
    unit = net.units[0]
    made = finance.entry(unit, entity(unit))
    service.close_period("2026-03")
    with pytest.raises(PeriodClosed) as error:
        finance.entry(unit, entity(unit), document_id=2)
    assert error.value.details["period"] == "2026-03"
    with pytest.raises(PeriodClosed):
        finance.run(service.reverse, made, date(2026, 3, 31))
    with pytest.raises(PeriodClosed):
        service.ensure_open(date(2026, 3, 9))
    service.reopen_period("2026-03", "late paper")
    finance.entry(unit, entity(unit), document_id=2)


def test_a_month_cannot_be_closed_twice_or_while_it_runs(net: inventory.Network) -> None:
    service.close_period("2026-03")
    with pytest.raises(Conflict):
        service.close_period("2026-03")
    with pytest.raises(Conflict):
        service.close_period("2999-01")


def test_many_entries_are_one_statement_and_keep_their_order(net: inventory.Network) -> None:
    unit = net.units[0]

    def inputs(number: int) -> service.EntryInput:
        lines = [Line(accounts.RECEIVABLE, D(number)), Line(accounts.OPENING_EQUITY, D(-number))]
        return service.EntryInput("many", number, "posted", unit, entity(unit), date(2026, 3, 2), lines)

    ids = finance.run(service.post_many, [inputs(3), inputs(0), inputs(1)])
    assert ids[1] == 0
    assert [queries.postings_of("many", number)[0].id for number in (3, 1)] == [ids[0], ids[2]]


def test_the_trial_balance_is_zero(net: inventory.Network) -> None:
    finance.entry(net.units[0], entity(net.units[0]))
    rows = queries.trial_balance(date(2026, 3, 1), date(2026, 3, 31))
    assert sum(row.closing for row in rows) == 0
    assert {row.account_code: row.closing for row in rows}[accounts.RECEIVABLE] == D("100.00")
