"""Import sheet of the control totals, so that a control sheet of the old system comes in as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from branches.org.models import Dealer, Unit
from sdm.intake.models import ControlTotal
from sdm.intake.service import control_totals
from sdm.kernel.db import db
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, repeated, unknown, values_of

KEY = ("measure", "month", "unit", "dealer")


def _ids(model: Any, codes: Sequence[str]) -> dict[str, int]:
    rows = db.session.execute(select(model.code, model.id).where(model.code.in_(codes))) if codes else ()
    return {code: row_id for code, row_id in rows}


def _check(rows: Sequence[SheetRow]) -> list[RowFault]:
    return [
        *repeated(rows, KEY),
        *unknown(rows, "unit", _ids(Unit, values_of(rows, "unit"))),
        *unknown(rows, "dealer", _ids(Dealer, values_of(rows, "dealer"))),
    ]


def _apply(rows: Sequence[SheetRow]) -> Applied:
    units, dealers = _ids(Unit, values_of(rows, "unit")), _ids(Dealer, values_of(rows, "dealer"))
    totals = [
        control_totals.TotalInput(
            row.values["measure"], row.values["entered"], row.get("month"), units.get(row.get("unit") or ""),
            dealers.get(row.get("dealer") or ""), row.get("source") or "",
        )
        for row in rows
    ]  # fmt: skip
    return Applied(created=control_totals.enter(totals))


def _export() -> Iterable[Mapping[str, Any]]:
    statement = (
        select(ControlTotal, Unit.code, Dealer.code)
        .outerjoin(Unit, Unit.id == ControlTotal.of_unit_id)
        .outerjoin(Dealer, Dealer.id == ControlTotal.dealer_id)
        .order_by(ControlTotal.id)
    )
    for total, unit, dealer in db.session.execute(statement):
        yield {
            "measure": total.measure, "month": total.month, "unit": unit, "dealer": dealer, "entered": total.entered,
            "source": total.source,
        }  # fmt: skip


def _measures() -> list[tuple[str, Any]]:
    return [(code, _l(word)) for code, word in control_totals.MEASURES.items()]


SHEETS = (
    ImportSheet(
        code="control_totals",
        label=_l("Control totals"),
        permission=Permission.CONTROL_TOTALS,
        columns=(
            Column(
                "measure", _l("Figure"), "choice", required=True, choices=_measures,
                help=_l("Which figure of the old books this is"),
            ),
            Column("entered", _l("Control total"), "quantity", required=True),
            Column("month", _l("Month"), "date", help=_l("Any day of the month; empty = all months")),
            Column("unit", _l("Unit"), "code", help=_l("Code of a unit, with all below it; empty = all")),
            Column("dealer", _l("Dealer"), "code", help=_l("Code of a dealer; empty = all")),
            Column("source", _l("Source")),
        ),
        key=KEY,
        check=_check,
        apply=_apply,
        export=_export,
        order=900,
    ),
)  # fmt: skip
