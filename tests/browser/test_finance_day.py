"""Finance's day, in English: bill, examine and issue by another person, record money, allocate, ageing, statement."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from finance.receivables.models import OpenItem
from tests.browser.day import confirm, figure, pick, scalar, shot, sign_in, tile


@pytest.fixture(scope="module")
def shipment(house: Any) -> str:
    """A delivery of 24,000.00 that waits to be billed."""
    with house.app.app_context():
        return house.made.signed(house.made.order(0, (0, 10)).id, days=2).number


def bill(page: Any, live: str, login: str, shipment: str) -> str:
    """Apply for the invoice of a delivery; the number of the application."""
    sign_in(page, live, login)
    tile(page, "Deliveries to bill").get_by_role("link").click()
    page.get_by_role("link", name=shipment).click()
    page.get_by_role("button", name="Draft the application").click()
    page.wait_for_url(re.compile(r"/invoices/\d+$"))
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".doc-title .state")).to_have_text("Waits for examination")
    return str(page.locator("h1").inner_text().split()[-1])


def test_from_the_delivery_to_the_statement(open_page: Any, house: Any, shipment: str, shots: Any) -> None:
    number = bill(open_page("en"), house.live, house.made.logins["branch_finance"], shipment)

    page = open_page("en")
    sign_in(page, house.live, house.made.logins["finance"])
    assert figure(page, "Invoices to examine") == 1
    tile(page, "Invoices to examine").get_by_role("link").click()
    page.get_by_role("link", name=number).click()
    page.get_by_role("button", name="Approve and issue").click()
    expect(page.locator(".doc-title .state")).to_have_text("Issued")
    legal = page.locator("h1").inner_text().split()[-1]
    assert legal.startswith("INV")
    shot(page, shots, "finance-issued")

    page.goto(f"{house.live}/receipts/new")
    pick(page, "dealer_id", house.made.dealer_names[0])
    page.locator('input[name="amount"]').fill("10000")
    page.locator('input[name="reference"]').fill(f"{legal} part one")
    page.locator("form.form-page button.btn-primary").click()
    expect(page.locator(".doc-title .state")).to_have_text("Recorded")
    page.get_by_role("link", name="Allocate").click()
    page.get_by_role("link", name="Propose by reference").click()
    expect(page.locator("main")).to_contain_text("24,000.00 / 10,000.00")
    page.locator("form.form-page button.btn-primary").click()
    expect(page.locator(".note-good")).to_be_visible()

    open_amount = select(func.sum(OpenItem.open_amount)).where(OpenItem.payer_id == house.made.dealer_ids[0])
    assert scalar(house.app, open_amount) == Decimal(14_000)
    page.goto(f"{house.live}/receivables/ageing?by=dealer")
    row = page.locator("tbody tr", has_text=house.made.dealer_names[0])
    expect(row).to_contain_text("14,000.00")
    shot(page, shots, "finance-ageing")
    row.get_by_role("link", name=house.made.dealer_names[0]).click()
    page.get_by_role("link", name="Statement").click()
    expect(page.locator(".doc-amount")).to_contain_text("14,000.00")
    expect(page.locator(".table-data tbody tr")).to_have_count(2)
    shot(page, shots, "finance-statement")


def test_an_issued_invoice_is_taken_back_after_a_question(open_page: Any, house: Any, shots: Any) -> None:
    with house.app.app_context():
        invoice = house.made.billed(house.made.signed(house.made.order(1, (2, 1)).id).id)
    page = open_page("en")
    sign_in(page, house.live, house.made.logins["finance"])
    page.goto(f"{house.live}/invoices/{invoice.id}")
    page.locator('form[action$="/reverse"] input[name="reason"]').fill("Wrong dealer")
    page.locator('form[action$="/reverse"] button').last.click()
    expect(page.locator("#confirm-text")).to_contain_text("2,820.00")
    shot(page, shots, "finance-question")
    confirm(page)
    expect(page.locator(".doc-title .state")).to_have_text("Reversed")
    page.locator(".note-warn a").click()
    expect(page.locator(".doc-amount")).to_contain_text("-2,820.00")

    open_amount = select(func.sum(OpenItem.open_amount)).where(OpenItem.payer_id == house.made.dealer_ids[1])
    assert scalar(house.app, open_amount) == 0
