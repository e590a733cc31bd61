"""Control totals (BA-10): figures of the old books beside ours, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from branches.org import queries as org
from branches.org.models import Dealer, Unit
from sdm.intake.models import ControlTotal
from sdm.intake.statements.control import COMPUTE
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound
from sdm.kernel.permissions import Permission

MEASURES: dict[str, str] = {
    "sales": N_("Sales taken on, net of returns"),
    "charged": N_("Charged (positive lines)"),
    "credited": N_("Credited (returns)"),
    "documents": N_("Number of documents"),
    "lines": N_("Number of lines"),
    "return_lines": N_("Number of return lines"),
    "qty": N_("Quantity taken on, net of returns"),
    "receivable": N_("Receivable now"),
    "opening_receivable": N_("Opening receivable"),
    "stock_qty": N_("Stock quantity now"),
    "stock_value": N_("Stock value now"),
}
TIMELESS = frozenset({"stock_qty", "stock_value"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One entered total beside the computed one."""

    id: int
    measure: str
    month: date | None
    unit: str
    dealer: str
    entered: Decimal
    computed: Decimal
    source: str
    entered_by: str

    @property
    def difference(self) -> Decimal:
        """Ours less theirs."""
        return self.computed - self.entered


@dataclass(frozen=True, slots=True)
class TotalInput:
    """A figure of the old books; month is any day of it."""

    measure: str
    entered: Decimal
    month: date | None = None
    of_unit_id: int | None = None
    dealer_id: int | None = None
    source: str = ""


@command(Permission.CONTROL_TOTALS)
def enter(totals: list[TotalInput]) -> int:
    """Enter figures; one that is there already (same measure, month, unit, dealer) is replaced. Returns how many."""
    faults = [
        FieldError(f"rows.{index}.measure", "input.choice", total.measure, {"choices": ", ".join(MEASURES)})
        for index, total in enumerate(totals)
        if total.measure not in MEASURES
    ]
    if faults:
        raise InvalidInput(faults)
    actor = current()
    unit_id = actor.unit_id or org.head_office().id
    rows = [
        {
            "unit_id": total.of_unit_id or unit_id, "measure": total.measure, "month": _month(total),
            "of_unit_id": total.of_unit_id, "dealer_id": total.dealer_id, "entered": total.entered,
            "source": total.source, "entered_by": actor.name, "entered_at": clock.now(),
        }
        for total in totals
    ]  # fmt: skip
    if rows:
        statement = insert(ControlTotal).values(rows)
        key = ["measure", "month", "of_unit_id", "dealer_id"]
        changed = {name: statement.excluded[name] for name in ("entered", "source", "entered_by", "entered_at")}
        db.session.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))
        audit.write("control_total", None, "entered", unit_id, {"count": len(rows)})
    return len(rows)


def _month(total: TotalInput) -> date | None:
    return None if total.month is None or total.measure in TIMELESS else total.month.replace(day=1)


@command(Permission.CONTROL_TOTALS)
def remove(total_id: int) -> None:
    """Take an entered figure back."""
    row = db.session.execute(select(ControlTotal).where(ControlTotal.id == total_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="control_total", id=total_id)
    db.session.execute(delete(ControlTotal).where(ControlTotal.id == total_id))
    audit.write("control_total", total_id, "removed", row.unit_id, {"measure": row.measure, "entered": row.entered})


def compare(only_differences: bool = False) -> list[Comparison]:
    """All entered totals in scope beside the computed ones, in two statements; differences first when wanted."""
    scope = current().scope
    values = {"everything": scope.everything, "units": sorted(scope.units)}
    computed = {row.id: row.computed for row in db.session.execute(COMPUTE, values)}
    rows = db.session.execute(
        select(ControlTotal, Unit.name, Dealer.name)
        .outerjoin(Unit, Unit.id == ControlTotal.of_unit_id)
        .outerjoin(Dealer, Dealer.id == ControlTotal.dealer_id)
        .order_by(ControlTotal.measure, ControlTotal.month, Unit.code, Dealer.code, ControlTotal.id)
    ).all()
    found = [
        Comparison(
            total.id, total.measure, total.month, unit or "", dealer or "", total.entered,
            Decimal(computed.get(total.id, 0)), total.source, total.entered_by,
        )
        for total, unit, dealer in rows
    ]  # fmt: skip
    return [row for row in found if row.difference] if only_differences else found
