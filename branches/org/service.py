"""Commands on the organisation: units, companies, people, deputies, warehouses, option lists, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.org import parameters, queries, rules, statements
from branches.org.models import (
    UNIT_KINDS,
    Deputy,
    LegalEntity,
    Option,
    OptionList,
    Parameter,
    Person,
    Unit,
    Warehouse,
)
from sdm.kernel import audit, clock, hooks, pinyin
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, InvalidInput, NotFound, StaleVersion, describe
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.permissions import Permission

describe(
    {
        "unit.parent_kind": N_("A %(kind)s cannot stand below that unit; choose another one"),
        "unit.parent_below": N_("A unit cannot stand below itself; choose another one"),
        "unit.has_active": N_("The unit still has active units, people or warehouses below it: %(names)s"),
        "unit.second_head_office": N_("There is a head office already"),
        "unit.not_yours": N_("The unit %(value)s lies outside your area; choose one of yours"),
        "warehouse.in_use": N_("The warehouse still holds goods or open documents"),
        "deputy.self": N_("Nobody can stand in for himself; choose another person"),
        "deputy.dates": N_("The last day lies before the first one"),
        "parameter.company_only": N_("This parameter has one value for the company; leave the unit empty"),
        "input.currency": N_("%(value)s is no currency; use its three letters, such as CNY"),
        "input.code": N_("%(value)s is no code; use up to 64 letters, digits, hyphens, dots or underscores"),
    }
)
CODE_CHARACTERS = frozenset("-_./")


@dataclass(frozen=True, slots=True)
class UnitInput:
    """A new unit; without ``pinyin`` the initials of the name are taken."""

    code: str
    name: str
    kind: str
    parent_id: int | None
    name_en: str = ""
    pinyin: str = ""
    legal_entity_id: int | None = None
    manager_id: int | None = None
    deputy_id: int | None = None
    province: str = ""
    city: str = ""
    address: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class PersonInput:
    """Somebody new who works for us."""

    code: str
    name: str
    unit_id: int
    job_title: str = ""
    phone: str = ""
    email: str = ""
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class WarehouseInput:
    """A new warehouse; ``lead_days`` is how long a shipment from it usually travels."""

    code: str
    name: str
    unit_id: int
    name_en: str = ""
    keeper_id: int | None = None
    province: str = ""
    city: str = ""
    address: str = ""
    lead_days: int = 3
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class LegalEntityInput:
    """A company that invoices, as printed on invoices."""

    code: str
    name: str
    tax_no: str = ""
    address: str = ""
    phone: str = ""
    bank_name: str = ""
    bank_account: str = ""
    currency: str = "CNY"


# --- helpers ----------------------------------------------------------------------------------------------------------


def touch_access() -> int:
    """Set the access version anew, so that every process forgets what it kept of units, roles and parameters.

    Runs inside a command, after the changes are in the session; locks the version's row until the commit.
    """
    reach(Rank.DOCUMENT)
    db.session.flush()
    version = int(db.session.execute(statements.TOUCH).scalar_one())
    queries.note_access_version(version)
    return version


def require_unit(unit_id: int | None, field: str = "unit_id") -> None:
    """Refuse a unit outside the actor's scope. InvalidInput names the field."""
    if not current().scope.has_unit(unit_id):
        raise InvalidInput([FieldError(field, "unit.not_yours", unit_id)])


def require_code(code: str, field: str = "code") -> None:
    """Refuse a code that could not be typed, scanned and put into an address."""
    if not 1 <= len(code) <= 64 or not all(c.isalnum() or c in CODE_CHARACTERS for c in code):
        raise InvalidInput([FieldError(field, "input.code", code[:80])])


