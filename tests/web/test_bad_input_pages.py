"""Hostile input at every form, entry grid and import sheet: shown back with the field and the remedy, never a failure.

Forms are found on the pages themselves, sheets in their registry, so what is added later is walked as well.
"""

from __future__ import annotations

import io
import itertools
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from sdm.intake import registry
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.permissions import Permission
from tests import proof
from tests.factories import auth
from tests.factories.world import World, world
from tests.unit.intake.test_files import book

VALUES = [
    "",
    "-1",
    "NaN",
    "1e999",
    "9" * 40,
    "2026-02-30",
    "9999-12-31",
    "x" * 10_000,
    "a\x00b",
    "=cmd()",
    "\u202e<b>'\"",
    "[]",
]
CELLS: list[Any] = [
    "-1",
    "NaN",
    "1e999",
    "9" * 40,
    "2026-02-30",
    "9999-12-31",
    "x" * 3000,
    "\u202e'\"<b>",
    "ZQXJ",
    1e300,
    True,
]
LINES: list[Any] = [
    None, "x", {}, [None], [[]], [{}], [{"key": {}, "qty": []}], [{"product": {"id": 10**30}, "qty": "1e999"}],
    [{"key": "k", "values": {"product": {"text": "x" * 5000}, "qty": "NaN", "price": "-1"}}], [{"product_id": "x", "qty": None}],
]  # fmt: skip
LEAVE_OUT = {"auth.sign_out", "assets.serve", "health.metrics", "health.readyz"}
TABLES = {"orders": "sales_order", "returns": "sales_return", "quotations": "quotation", "shipments": "shipment",
          "goods_receipts": "goods_receipt", "invoices": "invoice", "receipts": "receipt", "dealers": "dealer",
          "credit": "dealer", "cases": "work_item"}  # fmt: skip
HEADS: list[Any] = [{}, {"dealer_id": {"id": 10**30}, "warehouse_id": "x" * 300, "received_on": "9999-99-99"}, [], None]
_serial = itertools.count(1)


class Forms(HTMLParser):
    """The forms of a page: method, action, names of their fields with what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and what they contain."""
        given = dict(attrs)
        if tag == "form":
            self._open = {
                "method": (given.get("method") or "get").lower(),
                "action": given.get("action") or "",
                "fields": {},
            }
            self.found.append(self._open)
        elif tag in {"input", "select", "textarea", "button"} and given.get("name") and self._open is not None:
            self._open["fields"].setdefault(given["name"], given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        """A form ends."""
        if tag == "form":
            self._open = None


@pytest.fixture
def branch(session: object) -> World:
    with use_actor(system_actor("test")):
        return world()


@pytest.fixture
def browser(client: FlaskClient, branch: World) -> FlaskClient:
    """Somebody of the branch who may do everything."""
    permissions = [permission.value for permission in Permission]
    return auth.signed_in(client, auth.user(auth.role_with(*permissions), branch.branch))


def pages(app: Flask, branch: World) -> list[str]:
    """One address of every page."""
    found = []
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint not in LEAVE_OUT and not rule.endpoint.startswith("api_"):
            found += address(app, rule, branch)
    return sorted(set(found))


def address(app: Flask, rule: Rule, branch: World) -> list[str]:
    """An address of a rule with ids that exist; nothing where a part is no number."""
    table = TABLES.get(rule.endpoint.partition(".")[0], "")
    ids = branch.ids.get(table) or {branch.branch.id}
    kinds = {name: type(rule._converters[name]).__name__ for name in rule.arguments}
    if any(kind != "IntegerConverter" for kind in kinds.values()):
        return []
    with app.test_request_context():
        bound = app.url_map.bind("localhost")
        return [bound.build(rule.endpoint, dict.fromkeys(kinds, chosen)) for chosen in {min(ids), max(ids)}]


def forms(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    """The forms of a page that change something."""
    answer = client.get(path)
    assert answer.status_code < 500, path
    if answer.mimetype != "text/html":
        return []
    parser = Forms()
    parser.feed(answer.get_data(as_text=True))
    changing = [form for form in parser.found if form["method"] == "post"]
    return [{**form, "action": form["action"] or path} for form in changing if "sign-out" not in form["action"]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_form_of_any_page_fails_on_hostile_values(app: Flask, branch: World, browser: FlaskClient) -> None:
    wrong, seen = [], set()
    token = auth.form_token(browser)
    for path in pages(app, branch):
        for form in forms(browser, path):
            names = tuple(sorted(form["fields"]))
            if (app.url_map.bind("localhost").match(form["action"].partition("?")[0], method="POST")[0], names) in seen:
                continue
            seen.add((app.url_map.bind("localhost").match(form["action"].partition("?")[0], method="POST")[0], names))
            for number, value in enumerate(VALUES):
                data = {name: value for name in names if name not in {"csrf_token", "idempotency_key"}}
                if number % 2:  # half of the times only one field is hostile
                    chosen = sorted(data)[number % len(data)] if data else ""
                    data = {**form["fields"], **({chosen: value} if chosen else {})}
                answer = browser.post(form["action"], data={**data, "csrf_token": token})
                if answer.status_code >= 500:
                    wrong.append(f"{answer.status_code} {form['action']} {value[:20]!r} {names}")
    assert wrong == []
    assert len(seen) > 20
    assert proof.faults() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_entry_grid_fails_on_hostile_lines(app: Flask, branch: World, browser: FlaskClient) -> None:
    wrong = []
    token = auth.form_token(browser)
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.startswith(("api_", "auth.", "pick.")):
            continue
        for path, (number, lines) in itertools.product(address(app, rule, branch)[:1], enumerate(LINES)):
            body = {"document_id": "not-a-uuid", "action": "save", "head": HEADS[number % len(HEADS)], "lines": lines}
            headers = {
                "X-CSRFToken": token,
                "Accept": "application/json",
                "Idempotency-Key": f"grid-{next(_serial):08d}",
            }
            answer = browser.post(path, data=json.dumps(body), content_type="application/json", headers=headers)
            if answer.status_code >= 500:
                wrong.append(f"{answer.status_code} {path} {json.dumps(body)[:160]}")
    assert wrong == []
    assert proof.faults() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_import_sheet_fails_on_hostile_cells_and_applies_none_of_them(
    app: Flask, branch: World, browser: FlaskClient
) -> None:
    wrong = []
    token = auth.form_token(browser)
    for sheet in registry.registered():
        heads = tuple(column.key for column in sheet.columns)
        rows = [tuple(CELLS[(place + turn) % len(CELLS)] for place in range(len(heads))) for turn in range(len(CELLS))]
        upload = {"file": (io.BytesIO(book(heads, *rows)), "hostile.xlsx"), "csrf_token": token}
        answer = browser.post(f"/intake/sheets/{sheet.code}", data=upload, content_type="multipart/form-data")
        if answer.status_code not in {303, 422}:
            wrong.append(f"{answer.status_code} {sheet.code}")
            continue
        place = answer.headers.get("Location")
        if place:
            shown, stepped = browser.get(place), browser.post(f"{place}/step", data={"csrf_token": token})
            errors = browser.get(f"{place}/errors.xlsx")
            if (shown.status_code, stepped.status_code, errors.status_code) != (200, 422, 200):
                wrong.append(f"{sheet.code}: {shown.status_code} {stepped.status_code} {errors.status_code}")
    assert wrong == []
    assert len(registry.registered()) > 5
    assert proof.faults() == []
