"""The storekeeper's day: receive by scanning, ship, enter the signature, look at the stock."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from branches.catalogue.models import Barcode
from branches.orders import service as orders
from branches.org.models import Unit
from sdm.auth.identity import cookie_name
from sdm.auth.service import open_session
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, org
from tests.factories import orders as shops


def prepare(app: Any) -> tuple[Any, int, str]:
    """A shop with a barcode and a picked shipment of five, and a session of its storekeeper."""
    with app.app_context(), use_actor(system_actor("test")):
        made = shops.shop(products=2)
        org.save(Barcode(code=f"69{made.products[0]:011d}", product_id=made.products[0]))
        shipment = orders.pick(made.submit((0, 5)).id).id
        keeper = auth.user("storekeeper", db.session.get(Unit, made.branch.id))
        token = open_session(keeper.id, "127.0.0.1", "test")
        db.session.commit()
        return made, shipment, token


def enter(page: Any, live: str, token: str) -> Any:
    page.context.add_cookies([{"name": cookie_name(False), "value": token, "domain": "127.0.0.1", "path": "/"}])
    return page


def shot(page: Any, shots: Any, name: str) -> None:
    if shots:
        page.screenshot(path=shots / f"{name}.png", full_page=True)


def choose(page: Any, field: str, text: str) -> None:
    """Pick an entry of a picker by typing."""
    box = page.locator(f'select[name="{field}"] + .ts-wrapper input, #{field}-ts-control').first
    box.click()
    box.fill(text)
    page.locator(".ts-dropdown .option").first.click()


def test_goods_are_received_by_scanning(page_zh: Any, live: str, live_app: Any, shots: Any) -> None:
    made, _, token = prepare(live_app)
    page = enter(page_zh, live, token)
    page.goto(f"{live}/goods-receipts/new")
    page.wait_for_selector('[data-entry][data-ready="1"]')
    choose(page, "warehouse_id", made.warehouse.name)
    scan = page.locator("[data-entry-scan]")

    for _ in range(3):
        scan.fill(f"69{made.products[0]:011d}")
        scan.press("Enter")
        page.wait_for_timeout(400)

    expect(page.locator("[data-entry-facts]")).to_contain_text("3")
    shot(page, shots, "goods-receipt-entry")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/goods-receipts/\d+$"))
    page.wait_for_selector(".doc-title")
    shot(page, shots, "goods-receipt")
    expect(page.locator(".doc-title")).to_contain_text("已过账")


def test_a_shipment_is_sent_and_signed_for(page_zh: Any, live: str, live_app: Any, shots: Any) -> None:
    made, shipment, token = prepare(live_app)
    page = enter(page_zh, live, token)
    page.goto(f"{live}/shipments/to-ship")
    shot(page, shots, "to-ship")
    page.goto(f"{live}/shipments/{shipment}")
    shot(page, shots, "shipment-picked")
    page.get_by_role("button", name="发货", exact=True).click()
    page.wait_for_selector('input[name="signed_by"]')

    page.locator('input[name^="signed-"]').fill("4")
    page.locator('input[name="signed_by"]').fill("王芳")
    page.get_by_role("button", name="录入签收").click()
    expect(page.locator(".field-error").first).to_contain_text("之和不等于")
    shot(page, shots, "signature-wrong")
    page.watch.allow("422")
    page.locator('input[name^="short-"]').fill("1")
    page.get_by_role("button", name="录入签收").click()

    expect(page.locator(".doc-title")).to_contain_text("已签收")
    shot(page, shots, "shipment-signed")
    for name, address in {
        "stock": "/stock/",
        "levels": "/stock/levels",
        "product": f"/stock/products/{made.products[0]}",
        "card": f"/stock/card?warehouse_id={made.warehouse.id}&product_id={made.products[0]}",
        "moves": "/stock/moves",
        "bridge": f"/stock/bridge?unit_id={made.branch.id}",
    }.items():
        page.goto(live + address)
        expect(page.locator("h1").first).to_be_visible()
        shot(page, shots, name)


def test_the_storekeepers_pages_fit_a_phone(phone: Any, live: str, live_app: Any, shots: Any) -> None:
    made, shipment, token = prepare(live_app)
    page = enter(phone, live, token)

    for name, address in {
        "phone-receipts": "/goods-receipts/new",
        "phone-shipment": f"/shipments/{shipment}",
        "phone-stock": "/stock/",
        "phone-card": f"/stock/card?warehouse_id={made.warehouse.id}&product_id={made.products[0]}",
    }.items():
        page.goto(live + address)
        shot(page, shots, name)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, address