def _locked(model: Any, row_id: int, version: int | None) -> Any:
    rows = lock_rows(model, [row_id])
    if not rows:
        raise NotFound("not_found", kind=model.__tablename__, id=row_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    return rows[0]


def _apply(row: Any, kind: str, unit_id: int | None, changes: Mapping[str, Any]) -> bool:
    """Set changed columns, raise the version, note old and new values; False when nothing differs."""
    differing = audit.changed({key: getattr(row, key) for key in changes}, dict(changes))
    if not differing:
        return False
    for key, (_old, new) in differing.items():
        setattr(row, key, new)
    row.version += 1
    audit.write(kind, row.id, "changed", unit_id, differing)
    return True


def _created(row: Any, kind: str, unit_id: int | None, values: Mapping[str, Any]) -> int:
    db.session.add(row)
    db.session.flush()
    told = {key: [None, value] for key, value in values.items() if value not in (None, "")}
    audit.write(kind, row.id, "created", unit_id, told)
    return int(row.id)


def _values(source: Any) -> dict[str, Any]:
    return {name: getattr(source, name) for name in source.__dataclass_fields__}


def _with_initials(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {**values, "pinyin": values.get("pinyin") or pinyin.initials(name)}


def _with_new_initials(row: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes with new initials where the name changed and nobody set them by hand."""
    wanted = dict(changes)
    if "name" in wanted and not wanted.get("pinyin") and wanted["name"] != row.name:
        wanted["pinyin"] = pinyin.initials(wanted["name"])
    elif "pinyin" in wanted and not wanted["pinyin"]:
        wanted["pinyin"] = pinyin.initials(wanted.get("name", row.name))
    return wanted


# --- units ------------------------------------------------------------------------------------------------------------


@command(Permission.ORG_EDIT)
def create_unit(data: UnitInput) -> int:
    """Add a unit below its parent; returns its id. InvalidInput for a parent of the wrong kind or out of scope."""
    require_code(data.code)
    if data.kind not in UNIT_KINDS:
        raise InvalidInput([FieldError("kind", "input.choice", data.kind, {"choices": ", ".join(UNIT_KINDS)})])
    parent = _parent_for(data.kind, data.parent_id)
    values = _with_initials(_values(data), data.name)
    row = Unit(**values)
    db.session.add(row)
    db.session.flush()
    row.path = [*(parent.path if parent else []), row.id]
    _created(row, "unit", row.id, values)
    touch_access()
    return int(row.id)


def _parent_for(kind: str, parent_id: int | None) -> Unit | None:
    """The parent, locked and allowed for a unit of this kind; None for the head office."""
    if parent_id is None:
        if kind != "head_office":
            raise InvalidInput([FieldError("parent_id", "input.required")])
        if not current().scope.everything:
            raise InvalidInput([FieldError("kind", "unit.not_yours", kind)])
        if db.session.execute(select(Unit.id).where(Unit.kind == "head_office")).first():
            raise Conflict("unit.second_head_office")
        return None
    require_unit(parent_id, "parent_id")
    parent: Unit = _locked(Unit, parent_id, None)
    if not rules.may_stand_below(kind, parent.kind):
        raise InvalidInput([FieldError("parent_id", "unit.parent_kind", parent.name, {"kind": kind})])
    return parent


@command(Permission.ORG_EDIT)
def change_unit(unit_id: int, version: int | None = None, **changes: Any) -> int:
    """Change a unit's own data, parent or activity; returns the new version. A move takes everything below along.

    Raises NotFound, StaleVersion, InvalidInput, Conflict (closing a unit that still has active parts).
    """
    if not current().scope.has_unit(unit_id):
        raise NotFound("not_found", kind="unit", id=unit_id)
    row: Unit = _lock_unit_and_tree(unit_id, changes, version)
    if "code" in changes:
        require_code(changes["code"])
    moves = "parent_id" in changes and changes["parent_id"] != row.parent_id
    if moves:
        _check_move(row, changes["parent_id"])
    if changes.get("active") is False and row.active:
        _refuse_closing(row)
    if _apply(row, "unit", row.id, _with_new_initials(row, changes)):
        db.session.flush()
        if moves:
            db.session.execute(statements.REBUILD_PATHS)
        touch_access()
        db.session.refresh(row)
    return row.version


def _lock_unit_and_tree(unit_id: int, changes: Mapping[str, Any], version: int | None) -> Unit:
    """The locked unit; a move locks the old and new chains as well, so that two moves cannot make a ring."""
    ids = {unit_id}
    if changes.get("parent_id") is not None:
        ids |= set(queries.tree().units)
    rows = {row.id: row for row in lock_rows(Unit, ids)}
    if unit_id not in rows:
        raise NotFound("not_found", kind="unit", id=unit_id)
    if version is not None and rows[unit_id].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[unit_id].version)
    return rows[unit_id]


def _check_move(row: Unit, parent_id: int | None) -> None:
    if parent_id is None:
        raise InvalidInput([FieldError("parent_id", "input.required")])
    require_unit(parent_id, "parent_id")
    parent = db.session.get(Unit, parent_id)
    if parent is None or row.id in parent.path:
        raise InvalidInput([FieldError("parent_id", "unit.parent_below", parent_id)])
    if not rules.may_stand_below(row.kind, parent.kind):
        raise InvalidInput([FieldError("parent_id", "unit.parent_kind", parent.name, {"kind": row.kind})])


def _refuse_closing(row: Unit) -> None:
    """Raise Conflict while something active stands below."""
    units = select(Unit.name).where(Unit.parent_id == row.id, Unit.active).limit(5)
    stores = select(Warehouse.name).where(Warehouse.unit_id == row.id, Warehouse.active).limit(5)
    people = select(Person.name).where(Person.unit_id == row.id, Person.active).limit(5)
    names = [name for statement in (units, stores, people) for name in db.session.execute(statement).scalars()]
    if names:
        raise Conflict("unit.has_active", names=", ".join(names[:5]))


# --- companies --------------------------------------------------------------------------------------------------------


@command(Permission.ORG_EDIT)
def create_legal_entity(data: LegalEntityInput) -> int:
    """Add a company that invoices (BA-03); returns its id."""
    require_code(data.code)
    values = _values(data)
    entity_id = _created(LegalEntity(**values), "legal_entity", None, values)
    touch_access()
    return entity_id


@command(Permission.ORG_EDIT)
def change_legal_entity(entity_id: int, version: int | None = None, **changes: Any) -> int:
    """Change a company's data; what is printed from now on shows it. Returns the new version."""
    row: LegalEntity = _locked(LegalEntity, entity_id, version)
    if "code" in changes:
        require_code(changes["code"])
    if _apply(row, "legal_entity", None, changes):
        touch_access()
    return row.version


# --- people and deputies ----------------------------------------------------------------------------------------------


@command(Permission.ORG_EDIT)
def create_person(data: PersonInput) -> int:
    """Add a person to a unit in scope; returns the id."""
    require_code(data.code)
    require_unit(data.unit_id)
    values = _with_initials(_values(data), data.name)
    return _created(Person(**values), "person", data.unit_id, values)


@command(Permission.ORG_EDIT)
def change_person(person_id: int, version: int | None = None, **changes: Any) -> int:
    """Change a person's data, unit or activity; returns the new version."""
    row: Person = _locked(Person, person_id, version)
    if "unit_id" in changes:
        require_unit(changes["unit_id"])
    if "code" in changes:
        require_code(changes["code"])
    if _apply(row, "person", row.unit_id, _with_new_initials(row, changes)):
        touch_access()
    return row.version


@command(Permission.ORG_EDIT)
def set_deputy(person_id: int, deputy_id: int, valid_from: date, valid_to: date) -> int:
    """Let someone stand in for a person, both days included; returns the id of the entry."""
    faults = []
    if person_id == deputy_id:
        faults.append(FieldError("deputy_id", "deputy.self", deputy_id))
    if valid_to < valid_from:
        faults.append(FieldError("valid_to", "deputy.dates", valid_to))
    if faults:
        raise InvalidInput(faults)
    person: Person = _locked(Person, person_id, None)
    if db.session.get(Person, deputy_id) is None:
        raise InvalidInput([FieldError("deputy_id", "input.unknown", deputy_id)])
    row = Deputy(person_id=person_id, deputy_id=deputy_id, valid_from=valid_from, valid_to=valid_to)
    db.session.add(row)
    db.session.flush()
    told = {"deputy_id": [None, deputy_id], "valid_from": [None, valid_from], "valid_to": [None, valid_to]}
    audit.write("person", person_id, "deputy_set", person.unit_id, told)
    return int(row.id)


@command(Permission.ORG_EDIT)
def end_deputy(entry_id: int) -> None:
    """Take a deputy entry back."""
    row = db.session.get(Deputy, entry_id)
    person = db.session.get(Person, row.person_id) if row else None
    if row is None or person is None:
        raise NotFound("not_found", kind="deputy", id=entry_id)
    told = {"deputy_id": [row.deputy_id, None], "valid_to": [row.valid_to, None]}
    audit.write("person", row.person_id, "deputy_ended", person.unit_id, told)
    db.session.delete(row)


# --- warehouses -------------------------------------------------------------------------------------------------------


@command(Permission.WAREHOUSE_EDIT)
def create_warehouse(data: WarehouseInput) -> int:
    """Add a warehouse to a unit in scope; returns the id."""
    require_code(data.code)
    require_unit(data.unit_id)
    values = _with_initials(_values(data), data.name)
    return _created(Warehouse(**values), "warehouse", data.unit_id, values)


@command(Permission.WAREHOUSE_EDIT)
def change_warehouse(warehouse_id: int, version: int | None = None, **changes: Any) -> int:
    """Change a warehouse's data or activity; returns the new version. Its unit never changes: its stock belongs to it.

    Closing calls the hook ``warehouse.closing`` (functions give texts of what is still there) and refuses while any is.
    """
    changes.pop("unit_id", None)
    row: Warehouse = _locked(Warehouse, warehouse_id, version)
    if "code" in changes:
        require_code(changes["code"])
    if changes.get("active") is False and row.active:
        reasons = [reason for reason in hooks.call("warehouse.closing", warehouse_id) if reason]
        if reasons:
            raise Conflict("warehouse.in_use", reasons=reasons)
    _apply(row, "warehouse", row.unit_id, _with_new_initials(row, changes))
    return row.version


# --- option lists -----------------------------------------------------------------------------------------------------


def ensure_option_list(code: str, name: str, name_en: str, options: Mapping[str, tuple[str, str]]) -> None:
    """Make sure a delivered list exists, with its first choices (code → name, English name); joins a command."""
    if db.session.get(OptionList, code) is not None:
        return
    db.session.add(OptionList(code=code, name=name, name_en=name_en))
    db.session.flush()
    db.session.add_all(
        Option(list_code=code, code=key, name=words[0], name_en=words[1], position=place * 10)
        for place, (key, words) in enumerate(options.items(), start=1)
    )


@command(Permission.OPTION_EDIT)
def create_option_list(code: str, name: str, name_en: str = "") -> str:
    """Add a list of choices; returns its code."""
    require_code(code)
    db.session.add(OptionList(code=code, name=name, name_en=name_en))
    db.session.flush()
    audit.write("option_list", None, "created", None, {"code": [None, code], "name": [None, name]})
    return code


@command(Permission.OPTION_EDIT)
def save_option(list_code: str, code: str, **values: Any) -> int:
    """Add a choice or change it (name, name_en, position, active); selectable at once everywhere. Returns its id."""
    require_code(code)
    if db.session.get(OptionList, list_code) is None:
        raise NotFound("not_found", kind="option_list", id=list_code)
    reach(Rank.DOCUMENT)
    found = select(Option).where(Option.list_code == list_code, Option.code == code).with_for_update()
    row = db.session.execute(found).scalar_one_or_none()
    before = {key: getattr(row, key) for key in values} if row is not None else {}
    if row is None:
        row = Option(list_code=list_code, code=code, name=values.get("name") or code)
        db.session.add(row)
    for key, value in values.items():
        setattr(row, key, value)
    db.session.flush()
    differing = audit.changed(before, values)
    if differing:
        audit.write("option", row.id, "changed" if before else "created", None, {"list": list_code, **differing})
    return int(row.id)


# --- parameters -------------------------------------------------------------------------------------------------------


@command(Permission.PARAMETER_EDIT)
def set_parameter(key: str, value: Any, unit_id: int | None = None, valid_from: date | None = None) -> None:
    """Set a parameter for the company (no unit) or a unit from a day on (default today); noted with the old value."""
    spec = parameters.spec_of(key)
    _check_parameter_unit(spec, unit_id)
    stored = parameters.checked(spec, value)
    day = valid_from or clock.today()
    before = parameters.value(key, unit_id, day)
    reach(Rank.DOCUMENT)
    row = _parameter_row(key, unit_id, day)
    if row is None:
        db.session.add(Parameter(key=key, unit_id=unit_id, value=stored, valid_from=day))
    else:
        row.value = stored
        row.set_at = clock.now()
    told = {key: [_plain(before), stored], "valid_from": day}
    audit.write("parameter", None, "set", unit_id, told)
    touch_access()


@command(Permission.PARAMETER_EDIT)
def clear_parameter(key: str, unit_id: int | None = None) -> None:
    """Forget all values of a parameter for the company or the unit: what stands above holds again."""
    spec = parameters.spec_of(key)
    _check_parameter_unit(spec, unit_id)
    before = parameters.value(key, unit_id)
    reach(Rank.DOCUMENT)
    for row in db.session.execute(select(Parameter).where(Parameter.key == key, _owner(unit_id))).scalars():
        db.session.delete(row)
    touch_access()
    audit.write("parameter", None, "cleared", unit_id, {key: [_plain(before), _plain(parameters.value(key, unit_id))]})


def _check_parameter_unit(spec: parameters.ParameterSpec, unit_id: int | None) -> None:
    if unit_id is not None and not spec.per_unit:
        raise InvalidInput([FieldError("unit_id", "parameter.company_only", unit_id)])
    if unit_id is not None:
        require_unit(unit_id)
    elif not current().scope.everything:
        raise InvalidInput([FieldError("unit_id", "input.required")])


def _owner(unit_id: int | None) -> Any:
    return Parameter.unit_id.is_(None) if unit_id is None else Parameter.unit_id == unit_id


def _parameter_row(key: str, unit_id: int | None, day: date) -> Parameter | None:
    statement = select(Parameter).where(Parameter.key == key, _owner(unit_id), Parameter.valid_from == day)
    return db.session.execute(statement.with_for_update()).scalar_one_or_none()


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
