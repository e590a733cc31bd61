"""The clerk's day: sign in, find a dealer, orders by keyboard and paste, a hold, a draft that outlives a reload."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import func, select

from branches.orders.models import SalesOrder, SalesOrderLine
from tests.browser.day import CELL, READY, choose, figure, into_grid, paste, scalar, shot, sign_in
from tests.factories import company as companies

PRODUCTS = 200


def new_order(page: Any, live: str, dealer: str) -> None:
    page.goto(f"{live}/orders/new")
    page.wait_for_selector(READY)
    choose(page, dealer)
    into_grid(page)


def enter_line(page: Any, code: str, qty: int) -> None:
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_selector(CELL.format("qty"))
    page.keyboard.type(str(qty))
    page.keyboard.press("Enter")
    page.wait_for_selector(CELL.format("product"))


def orders_of(app: Flask, dealer_id: int) -> int:
    return scalar(app, select(func.count()).select_from(SalesOrder).where(SalesOrder.dealer_id == dealer_id))


def test_the_clerks_morning_by_keyboard(page_zh: Any, house: Any, shots: Any) -> None:
    page = page_zh
    sign_in(page, house.live, house.made.logins["clerk"])
    expect(page.locator("h1")).to_have_text("销售内勤")
    shot(page, shots, "clerk-work-place")

    page.keyboard.press("/")
    page.keyboard.type("yfjd")
    expect(page.locator("#search-hits a").first).to_contain_text("永丰家电商行")
    expect(page.locator("#search-hits a.search-all")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/dealers/\d+$"))
    expect(page.locator("h1")).to_have_text("永丰家电商行")

    new_order(page, house.live, "永丰家电商行")
    for number in range(5):
        enter_line(page, house.made.codes[number], number + 1)
    expect(page.locator("[data-entry-facts]")).to_contain_text("35,300.00")
    shot(page, shots, "clerk-order")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/orders/\d+$"))

    expect(page.locator(".doc-title .state")).to_have_text("已确认")
    expect(page.locator(".doc-amount")).to_contain_text("35,300.00")
    assert orders_of(house.app, house.made.dealer_ids[1]) == 1


def test_200_pasted_lines_outlive_a_reload_and_become_one_held_order(page_zh: Any, house: Any, shots: Any) -> None:
    page, dealer_id = page_zh, house.made.dealer_ids[2]
    sign_in(page, house.live, house.made.logins["clerk"])
    new_order(page, house.live, "浦江百货大楼")
    paste(page, companies.rows_to_paste(house.made, 200))
    facts = page.locator("[data-entry-facts]")
    expect(facts).to_contain_text("200")
    expect(facts).to_contain_text(re.compile(r"[\d,]{7,}\.00"))
    expect(page.locator("[data-entry-saved]")).to_contain_text("已保存")

    page.reload()
    page.wait_for_selector(READY)
    expect(facts).to_contain_text("200")
    expect(page.locator(".tabulator-row").first).to_contain_text(house.made.codes[0])

    submit = page.get_by_role("button", name="提交")
    submit.evaluate("button => { button.click(); button.click(); }")
    page.wait_for_url(re.compile(r"/orders/\d+$"))
    hold = page.locator(".hold")
    expect(hold).to_contain_text("超信用额度")
    expect(hold).to_contain_text("20,000.00")
    expect(hold).to_contain_text("陈敏")
    shot(page, shots, "clerk-held")

    assert orders_of(house.app, dealer_id) == 1
    lines = select(func.count()).select_from(SalesOrderLine).join(SalesOrder, SalesOrder.id == SalesOrderLine.order_id)
    assert scalar(house.app, lines.where(SalesOrder.dealer_id == dealer_id)) == 200
    page.goto(house.live)
    assert figure(page, "冻结订单") == 1
    assert figure(page, "我的草稿") == 0


def test_the_clerk_enters_an_order_on_a_phone(open_page: Any, house: Any, shots: Any) -> None:
    page = open_page("en", {"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    sign_in(page, house.live, house.made.logins["clerk"])
    page.get_by_role("link", name="New order").click()
    page.wait_for_selector(READY)
    page.locator('select[name="dealer_id"] + .ts-wrapper .ts-control').tap()
    choose(page, "宝山家电城")
    shot(page, shots, "clerk-phone")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert orders_of(house.app, house.made.dealer_ids[5]) == 0
