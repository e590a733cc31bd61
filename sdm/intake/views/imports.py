"""Import wizard: choose a list, give a file, see all errors at once, apply; templates and exports."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, url_for
from sqlalchemy import select

from sdm.intake import registry
from sdm.intake.models import ImportRun
from sdm.intake.service import imports
from sdm.intake.views.common import errors_in_place, progress, step_text, uploads, workbook
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import SdmError
from sdm.kernel.i18n import _
from sdm.kernel.permissions import Permission
from sdm.kernel.web import FormErrors, page, see_other, view

SHOWN = 100
RECENT = 30


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/", "index", index)
    blueprint.add_url_rule("/sheets/<code>", "sheet", sheet, methods=["GET", "POST"])
    blueprint.add_url_rule("/sheets/<code>/template.xlsx", "template", template)
    blueprint.add_url_rule("/sheets/<code>/export.xlsx", "export", export)
    blueprint.add_url_rule("/imports/<int:id>", "show", show)
    blueprint.add_url_rule("/imports/<int:id>/step", "step", step, methods=["POST"])
    blueprint.add_url_rule("/imports/<int:id>/errors.xlsx", "errors", errors)


@view(Permission.IMPORT_RUN)
def index() -> str:
    """All lists that can be imported, with template and export, and the last imports."""
    sheets = [sheet for sheet in registry.registered() if current().can(sheet.permission)]
    runs = db.session.execute(select(ImportRun).order_by(ImportRun.id.desc()).limit(RECENT)).scalars()
    labels = {sheet.code: str(sheet.label) for sheet in registry.registered()}
    rows = [
        {
            "url": url_for("intake.show", id=run.id), "file": run.file_name, "sheet": labels.get(run.sheet, run.sheet),
            "state": run.state, "rows": run.rows, "faults": run.faults, "by": run.created_by, "at": run.created_at,
        }
        for run in runs
    ]  # fmt: skip
    return page("intake/index.html", sheets=sheets, rows=rows)


@view(Permission.IMPORT_RUN)
def sheet(code: str) -> Any:
    """Give a file for one list; a file that cannot be read says why in place."""
    from flask import request

    chosen = registry.sheet(code)
    current().require(chosen.permission)
    problem: FormErrors | None = None
    if request.method == "POST":
        try:
            given = uploads("file")
            name, data = given[0] if given else ("", b"")
            return see_other("intake.show", id=imports.check(code, name, data))
        except SdmError as error:
            problem = errors_in_place(error)
    answer = page("intake/sheet.html", sheet=chosen, errors=problem or FormErrors())
    return (answer, 422) if problem else answer


@view(Permission.IMPORT_RUN)
def template(code: str) -> Response:
    """An empty workbook of the list."""
    chosen = registry.sheet(code)
    return workbook(code, lambda target: imports.write_template(chosen, target))


@view(Permission.IMPORT_RUN)
def export(code: str) -> Response:
    """All rows of the list within the scope, in the shape of the template."""
    chosen = registry.sheet(code)
    current().require(chosen.permission)
    return workbook(code, lambda target: imports.write_export(chosen, target))


@view(Permission.IMPORT_RUN)
def show(id: int) -> str:
    """A file as checked: what it holds, every error, what will happen; or how far it is."""
    run = imports.run_of(id)
    chosen = registry.sheet(run.sheet)
    faults = imports.faulty_cells(run, SHOWN)
    place = {"faulty": 1, "checked": 2, "applying": 2, "done": 3}[run.state]
    text = step_text(run.applied, run.rows)
    return page("intake/run.html", run=run, sheet=chosen, faults=faults, place=place, progress_text=text)


@view(Permission.IMPORT_RUN)
def step(id: int) -> Any:
    """Apply the next batch; the page asks again until all is done, and whoever comes back goes on."""
    done = imports.apply_next(id)
    finished = done.total if done.state == "done" else min(done.done, done.total - 1)
    return progress("intake.show", id, finished, done.total, url_for("intake.step", id=id))


@view(Permission.IMPORT_RUN)
def errors(id: int) -> Response:
    """The rows of the file with a last column that says what is wrong."""
    run = imports.run_of(id)
    return workbook(_("errors"), lambda target: imports.write_errors(run, target))
