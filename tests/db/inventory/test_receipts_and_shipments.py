from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from sqlalchemy import select

from inventory.channel import service as channel
from inventory.channel.models import StockBucket
from inventory.receipts import service as receipts
from inventory.receipts.models import GoodsReceipt
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.shipments import service as shipments
from inventory.shipments.models import Shipment
from inventory.stock import locations, queries
from inventory.stock.models import BUSINESS, StockMove
from inventory.stock.service import Move, ReserveLine, post_moves, reserve
from sdm.kernel import command, documents, hooks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import (
    IllegalTransition,
    InsufficientStock,
    InvalidInput,
    NotFound,
    StaleVersion,
)
from tests.factories.inventory import DAY, clerk, network, put_in

D = Decimal
TEN = D(10)


@pytest.fixture
def net(session):
    with time_machine.travel("2026-03-02 04:00Z", tick=False), use_actor(system_actor("test")):
        yield network(units=2)


def entered(net, qty=TEN, **changes):
    lines = (ReceivedLine(net.products[0], qty, D("12.5")), ReceivedLine(net.products[1], D(4)))
    return replace(ReceiptInput(net.warehouses[0], DAY, lines), **changes)


def stock_at(location_id):
    return {product: qty for (_, product), qty in queries.as_of([location_id], DAY + timedelta(days=30)).items()}


def test_a_posted_receipt_raises_both_books_and_calls_finance(net, monkeypatch):
    told = []
    monkeypatch.setattr(hooks, "_hooks", {"goods_receipt.posted": [told.append]})

    ref = receipts.save_receipt(entered(net), post=True)

    assert ref.state == "posted" and told == [ref.id]
    wanted = {net.products[0]: D(10), net.products[1]: D(4)}
    assert stock_at(locations.warehouse(net.warehouses[0])) == wanted
    assert stock_at(locations.owner(net.units[0])) == wanted


def test_a_draft_moves_nothing_and_can_be_changed_until_it_is_posted(net):
    ref = receipts.save_receipt(entered(net))
    assert stock_at(locations.warehouse(net.warehouses[0])) == {}

    changed = receipts.change_receipt(ref.id, ref.version, entered(net, qty=D(3)))
    with pytest.raises(StaleVersion):
        receipts.post_receipt(ref.id, ref.version)
    receipts.post_receipt(ref.id, changed.version)

    assert stock_at(locations.warehouse(net.warehouses[0]))[net.products[0]] == D(3)
    with pytest.raises(IllegalTransition):
        receipts.post_receipt(ref.id)


def test_the_same_receipt_sent_twice_is_saved_once(net):
    once = entered(net)

    assert receipts.save_receipt(once, post=True).id == receipts.save_receipt(once, post=True).id
    assert stock_at(locations.warehouse(net.warehouses[0]))[net.products[0]] == D(10)


def test_a_bad_receipt_tells_all_faults_at_once(net):
    lines = (
        ReceivedLine(999999, D(1)),
        ReceivedLine(net.products[0], D(0)),
        ReceivedLine(net.products[0], D(1), D(-1)),
    )

    with pytest.raises(InvalidInput) as refused:
        receipts.save_receipt(
            ReceiptInput(net.warehouses[1] + 1000, DAY + timedelta(days=1), lines, origin="moon"), post=True
        )

    assert {(fault.field, fault.code) for fault in refused.value.errors} == {
        ("origin", "input.choice"),
        ("received_on", "receipt.future"),
        ("warehouse_id", "input.unknown"),
        ("lines.0.product_id", "input.unknown"),
        ("lines.1.qty", "stock.qty"),
        ("lines.2.unit_cost", "receipt.cost"),
    }


def test_another_branchs_warehouse_and_receipts_look_absent(net):
    ref = receipts.save_receipt(entered(net))

    with use_actor(clerk([net.units[1]])):
        with pytest.raises(InvalidInput) as refused:
            receipts.save_receipt(entered(net))
        with pytest.raises(NotFound):
            receipts.post_receipt(ref.id)

    assert refused.value.errors[0].field == "warehouse_id"


