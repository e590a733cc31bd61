"""What the pages of orders, quotations and returns show: finished values, few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, cast, func, null, select
from sqlalchemy.orm import aliased

from branches.orders import grid, queries, rules
from branches.orders.kinds import HOLD_FIGURES, HOLD_LABELS
from branches.orders.models import OrderHold, Quotation, SalesOrder, SalesReturn, SalesReturnLine
from branches.orders.service import who_releases
from branches.orders.service.returns import counts, delivered
from branches.org.models import Dealer, Unit, Warehouse
from finance.receivables.models import Invoice, Receipt
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.stock import pages
from sdm.auth import queries as auth
from sdm.cases import queries as cases
from sdm.kernel import documents
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import whole_network

PEOPLE_MAX = 6


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One order with everything its page prints."""

    order: SalesOrder
    dealer: str
    payer: str
    unit: str
    warehouse: str
    maker: str
    lines: list[dict[str, Any]]
    totals: dict[str, Any]
    holds: list[dict[str, Any]]
    past_holds: list[dict[str, Any]]
    picked: list[tuple[int, str]]
    unsigned: list[tuple[int, str]]
    open_qty: Decimal
    unpicked_qty: Decimal
    to_bill: Decimal

    @property
    def profit(self) -> Decimal:
        """Net revenue less cost at supply price."""
        return self.order.net - self.order.cost

    @property
    def margin(self) -> Decimal | None:
        """Profit as a ratio of net revenue."""
        return self.profit / self.order.net if self.order.net else None


def order_page(order_id: int) -> OrderPage:
    """An order in scope with names, lines, holds and what is on its way."""
    order: SalesOrder = documents.get(SalesOrder, order_id)
    lines = queries.lines_of(order.id)
    names = queries.products([line.product_id for line in lines])
    picked = queries.picked(order.id)
    on_way = _shipments(order.id)
    holds = queries.holds_of(order.id)
    left = [rules.line_of(line) for line in lines]
    open_qty = sum((line.open for line in left), ZERO)
    head = _names(order)
    return OrderPage(
        order=order,
        dealer=head.dealer,
        payer=head.payer if order.payer_id != order.dealer_id else "",
        unit=head.unit,
        warehouse=head.warehouse,
        maker=auth.user_names([order.created_by_id]).get(order.created_by_id or 0, ""),
        lines=[_line(line, names[line.product_id]) for line in lines],
        totals=_totals(lines),
        holds=[_hold(order, hold) for hold in holds if hold.state == "open"],
        past_holds=_past(holds),
        picked=[(row.id, row.number) for row in on_way if row.state == "picked"],
        unsigned=[(row.id, row.number) for row in on_way if row.state == "shipped"],
        open_qty=open_qty,
        unpicked_qty=open_qty - sum(picked.values(), ZERO),
        to_bill=sum((line.to_bill for line in left), ZERO),
    )


def _names(order: SalesOrder) -> Any:
    """Names of dealer, payer, unit and warehouse of an order in scope."""
    payer = aliased(Dealer)
    with whole_network("names on an order in scope"):
        return db.session.execute(
            select(
                Dealer.name.label("dealer"),
                payer.name.label("payer"),
                Unit.name.label("unit"),
                Warehouse.name.label("warehouse"),
            )
            .select_from(Dealer)
            .join(payer, payer.id == order.payer_id)
            .join(Unit, Unit.id == order.unit_id)
            .join(Warehouse, Warehouse.id == order.warehouse_id)
            .where(Dealer.id == order.dealer_id)
        ).one()


def _shipments(order_id: int) -> Sequence[Any]:
    statement = (
        select(Shipment.id, Shipment.number, Shipment.state)
        .where(Shipment.order_id == order_id, Shipment.state.in_(("picked", "shipped")))
        .order_by(Shipment.id)
    )
    return db.session.execute(statement).all()


def _line(line: Any, product: Any) -> dict[str, Any]:
    left = rules.line_of(line)
    return {
        "id": line.id,
        "line_no": line.line_no,
        "code": product.code,
        "name": product.name,
        "entered": f"{grid.plain(line.entered_qty)} {line.entered_unit}",
        "qty": line.qty,
        "unit": product.base_unit,
        "list_price": line.list_price,
        "price": line.price,
        "amount": line.amount,
        "open": left.open or None,
        "shipped": (line.shipped_qty - line.short_qty) or None,
        "signed": line.signed_qty,
        "cancelled": line.cancelled_qty or None,
        "invoiced": line.invoiced_qty or None,
        "returned": line.returned_qty,
        "why": explained(line.explanation),
        "reason": line.price_reason,
    }


