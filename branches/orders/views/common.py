"""What the pages of this package share."""

from __future__ import annotations

from typing import Any

from flask import request

from sdm.kernel.i18n import _l

SOURCES: dict[str, Any] = {
    "clerk": _l("Clerk"),
    "portal": _l("Portal"),
    "file": _l("File"),
    "api": _l("API"),
    "take-on": _l("Take-on"),
    "job": _l("Job"),
}
MODES: dict[str, Any] = {
    "prepaid": _l("Cash before shipment"),
    "term": _l("Term payment"),
    "consignment": _l("Consignment"),
}
ACTIONS: dict[str, Any] = {
    "submit": _l("Submitted"),
    "gate": _l("Checked"),
    "recheck": _l("Checked again"),
    "change": _l("Changed"),
    "cancel": _l("Cancelled"),
    "short_close": _l("Short-closed"),
    "pick": _l("Picked"),
    "unpick": _l("Shipment cancelled"),
    "send_out": _l("Shipped"),
    "sign": _l("Signed"),
    "bill": _l("Billed"),
    "take_back": _l("Goods taken back"),
    "close": _l("Closed: paid"),
    "reopen": _l("Reopened: no longer paid"),
    "expire": _l("Reservation ran out"),
    "quote": _l("Quoted"),
    "order": _l("Ordered"),
    "withdraw": _l("Withdrawn"),
    "request": _l("Requested"),
    "approve": _l("Approved"),
    "reject": _l("Rejected"),
    "receive": _l("Received"),
    "credit": _l("Credited"),
    "release:credit": _l("Released: credit"),
    "release:overdue": _l("Released: overdue"),
    "release:dealer": _l("Released: blocked dealer"),
    "release:price": _l("Released: price"),
    "release:authority": _l("Released: discount"),
    "release:amount": _l("Released: amount"),
    "release:shortage": _l("Confirmed what was available"),
    "reject:credit": _l("Rejected: credit"),
    "reject:overdue": _l("Rejected: overdue"),
    "reject:dealer": _l("Rejected: blocked dealer"),
    "reject:price": _l("Rejected: price"),
    "reject:authority": _l("Rejected: discount"),
    "reject:amount": _l("Rejected: amount"),
    "reject:shortage": _l("Rejected: shortage"),
}


def version() -> int | None:
    """The row version of the posted form, for "changed meanwhile"."""
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def reason() -> str:
    """The reason of the posted form."""
    return request.form.get("reason", "").replace("\x00", "").strip()[:200]


def number_of(name: str, source: Any = None) -> int | None:
    """A whole number of the form (or another mapping), None without one."""
    text = (request.form if source is None else source).get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def body() -> dict[str, Any]:
    """The JSON of a grid's request."""
    data = request.get_json(silent=True)
    return data if isinstance(data, dict) else {}
