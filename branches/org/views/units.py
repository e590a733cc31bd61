"""The organisation tree and one unit's page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from sqlalchemy import func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries, service
from branches.org.models import UNIT_KINDS, LegalEntity, Person, Unit, Warehouse
from branches.org.picks import KIND_LABELS, name_of
from branches.org.rules import PARENT_KINDS
from branches.org.schemas import NewUnitForm, UnitForm
from sdm.kernel import history
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, url_or_none, view

nav.register(NavItem("master", _l("Organisation"), "org.units", Permission.ORG_READ, icon="hierarchy", order=10))


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/units", "units", units)
    blueprint.add_url_rule("/units/new", "create_unit", create_unit, methods=["GET", "POST"])
    blueprint.add_url_rule("/units/<int:id>", "unit", unit, methods=["GET", "POST"])


def _counts(model: Any) -> dict[int, int]:
    statement = select(model.unit_id, func.count()).where(model.active).group_by(model.unit_id)
    return {row[0]: row[1] for row in db.session.execute(statement)}


@view(Permission.ORG_READ)
def units() -> str:
    """The tree of one's units with managers, deputies, people and warehouses."""
    scope = current().scope
    nodes = [node for node in queries.units(queries.tree().units) if scope.has_unit(node.id)]
    names = queries.person_names([i for node in nodes for i in (node.manager_id, node.deputy_id)])
    people, stores = _counts(Person), _counts(Warehouse)
    top = min((len(node.path) for node in nodes), default=0)
    rows = [
        {
            "node": node,
            "name": name_of(node),
            "level": len(node.path) - top,
            "kind": KIND_LABELS[node.kind],
            "manager": names.get(node.manager_id or 0, ""),
            "deputy": names.get(node.deputy_id or 0, ""),
            "people": people.get(node.id, 0),
            "warehouses": stores.get(node.id, 0),
        }
        for node in nodes
    ]
    return page("org/units.html", rows=rows)


def _kinds_below(parent: Unit | None) -> list[tuple[str, Any]]:
    """Kinds a new unit may have below the parent."""
    if parent is None:
        allowed = list(UNIT_KINDS) if queries.tree().units else ["head_office"]
    else:
        allowed = [kind for kind in UNIT_KINDS if parent.kind in PARENT_KINDS[kind]]
    return [(kind, KIND_LABELS[kind]) for kind in allowed]


def _parent() -> Unit | None:
    wanted = request.values.get("parent_id", "")
    known = wanted.isascii() and wanted.isdigit() and len(wanted) < 19 and current().scope.has_unit(int(wanted))
    return db.session.get(Unit, int(wanted)) if known else None


@view(Permission.ORG_EDIT)
def create_unit() -> AnyResponse | str | tuple[str, int]:
    """A new unit; the address may name the parent."""
    parent = _parent()
    context = {"parent": parent, "kinds": _kinds_below(parent)}
    if request.method == "GET":
        return page("org/unit_new.html", **context)
    return submitted(NewUnitForm(), _create, "org/unit_new.html", **context)


def _create(**values: Any) -> AnyResponse:
    unit_id = service.create_unit(service.UnitInput(**values))
    flash(_("%(name)s created", name=values["name"]))
    return see_other("org.unit", id=unit_id)


def _found(unit_id: int) -> Unit:
    row = db.session.get(Unit, unit_id) if current().scope.has_unit(unit_id) else None
    if row is None:
        raise NotFound("not_found", kind="unit", id=unit_id)
    return row


@view(Permission.ORG_READ)
def unit(id: int) -> AnyResponse | str | tuple[str, int]:
    """One unit: data, people, warehouses, what stands below, history."""
    row = _found(id)
    if request.method == "GET":
        return page("org/unit.html", **_context(row))
    current().require(Permission.ORG_EDIT)
    return submitted(UnitForm(), lambda **values: _change(row, values), "org/unit.html", **_context(row))


def _change(row: Unit, values: dict[str, Any]) -> AnyResponse:
    version = values.pop("version")
    if row.kind == "head_office":
        values.pop("parent_id")
    service.change_unit(row.id, version, **values)
    flash(_("Saved"))
    return see_other("org.unit", id=row.id)


def _context(row: Unit) -> dict[str, Any]:
    names = queries.person_names([row.manager_id, row.deputy_id])
    parent = queries.tree().units.get(row.parent_id or 0)
    entity = db.session.get(LegalEntity, row.legal_entity_id) if row.legal_entity_id else None
    people = select(Person).where(Person.unit_id == row.id, Person.active).order_by(Person.name).limit(200)
    stores = select(Warehouse).where(Warehouse.unit_id == row.id).order_by(Warehouse.code).limit(200)
    below = [node for node in queries.tree().units.values() if node.parent_id == row.id]
    return {
        "unit": row,
        "title": name_of(row),
        "kind": KIND_LABELS[row.kind],
        "crumbs": [(_("Organisation"), url_or_none("org.units"))]
        + [(name_of(node), url_or_none("org.unit", id=node.id)) for node in reversed(queries.chain_up(row.id)[1:])],
        "parent_name": name_of(parent) if parent else "",
        "entity_name": entity.name if entity else "",
        "manager_name": names.get(row.manager_id or 0, ""),
        "deputy_name": names.get(row.deputy_id or 0, ""),
        "people": list(db.session.execute(people).scalars()),
        "warehouses": list(db.session.execute(stores).scalars()),
        "below": sorted(below, key=lambda node: node.code),
        "name_of": name_of,
        "kind_labels": KIND_LABELS,
        "parent_kinds": ",".join(sorted(PARENT_KINDS[row.kind])),
        "events": history.events("unit", row.id),
    }
