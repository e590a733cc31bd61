"""*Reconciling*: shipped, collected, invoiced, receivable, stock and transit of a dealer agree at every moment."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from flask import Flask

from finance.ledger import accounts
from finance.ledger import queries as ledger
from finance.receivables import queries
from tests import proof
from tests.scenarios import month

D = Decimal
CHAPTERS = (month.first_order, month.held_order, month.released_order, month.red_letter, month.payment)
# After each chapter: collected, receivable.
EXPECTED = ((0, 1900), (0, 1900), (0, 7900), (0, 7900), (3000, 4900))


@pytest.fixture
def story(app: Flask, session: object) -> month.Month:
    return month.beginning(app)


def test_the_six_columns_and_the_books_agree_after_every_step(story: month.Month) -> None:
    payer = story.shop.dealer.payer
    for chapter, (collected, receivable) in zip(CHAPTERS, EXPECTED, strict=True):
        chapter(story)
        with story.on(date(2026, 3, 31), "finance"):
            six = queries.ledgers(payer, date(2026, 3, 31))
            account = queries.statement(payer, date(2026, 3, 1), date(2026, 3, 31))
            aged = queries.ageing(date(2026, 3, 31), by="dealer")
        assert (six.collected, six.receivable) == (collected, receivable)
        assert six.receivable == six.invoiced - six.collected == account.closing == account.control == aged.total.total
        assert proof.faults() == []


def test_at_the_end_every_figure_is_the_one_the_story_tells(story: month.Month) -> None:
    for chapter in CHAPTERS:
        chapter(story)
    payer, branch = story.shop.dealer.payer, story.shop.branch.id
    with story.on(date(2026, 3, 31), "finance"):
        six = queries.ledgers(payer, date(2026, 3, 31))
        account = queries.statement(payer, date(2026, 3, 1), date(2026, 3, 31))
        receivable = ledger.balance(accounts.RECEIVABLE, branch, date(2026, 3, 31))
        collected = ledger.balance(accounts.COLLECTION, branch, date(2026, 3, 31))
        revenue = ledger.balance(accounts.REVENUE, branch, date(2026, 3, 31))
    assert six.in_transit == 0
    assert six.stock == D(9 * 100 + 5 * 200 + 30 * 200)
    assert (account.debits, account.credits, account.closing) == (D(1900 + 6000 + 1900), D(1900 + 3000), D(4900))
    assert (receivable, collected) == (D(4900), D(3000))
    assert -revenue == sum((D(gross) / D("1.13")).quantize(D("0.01")) for gross in (900, 1000, 6000))


def test_the_statement_on_screen_and_in_excel_ends_with_the_same_balance(story: month.Month) -> None:
    for chapter in CHAPTERS:
        chapter(story)
    with story.looking(date(2026, 3, 31), "branch_finance") as client:
        path = f"/receivables/statements/{story.shop.dealer.payer}?from=2026-03-01&to=2026-03-31"
        page = client.get(path).get_data(as_text=True)
        account = client.get(f"/receivables/accounts/{story.shop.dealer.payer}")
    assert "4,900.00" in page and "3,000.00" in page
    assert account.status_code == 200 and "4,900.00" in account.get_data(as_text=True)
