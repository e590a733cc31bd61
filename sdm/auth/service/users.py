"""Users: who may sign in, with which roles over which units."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, select

from branches.org.models import Person, Warehouse
from branches.org.queries import head_office
from branches.org.service import require_code, require_unit, touch_access
from sdm.auth import passwords, queries
from sdm.auth.models import ApiToken, Role, RolePermission, User, UserRole, UserWarehouse
from sdm.auth.service.sessions import revoke_sessions
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, InvalidInput, NotFound, StaleVersion, describe
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission

describe(
    {
        "user.own": N_("You cannot disable yourself or take your own roles away; ask another administrator"),
        "user.last_administrator": N_("Nobody would be left who may edit users and roles; give them to someone first"),
        "user.role_above": N_("The role %(value)s may do more than you; only who edits roles may give it"),
        "user.no_role": N_("Give the user at least one role"),
    }
)
CHANGEABLE = frozenset({"name", "person_id", "unit_id", "own_dealers", "locale", "dealer_id"})


@dataclass(frozen=True, slots=True)
class Grant:
    """A role over a unit and all below it."""

    role_id: int
    unit_id: int


@dataclass(frozen=True, slots=True)
class UserInput:
    """A new user; the password is a first one, to be changed at the first sign-in unless said otherwise."""

    login: str
    name: str
    unit_id: int
    password: str = field(repr=False)
    grants: Sequence[Grant] = ()
    person_id: int | None = None
    dealer_id: int | None = None
    own_dealers: bool = False
    locale: str = "zh_CN"
    must_change_password: bool = True
    warehouse_ids: Sequence[int] = ()


@command(Permission.USER_EDIT)
def create_user(data: UserInput) -> int:
    """Add a user with roles; returns the id. InvalidInput with all faults of name, password, unit and roles."""
    login = data.login.strip().lower()
    require_code(login, "login")
    found = passwords.faults(data.password, [login, data.name, *queries.company_names()])
    if not data.grants:
        found.append(FieldError("roles", "user.no_role"))
    if found:
        raise InvalidInput(found)
    require_unit(data.unit_id)
    _require_visible(Person, data.person_id, "person_id")
    row = User(
        login=login,
        name=data.name.strip(),
        unit_id=data.unit_id,
        person_id=data.person_id,
        dealer_id=data.dealer_id,
        own_dealers=data.own_dealers,
        locale=data.locale,
        must_change_password=data.must_change_password,
        password_hash=passwords.hashed(data.password),
    )
    db.session.add(row)
    db.session.flush()
    audit.write("user", row.id, "created", row.unit_id, {"login": [None, login], "name": [None, row.name]})
    _put_grants(row, data.grants)
    if data.warehouse_ids:
        _put_warehouses(row, data.warehouse_ids)
    touch_access()
    return int(row.id)


def _require_visible(model: Any, row_id: int | None, name: str) -> None:
    if row_id is not None and db.session.execute(select(model.id).where(model.id == row_id)).first() is None:
        raise InvalidInput([FieldError(name, "input.unknown", row_id)])


def _locked(user_id: int, version: int | None = None) -> User:
    """A user of a unit in scope, locked."""
    rows = lock_rows(User, [user_id])
    if not rows or not current().scope.has_unit(rows[0].unit_id):
        raise NotFound("not_found", kind="user", id=user_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    return rows[0]


def _refuse_own(user_id: int) -> None:
    if current().user_id == user_id:
        raise Conflict("user.own")


@command(Permission.USER_EDIT)
def change_user(user_id: int, version: int | None = None, **changes: Any) -> int:
    """Change name, person, unit, language or the narrowing to own dealers; returns the new version."""
    unknown = set(changes) - CHANGEABLE
    if unknown:
        raise InvalidInput([FieldError(name, "input.unknown_field") for name in sorted(unknown)])
    row = _locked(user_id, version)
    if "unit_id" in changes:
        require_unit(changes["unit_id"])
    if "person_id" in changes:
        _require_visible(Person, changes["person_id"], "person_id")
    differing = audit.changed({key: getattr(row, key) for key in changes}, changes)
    if differing:
        for key, (_old, new) in differing.items():
            setattr(row, key, new)
        row.version += 1
        audit.write("user", row.id, "changed", row.unit_id, differing)
        touch_access()
    return row.version


@command(None)
def set_locale(locale: str) -> None:
    """The language of one's own pages."""
    rows = lock_rows(User, [current().user_id or 0])
    if rows and rows[0].locale != locale:
        rows[0].locale = locale
        touch_access()


@command(Permission.USER_EDIT)
def set_grants(user_id: int, grants: Sequence[Grant], version: int | None = None) -> int:
    """Give a user exactly these roles over these units; returns the new version."""
    _refuse_own(user_id)
    row = _locked(user_id, version)
    if not grants:
        raise InvalidInput([FieldError("roles", "user.no_role")])
    _put_grants(row, grants)
    row.version += 1
    require_administrator_left()
    touch_access()
    return row.version


