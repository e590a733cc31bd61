"""What orders give to the registries: document kinds, kinds of work items, readers of events, hooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from branches.orders import rules
from branches.orders.models import Quotation, SalesOrder, SalesReturn
from branches.orders.service import hold, returns, ship
from sdm.cases.registry import CaseKind, Figure, Result, ResultField
from sdm.kernel import clock
from sdm.kernel.documents import DocumentKind
from sdm.kernel.frame import register_states
from sdm.kernel.i18n import _l
from sdm.kernel.outbox import Reader
from sdm.kernel.permissions import Permission

HOLD_LABELS = {
    "dealer": _l("Dealer blocked"),
    "overdue": _l("Overdue"),
    "credit": _l("Credit limit exceeded"),
    "price": _l("Price below floor"),
    "authority": _l("Discount above authority"),
    "amount": _l("Amount needs approval"),
    "shortage": _l("Shortage"),
}
HOLD_FIGURES: dict[str, Figure] = {
    "limit": Figure(_l("Credit limit"), "amount"),
    "exposure": Figure(_l("Credit exposure"), "amount"),
    "amount": Figure(_l("This order"), "amount"),
    "excess": Figure(_l("Excess"), "amount"),
    "overdue_amount": Figure(_l("Overdue amount"), "amount"),
    "overdue_days": Figure(_l("Days overdue"), "integer"),
    "authority": Figure(_l("Authority"), "percent"),
    "from": Figure(_l("Approval from"), "amount"),
    "reason": Figure(_l("Reason")),
}

register_states(
    "sales_order",
    {
        "submitted": (_l("Submitted"), "neutral"),
        "held": (_l("Held"), "bad"),
        "confirmed": (_l("Confirmed"), "info"),
        "part_shipped": (_l("Part shipped"), "info"),
        "shipped": (_l("Shipped"), "info"),
        "invoiced": (_l("Invoiced"), "good"),
        "closed": (_l("Closed"), "good"),
        "cancelled": (_l("Cancelled"), "neutral"),
        "short_closed": (_l("Short-closed"), "warn"),
    },
)
register_states(
    "sales_return",
    {
        "requested": (_l("Requested"), "warn"),
        "approved": (_l("Approved"), "info"),
        "rejected": (_l("Rejected"), "neutral"),
        "received": (_l("Received"), "info"),
        "credited": (_l("Credited"), "good"),
    },
)
register_states(
    "quotation",
    {
        "open": (_l("Open"), "info"),
        "ordered": (_l("Ordered"), "good"),
        "expired": (_l("Expired"), "neutral"),
        "withdrawn": (_l("Withdrawn"), "neutral"),
    },
)
register_states(
    "order_hold",
    {
        "open": (_l("Open"), "bad"),
        "released": (_l("Released"), "good"),
        "rejected": (_l("Rejected"), "neutral"),
        "cleared": (_l("Cleared"), "good"),
    },
)

DOCUMENT_KINDS = (
    DocumentKind("sales_order", SalesOrder, "orders.show", Permission.ORDER_READ, _l("Sales order")),
    DocumentKind("sales_return", SalesReturn, "returns.show", Permission.RETURN_READ, _l("Sales return")),
    DocumentKind("quotation", Quotation, "quotations.show", Permission.QUOTATION_READ, _l("Quotation")),
)


def _release_amount(item: Any) -> Any:
    figures = item.figures
    return figures.get("excess") or figures.get("overdue_amount") or figures.get("amount")


def _release_until(_item: Any) -> Any:
    return clock.today() + timedelta(days=7)


_RELEASE_FIELDS = (
    ResultField("amount", _l("Up to amount"), "amount", _release_amount),
    ResultField("until", _l("Valid until"), "date", _release_until),
)


def _hold_kind(kind: str) -> CaseKind:
    release = (
        Result("release", _l("Confirm what is available"), "primary")
        if kind == "shortage"
        else Result("release", _l("Release"), "primary", fields=_RELEASE_FIELDS)
    )
    return CaseKind(
        code=f"order_hold_{kind}",
        label=HOLD_LABELS[kind],
        results=(release, Result("reject", _l("Reject"), "bad", needs_comment=True)),
        on_result=hold.on_result,
        permission=rules.RELEASE_PERMISSION[kind],
        figures=HOLD_FIGURES,
        lock=hold.lock_subject,
    )


CASE_KINDS = (
    *(_hold_kind(kind) for kind in rules.HOLD_KINDS),
    CaseKind(
        code="sales_return",
        label=_l("Sales return"),
        results=(
            Result("approve", _l("Approve"), "primary"),
            Result("reject", _l("Reject"), "bad", needs_comment=True),
        ),
        on_result=returns.on_result,
        permission=Permission.RETURN_APPROVE,
        figures={"amount": Figure(_l("Amount"), "amount"), "reason": Figure(_l("Reason"))},
        lock=returns.lock_subject,
    ),
)

EVENT_READERS = (
    Reader(
        "orders.what_may_go_on",
        frozenset({"credit.freed", "receipt.recorded", "goods_receipt.posted", "stock.freed"}),
        hold.note_what_may_go_on,
    ),
    Reader("orders.gate", frozenset({"order.gate_due"}), hold.gate_due),
    Reader("orders.recheck", frozenset({"order.recheck_due"}), hold.recheck_due),
    Reader("orders.reservation_expired", frozenset({"reservation.expired"}), hold.reservation_expired),
    Reader("orders.credit_returns", frozenset({"return.received"}), returns.credit_received),
)


def on_send_out(shipment_id: int, **values: Any) -> Any:
    """Hook ``shipment.send_out``."""
    return ship.send_out(shipment_id, **values)


def on_sign(shipment_id: int, **values: Any) -> Any:
    """Hook ``shipment.sign``."""
    return ship.sign(shipment_id, **values)


def on_cancel(shipment_id: int, **values: Any) -> Any:
    """Hook ``shipment.cancel``."""
    return ship.cancel_shipment(shipment_id, **values)
