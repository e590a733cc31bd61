"""Companies that invoice (BA-03): what their documents print."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import service
from branches.org.models import LegalEntity
from branches.org.schemas import LegalEntityForm
from sdm.kernel import history
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, view

nav.register(
    NavItem("master", _l("Companies"), "org.legal_entities", Permission.ORG_READ, icon="building-bank", order=40)
)

LIST = ListSpec(
    name="legal_entities",
    title=_l("Companies that invoice"),
    select=lambda: select(LegalEntity),
    id=LegalEntity.id,
    default_sort="code",
    row_endpoint="org.legal_entity",
    search=(LegalEntity.name, LegalEntity.code, LegalEntity.tax_no),
    columns=(
        Column("code", _l("Code"), LegalEntity.code, "code"),
        Column("name", _l("Name"), LegalEntity.name),
        Column("tax_no", _l("Tax number"), LegalEntity.tax_no, "code"),
        Column("bank_name", _l("Bank"), LegalEntity.bank_name),
        Column("bank_account", _l("Bank account"), LegalEntity.bank_account, "code"),
        Column("currency", _l("Currency"), LegalEntity.currency, "code", visible=False),
    ),
    buttons=(Button(_l("New company"), "org.create_legal_entity", Permission.ORG_EDIT),),
    empty=_l("Add the company whose name stands on the invoices."),
)


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/companies", "legal_entities", legal_entities)
    blueprint.add_url_rule("/companies/new", "create_legal_entity", create_legal_entity, methods=["GET", "POST"])
    blueprint.add_url_rule("/companies/<int:id>", "legal_entity", legal_entity, methods=["GET", "POST"])


@view(Permission.ORG_READ)
def legal_entities() -> AnyResponse | str:
    """All companies."""
    return render_list(LIST)


@view(Permission.ORG_EDIT)
def create_legal_entity() -> AnyResponse | str | tuple[str, int]:
    """A new company."""
    if request.method == "GET":
        return page("org/legal_entity.html", entity=None)
    return submitted(LegalEntityForm(exclude=("version",)), _create, "org/legal_entity.html", entity=None)


def _create(**values: Any) -> AnyResponse:
    entity_id = service.create_legal_entity(service.LegalEntityInput(**values))
    flash(_("%(name)s created", name=values["name"]))
    return see_other("org.legal_entity", id=entity_id)


@view(Permission.ORG_READ)
def legal_entity(id: int) -> AnyResponse | str | tuple[str, int]:
    """One company."""
    row = db.session.get(LegalEntity, id)
    if row is None:
        raise NotFound("not_found", kind="legal_entity", id=id)
    context = {"entity": row, "events": history.events("legal_entity", row.id)}
    if request.method == "GET":
        return page("org/legal_entity.html", **context)
    current().require(Permission.ORG_EDIT)
    return submitted(LegalEntityForm(), lambda **values: _change(row, values), "org/legal_entity.html", **context)


def _change(row: LegalEntity, values: dict[str, Any]) -> AnyResponse:
    service.change_legal_entity(row.id, values.pop("version"), **values)
    flash(_("Saved; documents printed from now on show it"))
    return see_other("org.legal_entity", id=row.id)