def test_a_reversed_receipt_takes_back_every_move_and_names_it(net):
    ref = receipts.save_receipt(entered(net), post=True)

    receipts.reverse_receipt(ref.id, ref.version, DAY, "twice entered")

    moves = db.session.execute(select(StockMove).where(StockMove.document_id == ref.id)).scalars().all()
    corrected = {move.corrects_id for move in moves if move.reason == "goods_receipt_reversal"}
    assert corrected == {move.id for move in moves if move.reason == "goods_receipt"}
    assert stock_at(locations.warehouse(net.warehouses[0])) == {} == stock_at(locations.owner(net.units[0]))
    with pytest.raises(IllegalTransition):
        receipts.reverse_receipt(ref.id)


def test_a_receipt_whose_goods_are_gone_cannot_be_reversed(net):
    ref = receipts.save_receipt(entered(net), post=True)

    @command.command(None)
    def use_some():
        scrap = locations.outside(BUSINESS, "scrap")
        move = Move(locations.warehouse(net.warehouses[0]), scrap, net.products[0], D(1))
        post_moves(BUSINESS, [move], reason="scrap", occurred_on=DAY, document_kind="test", document_id=1)

    use_some()

    with pytest.raises(InsufficientStock):
        receipts.reverse_receipt(ref.id)
    assert documents.get(GoodsReceipt, ref.id).state == "posted"


# --- shipments --------------------------------------------------------------------------------------------------------


@command.command(None)
def picked(net, *lines, hold=True):
    """A shipment of order 5 with (product, qty) lines, reserved for order lines 51, 52, …"""
    rows = tuple(
        shipments.NewLine(product, qty, D("100.0000"), qty * 100, D("0.13"), order_line_id=50 + i)
        for i, (product, qty) in enumerate(lines, start=1)
    )
    if hold:
        reserve(
            [ReserveLine(row.order_line_id, row.product_id, row.qty) for row in rows],
            warehouse_id=net.warehouses[0],
            unit_id=net.units[0],
            document_kind="sales_order",
            document_id=5,
        )
    return shipments.create(
        shipments.NewShipment(net.units[0], net.units[0], net.dealers[0], net.warehouses[0], rows, order_id=5)
    )


@command.command(None)
def send_out(shipment_id, on=DAY):
    shipments.send_out(documents.lock(Shipment, shipment_id), on)


@command.command(None)
def sign(shipment_id, parts, on=DAY):
    shipment = documents.lock(Shipment, shipment_id)
    lines = shipments.lines_of(shipment_id)
    values = {line.id: tuple(map(D, part)) for line, part in zip(lines, parts, strict=True)}
    shipments.sign(shipment, values, on, "王芳")


def test_a_shipment_goes_from_the_warehouse_over_transit_to_dealer_claims_and_back(net):
    a, b = net.products[:2]
    put_in(net.warehouses[0], {a: D(10), b: D(10)}, unit_id=net.units[0])
    shipment_id = picked(net, (a, D(6)), (b, D(5)))
    assert queries.availability(net.warehouses[0], [a])[a].reserved == D(6)

    send_out(shipment_id)
    assert stock_at(locations.transit(net.units[0])) == {a: D(6), b: D(5)}
    assert queries.availability(net.warehouses[0], [a])[a] == queries.Availability(D(4), D(0))

    sign(shipment_id, [(6, 0, 0), (2, 2, 1)])

    assert stock_at(locations.transit(net.units[0])) == {}
    assert stock_at(locations.dealer(net.dealers[0])) == {a: D(6), b: D(2)}
    assert stock_at(locations.claims(net.units[0])) == {b: D(2)}
    assert stock_at(locations.warehouse(net.warehouses[0])) == {a: D(4), b: D(6)}
    assert stock_at(locations.owner(net.units[0])) == {a: D(10), b: D(10)}
    buckets = db.session.execute(select(StockBucket.product_id, StockBucket.remaining_qty, StockBucket.protected_price))
    assert sorted(map(tuple, buckets)) == [(a, D(6), D(100)), (b, D(2), D(100))]
    assert [line.short_qty for line in shipments.lines_of(shipment_id)] == [D(0), D(2)]


