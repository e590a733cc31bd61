"""The entry grid by keyboard, from Excel, by scanner, over a lost line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import ui_demo as demo

GRID = "/ui-demo/grid"


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    demo.state.update(quotes=0, drafts={}, submits=[], orders={}, down=0, signed_out=False, fail=None)
    yield


def enter(page: Any, address: str) -> Any:
    """Open the grid and put the focus into its first cell."""
    page.goto(address + GRID)
    page.wait_for_selector('[data-entry][data-ready="1"]')
    page.locator('.tabulator-row .tabulator-cell[tabulator-field="product"]').first.click()
    page.wait_for_selector(".tabulator-editing input")
    return page


def cell(page: Any, row: int, field: str) -> Any:
    return page.locator(".tabulator-row").nth(row).locator(f'.tabulator-cell[tabulator-field="{field}"]')


def only_order() -> dict[str, Any]:
    assert len(demo.state["orders"]) == 1
    return next(iter(demo.state["orders"].values()))


def facts(page: Any, text: str) -> None:
    """Wait for a figure of the server's answer."""
    expect(page.locator("[data-entry-facts]")).to_contain_text(text)


def put_clipboard(page: Any, text: str) -> None:
    page.evaluate(
        """text => { const data = new DataTransfer(); data.setData('text/plain', text);
        const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
        document.activeElement.dispatchEvent(event); }""",
        text,
    )


def test_an_order_is_entered_and_submitted_by_keys_alone(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)

    for number in (7, 12, 33):
        page.keyboard.type(f"p{number:04d}")
        page.keyboard.press("Enter")
        page.wait_for_selector('.tabulator-cell[tabulator-field="qty"].tabulator-editing')
        page.keyboard.type("3")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.keyboard.type("note")
        page.keyboard.press("Enter")
        page.wait_for_selector('.tabulator-cell[tabulator-field="product"].tabulator-editing')
    facts(page, "156.00")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/orders/1")

    lines = only_order()["lines"]
    entered = [(line["product"]["id"], line["qty"], line["note"]) for line in lines]
    assert entered == [(7, "3", "note"), (12, "3", "note"), (33, "3", "note")]
    assert all("amount" not in line and "price" not in line for line in lines)


def test_200_lines_are_pasted_from_excel_and_resolved_in_one_answer(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)
    before = demo.state["quotes"]
    text = "\n".join(f"P{i:04d}\t{i % 9 + 1}\t1,{i:03d}.50" for i in range(1, 201))

    put_clipboard(page, text)
    expect(cell(page, 1, "product")).to_contain_text("冰箱 2")

    assert demo.state["quotes"] - before <= 2
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/orders/1")
    lines = only_order()["lines"]
    assert len(lines) == 200
    assert lines[199]["product"]["id"] == 200 and lines[199]["qty"] == "3" and lines[199]["price"] == "1200.50"


def test_bad_cells_are_marked_and_nothing_pasted_is_lost(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)

    put_clipboard(page, "P0001\t2\nNOPE\t3\nP0003\tabc")
    page.wait_for_selector('.tabulator-cell[tabulator-field="product"].is-error')

    assert cell(page, 1, "product").get_attribute("title") == "NOPE does not exist; choose one from the list"
    assert cell(page, 1, "product").inner_text() == "NOPE"
    assert cell(page, 2, "qty").inner_text() == "abc"
    assert "is-error" in cell(page, 2, "qty").get_attribute("class")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast-note.is-bad")
    assert demo.state["orders"] == {}


def test_scanning_adds_a_line_and_raises_it_the_second_time(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)
    page.locator("[data-entry-scan]").focus()

    for code in ("6901234500005", "6901234500009", "6901234500005", "6901234500005"):
        page.keyboard.type(code)
        page.keyboard.press("Enter")
    expect(cell(page, 0, "product")).to_contain_text("冰箱 5")

    assert cell(page, 0, "qty").inner_text() == "3"
    assert cell(page, 1, "qty").inner_text() == "1"


