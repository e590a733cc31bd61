"""Users: list, new user, one user's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, request
from sqlalchemy import Select, func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from branches.org.models import Person, Unit, Warehouse
from sdm.auth import queries, service
from sdm.auth.models import Role, User, UserRole, UserSession
from sdm.auth.schemas import GrantsSchema, NewUserSchema, ResetSchema, UserFormSchema
from sdm.kernel import history
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, SdmError, describe
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import LOCALES, _, _l, current_locale, error_text
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.picks import Hit, picker
from sdm.kernel.web import NavItem, flash, nav, page, see_other, view

nav.register(NavItem("system", _l("Users"), "auth.users", Permission.USER_READ, icon="users", order=10))

GRANT_LINES = 4
describe({"user.half_grant": N_("Each line of roles needs both a role and a unit")})


def _roles_text() -> Any:
    names = select(func.string_agg(Role.name.distinct(), ", ")).join(UserRole, UserRole.role_id == Role.id)
    return names.where(UserRole.user_id == User.id).correlate(User).scalar_subquery()


def _last_seen() -> Any:
    seen = select(func.max(UserSession.last_seen_at)).where(UserSession.user_id == User.id)
    return seen.correlate(User).scalar_subquery()


def _select() -> Select[Any]:
    return queries.in_scope(select(User).join(Unit, Unit.id == User.unit_id))


LIST = ListSpec(
    name="users",
    title=_l("Users"),
    select=_select,
    id=User.id,
    default_sort="login",
    row_endpoint="auth.user",
    search=(User.login, User.name),
    columns=(
        Column("login", _l("User name"), User.login, "code", filter="text"),
        Column("name", _l("Full name"), User.name, filter="text"),
        Column("unit", _l("Unit"), Unit.name, filter="picker", picker="unit", filter_expr=User.unit_id),
        Column("roles", _l("Roles"), _roles_text()),
        Column("seen", _l("Last seen"), _last_seen(), "datetime"),
        Column("active", _l("Active"), User.active, "bool", filter="bool"),
    ),
    presets=(Preset(_l("Disabled"), "active=0"),),
    buttons=(Button(_l("New user"), "auth.create_user", Permission.USER_EDIT),),
    empty=_l("Add the first user and give him a role over a unit."),
)


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/users", "users", users)
    blueprint.add_url_rule("/users/new", "create_user", create_user, methods=["GET", "POST"])
    blueprint.add_url_rule("/users/<int:id>", "user", user, methods=["GET", "POST"])
    blueprint.add_url_rule("/users/<int:id>/rights", "user_rights", user_rights, methods=["POST"])
    blueprint.add_url_rule("/users/<int:id>/password", "reset_password", reset_password, methods=["POST"])
    blueprint.add_url_rule("/users/<int:id>/<any(enable,disable,sign_out):step>", "user_step", step, methods=["POST"])


@picker("user", Permission.USER_READ)
def pick_users(wanted: str, limit: int) -> list[Hit]:
    """Users in scope."""
    return [Hit(row.id, row.name, row.login) for row in queries.pick_users(wanted, limit)]


@view(Permission.USER_READ)
def users() -> AnyResponse | str:
    """All users of my units."""
    return render_list(LIST)


def _choices() -> dict[str, Any]:
    english = current_locale() == "en"
    return {
        "roles": [(role.id, role.name_en if english and role.name_en else role.name) for role in queries.roles()],
        "languages": list(LOCALES.items()),
    }


@view(Permission.USER_EDIT)
def create_user() -> AnyResponse | str | tuple[str, int]:
    """A new user with roles."""
    context = {**_choices(), "grants": _grant_lines(_typed_grants())}
    if request.method == "GET":
        return page("auth/user_new.html", **context)
    return submitted(NewUserSchema(), _create, "auth/user_new.html", **context)


def _create(**values: Any) -> AnyResponse:
    data = service.UserInput(grants=_wanted_grants(values.get("unit_id")), **values)
    user_id = service.create_user(data)
    flash(_("User %(name)s created", name=data.login))
    return see_other("auth.user", id=user_id)


def _typed_grants() -> list[tuple[int | None, int | None]]:
    """The lines of roles as typed, empty ones left out."""
    pairs = zip(request.form.getlist("role_ids"), request.form.getlist("unit_ids"), strict=False)
    return [(_id(role), _id(unit)) for role, unit in pairs if role or unit]


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _wanted_grants(own: int | None) -> list[service.Grant]:
    """Complete lines; a role without a unit holds over `own`, the user's. InvalidInput for a unit without a role."""
    typed = [(role, unit or own) for role, unit in _typed_grants()]
    if any(role is None or unit is None for role, unit in typed):
        raise InvalidInput([FieldError("roles", "user.half_grant")])
    return [service.Grant(role, unit) for role, unit in typed if role is not None and unit is not None]


