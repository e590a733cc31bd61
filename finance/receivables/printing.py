"""Words of figures: amounts in Chinese capitals, warnings as sentences, rows of printed tables."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import cn2an

from finance.receivables.queries.invoices import ShownLine
from sdm.kernel.frame import url_or_none
from sdm.kernel.i18n import _


def in_capitals(amount: Decimal) -> str:
    """The amount as written on Chinese invoices: 壹万贰仟叁佰元整; negative ones begin with 负."""
    sign = "负" if amount < 0 else ""
    return sign + str(cn2an.an2cn(f"{abs(amount):f}", "rmb"))


def warning_text(warning: Mapping[str, Any]) -> str:
    """A warning of the examination in the reader's language."""
    code = warning.get("code")
    if code == "limit" and warning.get("percent") is not None:
        return _(
            "Receivable %(percent)s%% of limit: %(receivable)s against %(limit)s",
            percent=warning["percent"],
            receivable=money(warning["receivable"]),
            limit=money(warning["limit"]),
        )
    if code == "limit":
        return _("The dealer has no credit limit; receivable %(receivable)s", receivable=money(warning["receivable"]))
    if code == "overdue":
        return _("Overdue %(amount)s, oldest by %(days)s days", amount=money(warning["amount"]), days=warning["days"])
    if code == "floor":
        return _("%(count)s lines are priced below the floor price", count=warning["count"])
    if code == "unsigned":
        return _("%(count)s lines are not signed for yet", count=warning["count"])
    if code == "dealer":
        return _("The dealer is blocked or inactive")
    return str(code)


def money(value: Any) -> str:
    """An amount with thousands separators."""
    return f"{Decimal(str(value)):,.2f}"


def line_row(line: ShownLine) -> dict[str, Any]:
    """A line for a table of a page."""
    names = (
        "line_no",
        "code",
        "name",
        "specification",
        "base_unit",
        "qty",
        "price",
        "gross",
        "net",
        "vat",
        "tax_rate",
        "cost",
        "margin",
        "shipment",
        "credited_qty",
    )
    url = url_or_none("shipments.show", id=line.shipment_id) if line.shipment_id else None
    return {**{name: getattr(line, name) for name in names}, "shipment_url": url}