def test_a_signature_that_does_not_add_up_is_refused_per_line_and_saves_nothing(net):
    a, b = net.products[:2]
    put_in(net.warehouses[0], {a: D(10), b: D(10)}, unit_id=net.units[0])
    shipment_id = picked(net, (a, D(6)), (b, D(5)))
    send_out(shipment_id)
    first, second = (line.id for line in shipments.lines_of(shipment_id))

    with pytest.raises(InvalidInput) as refused:
        sign(shipment_id, [(6, 0, 1), (6, -1, 0)])

    assert [(fault.field, fault.code) for fault in refused.value.errors] == [
        (f"lines.{first}", "shipment.sum"),
        (f"lines.{second}.short", "shipment.part"),
    ]
    assert documents.get(Shipment, shipment_id).state == "shipped"


def test_a_signature_before_the_goods_left_or_in_the_future_is_refused(net):
    put_in(net.warehouses[0], {net.products[0]: D(10)}, unit_id=net.units[0])
    shipment_id = picked(net, (net.products[0], D(6)))
    with pytest.raises(IllegalTransition):
        sign(shipment_id, [(6, 0, 0)])
    send_out(shipment_id)

    for day, code in ((DAY - timedelta(days=1), "shipment.before"), (DAY + timedelta(days=1), "shipment.future")):
        with pytest.raises(InvalidInput) as refused:
            sign(shipment_id, [(6, 0, 0)], day)
        assert refused.value.errors[0].code == code


def test_a_shipment_without_enough_goods_stays_picked(net):
    put_in(net.warehouses[0], {net.products[0]: D(3)}, unit_id=net.units[0])
    shipment_id = picked(net, (net.products[0], D(6)), hold=False)

    with pytest.raises(InsufficientStock) as refused:
        send_out(shipment_id)

    assert refused.value.details["shortages"][0]["available"] == D(3)
    assert documents.get(Shipment, shipment_id).state == "picked"


# --- what dealers hold ------------------------------------------------------------------------------------------------


@command.command(None)
def receive(net, rows):
    return channel.receive(
        net.dealers[0],
        net.units[0],
        [channel.Received(net.products[0], D(qty), D(100), DAY + timedelta(days=day), line) for qty, day, line in rows],
    )


take = command.command(None)(channel.take)
put_back = command.command(None)(channel.put_back)


def remaining():
    return list(db.session.execute(select(StockBucket.remaining_qty).order_by(StockBucket.id)).scalars())


def test_buckets_are_used_first_in_first_out_and_put_back_where_they_came_from(net):
    receive(net, [(5, 1, 11), (5, 0, 12), (5, 2, 13)])
    facts = {"document_kind": "sales_return", "document_id": 3, "used_on": DAY}

    take(net.dealers[0], [channel.TakeLine(net.products[0], D(7), 31)], **facts)
    assert remaining() == [D(3), D(0), D(5)]

    put_back(**facts, quantities={31: D(3)})
    assert remaining() == [D(5), D(1), D(5)]
    put_back(**facts)
    assert remaining() == [D(5), D(5), D(5)]
    with pytest.raises(InsufficientStock):
        put_back(**facts, quantities={31: D(1)})


def test_a_line_that_names_its_delivery_takes_from_that_only(net):
    receive(net, [(5, 0, 11), (5, 1, 12)])
    facts = {"document_kind": "sales_return", "document_id": 3, "used_on": DAY}
    product = net.products[0]

    take(net.dealers[0], [channel.TakeLine(product, D(5), 1), channel.TakeLine(product, D(4), 2, 11)], **facts)
    assert remaining() == [D(0), D(1)]

    with pytest.raises(InsufficientStock) as refused:
        take(net.dealers[0], [channel.TakeLine(product, D(1), 3, 11), channel.TakeLine(product, D(2), 4)], **facts)
    assert [(s["line_id"], s["available"]) for s in refused.value.details["shortages"]] == [(3, D(0)), (4, D(1))]
