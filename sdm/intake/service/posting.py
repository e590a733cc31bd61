"""Posting of one batch: the statements of :mod:`sdm.intake.statements.post` in the lock order, one event, one audit row."""

from __future__ import annotations

from typing import Any

from branches.org import queries as org
from branches.org.models import LegalEntity
from finance.ledger import accounts
from finance.receivables import rules as receivables
from inventory.stock import locations
from inventory.stock.models import BUSINESS, FINANCIAL
from sdm.intake import mapping as mappings
from sdm.intake.models import TakeOnBatch, TakeOnRun
from sdm.intake.statements import post, stage
from sdm.kernel import audit, command, outbox
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound, PeriodClosed, RuleViolation
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import posting_scope


@command.command(Permission.TAKE_ON_RUN)
def post_next(run_id: int) -> int:
    """Post the next batch of a run; returns how many are posted. Raises PeriodClosed, RuleViolation, NotFound."""
    found = lock_rows(TakeOnRun, [run_id])
    if not found:
        raise NotFound("not_found", kind="take_on_run", id=run_id)
    run = found[0]
    if run.state != "posting":
        raise RuleViolation("take_on.faulty", count=run.report.get("fault_count", 0))
    if run.batches_done < run.batches:
        post_batch(run, stage.row_table(run_id), run.batches_done, mappings.load(run.mapping_body).tax)
        run.batches_done += 1
    return run.batches_done


def post_batch(run: TakeOnRun, rows: str, number: int, tax: str) -> None:
    """Post the lines of one batch in the running transaction. The lines' table has the shape of ``stage.create_rows``."""
    execute = db.session.execute
    execute(post.ONE_AT_A_TIME)
    execute(post.FORGET)
    stage.apply_settings(execute)
    _find_lines(rows, number, tax)
    parties = execute(post.PARTIES).one()
    actor = {"actor": current().user_id}
    places = _places(parties.dealers or [], parties.units or [])
    _documents(actor)
    _moves(run, places)
    _owed()
    _balances(run, places)
    _buckets()
    _entries(actor)
    _numbers()
    _note(run, number)


def _find_lines(rows: str, number: int, tax: str) -> None:
    """Lines and documents of the batch, without what was taken on before."""
    execute, batch = db.session.execute, {"batch": number}
    for setting in post.BY_INDEX:
        execute(setting)
    execute(post.known_lines(rows), batch)
    for setting in post.BY_COST:
        execute(setting)
    units = list(execute(post.units_of(rows), batch).scalars())
    entities = [org.legal_entity_id_of(unit) for unit in units]
    known = {entity: db.session.get(LegalEntity, entity) for entity in set(entities)}
    execute(post.lines_of(rows), {
        **batch, "tax": tax, "units": units, "entities": entities,
        "currencies": [known[entity].currency for entity in entities],  # type: ignore[union-attr]
    })  # fmt: skip
    execute(post.ANALYSE_LINES)
    execute(post.DOCUMENTS)
    execute(post.INDEX_DOCUMENTS)
    execute(post.ANALYSE_DOCUMENTS)
    execute(post.PERIODS)
    closed = execute(post.CLOSED_PERIOD).scalar()
    if closed:
        raise PeriodClosed("period.closed", period=closed, date=closed)


def _places(dealers: list[int], units: list[int]) -> dict[str, Any]:
    """Locations of the batch: dealers' and sold ones by owner, and the outside."""
    sold = locations.ensure([locations.sold_key(unit) for unit in units])
    held = locations.dealers(dealers)
    return {
        "dealers": list(held), "dealer_places": list(held.values()),
        "units": [key.ref for key in sold], "sold_places": list(sold.values()),
        "take_on": locations.outside(BUSINESS, "take_on"), "adjustment": locations.outside(BUSINESS, "adjustment"),
        "outside": locations.outside(FINANCIAL),
    }  # fmt: skip


def _documents(actor: dict[str, Any]) -> None:
    execute = db.session.execute
    with posting_scope():
        execute(post.SHIPMENTS, actor)
        execute(post.SHIPMENT_LINES)
        execute(post.RETURNS, actor)
        execute(post.RETURN_LINES)
        execute(post.INVOICES, actor)
        execute(post.INVOICE_LINES)
        execute(post.LINKS)


