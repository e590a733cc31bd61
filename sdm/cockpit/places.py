"""Work places by role (BA-17): which figures stand on whose first page, what he does most, and what to do first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, select

from branches.catalogue.models import Product
from branches.orders.models import SalesOrder
from branches.org.models import Dealer, Unit, Warehouse
from branches.pricing.models import PriceList
from finance.receivables.models import Invoice
from inventory.receipts.models import GoodsReceipt
from sdm.auth.labels import WORK_PLACE_LABELS
from sdm.cockpit import figures
from sdm.cockpit.figures import COUNT, FIGURES, Days, Figure, Read
from sdm.kernel import formats
from sdm.kernel.db import db
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission as P

Tile = dict[str, Any]
TILES_MAX = 9

PLACES: dict[str, tuple[str, ...]] = {
    "clerk": (
        "inbox", "drafts", "orders_today", "orders_held", "orders_to_ship", "late", "to_bill", "quotations_ending",
        "overdue",
    ),
    "storekeeper": (
        "to_ship", "orders_to_ship", "in_transit", "late", "receipts_to_post", "returns_to_receive", "shipped_today",
        "nothing_available", "inbox",
    ),
    "branch_manager": (
        "inbox", "orders_held", "late", "sales_month", "collected_month", "receivable", "overdue", "over_limit",
        "stock_value",
    ),
    "finance": (
        "inbox", "to_examine", "to_issue", "to_bill", "unmatched", "collected_month", "receivable", "overdue",
        "over_limit",
    ),
    "executive": (
        "sales_today", "sales_month", "collected_month", "receivable", "overdue", "stock_value", "in_transit_amount",
        "orders_held", "inbox",
    ),
    "administrator": (
        "inbox", "failed_jobs", "failed_deliveries", "users", "people_working", "units", "warehouses", "dealers", "products",
    ),
}  # fmt: skip

# What a person of this place does most: label, endpoint, permission, icon. The first is the primary button.
SHORTCUTS: dict[str, tuple[tuple[Any, str, str | None, str], ...]] = {
    "clerk": (
        (_l("New order"), "orders.new", P.ORDER_ENTER, "plus"),
        (_l("New return"), "returns.new", P.RETURN_ENTER, "truck-return"),
    ),
    "storekeeper": (
        (_l("New goods receipt"), "goods_receipts.new", P.GOODS_RECEIPT_POST, "plus"),
        (_l("To ship"), "shipments.to_ship", P.SHIPMENT_READ, "truck-delivery"),
    ),
    "branch_manager": (
        (_l("Release desk"), "orders.desk", P.ORDER_READ, "lock-open"),
        (_l("New order"), "orders.new", P.ORDER_ENTER, "plus"),
    ),
    "finance": (
        (_l("New receipt"), "receipts.new", P.RECEIPT_ENTER, "plus"),
        (_l("To bill"), "invoices.to_bill", P.INVOICE_APPLY, "file-invoice"),
        (_l("Ageing"), "receivables.ageing", P.RECEIVABLE_READ, "calendar-stats"),
    ),
    "executive": (
        (_l("Ageing"), "receivables.ageing", P.RECEIVABLE_READ, "calendar-stats"),
        (_l("Release desk"), "orders.desk", P.ORDER_READ, "lock-open"),
    ),
    "administrator": (
        (_l("Users"), "auth.users", P.USER_READ, "users"),
        (_l("Parameters"), "org.parameters", P.PARAMETER_EDIT, "settings"),
        (_l("Approval routes"), "cases.routes", P.ROUTE_EDIT, "route"),
    ),
}


def label(place: str) -> str:
    """The word of a work place."""
    return str(WORK_PLACE_LABELS.get(place, place))


def shortcuts(place: str) -> list[tuple[str, str, str]]:
    """(label, address, icon) of what the actor may do from here."""
    return [
        (str(text), url, icon)
        for text, endpoint, permission, icon in SHORTCUTS.get(place, ())
        if may(permission) and (url := url_or_none(endpoint))
    ]


# --- tiles ------------------------------------------------------------------------------------------------------------


def tiles(place: str) -> list[Tile]:
    """The tiles of a work place that the actor may see; one statement per source of figures."""
    names = [name for name in PLACES.get(place, PLACES["clerk"]) if may(FIGURES[name].permission)][:TILES_MAX]
    return [_tile(read) for read in figures.read(names)]


def _tile(read: Read) -> Tile:
    figure = read.figure
    text, unit = _written(read.value, figure.unit)
    tile: Tile = {
        "label": figure.label,
        "figure": text,
        "unit": unit,
        "url": _address(figure, read.days),
        "icon": figure.icon,
        "note": _note(read),
    }
    if read.before:
        tile["before"] = " ".join(_written(read.before, figure.unit))
        tile["before_label"] = _("same days last month")
    if figure.alarm and read.value:
        tile |= {"tone": "bad", "word": _("act now")}
    elif not read.value:
        tile["tone"] = "none"
    return tile


def _note(read: Read) -> str:
    if read.also is None or not read.also:
        return str(read.figure.note)
    text, unit = _written(read.also, read.figure.also_unit)
    words = (text, unit, str(read.figure.also_label))
    return " ".join(word for word in words if word)


def _written(value: Decimal, kind: str) -> tuple[str, str]:
    """A count or an amount with its unit."""
    return (formats.plain_qty(value), "") if kind == COUNT else formats.large(value)


def _address(figure: Figure, days: Days) -> str | None:
    """The list behind a figure: the first that the actor may open."""
    for endpoint, permission, values in figure.links:
        if may(permission) and (url := url_or_none(endpoint, **dict(values(days)))):
            return url
    return None


# --- an empty company -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """Something that must be there before work begins; ``doors``: (label, endpoint, permission)."""

    key: str
    label: Any
    why: Any
    doors: tuple[tuple[Any, str, str], ...]


STEPS: tuple[Step, ...] = (
    Step("branch", _l("Branches"), _l("The units that sell, collect and own goods"),
         ((_l("Units"), "org.units", P.ORG_EDIT), (_l("Import"), "intake.index", P.IMPORT_RUN))),
    Step("warehouse", _l("Warehouses"), _l("Where goods lie and leave from"),
         ((_l("New warehouse"), "org.create_warehouse", P.WAREHOUSE_EDIT),)),
    Step("product", _l("Products"), _l("What is sold, with packs and barcodes"),
         ((_l("New product"), "catalogue.new", P.PRODUCT_EDIT), (_l("Import"), "intake.index", P.IMPORT_RUN))),
    Step("price", _l("Price lists"), _l("Orders take their prices from these"),
         ((_l("New price list"), "pricing.new", P.PRICE_EDIT),)),
    Step("dealer", _l("Dealers"), _l("Who buys; each gets a credit account"),
         ((_l("New dealer"), "dealers.new", P.DEALER_EDIT), (_l("Import"), "intake.index", P.IMPORT_RUN))),
    Step("stock", _l("Opening stock"), _l("Goods receipts bring stock into a warehouse"),
         ((_l("New goods receipt"), "goods_receipts.new", P.GOODS_RECEIPT_POST),
          (_l("Import"), "intake.index", P.IMPORT_RUN))),
    Step("sale", _l("First order or take-on"), _l("Enter an order, or take over last year's invoices"),
         ((_l("New order"), "orders.new", P.ORDER_ENTER), (_l("Take-on"), "intake.take_on_index", P.TAKE_ON_RUN))),
)  # fmt: skip
NEEDED = ("branch", "warehouse", "product", "price", "dealer")


def first_steps() -> list[Tile]:
    """What to do first, as tiles, while something that every order needs is missing; nothing afterwards."""
    there = _there()
    if all(there[key] for key in NEEDED):
        return []
    open_ = [step for step in STEPS if not there[step.key]]
    return [_step_tile(step, there, step is open_[0]) for step in STEPS]


def _there() -> Mapping[str, bool]:
    """Which steps are done, in one statement in the actor's scope."""
    found = db.session.execute(
        select(
            exists(select(Unit.id).where(Unit.kind != "head_office")).label("branch"),
            exists(select(Warehouse.id)).label("warehouse"),
            exists(select(Product.id)).label("product"),
            exists(select(PriceList.id)).label("price"),
            exists(select(Dealer.id)).label("dealer"),
            exists(select(GoodsReceipt.id)).label("stock"),
            (exists(select(SalesOrder.id)) | exists(select(Invoice.id))).label("sale"),
        )
    ).one()
    return dict(found._mapping)


def _step_tile(step: Step, there: Mapping[str, bool], is_next: bool) -> Tile:
    number = STEPS.index(step) + 1
    tile: Tile = {"label": step.label, "figure": str(number), "note": step.why, "icon": "circle-plus"}
    if there[step.key]:
        return tile | {"tone": "good", "word": _("done")}
    door = next((url for _text, end, right in step.doors if may(right) and (url := url_or_none(end))), None)
    if is_next:
        tile |= {"tone": "warn", "word": _("next step")}
    if door is None:
        tile["note"] = _("%(why)s – the administrator does this", why=step.why)
    return tile | {"url": door}
