"""Credit accounts, delivered goods and postings for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import uuid4

from finance.credit import service as credit
from finance.ledger import service as ledger
from finance.ledger.accounts import OPENING_EQUITY, RECEIVABLE
from finance.receivables.queries import billable_lines
from finance.receivables.rules import BillLine
from finance.receivables.service import billing
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel import command
from sdm.kernel.db import db

DAY = date(2026, 3, 2)


def run(function, *args, **values):
    """Run a plain function of a service inside a command of its own; answers its result."""

    @command.command(None)
    def inside():
        return function(*args, **values)

    return inside()


def account(payer_id: int, limit: str | Decimal = "1000", **values) -> int:
    """A credit account with a limit; answers the payer's id."""
    run(credit.set_limit, payer_id, Decimal(limit), **values)
    return payer_id


def entry(
    unit_id: int, legal_entity_id: int, amount: str = "100", *, on: date = DAY, document_id: int = 1, **values
) -> int:
    """A balanced entry: receivable against opening equity."""
    lines = [ledger.Line(RECEIVABLE, Decimal(amount)), ledger.Line(OPENING_EQUITY, -Decimal(amount))]
    return run(
        ledger.post,
        document_kind="test",
        document_id=document_id,
        event="posted",
        unit_id=unit_id,
        legal_entity_id=legal_entity_id,
        posted_on=on,
        lines=values.pop("lines", lines),
        **values,
    )


def delivered(*args, **values) -> Shipment:
    """A signed (or only shipped) delivery of (product, quantity, gross price) lines, written and committed."""
    return run(_delivered, *args, **values)


def _delivered(
    unit_id: int,
    dealer_id: int,
    lines: Sequence[tuple[int, str, str]],
    *,
    owner_unit_id: int | None = None,
    state: str = "signed",
    on: date = DAY,
    tax_rate: str = "0.13",
    warehouse_id: int | None = None,
) -> Shipment:
    shipment = Shipment(
        uuid=uuid4(),
        unit_id=unit_id,
        state=state,
        dealer_id=dealer_id,
        owner_unit_id=owner_unit_id or unit_id,
        warehouse_id=warehouse_id,
        shipped_on=on,
        signed_on=on if state == "signed" else None,
    )
    db.session.add(shipment)
    db.session.flush()
    for number, (product_id, qty, price) in enumerate(lines, start=1):
        amount = (Decimal(qty) * Decimal(price)).quantize(Decimal("0.01"))
        db.session.add(
            ShipmentLine(
                shipment_id=shipment.id,
                line_no=number,
                product_id=product_id,
                qty=Decimal(qty),
                price=Decimal(price),
                signed_qty=Decimal(qty) if state == "signed" else Decimal(0),
                amount=amount,
                tax_rate=Decimal(tax_rate),
            )
        )
    db.session.flush()
    return shipment


def lines_of(shipment: Shipment) -> list[ShipmentLine]:
    """The lines of a delivery, freshly read."""
    query = db.session.query(ShipmentLine).filter_by(shipment_id=shipment.id).order_by(ShipmentLine.line_no)
    return list(query.populate_existing())


def draft_anyway(shipment_line_id: int, qty: Decimal) -> int:
    """An application for units that another one may hold as well, as two clerks at the same moment make them."""
    found = billable_lines([shipment_line_id], drafts=False)[shipment_line_id]
    wanted = billing.BillInput([BillLine(shipment_line_id, qty)])
    return run(billing._draft, [(found, qty)], wanted).id
