"""Orders, quotations and returns for programs; orders from a file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from branches.orders import queries, service, sheets
from branches.orders.models import SalesOrder, SalesReturn
from inventory.shipments import service as shipments
from sdm.auth.service import create_token
from sdm.kernel import outbox
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.sheets import SheetRow
from tests.factories import auth
from tests.factories.orders import Shop, clerk, shop, signed

D = Decimal
RIGHTS = (
    "order:read", "order:enter", "order:cancel", "shipment:read", "shipment:post", "shipment:sign", "return:read",
    "return:enter", "return:approve", "quotation:read", "quotation:enter", "goods_receipt:post",
    "order:release_credit",
)  # fmt: skip


@pytest.fixture(autouse=True)
def looking_on() -> Iterator[None]:
    with use_actor(system_actor("test")):
        yield


@pytest.fixture
def made(session) -> Shop:
    return shop(limit="1000")


class Program:
    """A program with a token of its own."""

    def __init__(self, client: FlaskClient, made: Shop) -> None:
        self.client = client
        user = auth.user(auth.role_with(*RIGHTS, "api_token:own"), made.branch)
        with auth.acting(user=user):
            self.secret = create_token("test", RIGHTS, 30).secret

    def call(self, method: str, path: str, content: Any = None, status: int = 200, version: int | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"}
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid4())
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        with use_actor(None):
            answer = self.client.open(f"/api/v1{path}", method=method, json=content, headers=headers)
        assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
        return answer.get_json()


def order_in(made: Shop, *lines: tuple[int, str], **values: Any) -> dict[str, Any]:
    found = [{"product_id": made.products[index], "qty": qty} for index, qty in lines]
    return {"dealer_id": made.dealer.id, "warehouse_id": made.warehouse.id, "lines": found, **values}


def test_an_order_is_entered_read_changed_shipped_and_listed(client, made):
    program = Program(client, made)
    ref = program.call("POST", "/orders", order_in(made, (0, "3")), 201)
    assert ref["state"] == "confirmed"
    found = program.call("GET", f"/orders/{ref['id']}")
    assert (found["gross"], found["source"], found["lines"][0]["price"]) == ("300.00", "api", "100.0000")
    change = {"lines": [{"line_id": found["lines"][0]["id"], "product_id": made.products[0], "qty": "4"}]}
    program.call("PUT", f"/orders/{ref['id']}", change, 428)
    program.call("PUT", f"/orders/{ref['id']}", change, 412, version=7)
    program.call("PUT", f"/orders/{ref['id']}", change, version=1)
    shipment = program.call("POST", f"/orders/{ref['id']}/shipments", {}, 201)
    assert shipment["kind"] == "shipment"
    assert [row["id"] for row in program.call("GET", "/orders?source=api")["items"]] == [ref["id"]]
    assert program.call("GET", f"/order-lines?order_id={ref['id']}")["items"][0]["qty"] == "4.000"


def test_a_held_order_is_released_or_rejected_by_the_entitled_program(client, made):
    with use_actor(clerk(made.branch)):
        first, second = made.submit((0, 50)), made.submit((0, 50))
    program = Program(client, made)
    holds = program.call("GET", f"/orders/{first.id}")["holds"]
    assert holds[0]["figures"]["excess"] == "4000.00"
    ref = program.call("POST", f"/orders/{first.id}/holds/{holds[0]['id']}/release", {"reason": "可以"})
    assert ref["state"] == "confirmed"
    other = queries.open_holds(second.id)[0].id
    program.call("POST", f"/orders/{first.id}/holds/{other}/release", {}, 404)
    assert program.call("POST", f"/orders/{second.id}/holds/{other}/reject", {"reason": "不行"})["state"] == "cancelled"


def test_bad_input_is_answered_with_every_fault_and_nothing_is_saved(client, made):
    program = Program(client, made)
    bad = order_in(made, (0, "-1"), (1, "x"), colour="red")
    answer = program.call("POST", "/orders", bad, 422)
    assert {fault["pointer"] for fault in answer["errors"]} >= {"/lines/0/qty", "/lines/1/qty", "/colour"}
    answer = program.call("POST", "/orders", order_in(made, *[(0, "1")] * 1001), 422)
    assert "1001" in str(answer)
    answer = program.call("POST", "/orders", order_in(made, (0, "1"), dealer_id=10**15), 422)
    assert answer["errors"][0]["pointer"] == "/dealer_id"
    assert db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).count() == 0


def test_a_preview_writes_nothing(client, made):
    program = Program(client, made)
    answer = program.call("POST", "/orders/preview", order_in(made, (0, "200")))

    assert {found["kind"] for found in answer["holds"]} == {"credit", "shortage"}
    assert db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).count() == 0


def test_a_quotation_becomes_an_order(client, made):
    program = Program(client, made)
    offer = program.call("POST", "/quotations", order_in(made, (0, "2")), 201)
    assert program.call("GET", f"/quotations/{offer['id']}")["lines"][0]["amount"] == "200.00"
    ref = program.call("POST", f"/quotations/{offer['id']}/order", {}, 201)
    assert ref["kind"] == "sales_order"


def test_a_return_from_request_to_credit(client, made):
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 5))
    line = shipments.lines_of(shipment.id)[0]
    program, checker = Program(client, made), Program(client, made)
    wanted = {
        "dealer_id": made.dealer.id,
        "reason_code": "damaged",
        "lines": [{"shipment_line_id": line.id, "qty": "2"}],
    }
    ref = program.call("POST", "/returns", wanted, 201)
    program.call("POST", f"/returns/{ref['id']}/decide", {"approve": True}, 403, version=1)
    checker.call("POST", f"/returns/{ref['id']}/decide", {"approve": True}, version=1)
    ref = program.call("POST", f"/returns/{ref['id']}/receive", {}, version=2)

    assert ref["state"] == "credited"
    assert program.call("GET", f"/returns/{ref['id']}")["lines"][0]["unbilled_qty"] == "2.000"
    assert db.session.query(SalesReturn).one().received_on is not None


def rows_of(made: Shop, *lines: tuple[str, int, int]) -> list[SheetRow]:
    names = queries.products(made.products)
    return [
        SheetRow(
            number,
            {
                "external_number": external,
                "dealer": made.dealer.code,
                "warehouse": made.warehouse.code,
                "product": names[made.products[index]].code,
                "qty": D(qty),
            },
        )
        for number, (external, index, qty) in enumerate(lines, start=2)
    ]


def test_orders_of_a_file_are_saved_once_and_go_through_the_gate_one_by_one(session, made):
    rows = rows_of(made, ("A-1", 0, 4), ("A-1", 1, 1), ("A-2", 0, 9))
    with use_actor(clerk(made.branch)):
        assert sheets.check(rows) == []
        assert sheets.apply(rows).created == 3
        assert sheets.apply(rows).unchanged == 3
        outbox.run_readers()

    found = db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).order_by(SalesOrder.id).all()
    assert [(row.external_number, row.source, row.state) for row in found] == [
        ("A-1", "file", "confirmed"),
        ("A-2", "file", "held"),
    ]
    assert {row["external_number"] for row in sheets.export()} >= {"A-1", "A-2"}


def test_a_file_with_faults_names_every_row(session, made):
    rows = rows_of(made, ("A-1", 0, -4), ("A-1", 1, 1))
    rows.append(SheetRow(9, {**rows[1].values, "dealer": "D?", "product": "P?"}))

    faults = {(fault.row, fault.column) for fault in sheets.check(rows)}

    assert faults >= {(2, "qty"), (9, "dealer"), (9, "product")}


def test_an_order_of_a_file_that_waits_holds_nothing(session, made):
    with use_actor(clerk(made.branch)):
        sheets.apply(rows_of(made, ("A-1", 0, 4)))
    assert made.exposure == 0
    order = db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).one()
    with use_actor(clerk(made.branch)):
        service.cancel_order(order.id)
        outbox.run_readers()
    assert db.session.get(SalesOrder, order.id, populate_existing=True).state == "cancelled"
