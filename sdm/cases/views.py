"""Inbox, work item, approval routes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import Numeric, Select, cast, func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Unit
from sdm.auth import labels
from sdm.auth import queries as auth
from sdm.cases import queries, registry, rules, service
from sdm.cases.models import WorkItem
from sdm.cases.schemas import decision_of, route_steps
from sdm.kernel import frame
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput
from sdm.kernel.frame import NavItem, nav, register_states, url_or_none
from sdm.kernel.i18n import _, _l, error_text
from sdm.kernel.listing import BulkAction, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import errors_of, flash, page, render_422, see_other, view

blueprint = Blueprint("cases", __name__, url_prefix="/inbox", template_folder="templates")

register_states(
    "work_item",
    {
        "open": (_l("Open"), "warn"),
        "acknowledged": (_l("Acknowledged"), "info"),
        "handled": (_l("Handled"), "good"),
        "closed": (_l("Closed"), "neutral"),
        "withdrawn": (_l("Withdrawn"), "neutral"),
    },
)
nav.register(
    NavItem("work", _l("Inbox"), "cases.inbox", Permission.CASE_READ, "inbox", order=20),
    NavItem("system", _l("Approval routes"), "cases.routes", Permission.ROUTE_EDIT, "route", order=60),
)
STEPS = {
    "opened": _l("Opened"),
    "acknowledged": _l("Acknowledged"),
    "handled": _l("Handled"),
    "closed": _l("Closed"),
    "withdrawn": _l("Withdrawn: its cause is gone"),
}
LEVEL_LABELS = {
    "office": _l("Office"),
    "branch": _l("Branch"),
    "region": _l("Region"),
    "head_office": _l("Head office"),
}


def _decide(code: str) -> Any:
    def run(item_id: Any) -> str:
        item = queries.get(int(item_id))
        kind = registry.kind_of(item.kind)
        service.handle(int(item_id), _positive(kind) if code == "approve" else code, _("Decided in the list"))
        again = any(other.key == item.key for other in queries.of_subject(item.subject_kind, item.subject_id))
        return _("%(title)s: decided, but it waits again with new figures", title=item.title) if again else item.title

    return run


def _positive(kind: registry.CaseKind | None) -> str:
    """The result that lets the document go on: the first of its kind."""
    return kind.results[0].code if kind else "approve"


def _acknowledge(item_id: Any) -> str:
    service.acknowledge(int(item_id))
    return _("acknowledged")


def _columns() -> tuple[Column, ...]:
    return (
        Column("kind", _l("What"), WorkItem.kind, "text", filter="choice", choices=registry.choices),
        Column("title", _l("Subject"), WorkItem.title, "link", filter="text"),
        Column("amount", _l("Amount"), _amount(), "amount", filter="number-range"),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=WorkItem.unit_id),
        Column("created", _l("Since"), WorkItem.created_at, "datetime", filter="date-range"),
        Column("due", _l("Due"), WorkItem.due_at, "datetime", filter="date-range", visible=False),
        Column("state", _l("State"), WorkItem.state, "state", states="work_item", filter="choice"),
        Column("result", _l("Result"), WorkItem.result, visible=False),
    )


def _amount() -> Any:
    """The amount among the figures, where the kind has one."""
    return cast(func.nullif(WorkItem.figures["amount"].astext, ""), Numeric(18, 2))


def _waiting() -> Select[Any]:
    return select(WorkItem).join(Unit, Unit.id == WorkItem.unit_id).where(queries.waits_for(current()))


def _all() -> Select[Any]:
    return select(WorkItem).join(Unit, Unit.id == WorkItem.unit_id)


INBOX = ListSpec(
    name="inbox",
    title=_l("Inbox"),
    note=_l("Everything that waits for you"),
    select=_waiting,
    id=WorkItem.id,
    default_sort="created",
    row_endpoint="cases.show",
    search=(WorkItem.title,),
    card_title="title",
    columns=_columns(),
    actions=(
        BulkAction(
            "approve",
            _l("Approve"),
            _decide("approve"),
            Permission.CASE_HANDLE,
            confirm=_l("Approve or release %(count)s work items, each with the figures it shows"),
        ),
        BulkAction(
            "reject",
            _l("Reject"),
            _decide("reject"),
            Permission.CASE_HANDLE,
            confirm=_l("Reject %(count)s work items; held orders are cancelled"),
            tone="bad",
            icon="x",
        ),
        BulkAction("acknowledge", _l("Acknowledge"), _acknowledge, Permission.CASE_HANDLE, icon="eye"),
    ),
    empty=_l("Nothing waits for you. Approvals and held orders appear here by themselves."),
)
ALL = ListSpec(
    name="work_items",
    title=_l("Work items"),
    select=_all,
    id=WorkItem.id,
    default_sort="-created",
    row_endpoint="cases.show",
    search=(WorkItem.title,),
    card_title="title",
    columns=_columns(),
    presets=(Preset(_l("Open"), "state=open&state=acknowledged"),),
    empty=_l("No work item was opened yet."),
)


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.CASE_READ)
def inbox() -> AnyResponse | str:
    """One list of what waits for me."""
    return render_list(INBOX)


@blueprint.get("/all")
@view(Permission.CASE_READ)
def index() -> AnyResponse | str:
    """All work items in scope, whoever they wait for."""
    return render_list(ALL)


@blueprint.get("/badge")
@view(Permission.CASE_READ)
def badge() -> str:
    """The number of waiting work items for the frame; nothing when there is none."""
    found = queries.badge(current())
    if not found.count:
        return ""
    number = str(found.count) if found.count < 1000 else "999+"
    return f'<span class="is-urgent">{number}</span>' if found.urgent else number


@blueprint.get("/<int:id>")
@view(Permission.CASE_READ)
def show(id: int) -> str:
    """One work item with its figures, subject and log."""
    return page("cases/show.html", **_shown(queries.get(id)))


def _shown(item: WorkItem) -> dict[str, Any]:
    kind = registry.kind_of(item.kind)
    subject = queries.subject_link(item.subject_kind)
    may_decide = (
        item.state in rules.OPEN
        and frame.may(Permission.CASE_HANDLE)
        and rules.may_handle(current(), queries.addressee(item))
    )
    return {
        "item": item,
        "kind": kind,
        "label": kind.label if kind else item.kind,
        "figures": queries.shown_figures(item),
        "lines": _lines(item),
        "subject_url": url_or_none(subject.endpoint, id=item.subject_id) if subject else None,
        "results": kind.results if kind and may_decide else (),
        "defaults": _defaults(item, kind),
        "may_decide": may_decide,
        "handler": _handler(item),
        "log": [
            {"at": at, "who": who, "text": str(STEPS.get(step, step)), "note": _told(detail)}
            for at, who, step, detail in reversed(queries.log_of(item.id))
        ],
        "key": str(uuid4()),
    }


def _lines(item: WorkItem) -> list[dict[str, Any]]:
    found = item.figures.get("lines")
    return [line for line in found if isinstance(line, dict)] if isinstance(found, list) else []


def _defaults(item: WorkItem, kind: registry.CaseKind | None) -> dict[str, Any]:
    """What the form of a result starts with."""
    fields = [field for result in (kind.results if kind else ()) for field in result.fields]
    return {field.key: field.default(item) if field.default else "" for field in fields}


def _told(detail: dict[str, Any]) -> str:
    return " · ".join(str(value) for key, value in detail.items() if value and key != "result")


def _handler(item: WorkItem) -> str:
    """Who can decide: the named user, or everyone with the permission over the unit."""
    if item.handler_id is not None:
        return auth.user_names([item.handler_id]).get(item.handler_id, "")
    if not item.permission:
        return ""
    ids = auth.users_with(item.permission, item.handler_unit_id or item.unit_id)
    names = auth.user_names(ids[:8])
    return ", ".join(names[i] for i in ids[:8] if i in names)


@blueprint.post("/<int:id>/acknowledge")
@view(Permission.CASE_HANDLE)
def acknowledge(id: int) -> AnyResponse:
    """Say "I have seen it"."""
    service.acknowledge(id)
    return see_other("cases.show", id=id)


@blueprint.post("/<int:id>/handle")
@view(Permission.CASE_HANDLE)
def handle(id: int) -> AnyResponse | tuple[str, int]:
    """Decide; a refusal shows the page again with the reason."""
    item = queries.get(id)
    try:
        result, comment, version, values = decision_of(item.kind, request.form)
        service.handle(id, result, comment, version, values)
    except InvalidInput as error:
        db.session.rollback()
        return render_422("cases/show.html", errors_of(error), **_shown(queries.get(id)))
    flash(_("%(title)s: done", title=item.title))
    return see_other("cases.inbox")


@blueprint.post("/<int:id>/close")
@view(Permission.CASE_READ)
def close(id: int) -> AnyResponse:
    """The responsible owner takes note of the result."""
    service.close(id)
    return see_other("cases.show", id=id)


# --- approval routes --------------------------------------------------------------------------------------------------

ROUTED = {"sales_order": _l("Sales order"), "credit_limit": _l("Credit limit")}
USUAL = {"sales_order": Permission.ORDER_RELEASE_AMOUNT, "credit_limit": Permission.CREDIT_LIMIT_APPROVE}


@blueprint.get("/routes")
@view(Permission.ROUTE_EDIT)
def routes() -> str:
    """From which amount on a document stops at whom (OS-05)."""
    return page("cases/routes.html", **_routes())


def _routes() -> dict[str, Any]:
    approving = [p for p in Permission if p.value.endswith((":approve", ":release_amount", ":release_credit"))]
    return {
        "tables": [(kind, label, queries.steps_of(kind), USUAL[kind]) for kind, label in ROUTED.items()],
        "permissions": [(str(p), labels.label(str(p))) for p in approving],
        "levels": list(LEVEL_LABELS.items()),
        "spare": 2,
    }


@blueprint.post("/routes/<kind>")
@view(Permission.ROUTE_EDIT)
def save_routes(kind: str) -> AnyResponse | tuple[str, int]:
    """Replace the route of one kind of document."""
    if kind not in ROUTED:
        raise InvalidInput(code="case.unknown_kind", value=kind)
    try:
        service.set_routes(kind, route_steps(request.form))
    except InvalidInput as error:
        db.session.rollback()
        return page("cases/routes.html", faults=[error_text(fault) for fault in error.errors], **_routes()), 422
    flash(_("Approval route of %(kind)s saved", kind=str(ROUTED[kind])))
    return see_other("cases.routes")
