"""Doctor's checks of orders: silent on whatever the commands did, loud on one corrupted row."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from sqlalchemy import text

from branches.orders import checks, queries, service
from branches.orders.inputs import OrderChange, OrderLineInput, ReturnInput, ReturnLineInput, SignedLine
from branches.orders.models import SalesOrder
from finance.receivables import service as receivables
from inventory.shipments import service as shipments
from inventory.shipments.models import Shipment
from sdm.kernel import outbox
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Busy, SdmError
from tests.factories.orders import Shop, clerk, fill, shop, signed

D = Decimal


def offenders() -> dict[str, list[str]]:
    found = {check.code: list(check.function()) for check in checks.CHECKS}
    return {code: rows for code, rows in found.items() if rows}


CORRUPTIONS = {
    "orders.counters": "UPDATE sales_order_line SET signed_qty = signed_qty + 1",
    "orders.exposure": "UPDATE credit_account SET shipped = shipped + 0.01 WHERE payer_id = :dealer",
    "orders.reservations": "UPDATE reservation SET qty = qty + 1 WHERE state = 'held'",
    "orders.states": "UPDATE sales_order SET state = 'invoiced' WHERE state = 'shipped'",
    "orders.holds": "UPDATE order_hold SET state = 'cleared' WHERE state = 'open'",
    "orders.totals": "UPDATE sales_order SET gross = gross + 1",
    "orders.returned": "UPDATE shipment_line SET returned_qty = 1",
}


@pytest.mark.parametrize("code", sorted(CORRUPTIONS))
def test_each_check_tells_of_a_corrupted_row(session, code):
    made = shop()
    with use_actor(clerk(made.branch)):
        signed(made, (0, 10))
        made.submit((0, 10))
        made.submit((0, 10_000))
    assert offenders() == {}

    db.session.execute(
        text(CORRUPTIONS[code]).bindparams(**({"dealer": made.dealer.id} if ":dealer" in CORRUPTIONS[code] else {}))
    )

    assert code in offenders()


class Walk:
    """A clerk, a storekeeper and finance doing one random thing after another."""

    def __init__(self, seed: int, mode: str) -> None:
        self.random = random.Random(seed)
        self.made: Shop = shop(stock=30, limit="4000", mode=mode)
        self.steps = [
            self.submit, self.submit, self.change, self.cancel, self.short_close, self.pick, self.pick, self.send_out,
            self.send_out, self.sign, self.sign, self.bill, self.reverse, self.pay, self.take_back, self.release,
            self.fill, self.read, self.unpick,
        ]  # fmt: skip

    def go(self, steps: int) -> None:
        for _ in range(steps):
            step = self.random.choice(self.steps)
            with use_actor(clerk(user_id=self.random.choice([501, 502]))):
                try:
                    step()
                except Busy:
                    raise
                except SdmError:
                    db.session.rollback()

    def qty(self) -> Decimal:
        return D(self.random.randint(1, 12))

    def an(self, model, *states):
        rows = db.session.query(model).filter(model.state.in_(states)).order_by(model.id).all()
        return self.random.choice(rows) if rows else None

    def lines(self):
        count = self.random.randint(1, 3)
        return [
            OrderLineInput(self.qty(), self.random.choice(self.made.products), price=D("33.33"), price_reason="零头")
            for _ in range(count)
        ]

    def submit(self):
        service.submit_order(self.made.order(*self.lines()))

    def change(self):
        row = self.an(SalesOrder, "held", "confirmed", "part_shipped")
        if row:
            kept = [
                OrderLineInput(self.qty(), line.product_id, price=line.price, price_reason="零头", line_id=line.id)
                for line in queries.lines_of(row.id)
            ]
            service.change_order(row.id, OrderChange(tuple(kept + self.lines()[:1])))

    def cancel(self):
        row = self.an(SalesOrder, "held", "confirmed")
        if row:
            service.cancel_order(row.id)

    def short_close(self):
        row = self.an(SalesOrder, "held", "part_shipped")
        if row:
            service.short_close(row.id)

    def pick(self):
        row = self.an(SalesOrder, "confirmed", "part_shipped")
        if row:
            line = self.random.choice(queries.lines_of(row.id))
            service.pick(row.id, self.random.choice([None, {line.id: D(self.random.randint(1, 4))}]))

    def unpick(self):
        row = self.an(Shipment, "picked")
        if row and self.random.random() < 0.3:
            service.cancel_shipment(row.id)

    def send_out(self):
        row = self.an(Shipment, "picked")
        if row:
            service.send_out(row.id)

    def sign(self):
        row = self.an(Shipment, "shipped")
        if row:
            parts = {}
            for line in shipments.lines_of(row.id):
                short = D(self.random.choice([0, 0, 0, 1]))
                refused = min(line.qty - short, D(self.random.choice([0, 0, 0, 1])))
                parts[line.id] = SignedLine(line.qty - short - refused, short, refused)
            service.sign(row.id, parts, reopen=self.random.random() < 0.7)

    def bill(self):
        row = self.an(Shipment, "signed")
        if row:
            for draft in receivables.apply_deliveries([row.id]):
                receivables.submit(draft.id)
                with use_actor(clerk(user_id=900)):
                    receivables.approve_and_issue(draft.id)

    def reverse(self):
        from finance.receivables.models import Invoice

        row = self.an(Invoice, "issued")
        if row and self.random.random() < 0.5:
            receivables.reverse(row.id, "开错")

    def pay(self):
        from sdm.kernel import clock

        order = (
            self.an(SalesOrder, "confirmed", "part_shipped") if self.made.dealer.settlement_mode == "prepaid" else None
        )
        entered = receivables.ReceiptInput(
            self.made.dealer.id, D(self.random.randint(50, 900)), clock.today(), order_id=order.id if order else None
        )
        receivables.record_receipt(entered)
        receivables.allocate_automatically(self.made.dealer.id)

    def take_back(self):
        row = self.an(Shipment, "signed")
        if not row:
            return
        line = self.random.choice(shipments.lines_of(row.id))
        entered = ReturnInput(self.made.dealer.id, "damaged", (ReturnLineInput(line.id, D(self.random.randint(1, 4))),))
        ref = service.request_return(entered)
        with use_actor(clerk(user_id=900)):
            service.decide_return(ref.id, True)
            service.receive_return(ref.id)
            if self.random.random() < 0.3:
                self.reverse()

    def release(self):
        from branches.orders.models import OrderHold

        row = self.an(OrderHold, "open")
        if row:
            with use_actor(clerk(user_id=900)):
                self.random.choice([service.release_hold, service.release_hold, service.reject_hold])(row.id, "可以")

    def fill(self):
        fill(self.made, {product_id: "5" for product_id in self.made.products})

    def read(self):
        outbox.run_readers()


@pytest.mark.parametrize("mode", ["term", "prepaid", "consignment"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_done_exposure_reservations_and_states_follow_from_the_lines(session, seed, mode):
    walk = Walk(seed, mode)

    for _ in range(4):
        walk.go(25)
        assert offenders() == {}
