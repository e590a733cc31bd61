"""Money by API: applied, issued, paid, allocated, aged; keys, versions and scope as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from branches.org.models import Unit
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, finance, inventory

Call = Callable[..., Any]
DAY = date(2026, 3, 2)


@pytest.fixture
def net(session: object) -> inventory.Network:
    net = inventory.network(units=2)
    with use_actor(system_actor("test")):
        finance.account(net.dealers[0], "100000")
    return net


def caller(client: FlaskClient, unit_id: int, role: str = "finance") -> Call:
    auth.signed_in(client, role_=role, unit=db.session.get_one(Unit, unit_id))
    token = auth.form_token(client)

    def call(method: str, path: str, body: Any = None, key: str = "", match: str = "*") -> Any:
        headers = {"X-CSRFToken": token, "If-Match": match, **({"Idempotency-Key": key} if key else {})}
        return client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    return call


def delivered(net: inventory.Network) -> int:
    with use_actor(system_actor("test")):
        made = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "113")])
        return finance.lines_of(made)[0].id


def test_from_application_to_settled_invoice(net: inventory.Network, client: FlaskClient) -> None:
    line = delivered(net)
    call = caller(client, net.head_office)
    assert [row["billable"] for row in call("GET", "/invoices/billable").json] == ["10.000"]
    body = {"lines": [{"shipment_line_id": line}], "submit": True}
    made = call("POST", "/invoices", body, key="application-1")
    assert made.status_code == 201
    assert call("POST", "/invoices", body, key="application-1").json["id"] == made.json["id"]
    invoice = f"/invoices/{made.json['id']}"
    assert call("POST", f"{invoice}/approve", {"reason": "mine"}).status_code == 403
    examiner = caller(client.application.test_client(), net.head_office)
    assert examiner("POST", f"{invoice}/approve", {}, match='"1"').status_code == 412
    assert examiner("POST", f"{invoice}/approve", {}).status_code == 200
    assert examiner("POST", f"{invoice}/issue", {}).json["state"] == "issued"
    shown = call("GET", invoice).json
    assert (shown["gross"], shown["net"], shown["lines"][0]["qty"]) == ("1130.00", "1000.00", "10.000")
    receipt = {"dealer_id": net.dealers[0], "amount": "1000.00", "received_on": clock.today().isoformat()}
    assert call("POST", "/receipts", receipt, key="receipt-0001").status_code == 201
    done = call("POST", "/allocations", {"payer_id": net.dealers[0]}, key="allocate-01").json
    assert len(done["ids"]) == 1
    [item] = call("GET", f"/open-items?payer_id={net.dealers[0]}").json["items"]
    assert item["open_amount"] == "130.00"
    aged = call("GET", "/ageing?by=dealer").json
    assert (aged["total"]["total"], aged["bounds"]) == ("130.00", [30, 60, 90, 180])
    assert call("GET", f"/credit-accounts/{net.dealers[0]}").json["exposure"] == "130.00"
    assert call("POST", f"/allocations/{done['ids'][0]}/undo").status_code == 200
    red = examiner("POST", f"{invoice}/reverse", {"reason": "wrong goods"})
    assert red.status_code == 200
    assert call("GET", f"/invoices/{red.json['id']}").json["gross"] == "-1130.00"


def test_bad_amounts_and_lines_name_their_places(net: inventory.Network, client: FlaskClient) -> None:
    call = caller(client, net.head_office)
    bad = call("POST", "/receipts", {"dealer_id": net.dealers[0], "amount": "-1.005"}, key="receipt-bad1")
    assert bad.status_code == 422
    assert {fault["pointer"] for fault in bad.json["errors"]} >= {"/amount", "/received_on"}
    line = delivered(net)
    lines = [{"shipment_line_id": line, "qty": "99"}, {"shipment_line_id": 10**12}]
    answer = call("POST", "/invoices", {"lines": lines}, key="application-2")
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/lines/0/qty", "/lines/1/shipment_line_id"]


def test_a_foreign_branch_gets_nothing(net: inventory.Network, client: FlaskClient) -> None:
    line = delivered(net)
    own = caller(client, net.head_office)
    made = own("POST", "/invoices", {"lines": [{"shipment_line_id": line}]}, key="application-3").json
    foreign = caller(client.application.test_client(), net.units[1])
    assert foreign("GET", f"/invoices/{made['id']}").status_code == 404
    assert foreign("GET", f"/credit-accounts/{net.dealers[0]}").status_code == 404
    assert foreign("GET", "/invoices").json["items"] == []
    assert foreign("GET", "/open-items").json["items"] == []


def test_a_limit_is_proposed_by_api(net: inventory.Network, client: FlaskClient) -> None:
    call = caller(client, net.head_office)
    path = f"/credit-accounts/{net.dealers[0]}/limits"
    made = call("POST", path, {"amount": "7000.00", "reason": "season"}, key="limit-0001")
    assert (made.status_code, made.json["state"], made.json["amount"]) == (201, "proposed", "7000.00")
    assert [row["limit_amount"] for row in call("GET", "/credit-accounts").json["items"]] == ["100000.00"]
