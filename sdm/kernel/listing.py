"""List pages. A page declares a `ListSpec`; its view is `return render_list(SPEC)`.

Filters, sort, page, columns and units live in the address. Saved views are kept per person in `saved_view`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request
from sqlalchemy import CheckConstraint, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel import listing_query as query
from sdm.kernel.actor import current
from sdm.kernel.columns import Created, Id, Long, Name, Ref
from sdm.kernel.command import command
from sdm.kernel.db import Base, db
from sdm.kernel.errors import (
    N_,
    FieldError,
    Forbidden,
    InvalidInput,
    SdmError,
    describe,
)
from sdm.kernel.i18n import _, error_text
from sdm.kernel.listing_export import export
from sdm.kernel.listing_query import ListState
from sdm.kernel.listing_spec import BulkAction, Button, Column, ListSpec, Preset
from sdm.kernel.web import is_partial, json_reply, local_address, view

__all__ = ["BulkAction", "Button", "Column", "ListSpec", "Preset", "SavedView", "render_list", "views"]

BULK_MAX = 1_000
VIEWS_MAX = 50

describe(
    {
        "listing.action": N_("%(value)s is no action of this list"),
        "listing.too_many": N_("At most %(max)s rows at once; narrow the list by a filter"),
        "listing.nothing": N_("Select at least one row"),
        "listing.views_full": N_("At most %(max)s views per list; delete one first"),
    }
)


class SavedView(Base):
    """A person's named view of one list: the query text of its address."""

    __tablename__ = "saved_view"
    __table_args__ = (
        UniqueConstraint("user_id", "list_name", "name"),
        CheckConstraint("length(query) <= 4000", name="query_length"),
    )

    id: Mapped[Id]
    user_id: Mapped[Ref]
    list_name: Mapped[Name]
    name: Mapped[Name]
    query: Mapped[Long]
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bulk action did to one row."""

    id: Any
    ok: bool
    text: str


def render_list(spec: ListSpec) -> AnyResponse | str:
    """Answer a list's address: the page, the part htmx asked for, a file, the totals, or a bulk action (POST)."""
    state = query.parse(spec, request.args)
    if request.method == "POST":
        return _bulk(state)
    if request.args.get("export"):
        return export(state, request.args["export"])
    if request.args.get("part") == "totals":
        return render_template("list/totals.html", list=_lazy_totals(state))
    partial = is_partial() and request.headers.get("HX-Target", "").endswith("list-region")
    response = make_response(render_template("list/region.html" if partial else spec.template, list=page_of(state)))
    response.headers["Vary"] = "HX-Request"
    return response


@dataclass(frozen=True, slots=True)
class ListPage:
    """Everything the list templates print."""

    state: ListState
    rows: list[Any]
    count: int
    has_next: bool
    totals: dict[str, Any] | None
    saved: list[SavedView]

    @property
    def spec(self) -> ListSpec:
        """The declaration."""
        return self.state.spec

    @property
    def count_text(self) -> str:
        """`1,234` or `10,000+`."""
        return f"{query.COUNT_CAP:,}+" if self.count > query.COUNT_CAP else f"{self.count:,}"

    @property
    def first_number(self) -> int:
        """Number of the first row shown; 0 when there is none."""
        return (self.state.page - 1) * query.PAGE_ROWS + 1 if self.rows else 0

    @property
    def last_number(self) -> int:
        """Number of the last row shown."""
        return self.first_number + len(self.rows) - 1 if self.rows else 0

    @property
    def at_end_of_paging(self) -> bool:
        """True on the last page that paging reaches while more rows match."""
        return self.has_next and self.state.page >= query.LAST_PAGE

    def cell(self, column: Column, row: Any) -> Any:
        """What a cell prints."""
        return query.cell_text(column, row._mapping[column.key], self.state.wan)

    def value(self, column: Column, row: Any) -> Any:
        """The bare value of a cell."""
        return row._mapping[column.key]

    def total(self, column: Column) -> Any:
        """What the footer prints under a column; None where it has no total."""
        if not column.total or self.totals is None or column.key not in self.totals:
            return None
        return query.cell_text(column, self.totals[column.key], self.state.wan)

    @property
    def has_totals(self) -> bool:
        """True when a shown column has a total."""
        return bool(query.total_columns(self.state))

    @property
    def has_amounts(self) -> bool:
        """True when the 万元 switch means something."""
        return any(column.kind == "amount" for column in self.state.shown)

    def preset_is_current(self, text: str) -> bool:
        """True when the address is that of a preset or saved view."""
        return sorted(self.state.query().split("&")) == sorted(text.split("&"))