def explained(story: dict[str, Any]) -> str:
    """Where a price comes from, in a few words."""
    parts = [str(story["list_name"])] if story.get("list_name") else []
    if story.get("qty_from"):
        parts.append(_("from %(qty)s", qty=grid.plain(story["qty_from"])))
    if story.get("discount_rate"):
        rate = grid.plain((Decimal(str(story["discount_rate"])) * 100).quantize(Decimal("0.01")))
        parts.append(_("%(rate)s%% off", rate=rate))
    return " · ".join(parts)


def _totals(lines: Sequence[Any]) -> dict[str, Any]:
    return {
        "amount": sum((line.amount for line in lines), ZERO),
        "qty": sum((line.qty for line in lines), ZERO),
        "open": sum((rules.line_of(line).open for line in lines), ZERO),
    }


# --- holds ------------------------------------------------------------------------------------------------------------


def _hold(order: SalesOrder, hold: OrderHold) -> dict[str, Any]:
    """A hold as its panel shows it: figures, who can release it, and the reader's own buttons."""
    permission, unit_id = who_releases(order, hold)
    ids = auth.users_with(permission, unit_id)[:PEOPLE_MAX]
    names = auth.user_names(ids)
    return {
        "id": hold.id,
        "kind": hold.kind,
        "title": str(HOLD_LABELS[hold.kind]),
        "reason": _hold_reason(hold),
        "facts": _hold_facts(hold),
        "who": ", ".join(names[i] for i in ids if i in names),
        "actions": _hold_actions(order, hold, permission, unit_id),
        "lines": hold.figures.get("lines", []),
    }


def _hold_reason(hold: OrderHold) -> str:
    """What the title and the figures do not say."""
    if hold.figures.get("expired"):
        return _("The reservation ran out; re-check, change or cancel the order")
    if hold.figures.get("reopened"):
        return _("Goods were short or refused and must be reserved again")
    return str(hold.figures.get("reason") or "")


def _hold_facts(hold: OrderHold) -> list[tuple[str, str]]:
    facts = []
    for key, figure in HOLD_FIGURES.items():
        value = hold.figures.get(key)
        if value in (None, "") or key == "reason":
            continue
        told = grid.amount(value) if figure.kind == "amount" else grid.plain(value)
        facts.append((str(figure.label), told))
    for line in hold.figures.get("lines", [])[:8]:
        facts.append((str(line.get("code", "")), _line_fact(line)))
    return facts


def _line_fact(line: dict[str, Any]) -> str:
    if line.get("missing") is not None:
        others = ", ".join(f"{row['warehouse']} {grid.plain(row['available'])}" for row in line.get("elsewhere", []))
        told = _("%(qty)s missing", qty=grid.plain(line["missing"]))
        return f"{told} ({others})" if others else told
    if line.get("floor") is not None:
        return _("%(price)s below %(floor)s", price=grid.plain(line["price"]), floor=grid.plain(line["floor"]))
    if line.get("discount_rate") is not None:
        return f"{grid.plain((Decimal(str(line['discount_rate'])) * 100).quantize(Decimal('0.01')))}%"
    return grid.plain(line["wanted"]) if line.get("wanted") is not None else ""


def _hold_actions(order: SalesOrder, hold: OrderHold, permission: str, unit_id: int) -> list[dict[str, Any]]:
    actor = current()
    if not (actor.can(permission) and actor.scope.has_unit(unit_id)):
        return []
    maker = order.created_by_id is not None and order.created_by_id == actor.user_id
    item = next((i for i in cases.of_subject("sales_order", order.id) if i.key.endswith(f":{hold.kind}")), None)
    steps: list[dict[str, Any]] = []
    if item is not None and may(Permission.CASE_READ):
        url = url_or_none("cases.show", id=item.id)
        steps.append({"label": _("Decide with amount and date"), "url": url, "method": "get"})
    if hold.kind == "shortage" or not maker:
        label = _("Confirm what is available") if hold.kind == "shortage" else _("Release")
        steps.append(
            {
                "label": label,
                "url": url_or_none("orders.release", id=order.id),
                "fields": {"hold_id": hold.id},
                "confirm": _release_consequence(order, hold),
                "icon": "lock-open",
            }
        )
    return steps


