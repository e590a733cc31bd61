"""Pages and API of goods receipts and shipments."""

import re
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import select

from branches.catalogue.models import Barcode, ProductPack
from inventory.receipts.models import GoodsReceipt
from inventory.shipments import service as shipments
from inventory.shipments.models import Shipment
from inventory.stock import queries
from sdm.kernel import command, hooks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from tests.factories.inventory import clerk, network, put_in, sign_in

D = Decimal


@pytest.fixture
def net(session, monkeypatch, app):
    monkeypatch.setattr(hooks, "_hooks", {})
    with time_machine.travel("2026-03-02 04:00Z", tick=False), use_actor(system_actor("test")):
        built = network(units=2)
        sign_in(monkeypatch, app, clerk([built.units[0]]))
        yield built


@command.command(None)
def shipment_of(net, qty=3, unit=0):
    line = shipments.NewLine(net.products[0], D(qty), D("100.0000"), D(qty) * 100, D("0.13"))
    new = shipments.NewShipment(net.units[unit], net.units[unit], net.dealers[unit], net.warehouses[unit], (line,))
    return shipments.create(new)


def grid(net, lines, action="post", **head):
    return {
        "document_id": str(uuid4()),
        "action": action,
        "head": {"warehouse_id": str(net.warehouses[0]), "received_on": "2026-03-02", "origin": "supplier", **head},
        "lines": lines,
    }


def test_the_grid_posts_a_receipt_and_its_page_shows_it(net, client):
    lines = [{"key": "a", "product": {"id": net.products[0]}, "qty": "5", "unit_cost": "12.50"}]
    assert client.get("/goods-receipts/new").status_code == 200

    answer = client.post("/goods-receipts/submit", json=grid(net, lines))

    assert answer.status_code == 201
    shown = client.get(answer.json["location"])
    assert shown.status_code == 200
    text = shown.get_data(as_text=True)
    assert "GR" in text and "62.50" in text
    assert queries.availability(net.warehouses[0], [net.products[0]])[net.products[0]].on_hand == D(5)
    listed = client.get("/goods-receipts/").get_data(as_text=True)
    assert "GR" in listed


def test_scanning_a_box_receives_all_its_units(net, client):
    pack = ProductPack(product_id=net.products[0], name="箱", factor=D(12))
    db.session.add(pack)
    db.session.flush()
    db.session.add(Barcode(code="6901234567892", product_id=net.products[0], pack_id=pack.id))
    db.session.flush()

    scanned = {"key": "k", "product": {"text": "6901234567892"}, "qty": "2"}
    line = client.post("/goods-receipts/quote", json={"lines": [scanned]}).json["lines"]["k"]
    assert line["errors"] == {}
    assert (line["values"]["product"]["id"], line["values"]["unit"]) == (net.products[0], "箱")
    assert line["values"]["base_qty"].startswith("24 ")

    again = {**scanned, **line["values"], "qty": "3"}
    client.post("/goods-receipts/submit", json=grid(net, [again]))

    assert queries.availability(net.warehouses[0], [net.products[0]])[net.products[0]].on_hand == D(36)


def test_an_unknown_unit_is_refused_with_the_known_ones(net, client):
    line = {"key": "k", "product": {"id": net.products[0]}, "qty": "2", "unit": "车"}

    told = client.post("/goods-receipts/quote", json={"lines": [line]}).json["lines"]["k"]

    assert list(told["errors"]) == ["unit"]
    assert "台" in told["errors"]["unit"]


def test_every_fault_of_the_grid_names_its_cell(net, client):
    lines = [
        {"key": "a", "product": {"text": "nothing like it"}, "qty": "x"},
        {"key": "b", "product": {"id": net.products[0]}, "qty": "-1", "unit_cost": "-2"},
    ]

    answer = client.post("/goods-receipts/submit", json=grid(net, lines, received_on="2026-13-01"))

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {
        "/head/received_on",
        "/lines/0/product",
        "/lines/0/qty",
        "/lines/1/qty",
        "/lines/1/unit_cost",
    }
    assert db.session.execute(select(GoodsReceipt.id)).first() is None


