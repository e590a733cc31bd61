"""A month of one branch, told day by day by the people who do the work, each with the rights of his role only.

March 2026: an order is shipped, one unit short, billed, the invoice reversed and issued again; a larger order exceeds the
limit, is held and released; money comes and is allocated. April: what is not paid falls due.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from branches.orders import service as orders
from branches.orders.inputs import SignedLine
from finance.receivables import service as receivables
from finance.receivables.service.receipts import ReceiptInput
from inventory.receipts import service as goods
from inventory.shipments import service as shipments
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, org
from tests.factories.orders import Shop, shop

D = Decimal
LIMIT = "5000"
ROLES = ("clerk", "storekeeper", "branch_manager", "branch_finance")


@dataclass(slots=True)
class Month:
    """The branch, its people, and the documents by the names the story gives them."""

    app: Flask
    shop: Shop
    people: dict[str, Any]
    documents: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def on(self, day: date, role: str) -> Iterator[None]:
        """Somebody works on a day (ten o'clock in the morning)."""
        with time_machine.travel(f"{day.isoformat()}T02:00:00Z", tick=False), auth.acting(user=self.people[role]):
            yield

    @contextmanager
    def looking(self, day: date, role: str) -> Iterator[FlaskClient]:
        """Somebody looks at screens on a day."""
        with time_machine.travel(f"{day.isoformat()}T02:00:00Z", tick=False):
            yield auth.signed_in(self.app.test_client(), self.people[role])

    def ref(self, name: str) -> Any:
        """A document of the story."""
        return self.documents[name]


def beginning(app: Flask) -> Month:
    """The branch with goods and people, before anything is sold."""
    with use_actor(system_actor("factory")), time_machine.travel("2026-03-01T02:00:00Z", tick=False):
        made = shop(products=3, stock=0, limit=LIMIT)
        people = {role: auth.user(role, made.branch, name=f"{role}-张三") for role in ROLES}
        people |= {role: auth.user(role, org.head_office()) for role in ("finance", "executive", "auditor")}
    story = Month(app, made, people)
    with story.on(date(2026, 3, 1), "storekeeper"):
        lines = tuple(goods.ReceivedLine(product, D(100), D("55")) for product in made.products)
        entered = goods.ReceiptInput(warehouse_id=made.warehouse.id, received_on=clock.today(), lines=lines)
        story.documents["goods"] = goods.save_receipt(entered, post=True)
    return story


def first_order(story: Month) -> None:
    """2 to 7 March: ordered, shipped, signed one unit short, billed, examined by head office, issued."""
    with story.on(date(2026, 3, 2), "clerk"):
        order = story.documents["order"] = story.shop.submit((0, 10), (1, 5))
    with story.on(date(2026, 3, 3), "storekeeper"):
        shipment = orders.pick(order.id)
        story.documents["shipment"] = orders.send_out(shipment.id)
    with story.on(date(2026, 3, 5), "clerk"):
        first, second = shipments.lines_of(shipment.id)
        parts = {first.id: SignedLine(D(9), short=D(1)), second.id: SignedLine(D(5))}
        orders.sign(shipment.id, parts, signed_by="李老板", reopen=False)
    bill(story, "invoice", shipment.id, date(2026, 3, 6), date(2026, 3, 7))


def bill(story: Month, name: str, shipment_id: int, applied: date, issued: date) -> None:
    """The clerk applies, head office examines and issues."""
    with story.on(applied, "clerk"):
        [invoice] = receivables.apply_deliveries([shipment_id])
        receivables.submit(invoice.id)
    with story.on(issued, "finance"):
        story.documents[name] = receivables.approve_and_issue(invoice.id, "核对无误")


def held_order(story: Month) -> None:
    """9 March: 6,000 more than fit into the limit; the order waits for somebody."""
    with story.on(date(2026, 3, 9), "clerk"):
        story.documents["large"] = story.shop.submit((1, 30))


def released_order(story: Month) -> None:
    """10 to 14 March: released by head office, shipped, signed, billed."""
    order = story.ref("large")
    with story.on(date(2026, 3, 10), "finance"):
        hold = db.session.execute(text("SELECT id FROM order_hold WHERE order_id = :o"), {"o": order.id}).scalar_one()
        orders.release_hold(hold, "老客户，下周付款")
    with story.on(date(2026, 3, 11), "storekeeper"):
        shipment = orders.send_out(orders.pick(order.id).id)
    with story.on(date(2026, 3, 13), "clerk"):
        orders.sign(shipment.id, signed_by="李老板")
    bill(story, "large invoice", shipment.id, date(2026, 3, 13), date(2026, 3, 14))


def red_letter(story: Month) -> None:
    """16 and 17 March: the first invoice was wrong; reversed by a red-letter invoice and issued again."""
    with story.on(date(2026, 3, 16), "finance"):
        story.documents["red"] = receivables.reverse(story.ref("invoice").id, "抬头错误")
    bill(story, "second invoice", story.ref("shipment").id, date(2026, 3, 16), date(2026, 3, 17))


def payment(story: Month) -> None:
    """20 March: 3,000 come and settle the oldest debt."""
    with story.on(date(2026, 3, 20), "branch_finance"):
        paid = ReceiptInput(story.shop.dealer.id, D("3000"), clock.today(), reference="银行回单 0320")
        story.documents["receipt"] = receivables.record_receipt(paid)
        receivables.allocate_automatically(story.shop.dealer.id)


def whole(app: Flask) -> Month:
    """The month to its end."""
    story = beginning(app)
    for chapter in (first_order, held_order, released_order, red_letter, payment):
        chapter(story)
    return story
