"""Pickers of the organisation: unit, person, warehouse, company. Nobody types codes."""

from __future__ import annotations

from flask import request
from sqlalchemy import or_, select

from branches.org import queries
from branches.org.models import LegalEntity
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.permissions import Permission
from sdm.kernel.picks import Hit, picker

KIND_LABELS = {
    "head_office": _l("Head office"),
    "region": _l("Region"),
    "branch": _l("Branch"),
    "office": _l("Local office"),
}
SEARCHED_MAX = 200


def name_of(row: object) -> str:
    """The name in the reader's language, where there is one."""
    english = getattr(row, "name_en", "") if current_locale() == "en" else ""
    return english or str(getattr(row, "name", ""))


@picker("unit", Permission.ORG_READ)
def pick_units(wanted: str, limit: int) -> list[Hit]:
    """Units of one's scope; `kind` in the address narrows to some kinds (comma separated)."""
    kinds = {kind for kind in request.args.get("kind", "").split(",") if kind}
    scope = current().scope
    found = [
        row
        for row in queries.pick_units(wanted, SEARCHED_MAX)
        if scope.has_unit(row.id) and (not kinds or row.kind in kinds)
    ]
    return [Hit(row.id, name_of(row), row.code, str(KIND_LABELS[row.kind])) for row in found[:limit]]


@picker("person", Permission.ORG_READ)
def pick_people(wanted: str, limit: int) -> list[Hit]:
    """Active people of one's scope."""
    known = queries.tree().units
    return [
        Hit(row.id, row.name, row.code, row.job_title or (known[row.unit_id].name if row.unit_id in known else ""))
        for row in queries.pick_people(wanted, limit)
    ]


@picker("warehouse", Permission.ORG_READ)
def pick_warehouses(wanted: str, limit: int) -> list[Hit]:
    """Active warehouses of one's scope."""
    return [Hit(row.id, name_of(row), row.code, row.city) for row in queries.pick_warehouses(wanted, limit)]


@picker("legal_entity", Permission.ORG_READ)
def pick_legal_entities(wanted: str, limit: int) -> list[Hit]:
    """Companies that invoice."""
    like = f"%{wanted.replace('%', '').replace('_', '')}%"
    statement = select(LegalEntity).where(or_(LegalEntity.code.ilike(like), LegalEntity.name.ilike(like)))
    rows = db.session.execute(statement.order_by(LegalEntity.code).limit(limit)).scalars()
    return [Hit(row.id, row.name, row.code, row.tax_no or _("no tax number")) for row in rows]
