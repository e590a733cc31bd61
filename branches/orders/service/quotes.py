"""Quotations: priced offers that become orders with the same lines by one action (OS-22)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import insert, select

from branches.orders import queries
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.orders.models import Quotation, QuotationLine, SalesOrder
from branches.orders.service.pricing import Priced, price_order
from branches.orders.service.submit import submit_order
from branches.org import parameters
from sdm.kernel import audit, clock, documents, drafts
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission


@command(Permission.QUOTATION_ENTER)
def quote(offer: OrderInput) -> DocumentRef:
    """Save a priced offer; holds neither credit nor stock. The same UUID again answers the quotation that is there."""
    present = db.session.execute(select(Quotation).where(Quotation.uuid == offer.uuid)).scalar_one_or_none()
    if present is not None:
        found: DocumentRef = present.ref()
        return found
    priced = price_order(offer)
    row = _row(offer, priced)
    db.session.add(row)
    db.session.flush()
    db.session.execute(insert(QuotationLine), [_line(row.id, line) for line in priced.lines])
    audit.write(row.kind, row.id, "quote", row.unit_id, {"state": [None, "open"], "gross": row.gross})
    if offer.source == "clerk":
        drafts.discard(offer.uuid)
    return row.ref()


def _row(offer: OrderInput, priced: Priced) -> Quotation:
    days = parameters.value("quotation.valid_days", priced.context.unit_id)
    return Quotation(
        uuid=offer.uuid,
        unit_id=priced.context.unit_id,
        state="open",
        source=offer.source,
        created_by_id=current().user_id,
        dealer_id=priced.context.dealer_id,
        warehouse_id=priced.context.warehouse_id,
        quoted_on=priced.on,
        valid_until=offer.requested_on or priced.on + timedelta(days=days),
        gross=priced.gross,
        note=offer.note,
    )


def _line(quotation_id: int, line: Any) -> dict[str, Any]:
    return {
        "quotation_id": quotation_id,
        "line_no": line.line_no,
        "product_id": line.priced.product_id,
        "qty": line.qty,
        "list_price": line.priced.list_price,
        "price": line.priced.price,
        "amount": line.priced.amount,
        "explanation": json.loads(json.dumps(line.priced.explanation, default=str)),
        "price_reason": line.entered.price_reason,
    }


@command(Permission.ORDER_ENTER)
def order_from_quotation(quotation_id: int, version: int | None = None) -> DocumentRef:
    """Order what was quoted, at the quoted prices, through the gate. Doing it twice answers the same order.

    Raises Conflict when the quotation is no longer valid.
    """
    row: Quotation = documents.lock(Quotation, quotation_id)
    if row.state == "ordered":
        order = db.session.execute(select(SalesOrder).where(SalesOrder.quotation_id == row.id)).scalar_one()
        done: DocumentRef = order.ref()
        return done
    documents.lock(Quotation, quotation_id, version)
    documents.require_state(row, {"open"}, "order")
    if row.valid_until < clock.today():
        raise Conflict("quotation.expired", until=str(row.valid_until))
    ref = submit_order(_as_order(row))
    documents.link((Quotation.kind, row.id), (SalesOrder.kind, ref.id))
    documents.step(row, "order", "ordered", order_id=ref.id)
    return ref


def _as_order(row: Quotation) -> OrderInput:
    lines = tuple(
        OrderLineInput(
            qty=line.qty,
            product_id=line.product_id,
            price=line.price,
            price_reason=line.price_reason or _quoted(row.number),
        )
        for line in queries.quotation_lines(row.id)
    )
    return OrderInput(
        dealer_id=row.dealer_id,
        warehouse_id=row.warehouse_id,
        lines=lines,
        uuid=uuid5(NAMESPACE_URL, f"order-of:{row.uuid}"),
        note=row.note,
        source="clerk",
        quotation_id=row.id,
    )


def _quoted(number: str) -> str:
    """Why a quoted price may differ from today's lists."""
    return number


@command(Permission.QUOTATION_ENTER)
def withdraw_quotation(quotation_id: int, reason: str = "", version: int | None = None) -> DocumentRef:
    """Take an open quotation back."""
    row: Quotation = documents.lock(Quotation, quotation_id, version)
    documents.require_state(row, {"open"}, "withdraw")
    documents.step(row, "withdraw", "withdrawn", reason=reason)
    return row.ref()
