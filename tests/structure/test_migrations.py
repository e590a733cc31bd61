"""A database made by the migrations is the one the models describe, and the way back leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask

from sdm.app import create_app, embedded
from sdm.app import migrate as migrations
from sdm.kernel.db import db
from sdm.kernel.settings import Settings

CATALOGUES = {
    "column": """
        SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
          || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
          || ' identity:' || a.attidentity::text || ' generated:' || a.attgenerated::text
          || ' default:' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
          AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraint": """
        SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
    """,
    "index": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "function": """
        SELECT pg_get_functiondef(p.oid) FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
          AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """,
    "policy": "SELECT tablename || ' ' || policyname || ' ' || coalesce(qual, '') FROM pg_policies",
    "extension": "SELECT extname FROM pg_extension",
}
NOT_OURS = ("alembic_version",)


def catalogue_of(url: str) -> dict[str, set[str]]:
    """Everything the database has, by kind, as texts whose white space does not matter."""
    with psycopg.connect(embedded.plain_url(url)) as connection:
        found = {kind: [row[0] for row in connection.execute(question)] for kind, question in CATALOGUES.items()}
    return {
        kind: {" ".join(text.split()) for text in texts if not any(name in text for name in NOT_OURS)}
        for kind, texts in found.items()
    }


@pytest.fixture
def second_empty_url(server_url: str, fresh: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Another database without any table."""
    with fresh(server_url, None) as url:
        yield url


@pytest.fixture
def application(test_settings: Settings) -> Iterator[Callable[[str], Flask]]:
    """`application(url)`: the application on a database; its connections are closed at the end."""
    made: list[Flask] = []

    def make(url: str) -> Flask:
        made.append(create_app(test_settings.replace(database_url=url), role="tool"))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


def test_there_are_migrations() -> None:
    assert migrations.head_revision() is not None


def test_there_is_one_newest_revision() -> None:
    assert len(ScriptDirectory(str(migrations.FOLDER)).get_heads()) == 1


def test_migrations_and_models_make_the_same_database(
    empty_database_url: str,
    second_empty_url: str,
    application: Callable[[str], Flask],
    create_all: Callable[[Flask], None],
) -> None:
    migrations.upgrade(application(empty_database_url))
    create_all(application(second_empty_url))
    migrated, built = catalogue_of(empty_database_url), catalogue_of(second_empty_url)
    for kind in CATALOGUES:
        assert migrated[kind] - built[kind] == set(), f"{kind}: only in the migrations"
        assert built[kind] - migrated[kind] == set(), f"{kind}: only in the models"


def test_the_way_back_leaves_an_empty_database(empty_database_url: str, application: Callable[[str], Flask]) -> None:
    app = application(empty_database_url)
    migrations.upgrade(app)
    migrations.downgrade(app, "base")
    left = catalogue_of(empty_database_url)
    assert left["column"] == left["trigger"] == left["function"] == set()
    migrations.upgrade(app)
    assert migrations.current(app) == migrations.head_revision()
