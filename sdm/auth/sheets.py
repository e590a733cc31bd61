"""Import sheet of users. New users get no password: nobody can sign in as them until one is set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, tuple_

from branches.org import queries as org
from branches.org.models import Person
from branches.org.service import touch_access
from branches.org.sheets import foreign_units, replaced
from sdm.auth import queries
from sdm.auth.models import Role, User, UserRole
from sdm.auth.service.users import disable_user, enable_user, require_administrator_left
from sdm.kernel import audit
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, table_of
from sdm.kernel.errors import N_, describe
from sdm.kernel.i18n import LOCALES, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, missing, repeated, unknown, values_of
from sdm.kernel.upsert import Upserted, upsert

_USER = ("login", "name", "locale", "own_dealers")
describe(
    {
        "sheet.login": N_("%(value)s is no user name; use small letters, digits, hyphens, dots or underscores"),
        "sheet.own_rights": N_("You cannot change your own roles or disable yourself; ask another administrator"),
    }
)
_LOGIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_./")


def split_roles(text: str, unit: str | None) -> list[tuple[str, str | None]]:
    """`clerk; finance@B1` as [(role, unit code)]; without a unit the user's own."""
    parts = [part.strip() for part in (text or "").replace("；", ";").split(";") if part.strip()]
    pairs = [part.partition("@") for part in parts]
    return [(role.strip(), place.strip() or unit) for role, _at, place in pairs]


def _stored(rows: Sequence[SheetRow]) -> dict[str, User]:
    logins = values_of(rows, "login")
    found = db.session.execute(select(User).where(User.login.in_(logins))).scalars() if logins else ()
    return {user.login: user for user in found}


def _people(rows: Sequence[SheetRow]) -> dict[str, int]:
    codes = values_of(rows, "person")
    found = db.session.execute(select(Person.code, Person.id).where(Person.code.in_(codes))) if codes else ()
    return {code: row_id for code, row_id in found}


