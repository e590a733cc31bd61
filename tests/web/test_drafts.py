"""Drafts over HTTP: kept, found again, never somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from sdm.app import create_app
from sdm.kernel.actor import Actor, set_actor
from sdm.kernel.db import db
from sdm.kernel.draft_views import entry_page
from sdm.kernel.drafts import Draft
from sdm.kernel.scope_value import EVERYTHING
from sdm.kernel.settings import Settings
from tests import ui_demo

who = {"id": 1}


@pytest.fixture(scope="module")
def demo_app(database_url: str, test_settings: Settings) -> Iterator[Flask]:
    application = ui_demo.install(create_app(test_settings.replace(database_url=database_url)))
    application.before_request(lambda: set_actor(Actor(who["id"], "x", frozenset(), EVERYTHING)))
    entry_page("ui_order", "Demo order", "ui_demo.grid")
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def client(demo_app: Flask) -> Iterator[FlaskClient]:
    who["id"] = 1
    yield demo_app.test_client()
    with demo_app.app_context(), db.engine.begin() as connection:
        connection.execute(delete(Draft))


def headers(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": client.get("/app/csrf").get_json()["csrf_token"]}


def draft(lines: list[dict[str, str]]) -> dict[str, object]:
    return {"kind": "ui_order", "head": {"dealer_id": "1", "dealer_id_text": "Harbour"}, "lines": lines}


def test_a_draft_comes_back_as_it_was_typed(client: FlaskClient) -> None:
    address = f"/drafts/{uuid4()}"
    client.put(address, json=draft([{"key": "a", "qty": "1"}]), headers=headers(client))

    saved = client.put(address, json=draft([{"key": "a", "qty": "2\x00"}]), headers=headers(client))

    assert saved.get_json()["revision"] == 2
    content = client.get(address).get_json()["content"]
    assert content["lines"] == [{"key": "a", "qty": "2"}]
    assert content["head"]["dealer_id"] == "1"


def test_a_draft_of_somebody_else_is_neither_shown_nor_changed(client: FlaskClient) -> None:
    address = f"/drafts/{uuid4()}"
    client.put(address, json=draft([{"key": "a", "qty": "1"}]), headers=headers(client))
    who["id"] = 2

    assert client.get(address).status_code == 204
    assert client.put(address, json=draft([]), headers=headers(client)).status_code == 404
    client.delete(address, headers=headers(client))
    who["id"] = 1
    assert client.get(address).get_json()["content"]["lines"] == [{"key": "a", "qty": "1"}]


def test_the_list_of_drafts_leads_back_to_the_entry_page(client: FlaskClient) -> None:
    key = uuid4()
    client.put(f"/drafts/{key}", json=draft([{"key": "a"}]), headers=headers(client))

    text = client.get("/drafts/").get_data(as_text=True)

    assert f"/ui-demo/grid?draft={key}" in text and "Harbour" in text
    client.post(f"/drafts/{key}/discard", headers=headers(client))
    assert str(key) not in client.get("/drafts/").get_data(as_text=True)


@pytest.mark.parametrize(
    "body", [[], {}, {"kind": "x", "lines": "abc"}, {"kind": "k" * 65}, {"kind": "x", "lines": [1]}]
)
def test_another_shape_is_refused(client: FlaskClient, body: object) -> None:
    assert client.put(f"/drafts/{uuid4()}", json=body, headers=headers(client)).status_code == 422
