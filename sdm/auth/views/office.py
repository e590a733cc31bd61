"""A new local office in one form (BA-04)."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from flask import Blueprint, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from branches.org.picks import name_of
from branches.org.schemas import OfficeForm
from sdm.auth import queries, service
from sdm.auth.schemas import text
from sdm.kernel.actor import current
from sdm.kernel.errors import N_, FieldError, InvalidInput, describe
from sdm.kernel.forms import submitted
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

PEOPLE_LINES = 4
describe({"office.half_person": N_("Each line of people needs name, user name and role")})


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint this page."""
    blueprint.add_url_rule("/offices/new", "open_office", open_office, methods=["GET", "POST"])


class _Form(OfficeForm):
    """The people are read line by line from the request."""

    person_names = text()
    person_logins = text()
    person_roles = text()


def _lines() -> list[tuple[str, str, str]]:
    """Lines of people as typed, empty ones left out."""
    form = request.form
    names, logins, roles = (form.getlist(f"person_{part}") for part in ("names", "logins", "roles"))
    lines = zip_longest(names, logins, roles, fillvalue="")
    return [line for line in lines if any(part.strip() for part in line)]


def _people() -> list[service.OfficePerson]:
    found = []
    for name, login, role in _lines():
        if not (name.strip() and login.strip() and role.isascii() and role.isdigit() and len(role) < 19):
            raise InvalidInput([FieldError("people", "office.half_person")])
        found.append(service.OfficePerson(name.strip()[:200], login.strip()[:64], int(role)))
    return found


@view(Permission.ORG_EDIT)
def open_office() -> AnyResponse | str | tuple[str, int]:
    """Unit, warehouse, people with sign-ins and limit at once; first passwords are shown once, right after."""
    typed = _lines()
    context: dict[str, Any] = {
        "parent": _parent(),
        "roles": [(row.id, name_of(row)) for row in queries.roles()],
        "people": [*typed, *([("", "", "")] * max(1, PEOPLE_LINES - len(typed)))],
    }
    if request.method == "GET":
        return page("auth/office.html", **context)
    return submitted(_Form(), _open, "auth/office.html", **context)


def _parent() -> org.UnitNode | None:
    wanted = request.values.get("parent_id", "")
    known = wanted.isascii() and wanted.isdigit() and len(wanted) < 19 and current().scope.has_unit(int(wanted))
    return org.tree().units.get(int(wanted)) if known else None


def _open(**values: Any) -> AnyResponse:
    fields = {name: value for name, value in values.items() if not name.startswith("person_")}
    made = service.open_office(service.OfficeInput(people=_people(), **fields))
    return make_response(page("auth/office_opened.html", unit=org.unit(made.unit_id), passwords=made.passwords))