def _release_consequence(order: SalesOrder, hold: OrderHold) -> str:
    if hold.kind == "shortage":
        return _("Order %(number)s: what is missing is taken off, the rest is reserved", number=order.number)
    amount = grid.amount(hold.figures.get("excess") or hold.figures.get("overdue_amount") or order.gross)
    kind = str(HOLD_LABELS[hold.kind])
    return _("Order %(number)s: release %(kind)s up to %(amount)s", number=order.number, kind=kind, amount=amount)


def _past(holds: Sequence[OrderHold]) -> list[dict[str, Any]]:
    done = [hold for hold in holds if hold.state != "open"]
    names = auth.user_names([hold.decided_by_id for hold in done])
    return [
        {
            "kind": str(HOLD_LABELS[hold.kind]),
            "state": hold.state,
            "amount": hold.released_amount,
            "until": hold.released_until,
            "reason": hold.reason,
            "who": names.get(hold.decided_by_id or 0, ""),
            "at": hold.decided_at,
        }
        for hold in done
    ]


# --- the chain (OS-13) ------------------------------------------------------------------------------------------------


def chain(kind: str, document_id: int) -> list[dict[str, Any]]:
    """The document chain with dates, quantities and amounts; documents out of the reader's scope are left out."""
    nodes = documents.chain_of(kind, document_id)
    steps = pages.chain(kind, document_id)
    found = {told["number"]: node for node, told in pages.numbers_of(nodes).items()}
    notes = _chain_notes(nodes)
    return [
        {**step, "note": " · ".join(filter(None, [notes.get(found[step["number"]]), step["note"]]))} for step in steps
    ]


