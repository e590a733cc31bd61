"""The wizards: a file is checked as a whole, faults come back as the same workbook, nothing is applied twice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import func, select

from finance.receivables.models import Invoice
from sdm.app import wiring
from sdm.intake.models import ControlTotal, ImportRun, TakeOnMapping, TakeOnRun
from sdm.intake.service import imports
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, org
from tests.unit.intake.test_files import book

SLICE = Path(__file__).parents[2] / "data" / "online-retail" / "slice.csv"


@pytest.fixture
def browser(app: Flask, client: FlaskClient, session: object) -> Iterator[FlaskClient]:
    wiring.load()
    user = auth.user("administrator", org.head_office())
    auth.signed_in(client, user)
    client.set_cookie("sdm_locale", "en")
    yield client


def give(client: FlaskClient, path: str, name: str, *files: tuple[str, bytes], **fields: Any) -> Any:
    data = {name: [(io.BytesIO(content), file) for file, content in files], **fields}
    return auth.post(client, path, data, content_type="multipart/form-data")


def count(model: Any) -> int:
    with use_actor(system_actor("test")):
        return int(db.session.scalar(select(func.count()).select_from(model)) or 0)


def text(answer: Any) -> str:
    return answer.get_data(as_text=True)


GOOD = book(
    ("Figure*", "Control total", "Month"),
    ("Charged (positive lines)", "1,234.50", "2026-11"[:7] + "-01"),
    ("charged", 7, None),
)
BAD = book(("Figure", "Control total", "Unit"), ("charged", "many", ""), ("colour", "", "nowhere"))


@pytest.mark.parametrize("path", [
    "/intake/", "/intake/sheets/control_totals", "/intake/take-on", "/intake/take-on/new", "/intake/mappings/new",
    "/intake/mappings/iowa-liquor", "/intake/control-totals",
])  # fmt: skip
def test_pages_show(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, text(answer)[:500]


def test_a_good_file_is_checked_then_applied_once(browser: FlaskClient) -> None:
    answer = give(browser, "/intake/sheets/control_totals", "file", ("totals.xlsx", GOOD))
    assert answer.status_code == 303, text(answer)
    place = answer.headers["Location"]
    assert "2 rows" in text(browser.get(place))
    assert count(ControlTotal) == 0
    assert auth.post(browser, f"{place}/step").status_code == 303
    assert "2 created" in text(browser.get(place))
    again = give(browser, "/intake/sheets/control_totals", "file", ("other name.xlsx", GOOD))
    assert again.headers["Location"] == place
    auth.post(browser, f"{place}/step")
    assert count(ControlTotal) == 2


def test_all_errors_come_back_as_the_same_workbook(browser: FlaskClient) -> None:
    place = give(browser, "/intake/sheets/control_totals", "file", ("totals.xlsx", BAD)).headers["Location"]
    page = text(browser.get(place))
    assert "is not a number" in page and "does not exist" in page
    sheet = load_workbook(io.BytesIO(browser.get(f"{place}/errors.xlsx").data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("Figure", "Control total", "Unit", "Errors")
    assert rows[1][:2] == ("charged", "many") and "many is not a number" in rows[1][3]
    assert all(word in rows[2][3] for word in ("is not one of", "is required", "nowhere does not exist"))
    assert auth.post(browser, f"{place}/step").status_code == 422
    mended = give(
        browser,
        "/intake/sheets/control_totals",
        "file",
        ("m.xlsx", book(*[row[:4] for row in rows[:1]], ("charged", 5, "", ""))),
    )
    assert mended.status_code == 303, "a workbook handed back may keep its error column"


@pytest.mark.parametrize(("name", "data", "says"), [
    ("f.xlsx", book(("Figure", "Control total"), ("charged", "=1+1")), "formulas"),
    ("f.xls", b"\xd0\xcf\x11\xe0", "neither an Excel workbook"),
    ("f.csv", b"Colour\nred\n", "Colour is not known here"),
    ("f.csv", b"Figure,Control total\n", "no rows"),
])  # fmt: skip
def test_a_refused_file_says_why_in_place(browser: FlaskClient, name: str, data: bytes, says: str) -> None:
    answer = give(browser, "/intake/sheets/control_totals", "file", (name, data))
    assert answer.status_code == 422
    assert says in text(answer)
    assert count(ImportRun) == 0


def test_template_and_export_have_the_same_headings_in_the_readers_language(browser: FlaskClient) -> None:
    give_place = give(browser, "/intake/sheets/control_totals", "file", ("totals.xlsx", GOOD)).headers["Location"]
    auth.post(browser, f"{give_place}/step")
    found = []
    for path in ("template", "export"):
        sheet = load_workbook(io.BytesIO(browser.get(f"/intake/sheets/control_totals/{path}.xlsx").data)).active
        found.append([cell.value for cell in next(sheet.iter_rows())])
    assert found[0] == found[1]


def test_an_export_in_chinese_can_be_imported_again(browser: FlaskClient) -> None:
    browser.set_cookie("sdm_locale", "zh_CN")
    place = give(browser, "/intake/sheets/control_totals", "file", ("totals.xlsx", GOOD)).headers["Location"]
    auth.post(browser, f"{place}/step")
    sheet = load_workbook(io.BytesIO(browser.get("/intake/sheets/control_totals/export.xlsx").data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert "控制总数" in rows[0][1]
    answer = give(browser, "/intake/sheets/control_totals", "file", ("back.xlsx", book(*rows)))
    assert answer.status_code == 303, text(answer)[:2000]


def test_an_import_goes_on_where_it_was_left(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports.rules, "BATCH_ROWS", 1)
    monkeypatch.setattr(imports.rules.batches_of, "__defaults__", (1,))
    place = give(browser, "/intake/sheets/control_totals", "file", ("totals.xlsx", GOOD)).headers["Location"]
    auth.post(browser, f"{place}/step")
    assert "1 of 2 done" in text(browser.get(place))
    bar = auth.post(browser, f"{place}/step", headers={"HX-Request": "true"})
    assert bar.status_code == 204 and bar.headers["HX-Redirect"].endswith(place)


def test_take_on_by_the_wizard(browser: FlaskClient) -> None:
    small = b"\n".join(SLICE.read_bytes().splitlines()[:120]) + b"\n"
    place = give(browser, "/intake/take-on/new", "files", ("slice.csv", small), mapping="online-retail").headers[
        "Location"
    ]
    assert "nothing is posted" in text(browser.get(place))
    auth.post(browser, f"{place}/look")
    page = text(browser.get(place))
    assert "2010-12" in page and "119 lines become" in page
    for _ in range(4):
        auth.post(browser, f"{place}/step")
    assert "All batches are posted" in text(browser.get(place))
    assert count(Invoice) > 5
    auth.post(browser, "/intake/control-totals", {"measure": "lines", "entered": "119"})
    auth.post(browser, "/intake/control-totals", {"measure": "charged", "entered": "1", "month": "2010-12"})
    page = text(browser.get("/intake/control-totals"))
    assert "1 of 2 totals differ" in page
    assert "Charged" in text(browser.get("/intake/control-totals?only=differences"))


def test_a_mapping_is_made_from_the_headings_of_a_file(browser: FlaskClient) -> None:
    answer = give(
        browser, "/intake/mappings/new", "file", ("s.csv", "单号,日期,客户,货号,数量,金额\n".encode("gb18030"))
    )
    assert answer.status_code == 200 and "货号" in text(answer)
    fields = {
        "name": "old books", "c_invoice": "单号", "c_date": "日期", "c_dealer": "客户", "c_product": "货号", "c_qty": "数量",
        "date_format": "YYYY-MM-DD", "returns": "negative", "zero_price_negative": "adjustment", "tax": "included",
        "dealers": "list", "products": "list", "branches": "list",
    }  # fmt: skip
    refused = auth.post(browser, "/intake/mappings/make", {**fields, "heading": ["单号", "数量"]})
    assert refused.status_code == 422 and "give amount or price" in text(refused)
    assert auth.post(browser, "/intake/mappings/make", {**fields, "c_amount": "金额"}).status_code == 303
    assert db.session.scalar(select(TakeOnMapping.name)) == "old books"
    assert "old books" in text(browser.get("/intake/take-on/new"))
    assert auth.post(browser, "/intake/mappings/old books/remove").status_code == 303


def test_entered_control_totals_name_every_faulty_field(browser: FlaskClient) -> None:
    answer = auth.post(browser, "/intake/control-totals", {"measure": "", "entered": "much", "month": "soon"})
    assert answer.status_code == 422
    assert text(answer).count("field-error") >= 3


def test_a_clerk_may_not_take_on(app: Flask, client: FlaskClient, session: object) -> None:
    auth.signed_in(client, auth.user("clerk"))
    for path in ("/intake/", "/intake/take-on", "/intake/control-totals"):
        assert client.get(path).status_code == 403


def test_a_run_of_another_branch_looks_absent(app: Flask, client: FlaskClient, session: object) -> None:
    role = auth.role_with("import:run", "take_on:run")
    other = org.branch()
    run = TakeOnRun(
        unit_id=other.id, digest="x" * 64, mapping_name="m", mapping_body="", file_names=[], state="new", report={},
        created_by="x",
    )  # fmt: skip
    org.save(run)
    auth.signed_in(client, auth.user(role, org.branch()))
    assert client.get(f"/intake/take-on/{run.id}").status_code == 404
