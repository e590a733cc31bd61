"""Hostile bodies at every route of the API that takes one: a clear refusal, never a failure, nothing half saved.

The walk knows routes and shapes from their registry, so what is added later is walked as well.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema, fields
from sqlalchemy import text

from sdm.auth.identity import load_actor
from sdm.auth.service import create_token
from sdm.kernel import api, clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from tests import proof
from tests.factories import auth
from tests.factories.orders import shop
from tests.factories.world import World, world

D = Decimal
_serial = itertools.count(1)

NUMBERS: list[Any] = ["NaN", "-Infinity", "1e999999", 10**30, -1, "", "abc", {}, [], True, None, "٣", 0.1 + 0.2]
TEXTS: list[Any] = ["x" * 100_000, "a\x00b", 5, {}, ["x"], None, "=1+1", "\u202e<script>"]
DATES: list[Any] = ["2026-02-30", "0000-00-00", "9999-12-31", "0001-01-01", 20261121, {}, "now", None]
UUIDS: list[Any] = ["", "not-a-uuid", 7, {}, None]
LISTS: list[Any] = [None, {}, "x", [None], [[]], [7], [{}], [{"unknown": 1}]]
FLAGS: list[Any] = ["maybe", 7, {}, None]
TABLES = {
    "orders": "sales_order", "returns": "sales_return", "quotations": "quotation", "shipments": "shipment",
    "goods_receipts": "goods_receipt", "invoices": "invoice", "receipts": "receipt", "dealers": "dealer",
}  # fmt: skip
COUNTED = ("sales_order", "sales_order_line", "shipment", "sales_return", "invoice", "receipt", "goods_receipt",
           "entry", "stock_move", "open_item", "allocation", "reservation", "outbox_event", "idempotency_key")  # fmt: skip


@pytest.fixture
def branch(session: object) -> World:
    with use_actor(system_actor("test")):
        return world()


@pytest.fixture
def headers(client: FlaskClient, branch: World) -> dict[str, str]:
    """Of somebody who may do everything in the branch."""
    row = auth.user(auth.role_with(*[str(permission) for permission in Permission]), branch.branch)
    with use_actor(load_actor(row.id, "web")):
        secret = create_token("bad input", [str(permission) for permission in Permission], 30).secret
    return {"Authorization": f"Bearer {secret}", "If-Match": "*"}


def sent(client: FlaskClient, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    """The answer to one request with a key of its own."""
    keyed = {**headers, "Idempotency-Key": f"bad-input-{next(_serial):08d}"}
    return client.open(path, method=method, data=json.dumps(body), content_type="application/json", headers=keyed)


def plausible(field: fields.Field, name: str, branch: World) -> Any:
    """A value of the right type that may even be right."""
    if isinstance(field, fields.Nested):
        return body_of(field.schema, branch)
    if isinstance(field, fields.List):
        return [plausible(field.inner, name, branch)]
    if isinstance(field, fields.UUID):
        return str(uuid4())
    if isinstance(field, fields.Date):
        return clock.today().isoformat()
    if isinstance(field, fields.Boolean):
        return False
    if isinstance(field, fields.Integer):
        known = {"dealer_id": "dealer", "warehouse_id": "warehouse"}.get(name)
        ids = branch.shop.products if name == "product_id" else branch.ids.get(known or "", {1})
        return min(ids)
    return "1" if isinstance(field, fields.Decimal) else "x1"


def body_of(schema: Schema, branch: World) -> dict[str, Any]:
    """A body with every field of a shape."""
    return {name: plausible(field, name, branch) for name, field in schema.load_fields.items()}


def hostile(field: fields.Field) -> list[Any]:
    """Values a field must not choke on."""
    for kind, values in (
        (fields.List, LISTS), (fields.Nested, LISTS), (fields.UUID, UUIDS), (fields.Date, DATES),
        (fields.Boolean, FLAGS), (fields.Number, NUMBERS), (fields.String, TEXTS),
    ):  # fmt: skip
        if isinstance(field, kind):
            return values
    return [*TEXTS, *LISTS]


def mutations(schema: Schema, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, body with one hostile value there), also in the first element of lists."""
    for name, field in schema.load_fields.items():
        for value in hostile(field):
            yield name, {**body, name: value}
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            element = body[name][0] if isinstance(field, fields.List) else body[name]
            for place, changed in mutations(inner.schema, element):
                yield f"{name}.{place}", {**body, name: [changed] if isinstance(field, fields.List) else changed}
    yield "unknown", {**body, "no_such_field": 1}
    yield "missing", {}


