"""List pages: what the address says is what the page, the totals and the files hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import delete, event, select

from sdm.app import create_app
from sdm.kernel.db import db
from sdm.kernel.listing import Column, ListSpec, SavedView
from sdm.kernel.settings import Settings
from tests import ui_demo

LIST = "/ui-demo/orders"
ALL = range(1, ui_demo.ROWS + 1)
HELD = [n for n in ALL if n % 9 == 0]


@pytest.fixture(scope="module")
def demo_app(database_url: str, test_settings: Settings) -> Iterator[Flask]:
    application = ui_demo.install(create_app(test_settings.replace(database_url=database_url)))
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def client(demo_app: Flask) -> Iterator[FlaskClient]:
    result = demo_app.test_client()
    result.set_cookie("sdm_locale", "en")
    yield result
    with demo_app.app_context(), db.engine.begin() as connection:
        connection.execute(delete(SavedView))


def body(client: FlaskClient, query: str = "") -> str:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def numbers(page: str) -> list[int]:
    """Order numbers of the rows shown, in order."""
    return [int(part.split('"')[0]) for part in page.split('<tr data-id="')[1:]]


def sheet(client: FlaskClient, query: str) -> list[tuple[Any, ...]]:
    answer = client.get(f"{LIST}?{query}&export=xlsx", buffered=True)
    assert answer.status_code == 200
    return list(load_workbook(io.BytesIO(answer.data)).active.iter_rows(values_only=True))


def token(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": client.get("/app/csrf").get_json()["csrf_token"]}


def test_the_first_page_shows_the_newest_fifty_and_says_there_are_more_than_ten_thousand(client: FlaskClient) -> None:
    page = body(client)

    assert numbers(page) == list(range(12345, 12295, -1))
    assert "1–50 of 10,000+" in page


def test_totals_are_those_of_the_filter_not_of_the_page(client: FlaskClient) -> None:
    page = body(client, "state=held")

    total = sum((Decimal(n) * Decimal("137.25") - 5000 for n in HELD), Decimal(0))
    assert f"{total:,.2f}" in page
    assert f"1–50 of {len(HELD):,}" in page


def test_totals_of_a_long_list_follow_after_the_page(client: FlaskClient) -> None:
    page = body(client)
    later = body(client, "part=totals")

    assert 'hx-trigger="load"' in page.split("<tfoot")[1]
    assert f"{sum(Decimal(n) * Decimal('137.25') - 5000 for n in ALL):,.2f}" in later


def test_filters_of_every_kind_narrow_together(client: FlaskClient) -> None:
    days = "day.from=2026-03-01&day.to=2026-05-01"
    page = body(client, f"state=held&amount.from=100,000&amount.to=200000&{days}&dealer=0")

    wanted = [
        n
        for n in reversed(ALL)
        if n % 9 == 0 and 100_000 <= n * 137.25 - 5000 <= 200_000 and 59 <= n % 300 <= 120 and n % 3 == 0
    ]
    assert wanted and numbers(page) == wanted[:50]
    assert "杭州恒信电器有限公司" in page.split("pill-value")[2]


def test_paging_is_stable_and_complete_when_the_sort_has_ties(client: FlaskClient) -> None:
    seen = [n for number in (1, 2, 3) for n in numbers(body(client, f"sort=state&state=held&page={number}"))]

    assert seen == HELD[:150]


def test_the_last_page_that_paging_reaches_asks_to_narrow_the_list(client: FlaskClient) -> None:
    page = body(client, "page=200")

    assert "Narrow the list by a filter" in page
    assert numbers(body(client, "page=99999")) == numbers(page)


def test_a_page_takes_four_statements_at_most(client: FlaskClient, demo_app: Flask) -> None:
    seen: list[str] = []
    with demo_app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))

    body(client, "state=held&dealer=0&page=2")

    assert len([statement for statement in seen if "generate_series" in statement]) <= 4


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("day.from=2026-13-45", "Document date"),
        ("amount.from=abc", "Amount"),
        ("amount.from=NaN", "Amount"),
        ("amount.to=1e400", "Amount"),
        ("state=nonsense", "State"),
        ("dealer=x'%20or%201=1", "Dealer"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named_and_left_out(client: FlaskClient, query: str, named: str) -> None:
    page = body(client, query)

    alert = page.split('role="alert"')[1].split("</div>")[0]
    assert named in alert
    assert len(numbers(page)) == 50


@pytest.mark.parametrize(
    "query", ["sort=--number", "sort=nothing", "sort=n;drop", "page=-1", "page=%F0%9F%98%80", "cols=zzz", "wan=7"]
)
def test_an_odd_address_falls_back_to_the_standard_view(client: FlaskClient, query: str) -> None:
    assert numbers(body(client, query)) == numbers(body(client))


def test_search_words_must_all_occur_and_wildcards_are_plain_text(client: FlaskClient) -> None:
    assert numbers(body(client, "q=Harbour+00000010")) == [10]
    assert numbers(body(client, "q=%25")) == []
    assert "Nothing matches the filter" in body(client, "q=%25")


def test_chosen_columns_and_the_unit_of_ten_thousand_are_shown(client: FlaskClient) -> None:
    page = body(client, "cols=number,amount,urgent&wan=1&number=SO00012345")

    assert "168.94" in page
    assert page.count("<th scope") == 3 and "Urgent" in page.split("<thead>")[1]


def test_text_of_data_is_escaped(client: FlaskClient) -> None:
    page = body(client, "q=%3Cscript%3Ealert(1)%3C/script%3E")

    assert "<script>alert" not in page


def test_htmx_gets_the_list_alone_and_caches_keep_both_apart(client: FlaskClient) -> None:
    answer = client.get(LIST, headers={"HX-Request": "true", "HX-Target": "div#list-region"})
    restored = client.get(LIST, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})

    assert "<html" not in answer.get_data(as_text=True)
    assert "HX-Request" in answer.headers["Vary"]
    assert "<html" in restored.get_data(as_text=True)


def test_excel_holds_the_filter_with_figures_as_figures_and_no_formulas(client: FlaskClient) -> None:
    rows = sheet(client, "state=held&sort=number&cols=number,day,dealer,amount,qty")

    assert rows[0] == ("Number", "Document date", "Dealer", "Quantity", "Amount")
    assert len(rows) == len(HELD) + 1
    assert rows[1][4] == pytest.approx(9 * 137.25 - 5000)
    everything = sheet(client, "number=SO00000002")
    assert everything[1][2].startswith("=cmd|")
    answer = client.get(f"{LIST}?number=SO00000002&export=xlsx", buffered=True)
    cells = load_workbook(io.BytesIO(answer.data)).active[2]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert "inlineStr" not in {cell.data_type for cell in cells} and "f" not in {cell.data_type for cell in cells}


def test_csv_holds_the_same_rows_and_disarms_formulas(client: FlaskClient) -> None:
    answer = client.get(f"{LIST}?q=0000001&sort=number&export=csv", buffered=True)
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))

    assert answer.headers["Content-Disposition"].startswith("attachment; filename=ui_orders-")
    assert rows[0][:3] == ["Number", "Document date", "Dealer"]
    assert rows[3][2].startswith("'=cmd|")
    assert rows[2][5] == "-3627.50"


def test_an_unknown_export_format_is_refused(client: FlaskClient) -> None:
    assert client.get(f"{LIST}?export=exe").status_code == 422


def test_a_bulk_action_reports_every_row_and_a_refusal_stops_no_other(client: FlaskClient) -> None:
    ui_demo.done.clear()

    answer = client.post(LIST, data={"action": "release", "ids": ["1", "2", "3", "4"]}, headers=token(client))

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert sorted(ui_demo.done) == [1, 2, 4]
    assert "3 of 4 done" in text and "1 refused" in text
    assert "cannot be released" in text


def test_a_bulk_action_touches_only_rows_of_the_filter(client: FlaskClient) -> None:
    ui_demo.done.clear()

    chosen = {"action": "release", "ids": ["4", "5", "x", "999999"]}
    client.post(f"{LIST}?state=open", data=chosen, headers=token(client))

    assert ui_demo.done == [4]


def test_a_bulk_action_on_all_rows_of_the_filter_has_a_limit(client: FlaskClient) -> None:
    ui_demo.done.clear()
    headers = token(client)

    few = client.post(f"{LIST}?number=SO0000001", data={"action": "release", "everything": "1"}, headers=headers)
    many = client.post(LIST, data={"action": "release", "everything": "1"}, headers=headers)

    assert few.status_code == 200 and sorted(ui_demo.done) == [10, 11, 13, 14, 16, 17, 19]
    assert many.status_code == 422


@pytest.mark.parametrize("form", [{"action": "drop", "ids": ["1"]}, {"action": "release"}])
def test_a_bulk_action_that_cannot_run_is_refused(client: FlaskClient, form: dict[str, Any]) -> None:
    assert client.post(LIST, data=form, headers=token(client)).status_code == 422


def test_a_view_is_saved_replaced_shown_and_deleted(client: FlaskClient, demo_app: Flask) -> None:
    headers = token(client)
    save = "/app/lists/ui_orders/views"
    client.post(save, data={"name": "My held", "query": "state=held"}, headers=headers)
    client.post(save, data={"name": "My held", "query": "state=held&wan=1"}, headers=headers)
    with demo_app.app_context():
        saved = db.session.scalars(select(SavedView)).all()
    shown = body(client, "state=held&wan=1")

    answer = client.post(f"/app/lists/views/{saved[0].id}/delete", data={"next": "//evil.example/x"}, headers=headers)

    assert [(view.name, view.query, view.user_id) for view in saved] == [("My held", "state=held&wan=1", 1)]
    assert "My held" in shown
    assert answer.status_code == 303 and answer.headers["Location"] == "/"
    assert "My held" not in body(client)


def test_a_view_needs_a_name(client: FlaskClient) -> None:
    answer = client.post("/app/lists/ui_orders/views", data={"name": " "}, headers=token(client))

    assert answer.status_code == 422


def test_a_declaration_with_a_reserved_or_doubled_key_is_refused() -> None:
    column = ui_demo.LIST.columns[0]

    for columns in ((column, column), (Column("page", "x", column.expr),)):
        with pytest.raises(ValueError, match="column keys"):
            ListSpec("x", "x", columns, ui_demo.LIST.select, column.expr, "number")
