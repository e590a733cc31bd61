"""An order entered by keyboard alone, pasted from Excel, and kept over a reload."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import expect
from sqlalchemy import select

from branches.orders import queries
from branches.orders.models import SalesOrder
from branches.org.models import Unit
from sdm.auth.identity import cookie_name
from sdm.auth.service import open_session
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth
from tests.factories import orders as shops

READY = '[data-entry][data-ready="1"]'


@dataclass
class Desk:
    """A shop, the codes of its products, and its clerk's browser."""

    made: shops.Shop
    codes: list[str]
    page: Any
    live: str

    def open(self, path: str = "/orders/new") -> Any:
        self.page.goto(self.live + path)
        self.page.wait_for_selector(READY)
        return self.page


def desk(app: Any, page: Any, live: str, **values: Any) -> Desk:
    with app.app_context(), use_actor(system_actor("test")):
        made = shops.shop(products=5, **values)
        names = queries.products(made.products)
        user = auth.user("clerk", db.session.get(Unit, made.branch.id))
        token = open_session(user.id, "127.0.0.1", "test")
        db.session.commit()
        codes = [names[product_id].code for product_id in made.products]
    page.context.add_cookies([{"name": cookie_name(False), "value": token, "domain": "127.0.0.1", "path": "/"}])
    return Desk(made, codes, page, live)


def orders_of(app: Any, made: shops.Shop) -> list[Any]:
    with app.app_context(), use_actor(system_actor("test")):
        statement = select(SalesOrder.id, SalesOrder.state, SalesOrder.gross)
        return list(db.session.execute(statement.where(SalesOrder.dealer_id == made.dealer.id)))


def choose_dealer(page: Any, made: shops.Shop) -> None:
    """The dealer's field has the focus: type, take the first hit."""
    page.keyboard.type(made.dealer.code)
    expect(page.locator(".ts-dropdown .option").first).to_contain_text(made.dealer.name)
    page.keyboard.press("Enter")
    expect(page.locator("[data-entry-facts]")).to_contain_text(re.compile(r"\d"))


def into_grid(page: Any) -> None:
    """Tab through the head until the first cell is being edited."""
    for _ in range(25):
        if page.locator('.tabulator-cell[tabulator-field="product"].tabulator-editing').count():
            return
        page.keyboard.press("Tab")
        page.wait_for_timeout(60)
    raise AssertionError("the grid is not reached by the keyboard")


def paste(page: Any, text: str) -> None:
    page.evaluate(
        """text => { const data = new DataTransfer(); data.setData('text/plain', text);
        const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
        document.activeElement.dispatchEvent(event); }""",
        text,
    )


def test_an_order_of_five_lines_is_entered_without_a_mouse(page_zh: Any, live: str, live_app: Any, shots: Any) -> None:
    here = desk(live_app, page_zh, live)
    page = here.open()
    choose_dealer(page, here.made)
    into_grid(page)

    for number, code in enumerate(here.codes, start=1):
        page.keyboard.type(code)
        page.keyboard.press("Enter")
        page.wait_for_selector('.tabulator-cell[tabulator-field="qty"].tabulator-editing')
        page.keyboard.type(str(number))
        page.keyboard.press("Enter")
        page.wait_for_selector('.tabulator-cell[tabulator-field="product"].tabulator-editing')
    expect(page.locator("[data-entry-facts]")).to_contain_text("5,500.00")
    if shots:
        page.screenshot(path=shots / "order-entry.png")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/orders/\d+$"))

    found = orders_of(live_app, here.made)
    assert [(row.state, str(row.gross)) for row in found] == [("confirmed", "5500.00")]


def test_200_pasted_lines_survive_a_reload_and_become_one_order(
    page_zh: Any, live: str, live_app: Any, shots: Any
) -> None:
    here = desk(live_app, page_zh, live, limit="10000000", stock=1000)
    page = here.open()
    choose_dealer(page, here.made)
    into_grid(page)
    paste(page, "\n".join(f"{here.codes[i % 5]}\t{i % 3 + 1}" for i in range(200)))
    expect(page.locator("[data-entry-facts]")).to_contain_text("200")
    total = sum((i % 5 + 1) * 100 * (i % 3 + 1) for i in range(200))
    expect(page.locator("[data-entry-facts]")).to_contain_text(f"{total:,}.00")
    expect(page.locator("[data-entry-saved]")).to_contain_text("已保存")

    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("[data-entry-facts]")).to_contain_text(f"{total:,}.00")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/orders/\d+$"))

    assert [row.state for row in orders_of(live_app, here.made)] == ["confirmed"]


def test_a_shortage_and_the_limit_are_told_while_typing_and_hold_the_order(
    page_zh: Any, live: str, live_app: Any, shots: Any
) -> None:
    here = desk(live_app, page_zh, live, limit="500", stock=3)
    page = here.open()
    choose_dealer(page, here.made)
    into_grid(page)
    page.keyboard.type(here.codes[0])
    page.keyboard.press("Enter")
    page.wait_for_selector('.tabulator-cell[tabulator-field="qty"].tabulator-editing')
    page.keyboard.type("8")
    page.keyboard.press("Enter")

    expect(page.locator("[data-entry-holds]")).to_contain_text("超信用额度")
    expect(page.locator("[data-entry-holds]")).to_contain_text("缺货")
    if shots:
        page.screenshot(path=shots / "order-entry-holds.png")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/orders/\d+$"))
    expect(page.locator(".doc-title")).to_contain_text("冻结")
    expect(page.locator(".hold")).to_have_count(2)
