"""How migrations reach the database: a connection of their own, one migrator at a time, short waits for locks.

The lock is polled with `pg_try_advisory_lock`: waiting inside the database would hold a snapshot that concurrent index
builds have to wait for.
"""

from __future__ import annotations

import re
import time

from alembic import context
from alembic.autogenerate import renderers
from alembic.operations import ops
from flask import current_app
from sqlalchemy import ForeignKeyConstraint, create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from sdm.app import settings_of
from sdm.kernel.db import EXTRA_DDL, db

LOCK_KEY = 730_215
LOCK_SECONDS_MAX = 60.0
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "10min"
FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(", re.IGNORECASE)
EXTENSIONS = ("btree_gist", "pg_trgm", "ltree")


def database_url() -> str:
    """The direct address where there is one: a pooler cannot keep the lock."""
    direct = settings_of(current_app).database_direct_url
    return direct or current_app.config["SQLALCHEMY_DATABASE_URI"]


def take_lock(connection: Connection) -> None:
    """Wait until no other process migrates; RuntimeError after a minute."""
    until = time.monotonic() + LOCK_SECONDS_MAX
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}).scalar():
        connection.rollback()
        if time.monotonic() > until:
            raise RuntimeError("another process is migrating this database; try again when it has finished")
        time.sleep(0.2)
    connection.rollback()


@renderers.dispatch_for(ops.ExecuteSQLOp, replace=True)
def render_sql(_context: object, step: ops.ExecuteSQLOp) -> str:
    """SQL as a person reads it: one line as it is, more lines between triple quotes."""
    sql = str(step.sqltext)
    if "\n" not in sql:
        return f"op.execute({sql!r})"
    assert '"""' not in sql and "\\" not in sql, "this SQL needs a hand-written migration"
    return f'op.execute("""{sql}""")'


def render_item(kind: str, item: object, autogen_context: object) -> str | bool:
    """Types of ours are written with their module, which is then imported."""
    module = type(item).__module__
    if kind == "type" and module.startswith(("sdm.", "branches.", "inventory.", "finance.", "alerts.")):
        autogen_context.imports.add(f"import {module}")  # type: ignore[attr-defined]
        return f"{module}.{type(item).__name__}()"
    return False


def circular_keys(table: str) -> list[ForeignKeyConstraint]:
    """Foreign keys that can be made only when both tables are there; they are not part of CREATE TABLE."""
    keys = db.metadata.tables[table].foreign_key_constraints
    return sorted((key for key in keys if key.use_alter), key=lambda key: str(key.name))


def add_extra_ddl(_context: object, _revision: object, directives: list) -> None:
    """New tables bring their functions and triggers; the first revision brings the extensions; no empty revisions."""
    script = directives[0]
    steps = script.upgrade_ops.ops
    if not steps:
        directives.clear()
        return
    created = {step.table_name for step in steps if isinstance(step, ops.CreateTableOp)}
    circular = [key for name in sorted(created) for key in circular_keys(name)]
    steps.extend(ops.CreateForeignKeyOp.from_constraint(key) for key in circular)
    script.downgrade_ops.ops[:0] = [ops.DropConstraintOp.from_constraint(key) for key in circular]
    extra = [sql for table, sql in EXTRA_DDL if table in created]
    steps.extend(ops.ExecuteSQLOp(sql) for sql in extra)
    functions = [name for sql in extra for name in FUNCTION.findall(sql)]
    script.downgrade_ops.ops.extend(ops.ExecuteSQLOp(f"DROP FUNCTION IF EXISTS {name}") for name in functions)
    if script.head == "head" and context.get_context().get_current_revision() is None:
        extensions = [ops.ExecuteSQLOp(f"CREATE EXTENSION IF NOT EXISTS {name}") for name in EXTENSIONS]
        steps[:0] = extensions


def run() -> None:
    """Run the wanted migrations, each revision in one transaction."""
    engine = create_engine(database_url(), poolclass=NullPool)
    with engine.connect() as connection:
        take_lock(connection)
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_item=render_item,
            process_revision_directives=add_extra_ddl,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
        connection.commit()


if context.is_offline_mode():
    raise RuntimeError("migrations need a database")
run()