def _check(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _stored(rows)
    faults = [
        *repeated(rows, ("login",)),
        *missing(rows, ("name", "unit", "roles"), lambda row: row.get("login") not in known),
        *foreign_units(rows),
        *unknown(rows, "person", _people(rows)),
    ]
    units = {node.code: node.id for node in org.tree().units.values()}
    codes = {node.id: node.code for node in org.tree().units.values()}
    refused = _refused_roles()
    for row in rows:
        user = known.get(row.get("login") or "")
        faults += _user_faults(row, user)
        unit = row.get("unit") or (codes.get(user.unit_id) if user else None)
        for role, place in split_roles(row.get("roles") or "", unit):
            faults += _role_faults(row, role, place, refused, units)
    return faults


def _refused_roles() -> dict[str, bool]:
    """Roles by code: True for those that may do more than the actor, who may not edit roles."""
    actor = current()
    permissions = queries.permissions_by_role()
    editor = actor.can(Permission.ROLE_EDIT)
    return {
        role.code: not editor and not all(actor.can(name) for name in permissions.get(role.id, ()))
        for role in queries.roles()
    }


def _user_faults(row: SheetRow, user: User | None) -> Iterator[RowFault]:
    login = row.get("login")
    if login is not None and not set(login) <= _LOGIN:
        yield RowFault(row.number, "login", "sheet.login", login)
    if user is not None and not current().scope.has_unit(user.unit_id):
        yield RowFault(row.number, "login", "sheet.foreign", login)
    if user is not None and user.id == current().user_id and (row.has("roles") or row.get("active") is False):
        yield RowFault(row.number, "login", "sheet.own_rights", login)


def _role_faults(
    row: SheetRow, role: str, place: str | None, refused: Mapping[str, bool], units: Mapping[str, int]
) -> Iterator[RowFault]:
    if role not in refused:
        yield RowFault(row.number, "roles", "sheet.unknown", role)
    elif refused[role]:
        yield RowFault(row.number, "roles", "user.role_above", role)
    if place is not None and place not in units:
        yield RowFault(row.number, "roles", "sheet.unknown", place)
    elif place is not None and not current().scope.has_unit(units[place]):
        yield RowFault(row.number, "roles", "sheet.foreign", place)


@command(Permission.USER_EDIT)
def _apply(rows: Sequence[SheetRow]) -> Applied:
    names = {
        "unit": ("unit_id", {node.code: node.id for node in org.tree().units.values()}),
        "person": ("person_id", _people(rows)),
    }
    values = []
    for row in rows:
        found = replaced(row.given((*_USER, "unit", "person")), names)
        values.append({key: value for key, value in found.items() if key != "unit_id" or value is not None})
    done = upsert(User, values, kind="user", key="login", unit="unit_id")
    roles = _put_roles(rows, done) if rows[0].has("roles") else 0
    switched = _switch(rows, done)
    require_administrator_left()
    touch_access()
    changed = min(len(done.changed) + roles + switched, len(rows) - len(done.created))
    return Applied(len(done.created), changed, len(rows) - len(done.created) - changed)


def _put_roles(rows: Sequence[SheetRow], done: Upserted) -> int:
    """Give exactly the roles of the file over units in scope; returns how many known users changed."""
    ids = {role.code: role.id for role in queries.roles()}
    units = {node.code: node.id for node in org.tree().units.values()}
    codes = {unit_id: code for code, unit_id in units.items()}
    own = dict(db.session.execute(select(User.login, User.unit_id).where(User.login.in_(list(done.ids)))).all())
    scope = current().scope
    present: dict[int, set[tuple[int, int]]] = {user_id: set() for user_id in done.ids.values()}
    statement = select(UserRole).where(UserRole.user_id.in_(sorted(present)))
    for grant in db.session.execute(statement).scalars():
        present[grant.user_id].add((grant.role_id, grant.unit_id))
    gone, added, changed = [], [], 0
    for row in rows:
        login = row.values["login"]
        user_id = done.ids[login]
        pairs = split_roles(row.get("roles") or "", codes.get(own[login]))
        wanted = {(ids[role], units[place]) for role, place in pairs if place}
        lost = {pair for pair in present[user_id] - wanted if scope.has_unit(pair[1])}
        gone += [(user_id, *pair) for pair in lost]
        added += [
            {"user_id": user_id, "role_id": role_id, "unit_id": unit_id}
            for role_id, unit_id in sorted(wanted - present[user_id])
        ]
        if lost or wanted - present[user_id]:
            told = {"roles": [sorted(map(list, present[user_id])), sorted(map(list, wanted))]}
            audit.write("user", user_id, "roles_changed", own[login], told)
            changed += login not in done.created
    if gone:
        db.session.execute(
            delete(UserRole).where(tuple_(UserRole.user_id, UserRole.role_id, UserRole.unit_id).in_(gone))
        )
    if added:
        db.session.execute(insert(table_of(UserRole)), added)
    return changed


def _switch(rows: Sequence[SheetRow], done: Upserted) -> int:
    """Disable and enable those whose state differs; each ends or allows sign-ins at once."""
    wanted = {done.ids[row.values["login"]]: row.get("active") for row in rows if row.get("active") is not None}
    statement = select(User.id, User.active).where(User.id.in_(sorted(wanted)))
    differing = [row.id for row in db.session.execute(statement) if row.active != wanted[row.id]]
    for user_id in differing:
        (enable_user if wanted[user_id] else disable_user)(user_id)
    return len(differing)


def _export() -> Iterable[Mapping[str, Any]]:
    codes = {node.id: node.code for node in org.tree().units.values()}
    users = list(db.session.execute(queries.in_scope(select(User)).order_by(User.login)).scalars())
    people = dict(
        db.session.execute(
            select(Person.id, Person.code).where(Person.id.in_([user.person_id for user in users if user.person_id]))
        ).all()
    )
    roles: dict[int, list[str]] = {}
    statement = select(UserRole.user_id, Role.code, UserRole.unit_id).join(Role, Role.id == UserRole.role_id)
    for user_id, role, unit_id in db.session.execute(statement.order_by(UserRole.id)):
        roles.setdefault(user_id, []).append(f"{role}@{codes.get(unit_id, '')}")
    for user in users:
        yield {
            **{key: getattr(user, key) for key in _USER}, "active": user.active, "unit": codes.get(user.unit_id),
            "person": people.get(user.person_id or 0), "roles": "; ".join(roles.get(user.id, ())),
        }  # fmt: skip


USERS = ImportSheet(
    code="users",
    label=_l("Users"),
    permission=Permission.USER_EDIT,
    columns=(
        Column("login", _l("User name"), "code", required=True),
        Column("name", _l("Name")),
        Column("unit", _l("Unit"), "code", help=_l("code of the unit")),
        Column("roles", _l("Roles"), max_length=2000, help=_l("codes, e.g. clerk; finance@B1 over another unit")),
        Column("person", _l("Person"), "code", help=_l("code of a person")),
        Column("locale", _l("Language"), "choice", choices=tuple(LOCALES.items())),
        Column("own_dealers", _l("Only own dealers"), "boolean"),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("login",),
    check=_check,
    apply=_apply,
    export=_export,
    order=35,
    note=_l("New users cannot sign in until somebody gives them a password."),
)

SHEETS = (USERS,)
