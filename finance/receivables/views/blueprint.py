"""The blueprint of /receivables, its navigation and the words of its states."""

from __future__ import annotations

from flask import Blueprint

from sdm.kernel.frame import NavItem, nav, register_states
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission

blueprint = Blueprint("receivables", __name__, url_prefix="/receivables", template_folder="../templates")

ITEM_KINDS = {
    "invoice": _l("Invoice"),
    "credit": _l("Credit memo"),
    "debit": _l("Debit memo"),
    "receipt": _l("Receipt"),
    "opening": _l("Opening balance"),
}
REASONS = {
    "allowance": _l("Sales allowance"),
    "bad_debt": _l("Bad debt"),
    "bank_charge": _l("Bank charges"),
    "rounding": _l("Rounding difference"),
    "interest": _l("Interest on late payment"),
    "opening": _l("Opening balance"),
}

register_states(
    "receivable_adjustment",
    {
        "requested": (_l("Requested"), "warn"),
        "posted": (_l("Posted"), "good"),
        "rejected": (_l("Rejected"), "neutral"),
    },
)
nav.register(
    NavItem("money", _l("Ageing"), "receivables.ageing", Permission.RECEIVABLE_READ, "hourglass", order=30),
    NavItem("money", _l("Open items"), "receivables.items", Permission.RECEIVABLE_READ, "list-details", order=35),
    NavItem(
        "money", _l("Allocation"), "receivables.allocate", Permission.ALLOCATION_ENTER, "arrows-exchange", order=40
    ),
    NavItem("money", _l("Adjustments"), "receivables.adjustments", Permission.RECEIVABLE_READ, "adjustments", order=50),
)
