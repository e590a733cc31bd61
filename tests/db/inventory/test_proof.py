"""Random documents keep every promise of the stock ledger; one wrong row of each kind is told."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from inventory.channel import service as channel
from inventory.channel.checks import CHECKS as CHANNEL
from inventory.receipts import service as receipts
from inventory.receipts.checks import CHECKS as RECEIPTS
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.shipments import service as shipments
from inventory.shipments.checks import CHECKS as SHIPMENTS
from inventory.shipments.models import Shipment
from inventory.stock import jobs, locations, service
from inventory.stock.checks import CHECKS as STOCK
from inventory.stock.models import BUSINESS, FINANCIAL
from inventory.stock.service import Move, ReserveLine, ValueMove
from sdm.kernel import clock, command, documents, hooks, outbox
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import InsufficientStock
from tests.factories.inventory import DAY, network

D = Decimal
CHECKS = {check.code: check for check in (*STOCK, *CHANNEL, *RECEIPTS, *SHIPMENTS)}


def broken():
    """Codes of the checks that find offenders now."""
    return {code for code, check in CHECKS.items() if check.function()}


@pytest.fixture
def world(session, monkeypatch):
    monkeypatch.setattr(hooks, "_hooks", {"goods_receipt.posted": [value_in], "goods_receipt.reversed": [value_out]})
    with time_machine.travel("2026-03-02 04:00Z", tick=False), use_actor(system_actor("test")):
        yield


def value_in(receipt_id):
    """What finance does: goods are carried at 10.01 per unit."""
    receipt = documents.get(receipts.GoodsReceipt, receipt_id)
    for line in receipts.lines_of(receipt_id):
        line.value = (line.qty * D("10.01")).quantize(D("0.01"))
    post_values(receipt, 1)


def value_out(receipt_id):
    post_values(documents.get(receipts.GoodsReceipt, receipt_id), -1)


def post_values(receipt, sign):
    service.post_value(
        [
            ValueMove(receipt.unit_id, line.product_id, sign * line.qty, sign * line.value, line.id)
            for line in receipts.lines_of(receipt.id)
        ],
        occurred_on=DAY,
        document_kind=receipt.kind,
        document_id=receipt.id,
    )


class Company:
    """Takes random steps; what is refused for want of stock changes nothing."""

    def __init__(self):
        self.net = network(units=2, products=2)
        self.orders = 0
        self.receipts, self.picked, self.shipped, self.signed = [], [], [], []

    def receive(self, at, product, qty):
        lines = (ReceivedLine(self.net.products[product], qty),)
        self.receipts.append(receipts.save_receipt(ReceiptInput(self.net.warehouses[at], DAY, lines), post=True).id)

    def reverse(self, at, product, qty):
        if self.receipts:
            receipts.reverse_receipt(self.receipts[-1], reversed_on=DAY)
            self.receipts.pop()

    @command.command(None)
    def pick(self, at, product, qty):
        self.orders += 1
        net, line = self.net, self.net.products[0] * 1000 + self.orders
        service.reserve(
            [ReserveLine(line, net.products[product], qty)],
            warehouse_id=net.warehouses[at],
            unit_id=net.units[at],
            document_kind="sales_order",
            document_id=line,
            expires_at=clock.now() + timedelta(days=self.orders % 3 - 1),
        )
        new = shipments.NewLine(net.products[product], qty, D(100), qty * 100, D("0.13"), line)
        owner = net.units[0]
        self.picked.append(
            shipments.create(
                shipments.NewShipment(net.units[at], owner, net.dealers[at], net.warehouses[at], (new,), order_id=line)
            )
        )

    @command.command(None)
    def send(self, at, product, qty):
        if self.picked:
            shipments.send_out(documents.lock(Shipment, self.picked[0]), DAY)
            self.shipped.append(self.picked.pop(0))

    @command.command(None)
    def sign(self, at, product, qty):
        if self.shipped:
            row = documents.lock(Shipment, self.shipped[0])
            (line,) = shipments.lines_of(row.id)
            good = min(line.qty, qty)
            rest = line.qty - good
            shipments.sign(row, {line.id: (good, rest * at, rest * (1 - at))}, DAY, "王芳")
            self.signed.append((row.id, line.id, good))
            self.shipped.pop(0)

    @command.command(None)
    def invoice(self, at, product, qty):
        unit, goods = self.net.units[0], self.net.products[product]
        facts = {"occurred_on": DAY, "document_kind": "invoice", "document_id": 1}
        move = Move(locations.owner(unit), locations.sold(unit), goods, qty)
        service.post_moves(FINANCIAL, [move], reason="invoice", **facts)
        service.post_value([ValueMove(unit, goods, -qty, fallback=D(9))], **facts)

    @command.command(None)
    def give_back(self, at, product, qty):
        if not self.signed:
            return
        shipment_id, line_id, held = self.signed[-1]
        row = documents.lock(Shipment, shipment_id)
        (line,) = shipments.lines_of(shipment_id)
        back = min(held, qty)
        if back:
            dealer, place = locations.dealer(row.dealer_id), locations.warehouse(row.warehouse_id)
            facts = {"document_kind": "sales_return", "document_id": line_id}
            move = Move(dealer, place, line.product_id, back)
            service.post_moves(BUSINESS, [move], reason="sales_return", occurred_on=DAY, **facts)
            channel.take(
                row.dealer_id, [channel.TakeLine(line.product_id, back, line_id, line_id)], used_on=DAY, **facts
            )
            self.signed.pop()

    @command.command(None)
    def release(self, at, product, qty):
        service.release("sales_order", self.net.products[0] * 1000 + self.orders)

    def expire(self, at, product, qty):
        jobs.run()

    def step(self, name, at, product, qty):
        try:
            getattr(self, name)(at, product, qty)
        except InsufficientStock:
            return


STEPS = ["receive", "receive", "reverse", "pick", "pick", "send", "sign", "invoice", "give_back", "release", "expire"]
a_step = st.tuples(
    st.sampled_from(STEPS), st.integers(0, 1), st.integers(0, 1), st.decimals("0.001", 20, places=3, allow_nan=False)
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(a_step, min_size=3, max_size=25))
def test_random_documents_keep_every_promise(world, steps):
    company = Company()

    for step in steps:
        company.step(*step)

    assert broken() == set()


def test_expired_reservations_free_their_stock_and_tell_the_document_once(world, monkeypatch):
    told = []
    monkeypatch.setattr(outbox, "record", lambda *args, **kwargs: told.append((args, kwargs)))
    net = network()
    receipts.save_receipt(ReceiptInput(net.warehouses[0], DAY, (ReceivedLine(net.products[0], D(10)),)), post=True)
    del told[:]
    hold = command.command(None)(service.reserve)
    facts = {"warehouse_id": net.warehouses[0], "unit_id": net.units[0], "document_kind": "sales_order"}
    past, future = clock.now() - timedelta(seconds=1), clock.now() + timedelta(seconds=1)
    goods = net.products[0]
    hold([ReserveLine(1, goods, D(1)), ReserveLine(2, goods, D(2))], document_id=7, expires_at=past, **facts)
    hold([ReserveLine(3, goods, D(4))], document_id=8, expires_at=future, **facts)

    assert jobs.run() == "2 reservations expired"

    assert told == [(("reservation.expired", "sales_order", 7, net.units[0]), {"line_ids": [1, 2]})]
    from inventory.stock import queries

    assert queries.availability(net.warehouses[0], [goods])[goods].reserved == D(4)
    assert broken() == set()


CORRUPTIONS = {
    "stock.balances": "UPDATE stock_balance SET on_hand = on_hand + 1 WHERE guarded",
    "stock.books": "UPDATE stock_balance SET on_hand = on_hand + 1 WHERE NOT guarded AND on_hand > 0",
    "stock.places": "UPDATE stock_move SET book = 'f' WHERE id = (SELECT min(id) FROM stock_move WHERE book = 'b')",
    "stock.reserved": "UPDATE reservation SET qty = qty + 1 WHERE state = 'held'",
    "stock.oversold": "UPDATE stock_balance SET reserved = on_hand + 1 WHERE guarded",
    "stock.values": "UPDATE stock_value SET value = value + 0.01",
    "stock.value_qty": "UPDATE stock_value SET qty = qty + 1",
    "channel.buckets": "UPDATE stock_bucket SET remaining_qty = remaining_qty - 1",
    "channel.stock": "DELETE FROM stock_bucket",
    "shipment.transit": "UPDATE shipment SET state = 'signed' WHERE state = 'shipped'",
    "shipment.signatures": "UPDATE shipment_line SET signed_qty = signed_qty - 1 WHERE signed_qty > 0",
    "goods_receipt.postings": "UPDATE goods_receipt SET state = 'draft'",
}


@pytest.mark.parametrize("code", sorted(CORRUPTIONS))
def test_one_wrong_row_is_told(world, code):
    company = Company()
    for step in ("receive", "pick", "send", "sign", "pick", "send", "pick"):
        company.step(step, 0, 0, D(90) if step == "receive" else D(5))
    assert broken() == set()
    db.session.execute(text("ALTER TABLE stock_balance DROP CONSTRAINT ck_stock_balance_reserved_within_on_hand"))
    db.session.execute(text("SET LOCAL session_replication_role = replica"))

    changed = db.session.execute(text(CORRUPTIONS[code])).rowcount

    assert changed
    assert code in broken()


def test_every_check_has_a_corruption_that_it_finds():
    assert set(CORRUPTIONS) == set(CHECKS)
