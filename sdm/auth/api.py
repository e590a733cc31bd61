"""API v1: who is asking, users, roles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from sdm.auth import queries, schemas, service
from sdm.auth.models import Role, User
from sdm.kernel import api
from sdm.kernel.actor import Actor, current
from sdm.kernel.command import command
from sdm.kernel.permissions import Permission

bp = api.blueprint("auth", __name__)


@api.route(bp, "/me", permission=None, response=schemas.MeOut, summary="Who is asking, and what he may do")
def me() -> dict[str, Any]:
    """The owner of the token or session."""
    actor: Actor = current()
    return {
        "user_id": actor.user_id,
        "name": actor.name,
        "unit_id": actor.unit_id,
        "via": actor.via,
        "roles": sorted(actor.roles),
        "permissions": sorted(actor.permissions),
    }


@api.route(bp, "/users", permission=Permission.USER_READ, response=schemas.UserOut, paged=True, summary="Users")
def users(query: dict[str, Any]) -> api.Page:
    """Users of the units of one's scope."""
    return api.page(queries.in_scope(select(User)), query["cursor"], query["limit"])


@api.route(bp, "/users/<int:id>", permission=Permission.USER_READ, response=schemas.UserDetailOut, summary="One user")
def user(id: int) -> dict[str, Any]:
    """With roles and warehouses."""
    return _detail(id)


def _detail(user_id: int) -> dict[str, Any]:
    row = queries.user(user_id)
    names = ("id", "login", "name", "unit_id", "person_id", "dealer_id", "own_dealers", "locale", "active")
    values: dict[str, Any] = {name: getattr(row, name) for name in (*names, "must_change_password", "version")}
    values["roles"] = [{"role_id": role, "unit_id": unit} for role, unit in queries.grants_of(user_id)]
    values["warehouse_ids"] = queries.warehouses_of(user_id)
    return values


def _grants(body: dict[str, Any]) -> list[service.Grant]:
    return [service.Grant(**grant) for grant in body.pop("roles")]


@api.route(
    bp,
    "/users",
    methods=["POST"],
    permission=Permission.USER_EDIT,
    request=schemas.UserIn,
    response=schemas.UserDetailOut,
    creates=True,
    location="user",
    summary="Add a user with roles",
)
def create_user(body: dict[str, Any]) -> dict[str, Any]:
    """The password is a first one, to be changed at the first sign-in."""
    grants = _grants(body)
    return _detail(service.create_user(service.UserInput(grants=grants, **body)))


@api.route(
    bp,
    "/users/<int:id>",
    methods=["PATCH"],
    permission=Permission.USER_EDIT,
    request=schemas.UserPatch,
    response=schemas.UserDetailOut,
    if_match=True,
    summary="Change a user",
)
def change_user(id: int, body: dict[str, Any], version: int | None) -> dict[str, Any]:
    """Absent fields stay. `active` false ends sessions and tokens at once."""
    _change(id, body, version)
    return _detail(id)


@command(Permission.USER_EDIT)
def _change(user_id: int, body: dict[str, Any], version: int | None) -> None:
    """All parts in one transaction."""
    fields = {name: value for name, value in body.items() if name in service.CHANGEABLE}
    service.change_user(user_id, version, **fields)
    if "roles" in body:
        service.set_grants(user_id, _grants(dict(body)))
    if "warehouse_ids" in body:
        service.set_warehouses(user_id, body["warehouse_ids"])
    if "active" in body:
        (service.enable_user if body["active"] else service.disable_user)(user_id)


@api.route(bp, "/roles", permission=Permission.USER_READ, response=schemas.RoleOut, paged=True, summary="Roles")
def roles(query: dict[str, Any]) -> api.Page:
    """With their permissions."""
    page = api.page(select(Role), query["cursor"], query["limit"])
    given = queries.permissions_by_role()
    names = ("id", "code", "name", "name_en", "work_place", "version")
    items = [
        {**{name: getattr(row, name) for name in names}, "permissions": sorted(given.get(row.id, ()))}
        for row in page.items
    ]
    return api.Page(items, page.next_cursor)
