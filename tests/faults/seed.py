"""What the served company of the fault tests has, and what is proved of it afterwards. Runs in processes of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import text

from sdm.app import create_app, embedded
from sdm.app import migrate as migrations
from sdm.auth.identity import load_actor
from sdm.auth.service import create_token
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from sdm.kernel.settings import Settings


@contextmanager
def application() -> Iterator[Flask]:
    """The application on the data of this environment; the tables are made when there are none."""
    app = create_app(Settings.from_env(), role="tool")
    with app.app_context():
        if migrations.head_revision() is not None:
            migrations.upgrade(app)
        else:
            with db.engine.begin() as connection:
                for extension in embedded.EXTENSIONS:
                    connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {extension}")
            db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


def seed() -> None:
    """Make the company and two people with API tokens; prints what a client needs as JSON."""
    from tests import steps
    from tests.factories import auth

    with application():
        made = steps.company(products=6, stock="1000000", limit="9000000000", modes=("term",) * 4)
        tokens = []
        for _ in range(2):
            row = auth.user(auth.role_with(*[str(permission) for permission in Permission]), made.branch)
            with use_actor(load_actor(row.id, "web")):
                tokens.append(create_token("faults", [str(permission) for permission in Permission], 30).secret)
        print(
            json.dumps(
                {"tokens": tokens, "dealers": made.dealers, "warehouses": made.warehouses, "products": made.products}
            )
        )


def report() -> None:
    """Print what the database says: documents by UUID, and every fault of the proof, as JSON."""
    from tests import proof

    with application():
        found: dict[str, Any] = {"faults": proof.faults()}
        for table in ("sales_order", "goods_receipt", "receipt", "invoice", "shipment"):
            rows = db.session.execute(text(f"SELECT uuid::text, id, number FROM {table} ORDER BY id")).all()
            found[table] = [[row.uuid, row.id, row.number] for row in rows]
        print(json.dumps(found))


if __name__ == "__main__":
    {"seed": seed, "report": report}[sys.argv[1]]()