def _moves(run: TakeOnRun, places: dict[str, Any]) -> None:
    execute = db.session.execute
    execute(post.MOVES, {
        "take_on": places["take_on"], "dealers": places["dealers"], "locations": places["dealer_places"],
    })  # fmt: skip
    execute(post.ADJUSTMENTS, {"take_on": places["take_on"], "adjustment": places["adjustment"], "run": run.id})
    execute(post.FINANCIAL_MOVES, {
        "outside": places["outside"], "units": places["units"], "locations": places["sold_places"],
    })  # fmt: skip


def _owed() -> None:
    """Credit accounts in the order of payers, then the open items."""
    reach(Rank.CREDIT)
    db.session.execute(post.CREDIT)
    reach(Rank.OPEN_ITEM)
    db.session.execute(post.OPEN_ITEMS)


def _balances(run: TakeOnRun, places: dict[str, Any]) -> None:
    """Business balances, then what dealers lacked for their returns, then the financial book."""
    execute = db.session.execute
    by_dealer = {"dealers": places["dealers"], "locations": places["dealer_places"]}
    reach(Rank.BALANCE)
    execute(post.BALANCES, {
        "by_dealer": True, "owners": places["dealers"], "locations": places["dealer_places"],
    })  # fmt: skip
    execute(post.BUCKETS)
    execute(post.LACKING)
    execute(post.OPENING_MOVES, {**by_dealer, "take_on": places["take_on"], "run": run.id})
    execute(post.OPENING_BALANCES, by_dealer)
    execute(post.BALANCES, {"by_dealer": False, "owners": places["units"], "locations": places["sold_places"]})


def _buckets() -> None:
    execute = db.session.execute
    reach(Rank.BUCKET)
    execute(post.OPENING_BUCKETS)
    execute(post.LOCK_BUCKETS)
    execute(post.USES)
    execute(post.BUCKET_USES)
    execute(post.BUCKETS_LEFT)


def _entries(actor: dict[str, Any]) -> None:
    execute = db.session.execute
    execute(post.ENTRY_LINES_PREPARED, {
        "receivable": accounts.RECEIVABLE, "revenue": accounts.REVENUE, "vat": accounts.OUTPUT_VAT,
            "cost": accounts.COST, "opening": accounts.OPENING_EQUITY,
    })  # fmt: skip
    execute(post.ENTRIES, actor)
    execute(post.ENTRY_LINES)


def _numbers() -> None:
    """Gapless legal numbers, in the order of the documents; registered so that they are drawn last."""
    command.at_the_end(_draw)


def _draw() -> None:
    from datetime import date

    reach(Rank.COUNTER)
    for row in db.session.execute(post.SERIES).all():
        series = receivables.invoice_series(row.legal_entity_id, date(row.year, 1, 1))
        last = db.session.execute(post.DRAW, {"series": series, "count": row.count}).scalar_one()
        prefix = receivables.legal_number(series, 0)[:-8]
        db.session.execute(post.NUMBER, {
            "prefix": prefix, "before": last - row.count, "entity": row.legal_entity_id, "year": row.year,
        })  # fmt: skip


def _note(run: TakeOnRun, number: int) -> None:
    """The batch's own row, one audit row, one event."""
    row = db.session.execute(post.SUMMARY).one()
    if row.lines:
        batch = TakeOnBatch(
            unit_id=run.unit_id, run_id=run.id, number=number, date_from=row.date_from, date_to=row.date_to,
            lines=row.lines, invoices=row.invoices, credits=row.credits, adjustments=row.adjustments,
            charged=row.charged, credited=row.credited,
        )  # fmt: skip
        db.session.add(batch)
    figures = {"batch": number, "lines": row.lines, "invoices": row.invoices, "credits": row.credits}
    figures |= {"charged": row.charged, "credited": row.credited}
    audit.write("take_on_run", run.id, "batch", run.unit_id, figures)
    outbox.record("take_on.posted", "take_on_run", run.id, run.unit_id, **figures)