def _put_grants(row: User, grants: Sequence[Grant]) -> None:
    """Replace the roles; those over units outside the actor's scope stay untouched."""
    wanted = {(grant.role_id, grant.unit_id) for grant in grants}
    present = set(queries.grants_of(row.id))
    scope = current().scope
    mine = {grant for grant in present if scope.has_unit(grant[1])}
    _check_grants(wanted - present)
    for role_id, unit_id in sorted(mine - wanted):
        db.session.execute(
            delete(UserRole).where(UserRole.user_id == row.id, UserRole.role_id == role_id, UserRole.unit_id == unit_id)
        )
    db.session.add_all(UserRole(user_id=row.id, role_id=r, unit_id=u) for r, u in sorted(wanted - present))
    db.session.flush()
    if wanted != present:
        told = {"roles": [sorted(map(list, present)), sorted(map(list, wanted))]}
        audit.write("user", row.id, "roles_changed", row.unit_id, told)


def _check_grants(added: Collection[tuple[int, int]]) -> None:
    """Roles over units in scope; who may not edit roles gives away only what he may do himself."""
    actor = current()
    known = {role.id: role for role in queries.roles()}
    permissions = queries.permissions_by_role()
    found = []
    for role_id, unit_id in sorted(added):
        if role_id not in known:
            found.append(FieldError("roles", "input.unknown", role_id))
        elif not actor.can(Permission.ROLE_EDIT) and not all(actor.can(p) for p in permissions.get(role_id, ())):
            found.append(FieldError("roles", "user.role_above", known[role_id].name))
        if not actor.scope.has_unit(unit_id):
            found.append(FieldError("roles", "unit.not_yours", unit_id))
    if found:
        raise InvalidInput(found)


@command(Permission.USER_EDIT)
def set_rights(
    user_id: int, grants: Sequence[Grant], warehouse_ids: Collection[int], version: int | None = None
) -> int:
    """Roles and warehouses at once; returns the new version."""
    set_grants(user_id, grants, version)
    return set_warehouses(user_id, warehouse_ids)


@command(Permission.USER_EDIT)
def set_warehouses(user_id: int, warehouse_ids: Collection[int], version: int | None = None) -> int:
    """Bind a user to some warehouses; none: all of his units. Returns the new version."""
    row = _locked(user_id, version)
    _put_warehouses(row, warehouse_ids)
    row.version += 1
    touch_access()
    return row.version


def _put_warehouses(row: User, warehouse_ids: Collection[int]) -> None:
    wanted = set(warehouse_ids)
    seen = set(db.session.execute(select(Warehouse.id).where(Warehouse.id.in_(wanted))).scalars())
    if wanted - seen:
        raise InvalidInput([FieldError("warehouse_ids", "input.unknown", i) for i in sorted(wanted - seen)])
    before = queries.warehouses_of(row.id)
    db.session.execute(delete(UserWarehouse).where(UserWarehouse.user_id == row.id))
    db.session.add_all(UserWarehouse(user_id=row.id, warehouse_id=i) for i in sorted(wanted))
    db.session.flush()
    if before != sorted(wanted):
        audit.write("user", row.id, "warehouses_changed", row.unit_id, {"warehouses": [before, sorted(wanted)]})


@command(Permission.USER_EDIT)
def set_password(user_id: int, password: str, must_change: bool = True) -> None:
    """Give a user a new first password; all his sessions end."""
    row = _locked(user_id)
    found = passwords.faults(password, [row.login, row.name, *queries.company_names()])
    if found:
        raise InvalidInput(found)
    row.password_hash = passwords.hashed(password)
    row.must_change_password = must_change
    row.version += 1
    revoke_sessions(user_id)
    audit.write("user", user_id, "password_reset", row.unit_id)


@command(Permission.USER_EDIT)
def disable_user(user_id: int, version: int | None = None) -> int:
    """Let nobody sign in as this user any more; sessions and tokens end at once. Returns the new version."""
    _refuse_own(user_id)
    row = _locked(user_id, version)
    if row.active:
        row.active = False
        row.version += 1
        revoke_sessions(user_id)
        _revoke_tokens(user_id)
        require_administrator_left()
        audit.write("user", user_id, "disabled", row.unit_id, {"active": [True, False]})
        touch_access()
    return row.version


def _revoke_tokens(user_id: int) -> None:
    open_tokens = select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    for token in db.session.execute(open_tokens).scalars():
        token.revoked_at = clock.now()


@command(Permission.USER_EDIT)
def enable_user(user_id: int, version: int | None = None) -> int:
    """Let a disabled user sign in again; returns the new version."""
    row = _locked(user_id, version)
    if not row.active:
        row.active = True
        row.version += 1
        audit.write("user", user_id, "enabled", row.unit_id, {"active": [False, True]})
        touch_access()
    return row.version


def require_administrator_left() -> None:
    """Conflict when nobody active could edit users and roles over the whole company any more.

    Says nothing while nobody ever could (an empty company is set up from the command line).
    """
    db.session.flush()
    if not db.session.execute(select(Role.id).limit(1)).first():
        return
    needed = (Permission.USER_EDIT.value, Permission.ROLE_EDIT.value)
    statement = (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .join(RolePermission, RolePermission.role_id == UserRole.role_id)
        .where(User.active, UserRole.unit_id == head_office().id, RolePermission.permission.in_(needed))
        .group_by(User.id)
        .having(func.count(RolePermission.permission.distinct()) == len(needed))
        .limit(1)
    )
    if db.session.execute(statement).first() is None and not current().all_permissions:
        raise Conflict("user.last_administrator")
