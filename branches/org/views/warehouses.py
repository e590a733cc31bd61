"""Warehouses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from sqlalchemy import select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries, service
from branches.org.models import Person, Unit, Warehouse
from branches.org.picks import name_of
from branches.org.schemas import WarehouseForm
from sdm.kernel import history
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, url_or_none, view

nav.register(
    NavItem("master", _l("Warehouses"), "org.warehouses", Permission.ORG_READ, icon="building-warehouse", order=30)
)
Keeper = aliased(Person)

LIST = ListSpec(
    name="warehouses",
    title=_l("Warehouses"),
    select=lambda: (
        select(Warehouse).join(Unit, Unit.id == Warehouse.unit_id).outerjoin(Keeper, Keeper.id == Warehouse.keeper_id)
    ),
    id=Warehouse.id,
    default_sort="code",
    row_endpoint="org.warehouse",
    search=(Warehouse.name, Warehouse.code, Warehouse.pinyin),
    columns=(
        Column("code", _l("Code"), Warehouse.code, "code", filter="text"),
        Column("name", _l("Name"), Warehouse.name, filter="text"),
        Column("unit", _l("Unit"), Unit.name, filter="picker", picker="unit", filter_expr=Warehouse.unit_id),
        Column("keeper", _l("Storekeeper"), Keeper.name),
        Column("city", _l("City"), Warehouse.city, filter="text"),
        Column("address", _l("Address"), Warehouse.address, visible=False),
        Column("lead_days", _l("Days on the way"), Warehouse.lead_days, "integer"),
        Column("active", _l("Active"), Warehouse.active, "bool", filter="bool"),
    ),
    presets=(Preset(_l("Active"), "active=1"),),
    buttons=(Button(_l("New warehouse"), "org.create_warehouse", Permission.WAREHOUSE_EDIT),),
    empty=_l("Add the first warehouse of a branch."),
)


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/warehouses", "warehouses", warehouses)
    blueprint.add_url_rule("/warehouses/new", "create_warehouse", create_warehouse, methods=["GET", "POST"])
    blueprint.add_url_rule("/warehouses/<int:id>", "warehouse", warehouse, methods=["GET", "POST"])


@view(Permission.ORG_READ)
def warehouses() -> AnyResponse | str:
    """Warehouses of one's units."""
    return render_list(LIST)


@view(Permission.WAREHOUSE_EDIT)
def create_warehouse() -> AnyResponse | str | tuple[str, int]:
    """A new warehouse."""
    context = {"warehouse": None, "stock_url": None}
    if request.method == "GET":
        return page("org/warehouse.html", **context)
    return submitted(WarehouseForm(exclude=("active", "version")), _create, "org/warehouse.html", **context)


def _create(**values: Any) -> AnyResponse:
    warehouse_id = service.create_warehouse(service.WarehouseInput(**values))
    flash(_("%(name)s created", name=values["name"]))
    return see_other("org.warehouse", id=warehouse_id)


@view(Permission.ORG_READ)
def warehouse(id: int) -> AnyResponse | str | tuple[str, int]:
    """One warehouse."""
    row = db.session.execute(select(Warehouse).where(Warehouse.id == id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="warehouse", id=id)
    unit = queries.tree().units.get(row.unit_id)
    context = {
        "warehouse": row,
        "unit_name": name_of(unit) if unit else "",
        "keeper_name": queries.person_names([row.keeper_id]).get(row.keeper_id or 0, ""),
        "events": history.events("warehouse", row.id),
        "stock_url": url_or_none("stock.index", warehouse=row.id),
    }
    if request.method == "GET":
        return page("org/warehouse.html", **context)
    current().require(Permission.WAREHOUSE_EDIT)
    return submitted(WarehouseForm(), lambda **values: _change(row, values), "org/warehouse.html", **context)


def _change(row: Warehouse, values: dict[str, Any]) -> AnyResponse:
    service.change_warehouse(row.id, values.pop("version"), **values)
    flash(_("Saved"))
    return see_other("org.warehouse", id=row.id)
