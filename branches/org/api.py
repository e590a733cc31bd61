"""API v1: units, people, warehouses, companies, option lists, parameters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from branches.org import parameters, schemas, service
from branches.org.models import LegalEntity, Option, OptionList, Person, Unit, Warehouse
from sdm.kernel import api
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import among

bp = api.blueprint("org", __name__)


def _one(model: Any, row_id: int) -> Any:
    row = db.session.execute(
        select(model).where(model.id == row_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind=model.__tablename__, id=row_id)
    return row


# --- units ------------------------------------------------------------------------------------------------------------


@api.route(
    bp, "/units", permission=Permission.ORG_READ, response=schemas.UnitOut, paged=True, summary="Units of one's scope"
)
def units(query: dict[str, Any]) -> api.Page:
    """Head office, regions, branches, offices."""
    scope = current().scope
    statement = select(Unit)
    if not scope.everything:
        statement = statement.where(among(Unit.id, scope.units))
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    bp, "/units/<int:id>", permission=Permission.ORG_READ, response=schemas.UnitOut, summary="One unit of one's scope"
)
def unit(id: int) -> Unit:
    """With its path from the head office."""
    if not current().scope.has_unit(id):
        raise NotFound("not_found", kind="unit", id=id)
    return _one(Unit, id)


@api.route(
    bp,
    "/units",
    methods=["POST"],
    permission=Permission.ORG_EDIT,
    request=schemas.UnitIn,
    response=schemas.UnitOut,
    creates=True,
    location="unit",
    summary="Add a unit below another one",
)
def create_unit(body: dict[str, Any]) -> Unit:
    """A region or branch below the head office, a branch below a region, an office below a branch."""
    return _one(Unit, service.create_unit(service.UnitInput(**body)))


@api.route(
    bp,
    "/units/<int:id>",
    methods=["PATCH"],
    permission=Permission.ORG_EDIT,
    request=schemas.UnitPatch,
    response=schemas.UnitOut,
    if_match=True,
    summary="Change a unit",
)
def change_unit(id: int, body: dict[str, Any], version: int | None) -> Unit:
    """Absent fields stay as they are."""
    service.change_unit(id, version, **body)
    return _one(Unit, id)


# --- people -----------------------------------------------------------------------------------------------------------


@api.route(bp, "/people", permission=Permission.ORG_READ, response=schemas.PersonOut, paged=True, summary="People")
def people(query: dict[str, Any]) -> api.Page:
    """Who works in the units of one's scope."""
    return api.page(select(Person), query["cursor"], query["limit"])


@api.route(bp, "/people/<int:id>", permission=Permission.ORG_READ, response=schemas.PersonOut, summary="One person")
def person(id: int) -> Person:
    """One person of one's scope."""
    return _one(Person, id)


@api.route(
    bp,
    "/people",
    methods=["POST"],
    permission=Permission.ORG_EDIT,
    request=schemas.PersonIn,
    response=schemas.PersonOut,
    creates=True,
    location="person",
    summary="Add a person",
)
def create_person(body: dict[str, Any]) -> Person:
    """Somebody new who works in a unit of one's scope."""
    return _one(Person, service.create_person(service.PersonInput(**body)))


@api.route(
    bp,
    "/people/<int:id>",
    methods=["PATCH"],
    permission=Permission.ORG_EDIT,
    request=schemas.PersonPatch,
    response=schemas.PersonOut,
    if_match=True,
    summary="Change a person",
)
def change_person(id: int, body: dict[str, Any], version: int | None) -> Person:
    """Absent fields stay as they are."""
    service.change_person(id, version, **body)
    return _one(Person, id)


# --- warehouses -------------------------------------------------------------------------------------------------------


@api.route(
    bp, "/warehouses", permission=Permission.ORG_READ, response=schemas.WarehouseOut, paged=True, summary="Warehouses"
)
def warehouses(query: dict[str, Any]) -> api.Page:
    """Warehouses of one's scope."""
    return api.page(select(Warehouse), query["cursor"], query["limit"])