def page_of(state: ListState) -> ListPage:
    """Rows, count and totals of the page asked for: two to four statements whatever the filter."""
    found = query.rows(state)
    has_next = len(found) > query.PAGE_ROWS
    rows = found[: query.PAGE_ROWS]
    first = state.page == 1
    count = len(rows) if first and not has_next else query.count(state)
    query.name_picked(state)
    small = count <= query.COUNT_CAP
    return ListPage(
        state=state,
        rows=rows,
        count=count,
        has_next=has_next,
        totals=query.totals(state) if small and query.total_columns(state) else None,
        saved=_saved(state.spec),
    )


def _lazy_totals(state: ListState) -> ListPage:
    """Only the totals, for lists so long that they follow after the page."""
    return ListPage(state, [], 0, False, query.totals(state), [])


def _saved(spec: ListSpec) -> list[SavedView]:
    user_id = current().user_id
    if user_id is None:
        return []
    statement = select(SavedView).where(SavedView.user_id == user_id, SavedView.list_name == spec.name)
    return list(db.session.scalars(statement.order_by(SavedView.name).limit(VIEWS_MAX)))


def _bulk(state: ListState) -> str:
    """Run a bulk action on the chosen rows, or on all rows of the filter, and report each result."""
    wanted = request.form.get("action", "")
    action = next((a for a in state.spec.actions if a.key == wanted), None)
    if action is None:
        raise InvalidInput([FieldError("action", "listing.action", wanted)], code="listing.action", value=wanted)
    if action not in state.spec.allowed_actions():
        raise Forbidden("forbidden", permission=str(action.permission))
    chosen = _chosen(state)
    outcomes = [_run(action, row_id) for row_id in chosen]
    failed = [outcome for outcome in outcomes if not outcome.ok]
    return render_template("list/report.html", action=action, outcomes=outcomes, failed=failed, spec=state.spec)


def _chosen(state: ListState) -> list[Any]:
    """Ids of the rows to work on, each of them visible to the actor under this list's filter."""
    everything = request.form.get("everything") == "1"
    texts = request.form.getlist("ids")
    if len(texts) > BULK_MAX:
        raise InvalidInput(code="listing.too_many", max=BULK_MAX)
    if not everything and not texts:
        raise InvalidInput(code="listing.nothing")
    found = query.ids(state, BULK_MAX + 1) if everything else query.ids_among(state, texts)
    if len(found) > BULK_MAX:
        raise InvalidInput(code="listing.too_many", max=BULK_MAX)
    return found


def _run(action: BulkAction, row_id: Any) -> Outcome:
    """One row; a refused row does not stop the others."""
    try:
        result = action.run(row_id)
    except SdmError as error:
        db.session.rollback()
        return Outcome(row_id, False, error_text(error))
    return Outcome(row_id, True, str(result) if isinstance(result, str) else _("done"))


views = Blueprint("lists", __name__, template_folder="../templates")


@command(None)
def keep_view(user_id: int, list_name: str, name: str, query_text: str) -> int:
    """Keep a list's address under a name, which replaces an older one of that name. Returns the view's id."""
    own = select(SavedView).where(SavedView.user_id == user_id, SavedView.list_name == list_name)
    existing = list(db.session.scalars(own.limit(VIEWS_MAX + 1)))
    saved = next((item for item in existing if item.name == name), None)
    if saved is None:
        if len(existing) >= VIEWS_MAX:
            raise InvalidInput(code="listing.views_full", max=VIEWS_MAX)
        saved = SavedView(user_id=user_id, list_name=list_name, name=name)
        db.session.add(saved)
    saved.query = query_text
    db.session.flush()
    return saved.id


@command(None)
def forget_view(user_id: int, view_id: int) -> None:
    """Delete one of a person's own views; nothing when it is gone already."""
    db.session.execute(delete(SavedView).where(SavedView.id == view_id, SavedView.user_id == user_id))


@views.post("/app/lists/<name>/views")
@view()
def save_view(name: str) -> Response:
    """Keep the address of a list for oneself. Shape: `{id, name}`."""
    title, text = request.form.get("name", "").strip(), request.form.get("query", "").lstrip("?")
    faults = [FieldError("name", "input.required")] if not title else []
    for field, value, limit in (("name", title, 200), ("query", text, 4000), ("list", name, 200)):
        if len(value) > limit or "\x00" in value:
            faults.append(FieldError(field, "input.length", value[:40], {"max": limit}))
    if faults:
        raise InvalidInput(faults)
    return json_reply({"id": keep_view(_owner(), name, title, text), "name": title})


@views.post("/app/lists/views/<int:view_id>/delete")
@view()
def delete_view(view_id: int) -> AnyResponse:
    """Forget one of one's own views and go back to the list."""
    if view_id < 1 << 63:
        forget_view(_owner(), view_id)
    return redirect(local_address(request.form.get("next", "")), 303)


def _owner() -> int:
    """Id of the person whose views these are; jobs have none."""
    user_id = current().user_id
    if user_id is None:
        raise Forbidden("forbidden", permission="sign-in")
    return user_id
