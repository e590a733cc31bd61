"""Import sheets of the organisation: companies, units, people, warehouses, option lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import aliased

from branches.org import queries, rules, statements
from branches.org.models import LegalEntity, Option, OptionList, Person, Unit, Warehouse
from branches.org.service import touch_access
from sdm.kernel import audit, pinyin
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, table_of
from sdm.kernel.errors import N_, describe
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, missing, repeated, unknown, values_of
from sdm.kernel.upsert import filled, ids_by, upsert

UNIT_KINDS = (
    ("head_office", _l("Head office")),
    ("region", _l("Region")),
    ("branch", _l("Branch")),
    ("office", _l("Office")),
)
describe(
    {
        "sheet.head_office": N_("There is one head office; %(value)s cannot be a second one"),
        "sheet.below_itself": N_("%(value)s would stand below itself"),
    }
)


# --- helpers ----------------------------------------------------------------------------------------------------------


def foreign_units(rows: Sequence[SheetRow], column: str = "unit") -> Iterator[RowFault]:
    """Faults for unit codes that do not exist or lie outside the actor's scope."""
    known = {node.code: node.id for node in queries.tree().units.values()}
    scope = current().scope
    for row in rows:
        code = row.get(column)
        if code is not None and code not in known:
            yield RowFault(row.number, column, "sheet.unknown", code)
        elif code is not None and not scope.has_unit(known[code]):
            yield RowFault(row.number, column, "sheet.foreign", code)


def foreign_rows(rows: Sequence[SheetRow], model: Any, key: str = "code") -> Iterator[RowFault]:
    """Faults for keys whose row exists outside the actor's scope: it cannot be changed from here."""
    wanted = values_of(rows, key)
    everywhere = set(ids_by(model, wanted, key))
    visible = set(db.session.execute(select(getattr(model, key)).where(getattr(model, key).in_(wanted))).scalars())
    for row in rows:
        if row.get(key) in everywhere - visible:
            yield RowFault(row.number, key, "sheet.foreign", row.get(key))


def replaced(values: Mapping[str, Any], names: Mapping[str, tuple[str, Mapping[Any, Any]]]) -> dict[str, Any]:
    """Values whose codes are replaced by ids: {sheet column: (table column, code → id)}."""
    result = {key: value for key, value in values.items() if key not in names}
    for column, (target, ids) in names.items():
        if column in values:
            result[target] = ids.get(values[column]) if values[column] is not None else None
    return result


def _known_codes(model: Any, rows: Sequence[SheetRow], key: str = "code") -> set[Any]:
    return set(ids_by(model, values_of(rows, key), key))


def _people(rows: Sequence[SheetRow], *columns: str) -> dict[str, int]:
    """Ids of people in scope by code."""
    codes = sorted({row.get(column) for row in rows for column in columns if row.get(column)})
    found = db.session.execute(select(Person.code, Person.id).where(Person.code.in_(codes))) if codes else ()
    return {code: row_id for code, row_id in found}


# --- companies --------------------------------------------------------------------------------------------------------

_ENTITY = ("code", "name", "tax_no", "address", "phone", "bank_name", "bank_account", "currency")


def _check_entities(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _known_codes(LegalEntity, rows)
    return [*repeated(rows, ("code",)), *missing(rows, ("name",), lambda row: row.get("code") not in known)]


@command(Permission.ORG_EDIT)
def _apply_entities(rows: Sequence[SheetRow]) -> Applied:
    return upsert(LegalEntity, [row.given(_ENTITY) for row in rows], kind="legal_entity").applied


def _export_entities() -> Iterable[Mapping[str, Any]]:
    for row in db.session.execute(select(LegalEntity).order_by(LegalEntity.code)).scalars():
        yield {key: getattr(row, key) for key in _ENTITY}


ENTITIES = ImportSheet(
    code="legal_entities",
    label=_l("Companies that invoice"),
    permission=Permission.ORG_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("tax_no", _l("Tax number"), "code"),
        Column("address", _l("Address")),
        Column("phone", _l("Phone"), "code"),
        Column("bank_name", _l("Bank")),
        Column("bank_account", _l("Bank account"), "code"),
        Column("currency", _l("Currency"), "code", max_length=3),
    ),
    key=("code",),
    check=_check_entities,
    apply=_apply_entities,
    export=_export_entities,
    order=10,
)

# --- units ------------------------------------------------------------------------------------------------------------

_UNIT = ("code", "name", "name_en", "kind", "province", "city", "address", "phone", "active")


