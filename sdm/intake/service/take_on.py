"""Take-on (业务数据追加): dated sales from other books become real shipments, returns, invoices, moves, items and entries.

``run`` does all steps: stage the files, look at them, enter missing masters, post batch after batch. Each step is a
transaction of its own and can be repeated: a run that was broken off goes on with its next batch. The same files with the
same mapping are one run, and lines whose external number was taken on before are left out, from whatever file they come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import select

from branches.org import queries as org
from sdm.intake import mapping as mappings
from sdm.intake.mapping import Mapping_
from sdm.intake.models import TakeOnRun
from sdm.intake.service import masters, posting
from sdm.intake.service.sources import Source, Table, digest_of, table_of
from sdm.intake.statements import masters as master_statements
from sdm.intake.statements import stage
from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound, RuleViolation, describe
from sdm.kernel.i18n import error_text
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission

BATCH_LINES = 10_000
LISTED_MAX = 200
DATES_MAX = 100_000
Report = Callable[[str, int, int], None]

describe(
    {
        "take_on.no_sales": N_("None of the files is a sales file of this mapping; its columns are: %(columns)s"),
        "take_on.unknown_file": N_("%(value)s has headings that the mapping does not know: %(header)s"),
        "take_on.broken_row": N_("%(value)s: %(why)s"),
        "take_on.faulty": N_("%(count)s lines cannot be taken on; nothing was posted. See the list of faults"),
        "take_on.dates": N_("The date column holds more than 100,000 different texts; choose the right column"),
        "take_on.fault.invoice": N_("The invoice number is empty"),
        "take_on.fault.line": N_("The line number is not a number"),
        "take_on.fault.date": N_("The date is not written as the mapping says"),
        "take_on.fault.dealer": N_("The dealer is empty, and the mapping names no dealer for such lines"),
        "take_on.fault.product": N_("The product is empty"),
        "take_on.fault.qty": N_("The quantity is empty, zero or not a number"),
        "take_on.fault.amount": N_("The amount or price is empty or not a number"),
        "take_on.fault.future": N_("The date lies in the future"),
        "take_on.fault.cut_off": N_("The date lies after the cut-off"),
        "take_on.fault.doubled": N_("The same line number occurs more than once"),
        "take_on.fault.missing_dealer": N_("The dealer does not exist"),
        "take_on.fault.missing_product": N_("The product does not exist"),
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; ``report`` is shown on screen and on the command line."""

    run_id: int
    state: str
    report: dict[str, Any]
    batches: int
    batches_done: int


def run(
    mapping_body: str, sources: Sequence[Source], *, dry_run: bool = False, report: Report | None = None
) -> Outcome:
    """All steps. Nothing is posted when a line is at fault, or in a dry run. Raises InvalidInput, HostileFile."""
    tell = report or (lambda step, done, total: None)
    run_id = start(mapping_body, list(sources))
    outcome = outcome_of(run_id)
    if outcome.state == "done":
        return outcome
    if outcome.state != "posting" or not staged(run_id):
        outcome = prepare(run_id, sources, dry_run=dry_run, report=tell)
    if dry_run or outcome.state == "faulty":
        clean(run_id)
        return outcome
    return post_all(run_id, tell)


def post_all(run_id: int, tell: Report) -> Outcome:
    """Post the batches that are left and finish."""
    outcome = outcome_of(run_id)
    while outcome.batches_done < outcome.batches:
        posting.post_next(run_id)
        outcome = outcome_of(run_id)
        tell("post", outcome.batches_done, outcome.batches)
    finish(run_id)
    return outcome_of(run_id)