def _chain_notes(nodes: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    ids: dict[str, list[int]] = {}
    for kind, document_id in nodes:
        ids.setdefault(kind, []).append(document_id)
    notes: dict[tuple[str, int], str] = {}
    for kind, statement in _NOTES.items():
        if kind in ids:
            for row in db.session.execute(statement(ids[kind])):
                notes[kind, row.id] = _note(row)
    return notes


def _note(row: Any) -> str:
    parts = [row.day.isoformat() if row.day else ""]
    if row.qty is not None:
        parts.append(_("qty %(qty)s", qty=grid.plain(row.qty)))
    if row.amount is not None:
        parts.append(grid.amount(row.amount))
    return " · ".join(filter(None, parts))


def _of_shipments(ids: list[int]) -> Any:
    qty = select(func.sum(ShipmentLine.qty)).where(ShipmentLine.shipment_id == Shipment.id).scalar_subquery()
    day = func.coalesce(Shipment.signed_on, Shipment.shipped_on, Shipment.planned_on)
    return select(Shipment.id, day.label("day"), qty.label("qty"), _nothing("amount")).where(Shipment.id.in_(ids))


def _of_returns(ids: list[int]) -> Any:
    qty = (
        select(func.sum(func.coalesce(SalesReturnLine.received_qty, SalesReturnLine.qty)))
        .where(SalesReturnLine.return_id == SalesReturn.id)
        .scalar_subquery()
    )
    day = func.coalesce(SalesReturn.received_on, SalesReturn.requested_on)
    return select(SalesReturn.id, day.label("day"), qty.label("qty"), _nothing("amount")).where(SalesReturn.id.in_(ids))


def _dated(model: Any, day: Any, amount: Any) -> Any:
    def statement(ids: list[int]) -> Any:
        return select(model.id, day.label("day"), _nothing("qty"), amount.label("amount")).where(model.id.in_(ids))

    return statement


def _nothing(name: str) -> Any:
    return cast(null(), Numeric).label(name)


_NOTES: dict[str, Any] = {
    "quotation": _dated(Quotation, Quotation.quoted_on, Quotation.gross),
    "sales_order": _dated(SalesOrder, SalesOrder.ordered_on, SalesOrder.gross),
    "shipment": _of_shipments,
    "sales_return": _of_returns,
    "invoice": _dated(Invoice, Invoice.invoiced_on, Invoice.gross),
    "receipt": _dated(Receipt, Receipt.received_on, Receipt.amount),
}


# --- quotations and returns -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuotationPage:
    """One quotation with everything its page prints."""

    quotation: Quotation
    dealer: Dealer
    warehouse: str
    unit: str
    maker: str
    lines: list[dict[str, Any]]


def quotation_page(quotation_id: int) -> QuotationPage:
    """A quotation in scope."""
    row: Quotation = documents.get(Quotation, quotation_id)
    lines = queries.quotation_lines(row.id)
    names = queries.products([line.product_id for line in lines])
    with whole_network("names on a quotation in scope"):
        dealer = db.session.execute(select(Dealer).where(Dealer.id == row.dealer_id)).scalar_one()
        warehouse = db.session.execute(select(Warehouse.name).where(Warehouse.id == row.warehouse_id)).scalar_one()
    unit = db.session.execute(select(Unit.name).where(Unit.id == row.unit_id)).scalar_one()
    return QuotationPage(
        row,
        dealer,
        warehouse,
        unit,
        auth.user_names([row.created_by_id]).get(row.created_by_id or 0, ""),
        [
            {
                "line_no": line.line_no,
                "product_id": line.product_id,
                "code": names[line.product_id].code,
                "name": names[line.product_id].name,
                "qty": line.qty,
                "unit": names[line.product_id].base_unit,
                "list_price": line.list_price,
                "price": line.price,
                "amount": line.amount,
                "why": explained(line.explanation),
            }
            for line in lines
        ],
    )


@dataclass(frozen=True, slots=True)
class ReturnPage:
    """One return with everything its page prints."""

    row: SalesReturn
    dealer: str
    unit: str
    warehouse: str
    maker: str
    checker: str
    lines: list[dict[str, Any]]


def return_page(return_id: int) -> ReturnPage:
    """A return in scope."""
    row: SalesReturn = documents.get(SalesReturn, return_id)
    lines = queries.return_lines(row.id)
    names = queries.products([line.product_id for line in lines])
    shipped = _delivery_numbers([line.shipment_line_id for line in lines if line.shipment_line_id])
    people = auth.user_names([row.created_by_id, row.decided_by_id])
    with whole_network("names on a return in scope"):
        dealer = db.session.execute(select(Dealer.name).where(Dealer.id == row.dealer_id)).scalar_one()
        warehouse = db.session.execute(select(Warehouse.name).where(Warehouse.id == row.warehouse_id)).scalar()
    return ReturnPage(
        row,
        dealer,
        db.session.execute(select(Unit.name).where(Unit.id == row.unit_id)).scalar_one(),
        warehouse or "",
        people.get(row.created_by_id or 0, ""),
        people.get(row.decided_by_id or 0, ""),
        [_return_line(line, names[line.product_id], shipped.get(line.shipment_line_id or 0)) for line in lines],
    )


def _return_line(line: Any, product: Any, shipment: Any) -> dict[str, Any]:
    return {
        "id": line.id,
        "line_no": line.line_no,
        "code": product.code,
        "name": product.name,
        "unit": product.base_unit,
        "shipment": shipment.number if shipment else "",
        "shipment_url": url_or_none("shipments.show", id=shipment.shipment_id) if shipment else None,
        "qty": line.qty,
        "received": line.received_qty,
        "unbilled": line.unbilled_qty if line.received_qty is not None else None,
        "price": line.price,
        "amount": line.amount,
    }


def _delivery_numbers(line_ids: Sequence[int]) -> dict[int, Any]:
    statement = (
        select(ShipmentLine.id, ShipmentLine.shipment_id, Shipment.number)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(ShipmentLine.id.in_(line_ids))
    )
    return {row.id: row for row in db.session.execute(statement)}


def returnable(dealer_id: int, order_id: int | None = None, limit: int = 300) -> list[dict[str, Any]]:
    """Signed lines of a dealer in scope of which something can still come back, newest first."""
    statement = (
        select(ShipmentLine.id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            Shipment.dealer_id == dealer_id,
            Shipment.state == "signed",
            ShipmentLine.signed_qty > ShipmentLine.returned_qty,
        )
        .order_by(Shipment.signed_on.desc(), ShipmentLine.id.desc())
        .limit(limit)
    )
    if order_id is not None:
        statement = statement.where(Shipment.order_id == order_id)
    ids = list(db.session.execute(statement).scalars())
    return delivered_rows(ids)


def delivered_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Delivered lines with what can still come back of them."""
    found = delivered(ids)
    names = queries.products([row.product_id for row in found.values()])
    rows = []
    for line_id in ids:
        row = found.get(line_id)
        left = rules.returnable(counts(row)) if row is not None else ZERO
        if row is None or not left:
            continue
        rows.append(
            {
                "id": line_id,
                "shipment": row.shipment_number,
                "shipment_url": url_or_none("shipments.show", id=row.shipment_id),
                "signed_on": row.signed_on,
                "code": names[row.product_id].code,
                "name": names[row.product_id].name,
                "unit": names[row.product_id].base_unit,
                "signed": row.signed_qty,
                "left": left,
                "price": row.price,
            }
        )
    return rows
