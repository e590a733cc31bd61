"""The operation log (BA-14): who, when, from where, what, old and new value."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel import documents, history
from sdm.kernel.audit import AuditRow, AuditSeal
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, nav, page, url_or_none, view

audit_views = Blueprint("audit", __name__, url_prefix="/audit", template_folder="../templates")
nav.register(NavItem("system", _l("Operation log"), "audit.index", Permission.AUDIT_READ, icon="history", order=40))

# Records that are no documents: kind → (label, page that takes `id`).
RECORDS: dict[str, tuple[Any, str]] = {
    "user": (_l("User"), "auth.user"),
    "role": (_l("Role"), "auth.role"),
    "unit": (_l("Unit"), "org.unit"),
    "person": (_l("Person"), "org.person"),
    "warehouse": (_l("Warehouse"), "org.warehouse"),
    "legal_entity": (_l("Company"), "org.legal_entity"),
    "option": (_l("Option"), ""),
    "option_list": (_l("Option list"), ""),
    "parameter": (_l("Parameter"), ""),
    "dealer": (_l("Dealer"), "dealers.show"),
    "product": (_l("Product"), "catalogue.show"),
    "credit_account": (_l("Credit account"), "credit.show"),
}
VIAS = {"web": _l("Page"), "api": _l("API"), "job": _l("Job"), "cli": _l("Command line")}


def kind_choices() -> list[tuple[str, Any]]:
    """All kinds of records, documents first."""
    found = [(kind.code, _(kind.label)) for kind in documents.kinds()]
    return found + [(code, label) for code, (label, _page) in RECORDS.items()]


def record_url(kind: str, record_id: int | None) -> str | None:
    """Address of the page of a record."""
    endpoint = next((known.endpoint for known in documents.kinds() if known.code == kind), None)
    endpoint = endpoint or RECORDS.get(kind, ("", ""))[1]
    return url_or_none(endpoint, id=record_id) if endpoint and record_id is not None else None


def _select() -> Select[Any]:
    return select(AuditRow)


LIST = ListSpec(
    name="audit",
    title=_l("Operation log"),
    select=_select,
    id=AuditRow.id,
    default_sort="-at",
    row_endpoint="audit.show",
    search=(AuditRow.actor_name,),
    columns=(
        Column("at", _l("When"), AuditRow.at, "datetime", filter="date-range"),
        Column("who", _l("Who"), AuditRow.actor_name, filter="picker", picker="user", filter_expr=AuditRow.actor_id),
        Column("action", _l("Action"), AuditRow.action, filter="choice", choices=history.action_choices),
        Column("kind", _l("Kind of record"), AuditRow.kind, filter="choice", choices=kind_choices),
        Column(
            "document",
            _l("Record number"),
            AuditRow.document_id,
            "integer",
            filter="number-range",
            link=lambda row: record_url(row.kind_code, row.document),
        ),
        Column("via", _l("By way of"), AuditRow.via, filter="choice", choices=tuple(VIAS.items())),
        Column("address", _l("From where"), AuditRow.address, "code", filter="text"),
    ),
    extra={"kind_code": AuditRow.kind},
    presets=(
        Preset(_l("Failed sign-ins"), "action=sign_in_failed"),
        Preset(_l("Rights"), "action=permissions_changed&action=roles_changed"),
        Preset(_l("Parameters"), "kind=parameter"),
    ),
    empty=_l("Nothing was changed yet."),
)


@audit_views.get("")
@view(Permission.AUDIT_READ)
def index() -> AnyResponse | str:
    """The log of my units."""
    return render_list(LIST)


@audit_views.get("/<int:id>")
@view(Permission.AUDIT_READ)
def show(id: int) -> str:
    """One entry: old and new values, where from, and whether it is sealed."""
    row = db.session.execute(select(AuditRow).where(AuditRow.id == id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="audit", id=id)
    sealed = db.session.execute(select(AuditSeal.sealed_at).where(AuditSeal.audit_id == id)).scalar()
    return page(
        "audit/show.html",
        row=row,
        action=history.action_text(row.action),
        kind=dict(kind_choices()).get(row.kind, row.kind),
        changes=history.changes_of(row.changes),
        via=VIAS.get(row.via, row.via),
        record_url=record_url(row.kind, row.document_id),
        sealed_at=sealed,
    )
