"""Import sheets of price lists, prices and supply prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from branches.catalogue.models import Product
from branches.org import dealers_queries
from branches.org import queries as org
from branches.org.models import Dealer, DealerGrade, Unit
from branches.org.sheets import foreign_rows, foreign_units, replaced
from branches.pricing import service
from branches.pricing.models import ListPrice, PriceList, SupplyPrice
from branches.pricing.service import PriceEntry, SupplyEntry
from sdm.kernel import clock
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, missing, repeated, unknown, values_of
from sdm.kernel.upsert import ids_by, upsert

TARGETS = (("all", _l("Everyone")), ("grade", _l("Grade")), ("unit", _l("Unit")), ("dealer", _l("Dealer")))

# --- price lists ------------------------------------------------------------------------------------------------------

_LIST = ("code", "name", "name_en", "target", "active")


def _lists(rows: Sequence[SheetRow], column: str) -> dict[str, PriceList]:
    """Price lists in scope by code."""
    statement = select(PriceList).where(PriceList.code.in_(values_of(rows, column)))
    return {row.code: row for row in db.session.execute(statement).scalars()}


def _check_lists(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _lists(rows, "code")
    dealers = dealers_queries.dealers_by_code(values_of(rows, "dealer"))
    grades = {grade.code for grade in dealers_queries.grades(active_only=False)}
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "target"), lambda row: row.get("code") not in known),
        *foreign_rows(rows, PriceList),
        *unknown(rows, "grade", grades),
        *foreign_units(rows),
        *unknown(rows, "dealer", dealers),
    ]
    units = {node.code: node.id for node in org.tree().units.values()}
    priced = _priced([row.id for row in known.values()])
    for row in rows:
        faults += _target_faults(row, known.get(row.get("code") or ""), units, dealers, priced)
    return faults


def _priced(list_ids: Sequence[int]) -> set[int]:
    """Ids of the lists that have prices."""
    statement = select(ListPrice.list_id).where(ListPrice.list_id.in_(sorted(list_ids))).distinct()
    return set(db.session.execute(statement).scalars())


def _target_faults(
    row: SheetRow, stored: PriceList | None, units: Mapping[str, int], dealers: Mapping[str, Dealer], priced: set[int]
) -> Iterator[RowFault]:
    target = row.get("target")
    if stored is not None and not service.may_change(stored.target, stored.unit_id, stored.dealer_id):
        yield RowFault(row.number, "code", "price.list_not_yours", stored.code)
    if target is None:
        return
    column = {"grade": "grade", "unit": "unit", "dealer": "dealer"}.get(target)
    if column is not None and not row.get(column):
        yield RowFault(row.number, column, "sheet.required_new")
        return
    dealer = dealers.get(row.get("dealer") or "")
    unit_id = units.get(row.get("unit") or "")
    wanted = (target, row.get("grade") if target == "grade" else None, unit_id if target == "unit" else None)
    if stored is not None and stored.id in priced:
        same_dealer = target != "dealer" or (dealer is not None and dealer.id == stored.dealer_id)
        if wanted != (stored.target, stored.grade_code, stored.unit_id) or not same_dealer:
            yield RowFault(row.number, "target", "price.target_fixed", target)
    if target != "dealer" and not service.may_change(target, unit_id, None):
        yield RowFault(row.number, "target", "price.list_not_yours", target)


@command(Permission.PRICE_EDIT)
def _apply_lists(rows: Sequence[SheetRow]) -> Applied:
    names = {
        "grade": ("grade_code", {code: code for code in values_of(rows, "grade")}),
        "unit": ("unit_id", ids_by(Unit, values_of(rows, "unit"))),
        "dealer": ("dealer_id", ids_by(Dealer, values_of(rows, "dealer"))),
    }
    values = []
    for row in rows:
        found = replaced(row.given((*_LIST, *names)), names)
        if "target" in found:
            for target, column in service.TARGETS.items():
                if column is not None:
                    found[column] = found.get(column) if target == found["target"] else None
        else:
            for column in ("grade_code", "unit_id", "dealer_id"):
                found.pop(column, None)
        values.append(found)
    return upsert(PriceList, values, kind="price_list", unit="unit_id").applied


def _export_lists() -> Iterable[Mapping[str, Any]]:
    statement = (
        select(PriceList, DealerGrade.code, Unit.code, Dealer.code)
        .outerjoin(DealerGrade, DealerGrade.code == PriceList.grade_code)
        .outerjoin(Unit, Unit.id == PriceList.unit_id)
        .outerjoin(Dealer, Dealer.id == PriceList.dealer_id)
        .order_by(PriceList.code)
    )
    for row, grade, unit, dealer in db.session.execute(statement):
        yield {**{key: getattr(row, key) for key in _LIST}, "grade": grade, "unit": unit, "dealer": dealer}


LISTS = ImportSheet(
    code="price_lists",
    label=_l("Price lists"),
    permission=Permission.PRICE_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("target", _l("For"), "choice", choices=TARGETS),
        Column("grade", _l("Grade"), "code", help=_l("only for a list of a grade")),
        Column("unit", _l("Unit"), "code", help=_l("only for a list of a unit; counts for all below it")),
        Column("dealer", _l("Dealer"), "code", help=_l("only for a list of one dealer")),
        Column("active", _l("Counts"), "boolean"),
    ),
    key=("code",),
    check=_check_lists,
    apply=_apply_lists,
    export=_export_lists,
    order=70,
)

# --- prices -----------------------------------------------------------------------------------------------------------


def _products(rows: Sequence[SheetRow]) -> dict[str, int]:
    return ids_by(Product, values_of(rows, "product"))


def _price_entry(row: SheetRow, products: Mapping[str, int]) -> PriceEntry:
    return PriceEntry(
        products[row.values["product"]],
        row.values["price"],
        row.get("valid_from") or clock.today(),
        row.get("valid_to"),
        row.get("qty_from") or Decimal(0),
        row.get("floor_price"),
    )


def _check_prices(rows: Sequence[SheetRow]) -> list[RowFault]:
    lists, products = _lists(rows, "list"), _products(rows)
    faults = [
        *repeated(rows, ("list", "product", "qty_from", "valid_from")),
        *unknown(rows, "list", lists),
        *unknown(rows, "product", products),
    ]
    for row in rows:
        found = lists.get(row.get("list") or "")
        if found is not None and not service.may_change(found.target, found.unit_id, found.dealer_id):
            faults.append(RowFault(row.number, "list", "price.list_not_yours", found.code))
    bad = {fault.row for fault in faults}
    good = [row for row in rows if row.number not in bad and _complete(row, ("list", "product", "price"))]
    entries = [(lists[row.values["list"]].id, _price_entry(row, products)) for row in good]
    return faults + _told(good, service.price_faults(entries))


def _complete(row: SheetRow, columns: Sequence[str]) -> bool:
    return all(row.get(column) is not None for column in columns)


def _told(rows: Sequence[SheetRow], faults: Iterable[Any]) -> list[RowFault]:
    """Faults of entries (`lines.N.<field>`) as faults of their rows."""
    found = []
    for fault in faults:
        _lines, place, field = fault.field.split(".")
        found.append(RowFault(rows[int(place)].number, field, fault.code, fault.value, fault.details))
    return found


@command(Permission.PRICE_EDIT)
def _apply_prices(rows: Sequence[SheetRow]) -> Applied:
    lists, products = _lists(rows, "list"), _products(rows)
    done = service.enter_prices_of_lists([(lists[row.values["list"]].id, _price_entry(row, products)) for row in rows])
    return Applied(len(rows) - done["unchanged"], 0, done["unchanged"])


def _export_prices() -> Iterable[Mapping[str, Any]]:
    statement = (
        select(PriceList.code.label("list"), Product.code.label("product"), Product.name, ListPrice)
        .join(ListPrice, ListPrice.list_id == PriceList.id)
        .join(Product, Product.id == ListPrice.product_id)
        .order_by(PriceList.code, Product.code, ListPrice.qty_from, func.lower(ListPrice.valid))
    )
    for code, product, _name, price in db.session.execute(statement):
        yield {
            "list": code, "product": product, "qty_from": price.qty_from, "price": price.price,
            "floor_price": price.floor_price, **_days(price.valid),
        }  # fmt: skip


def _days(valid: Any) -> dict[str, Any]:
    return {"valid_from": valid.lower, "valid_to": valid.upper - timedelta(days=1) if valid.upper else None}


PRICES = ImportSheet(
    code="prices",
    label=_l("Prices"),
    permission=Permission.PRICE_EDIT,
    columns=(
        Column("list", _l("Price list"), "code", required=True, help=_l("code of the list")),
        Column("product", _l("Product"), "code", required=True, help=_l("code of the product")),
        Column("qty_from", _l("From quantity"), "quantity"),
        Column("price", _l("Price"), "price", required=True, help=_l("gross, VAT included, per unit")),
        Column("floor_price", _l("Floor price"), "price"),
        Column("valid_from", _l("Valid from"), "date", help=_l("empty: today")),
        Column("valid_to", _l("Valid to"), "date", help=_l("last day; empty: open")),
    ),
    key=("list", "product", "qty_from", "valid_from"),
    check=_check_prices,
    apply=_apply_prices,
    export=_export_prices,
    group_by=("list", "product"),
    order=75,
    note=_l("A new price closes the one that holds at its first day; the past of a price is never changed."),
)

# --- supply prices ----------------------------------------------------------------------------------------------------


def _supply_entry(row: SheetRow, products: Mapping[str, int]) -> SupplyEntry:
    first = row.get("valid_from") or clock.today()
    return SupplyEntry(products[row.values["product"]], row.values["price"], first, row.get("valid_to"))


def _check_supply(rows: Sequence[SheetRow]) -> list[RowFault]:
    products = _products(rows)
    faults = [*repeated(rows, ("product", "valid_from")), *unknown(rows, "product", products)]
    bad = {fault.row for fault in faults}
    good = [row for row in rows if row.number not in bad and _complete(row, ("product", "price"))]
    return faults + _told(good, service.supply_faults([_supply_entry(row, products) for row in good]))


@command(Permission.SUPPLY_PRICE_EDIT)
def _apply_supply(rows: Sequence[SheetRow]) -> Applied:
    products = _products(rows)
    done = service.enter_supply_prices([_supply_entry(row, products) for row in rows])
    return Applied(len(rows) - done["unchanged"], 0, done["unchanged"])


def _export_supply() -> Iterable[Mapping[str, Any]]:
    statement = select(Product.code, SupplyPrice).join(SupplyPrice, SupplyPrice.product_id == Product.id)
    for product, price in db.session.execute(statement.order_by(Product.code, func.lower(SupplyPrice.valid))):
        yield {"product": product, "price": price.price, **_days(price.valid)}


SUPPLY = ImportSheet(
    code="supply_prices",
    label=_l("Supply prices"),
    permission=Permission.SUPPLY_PRICE_EDIT,
    columns=(
        Column("product", _l("Product"), "code", required=True, help=_l("code of the product")),
        Column("price", _l("Supply price, net"), "price", required=True),
        Column("valid_from", _l("Valid from"), "date", help=_l("empty: today")),
        Column("valid_to", _l("Valid to"), "date", help=_l("last day; empty: open")),
    ),
    key=("product", "valid_from"),
    check=_check_supply,
    apply=_apply_supply,
    export=_export_supply,
    group_by=("product",),
    order=76,
)

SHEETS = (LISTS, PRICES, SUPPLY)
