"""Commands on orders, shipments from orders, returns and quotations."""

from __future__ import annotations

from branches.orders import params as _params  # noqa: F401 - registers the parameters read here
from branches.orders.inputs import (
    OrderChange,
    OrderInput,
    OrderLineInput,
    ReturnInput,
    ReturnLineInput,
    SignedLine,
)
from branches.orders.service.billing import on_lines_issued
from branches.orders.service.cancel import cancel_order, short_close
from branches.orders.service.change import change_order
from branches.orders.service.hold import recheck_order, reject_hold, release_hold, who_releases
from branches.orders.service.preview import Preview, PreviewLine, preview
from branches.orders.service.quotes import order_from_quotation, quote, withdraw_quotation
from branches.orders.service.returns import credit_return, decide_return, receive_return, request_return
from branches.orders.service.ship import cancel_shipment, pick, send_out, sign
from branches.orders.service.submit import submit_for_later, submit_order

__all__ = [
    "OrderChange",
    "OrderInput",
    "OrderLineInput",
    "Preview",
    "PreviewLine",
    "ReturnInput",
    "ReturnLineInput",
    "SignedLine",
    "cancel_order",
    "cancel_shipment",
    "change_order",
    "credit_return",
    "decide_return",
    "on_lines_issued",
    "order_from_quotation",
    "pick",
    "preview",
    "quote",
    "receive_return",
    "recheck_order",
    "reject_hold",
    "release_hold",
    "request_return",
    "send_out",
    "short_close",
    "sign",
    "submit_for_later",
    "submit_order",
    "who_releases",
    "withdraw_quotation",
]
