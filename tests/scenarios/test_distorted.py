"""*Distorted*: every total is a sum of documents that head office can open."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text

from finance.receivables import queries
from sdm.kernel.db import db
from tests.scenarios import month

END = date(2026, 3, 31)


@pytest.fixture
def story(app: Flask, session: object) -> month.Month:
    return month.whole(app)


def test_the_receivable_is_the_sum_of_items_and_each_leads_to_its_document(story: month.Month) -> None:
    payer = story.shop.dealer.payer
    with story.on(END, "finance"):
        total = queries.ageing(END).total.total
        items = queries.open_items(payer)
    assert sum((item.open_amount for item in items), Decimal(0)) == total == Decimal(4900)
    pages = {"invoice": "invoices", "receipt": "receipts"}
    with story.looking(END, "finance") as client:
        for item in items:
            page = client.get(f"/{pages[item.document_kind]}/{item.document_id}")
            assert page.status_code == 200
            assert f"{abs(item.amount):,.2f}" in page.get_data(as_text=True)


def test_every_amount_of_the_trial_balance_leads_to_the_entries_and_their_documents(story: month.Month) -> None:
    with story.looking(END, "finance") as client:
        trial = client.get(f"/ledger/trial-balance?unit_id={story.shop.branch.id}").get_data(as_text=True)
        sheet = client.get("/ledger/accounts/1122").get_data(as_text=True)
        assert "1122" in trial
        for name in ("invoice", "large invoice", "red", "second invoice", "receipt"):
            ref = story.ref(name)
            of_document = client.get(f"/ledger/of/{ref.kind}/{ref.id}")
            assert of_document.status_code == 200, name
        entries = {int(found) for found in re.findall(r"/ledger/(\d+)", sheet)}
        assert entries and all(client.get(f"/ledger/{entry}").status_code == 200 for entry in entries)


def test_an_order_shows_the_whole_chain_of_what_came_from_it(story: month.Month) -> None:
    with story.looking(END, "auditor") as client:
        page = client.get(f"/orders/{story.ref('order').id}").get_data(as_text=True)
    for name in ("shipment", "invoice", "red", "second invoice"):
        assert story.ref(name).number in page, name


def test_nobody_can_change_what_is_posted(story: month.Month) -> None:
    """Ledgers refuse it in the database, whoever asks."""
    from sqlalchemy.exc import DBAPIError

    for table in ("entry", "entry_line", "stock_move", "stock_value_move", "audit_row"):
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET unit_id = unit_id", f"TRUNCATE {table} CASCADE"):
            if table == "stock_move":
                change = change.replace("unit_id", "qty")
            with pytest.raises(DBAPIError), db.session.begin_nested():
                db.session.execute(text(change))
