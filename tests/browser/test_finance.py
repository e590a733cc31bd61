"""The day of finance in a browser: examine, issue, record money, allocate, look at ageing; Chinese, English, phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from branches.org.models import Unit
from finance.receivables import service
from finance.receivables.service import BillInput, BillLine, OpeningItem
from sdm.auth.identity import cookie_name
from sdm.auth.service import open_session
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, finance, inventory

Open = Callable[..., Any]
D = Decimal


@pytest.fixture(scope="module")
def money(live_app: Flask) -> dict[str, Any]:
    """A branch with a submitted application, an overdue opening item, and a finance user of head office."""
    with live_app.app_context():
        net = inventory.network(units=2)
        with use_actor(system_actor("test")):
            finance.account(net.dealers[0], "1000")
            due = clock.today() - timedelta(days=45)
            service.post_opening([OpeningItem(net.dealers[0], "OLD-77", due, due, D("820.50"))])
            goods = [(product, "10", "113") for product in net.products]
            made = finance.delivered(net.units[0], net.dealers[0], goods)
            ref = service.apply(BillInput([BillLine(line.id) for line in finance.lines_of(made)]))
            service.submit(ref.id)
            waiting = finance.delivered(net.units[0], net.dealers[0], goods)
            user = auth.user("finance", db.session.get_one(Unit, net.head_office))
            token = open_session(user.id, "127.0.0.1", "test")
        ids = {"invoice": ref.id, "payer": net.dealers[0], "shipment": waiting.id, "token": token}
        db.session.remove()
    return ids


@pytest.fixture
def visit(open_page: Open, live: str, money: dict[str, Any]) -> Open:
    """Pages of the signed-in finance user."""

    def make(path: str, locale: str = "zh_CN", **options: Any) -> Any:
        page = open_page(locale, **options)
        page.context.add_cookies(
            [
                {"name": cookie_name(False), "value": money["token"], "url": live},
                {"name": "sdm_locale", "value": locale, "url": live},
            ]
        )
        page.goto(f"{live}{path}")
        return page

    return make


def shot(page: Any, shots: Any, name: str) -> None:
    """Keep a picture to look at."""
    if shots:
        page.screenshot(path=shots / f"{name}.png", full_page=True)


def test_an_application_is_examined_issued_paid_and_allocated(
    visit: Open, live: str, money: dict[str, Any], shots: Any
) -> None:
    page = visit(f"/invoices/{money['invoice']}")
    shot(page, shots, "finance_invoice")
    assert "应收为额度的 421%" in page.inner_text("main")
    page.fill('input[name="reason"]', "总裁同意")
    page.click('button[value="issue"]')
    page.wait_for_selector("text=已开票")
    page.goto(f"{live}/receipts/new?dealer={money['payer']}&dealer_text=x")
    page.fill('input[name="amount"]', "3000.00")
    page.fill('input[name="reference"]', "BK-2026-1")
    page.click("form.form-page button.btn-primary")
    page.wait_for_selector("text=BK-2026-1")
    page.goto(f"{live}/receivables/allocation/{money['payer']}")
    shot(page, shots, "finance_allocate")
    page.click("form.form-page button.btn-primary")
    page.wait_for_selector("text=已核销")
    page.goto(f"{live}/receivables/ageing")
    assert "1,210.50" in page.inner_text("main")
    shot(page, shots, "finance_ageing")
    page.goto(f"{live}/receivables/accounts/{money['payer']}")
    shot(page, shots, "finance_account")
    page.goto(f"{live}/credit/{money['payer']}")
    shot(page, shots, "finance_credit")
    page.goto(f"{live}/invoices/{money['invoice']}/print")
    shot(page, shots, "finance_print")


def test_deliveries_are_chosen_and_combined(visit: Open, money: dict[str, Any]) -> None:
    page = visit("/invoices/to-bill", "en")
    page.check(f'tr[data-id="{money["shipment"]}"] input[name="ids"]')
    page.click('[data-bulk="combine"]')
    page.click("dialog .btn-primary")
    page.wait_for_selector("text=1 of 1 done")


PAGES = [
    "/invoices/", "/invoices/{invoice}", "/receipts/", "/receipts/new", "/receivables/ageing", "/receivables/items",
    "/receivables/accounts/{payer}", "/receivables/statements/{payer}", "/receivables/allocation/{payer}",
    "/credit/", "/credit/{payer}", "/ledger/", "/ledger/trial-balance", "/invoices/{invoice}/print",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_the_phone_and_break_no_policy(visit: Open, money: dict[str, Any], path: str) -> None:
    page = visit(path.format(**money), viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 361


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_pages_open_in_both_languages(visit: Open, money: dict[str, Any], path: str, locale: str) -> None:
    page = visit(path.format(**money), locale)
    assert page.inner_text("main").strip()
