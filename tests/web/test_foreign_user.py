"""Every route and every export, walked by a user of another branch who may do everything there: nothing leaks (BA-02).

The walk knows routes, document kinds and scoped tables from their registries, so what is added later is walked as well.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select
from werkzeug.routing import Rule

from sdm.kernel import documents
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import scoped_classes
from tests.factories import auth, org
from tests.factories.world import World, world

ASKED_BY = {  # table → names under which pages and the API may be asked for its rows
    "dealer": ("dealer_id", "dealer", "payer_id", "payer", "customer"),
    "warehouse": ("warehouse_id", "warehouse"),
    "sales_order": ("order_id", "order"),
    "shipment": ("shipment_id", "shipment"),
}
ADDRESSES_MAX = 32
LEAVE_OUT = {"auth.sign_out", "assets.serve", "health.healthz", "health.readyz", "health.metrics"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def foreign(session: object) -> World:
    with use_actor(system_actor("test")):
        return world()


def everything() -> list[str]:
    return [permission.value for permission in Permission]


@pytest.fixture
def stranger(client: FlaskClient, foreign: World) -> FlaskClient:
    """Someone of a sister branch with every permission."""
    mine = org.branch()
    org.warehouse(mine)
    return auth.signed_in(client, auth.user(auth.role_with(*everything()), mine))


@pytest.fixture
def owner(app: Flask, foreign: World) -> FlaskClient:
    """Someone of the branch itself: shows that there is something to be leaked."""
    return auth.signed_in(app.test_client(), auth.user(auth.role_with(*everything()), foreign.branch))


def routes(app: Flask, method: str) -> list[Rule]:
    return [r for r in app.url_map.iter_rules() if method in (r.methods or ()) and r.endpoint not in LEAVE_OUT]


def values_of(rule: Rule, name: str, foreign: World) -> list[Any]:
    """What a stranger would try in one place of an address."""
    converter = type(rule._converters[name]).__name__
    if converter == "IntegerConverter":
        return foreign.one_of_each
    if converter == "UUIDConverter":
        return [UUID(UNKNOWN), *uuids(foreign)]
    if converter == "AnyConverter":
        return list(rule._converters[name].items)
    return [*(kind.code for kind in documents.kinds()), *sorted(foreign.secrets)]


def uuids(foreign: World) -> list[UUID]:
    found = []
    with use_actor(system_actor("test")):
        for kind in documents.kinds():
            if not hasattr(kind.model, "uuid"):
                continue
            statement = select(kind.model.uuid).where(kind.model.unit_id == foreign.branch.id)
            found += list(db.session.execute(statement).scalars())
    return found


def addresses(app: Flask, rule: Rule, foreign: World) -> Iterator[str]:
    """The addresses of a route with everything a stranger could guess."""
    names = sorted(rule.arguments)
    with app.test_request_context():
        for chosen in itertools.islice(itertools.product(*(values_of(rule, n, foreign) for n in names)), ADDRESSES_MAX):
            yield app.url_map.bind("localhost").build(rule.endpoint, dict(zip(names, chosen, strict=True)))


def text_of(answer: Any) -> str:
    """Everything readable in an answer; workbooks are unpacked."""
    data = answer.get_data()
    answer.close()
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            return "\n".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())
    return str(data.decode("utf-8", "replace"))


def leaks(answer: Any, foreign: World, address: str) -> list[str]:
    """Secrets in an answer; what was asked for is no secret to the asker."""
    if answer.status_code >= 500:
        return [f"{answer.status_code} {address}"]
    asked = address.lower()
    text = text_of(answer)
    return [f"{secret} in {address}" for secret in foreign.secrets if secret in text and secret.lower() not in asked]


def questions(foreign: World) -> list[str]:
    """Queries that ask for the branch, its dealer, warehouse or order under every usual name."""
    asked = [("unit_id", foreign.branch.id), ("unit", foreign.branch.id)]
    asked += [(name, min(foreign.ids[table])) for table, names in ASKED_BY.items() for name in names]
    together = "&".join(f"{name}={row_id}" for name, row_id in asked)
    return [together, *(f"{name}={row_id}" for name, row_id in asked if name.endswith("_id"))]


def test_the_world_has_a_document_of_every_kind(app: Flask, foreign: World) -> None:
    missing = [k.code for k in documents.kinds() if not foreign.ids.get(k.model.__table__.name)]

    assert missing == []


def test_a_document_page_answers_its_own_branch_and_is_absent_for_another(
    app: Flask, foreign: World, stranger: FlaskClient, owner: FlaskClient
) -> None:
    wrong = []
    for kind in documents.kinds():
        for document_id in sorted(foreign.ids.get(kind.model.__table__.name, ())):
            with app.test_request_context():
                path = app.url_map.bind("localhost").build(kind.endpoint, {"id": document_id})
            seen = (owner.get(path).status_code, stranger.get(path).status_code)
            if seen != (200, 404):
                wrong.append(f"{path}: {seen}")

    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_page_list_or_export_tells_a_stranger_anything(app: Flask, foreign: World, stranger: FlaskClient) -> None:
    found: list[str] = []
    for rule in routes(app, "GET"):
        for address in addresses(app, rule, foreign):
            found += leaks(stranger.get(address), foreign, address)
        if not rule.arguments:
            plain = next(addresses(app, rule, foreign))
            for ending in ("export=xlsx", "export=csv", "part=totals", "q=ZQXJ", *questions(foreign)):
                found += leaks(stranger.get(f"{plain}?{ending}"), foreign, f"{plain}?{ending}")

    assert found == []


@pytest.mark.slow
def test_the_same_walk_by_an_owner_finds_the_words(app: Flask, foreign: World, owner: FlaskClient) -> None:
    """The control: a walk that finds nothing anywhere would prove nothing."""
    seen = set()
    for rule in routes(app, "GET"):
        if not rule.arguments:
            answer = owner.get(next(addresses(app, rule, foreign)))
            seen |= {secret for secret in foreign.secrets if secret in text_of(answer)}

    assert "ZQXJ" in seen and "7,777.77" in seen
    assert len([secret for secret in seen if secret[:2] in {"SO", "IV", "SH", "DN", "RC"}]) >= 3


def snapshot(foreign: World) -> dict[tuple[str, int], Any]:
    """Version and state of every row of the foreign branch."""
    found: dict[tuple[str, int], Any] = {}
    with use_actor(system_actor("test")):
        for model in scoped_classes():
            columns = inspect(model).columns
            watched = [columns[name] for name in ("version", "state", "status", "active") if name in columns]
            if not watched or not {"id", "unit_id"} <= set(columns.keys()):
                continue
            statement = select(model.id, *watched).where(model.unit_id == foreign.branch.id)
            for row in db.session.execute(statement):
                found[(model.__table__.name, row.id)] = tuple(row[1:])
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_action_of_a_stranger_changes_anything(
    app: Flask, foreign: World, stranger: FlaskClient, method: str
) -> None:
    before = snapshot(foreign)
    wrong: list[str] = []
    headers = {"X-CSRFToken": auth.form_token(stranger), "If-Match": "*", "Accept": "application/json"}
    for rule in routes(app, method):
        ints = [name for name in rule.arguments if type(rule._converters[name]).__name__ == "IntegerConverter"]
        if not ints or rule.endpoint.startswith(("auth.", "lists.")):
            continue
        for number, address in enumerate(addresses(app, rule, foreign)):
            keyed = {**headers, "Idempotency-Key": f"stranger-{method}-{number:06d}-{hash(address) % 10**9}"}
            kwargs = {"json": {}} if rule.endpoint.startswith("api_") else {"data": {"version": "1", "comment": "x"}}
            answer = stranger.open(address, method=method, headers=keyed, **kwargs)
            wrong += leaks(answer, foreign, address)

    assert wrong == []
    assert snapshot(foreign) == before
