"""The storekeeper's day: what waits, make a shipment, send it out, record a short signature, look at the stock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from playwright.sync_api import expect
from sqlalchemy import select

from branches.orders.models import SalesOrderLine
from inventory.shipments.models import Shipment, ShipmentLine
from tests.browser.day import confirm, figure, scalar, shot, sign_in, tile


def test_goods_are_shipped_and_signed_for_short(page_zh: Any, house: Any, shots: Any) -> None:
    with house.app.app_context():
        order = house.made.order(0, (0, 10), (1, 4))
    page = page_zh
    page.watch.allow("422")
    sign_in(page, house.live, house.made.logins["storekeeper"])
    expect(page.locator("h1")).to_have_text("仓库管理员")
    assert figure(page, "待发货订单") == 1
    tile(page, "待发货订单").get_by_role("link").click()
    page.get_by_role("link", name=order.number).click()

    page.get_by_role("button", name="生成发货单").click()
    expect(page.locator(".doc-title .state")).to_have_text("已配货")
    page.locator('input[name="carrier"]').fill("德邦物流")
    page.get_by_role("button", name="发货", exact=True).click()
    expect(page.locator(".doc-title .state")).to_have_text("在途")
    expect(page.locator("main")).to_contain_text("德邦物流")
    shot(page, shots, "storekeeper-sent")

    line = scalar(house.app, select(ShipmentLine.id).join(Shipment).where(Shipment.order_id == order.id).limit(1))
    page.locator(f'input[name="signed-{line}"]').fill("7")
    page.locator(f'input[name="short-{line}"]').fill("2")
    page.locator('input[name="signed_by"]').fill("张店长")
    page.get_by_role("button", name="录入签收").click()
    expect(page.locator(".field-error").first).to_contain_text("10")
    expect(page.locator(f'input[name="signed-{line}"]')).to_have_value("7")
    page.locator(f'input[name="short-{line}"]').fill("3")
    page.get_by_role("button", name="录入签收").click()
    expect(page.locator(".doc-title .state")).to_have_text("已签收")
    shot(page, shots, "storekeeper-signed")

    told = select(SalesOrderLine.signed_qty).where(SalesOrderLine.order_id == order.id, SalesOrderLine.line_no == 1)
    assert scalar(house.app, told) == Decimal(7)
    page.goto(f"{house.live}/stock/?q={house.made.codes[0]}")
    expect(page.locator(".table-list tbody tr")).to_have_count(1)
    expect(page.locator(".table-list tbody tr")).to_contain_text("490")
    page.goto(house.live)
    assert figure(page, "今日发货") == 1


def test_picked_goods_are_sent_from_the_list(page_zh: Any, house: Any, shots: Any) -> None:
    with house.app.app_context():
        picked = [house.made.picked(house.made.order(dealer, (5, 2)).id).number for dealer in (1, 3)]
    page = page_zh
    sign_in(page, house.live, house.made.logins["storekeeper"])
    tile(page, "今日待发货").get_by_role("link").click()
    for number in picked:
        page.locator("tr", has_text=number).locator('input[name="ids"]').check()
    page.locator('[data-bulk="send"]').click()
    confirm(page)
    expect(page.locator("#report-box")).to_contain_text("2")
    shot(page, shots, "storekeeper-report")

    page.goto(f"{house.live}/shipments/in-transit")
    for number in picked:
        expect(page.locator("main")).to_contain_text(number)
