"""A new office with all it needs, in one transaction (BA-04): unit, warehouse, people with sign-ins, limit."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from branches.org import service as org
from sdm.auth.service.users import Grant, UserInput, create_user
from sdm.kernel.actor import current, narrowed, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.permissions import Permission

PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class OfficePerson:
    """Somebody of the new office with his sign-in."""

    name: str
    login: str
    role_id: int


@dataclass(frozen=True, slots=True)
class OfficeInput:
    """An office below a branch; no warehouse without its name; the first person manages it."""

    code: str
    name: str
    parent_id: int
    name_en: str = ""
    province: str = ""
    city: str = ""
    address: str = ""
    phone: str = ""
    warehouse_code: str = ""
    warehouse_name: str = ""
    order_limit: Decimal | None = None
    people: Sequence[OfficePerson] = ()


@dataclass(frozen=True, slots=True)
class OfficeOpened:
    """What was made; ``passwords`` (user name, first password) are shown once."""

    unit_id: int
    passwords: tuple[tuple[str, str], ...] = field(repr=False)


@command(Permission.ORG_EDIT)
def open_office(data: OfficeInput) -> OfficeOpened:
    """Open an office. Needs the permission of every part that is given. InvalidInput names what is wrong."""
    _require(data)
    unit_id = org.create_unit(
        org.UnitInput(
            code=data.code,
            name=data.name,
            kind="office",
            parent_id=data.parent_id,
            name_en=data.name_en,
            province=data.province,
            city=data.city,
            address=data.address,
            phone=data.phone,
        )
    )
    actor = current()
    wider = replace(actor.scope, units=actor.scope.units | {unit_id})  # the new unit lies below one of his
    with use_actor(narrowed(actor, wider)):
        passwords = _people(data, unit_id)
        if data.warehouse_name:
            _warehouse(data, unit_id)
        if data.order_limit is not None:
            org.set_parameter("order.amount_limit", data.order_limit, unit_id=unit_id)
        db.session.flush()
    return OfficeOpened(unit_id, passwords)


def _require(data: OfficeInput) -> None:
    actor = current()
    wanted = {
        Permission.WAREHOUSE_EDIT: bool(data.warehouse_name),
        Permission.USER_EDIT: bool(data.people),
        Permission.PARAMETER_EDIT: data.order_limit is not None,
    }
    for permission, needed in wanted.items():
        if needed:
            actor.require(permission)
    if data.warehouse_code and not data.warehouse_name:
        raise InvalidInput([FieldError("warehouse_name", "input.required")])


def _people(data: OfficeInput, unit_id: int) -> tuple[tuple[str, str], ...]:
    made = []
    for place, person in enumerate(data.people, start=1):
        person_id = org.create_person(org.PersonInput(f"{data.code}-{place:02d}", person.name, unit_id))
        if place == 1:
            org.change_unit(unit_id, manager_id=person_id)
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        grants = [Grant(person.role_id, unit_id)]
        create_user(UserInput(person.login, person.name, unit_id, password, grants, person_id=person_id))
        made.append((person.login.strip().lower(), password))
    return tuple(made)


def _warehouse(data: OfficeInput, unit_id: int) -> None:
    org.create_warehouse(
        org.WarehouseInput(
            code=data.warehouse_code or f"{data.code}-W1",
            name=data.warehouse_name,
            unit_id=unit_id,
            province=data.province,
            city=data.city,
            address=data.address,
        )
    )
