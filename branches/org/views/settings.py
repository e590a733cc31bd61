"""Parameters (BA-05): values for the company and for single units, with what was set before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import parameters, queries, service
from branches.org.models import Parameter
from branches.org.picks import name_of
from branches.org.schemas import ParameterForm
from sdm.kernel.actor import current
from sdm.kernel.audit import AuditRow
from sdm.kernel.db import db
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l, translate
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, url_or_none, view

nav.register(
    NavItem("system", _l("Parameters"), "org.parameters", Permission.PARAMETER_EDIT, icon="adjustments", order=30)
)


@dataclass(frozen=True, slots=True)
class Line:
    """A parameter as the page shows it."""

    key: str
    label: str
    help: str
    value: str
    default: str
    changed: bool
    units: int


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/parameters", "parameters", index)
    blueprint.add_url_rule("/parameters/<key>", "parameter", parameter, methods=["GET", "POST"])
    blueprint.add_url_rule("/parameters/<key>/clear", "clear_parameter", clear, methods=["POST"])


def shown(spec: parameters.ParameterSpec, value: Any) -> str:
    """A value in words."""
    if spec.kind == "bool":
        return _("yes") if value else _("no")
    if spec.kind == "choice":
        return translate(dict(spec.choices).get(str(value), str(value)))
    return f"{value:,}" if spec.kind in {"int", "amount"} else str(value)


@view(Permission.PARAMETER_EDIT)
def index() -> str:
    """All parameters by group, with the company's value and how many units differ."""
    rows = list(db.session.execute(select(Parameter.key, Parameter.unit_id).distinct()))
    groups: dict[str, list[Line]] = {}
    for spec in parameters.registered():
        value = parameters.value(spec.key)
        line = Line(
            key=spec.key,
            label=translate(spec.label),
            help=translate(spec.help),
            value=shown(spec, value),
            default=shown(spec, spec.default),
            changed=value != spec.default,
            units=len({row.unit_id for row in rows if row.key == spec.key and row.unit_id is not None}),
        )
        groups.setdefault(translate(parameters.GROUPS[spec.group]), []).append(line)
    return page("org/parameters.html", groups=groups)


@view(Permission.PARAMETER_EDIT)
def parameter(key: str) -> AnyResponse | str | tuple[str, int]:
    """One parameter: all values with unit and day, a form for a new one, what was set before and by whom."""
    spec = parameters.spec_of(key)
    if request.method == "GET":
        return page("org/parameter.html", **_context(spec))
    return submitted(ParameterForm(), lambda **values: _set(spec, values), "org/parameter.html", **_context(spec))


def _set(spec: parameters.ParameterSpec, values: dict[str, Any]) -> AnyResponse:
    service.set_parameter(spec.key, values["value"], values["unit_id"], values["valid_from"])
    flash(_("Saved; it holds at once"))
    return see_other("org.parameter", key=spec.key)


def _context(spec: parameters.ParameterSpec) -> dict[str, Any]:
    stored = select(Parameter).where(Parameter.key == spec.key).order_by(Parameter.valid_from.desc(), Parameter.id)
    known, scope = queries.tree().units, current().scope
    values = [
        (row, name_of(known[row.unit_id]) if row.unit_id in known else _("Company"), shown(spec, row.value))
        for row in db.session.execute(stored).scalars()
        if row.unit_id is None or scope.has_unit(row.unit_id)
    ]
    return {
        "spec": spec,
        "label": translate(spec.label),
        "help": translate(spec.help),
        "choices": [(code, translate(label)) for code, label in spec.choices],
        "value": parameters.value(spec.key),
        "shown_value": shown(spec, parameters.value(spec.key)),
        "values": values,
        "log": _log(spec.key),
        "whole": scope.everything,
        "audit_url": url_or_none("audit.index", kind="parameter"),
    }


def _log(key: str) -> list[AuditRow]:
    statement = select(AuditRow).where(AuditRow.kind == "parameter", AuditRow.changes.has_key(key))
    return list(db.session.execute(statement.order_by(AuditRow.id.desc()).limit(50)).scalars())


@view(Permission.PARAMETER_EDIT)
def clear(key: str) -> AnyResponse:
    """Back to what stands above."""
    wanted = request.form.get("unit_id", "")
    unit_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    service.clear_parameter(key, unit_id)
    flash(_("Saved; it holds at once"))
    return see_other("org.parameter", key=key)
