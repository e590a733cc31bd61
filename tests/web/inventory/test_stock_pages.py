"""Pages that read across inventory, and the stock of the API."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine

from finance.receivables import service as receivables
from inventory.overview import queries
from inventory.receipts import sheets
from inventory.shipments import service as shipments
from inventory.shipments.models import Shipment
from inventory.stock import locations
from inventory.stock.models import FINANCIAL
from inventory.stock.queries import availability
from inventory.stock.service import Move, ValueMove, post_moves, post_value
from sdm.kernel import command, documents, hooks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import SheetRow
from tests.factories.inventory import DAY, clerk, network, put_in, sign_in

D = Decimal


@pytest.fixture
def net(session, monkeypatch, app):
    """10 units in branch 0: 6 shipped, of which 4 signed, 1 short, 1 refused; 8 in branch 1."""
    monkeypatch.setattr(hooks, "_hooks", {})
    with time_machine.travel("2026-03-02 04:00Z", tick=False), use_actor(system_actor("test")):
        built = network(units=2)
        put_in(built.warehouses[0], {built.products[0]: D(10)}, unit_id=built.units[0])
        put_in(built.warehouses[1], {built.products[0]: D(8)}, unit_id=built.units[1])
        deliver(built)
        values = [ValueMove(unit, built.products[0], D(1), D("9.99")) for unit in built.units]
        command.command(None)(post_value)(values, occurred_on=DAY, document_kind="test", document_id=1)
        sign_in(monkeypatch, app, system_actor("head office"))
        yield built


@command.command(None)
def deliver(net):
    line = shipments.NewLine(net.products[0], D(6), D("100.0000"), D(600), D("0.13"))
    new = shipments.NewShipment(net.units[0], net.units[0], net.dealers[0], net.warehouses[0], (line,))
    row = documents.lock(Shipment, shipments.create(new))
    shipments.send_out(row, DAY)
    (line,) = shipments.lines_of(row.id)
    shipments.sign(row, {line.id: (D(4), D(1), D(1))}, DAY, "王芳")


def text_of(client, address):
    with client.get(address) as answer:
        assert answer.status_code == 200, address
        return answer.get_data(as_text=True)


def test_every_page_of_stock_opens(net, client):
    product, warehouse, dealer = net.products[0], net.warehouses[0], net.dealers[0]
    for address in (
        "/stock/",
        "/stock/?sort=-available",
        "/stock/levels",
        f"/stock/products/{product}",
        "/stock/card",
        f"/stock/card?warehouse_id={warehouse}&product_id={product}",
        "/stock/moves",
        "/stock/moves?book=f",
        "/stock/moves?to=claims",
        "/stock/placed",
        "/stock/values",
        "/stock/bridge",
        f"/stock/bridge?unit_id={net.units[0]}&product_id={product}",
        "/channel/",
        "/channel/card",
        f"/channel/card?dealer_id={dealer}&product_id={product}",
    ):
        text_of(client, address)


def test_the_levels_add_up_to_the_national_total(net, client):
    answer = client.get(f"/api/v1/products/{net.products[0]}/stock").json

    assert answer["total"] == "18.000"
    by_level = {}
    for row in answer["levels"]:
        by_level[row["level"]] = by_level.get(row["level"], D(0)) + D(row["on_hand"])
    assert by_level == {"branch": D(13), "dealer": D(4), "claims": D(1)}


def test_a_branch_sees_its_own_levels_only(net, client, monkeypatch, app):
    sign_in(monkeypatch, app, clerk([net.units[1]]))

    assert client.get(f"/api/v1/products/{net.products[0]}/stock").json["total"] == "8.000"
    assert client.get(f"/api/v1/warehouses/{net.warehouses[0]}/stock").status_code == 404
    assert client.get(f"/stock/card?warehouse_id={net.warehouses[0]}&product_id={net.products[0]}").status_code == 404
    assert client.get(f"/channel/card?dealer_id={net.dealers[0]}&product_id={net.products[0]}").status_code == 404
    assert client.get(f"/api/v1/dealers/{net.dealers[0]}/stock").status_code == 404
    assert client.get(f"/stock/bridge?unit_id={net.units[0]}").status_code == 404
    for address in ("/stock/", "/stock/moves", "/stock/levels", "/channel/", "/stock/placed", "/stock/values"):
        shown = text_of(client, address)
        assert "分公司0" not in shown, address


def test_the_stock_of_a_warehouse_is_on_hand_less_reserved(net, client):
    rows = client.get(f"/api/v1/warehouses/{net.warehouses[0]}/stock").json["items"]

    assert [(row["on_hand"], row["reserved"], row["available"]) for row in rows] == [("5.000", "0.000", "5.000")]


def test_a_stock_card_runs_from_opening_to_closing(net, client):
    from inventory.stock import queries as stock

    place = locations.warehouse(net.warehouses[0])
    card = stock.card(place, net.products[0])
    assert [(row.came, row.went, row.balance) for row in card.rows] == [
        (D(1), D(0), D(5)),
        (D(0), D(6), D(4)),
        (D(10), D(0), D(10)),
    ]
    older = stock.card(place, net.products[0], page=2, rows=1)
    assert (older.opening, older.closing, older.has_next) == (D(10), D(4), True)
    assert "王芳" not in text_of(client, f"/stock/card?warehouse_id={net.warehouses[0]}&product_id={net.products[0]}")


def test_the_bridge_explains_financial_stock_by_its_causes(net):
    shown = queries.bridge(net.units[0], DAY, net.products[0])

    assert shown.total.owner == D(10)
    parts = {key: qty for key, qty in shown.total.parts.items() if qty}
    assert parts == {"warehouse": D(5), "claims": D(1), "delivered": D(4)}
    assert shown.total.difference == 0
    assert [(row.kind, row.cause, row.qty) for row in shown.documents] == [("shipment", "delivered", D(4))]


def test_the_bridge_of_an_earlier_day_does_not_know_the_delivery(net):
    shown = queries.bridge(net.units[0], DAY - timedelta(days=1))

    assert shown.products == []


def test_goods_that_left_the_books_without_a_document_are_unexplained(net):
    @command.command(None)
    def lose():
        owner, outside = locations.owner(net.units[0]), locations.outside(FINANCIAL)
        move = Move(owner, outside, net.products[0], D(2))
        post_moves(FINANCIAL, [move], reason="test", occurred_on=DAY, document_kind="test", document_id=2)

    lose()

    assert queries.bridge(net.units[0], DAY).total.difference == D(-2)


def test_goods_placed_tell_quantity_value_and_what_is_not_invoiced(net, client):
    shown = text_of(client, "/stock/placed?export=csv")

    assert "分公司0商贸" in shown
    assert "400" in shown


def test_goods_placed_tell_what_is_invoiced_and_not_paid_to_those_who_may_know(net, client, monkeypatch, app):
    opened = [
        receivables.OpeningItem(net.dealers[0], number, DAY, DAY, D(amount))
        for number, amount in (("A", "777.70"), ("B", "-77.70"))
    ]
    receivables.post_opening([*opened, receivables.OpeningItem(net.dealers[1], "C", DAY, DAY, D("55.50"))])

    assert ",700.00" in text_of(client, "/stock/placed?export=csv")
    listed = text_of(client, f"/receivables/items?dealer={net.dealers[0]}&export=csv")
    assert "777.70" in listed and "55.50" not in listed
    sign_in(monkeypatch, app, clerk([net.units[0]], Permission.CHANNEL_READ, Permission.STOCK_READ))
    assert "700.00" not in text_of(client, "/stock/placed?export=csv")


def test_opening_stock_is_imported_once_and_every_fault_is_told(net):
    code = {row.id: row.code for row in db.session.query(queries.Product)}
    warehouse = db.session.get(queries.Warehouse, net.warehouses[0]).code
    good = [
        SheetRow(2, {"warehouse": warehouse, "product": code[net.products[1]], "qty": D(5), "unit_cost": D("2.5")}),
        SheetRow(3, {"warehouse": warehouse, "product": code[net.products[2]], "qty": D(1), "received_on": DAY}),
    ]
    bad = [
        SheetRow(2, {"warehouse": "nowhere", "product": "none", "qty": D(-1), "unit_cost": D(-1)}),
        SheetRow(3, {"warehouse": warehouse, "product": code[net.products[1]], "qty": D(1)}),
        SheetRow(4, {"warehouse": warehouse, "product": code[net.products[1]], "qty": D(1)}),
    ]

    assert sheets.check(good) == []
    assert {(fault.row, fault.column) for fault in sheets.check(bad)} == {
        (2, "warehouse"), (2, "product"), (2, "qty"), (2, "unit_cost"), (3, "product"), (4, "product"),
    }  # fmt: skip
    assert (sheets.apply(good).created, sheets.apply(good).unchanged) == (2, 2)
    assert availability(net.warehouses[0], [net.products[1]])[net.products[1]].on_hand == D(5)
    assert len(list(sheets.export())) == 2