def _grant_lines(grants: Sequence[tuple[int | None, int | None]]) -> list[dict[str, Any]]:
    known = org.tree().units
    lines = [
        {"role_id": role_id or "", "unit_id": unit_id or "", "unit": known[unit_id].name if unit_id in known else ""}
        for role_id, unit_id in grants
    ]
    empty = {"role_id": "", "unit_id": "", "unit": ""}
    return lines + [empty] * max(1, GRANT_LINES - len(lines))


def _context(row: User) -> dict[str, Any]:
    person = db.session.get(Person, row.person_id) if row.person_id else None
    stores = select(Warehouse.id, Warehouse.name).where(Warehouse.id.in_(queries.warehouses_of(row.id)))
    known = org.tree().units
    return {
        **_choices(),
        "user": row,
        "unit_name": known[row.unit_id].name if row.unit_id in known else "",
        "person_name": person.name if person else "",
        "grants": _grant_lines(_typed_grants() or queries.grants_of(row.id)),
        "warehouses": [tuple(pair) for pair in db.session.execute(stores)],
        "sessions": queries.sessions_of(row.id),
        "tokens": queries.tokens_of(row.id),
        "events": history.events("user", row.id),
        "is_me": current().user_id == row.id,
    }


@view(Permission.USER_READ)
def user(id: int) -> AnyResponse | str | tuple[str, int]:
    """One user: data, roles, sessions, history."""
    row = queries.user(id)
    if request.method == "GET":
        return page("auth/user.html", **_context(row))
    current().require(Permission.USER_EDIT)
    return submitted(UserFormSchema(), lambda **values: _change(row, values), "auth/user.html", **_context(row))


def _change(row: User, values: dict[str, Any]) -> AnyResponse:
    service.change_user(row.id, **values)
    flash(_("Saved"))
    return see_other("auth.user", id=row.id)


@view(Permission.USER_EDIT)
def user_rights(id: int) -> AnyResponse | tuple[str, int]:
    """Roles and warehouses of a user."""
    row = queries.user(id)
    return submitted(GrantsSchema(), lambda **values: _set_rights(row, **values), "auth/user.html", **_context(row))


def _set_rights(row: User, warehouse_ids: list[int], version: int | None) -> AnyResponse:
    service.set_rights(row.id, _wanted_grants(row.unit_id), warehouse_ids, version)
    flash(_("Saved"))
    return see_other("auth.user", id=row.id)


@view(Permission.USER_EDIT)
def reset_password(id: int) -> AnyResponse | tuple[str, int]:
    """A new first password for a user."""
    row = queries.user(id)

    def reset(password: str) -> AnyResponse:
        service.set_password(row.id, password)
        flash(_("New first password set; all sessions of the user have ended"))
        return see_other("auth.user", id=row.id)

    return submitted(ResetSchema(), reset, "auth/user.html", **_context(row))


@view(Permission.USER_EDIT)
def step(id: int, step: str) -> AnyResponse:
    """Disable or enable a user, or end his sessions."""
    row = queries.user(id)
    actions: dict[str, Callable[[int], Any]] = {
        "enable": service.enable_user,
        "disable": service.disable_user,
        "sign_out": service.close_sessions,
    }
    try:
        actions[step](row.id)
    except SdmError as error:
        db.session.rollback()
        flash(error_text(error), "bad")
    else:
        flash(_("Done"))
    return see_other("auth.user", id=id)