def test_a_foreign_warehouse_is_refused_at_its_field(net, client):
    lines = [{"key": "a", "product": {"id": net.products[0]}, "qty": "5"}]

    answer = client.post("/goods-receipts/submit", json=grid(net, lines, warehouse_id=str(net.warehouses[1])))

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/head/warehouse_id"]


def test_what_is_typed_is_kept_as_a_draft(net, client):
    uuid = uuid4()
    content = {"kind": "goods_receipt", "head": {"reference": "7"}, "lines": [{"qty": "3"}]}

    assert client.put(f"/goods-receipts/drafts/{uuid}", json=content).status_code == 200

    assert client.get(f"/goods-receipts/drafts/{uuid}").json["content"]["head"] == {"reference": "7"}
    assert client.delete(f"/goods-receipts/drafts/{uuid}").status_code == 204
    assert client.get(f"/goods-receipts/drafts/{uuid}").status_code == 404


def test_a_draft_is_changed_posted_and_reversed_on_its_page(net, client):
    lines = [{"key": "a", "product": {"id": net.products[0]}, "qty": "5"}]
    at = client.post("/goods-receipts/submit", json=grid(net, lines, action="save")).json["location"]
    assert client.get(f"{at}/edit").status_code == 200
    receipt = db.session.execute(select(GoodsReceipt)).scalar_one()
    changed = grid(net, [{**lines[0], "qty": "7"}], action="save")

    submit = f"/goods-receipts/submit?id={receipt.id}&version={receipt.version}"
    assert client.post(submit, json=changed).status_code == 201
    assert client.post(submit, json=changed).status_code == 409
    assert client.post(f"{at}/post", data={"version": "2"}).status_code == 303
    assert queries.availability(net.warehouses[0], [net.products[0]])[net.products[0]].on_hand == D(7)
    assert client.post(f"{at}/reverse", data={"version": "3", "reason": "doppelt"}).status_code == 303
    assert queries.availability(net.warehouses[0], [net.products[0]])[net.products[0]].on_hand == D(0)
    assert "doppelt" in client.get(at).get_data(as_text=True)


def test_a_reader_may_look_but_not_post(net, client, monkeypatch, app):
    sign_in(monkeypatch, app, clerk([net.units[0]], Permission.GOODS_RECEIPT_READ))

    assert client.get("/goods-receipts/").status_code == 200
    assert client.get("/goods-receipts/new").status_code == 403
    assert client.post("/goods-receipts/submit", json={}).status_code == 403
    assert client.get("/shipments/").status_code == 403


def test_the_storekeeper_ships_and_enters_a_signature_that_adds_up(net, client):
    put_in(net.warehouses[0], {net.products[0]: D(10)}, unit_id=net.units[0])
    number = shipment_of(net)
    at = f"/shipments/{number}"
    assert "SH" in client.get("/shipments/to-ship").get_data(as_text=True)
    assert client.get(at).status_code == 200

    assert client.post(f"{at}/send-out", data={"version": "1", "shipped_on": "2026-03-02"}).status_code == 303
    assert "SH" in client.get("/shipments/in-transit").get_data(as_text=True)
    (line,) = shipments.lines_of(number)
    typed = {f"signed-{line.id}": "2", f"short-{line.id}": "0", f"refused-{line.id}": "0", "signed_by": "王芳"}
    again = client.post(f"{at}/sign", data={"version": "2", "signed_on": "2026-03-02", **typed})

    assert again.status_code == 422
    assert re.search(r'class="field-error"', again.get_data(as_text=True))
    assert 'value="2"' in again.get_data(as_text=True)
    typed[f"short-{line.id}"] = "1"
    done = client.post(f"{at}/sign", data={"version": "2", "signed_on": "2026-03-02", **typed})
    assert done.status_code == 303
    assert "王芳" in client.get(at).get_data(as_text=True)


def test_shipping_many_reports_each_result(net, client):
    put_in(net.warehouses[0], {net.products[0]: D(3)}, unit_id=net.units[0])
    first, second = shipment_of(net), shipment_of(net)

    report = client.post("/shipments/to-ship", data={"action": "send", "ids": [first, second]})

    assert report.status_code == 200
    states = dict(db.session.execute(select(Shipment.id, Shipment.state)).all())
    assert states == {first: "shipped", second: "picked"}


