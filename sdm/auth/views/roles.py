"""Roles: the matrix of who may do what, and one role's page (BA-01)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from sdm.auth import labels, queries, service
from sdm.auth.models import Role
from sdm.auth.schemas import NewRoleSchema, RoleSchema
from sdm.kernel import history
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, view

nav.register(NavItem("system", _l("Roles and permissions"), "auth.roles", Permission.USER_READ, "shield-check", 20))


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/roles", "roles", roles)
    blueprint.add_url_rule("/roles/new", "create_role", create_role, methods=["GET", "POST"])
    blueprint.add_url_rule("/roles/<int:id>", "role", role, methods=["GET", "POST"])


@view(Permission.USER_READ)
def roles() -> str:
    """The matrix: permissions down, roles across."""
    return page("auth/roles.html", roles=queries.roles(), given=queries.permissions_by_role(), groups=labels.groups())


def _work_places() -> list[tuple[str, Any]]:
    return list(labels.WORK_PLACE_LABELS.items())


@view(Permission.ROLE_EDIT)
def create_role() -> AnyResponse | str | tuple[str, int]:
    """A new role, like another one where wanted."""
    context = {"work_places": _work_places(), "roles": [(row.id, row.name) for row in queries.roles()]}
    if request.method == "GET":
        return page("auth/role_new.html", **context)
    return submitted(NewRoleSchema(), _create, "auth/role_new.html", **context)


def _create(**values: Any) -> AnyResponse:
    role_id = service.create_role(**values)
    flash(_("Role %(name)s created; now choose what it may do", name=values["name"]))
    return see_other("auth.role", id=role_id)


@view(Permission.USER_READ)
def role(id: int) -> AnyResponse | str | tuple[str, int]:
    """One role: name, work place, permissions, history."""
    row = queries.role(id)
    context = {
        "role": row,
        "given": set(request.form.getlist("permissions")) or queries.permissions_by_role().get(id, set()),
        "groups": labels.groups(),
        "work_places": _work_places(),
        "events": history.events("role", id),
    }
    if request.method == "GET":
        return page("auth/role.html", **context)
    return submitted(RoleSchema(), lambda **values: _save(row, **values), "auth/role.html", **context)


def _save(row: Role, permissions: list[str], version: int | None, **names: str) -> AnyResponse:
    service.save_role(row.id, permissions, version, **names)
    flash(_("Saved; it holds at once for all members of the role"))
    return see_other("auth.role", id=row.id)