def _check_units(rows: Sequence[SheetRow]) -> list[RowFault]:
    nodes = {node.code: node for node in queries.tree().units.values()}
    entities = ids_by(LegalEntity, values_of(rows, "legal_entity"))
    people = _people(rows, "manager", "deputy")
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "kind"), lambda row: row.get("code") not in nodes),
        *unknown(rows, "legal_entity", entities),
        *unknown(rows, "manager", people),
        *unknown(rows, "deputy", people),
    ]
    kinds = {code: node.kind for code, node in nodes.items()}
    kinds.update({row.get("code"): row.get("kind") for row in rows if row.get("kind")})
    known = {node.id: node.code for node in nodes.values()}
    parents = {code: known.get(node.parent_id or 0) for code, node in nodes.items()}
    parents.update({row.get("code"): row.get("parent") for row in rows if row.has("parent")})
    for row in rows:
        faults += _unit_faults(row, nodes, kinds, parents)
    return faults


def _unit_faults(
    row: SheetRow, nodes: Mapping[str, Any], kinds: Mapping[str, str], parents: Mapping[str, str | None]
) -> Iterator[RowFault]:
    code = row.get("code")
    kind = row.get("kind") or kinds.get(code)
    parent = row.get("parent") if row.has("parent") else parents.get(code)
    scope = current().scope
    if code in nodes and not scope.has_unit(nodes[code].id):
        yield RowFault(row.number, "code", "sheet.foreign", code)
    if parent is not None and parent not in kinds:
        yield RowFault(row.number, "parent", "sheet.unknown", parent)
    elif parent is not None and parent in nodes and not scope.has_unit(nodes[parent].id):
        yield RowFault(row.number, "parent", "sheet.foreign", parent)
    elif kind and not rules.may_stand_below(kind, kinds.get(parent or "")):
        yield RowFault(row.number, "parent", "unit.parent_kind", parent, {"kind": kind})
    if kind == "head_office" and any(other != code and found == kind for other, found in kinds.items()):
        yield RowFault(row.number, "kind", "sheet.head_office", code)
    if _loops(code, parents):
        yield RowFault(row.number, "parent", "sheet.below_itself", code)


def _loops(code: str, parents: Mapping[str, str | None]) -> bool:
    """Whether somebody stands below itself by its parents, itself included."""
    seen = {code}
    above = parents.get(code)
    while above is not None:
        if above == code:
            return True
        if above in seen:
            return False
        seen.add(above)
        above = parents.get(above)
    return False


@command(Permission.ORG_EDIT)
def _apply_units(rows: Sequence[SheetRow]) -> Applied:
    entities = ids_by(LegalEntity, values_of(rows, "legal_entity"))
    people = _people(rows, "manager", "deputy")
    names = {"legal_entity": ("legal_entity_id", entities), "manager": ("manager_id", people)}
    names["deputy"] = ("deputy_id", people)
    values = []
    for row in rows:
        found = replaced(row.given((*_UNIT, *names)), names)
        values.append({**found, "pinyin": pinyin.initials(found["name"])} if found.get("name") else found)
    done = upsert(Unit, values, kind="unit")
    if rows and rows[0].has("parent"):
        _place_units(rows, done.ids)
    db.session.execute(statements.REBUILD_PATHS)
    db.session.expire_all()
    touch_access()
    return done.applied


def _place_units(rows: Sequence[SheetRow], ids: Mapping[str, int]) -> None:
    """Put the units under their parents, which may be in the same file."""
    known = {**ids_by(Unit, values_of(rows, "parent")), **ids}
    table = table_of(Unit)
    parent_of = {ids[row.values["code"]]: known.get(row.get("parent") or "") for row in rows}
    before = dict(
        db.session.execute(select(table.c.id, table.c.parent_id).where(table.c.id.in_(sorted(parent_of)))).all()
    )
    moved = {unit_id: parent for unit_id, parent in parent_of.items() if before.get(unit_id) != parent}
    if moved:
        statement = update(table).where(table.c.id == bindparam("row_id")).values(parent_id=bindparam("parent"))
        db.session.execute(statement, [{"row_id": unit_id, "parent": parent} for unit_id, parent in moved.items()])
    for unit_id, parent in moved.items():
        audit.write("unit", unit_id, "changed", unit_id, {"parent_id": [before.get(unit_id), parent]})


