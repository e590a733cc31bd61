"""The tiles of the work places: what waits for whom, and the figures of the day (BA-17). At most nine each."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sdm.cases import queries as cases
from sdm.cockpit import queries
from sdm.cockpit.queries import Count, Figures
from sdm.kernel import clock, formats
from sdm.kernel.actor import current
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _
from sdm.kernel.permissions import Permission as P

Tile = dict[str, Any]
TILES_MAX = 9


def _waiting(
    label: str, count: Count, endpoint: str, icon: str, urgent: bool = False, unit: str = "", **values: Any
) -> Tile:
    """A count that opens its list; red only when someone is needed now."""
    tile: Tile = {
        "label": label,
        "figure": f"{count.number:,}",
        "unit": unit,
        "url": url_or_none(endpoint, **values),
        "icon": icon,
    }
    if count.amount is not None and count.number:
        tile["note"] = formats.plain_amount(count.amount)
    if urgent and count.number:
        tile |= {"tone": "bad", "word": _("needs someone now")}
    elif count.number:
        tile |= {"tone": "warn", "word": _("waiting")}
    else:
        tile |= {"tone": "good", "word": _("nothing waits")}
    return tile


def _figure(
    label: str,
    amount: Decimal,
    endpoint: str,
    icon: str,
    before: Decimal | None = None,
    trend: Any = None,
    **values: Any,
) -> Tile:
    """An amount with what it was before."""
    tile: Tile = {
        "label": label,
        "figure": formats.wan(amount),
        "unit": _("10k CNY"),
        "url": url_or_none(endpoint, **values),
        "icon": icon,
        "as_of": clock.now(),
    }
    if before is not None:
        tile |= {"before": formats.wan(before), "before_label": _("same days last month")}
        tile |= {"tone": "good", "word": _("ahead")} if amount >= before else {"tone": "warn", "word": _("behind")}
    if trend is not None:
        tile["trend"] = trend
    return tile


# --- what waits -------------------------------------------------------------------------------------------------------


def inbox(f: Figures) -> Tile:
    """Work items that wait for me."""
    found = cases.badge(current())
    return _waiting(_("Inbox"), Count(found.count), "cases.inbox", "inbox", urgent=found.urgent)


def drafts(f: Figures) -> Tile:
    """What I did not finish."""
    return _waiting(_("My drafts"), queries.drafts_of(current().user_id), "drafts.index", "pencil")


def held(f: Figures) -> Tile:
    """Held orders."""
    return _waiting(_("Held orders"), queries.orders("held"), "orders.desk", "hand-stop", urgent=True)


def to_pick(f: Figures) -> Tile:
    """Confirmed orders of which something is still to be shipped."""
    found = queries.orders("confirmed", "part_shipped")
    url = {"state": ["confirmed", "part_shipped"]}
    return _waiting(_("Orders to ship"), found, "orders.index", "package", **url)


def not_billed(f: Figures) -> Tile:
    """Shipped orders that are not billed."""
    found = queries.orders("shipped", "short_closed")
    return _waiting(_("Shipped, not billed"), found, "orders.index", "file-invoice", state=["shipped", "short_closed"])


def returns_open(f: Figures) -> Tile:
    """Returns on their way through."""
    found = queries.returns("requested", "approved", "received")
    states = ["requested", "approved", "received"]
    return _waiting(_("Returns under way"), found, "returns.index", "truck-return", state=states)


def returns_to_approve(f: Figures) -> Tile:
    """Returns that wait for approval."""
    return _waiting(
        _("Returns to approve"), queries.returns("requested"), "returns.index", "truck-return", state="requested"
    )


def returns_to_receive(f: Figures) -> Tile:
    """Approved returns whose goods are awaited."""
    found = queries.returns("approved")
    return _waiting(_("Returns to receive"), found, "returns.index", "truck-return", state="approved")


def quotations_ending(f: Figures) -> Tile:
    """Quotations that run out within a week."""
    found = queries.quotations_ending()
    return _waiting(_("Quotations running out"), found, "quotations.index", "file-description", state="open")


def orders_today(f: Figures) -> Tile:
    """Orders of today."""
    found = queries.orders_today()
    today = clock.today().isoformat()
    tile = _waiting(_("Orders today"), found, "orders.index", "shopping-cart", **{"date.from": today})
    return {key: value for key, value in tile.items() if key not in {"tone", "word"}}


def overdue(f: Figures) -> Tile:
    """Overdue receivable."""
    found = f.receivable
    tile = _figure(_("Overdue"), found.overdue, "receivables.ageing", "alert-circle", by="dealer")
    tile["note"] = _("%(count)s dealers", count=found.overdue_payers)
    if found.overdue:
        tile |= {"tone": "bad", "word": _("needs someone now")}
    return tile


def to_ship(f: Figures) -> Tile:
    """Picked shipments."""
    return _waiting(_("Picked, to ship"), queries.shipments("picked"), "shipments.to_ship", "truck-delivery")


def in_transit(f: Figures) -> Tile:
    """Shipments on the way."""
    return _waiting(_("In transit"), queries.shipments("shipped"), "shipments.in_transit", "truck")


def late(f: Figures) -> Tile:
    """Shipments later than expected."""
    return _waiting(_("Late deliveries"), queries.late(), "shipments.in_transit", "clock", urgent=True)


def receipts_to_post(f: Figures) -> Tile:
    """Goods receipts to post."""
    return _waiting(
        _("Goods receipts to post"), queries.receipts_to_post(), "goods_receipts.index", "package", state="draft"
    )


def shortages(f: Figures) -> Tile:
    """Orders held for a shortage."""
    return _waiting(_("Shortages"), queries.shortages(), "orders.desk", "alert-triangle", urgent=True, hold="shortage")


def to_examine(f: Figures) -> Tile:
    """Invoice applications to examine."""
    found = queries.invoices("submitted")
    return _waiting(_("Invoices to examine"), found, "invoices.index", "file-check", state="submitted")


def to_issue(f: Figures) -> Tile:
    """Approved invoices."""
    found = queries.invoices("approved")
    return _waiting(_("Invoices to issue"), found, "invoices.index", "file-invoice", state="approved")


def to_bill(f: Figures) -> Tile:
    """Deliveries to bill."""
    return _waiting(_("Deliveries to bill"), queries.to_bill(), "invoices.to_bill", "file-plus")


def unallocated(f: Figures) -> Tile:
    """Receipts not matched yet."""
    found = f.receivable
    count = Count(found.unallocated_items, found.unallocated)
    return _waiting(_("Receipts to match"), count, "receivables.allocate", "exchange")


def adjustments(f: Figures) -> Tile:
    """Adjustments to approve."""
    return _waiting(
        _("Adjustments to approve"),
        queries.adjustments_requested(),
        "receivables.adjustments",
        "edit",
        state="requested",
    )


def limits(f: Figures) -> Tile:
    """Credit limits to decide."""
    return _waiting(
        _("Credit limits to decide"), queries.limits_proposed(), "credit.changes", "scale", state="proposed"
    )


def over_limit(f: Figures) -> Tile:
    """Payers above their limit."""
    return _waiting(_("Dealers over their limit"), Count(queries.over_limit()), "credit.index", "gauge", urgent=True)


# --- figures of the day -----------------------------------------------------------------------------------------------


def sales_month(f: Figures) -> Tile:
    """Net sales of this month, from the ledger."""
    found = f.sales
    tile = _figure(_("Sales this month"), found.sales, "invoices.margin", "trending-up", found.sales_before, _trend())
    tile["note"] = _("today %(amount)s", amount=formats.plain_amount(found.sales_today))
    return tile


def _trend() -> dict[str, Any]:
    days = queries.sales_by_day()
    bars = {"type": "bar", "x": [day.isoformat() for day, _sales in days], "y": [int(sales) for _day, sales in days]}
    return {"data": [bars], "layout": {}}


def collected_month(f: Figures) -> Tile:
    """Money collected this month, from the ledger."""
    found = f.sales
    tile = _figure(_("Collected this month"), found.collected, "receipts.index", "cash", found.collected_before)
    tile["note"] = _("today %(amount)s", amount=formats.plain_amount(found.collected_today))
    return tile


def receivable(f: Figures) -> Tile:
    """Receivable, from the open items."""
    return _figure(_("Receivable"), f.receivable.total, "receivables.ageing", "report-money")


def stock_value(f: Figures) -> Tile:
    """Carrying value of our stock."""
    return _figure(_("Stock value"), queries.stock_value(), "stock.index", "building-warehouse")


# --- administration ---------------------------------------------------------------------------------------------------


def failed_jobs(f: Figures) -> Tile:
    """Jobs that failed."""
    return _waiting(_("Failed jobs"), Count(f.system.jobs), "system.index", "server", urgent=True)


def failed_deliveries(f: Figures) -> Tile:
    """Events that could not be delivered."""
    return _waiting(_("Undelivered events"), Count(f.system.deliveries), "system.index", "send", urgent=True)


def users(f: Figures) -> Tile:
    """Active users."""
    tile = _waiting(_("Active users"), Count(f.system.users), "auth.users", "users")
    return {key: value for key, value in tile.items() if key not in {"tone", "word"}}


Make = Callable[[Figures], Tile]
# (what makes the tile, permission to see it), in the order of the page
PLACES: dict[str, tuple[tuple[Make, str | None], ...]] = {
    "clerk": (
        (inbox, P.CASE_READ), (drafts, P.ORDER_ENTER), (orders_today, P.ORDER_READ), (held, P.ORDER_READ),
        (to_pick, P.ORDER_READ), (not_billed, P.ORDER_READ), (returns_open, P.RETURN_READ),
        (quotations_ending, P.QUOTATION_READ), (overdue, P.RECEIVABLE_READ),
    ),
    "storekeeper": (
        (to_ship, P.SHIPMENT_READ), (to_pick, P.ORDER_READ), (in_transit, P.SHIPMENT_READ), (late, P.SHIPMENT_READ),
        (receipts_to_post, P.GOODS_RECEIPT_READ), (returns_to_receive, P.RETURN_READ), (shortages, P.ORDER_READ),
        (inbox, P.CASE_READ), (drafts, P.GOODS_RECEIPT_POST),
    ),
    "branch_manager": (
        (inbox, P.CASE_READ), (held, P.ORDER_READ), (returns_to_approve, P.RETURN_READ), (sales_month, P.COCKPIT_READ),
        (collected_month, P.COCKPIT_READ), (receivable, P.RECEIVABLE_READ), (overdue, P.RECEIVABLE_READ),
        (stock_value, P.STOCK_READ), (late, P.SHIPMENT_READ),
    ),
    "finance": (
        (inbox, P.CASE_READ), (to_examine, P.INVOICE_READ), (to_issue, P.INVOICE_READ), (to_bill, P.INVOICE_READ),
        (unallocated, P.ALLOCATION_ENTER), (overdue, P.RECEIVABLE_READ), (over_limit, P.CREDIT_READ),
        (limits, P.CREDIT_READ), (adjustments, P.RECEIVABLE_READ),
    ),
    "executive": (
        (sales_month, P.COCKPIT_READ), (collected_month, P.COCKPIT_READ), (receivable, P.RECEIVABLE_READ),
        (overdue, P.RECEIVABLE_READ), (stock_value, P.STOCK_READ), (over_limit, P.CREDIT_READ), (held, P.ORDER_READ),
        (late, P.SHIPMENT_READ), (inbox, P.CASE_READ),
    ),
    "administrator": (
        (inbox, P.CASE_READ), (failed_jobs, P.SYSTEM_READ), (failed_deliveries, P.SYSTEM_READ), (users, P.USER_READ),
    ),
}  # fmt: skip


def of_place(place: str) -> list[Tile]:
    """The tiles of a work place that the actor may see."""
    wanted = PLACES.get(place, PLACES["clerk"])
    figures = Figures()
    return [make(figures) for make, permission in wanted if permission is None or may(permission)][:TILES_MAX]
