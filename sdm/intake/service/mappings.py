"""Mappings kept by name: those delivered with the product, and those people made."""

from __future__ import annotations

from importlib import resources

from sqlalchemy import select

from sdm.intake import mapping as mappings
from sdm.intake.models import TakeOnMapping
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, NotFound, StaleVersion, describe
from sdm.kernel.permissions import Permission

describe({"mapping.delivered": N_("%(name)s is delivered with the product; give your mapping another name")})


def delivered() -> dict[str, str]:
    """Delivered mappings: name → TOML."""
    folder = resources.files("sdm.intake").joinpath("mappings")
    return {
        entry.name.removesuffix(".toml"): entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def saved() -> list[TakeOnMapping]:
    """Mappings that people made, by name."""
    return list(db.session.execute(select(TakeOnMapping).order_by(TakeOnMapping.name)).scalars())


def body_of(name: str) -> str:
    """The TOML of a mapping: a saved one first, then a delivered one. NotFound otherwise."""
    row = db.session.execute(select(TakeOnMapping.body).where(TakeOnMapping.name == name)).scalar()
    body = row if row is not None else delivered().get(name)
    if body is None:
        raise NotFound("not_found", kind="mapping", id=name)
    return body


@command(Permission.TAKE_ON_RUN)
def save(body: str, version: int | None = None) -> str:
    """Keep a mapping under the name it carries; returns the name. Raises InvalidInput with all faults, StaleVersion."""
    mapping = mappings.load(body)
    if mapping.name in delivered():
        raise Conflict("mapping.delivered", name=mapping.name)
    row = db.session.execute(
        select(TakeOnMapping).where(TakeOnMapping.name == mapping.name).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        row = TakeOnMapping(name=mapping.name, body=body)
        db.session.add(row)
    elif version is not None and row.version != version:
        raise StaleVersion("version.stale", expected=version, actual=row.version)
    else:
        row.body, row.version = body, row.version + 1
    row.changed_at, row.changed_by = clock.now(), current().name
    db.session.flush()
    audit.write("take_on_mapping", row.id, "saved", None, {"name": mapping.name})
    return mapping.name


@command(Permission.TAKE_ON_RUN)
def remove(name: str) -> None:
    """Forget a mapping; runs made with it keep their own copy."""
    row = db.session.execute(select(TakeOnMapping).where(TakeOnMapping.name == name)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="mapping", id=name)
    db.session.delete(row)
    audit.write("take_on_mapping", row.id, "removed", None, {"name": name})
