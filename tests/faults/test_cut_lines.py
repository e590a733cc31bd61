"""The line between the product and its database is cut at every message of a flow, before it is done and after.

After every cut the client sends the same again: exactly one document, nothing half saved, the books agree (F8).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import text

from branches.orders import service as orders
from branches.orders.inputs import OrderInput, OrderLineInput
from finance.receivables import service as receivables
from finance.receivables.service.receipts import ReceiptInput
from sdm.app import create_app
from sdm.kernel import clock
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import IllegalTransition, SdmError
from sdm.kernel.settings import Settings
from tests import proof, steps
from tests.factories.orders import clerk
from tests.faults.proxy import Proxy

MESSAGES_MAX = 120
D = Decimal

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(slots=True)
class Line:
    """The product behind a line that can be cut."""

    app: Flask
    proxy: Proxy
    company: steps.Company


@pytest.fixture
def line(committing_db: Flask, test_settings: Settings) -> Iterator[Line]:
    folder = Path(tempfile.mkdtemp(prefix="sdm-cut-"))
    proxy = Proxy(committing_db.config["SQLALCHEMY_DATABASE_URI"], folder)
    app = create_app(test_settings.replace(database_url=proxy.url()))
    with app.app_context():
        yield Line(app, proxy, steps.company(stock="100000", limit="90000000", modes=("term",)))
        db.session.remove()
        db.engine.dispose()
    proxy.close()
    shutil.rmtree(folder, ignore_errors=True)


def cut_everywhere(line: Line, prepare: Callable[[], Any], flow: Callable[[Any], Any]) -> int:
    """Run `flow(prepared)` with the line cut at message 1, 2, 3 … in both directions, each time sent again; cuts made."""
    cuts = 0
    for direction in ("to_server", "to_client"):
        for at in range(1, MESSAGES_MAX):
            prepared = prepare()
            line.proxy.arm(direction, at)
            try:
                flow(prepared)
            except SdmError:
                raise
            except Exception:
                db.session.rollback()
            if not line.proxy.disarm():
                break
            cuts += 1
            flow(prepared)
        else:
            raise AssertionError("the flow never ends")
    return cuts


def uuids_once(table: str, sent: list[UUID]) -> None:
    """Every UUID that was sent is there once, and no other."""
    found = db.session.execute(text(f"SELECT uuid FROM {table} ORDER BY id")).scalars().all()
    db.session.commit()
    assert sorted(found) == sorted(sent)


def test_an_order_is_entered_once_wherever_the_line_is_cut(line: Line) -> None:
    sent: list[UUID] = []
    answers: dict[UUID, set[str]] = {}

    def prepare() -> UUID:
        sent.append(uuid4())
        return sent[-1]

    def flow(key: UUID) -> None:
        wanted = tuple(OrderLineInput(D(2), product) for product in line.company.products[:2])
        order = OrderInput(line.company.dealers[0], line.company.warehouses[0], wanted, uuid=key)
        with use_actor(clerk(line.company.branch)):
            answers.setdefault(key, set()).add(orders.submit_order(order).number)

    cuts = cut_everywhere(line, prepare, flow)

    assert cuts > 12
    assert all(len(numbers) == 1 for numbers in answers.values()) and set(answers) == set(sent)
    uuids_once("sales_order", sent)
    assert proof.faults() == []


def test_a_receipt_is_recorded_once_wherever_the_line_is_cut(line: Line) -> None:
    sent: list[UUID] = []

    def prepare() -> UUID:
        sent.append(uuid4())
        return sent[-1]

    def flow(key: UUID) -> None:
        with use_actor(clerk(line.company.branch)):
            receivables.record_receipt(ReceiptInput(line.company.dealers[0], D("12.34"), clock.today(), uuid=key))

    assert cut_everywhere(line, prepare, flow) > 12
    uuids_once("receipt", sent)
    assert proof.faults() == []


def test_an_invoice_is_issued_once_wherever_the_line_is_cut(line: Line) -> None:
    branch, company = line.company.branch, line.company
    issued: list[int] = []

    def prepare() -> int:
        with use_actor(clerk(branch)):
            wanted = (OrderLineInput(D(3), company.products[0]), OrderLineInput(D(1), company.products[1]))
            order = orders.submit_order(OrderInput(company.dealers[0], company.warehouses[0], wanted))
            shipment = orders.pick(order.id)
            orders.send_out(shipment.id)
            orders.sign(shipment.id)
            [invoice] = receivables.apply_deliveries([shipment.id])
            receivables.submit(invoice.id)
        issued.append(invoice.id)
        return invoice.id

    def flow(invoice_id: int) -> None:
        with use_actor(clerk(branch, user_id=777)):
            try:
                receivables.approve_and_issue(invoice_id, "看过")
            except IllegalTransition:  # it was done, only the answer was lost
                db.session.rollback()

    assert cut_everywhere(line, prepare, flow) > 20
    states = db.session.execute(text("SELECT id, state, legal_number FROM invoice ORDER BY id")).all()
    db.session.commit()
    assert [(row.id, row.state) for row in states] == [(key, "issued") for key in issued]
    assert proof.faults() == []
