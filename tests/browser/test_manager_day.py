"""The manager's day: what turned red, the inbox, a hold released with its figures, many at once, one rejected."""

from __future__ import annotations

from typing import Any

from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

from branches.orders.models import SalesOrder
from tests.browser.day import confirm, figure, scalar, shot, sign_in, tile


def state_of(app: Flask, order_id: int) -> str:
    return str(scalar(app, select(SalesOrder.state).where(SalesOrder.id == order_id)))


def test_a_hold_is_released_from_the_inbox(page_zh: Any, house: Any, shots: Any) -> None:
    with house.app.app_context():
        order = house.made.order(0, (0, 510))
    page = page_zh
    sign_in(page, house.live, house.made.logins["branch_manager"])
    assert figure(page, "冻结订单") == 1
    expect(tile(page, "冻结订单")).to_contain_text("立即处理")
    shot(page, shots, "manager-work-place")

    page.locator(".queue a", has_text=order.number).click()
    expect(page.locator("main")).to_contain_text("510")
    expect(page.locator("main")).to_contain_text("500")
    page.locator('textarea[name="comment"]').fill("先发现货")
    shot(page, shots, "manager-case")
    page.get_by_role("button", name="按可用量确认").click()
    expect(page.locator(".note-good")).to_be_visible()

    assert state_of(house.app, order.id) == "confirmed"
    page.goto(f"{house.live}/orders/{order.id}")
    expect(page.locator(".hold")).to_have_count(0)
    page.goto(house.live)
    assert figure(page, "冻结订单") == 0


def test_holds_are_released_and_rejected_in_english(page_en: Any, house: Any, shots: Any) -> None:
    with house.app.app_context():
        wanted, other = house.made.order(3, (6, 501)), house.made.order(4, (7, 502))
    page = page_en
    page.watch.allow("422")
    sign_in(page, house.live, house.made.logins["branch_manager"])
    page.get_by_role("link", name="Release desk").first.click()
    page.locator("tr", has_text=wanted.number).locator('input[name="ids"]').check()
    page.locator('[data-bulk="release"]').click()
    confirm(page)
    expect(page.locator("#report-box")).to_contain_text(wanted.number)
    shot(page, shots, "manager-desk")
    assert state_of(house.app, wanted.id) == "confirmed"

    page.goto(f"{house.live}/inbox/")
    page.get_by_role("link", name=other.number).click()
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".field-error, .note-bad").first).to_be_visible()
    page.locator('textarea[name="comment"]').fill("No goods before spring")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".note-good")).to_be_visible()

    assert state_of(house.app, other.id) == "cancelled"