def _export_units() -> Iterable[Mapping[str, Any]]:
    manager, deputy = aliased(Person), aliased(Person)
    scope = current().scope
    known = {node.id: node.code for node in queries.tree().units.values()}
    statement = (
        select(Unit, LegalEntity.code, manager.code, deputy.code)
        .outerjoin(LegalEntity, LegalEntity.id == Unit.legal_entity_id)
        .outerjoin(manager, manager.id == Unit.manager_id)
        .outerjoin(deputy, deputy.id == Unit.deputy_id)
    )
    found: list[Any] = [tuple(row) for row in db.session.execute(statement) if scope.has_unit(row[0].id)]
    for unit, entity, head, second in sorted(found, key=lambda row: (len(row[0].path), row[0].code)):
        yield {
            **{key: getattr(unit, key) for key in _UNIT}, "parent": known.get(unit.parent_id), "legal_entity": entity,
            "manager": head, "deputy": second,
        }  # fmt: skip


UNITS = ImportSheet(
    code="units",
    label=_l("Organisation units"),
    permission=Permission.ORG_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("kind", _l("Kind"), "choice", choices=UNIT_KINDS),
        Column("parent", _l("Unit above"), "code", help=_l("code; may be a unit of the same file")),
        Column("legal_entity", _l("Company"), "code", help=_l("code of the company that invoices")),
        Column("manager", _l("Manager"), "code", help=_l("code of a person")),
        Column("deputy", _l("Deputy"), "code", help=_l("code of a person")),
        Column("province", _l("Province")),
        Column("city", _l("City")),
        Column("address", _l("Address")),
        Column("phone", _l("Phone"), "code"),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("code",),
    check=_check_units,
    apply=_apply_units,
    export=_export_units,
    whole_file=True,
    order=20,
)

# --- people -----------------------------------------------------------------------------------------------------------

_PERSON = ("code", "name", "job_title", "phone", "email", "active")


def _check_people(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _known_codes(Person, rows)
    return [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "unit"), lambda row: row.get("code") not in known),
        *foreign_rows(rows, Person),
        *foreign_units(rows),
    ]


def _unit_ids() -> dict[str, int]:
    return {node.code: node.id for node in queries.tree().units.values()}


def _with_unit(row: SheetRow, names: Sequence[str], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Values of a row with the unit's id and the initials of a new name."""
    found = replaced(row.given((*names, "unit", *(more or {}))), {"unit": ("unit_id", _unit_ids()), **(more or {})})
    if found.get("unit_id", 0) is None:
        found.pop("unit_id")
    return {**found, "pinyin": pinyin.initials(found["name"])} if found.get("name") else found


@command(Permission.ORG_EDIT)
def _apply_people(rows: Sequence[SheetRow]) -> Applied:
    return upsert(Person, [_with_unit(row, _PERSON) for row in rows], kind="person", unit="unit_id").applied


def _export_people() -> Iterable[Mapping[str, Any]]:
    statement = select(Person, Unit.code).join(Unit, Unit.id == Person.unit_id).order_by(Person.code)
    for person, unit in db.session.execute(statement):
        yield {**{key: getattr(person, key) for key in _PERSON}, "unit": unit}


PEOPLE = ImportSheet(
    code="people",
    label=_l("People"),
    permission=Permission.ORG_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("unit", _l("Unit"), "code", help=_l("code of the unit")),
        Column("job_title", _l("Job title")),
        Column("phone", _l("Phone"), "code"),
        Column("email", _l("E-mail")),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("code",),
    check=_check_people,
    apply=_apply_people,
    export=_export_people,
    order=30,
)

# --- warehouses -------------------------------------------------------------------------------------------------------

_WAREHOUSE = ("code", "name", "name_en", "province", "city", "address", "lead_days", "active")


def _check_warehouses(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _known_codes(Warehouse, rows)
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "unit"), lambda row: row.get("code") not in known),
        *foreign_rows(rows, Warehouse),
        *foreign_units(rows),
        *unknown(rows, "keeper", _people(rows, "keeper")),
    ]
    for row in rows:
        days = row.get("lead_days")
        if days is not None and not 0 <= days <= 365:
            faults.append(RowFault(row.number, "lead_days", "input.range", days, {"low": 0, "high": 365}))
    return faults


@command(Permission.WAREHOUSE_EDIT)
def _apply_warehouses(rows: Sequence[SheetRow]) -> Applied:
    keepers = {"keeper": ("keeper_id", _people(rows, "keeper"))}
    values = [_with_unit(row, _WAREHOUSE, keepers) for row in rows]
    done = upsert(Warehouse, values, kind="warehouse", unit="unit_id")
    touch_access()
    return done.applied


