"""Lists, navigation, search and confirmations in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import ui_demo as demo

LIST = "/ui-demo/orders"


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    demo.done.clear()
    yield


def look(page: Any, shots: Path | None, name: str) -> None:
    if shots:
        page.screenshot(path=shots / f"{name}.png")


def first_number(page: Any) -> Any:
    return page.locator("tbody tr td.cell-code").first


def test_a_filter_lives_in_the_address_and_the_back_button_takes_it_away(
    page_en: Any, ui_demo: str, shots: Path | None
) -> None:
    page_en.goto(ui_demo + LIST)

    page_en.locator(".pill", has_text="State").locator("summary").click()
    page_en.locator('.pill input[value="held"]').check()
    look(page_en, shots, "list-filter-en")
    page_en.locator(".pill[open] .btn-primary").click()
    expect(first_number(page_en)).to_have_text("SO00012339")

    assert page_en.url.endswith("?state=held")
    expect(page_en.locator(".pill.is-on")).to_contain_text("Held")
    page_en.go_back()
    expect(first_number(page_en)).to_have_text("SO00012345")
    page_en.go_forward()
    expect(first_number(page_en)).to_have_text("SO00012339")


def test_sorting_and_paging_keep_the_filter(page_en: Any, ui_demo: str) -> None:
    page_en.goto(f"{ui_demo}{LIST}?state=held")

    page_en.locator("thead a", has_text="Number").click()
    expect(first_number(page_en)).to_have_text("SO00000009")
    page_en.locator(".pager a", has_text="Next").click()
    expect(first_number(page_en)).to_have_text("SO00000459")

    assert "state=held" in page_en.url and "page=2" in page_en.url


def test_a_picker_filter_offers_words_and_sends_ids(page_en: Any, ui_demo: str) -> None:
    page_en.goto(ui_demo + LIST)

    page_en.locator(".pill", has_text="Dealer").locator("summary").click()
    page_en.locator(".pill[open] .ts-control input").type("Har")
    page_en.locator(".ts-dropdown .option", has_text="Harbour Trading").click()
    page_en.locator(".pill[open] .btn-primary").click()
    expect(page_en.locator(".pill.is-on")).to_contain_text("Harbour Trading")

    assert "dealer=1" in page_en.url


def test_rows_are_walked_and_opened_by_keys(page_en: Any, ui_demo: str) -> None:
    page_en.goto(ui_demo + LIST, wait_until="networkidle")

    page_en.keyboard.press("j")
    page_en.keyboard.press("j")
    page_en.keyboard.press("k")
    page_en.keyboard.press("j")
    page_en.keyboard.press("Enter")
    page_en.wait_for_url("**/orders/12344")


def test_a_bulk_action_repeats_the_consequence_and_reports_each_row(
    page_en: Any, ui_demo: str, shots: Path | None
) -> None:
    page_en.goto(ui_demo + LIST, wait_until="networkidle")
    for number in (12345, 12344, 12343):
        page_en.locator(f'tr[data-id="{number}"] input').check()

    look(page_en, shots, "list-bulk-en")
    page_en.locator('[data-bulk="release"]').click()
    expect(page_en.locator("#confirm-text")).to_have_text("Release 3 orders?")
    page_en.locator("#confirm-yes").click()
    expect(page_en.locator("#report-body")).to_contain_text("2 of 3 done")

    look(page_en, shots, "list-report-en")
    assert sorted(demo.done) == [12343, 12344]
    page_en.locator("#report-body .btn-primary").click()
    expect(page_en.locator("[data-bulk-bar]")).to_be_hidden()


def test_columns_are_chosen_and_a_view_is_saved(page_en: Any, ui_demo: str) -> None:
    page_en.goto(ui_demo + LIST, wait_until="networkidle")

    page_en.locator("summary", has_text="Columns").click()
    page_en.locator('[data-columns] input[value="urgent"]').check()
    page_en.locator("[data-apply-columns]").click()
    expect(page_en.locator("thead")).to_contain_text("Urgent")
    page_en.locator('.list-side summary[title="More"]').click()
    page_en.locator("[data-save-view]").click()
    page_en.keyboard.type("Mine")
    page_en.keyboard.press("Enter")

    expect(page_en.locator(".list-tab-own", has_text="Mine")).to_be_visible()


def test_totals_of_a_long_list_arrive_after_the_page(page_zh: Any, ui_demo: str) -> None:
    page_zh.goto(ui_demo + LIST)

    expect(page_zh.locator("tfoot")).to_contain_text("10,397,505,266.25")


def test_search_opens_by_slash_and_leads_to_a_document(page_zh: Any, ui_demo: str) -> None:
    page_zh.goto(ui_demo + LIST, wait_until="networkidle")

    page_zh.keyboard.press("/")
    page_zh.keyboard.type("so12")
    expect(page_zh.locator("#search-hits a")).to_contain_text("SO00000012")
    page_zh.keyboard.press("Enter")

    page_zh.wait_for_url("**/orders/12")


def test_a_step_that_cannot_be_undone_asks_first(page_zh: Any, ui_demo: str) -> None:
    page_zh.goto(ui_demo + LIST + "/12", wait_until="networkidle")

    page_zh.locator(".page-actions button.btn-bad").click()
    expect(page_zh.locator("#confirm-text")).to_contain_text("15,594.00")
    page_zh.keyboard.press("Escape")

    assert page_zh.url.endswith("/orders/12")


def test_a_tab_is_fetched_when_it_is_first_shown(page_zh: Any, ui_demo: str) -> None:
    page_zh.goto(ui_demo + LIST + "/12", wait_until="networkidle")

    page_zh.locator("#tab-history").focus()
    page_zh.keyboard.press("ArrowRight")

    expect(page_zh.locator("#panel-postings")).to_have_text("7")


def test_the_language_switch_stays_on_the_page(page_en: Any, ui_demo: str) -> None:
    page_en.goto(f"{ui_demo}{LIST}?state=held", wait_until="networkidle")

    page_en.locator(".top-language button").click()
    page_en.wait_for_load_state("networkidle")

    assert page_en.url.endswith("?state=held")
    expect(page_en.locator(".list-tabs")).to_contain_text("全部")


def test_the_navigation_slides_in_on_a_phone(phone: Any, ui_demo: str, shots: Path | None) -> None:
    phone.goto(ui_demo + LIST, wait_until="networkidle")
    expect(phone.locator(".nav-side")).to_be_hidden()

    phone.locator("[data-nav-open]").click()
    expect(phone.locator(".nav-side")).to_be_visible()

    look(phone, shots, "nav-phone")
    phone.locator('.nav-side a[href="/ui-demo/board"]').click()
    phone.wait_for_url("**/board")


def test_the_thin_line_tells_that_the_server_is_away(page_zh: Any, ui_demo: str) -> None:
    page_zh.watch.allow("Failed to load", "ERR_")
    page_zh.route("**/app/pulse", lambda route: route.abort())

    page_zh.goto(ui_demo + LIST)

    expect(page_zh.locator("#pulse")).to_be_visible(timeout=8000)
    expect(page_zh.locator("#pulse")).to_contain_text("连接已断开")


def test_pages_stay_within_their_weight(page_zh: Any, ui_demo: str) -> None:
    weights: dict[str, int] = {}
    for name, address in (("order", "/ui-demo/grid"), ("cockpit", "/ui-demo/board")):
        page = page_zh.context.new_page()
        client = page.context.new_cdp_session(page)
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[int] = []
        client.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(int(event["encodedDataLength"])))
        page.goto(ui_demo + address, wait_until="networkidle")
        weights[name] = sum(sizes)
        page.close()

    assert weights["order"] <= 290_000, weights
    assert weights["cockpit"] <= 560_000, weights
