"""Control totals: what the old books say beside what ours say (BA-10)."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, request

from sdm.intake import values
from sdm.intake.service import control_totals as service
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.i18n import _, translate
from sdm.kernel.money import AMOUNT_MAX
from sdm.kernel.permissions import Permission
from sdm.kernel.units import QTY_STEP
from sdm.kernel.web import FormErrors, errors_of, flash, page, see_other, view


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/control-totals", "control_totals", show, methods=["GET", "POST"])
    blueprint.add_url_rule("/control-totals/<int:id>/remove", "remove_control_total", remove, methods=["POST"])


@view(Permission.CONTROL_TOTALS)
def show() -> Any:
    """All entered totals beside ours; a form for one more."""
    problem: FormErrors | None = None
    if request.method == "POST":
        try:
            service.enter([_given()])
            flash(_("Control total entered"))
            return see_other("intake.control_totals")
        except InvalidInput as error:
            problem = errors_of(error)
    only = request.args.get("only") == "differences"
    rows = service.compare()
    different = [row for row in rows if row.difference]
    answer = page(
        "intake/control_totals.html", rows=different if only else rows, only=only, count=len(rows),
        different=len(different), measures=[(code, translate(text)) for code, text in service.MEASURES.items()],
        errors=problem or FormErrors(),
    )  # fmt: skip
    return (answer, 422) if problem else answer


def _given() -> service.TotalInput:
    """The form's total; all faults at once."""
    faults: list[FieldError] = []
    form = request.form

    def read(name: str, reader: Any, required: bool = False) -> Any:
        text = form.get(name, "").strip()
        if not text:
            if required:
                faults.append(FieldError(name, "input.required"))
            return None
        try:
            return reader(text)
        except values.Unreadable as problem:
            faults.append(FieldError(name, problem.code, text[:80], problem.details))
            return None

    entered = read("entered", lambda text: values.number(text, QTY_STEP, AMOUNT_MAX), required=True)
    month = read("month", _month)
    unit, dealer = read("of_unit_id", values.integer), read("dealer_id", values.integer)
    measure = form.get("measure", "")
    if measure not in service.MEASURES:
        faults.append(FieldError("measure", "input.required"))
    if faults:
        raise InvalidInput(faults)
    return service.TotalInput(measure, entered, month, unit, dealer, form.get("source", "").strip()[:200])


def _month(text: str) -> date:
    """A month as 2026-11, or any day of it."""
    return values.day(f"{text}-01" if len(text) == 7 else text)


@view(Permission.CONTROL_TOTALS)
def remove(id: int) -> Any:
    """Take an entered total back."""
    service.remove(id)
    return see_other("intake.control_totals")
