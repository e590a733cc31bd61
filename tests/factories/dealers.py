"""Dealers and grades for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from branches.org.dealers_service import refresh_search
from branches.org.models import Dealer, DealerGrade
from sdm.kernel.db import db
from tests.factories.org import keep

_serial = count(1)


def grade(code: str = "A", name: str = "", **values: Any) -> DealerGrade:
    """A grade, made once per code."""
    row = db.session.get(DealerGrade, code)
    if row is None:
        row = DealerGrade(code=code, name=name or f"{code}级", rank=values.pop("rank", 1), **values)
        db.session.add(row)
        keep()
    return row


def dealer(unit_id: int, name: str = "", **values: Any) -> Dealer:
    """An active dealer of a unit on term payment; no credit account (see the finance factory)."""
    number = next(_serial)
    values.setdefault("code", f"D{number:05d}")
    values["grade_code"] = grade(values.pop("grade_code", "A")).code
    row = Dealer(unit_id=unit_id, name=name or f"商行{number}", **values)
    db.session.add(row)
    db.session.flush()
    refresh_search([row.id])
    keep()
    return row