@command(Permission.TAKE_ON_RUN)
def start(mapping_body: str, sources: list[Source]) -> int:
    """The run of these files with this mapping, made where there is none; returns its id. Raises InvalidInput."""
    mapping = mappings.load(mapping_body)
    digest = digest_of(sources, mapping_body)
    known = db.session.execute(select(TakeOnRun.id).where(TakeOnRun.digest == digest)).scalar()
    if known is not None:
        return int(known)
    actor = current()
    row = TakeOnRun(
        unit_id=actor.unit_id or _home(), digest=digest, mapping_name=mapping.name[:64], mapping_body=mapping_body,
        file_names=[source.name for source in sources], state="new", report={}, created_by_id=actor.user_id,
        created_by=actor.name,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return int(row.id)


def _home() -> int:
    """The head office, 0 before there is one (a take-on may be the first thing ever)."""
    return next((unit.id for unit in org.tree().units.values() if unit.kind == "head_office"), 0)


def outcome_of(run_id: int) -> Outcome:
    """A run as it stands. NotFound out of scope."""
    row = db.session.execute(
        select(TakeOnRun).where(TakeOnRun.id == run_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="take_on_run", id=run_id)
    return Outcome(row.id, row.state, dict(row.report), row.batches, row.batches_done)


def locked(run_id: int) -> TakeOnRun:
    """The run's row, locked; NotFound out of scope."""
    rows = lock_rows(TakeOnRun, [run_id])
    if not rows:
        raise NotFound("not_found", kind="take_on_run", id=run_id)
    return rows[0]


# --- staging ----------------------------------------------------------------------------------------------------------


def staged(run_id: int) -> bool:
    """Whether the working table of a run is there in full (a crash of the database empties it)."""
    names = set(db.session.execute(stage.LEFT_OVER, {"run": str(run_id)}).scalars())
    if stage.row_table(run_id) not in names:
        return False
    found = db.session.execute(stage.batches(stage.row_table(run_id))).scalar_one()
    return bool(found) and int(found) == outcome_of(run_id).batches


def prepare(run_id: int, sources: Sequence[Source], *, dry_run: bool, report: Report) -> Outcome:
    """Stage the files, look at them, enter missing masters (not in a dry run), cut the lines into batches."""
    tables = [table_of(source) for source in sources]
    kinds = load_files(run_id, tables, report)
    if not dry_run:
        create_masters(run_id, tables, kinds)
    report("check", 0, 1)
    look(run_id, tables, kinds, dry_run)
    report("check", 1, 1)
    return outcome_of(run_id)


@command(Permission.TAKE_ON_RUN)
def clean(run_id: int) -> None:
    """Drop the working tables of a run."""
    names = db.session.execute(stage.LEFT_OVER, {"run": str(run_id)}).scalars().all()
    if names:
        db.session.execute(stage.drop(names))


@command(Permission.TAKE_ON_RUN)
def load_files(run_id: int, tables: list[Table], report: Report) -> list[str]:
    """Copy the files into working tables; returns what each file is. Raises InvalidInput for unknown headings."""
    mapping = mappings.load(locked(run_id).mapping_body)
    kinds = _kinds(mapping, tables)
    stage.apply_settings(db.session.execute)
    clean(run_id)
    for file_no, table in enumerate(tables):
        report("read", file_no, len(tables))
        name = stage.raw_table(run_id, file_no)
        db.session.execute(stage.create_raw(name, len(table.header)))
        _copy(stage.copy_raw(name, len(table.header), table.delimiter), table)
        db.session.execute(stage.analyse(name))
    report("read", len(tables), len(tables))
    return kinds


def _kinds(mapping: Mapping_, tables: list[Table]) -> list[str]:
    kinds = [mappings.kind_of(mapping, table.header) for table in tables]
    faults = [
        FieldError("files", "take_on.unknown_file", table.name, {"header": ", ".join(table.header)[:300]})
        for table, kind in zip(tables, kinds, strict=True)
        if kind is None
    ]
    if not faults and "sales" not in kinds:
        columns = ", ".join(mapping.sales.columns.values())
        faults.append(FieldError("files", "take_on.no_sales", None, {"columns": columns}))
    if faults:
        raise InvalidInput(faults)
    return [kind for kind in kinds if kind]


def _copy(statement: str, table: Table) -> None:
    """COPY a file; a row with too few or too many cells stops it with its line."""
    connection: Any = db.session.connection().connection.dbapi_connection
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for chunk in table.chunks():
                copy.write(chunk)
    except psycopg.DataError as error:
        why = f"{error.diag.message_primary} ({(error.diag.context or '').split(':')[0]})"
        raise InvalidInput([FieldError("files", "take_on.broken_row", table.name, {"why": why})]) from error


# --- masters ----------------------------------------------------------------------------------------------------------


@command(Permission.TAKE_ON_RUN)
def create_masters(run_id: int, tables: list[Table], kinds: list[str]) -> None:
    """Enter the dealers, products and branches that are missing, as far as the mapping allows."""
    run_row = locked(run_id)
    mapping = mappings.load(run_row.mapping_body)
    told = told_by(run_id, mapping, tables, kinds)
    masters.create(mapping, told, masters.missing_of(mapping, told))
    run_row.unit_id = run_row.unit_id or _home()


def told_by(run_id: int, mapping: Mapping_, tables: list[Table], kinds: list[str]) -> masters.Told:
    """What all files together tell about dealers, products and branches."""
    told = masters.Told()
    for wanted in ("dealers", "dealer_branches", "products", "sales"):
        for file_no, (table, kind) in enumerate(zip(tables, kinds, strict=True)):
            if kind == wanted:
                _tell(told, stage.raw_table(run_id, file_no), mapping, kind, table)
    return told


def _tell(told: masters.Told, raw: str, mapping: Mapping_, kind: str, table: Table) -> None:
    if kind == "dealers":
        _merge(told.dealers, raw, table, mapping.dealers, "code")
    elif kind == "products":
        _merge(told.products, raw, table, mapping.products, "code")
    elif kind == "dealer_branches":
        branches: dict[str, dict[str, str]] = {}
        _merge(branches, raw, table, mapping.dealer_branches, "dealer")
        for code, attributes in branches.items():
            if code in told.dealers or not mapping.dealers:
                told.dealers.setdefault(code, {}).update(attributes)
    else:
        _tell_sales(told, raw, mapping, table)


def _tell_sales(told: masters.Told, raw: str, mapping: Mapping_, table: Table) -> None:
    sales = mapping.sales
    tails = sales.float_tails
    dealer = {"code": sales.columns["dealer"], **sales.dealer}
    _merge(told.dealers, raw, table, dealer, "code", "dealer" in tails)
    _merge(told.products, raw, table, {"code": sales.columns["product"], **sales.product}, "code", "product" in tails)
    if mapping.masters.no_dealer.code:
        _tell_collective(told, raw, mapping, table)


def _tell_collective(told: masters.Told, raw: str, mapping: Mapping_, table: Table) -> None:
    """The collective dealer of lines that name none: one, or one per branch where the rows name branches."""
    sales, nobody = mapping.sales, mapping.masters.no_dealer
    branch = _positions(table, sales.dealer).get("branch")
    statement = master_statements.collective(raw, _positions(table, sales.columns)["dealer"], branch)
    for row in db.session.execute(statement):
        code = f"{nobody.code}-{masters.branch_code(mapping, row.branch)}" if branch else nobody.code
        attributes = {"name": f"{nobody.name} ({row.branch})" if row.branch else nobody.name, "collective": "yes"}
        told.dealers.setdefault(code[:64], attributes | ({"branch": row.branch} if row.branch else {}))


def _merge(
    into: dict[str, dict[str, str]], raw: str, table: Table, columns: Any, key: str, float_tail: bool = False
) -> None:
    """Add what one file says; what was said before stays."""
    positions = _positions(table, columns)
    others = {name: position for name, position in positions.items() if name != key}
    for row in db.session.execute(master_statements.told(raw, positions[key], others, float_tail)).mappings():
        attributes = {name: row[name] for name in others if row[name]}
        into[row["code"]] = attributes | into.get(row["code"], {})


def _positions(table: Table, columns: Any) -> dict[str, int]:
    """Meaning → position (from 1) of the columns in a file."""
    place = {name: position for position, name in enumerate(table.header, start=1)}
    return {meaning: place[heading] for meaning, heading in columns.items()}


# --- looking ----------------------------------------------------------------------------------------------------------


@command(Permission.TAKE_ON_RUN)
def look(run_id: int, tables: list[Table], kinds: list[str], dry_run: bool) -> None:
    """Type all lines, note every fault, sums per month and what would be made; without faults cut them into batches."""
    run_row = locked(run_id)
    mapping = mappings.load(run_row.mapping_body)
    stage.apply_settings(db.session.execute)
    lines = stage.line_table(run_id)
    db.session.execute(stage.drop([lines, stage.row_table(run_id)]))
    db.session.execute(stage.create_lines(lines))
    for file_no, (table, kind) in enumerate(zip(tables, kinds, strict=True)):
        if kind == "sales":
            _type_lines(run_id, file_no, table, mapping)
    db.session.execute(stage.analyse(lines))
    report = _report(run_id, mapping, tables, kinds, dry_run)
    run_row.report = report
    run_row.state = "faulty" if report["fault_count"] else "checked"
    if run_row.state == "checked" and not dry_run:
        _cut(run_row, lines, mapping)


def _type_lines(run_id: int, file_no: int, table: Table, mapping: Mapping_) -> None:
    sales, raw = mapping.sales, stage.raw_table(run_id, file_no)
    positions = _positions(table, sales.columns)
    if "branch" in sales.dealer:
        positions["branch"] = _positions(table, sales.dealer)["branch"]
    length = len(clock.today().strftime(mappings.date_pattern(sales.date_format)))
    texts = list(db.session.execute(stage.distinct_texts(raw, positions["date"], length)).scalars())
    if len(texts) > DATES_MAX:
        raise InvalidInput([FieldError("sales.columns.date", "take_on.dates")])
    dates = mappings.parse_dates([shown for shown in texts if shown], sales.date_format)
    names = _branch_names(raw, positions)
    statement = stage.insert_lines(
        stage.line_table(run_id), raw, positions, date_length=length, line_digits=sales.line_digits,
        float_tails=sales.float_tails,
    )  # fmt: skip
    db.session.execute(statement, {
        "file_no": file_no, "number": stage.NUMBER, "texts": list(dates), "dates": list(dates.values()),
        "prefixes": list(sales.return_prefixes), "positive": sales.returns == "positive",
        "adjust": sales.zero_price_negative == "adjustment", "cut_off": mapping.cut_off, "today": clock.today(),
        "no_dealer": mapping.masters.no_dealer.code or None, "no_branch": mapping.masters.no_branch.code,
        "branch_names": names, "branch_codes": [masters.branch_code(mapping, name) for name in names],
    })  # fmt: skip


def _branch_names(raw: str, positions: dict[str, int]) -> list[str]:
    """The distinct branch names of a file."""
    if "branch" not in positions:
        return []
    found = db.session.execute(stage.distinct_texts(raw, positions["branch"], 200)).scalars()
    return [name for name in found if name]


def _cut(run_row: TakeOnRun, lines: str, mapping: Mapping_) -> None:
    """Lines in their documents and batches."""
    rows, scope = stage.row_table(run_row.id), _scope()
    statement = stage.create_rows(
        lines, rows, line_numbers=bool({"line_id", "line"} & mapping.sales.columns.keys()),
        row_branch=mapping.sales.branch_rule == "row",
    )  # fmt: skip
    db.session.execute(statement, {"batch_lines": BATCH_LINES, **scope})
    db.session.execute(stage.index_rows(rows))
    db.session.execute(stage.analyse(rows))
    run_row.batches = int(db.session.execute(stage.batches(rows)).scalar_one())
    run_row.state = "posting"
    db.session.execute(stage.drop([lines]))


def _scope() -> dict[str, Any]:
    scope = current().scope
    return {"everything": scope.everything, "units": sorted(scope.units)}


def _report(run_id: int, mapping: Mapping_, tables: list[Table], kinds: list[str], dry_run: bool) -> dict[str, Any]:
    lines = stage.line_table(run_id)
    files = [{"name": table.name, "kind": kind} for table, kind in zip(tables, kinds, strict=True)]
    names = [table.name for table in tables]
    faults = [
        {"code": row.fault, "count": row.count,
         "places": [f"{names[f]}:{r}" for f, r in zip(row.files, row.rows, strict=True)]}
        for row in db.session.execute(stage.faults(lines))
    ]  # fmt: skip
    faults += [
        {"code": "doubled", "count": row.count, "places": [f"{row.invoice} {row.line_no}"]}
        for row in db.session.execute(stage.doubled(lines))
    ]
    missing, to_create = _missing(run_id, mapping, tables, kinds, dry_run)
    faults += missing
    months = [
        {key: str(value) if key in {"charged", "credited"} else value for key, value in row.items()}
        for row in db.session.execute(stage.months(lines)).mappings()
    ]
    return {
        "files": files, "faults": faults, "fault_count": sum(fault["count"] for fault in faults), "months": months,
        "lines": sum(month["lines"] for month in months), "create": to_create,
    }  # fmt: skip


def _missing(
    run_id: int, mapping: Mapping_, tables: list[Table], kinds: list[str], dry_run: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Dealers and products of the lines that do not exist: faults where the mapping lists them, else a count to make."""
    lines, wanted = stage.line_table(run_id), mapping.masters
    faults: list[dict[str, Any]] = []
    for code, choice, statement in (
        ("missing_dealer", wanted.dealers, stage.missing_dealers(lines)),
        ("missing_product", wanted.products, stage.missing_products(lines)),
    ):
        values = _scope() if code == "missing_dealer" else {}
        rows = db.session.execute(statement, values).all()
        if rows and (choice == "list" or not dry_run):
            places = [f"{row.code} ({row.count})" for row in rows[:LISTED_MAX]]
            faults.append({"code": code, "count": sum(row.count for row in rows), "places": places})
    if not dry_run:
        return faults, {}
    missing = masters.missing_of(mapping, told_by(run_id, mapping, tables, kinds))
    counts = {"branches": len(missing.branches), "dealers": len(missing.dealers), "products": len(missing.products)}
    return faults, {key: count for key, count in counts.items() if count and getattr(wanted, key) == "create"}


@command(Permission.TAKE_ON_RUN)
def finish(run_id: int) -> None:
    """Close a run whose batches are all posted, and drop its working tables."""
    run_row = locked(run_id)
    if run_row.state == "done":
        return
    if run_row.state != "posting" or run_row.batches_done < run_row.batches:
        raise RuleViolation("take_on.faulty", count=run_row.report.get("fault_count", 0))
    run_row.state, run_row.finished_at = "done", clock.now()
    clean(run_id)


def fault_text(code: str) -> str:
    """The sentence of a kind of fault, in the reader's language."""
    return error_text(FieldError("line", f"take_on.fault.{code}"))