def test_fill_down_undo_and_escape(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)
    put_clipboard(page, "P0001\t2\nP0002\t3")
    expect(cell(page, 1, "product")).to_contain_text("冰箱 2")

    cell(page, 1, "qty").click()
    page.keyboard.press("Control+d")
    assert page.locator(".tabulator-editing input").input_value() == "2"
    page.keyboard.type("99")
    page.keyboard.press("Escape")
    assert page.locator(".tabulator-editing input").input_value() == "2"
    page.keyboard.press("Control+z")
    expect(page.locator(".tabulator-editing input")).to_have_value("3")
    page.keyboard.press("ArrowUp")

    assert page.locator(".tabulator-editing input").input_value() == "2"


def test_a_lost_line_keeps_the_order_and_sends_it_once(page_zh: Any, ui_demo: str) -> None:
    page_zh.watch.allow("503", "Failed to load")
    page = enter(page_zh, ui_demo)
    put_clipboard(page, "P0001\t2")
    facts(page, "2.00")
    demo.state["down"] = 2

    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".entry-saved.is-waiting")
    page.wait_for_url("**/orders/1", timeout=15_000)

    assert len(demo.state["submits"]) == 3
    assert len(set(demo.state["submits"])) == 1
    assert len(demo.state["orders"]) == 1


def test_a_session_that_ended_is_renewed_in_place(page_zh: Any, ui_demo: str) -> None:
    page_zh.watch.allow("401")
    page = enter(page_zh, ui_demo)
    put_clipboard(page, "P0001\t2")
    facts(page, "2.00")
    demo.state["signed_out"] = True

    page.keyboard.press("Control+Enter")
    page.fill("#again-name", "clerk")
    page.fill("#again-password", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sign-in-error:not([hidden])")
    page.fill("#again-password", "right")
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/1")

    assert len(demo.state["orders"]) == 1


def test_a_draft_is_saved_while_typing_and_restored_after_a_crash(page_zh: Any, ui_demo: str) -> None:
    page = enter(page_zh, ui_demo)
    put_clipboard(page, "P0005\t4")
    page.fill('[name="reference"]', "PO-77")
    expect(page.locator("[data-entry-saved]")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    page.wait_for_timeout(1300)

    page.reload()
    page.wait_for_selector('[data-entry][data-ready="1"]')
    expect(cell(page, 0, "product")).to_contain_text("冰箱 5")

    assert cell(page, 0, "qty").inner_text() == "4"
    assert page.input_value('[name="reference"]') == "PO-77"
    assert len(demo.state["drafts"]) == 1


def test_refused_cells_are_marked_where_they_are(page_zh: Any, ui_demo: str) -> None:
    page_zh.watch.allow("422")
    page = enter(page_zh, ui_demo)
    put_clipboard(page, "P0001\t2\nP0002\t3")
    expect(cell(page, 1, "product")).to_contain_text("冰箱 2")
    demo.state["fail"] = {
        "title": "Not enough stock",
        "errors": [
            {"pointer": "/lines/1/qty", "detail": "only 1"},
            {"pointer": "/head/dealer_id", "detail": "is required"},
        ],
    }

    page.keyboard.press("Control+Enter")
    page.wait_for_selector('.tabulator-row:nth-child(2) .tabulator-cell[tabulator-field="qty"].is-error')

    assert page.locator("[data-head-error]").inner_text() == "is required"
    assert page.locator("[data-entry-note]").inner_text().strip() == "Not enough stock"


def test_lines_are_forms_on_a_phone(phone: Any, ui_demo: str) -> None:
    phone.goto(ui_demo + GRID)
    phone.wait_for_selector('[data-entry][data-ready="1"]')

    product = phone.locator('.line-form [data-column="product"]').first
    product.click()
    product.press_sequentially("P0007")
    phone.locator(".grid-hits [data-at]").first.click()
    phone.locator('.line-form [data-column="qty"]').first.fill("5")
    phone.locator('.line-form [data-column="qty"]').first.blur()
    facts(phone, "35.00")
    phone.locator('[data-action="confirm"]').click()
    phone.wait_for_url("**/orders/1")

    assert [(line["product"]["id"], line["qty"]) for line in only_order()["lines"]] == [(7, "5")]