@api.route(
    bp, "/warehouses/<int:id>", permission=Permission.ORG_READ, response=schemas.WarehouseOut, summary="One warehouse"
)
def warehouse(id: int) -> Warehouse:
    """One warehouse of one's scope."""
    return _one(Warehouse, id)


@api.route(
    bp,
    "/warehouses",
    methods=["POST"],
    permission=Permission.WAREHOUSE_EDIT,
    request=schemas.WarehouseIn,
    response=schemas.WarehouseOut,
    creates=True,
    location="warehouse",
    summary="Add a warehouse",
)
def create_warehouse(body: dict[str, Any]) -> Warehouse:
    """In a unit of one's scope."""
    return _one(Warehouse, service.create_warehouse(service.WarehouseInput(**body)))


@api.route(
    bp,
    "/warehouses/<int:id>",
    methods=["PATCH"],
    permission=Permission.WAREHOUSE_EDIT,
    request=schemas.WarehousePatch,
    response=schemas.WarehouseOut,
    if_match=True,
    summary="Change a warehouse",
)
def change_warehouse(id: int, body: dict[str, Any], version: int | None) -> Warehouse:
    """Absent fields stay as they are; the unit never changes."""
    service.change_warehouse(id, version, **body)
    return _one(Warehouse, id)


# --- companies, options, parameters -----------------------------------------------------------------------------------


@api.route(
    bp,
    "/legal-entities",
    permission=Permission.ORG_READ,
    response=schemas.LegalEntityOut,
    paged=True,
    summary="Companies that invoice",
)
def legal_entities(query: dict[str, Any]) -> api.Page:
    """Name, tax and bank data as printed on invoices."""
    return api.page(select(LegalEntity), query["cursor"], query["limit"])


@api.route(
    bp,
    "/option-lists",
    permission=Permission.ORG_READ,
    response=schemas.OptionListOut,
    paged=True,
    summary="Option lists",
)
def option_lists(query: dict[str, Any]) -> api.Page:
    """Lists of choices that administrators maintain."""
    return api.page(select(OptionList), query["cursor"], query["limit"], key=OptionList.code)


@api.route(
    bp,
    "/option-lists/<code>/options",
    permission=Permission.ORG_READ,
    response=schemas.OptionOut,
    paged=True,
    summary="Choices of an option list",
)
def options(code: str, query: dict[str, Any]) -> api.Page:
    """Active and inactive ones."""
    if db.session.get(OptionList, code) is None:
        raise NotFound("not_found", kind="option_list", id=code[:64])
    return api.page(select(Option).where(Option.list_code == code), query["cursor"], query["limit"])


@api.route(
    bp,
    "/parameters",
    permission=Permission.ORG_READ,
    query=schemas.ParameterQuery,
    response=schemas.ParameterOut,
    summary="Parameters with the values in force",
)
def list_parameters(query: dict[str, Any]) -> list[dict[str, Any]]:
    """For the company, or a unit of one's scope; today, or on a day."""
    unit_id = query["unit_id"]
    if unit_id is not None and not current().scope.has_unit(unit_id):
        raise NotFound("not_found", kind="unit", id=unit_id)
    return [_parameter(spec, unit_id, query["on"]) for spec in parameters.registered()]


def _parameter(spec: parameters.ParameterSpec, unit_id: int | None, on: Any) -> dict[str, Any]:
    value = parameters.value(spec.key, unit_id, on)
    return {"key": spec.key, "label": spec.label, "kind": spec.kind, "value": value, "default": spec.default}


@api.route(
    bp,
    "/parameters/<key>",
    methods=["PUT"],
    permission=Permission.PARAMETER_EDIT,
    request=schemas.ParameterIn,
    response=schemas.ParameterOut,
    summary="Set a parameter",
)
def set_parameter(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """For the company (no unit) or a unit, from a day on (default today)."""
    service.set_parameter(key, body["value"], body["unit_id"], body["valid_from"])
    return _parameter(parameters.spec_of(key), body["unit_id"], body["valid_from"])
