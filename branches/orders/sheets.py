"""Import of orders from a file: lines grouped by the sender's order number (OS-23)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from branches.catalogue.models import Product
from branches.orders import queries
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.orders.rules import LINES_MAX
from branches.orders.service import submit_for_later
from branches.org.models import Dealer, Warehouse
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, describe
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, unknown, values_of
from sdm.kernel.units import is_valid_qty

NAMESPACE = UUID("0f6d7f8e-2f5b-4a55-8d3c-1b1a3c9a77d1")
describe(
    {
        "sheet.order_differs": N_("All lines of order %(value)s must name the same %(what)s"),
        "sheet.order_lines": N_("Order %(value)s has more than %(max)s lines; split it"),
    }
)


def check(rows: Sequence[SheetRow]) -> list[RowFault]:
    """Every fault of the file; asks for dealers, warehouses and products in a few statements."""
    products = queries.product_ids(values_of(rows, "product"))
    return [
        *unknown(rows, "dealer", _codes(Dealer, values_of(rows, "dealer"))),
        *unknown(rows, "warehouse", _codes(Warehouse, values_of(rows, "warehouse"))),
        *unknown(rows, "product", products),
        *_number_faults(rows),
        *_group_faults(rows),
    ]


def _codes(model: Any, codes: Sequence[str]) -> dict[str, int]:
    return {row.code: row.id for row in db.session.execute(select(model.code, model.id).where(model.code.in_(codes)))}


def _number_faults(rows: Sequence[SheetRow]) -> Iterator[RowFault]:
    for row in rows:
        qty, price = row.get("qty"), row.get("price")
        if qty is not None and (qty <= 0 or not is_valid_qty(qty)):
            yield RowFault(row.number, "qty", "input.positive", str(qty))
        if price is not None and price < 0:
            yield RowFault(row.number, "price", "input.not_negative", str(price))


def _group_faults(rows: Sequence[SheetRow]) -> Iterator[RowFault]:
    """Lines of one order agree in dealer, warehouse and date, and are not too many."""
    first: dict[Any, SheetRow] = {}
    count: dict[Any, int] = {}
    for row in rows:
        number = row.get("external_number")
        head = first.setdefault(number, row)
        count[number] = count.get(number, 0) + 1
        for what in ("dealer", "warehouse", "requested_on"):
            if row.get(what) != head.get(what):
                yield RowFault(row.number, what, "sheet.order_differs", number, {"what": what})
        if count[number] == LINES_MAX + 1:
            yield RowFault(row.number, "external_number", "sheet.order_lines", number, {"max": LINES_MAX})


@command(Permission.ORDER_ENTER)
def apply(rows: Sequence[SheetRow]) -> Applied:
    """Save one order per dealer and sender's number; the same ones are saved once. Each is checked right afterwards."""
    dealers = _codes(Dealer, values_of(rows, "dealer"))
    warehouses = _codes(Warehouse, values_of(rows, "warehouse"))
    products = queries.product_ids(values_of(rows, "product"))
    groups: dict[tuple[int, str], list[SheetRow]] = {}
    for row in rows:
        groups.setdefault((dealers[row.get("dealer")], row.get("external_number")), []).append(row)
    uuids = {key: uuid5(NAMESPACE, f"{key[0]}|{key[1]}") for key in groups}
    present = set(db.session.execute(select(SalesOrder.uuid).where(SalesOrder.uuid.in_(uuids.values()))).scalars())
    created = unchanged = 0
    for key, lines in groups.items():
        if uuids[key] in present:
            unchanged += len(lines)
            continue
        submit_for_later(_order(key, uuids[key], lines, warehouses, products))
        created += len(lines)
    return Applied(created=created, unchanged=unchanged)


def _order(
    key: tuple[int, str],
    uuid: UUID,
    rows: Sequence[SheetRow],
    warehouses: Mapping[str, int],
    products: Mapping[str, int],
) -> OrderInput:
    head = rows[0]
    return OrderInput(
        dealer_id=key[0],
        warehouse_id=warehouses[head.get("warehouse")],
        lines=tuple(_line(row, products) for row in rows),
        uuid=uuid,
        requested_on=head.get("requested_on"),
        external_number=key[1],
        note=head.get("note") or "",
        source="file",
    )


def _line(row: SheetRow, products: Mapping[str, int]) -> OrderLineInput:
    return OrderLineInput(
        qty=row.get("qty") or Decimal(0),
        product_id=products[row.get("product")],
        unit=row.get("unit") or "",
        price=row.get("price"),
        price_reason=row.get("price_reason") or "",
    )


def export() -> Iterable[Mapping[str, Any]]:
    """Orders in scope line by line, in the layout of the import."""
    rows = db.session.execute(
        select(
            SalesOrder.external_number,
            SalesOrder.number,
            Dealer.code.label("dealer"),
            Warehouse.code.label("warehouse"),
            SalesOrder.requested_on,
            Product.code.label("product"),
            SalesOrderLine.entered_qty.label("qty"),
            SalesOrderLine.entered_unit.label("unit"),
            SalesOrderLine.price,
            SalesOrderLine.price_reason,
            SalesOrder.note,
        )
        .select_from(SalesOrder)
        .join(Dealer, Dealer.id == SalesOrder.dealer_id)
        .join(Warehouse, Warehouse.id == SalesOrder.warehouse_id)
        .join(SalesOrderLine, SalesOrderLine.order_id == SalesOrder.id)
        .join(Product, Product.id == SalesOrderLine.product_id)
        .order_by(SalesOrder.id, SalesOrderLine.line_no)
    )
    for row in rows:
        values = dict(row._mapping)
        number = values.pop("number")
        yield {**values, "external_number": values["external_number"] or number}


ORDERS = ImportSheet(
    code="orders",
    label=_l("Sales orders"),
    permission=Permission.ORDER_ENTER,
    columns=(
        Column("external_number", _l("Order number of the sender"), "code", required=True, max_length=64),
        Column("dealer", _l("Dealer code"), "code", required=True),
        Column("warehouse", _l("Warehouse code"), "code", required=True),
        Column("requested_on", _l("Requested on"), "date"),
        Column("product", _l("Product code"), "code", required=True, help=_l("code or barcode")),
        Column("qty", _l("Quantity"), "quantity", required=True),
        Column("unit", _l("Unit"), "text", help=_l("base unit when empty, else the name of a pack"), max_length=64),
        Column("price", _l("Price"), "price", help=_l("per base unit, VAT included; the price list's when empty")),
        Column("price_reason", _l("Reason for another price"), "text"),
        Column("note", _l("Note"), "text"),
    ),
    key=("external_number", "dealer", "product", "qty"),
    group_by=("dealer", "external_number"),
    check=check,
    apply=apply,
    export=export,
    order=300,
    note=_l("Lines with the same number are one order. Orders are checked one by one right after the import."),
)
SHEETS = (ORDERS,)
