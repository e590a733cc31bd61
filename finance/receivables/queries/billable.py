"""What of delivered goods can still be billed: the basis less what is billed, taken back unbilled or drafted."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from branches.org import parameters
from branches.org.models import Dealer
from branches.org.queries import tree
from finance.receivables.models import Invoice, InvoiceLine
from finance.receivables.rules import DRAFTING, Billable
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel.db import db
from sdm.kernel.money import ZERO

NOTHING = literal(Decimal(0))


def _units_billing_shipped() -> list[int]:
    """Ids of the units where the parameter bills what was shipped instead of what was signed for."""
    return [unit_id for unit_id in tree().units if parameters.value("billing.basis", unit_id) == "shipped"]


def _basis() -> ColumnElement[Decimal]:
    shipped_units = _units_billing_shipped()
    signed: Any = ShipmentLine.signed_qty
    if shipped_units:
        arrived = ShipmentLine.qty - ShipmentLine.short_qty - ShipmentLine.refused_qty
        signed = case((Shipment.unit_id.in_(shipped_units), arrived), else_=ShipmentLine.signed_qty)
    return case((Shipment.ownership == "consigned", ShipmentLine.listed_qty), else_=signed)


def _sum_of_lines(column: Any, *conditions: Any) -> ColumnElement[Decimal]:
    """Sum over invoice lines of the delivered line; its own invoices are within the shipment's scope anyway."""
    line, head = InvoiceLine.__table__.c, Invoice.__table__.c
    statement = select(func.coalesce(func.sum(column), ZERO)).select_from(
        InvoiceLine.__table__.join(Invoice.__table__, head.id == line.invoice_id)
    )
    return (
        statement.where(line.shipment_line_id == ShipmentLine.id, *conditions).correlate(ShipmentLine).scalar_subquery()
    )


def _drafted() -> ColumnElement[Decimal]:
    return _sum_of_lines(InvoiceLine.__table__.c.qty, Invoice.__table__.c.state.in_(sorted(DRAFTING)))


def _returned_unbilled() -> ColumnElement[Decimal]:
    credited = _sum_of_lines(-InvoiceLine.__table__.c.qty, Invoice.__table__.c.return_id.is_not(None))
    return case((ShipmentLine.returned_qty > 0, ShipmentLine.returned_qty - credited), else_=NOTHING)


def _billed_amount() -> ColumnElement[Decimal]:
    head = Invoice.__table__.c
    return _sum_of_lines(
        InvoiceLine.__table__.c.gross, head.state.in_(["issued", "reversed"]), head.return_id.is_(None)
    )


def billable_qty(drafts: bool = True) -> ColumnElement[Decimal]:
    """SQL: units of a delivered line that can be billed now; ``drafts``: less what applications under way hold."""
    left = _basis() - ShipmentLine.invoiced_qty - _returned_unbilled()
    return left - _drafted() if drafts else left


def billable_select() -> Any:
    """Delivered lines with something left to bill, with shipment and dealer; scoped by the session."""
    return (
        select(ShipmentLine, Shipment, Dealer)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .join(Dealer, Dealer.id == Shipment.dealer_id)
        .where(
            ShipmentLine.invoiced_qty < ShipmentLine.qty,
            Shipment.state.in_(["shipped", "signed"]),
            billable_qty() > 0,
        )
    )


def billable_lines(line_ids: Collection[int], drafts: bool = True) -> dict[int, Billable]:
    """The named delivered lines in scope, whatever is left of them (0 included); one statement.

    ``drafts`` False: what is left before applications, for the ones that are handed in or issued now.
    """
    statement = _columns(drafts).where(ShipmentLine.id.in_(sorted(set(line_ids))))
    rows = db.session.execute(statement.execution_options(populate_existing=True))
    return {row.shipment_line_id: Billable(**row._mapping) for row in rows}


def billable(
    dealer_id: int | None = None,
    unit_id: int | None = None,
    shipment_ids: Collection[int] | None = None,
    limit: int = 2000,
) -> list[Billable]:
    """Delivered lines with something left to bill, oldest first, at most ``limit``."""
    statement = _columns(True).where(
        ShipmentLine.invoiced_qty < ShipmentLine.qty, Shipment.state.in_(["shipped", "signed"]), billable_qty() > 0
    )
    if dealer_id is not None:
        statement = statement.where(Shipment.dealer_id == dealer_id)
    if unit_id is not None:
        statement = statement.where(Shipment.unit_id == unit_id)
    if shipment_ids is not None:
        statement = statement.where(Shipment.id.in_(sorted(set(shipment_ids))))
    statement = statement.order_by(Shipment.shipped_on, ShipmentLine.shipment_id, ShipmentLine.line_no).limit(limit)
    return [Billable(**row._mapping) for row in db.session.execute(statement)]


def _columns(drafts: bool) -> Any:
    billing_dealer = Dealer.__table__
    left = billable_qty(drafts)
    return (
        select(
            ShipmentLine.id.label("shipment_line_id"),
            ShipmentLine.shipment_id,
            Shipment.number.label("shipment"),
            Shipment.unit_id,
            Shipment.dealer_id,
            func.coalesce(billing_dealer.c.payer_id, billing_dealer.c.id).label("payer_id"),
            Shipment.owner_unit_id,
            ShipmentLine.order_line_id,
            Shipment.order_id,
            ShipmentLine.product_id,
            ShipmentLine.qty,
            ShipmentLine.amount,
            ShipmentLine.price,
            ShipmentLine.tax_rate,
            and_(Shipment.state == "signed").label("signed"),
            case((left > 0, left), else_=NOTHING).label("billable"),
            ShipmentLine.invoiced_qty.label("invoiced"),
            _billed_amount().label("billed_amount"),
        )
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .join(billing_dealer, billing_dealer.c.id == Shipment.dealer_id)
    )
