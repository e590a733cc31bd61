"""Master data in a real browser: a dealer and its double, prices pasted into the grid, why a price."""

from __future__ import annotations

import re
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from branches.org import dealers_service
from branches.pricing.queries import prices_of_product
from sdm.auth.identity import cookie_name
from sdm.auth.service import open_session
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, catalogue, org, pricing
from tests.factories.dealers import dealer

_serial = count(1)


@pytest.fixture
def masters(live_app: Any) -> SimpleNamespace:
    """A branch with a dealer, two products in a list for everyone, and a session of an administrator."""
    number = next(_serial)
    with live_app.app_context(), use_actor(system_actor("test")):
        branch = org.branch(name=f"济南分公司{number}")
        shop = dealer(branch.id, f"济南和平家电{number}号商行", phone="0531-88881234", city="济南", province="山东")
        top = dealer(branch.id, f"山东总经销{number}")
        dealers_service.move_dealer(shop.id, top.id, clock.today())
        dealers_service.save_contact(shop.id, None, {"name": "王芳", "phone": "13905310000"})
        white = catalogue.category(f"白电{number}")
        group = catalogue.category(f"冰箱{number}", white)
        products = [
            catalogue.product(
                name, code=f"M{number}-{place}", category=group, specification="215L", packs={"箱": 2},
                barcodes=[f"69{number:04d}{place}"], attributes={"颜色": "白", "能效": "一级"},
            )
            for place, name in enumerate(("三门冰箱", "对开门冰箱"))
        ]  # fmt: skip
        everyone = pricing.price_list(name=f"全国价目表{number}")
        pricing.price(everyone, products[0].id, "2999", floor="2800")
        pricing.price(everyone, products[0].id, "2899", qty_from=10, floor="2800")
        pricing.supply_price(products[0].id, "2100")
        extra = auth.role_with(
            "dealer:read", "dealer:edit", "dealer:block", "product:read", "product:edit", "price:read", "price:edit",
            "supply_price:read", "supply_price:edit", "option:edit", "org:read", "case:read", "search:use",
        )  # fmt: skip
        user = auth.user(extra, org.head_office())
        token = open_session(user.id, "127.0.0.1", "test")
        db.session.commit()
        return SimpleNamespace(
            branch=branch.name, shop=shop.id, shop_name=shop.name, products=[(p.id, p.code) for p in products],
            list=everyone.id, list_name=everyone.name, token=token, app=live_app,
        )  # fmt: skip


def enter(page: Any, masters: SimpleNamespace) -> Any:
    cookie = {"name": cookie_name(False), "value": masters.token, "domain": "127.0.0.1", "path": "/"}
    page.context.add_cookies([cookie])
    return page


def shot(page: Any, shots: Any, name: str) -> None:
    if shots:
        page.screenshot(path=shots / f"{name}.png", full_page=True)


def choose(page: Any, label: str, text: str) -> None:
    """Pick an entry of a picker by typing."""
    box = page.get_by_label(label, exact=False).first
    box.click()
    box.fill(text)
    page.locator(".ts-dropdown .option").first.click()


def paste(page: Any, text: str) -> None:
    """Paste rows copied from a spreadsheet into the first cell of the grid."""
    page.locator('.tabulator-cell[tabulator-field="product"]').first.click()
    page.evaluate(
        """text => { const data = new DataTransfer(); data.setData('text/plain', text);
        const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
        document.activeElement.dispatchEvent(event); }""",
        text,
    )


def test_a_double_is_shown_before_a_dealer_is_entered(
    page_zh: Any, live: str, masters: SimpleNamespace, shots: Any
) -> None:
    page = enter(page_zh, masters)
    page.watch.allow("422")
    page.goto(f"{live}/dealers/new")
    page.locator('input[name="name"]').fill(masters.shop_name.replace("商行", "有限公司"))
    choose(page, "分公司", masters.branch)
    page.locator('select[name="grade_code"]').select_option("A")
    shot(page, shots, "dealer-new")

    page.get_by_role("button", name="创建").click()
    expect(page.locator(".note-warn")).to_contain_text(masters.shop_name)
    shot(page, shots, "dealer-double")
    page.locator('input[name="another_one"]').check()
    page.get_by_role("button", name="创建").click()

    page.wait_for_url(re.compile(r"/dealers/\d+$"))
    expect(page.locator(".doc-title")).to_contain_text("有限公司")


def test_pasted_prices_are_checked_cell_by_cell(page_zh: Any, live: str, masters: SimpleNamespace, shots: Any) -> None:
    page = enter(page_zh, masters)
    page.watch.allow("422")
    page.goto(f"{live}/prices/enter?list_id={masters.list}")
    page.wait_for_selector('[data-entry][data-ready="1"]')
    paste(page, f"{masters.products[0][1]}\t\t2799\nnowhere\t\tabc")
    expect(page.locator(".entry")).to_contain_text("2,999")
    expect(page.locator(".tabulator-cell.is-error")).to_have_count(2)
    shot(page, shots, "price-entry")


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_pages_of_masters_open_without_a_fault(
    open_page: Any, live: str, masters: SimpleNamespace, shots: Any, locale: str
) -> None:
    page = enter(open_page(locale), masters)
    product = masters.products[0][0]
    pages = {
        "dealers": "/dealers/", "dealer": f"/dealers/{masters.shop}", "dealer-edit": f"/dealers/{masters.shop}/edit",
        "dealer-move": f"/dealers/{masters.shop}/move", "dealer-grades": "/dealers/grades", "products": "/products/",
        "product": f"/products/{product}", "product-edit": f"/products/{product}/edit", "product-tree": "/products/tree",
        "price-lists": "/prices/", "price-list": f"/prices/{masters.list}", "prices": "/prices/entries",
        "price-check": f"/prices/check?dealer_id={masters.shop}&product_id={product}&qty=12",
        "supply-prices": "/prices/supply", "authority": "/prices/authority",
    }  # fmt: skip

    for name, path in pages.items():
        page.goto(f"{live}{path}")
        page.wait_for_selector("h1")
        shot(page, shots, f"{name}-{locale}")
    page.goto(f"{live}/products/{product}")
    page.locator("#tab-prices").click()
    expect(page.locator("#panel-prices")).to_contain_text(masters.list_name)
    shot(page, shots, f"product-prices-{locale}")


def test_the_dealer_page_reads_well_on_a_phone(phone: Any, live: str, masters: SimpleNamespace, shots: Any) -> None:
    page = enter(phone, masters)
    for name, path in {
        "dealers": "/dealers/",
        "dealer": f"/dealers/{masters.shop}",
        "prices": "/prices/entries",
    }.items():
        page.goto(f"{live}{path}")
        page.wait_for_selector("h1")
        shot(page, shots, f"{name}-phone")
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
        assert not wide, path


def test_a_price_typed_in_the_grid_is_in_the_list(page_zh: Any, live: str, masters: SimpleNamespace) -> None:
    page = enter(page_zh, masters)
    page.goto(f"{live}/prices/enter?list_id={masters.list}")
    page.wait_for_selector('[data-entry][data-ready="1"]')
    paste(page, f"{masters.products[0][1]}\t20\t2799\t2700\n{masters.products[1][1]}\t5\t1999\t1900")
    expect(page.locator(".entry")).to_contain_text("对开门冰箱")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(rf"/prices/{masters.list}$"))

    with masters.app.app_context(), use_actor(system_actor("test")):
        found = [(str(row.qty_from), str(row.price)) for row in prices_of_product(masters.products[1][0])]
    assert found == [("5.000", "1999.0000")]
