"""Take-on on screen: files are kept in the database until the run is done, so that any web worker can go on with it."""

from __future__ import annotations

from sqlalchemy import delete, exists, insert, select

from sdm.intake import files
from sdm.intake.models import TakeOnFile, TakeOnRun
from sdm.intake.service import posting, take_on
from sdm.intake.service.sources import Source, from_bytes, table_of
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput, NotFound
from sdm.kernel.permissions import Permission

FILES_MAX = 40


@command(Permission.TAKE_ON_RUN)
def receive(mapping_body: str, given: list[tuple[str, bytes]]) -> int:
    """Keep files and mapping as a run; the same again gives the old run. Raises InvalidInput, HostileFile."""
    if not 1 <= len(given) <= FILES_MAX:
        raise InvalidInput([FieldError("files", "input.required")])
    sources = [from_bytes(name, data) for name, data in given]
    for name, data in given:
        if data.startswith(files.GZIP_MAGIC):
            files.unpack(data)
        table_of(from_bytes(name, data))
    run_id = take_on.start(mapping_body, sources)
    if not has_files(run_id) and take_on.outcome_of(run_id).state != "done":
        rows = [
            {"run_id": run_id, "position": position, "name": name[:200], "content": data}
            for position, (name, data) in enumerate(given)
        ]
        db.session.execute(insert(TakeOnFile), rows)
    return run_id


def run_of(run_id: int) -> TakeOnRun:
    """A run in scope, or NotFound."""
    row = db.session.execute(select(TakeOnRun).where(TakeOnRun.id == run_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="take_on_run", id=run_id)
    return row


def has_files(run_id: int) -> bool:
    """Whether the files of a run are kept here (those of the command line are not)."""
    return bool(db.session.execute(select(exists().where(TakeOnFile.run_id == run_id))).scalar())


def sources_of(run_id: int) -> list[Source]:
    """The kept files of a run. NotFound when there are none."""
    run_of(run_id)
    rows = db.session.execute(
        select(TakeOnFile.name, TakeOnFile.content).where(TakeOnFile.run_id == run_id).order_by(TakeOnFile.position)
    ).all()
    if not rows:
        raise NotFound("not_found", kind="take_on_file", id=run_id)
    return [from_bytes(name, content) for name, content in rows]


def look(run_id: int) -> take_on.Outcome:
    """Read and check all lines of a run that has not begun to post."""
    outcome = take_on.outcome_of(run_id)
    if outcome.state in {"posting", "done"}:
        return outcome
    outcome = take_on.prepare(run_id, sources_of(run_id), dry_run=True, report=_silent)
    take_on.clean(run_id)
    return outcome


def step(run_id: int) -> take_on.Outcome:
    """One bounded part of the work: make ready, or post a batch, or finish."""
    outcome = take_on.outcome_of(run_id)
    if outcome.state == "done":
        return outcome
    if outcome.state != "posting" or not take_on.staged(run_id):
        return take_on.prepare(run_id, sources_of(run_id), dry_run=False, report=_silent)
    if outcome.batches_done < outcome.batches:
        posting.post_next(run_id)
    if take_on.outcome_of(run_id).batches_done >= outcome.batches:
        _finish(run_id)
    return take_on.outcome_of(run_id)


@command(Permission.TAKE_ON_RUN)
def _finish(run_id: int) -> None:
    take_on.finish(run_id)
    db.session.execute(delete(TakeOnFile).where(TakeOnFile.run_id == run_id))


def _silent(step_name: str, done: int, total: int) -> None:
    """Pages ask for themselves how far it is."""
