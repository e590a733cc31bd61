"""People and who stands in for them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries, service
from branches.org.models import Deputy, Person, Unit
from branches.org.picks import name_of
from branches.org.schemas import DeputyForm, PersonForm
from sdm.kernel import history
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, view

nav.register(NavItem("master", _l("People"), "org.people", Permission.ORG_READ, icon="address-book", order=20))

LIST = ListSpec(
    name="people",
    title=_l("People"),
    select=lambda: select(Person).join(Unit, Unit.id == Person.unit_id),
    id=Person.id,
    default_sort="name",
    row_endpoint="org.person",
    search=(Person.name, Person.code, Person.pinyin, Person.phone),
    columns=(
        Column("code", _l("Code"), Person.code, "code", filter="text"),
        Column("name", _l("Full name"), Person.name, filter="text"),
        Column("unit", _l("Unit"), Unit.name, filter="picker", picker="unit", filter_expr=Person.unit_id),
        Column("job_title", _l("Job title"), Person.job_title, filter="text"),
        Column("phone", _l("Phone"), Person.phone, "code"),
        Column("email", _l("E-mail"), Person.email),
        Column("active", _l("Active"), Person.active, "bool", filter="bool"),
    ),
    presets=(Preset(_l("Active"), "active=1"),),
    buttons=(Button(_l("New person"), "org.create_person", Permission.ORG_EDIT),),
    empty=_l("Add the first person, or import a list of people."),
)


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/people", "people", people)
    blueprint.add_url_rule("/people/new", "create_person", create_person, methods=["GET", "POST"])
    blueprint.add_url_rule("/people/<int:id>", "person", person, methods=["GET", "POST"])
    blueprint.add_url_rule("/people/<int:id>/deputies", "add_deputy", add_deputy, methods=["POST"])
    blueprint.add_url_rule("/people/<int:id>/deputies/<int:entry_id>/end", "end_deputy", end_deputy, methods=["POST"])


@view(Permission.ORG_READ)
def people() -> AnyResponse | str:
    """People of one's units."""
    return render_list(LIST)


@view(Permission.ORG_EDIT)
def create_person() -> AnyResponse | str | tuple[str, int]:
    """A new person."""
    if request.method == "GET":
        return page("org/person.html", person=None)
    return submitted(PersonForm(exclude=("active", "version")), _create, "org/person.html", person=None)


def _create(**values: Any) -> AnyResponse:
    person_id = service.create_person(service.PersonInput(**values))
    flash(_("%(name)s created", name=values["name"]))
    return see_other("org.person", id=person_id)


def _found(person_id: int) -> Person:
    row = db.session.execute(select(Person).where(Person.id == person_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="person", id=person_id)
    return row


@view(Permission.ORG_READ)
def person(id: int) -> AnyResponse | str | tuple[str, int]:
    """One person."""
    row = _found(id)
    if request.method == "GET":
        return page("org/person.html", **_context(row))
    current().require(Permission.ORG_EDIT)
    return submitted(PersonForm(), lambda **values: _change(row, values), "org/person.html", **_context(row))


def _change(row: Person, values: dict[str, Any]) -> AnyResponse:
    service.change_person(row.id, values.pop("version"), **values)
    flash(_("Saved"))
    return see_other("org.person", id=row.id)


def _context(row: Person) -> dict[str, Any]:
    statement = select(Deputy).where(Deputy.person_id == row.id).order_by(Deputy.valid_from.desc()).limit(50)
    deputies = list(db.session.execute(statement).scalars())
    names = queries.person_names([deputy.deputy_id for deputy in deputies])
    unit = queries.tree().units.get(row.unit_id)
    return {
        "person": row,
        "unit_name": name_of(unit) if unit else "",
        "deputies": [(deputy, names.get(deputy.deputy_id, "")) for deputy in deputies],
        "events": history.events("person", row.id),
    }


@view(Permission.ORG_EDIT)
def add_deputy(id: int) -> AnyResponse | tuple[str, int]:
    """Someone stands in for the person."""
    row = _found(id)

    def add(**values: Any) -> AnyResponse:
        service.set_deputy(row.id, **values)
        flash(_("Saved"))
        return see_other("org.person", id=row.id)

    return submitted(DeputyForm(), add, "org/person.html", **_context(row))


@view(Permission.ORG_EDIT)
def end_deputy(id: int, entry_id: int) -> AnyResponse:
    """Take a deputy back."""
    service.end_deputy(entry_id)
    flash(_("Saved"))
    return see_other("org.person", id=_found(id).id)