def walked() -> list[api.Operation]:
    return [operation for operation in api.operations().values() if operation.request is not None]


def address(app: Flask, operation: api.Operation, branch: World) -> str:
    rule = next(app.url_map.iter_rules(operation.endpoint))
    table = TABLES.get(operation.endpoint.partition(".")[0].removeprefix("api_"), "")
    values = {name: max(branch.ids.get(table, {1})) for name in rule.arguments}
    return app.url_map.bind("localhost").build(operation.endpoint, values, method=operation.methods[0])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_hostile_value_makes_a_route_fail(
    app: Flask, client: FlaskClient, branch: World, headers: dict[str, str]
) -> None:
    wrong: list[str] = []
    for operation in walked():
        with app.test_request_context():
            path = address(app, operation, branch)
        for place, body in mutations(operation.request, body_of(operation.request, branch)):
            answer = sent(client, operation.methods[0], path, body, headers)
            if answer.status_code >= 500 or (answer.status_code >= 400 and not explained(answer)):
                value = json.dumps(body)[:200]
                wrong.append(
                    f"{answer.status_code} {operation.endpoint} {place}: {answer.get_data(True)[:200]} {value}"
                )

    assert wrong == []
    assert proof.faults() == []


def explained(answer: Any) -> bool:
    """A refusal has a code and a sentence; wrong fields are named one by one."""
    body = answer.get_json(silent=True) or {}
    if not body.get("code") or not body.get("detail"):
        return False
    faults = body.get("errors", [])
    return body["code"] != "input.invalid" or (
        bool(faults) and all(fault["code"] and fault["detail"] for fault in faults)
    )


# --- orders -----------------------------------------------------------------------------------------------------------


def counts() -> dict[str, int]:
    """Rows of the tables that an order, a delivery or money could leave behind."""
    return {name: db.session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED}


def order(branch: World, *lines: dict[str, Any], **values: Any) -> dict[str, Any]:
    shop = branch.shop
    return {
        "uuid": str(uuid4()), "dealer_id": shop.dealer.id, "warehouse_id": shop.warehouse.id, "lines": list(lines), **values
    }  # fmt: skip


def test_every_wrong_line_of_an_order_is_named_with_its_remedy(
    client: FlaskClient, branch: World, headers: dict[str, str]
) -> None:
    good, before = branch.shop.products[0], counts()
    lines = [
        {"product_code": "没有", "qty": "1"}, {"product_id": 999_999_999, "qty": "1"}, {"product_id": good, "qty": "9999999999"},
        {"product_id": good, "qty": "0.0000"}, {"qty": "1"}, {"product_id": good, "qty": "1", "unit": "桶"},
        {"product_id": good, "qty": "1", "price": "1", "discount_rate": "0.5"},
    ]  # fmt: skip
    refused = []
    for number, line in enumerate(lines):
        answer = sent(client, "POST", "/api/v1/orders", order(branch, {"product_id": good, "qty": "1"}, line), headers)
        assert answer.status_code == 422, (line, answer.get_json())
        pointers = [fault["pointer"] for fault in answer.get_json()["errors"]]
        refused.append((number, all(pointer.startswith("/lines/1") for pointer in pointers) and bool(pointers)))
    assert refused == [(number, True) for number in range(len(lines))]
    assert counts() == before


def test_ten_thousand_lines_are_refused_and_leave_nothing(
    client: FlaskClient, branch: World, headers: dict[str, str]
) -> None:
    before = counts()
    lines = [{"product_id": branch.shop.products[0], "qty": "1"}] * 10_000
    answer = sent(client, "POST", "/api/v1/orders", order(branch, *lines), headers)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.get_json()["errors"]] == ["/lines"]
    assert "1000" in answer.get_json()["errors"][0]["detail"].replace(",", "")
    assert counts() == before