def _export_warehouses() -> Iterable[Mapping[str, Any]]:
    statement = (
        select(Warehouse, Unit.code, Person.code)
        .join(Unit, Unit.id == Warehouse.unit_id)
        .outerjoin(Person, Person.id == Warehouse.keeper_id)
        .order_by(Warehouse.code)
    )
    for warehouse, unit, keeper in db.session.execute(statement):
        yield {**{key: getattr(warehouse, key) for key in _WAREHOUSE}, "unit": unit, "keeper": keeper}


WAREHOUSES = ImportSheet(
    code="warehouses",
    label=_l("Warehouses"),
    permission=Permission.WAREHOUSE_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("unit", _l("Unit"), "code", help=_l("code of the unit")),
        Column("keeper", _l("Keeper"), "code", help=_l("code of a person")),
        Column("province", _l("Province")),
        Column("city", _l("City")),
        Column("address", _l("Address")),
        Column("lead_days", _l("Days to a dealer"), "integer"),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("code",),
    check=_check_warehouses,
    apply=_apply_warehouses,
    export=_export_warehouses,
    order=40,
)

# --- option lists -----------------------------------------------------------------------------------------------------

_OPTION = ("code", "name", "name_en", "position", "active")


def _check_options(rows: Sequence[SheetRow]) -> list[RowFault]:
    lists = set(db.session.execute(select(OptionList.code)).scalars())
    known = {tuple(row) for row in db.session.execute(select(Option.list_code, Option.code))}
    named = {row.get("list") for row in rows if row.get("list_name")}
    faults = [
        *repeated(rows, ("list", "code")),
        *missing(rows, ("name",), lambda row: (row.get("list"), row.get("code")) not in known),
    ]
    for row in rows:
        if row.get("list") is not None and row.get("list") not in lists | named:
            faults.append(RowFault(row.number, "list_name", "sheet.required_new"))
    return faults


@command(Permission.OPTION_EDIT)
def _apply_options(rows: Sequence[SheetRow]) -> Applied:
    _apply_lists(rows)
    existing = {
        (row.list_code, row.code): row
        for row in db.session.execute(
            select(Option).where(Option.list_code.in_(values_of(rows, "list"))).order_by(Option.id).with_for_update()
        ).scalars()
    }
    fresh, changed, unchanged = [], 0, 0
    for row in rows:
        values = filled(Option, {**row.given(_OPTION), "list_code": row.values["list"]})
        option = existing.get((values["list_code"], values["code"]))
        if option is None:
            fresh.append(values)
            continue
        changes = audit.changed({key: getattr(option, key) for key in values}, values)
        for key, (_old, new) in changes.items():
            setattr(option, key, new)
        changed += bool(changes)
        unchanged += not changes
    if fresh:
        db.session.execute(insert(table_of(Option)), fresh)
    audit.write("option_list", None, "imported", None, {"created": len(fresh), "changed": changed})
    return Applied(len(fresh), changed, unchanged)


def _apply_lists(rows: Sequence[SheetRow]) -> None:
    known = {row.code: row for row in db.session.execute(select(OptionList)).scalars()}
    for row in rows:
        code, names = row.values["list"], row.given(("list_name", "list_name_en"))
        found = known.get(code)
        if found is None:
            known[code] = found = OptionList(code=code, name=names.get("list_name") or code)
            db.session.add(found)
        if names.get("list_name"):
            found.name = names["list_name"]
        if "list_name_en" in names:
            found.name_en = names["list_name_en"] or ""
    db.session.flush()


def _export_options() -> Iterable[Mapping[str, Any]]:
    statement = select(Option, OptionList).join(OptionList, OptionList.code == Option.list_code)
    for option, listed in db.session.execute(statement.order_by(Option.list_code, Option.position, Option.code)):
        names = {"list": listed.code, "list_name": listed.name, "list_name_en": listed.name_en}
        yield {**names, **{key: getattr(option, key) for key in _OPTION}}


OPTIONS = ImportSheet(
    code="options",
    label=_l("Option lists"),
    permission=Permission.OPTION_EDIT,
    columns=(
        Column("list", _l("List"), "code", required=True),
        Column("list_name", _l("Name of the list")),
        Column("list_name_en", _l("English name of the list")),
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("position", _l("Place in the order"), "integer"),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("list", "code"),
    check=_check_options,
    apply=_apply_options,
    export=_export_options,
    group_by=("list",),
    order=15,
)

SHEETS = (ENTITIES, OPTIONS, UNITS, PEOPLE, WAREHOUSES)
