"""The first page of everybody, and the search."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from sdm.auth import labels
from sdm.auth import queries as auth
from sdm.cases import queries as cases
from sdm.cases import registry
from sdm.cockpit import (
    dealer_tabs,  # noqa: F401 - fills the tabs of the dealer's page
    tiles,
)
from sdm.cockpit import search as finder
from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.frame import NavItem, may, nav, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import json_reply, page, view

home = Blueprint("home", __name__, template_folder="templates")
search = Blueprint("search", __name__, url_prefix="/search", template_folder="templates")
nav.register(NavItem("work", _l("Work place"), "home.index", None, "home", order=10))
WAITING_SHOWN = 8
QUICK_HITS, PAGE_HITS = 5, 50

# What a person of this place does most: label, endpoint, permission, icon.
SHORTCUTS: dict[str, tuple[tuple[Any, str, str | None, str], ...]] = {
    "clerk": (
        (_l("New order"), "orders.new", Permission.ORDER_ENTER, "shopping-cart"),
        (_l("New return"), "returns.new", Permission.RETURN_ENTER, "truck-return"),
    ),
    "storekeeper": (
        (_l("New goods receipt"), "goods_receipts.new", Permission.GOODS_RECEIPT_POST, "package"),
        (_l("To ship"), "shipments.to_ship", Permission.SHIPMENT_READ, "truck-delivery"),
    ),
    "branch_manager": (
        (_l("Release desk"), "orders.desk", Permission.ORDER_READ, "lock-open"),
        (_l("New order"), "orders.new", Permission.ORDER_ENTER, "shopping-cart"),
    ),
    "finance": (
        (_l("New receipt"), "receipts.new", Permission.RECEIPT_ENTER, "cash"),
        (_l("To bill"), "invoices.to_bill", Permission.INVOICE_READ, "file-invoice"),
        (_l("Ageing"), "receivables.ageing", Permission.RECEIVABLE_READ, "calendar-stats"),
    ),
    "executive": (
        (_l("Ageing"), "receivables.ageing", Permission.RECEIVABLE_READ, "calendar-stats"),
        (_l("Release desk"), "orders.desk", Permission.ORDER_READ, "lock-open"),
    ),
    "administrator": (
        (_l("Users"), "auth.users", Permission.USER_READ, "users"),
        (_l("Parameters"), "org.parameters", Permission.PARAMETER_EDIT, "settings"),
        (_l("Approval routes"), "cases.routes", Permission.ROUTE_EDIT, "route"),
    ),
}


@home.get("/")
@view()
def index() -> str:
    """The work place of the person's role: at most nine tiles, and what waits for him."""
    actor = current()
    place = auth.work_place(actor.user_id)
    shortcuts = [
        (label, url, icon)
        for label, endpoint, permission, icon in SHORTCUTS.get(place, ())
        if may(permission) and (url := url_or_none(endpoint))
    ]
    return page(
        "cockpit/home.html",
        place=labels.WORK_PLACE_LABELS.get(place, place),
        tiles=tiles.of_place(place),
        waiting=_waiting() if may(Permission.CASE_READ) else [],
        shortcuts=shortcuts,
        today=clock.today(),
    )


def _waiting() -> list[dict[str, Any]]:
    """The oldest work items that wait for the person."""
    found = cases.inbox().order_by(cases.WorkItem.due_at.asc().nulls_last(), cases.WorkItem.id).limit(WAITING_SHOWN)
    rows = []
    for item in db.session.execute(found).scalars():
        kind = registry.kind_of(item.kind)
        overdue = item.due_at is not None and item.due_at < clock.now()
        rows.append(
            {
                "label": item.title,
                "note": str(kind.label) if kind else item.kind,
                "url": url_or_none("cases.show", id=item.id),
                "tone": "bad" if overdue else "",
            }
        )
    return rows


@search.get("/quick")
@view(Permission.SEARCH)
def quick() -> Response:
    """Hits while typing, grouped."""
    groups = finder.search(request.args.get("q", ""), QUICK_HITS)
    return json_reply(
        {
            "groups": [
                {"label": group.label, "hits": [{"label": h.label, "hint": h.hint, "url": h.url} for h in group.hits]}
                for group in groups
            ]
        }
    )


@search.get("/")
@view(Permission.SEARCH)
def results() -> str:
    """All hits on one page."""
    text = finder.cleaned(request.args.get("q", ""))
    return page("cockpit/search.html", text=text, groups=finder.search(text, PAGE_HITS), title=_("Search"))
