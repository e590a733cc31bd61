"""Import of the opening stock: warehouse, product, quantity, cost per unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from branches.catalogue.models import Product
from branches.org.models import Warehouse
from inventory.receipts import rules
from inventory.receipts.models import GoodsReceipt, GoodsReceiptLine
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.receipts.service import save_receipt
from sdm.kernel import clock
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, repeated, unknown, values_of
from sdm.kernel.units import is_valid_qty

NAMESPACE = UUID("6f2b1c1e-3f0a-4d53-9a9e-5a2d0b7c1e42")


def check(rows: Sequence[SheetRow]) -> list[RowFault]:
    """Every fault of the file; asks for warehouses and products in two statements."""
    warehouses = _warehouses(values_of(rows, "warehouse"))
    products = _products(values_of(rows, "product"))
    services = {code for code, (_id, stocked) in products.items() if not stocked}
    return [
        *repeated(rows, ("warehouse", "product")),
        *unknown(rows, "warehouse", warehouses),
        *unknown(rows, "product", products),
        *(
            RowFault(row.number, "product", "receipt.not_stocked", row.get("product"))
            for row in rows
            if row.get("product") in services
        ),
        *_number_faults(rows),
    ]


def _number_faults(rows: Sequence[SheetRow]) -> Iterator[RowFault]:
    today = clock.today()
    for row in rows:
        qty, cost, day = row.get("qty"), row.get("unit_cost"), row.get("received_on")
        if qty is not None and (qty <= 0 or not is_valid_qty(qty)):
            yield RowFault(row.number, "qty", "stock.qty", str(qty))
        if cost is not None and not rules.is_cost(cost):
            yield RowFault(row.number, "unit_cost", "receipt.cost", str(cost))
        if day is not None and day > today:
            yield RowFault(row.number, "received_on", "receipt.future", day.isoformat())


def _warehouses(codes: Sequence[str]) -> dict[str, int]:
    statement = select(Warehouse.code, Warehouse.id).where(Warehouse.code.in_(codes), Warehouse.active)
    return dict(db.session.execute(statement).all())


def _products(codes: Sequence[str]) -> dict[str, tuple[int, bool]]:
    rows = db.session.execute(select(Product.code, Product.id, Product.stocked).where(Product.code.in_(codes)))
    return {row.code: (row.id, row.stocked) for row in rows}


@command(Permission.TAKE_ON_RUN)
def apply(rows: Sequence[SheetRow]) -> Applied:
    """Post a goods receipt of origin *opening* per warehouse, day and thousand lines; the same rows post only once."""
    warehouses = _warehouses(values_of(rows, "warehouse"))
    products = _products(values_of(rows, "product"))
    groups: dict[tuple[int, date], list[ReceivedLine]] = {}
    for row in rows:
        key = (warehouses[row.get("warehouse")], row.get("received_on") or clock.today())
        groups.setdefault(key, []).append(
            ReceivedLine(products[row.get("product")][0], row.get("qty"), row.get("unit_cost"))
        )
    created = unchanged = 0
    for (warehouse_id, day), lines in sorted(groups.items(), key=lambda item: item[0]):
        for start in range(0, len(lines), rules.LINES_MAX):
            part = tuple(lines[start : start + rules.LINES_MAX])
            if _post(warehouse_id, day, part):
                created += len(part)
            else:
                unchanged += len(part)
    return Applied(created=created, unchanged=unchanged)


def _post(warehouse_id: int, day: date, lines: tuple[ReceivedLine, ...]) -> bool:
    """Post a receipt unless the very same one was posted before."""
    content = f"{warehouse_id}|{day}|" + "|".join(f"{row.product_id}:{row.qty}:{row.unit_cost}" for row in lines)
    uuid = uuid5(NAMESPACE, content)
    if db.session.execute(select(GoodsReceipt.id).where(GoodsReceipt.uuid == uuid)).first():
        return False
    save_receipt(
        ReceiptInput(warehouse_id, day, lines, origin="opening", source="file", uuid=uuid),
        post=True,
    )
    return True


def export() -> Iterable[Mapping[str, Any]]:
    """Opening stock posted so far, by warehouse and product."""
    rows = db.session.execute(
        select(
            Warehouse.code.label("warehouse"),
            Product.code.label("product"),
            GoodsReceiptLine.qty,
            GoodsReceiptLine.unit_cost,
            GoodsReceipt.received_on,
        )
        .select_from(GoodsReceipt)
        .join(Warehouse, Warehouse.id == GoodsReceipt.warehouse_id)
        .join(GoodsReceiptLine, GoodsReceiptLine.goods_receipt_id == GoodsReceipt.id)
        .join(Product, Product.id == GoodsReceiptLine.product_id)
        .where(GoodsReceipt.origin == "opening", GoodsReceipt.state == "posted")
        .order_by(Warehouse.code, Product.code, GoodsReceiptLine.id)
    )
    return (dict(row._mapping) for row in rows)


OPENING_STOCK = ImportSheet(
    code="opening_stock",
    label=_l("Opening stock"),
    permission=Permission.TAKE_ON_RUN,
    columns=(
        Column("warehouse", _l("Warehouse code"), "code", required=True),
        Column("product", _l("Product code"), "code", required=True),
        Column("qty", _l("Quantity"), "quantity", required=True, help=_l("in base units")),
        Column("unit_cost", _l("Cost per unit, net"), "price", help=_l("without VAT; empty where unknown")),
        Column("received_on", _l("Received on"), "date", help=_l("day of the opening stock; today when empty")),
    ),
    key=("warehouse", "product"),
    group_by=("warehouse",),
    check=check,
    apply=apply,
    export=export,
    order=200,
    note=_l("Posts goods receipts of origin opening stock: the goods are in the warehouse and belong to its unit."),
)
SHEETS = (OPENING_STOCK,)
