"""Roles and what they allow (BA-01). A change holds from the next request of every member on."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select

from branches.org.service import require_code, touch_access
from sdm.auth.models import Role, RolePermission
from sdm.auth.rules import ROLE_SEEDS, WORK_PLACES
from sdm.auth.service.users import require_administrator_left
from sdm.kernel import audit
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput, NotFound, StaleVersion
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission

ALL = frozenset(permission.value for permission in Permission)


@command(Permission.ROLE_EDIT)
def ensure_roles() -> list[str]:
    """Make the delivered roles that are missing; present ones are left as they are. Returns the codes made."""
    present = set(db.session.execute(select(Role.code)).scalars())
    made = [seed for seed in ROLE_SEEDS if seed.code not in present]
    for seed in made:
        row = Role(code=seed.code, name=seed.name, name_en=seed.name_en, work_place=seed.work_place)
        db.session.add(row)
        db.session.flush()
        _grant(row.id, {permission.value for permission in seed.permissions})
        audit.write("role", row.id, "created", None, {"code": [None, seed.code], "delivered": True})
    if made:
        touch_access()
    return [seed.code for seed in made]


def _grant(role_id: int, permissions: Collection[str]) -> None:
    db.session.add_all(RolePermission(role_id=role_id, permission=p) for p in sorted(permissions))
    db.session.flush()


@command(Permission.ROLE_EDIT)
def create_role(code: str, name: str, name_en: str = "", work_place: str = "clerk", like: int | None = None) -> int:
    """Add a role, empty or with the permissions of another one; returns its id."""
    require_code(code)
    _check_work_place(work_place)
    row = Role(code=code, name=name, name_en=name_en, work_place=work_place)
    db.session.add(row)
    db.session.flush()
    if like is not None:
        _grant(row.id, _permissions(like))
    told = {"code": [None, code], "name": [None, name], "permissions": [None, sorted(_permissions(row.id))]}
    audit.write("role", row.id, "created", None, told)
    touch_access()
    return int(row.id)


def _check_work_place(work_place: str) -> None:
    if work_place not in WORK_PLACES:
        choices = ", ".join(WORK_PLACES)
        raise InvalidInput([FieldError("work_place", "input.choice", work_place, {"choices": choices})])


def _permissions(role_id: int) -> set[str]:
    statement = select(RolePermission.permission).where(RolePermission.role_id == role_id)
    return set(db.session.execute(statement).scalars())


def _locked(role_id: int, version: int | None) -> Role:
    rows = lock_rows(Role, [role_id])
    if not rows:
        raise NotFound("not_found", kind="role", id=role_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    return rows[0]


@command(Permission.ROLE_EDIT)
def change_role(role_id: int, version: int | None = None, **changes: str) -> int:
    """Change name, English name or work place of a role; returns the new version."""
    row = _locked(role_id, version)
    if "work_place" in changes:
        _check_work_place(changes["work_place"])
    before = {key: getattr(row, key) for key in changes}
    differing = audit.changed(before, changes)
    if differing:
        for key, (_old, new) in differing.items():
            setattr(row, key, new)
        row.version += 1
        audit.write("role", row.id, "changed", None, differing)
        touch_access()
    return row.version


@command(Permission.ROLE_EDIT)
def set_role_permissions(role_id: int, permissions: Collection[str], version: int | None = None) -> int:
    """Set exactly these permissions; returns the new version.

    Raises InvalidInput for unknown ones, Conflict when nobody could edit users and roles any more.
    """
    wanted = set(permissions)
    unknown = sorted(wanted - ALL)
    if unknown:
        raise InvalidInput([FieldError("permissions", "input.unknown", p) for p in unknown])
    row = _locked(role_id, version)
    present = _permissions(role_id)
    if wanted == present:
        return row.version
    gone = delete(RolePermission).where(
        RolePermission.role_id == role_id, RolePermission.permission.in_(present - wanted)
    )
    db.session.execute(gone)
    _grant(role_id, wanted - present)
    row.version += 1
    require_administrator_left()
    told = {"added": sorted(wanted - present), "removed": sorted(present - wanted)}
    audit.write("role", role_id, "permissions_changed", None, told)
    touch_access()
    return row.version


@command(Permission.ROLE_EDIT)
def save_role(role_id: int, permissions: Collection[str], version: int | None = None, **names: str) -> int:
    """Name, work place and permissions at once; returns the new version."""
    change_role(role_id, version, **names)
    return set_role_permissions(role_id, permissions)
