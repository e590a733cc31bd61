"""Take-on wizard: files and mapping, a look at every line without posting, posting batch by batch."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from sqlalchemy import select

from sdm.intake.models import TakeOnBatch, TakeOnRun
from sdm.intake.service import mappings, take_on, uploads
from sdm.intake.views.common import errors_in_place, progress, step_text
from sdm.intake.views.common import uploads as given_files
from sdm.kernel.db import db
from sdm.kernel.errors import SdmError
from sdm.kernel.permissions import Permission
from sdm.kernel.web import FormErrors, page, see_other, view

RECENT = 50


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/take-on", "take_on_index", index)
    blueprint.add_url_rule("/take-on/new", "take_on_new", new, methods=["GET", "POST"])
    blueprint.add_url_rule("/take-on/<int:id>", "take_on_show", show)
    blueprint.add_url_rule("/take-on/<int:id>/look", "take_on_look", look, methods=["POST"])
    blueprint.add_url_rule("/take-on/<int:id>/step", "take_on_step", step, methods=["POST"])


@view(Permission.TAKE_ON_RUN)
def index() -> str:
    """All runs, and the mappings to choose from."""
    runs = db.session.execute(select(TakeOnRun).order_by(TakeOnRun.id.desc()).limit(RECENT)).scalars()
    rows = [
        {
            "url": url_for("intake.take_on_show", id=run.id), "files": ", ".join(run.file_names)[:120],
            "mapping": run.mapping_name, "state": run.state, "lines": run.report.get("lines"), "by": run.created_by,
            "at": run.created_at,
        }
        for run in runs
    ]  # fmt: skip
    saved = [(row.name, url_for("intake.mapping", name=row.name)) for row in mappings.saved()]
    return page("intake/take_on_index.html", rows=rows, saved=saved, delivered=list(mappings.delivered()))


@view(Permission.TAKE_ON_RUN)
def new() -> Any:
    """Give files and choose a mapping; they are looked at in the next step."""
    problem: FormErrors | None = None
    if request.method == "POST":
        try:
            return see_other("intake.take_on_show", id=_receive())
        except SdmError as error:
            problem = errors_in_place(error)
    names = [*[row.name for row in mappings.saved()], *mappings.delivered()]
    answer = page("intake/take_on_new.html", names=names, errors=problem or FormErrors())
    return (answer, 422) if problem else answer


def _receive() -> int:
    body = mappings.body_of(request.form.get("mapping", ""))
    return uploads.receive(body, given_files("files"))


@view(Permission.TAKE_ON_RUN)
def show(id: int) -> str:
    """A run: its files, what was found, what will happen, how far it is."""
    run = uploads.run_of(id)
    faults = [
        {"row": fault["count"], "column": take_on.fault_text(fault["code"]), "value": ", ".join(fault["places"][:20])}
        for fault in run.report.get("faults", ())
    ]
    place = {"new": 1, "faulty": 1, "checked": 2, "posting": 2, "done": 3}[run.state]
    batches = db.session.execute(
        select(TakeOnBatch).where(TakeOnBatch.run_id == id).order_by(TakeOnBatch.number).limit(500)
    ).scalars()
    return page(
        "intake/take_on_show.html", run=run, faults=faults, place=place, batches=list(batches),
        on_screen=uploads.has_files(id), progress_text=step_text(run.batches_done, run.batches),
    )  # fmt: skip


@view(Permission.TAKE_ON_RUN)
def look(id: int) -> Any:
    """Read and check all lines; nothing is posted."""
    uploads.look(id)
    return see_other("intake.take_on_show", id=id)


@view(Permission.TAKE_ON_RUN)
def step(id: int) -> Any:
    """Prepare, then post the next batch; the page asks again until all is done."""
    outcome = uploads.step(id)
    total = max(outcome.batches, 1)
    done = total if outcome.state in {"done", "faulty"} else min(outcome.batches_done, total - 1)
    return progress("intake.take_on_show", id, done, total, url_for("intake.take_on_step", id=id))