def test_another_branchs_documents_look_absent_on_pages_and_in_the_api(net, client):
    foreign = shipment_of(net, unit=1)

    assert client.get(f"/shipments/{foreign}").status_code == 404
    assert client.get(f"/api/v1/shipments/{foreign}").status_code == 404
    assert client.get("/api/v1/shipments").json["items"] == []
    body = {"shipped_on": "2026-03-02"}
    answer = client.post(f"/api/v1/shipments/{foreign}/send-out", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 404


def test_the_api_receives_ships_and_signs(net, client):
    body = {
        "warehouse_id": net.warehouses[0],
        "received_on": "2026-03-02",
        "lines": [{"product_id": net.products[0], "qty": "10", "unit_cost": "3.5"}],
        "post": True,
    }
    made = client.post("/api/v1/goods-receipts", json=body, headers={"Idempotency-Key": "receipt-0001"})
    again = client.post("/api/v1/goods-receipts", json=body, headers={"Idempotency-Key": "receipt-0001"})
    assert made.status_code == 201, made.json
    assert (made.json["state"], again.json["id"]) == ("posted", made.json["id"])
    assert client.get(made.headers["Location"]).json["lines"][0]["qty"] == "10.000"
    number = shipment_of(net)
    headers = {"If-Match": '"1"'}

    sent = client.post(f"/api/v1/shipments/{number}/send-out", json={"shipped_on": "2026-03-02"}, headers=headers)
    stale = client.post(f"/api/v1/shipments/{number}/send-out", json={"shipped_on": "2026-03-02"}, headers=headers)
    line = client.get(f"/api/v1/shipments/{number}").json["lines"][0]
    signature = {
        "signed_on": "2026-03-02",
        "signed_by": "王芳",
        "lines": [{"line_id": line["id"], "signed": "2", "refused": "1"}],
    }
    signed = client.post(f"/api/v1/shipments/{number}/sign", json=signature, headers={"If-Match": '"2"'})

    assert (sent.status_code, stale.status_code, signed.status_code) == (200, 412, 200)
    assert queries.availability(net.warehouses[0], [net.products[0]])[net.products[0]].on_hand == D(8)


def test_signing_on_the_page_moves_the_order_too(session, client, monkeypatch, app):
    from branches.orders.models import SalesOrder
    from tests.factories import orders

    with use_actor(system_actor("test")):
        made = orders.shop(products=1)
        order = made.submit((0, 10))
        sent = orders.service.pick(order.id)
        sign_in(monkeypatch, app, orders.clerk(made.branch))
        at = f"/shipments/{sent.id}"
        assert (
            client.post(f"{at}/send-out", data={"version": "1", "shipped_on": orders.clock.today()}).status_code == 303
        )
        (line,) = shipments.lines_of(sent.id)
        typed = {f"signed-{line.id}": "8", f"short-{line.id}": "2", "signed_by": "王芳", "rest": "give_up"}

        assert client.post(f"{at}/sign", data={"version": "2", **typed}).status_code == 303

        row = db.session.get(SalesOrder, order.id, populate_existing=True)
        assert (row.state, made.exposure) == ("short_closed", D(800))
        shown = client.get(at).get_data(as_text=True)
        assert order.number in shown


def test_hostile_input_of_the_grid_is_answered_not_crashed(net, client):
    many = [{"key": str(n), "product": {"id": net.products[0]}, "qty": "1"} for n in range(1001)]
    huge = {"product": {"id": "9" * 30}, "qty": "1e999", "unit_cost": "NaN", "unit": 7}
    odd = [5, None, {"product": "x", "qty": {"a": 1}}, huge]

    for body in (
        {**grid(net, many)},
        {**grid(net, odd)},
        {**grid(net, "nothing")},
        {"document_id": "x", "head": [], "lines": {}},
        [],
        None,
    ):
        answer = client.post("/goods-receipts/submit", json=body)
        assert answer.status_code == 422, body
        assert answer.json["errors"]
    assert client.post("/goods-receipts/quote", json={"lines": odd}).status_code == 200
    assert db.session.execute(select(GoodsReceipt.id)).first() is None
