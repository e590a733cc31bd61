"""``sdm user``: sign-ins from the command line, for the first administrator and for emergencies."""

from __future__ import annotations

import secrets
from typing import Any

import click
from sqlalchemy import select

from branches.org import queries as org
from branches.org import service as org_service
from branches.org.models import Unit
from sdm.auth import queries, service
from sdm.auth.models import Role, User
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound, describe

GENERATED_BYTES = 12
describe({"cli.unit": N_("%(value)s is no unit; see `sdm user list` or the organisation page")})


@click.group()
def user() -> None:
    """Who may sign in."""


def _password(given: str | None) -> tuple[str, bool]:
    """The password and whether it was made here; ``-`` asks for it, nothing makes one."""
    if given == "-":
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return (given, False) if given else (secrets.token_urlsafe(GENERATED_BYTES), True)


def _user_id(login: str) -> int:
    row = queries.user_by_login(login)
    if row is None:
        raise NotFound("not_found", kind="user", id=login)
    return row.id


def _unit_id(code: str | None, company: str) -> int:
    """The unit with this code; without one the head office, which is made on an empty database."""
    if code:
        node = org.unit_by_code(code)
        if node is None:
            raise InvalidInput([FieldError("unit", "cli.unit", code)])
        return node.id
    found = db.session.execute(select(Unit.id).where(Unit.kind == "head_office")).scalar()
    if found is not None:
        return int(found)
    entity = org_service.create_legal_entity(org_service.LegalEntityInput(code="LE1", name=company))
    return org_service.create_unit(
        org_service.UnitInput(code="HO", name=company, kind="head_office", parent_id=None, legal_entity_id=entity)
    )


@user.command()
@click.argument("login")
@click.option("--name", help="Name of the person; the user name without it.")
@click.option("--role", "role_code", default="administrator", show_default=True, help="Code of a role.")
@click.option("--unit", "unit_code", help="Code of the unit the role holds over; the head office without it.")
@click.option("--company", default="总部", show_default=True, help="Name of the company, on an empty database.")
@click.option("--password", help="First password; `-` asks for it, without it one is made and shown once.")
@click.pass_obj
def add(
    tools: Any,
    login: str,
    name: str | None,
    role_code: str,
    *,
    unit_code: str | None,
    company: str,
    password: str | None,
) -> None:
    """Add a user with one role; on an empty database also the head office and the delivered roles."""
    first, made = _password(password)
    with tools.acting("user add"):
        service.ensure_roles()
        role_id = db.session.execute(select(Role.id).where(Role.code == role_code)).scalar()
        if role_id is None:
            known = ", ".join(row.code for row in queries.roles())
            raise InvalidInput([FieldError("role", "input.choice", role_code, {"choices": known})])
        unit_id = _unit_id(unit_code, company)
        grants = [service.Grant(role_id, unit_id)]
        service.create_user(service.UserInput(login, name or login, unit_id, first, grants, must_change_password=made))
    click.echo(f"user {login.lower()} added")
    if made:
        click.echo(f"first password, to be changed at the first sign-in: {first}")


@user.command("password")
@click.argument("login")
@click.option("--password", help="New password; `-` asks for it, without it one is made and shown once.")
@click.pass_obj
def reset_password(tools: Any, login: str, password: str | None) -> None:
    """Give a user a new first password; all his sessions end."""
    first, made = _password(password)
    with tools.acting("user password"):
        service.set_password(_user_id(login), first)
    click.echo(f"password of {login.lower()} set; all sessions have ended")
    if made:
        click.echo(f"first password, to be changed at the next sign-in: {first}")


@user.command()
@click.argument("login")
@click.pass_obj
def disable(tools: Any, login: str) -> None:
    """Let a user sign in no more; his sessions and API tokens end at once."""
    with tools.acting("user disable"):
        service.disable_user(_user_id(login))
    click.echo(f"user {login.lower()} disabled")


@user.command()
@click.argument("login")
@click.pass_obj
def enable(tools: Any, login: str) -> None:
    """Let a disabled user sign in again."""
    with tools.acting("user enable"):
        service.enable_user(_user_id(login))
    click.echo(f"user {login.lower()} enabled")


@user.command("list")
@click.pass_obj
def show(tools: Any) -> None:
    """All users with state, unit and roles."""
    with tools.acting("user list"):
        units, roles = org.tree().units, {row.id: row.code for row in queries.roles()}
        for row in db.session.execute(select(User).order_by(User.login)).scalars():
            grants = [f"{roles[r]}@{units[u].code}" for r, u in queries.grants_of(row.id)]
            unit = units[row.unit_id].code
            click.echo(f"{row.login:<24} {'active' if row.active else 'disabled':<9} {unit:<12} {' '.join(grants)}")
