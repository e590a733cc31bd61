"""`home` (work places) and `search` (while typing, and its results page)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from sdm.auth import queries as auth
from sdm.cases import queries as cases
from sdm.cases import registry
from sdm.cases.models import WorkItem
from sdm.cockpit import (
    dealer_tabs,  # noqa: F401 - fills the tabs of the dealer's page
    places,
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
QUICK_HITS, PAGE_HITS = 6, 30


@home.get("/")
@view()
def index() -> str:
    """The work place of the person's role: at most nine tiles, and what waits for him the longest."""
    own = _own_places()
    chosen = request.args.get("place", "")
    place = chosen if chosen in own else own[0]
    steps = places.first_steps()
    return page(
        "cockpit/home.html",
        place=places.label(place),
        others=[(places.label(code), url_or_none("home.index", place=code)) for code in own if code != place],
        tiles=steps or places.tiles(place),
        is_empty=bool(steps),
        waiting=_waiting() if not steps and may(Permission.CASE_READ) else [],
        shortcuts=[] if steps else places.shortcuts(place),
        now=clock.now(),
    )


def _own_places() -> list[str]:
    """Work places of the person's roles, that of the first role first."""
    user_id = current().user_id
    found = list(auth.profile(user_id).work_places) if user_id is not None else []
    return [code for code in found if code in places.PLACES] or ["clerk"]


def _waiting() -> list[dict[str, Any]]:
    """The work items that wait for the person, what is due first on top."""
    found = cases.inbox().order_by(WorkItem.due_at.asc().nulls_last(), WorkItem.id).limit(WAITING_SHOWN)
    rows = []
    for item in db.session.execute(found).scalars():
        kind = registry.kind_of(item.kind)
        rows.append(
            {
                "label": item.title,
                "note": str(kind.label) if kind else item.kind,
                "url": url_or_none("cases.show", id=item.id),
                "tone": "bad" if item.due_at is not None and item.due_at < clock.now() else "",
            }
        )
    return rows


@search.get("/quick")
@view(Permission.SEARCH)
def quick() -> Response:
    """Hits while typing, grouped; `all` is the page with all of them."""
    text = finder.cleaned(request.args.get("q", ""))
    groups = [
        {"label": group.label, "hits": [{"label": hit.label, "hint": hit.hint, "url": hit.url} for hit in group.hits]}
        for group in finder.search(text, QUICK_HITS)
    ]
    link = {"label": _("All results for “%(text)s”", text=text), "url": url_or_none("search.results", q=text)}
    return json_reply({"groups": groups, "all": link if text else None})


@search.get("/")
@view(Permission.SEARCH)
def results() -> str:
    """All hits on one page, each group with the list of all of its kind."""
    text = finder.cleaned(request.args.get("q", ""))
    return page("cockpit/search.html", text=text, groups=finder.search(text, PAGE_HITS), shown=PAGE_HITS)