def test_a_dealer_or_warehouse_of_another_branch_is_unknown(
    client: FlaskClient, branch: World, headers: dict[str, str]
) -> None:
    with use_actor(system_actor("test")):
        other = shop(products=1)
    before = counts()
    line = {"product_id": branch.shop.products[0], "qty": "1"}
    for name, value in (("dealer_id", other.dealer.id), ("warehouse_id", other.warehouse.id)):
        answer = sent(client, "POST", "/api/v1/orders", order(branch, line, **{name: value}), headers)
        assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, f"/{name}")
    money = {
        "uuid": str(uuid4()),
        "dealer_id": other.dealer.id,
        "amount": "1.00",
        "received_on": clock.today().isoformat(),
    }
    assert sent(client, "POST", "/api/v1/receipts", money, headers).status_code == 422
    assert counts() == before


def test_a_stale_version_is_refused_and_changes_nothing(
    client: FlaskClient, branch: World, headers: dict[str, str]
) -> None:
    line = {"product_id": branch.shop.products[0], "qty": "1"}
    made = sent(client, "POST", "/api/v1/orders", order(branch, line), headers).get_json()
    path, before = f"/api/v1/orders/{made['id']}", counts()
    for version, status in (('"7"', 412), ("x", 412), ("", 428), ('"99999999999"', 412)):
        changed = {**headers, "If-Match": version}
        assert sent(client, "PUT", path, {"lines": [line]}, changed).status_code == status
        assert sent(client, "POST", f"{path}/cancel", {"reason": "x"}, changed).status_code == status
    assert counts() == before
    assert client.get(path, headers=headers).get_json()["state"] == "confirmed"


# --- money ------------------------------------------------------------------------------------------------------------


def test_nothing_is_posted_into_a_closed_month(client: FlaskClient, branch: World, headers: dict[str, str]) -> None:
    closed = clock.today().replace(day=1) - datetime.timedelta(days=1)
    code = f"{closed:%Y-%m}"
    db.session.execute(
        text(
            "INSERT INTO period (code, starts_on, ends_on, state) VALUES (:c, :s, :e, 'closed')"
            " ON CONFLICT (code) DO UPDATE SET state = 'closed'"
        ),
        {"c": code, "s": closed.replace(day=1), "e": closed},
    )
    db.session.commit()
    before, day = counts(), closed.isoformat()
    money = {"uuid": str(uuid4()), "dealer_id": branch.shop.dealer.id, "amount": "1.00", "received_on": day}
    goods = {
        "uuid": str(uuid4()), "warehouse_id": branch.shop.warehouse.id, "received_on": day, "origin": "supplier", "post": True,
        "lines": [{"product_id": branch.shop.products[0], "qty": "1", "unit_cost": "1"}],
    }  # fmt: skip
    for path, body in (("/api/v1/receipts", money), ("/api/v1/goods-receipts", goods)):
        answer = sent(client, "POST", path, body, headers)
        assert answer.status_code == 422, answer.get_json()
        assert code in json.dumps(answer.get_json()), answer.get_json()
    assert counts() == before


def test_broken_bodies_are_refused_before_anything_is_looked_at(client: FlaskClient, headers: dict[str, str]) -> None:
    before = counts()
    for raw, kind in (
        (b"", "application/json"), (b"{", "application/json"), (b"[]", "application/json"), (b"null", "application/json"),
        (b'{"a": NaN}', "application/json"), (b"[" * 100_000, "application/json"), (b"\xff\xfe", "application/json"),
        (b"a=1", "application/x-www-form-urlencoded"), (b"<x/>", "text/xml"), (b"9" * 10_000, "application/json"),
    ):  # fmt: skip
        keyed = {**headers, "Idempotency-Key": f"bad-input-{next(_serial):08d}"}
        answer = client.post("/api/v1/orders", data=raw, content_type=kind, headers=keyed)
        assert 400 <= answer.status_code < 500, (raw[:20], answer.status_code)
        assert answer.get_json()["code"]
    assert counts() == before
