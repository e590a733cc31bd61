"""Take-on of the real data sets: proved to the cent against their control totals, measured against a plain COPY.

``SDM_DATA`` names the folder that holds ``iowa-liquor`` and ``online-retail``. The floor copies the rows which the take-on
left behind into the same tables with the same indexes, constraints and triggers of an otherwise equal database.
"""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from bench.report import Report
from bench.site import Site
from bench.take_on_totals import COUNTIES, COUNTRIES, DAVENPORT, MARGIN, MONTHS, RETAIL_MONTHS
from sdm.app import create_app
from sdm.intake.service import mappings, take_on
from sdm.intake.service.sources import Source, from_path
from sdm.kernel import audit, checks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db

# In the order in which one may be copied after the other.
TABLES = (
    "period", "shipment", "shipment_line", "sales_return", "invoice", "invoice_line", "sales_return_line", "document_link",
    "stock_move", "stock_balance", "stock_bucket", "bucket_use", "open_item", "entry", "entry_line",
)  # fmt: skip
SHARE_OF_COPY = 0.25
QUICK_MONTH = "2022-09"

SLICE = """
SELECT count(*) AS rows, count(DISTINCT i.external_number) AS invoices,
  count(DISTINCT i.dealer_id) AS stores, count(DISTINCT l.product_id) AS items, sum(l.qty) AS bottles, sum(l.gross) AS net,
  sum(l.gross) FILTER (WHERE l.gross > 0) AS charged, count(*) FILTER (WHERE l.qty < 0) AS return_lines,
  coalesce(sum(l.gross) FILTER (WHERE l.gross < 0), 0) AS returned
FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id WHERE i.invoiced_on BETWEEN %s AND %s
"""
CREDIT_NOTES = """
SELECT to_char(invoiced_on, 'YYYY-MM'), sum(gross), coalesce(sum(gross) FILTER (WHERE external_number LIKE 'C%'), 0)
FROM invoice GROUP BY 1
"""
UNITS = """
SELECT u.code, u.name, count(*) AS rows, sum(l.gross) AS net
FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id JOIN unit u ON u.id = i.unit_id
WHERE i.invoiced_on BETWEEN %s AND %s GROUP BY u.id
"""
COST = "SELECT sum(cost), sum(net - cost) FROM invoice WHERE invoiced_on BETWEEN %s AND %s"
OWED = """
SELECT (SELECT sum(gross) FROM invoice WHERE gross > 0) AS charged, (SELECT -sum(gross) FROM invoice WHERE gross < 0) AS credited,
  (SELECT sum(open_amount) FROM open_item) AS receivable, (SELECT sum(items) FROM credit_account) AS exposure,
  (SELECT sum(amount) FROM entry_line WHERE account_code = '1122') AS ledger
"""


def run(site: Site, report: Report, *, quick: bool) -> None:
    """Both data sets; ``quick``: one month of one of them."""
    folder = Path(os.environ.get("SDM_DATA", ""))
    if not os.environ.get("SDM_DATA") or not (folder / "iowa-liquor").is_dir():
        report.console.print("  take-on: skipped, SDM_DATA names no folder with the data sets")
        report.notes["take_on"] = "skipped: SDM_DATA names no folder with the data sets"
        return
    _iowa(site, report, folder / "iowa-liquor", quick)
    if not quick:
        _retail(site, report, folder / "online-retail")


def _iowa(site: Site, report: Report, folder: Path, quick: bool) -> None:
    masters = [folder / name for name in ("stores.csv", "store-county.csv", "products.csv")]
    sales = sorted(folder.glob(f"sales-{QUICK_MONTH}.csv.gz" if quick else "sales-*.csv.gz"))
    site.create("iowa")
    with _open(site, "iowa") as app:
        seconds, lines = _timed(app, "iowa-liquor", [*masters, *sales])
        _repeat(report, "iowa", "iowa-liquor", [*masters, *sales])
    with site.connect("iowa") as connection:
        _slices(report, connection, quick)
        if not quick:
            _counties(report, connection)
        _owed(report, "iowa", connection)
    _doctor(site, report, "iowa")
    rate = lines / seconds
    report.add("take-on of lines", rate, "lines/s", floor=lines / _copy(site, report, "iowa"), at_least=SHARE_OF_COPY)
    site.drop("iowa")


def _retail(site: Site, report: Report, folder: Path) -> None:
    site.create("retail")
    files = [folder / "online-retail.csv.gz"]
    with _open(site, "retail") as app:
        seconds, lines = _timed(app, "online-retail", files)
        _repeat(report, "retail", "online-retail", files)
    with site.connect("retail") as connection:
        months = {row[0]: row[1:] for row in connection.execute(CREDIT_NOTES)}
        good = sum(months[month] == (net, returned) for month, net, returned in RETAIL_MONTHS)
        report.add(
            "retail: months that agree", good, f"of {len(RETAIL_MONTHS)}", at_least=len(RETAIL_MONTHS), judge="value"
        )
        units = {row[1].upper(): row[3] for row in connection.execute(UNITS, ("2000-01-01", "2030-01-01"))}
        good = sum(units.get(country.upper()) == net for country, net in COUNTRIES)
        report.add("retail: countries that agree", good, f"of {len(COUNTRIES)}", at_least=len(COUNTRIES), judge="value")
        _owed(report, "retail", connection)
    _doctor(site, report, "retail")
    report.add("take-on of retail lines", lines / seconds, "lines/s")
    site.drop("retail")


@contextmanager
def _open(site: Site, database: str) -> Iterator[Flask]:
    app = create_app(site.settings.replace(database_url=site.url(database)), role="tool")
    with app.app_context(), use_actor(system_actor("bench")):
        yield app
        db.session.remove()
        db.engine.dispose()


def _sources(files: list[Path]) -> list[Source]:
    return [from_path(file) for file in files]


def _timed(_app: Flask, name: str, files: list[Path]) -> tuple[float, int]:
    started = time.perf_counter()
    outcome = take_on.run(mappings.delivered()[name], _sources(files))
    assert outcome.state == "done", outcome.report["faults"][:5]
    return time.perf_counter() - started, outcome.report["lines"]


def _repeat(report: Report, what: str, name: str, files: list[Path]) -> None:
    """The same files once more write nothing."""
    count = (
        "SELECT (SELECT count(*) FROM invoice) + (SELECT count(*) FROM stock_move) + (SELECT count(*) FROM entry_line)"
    )
    with db.engine.connect() as connection:
        before = connection.exec_driver_sql(count).scalar()
    take_on.run(mappings.delivered()[name], _sources(files))
    with db.engine.connect() as connection:
        more = connection.exec_driver_sql(count).scalar() - before
    report.add(f"{what}: rows written by a second run", more, "rows", at_most=0, judge="value")


def _slices(report: Report, connection: psycopg.Connection[Any], quick: bool) -> None:
    """Months, and the quarters and years of Davenport: lines, invoices, stores, items, bottles, amounts, returns."""
    wanted = [(month, _days(month), total) for month, total in MONTHS.items() if not quick or month == QUICK_MONTH]
    wanted += [] if quick else list(DAVENPORT)
    good = sum(tuple(connection.execute(SLICE, days).fetchone() or ()) == tuple(total) for _name, days, total in wanted)
    report.add("iowa: periods that agree to the cent", good, f"of {len(wanted)}", at_least=len(wanted), judge="value")


def _days(month: str) -> tuple[str, str]:
    year, number = (int(part) for part in month.split("-"))
    return f"{month}-01", f"{month}-{calendar.monthrange(year, number)[1]}"


def _counties(report: Report, connection: psycopg.Connection[Any]) -> None:
    for quarter, (first, last), counties in COUNTIES:
        found = {row[0]: (row[2], row[3]) for row in connection.execute(UNITS, (first, last))}
        good = sum(found.get(code) == (rows, net) for code, rows, net in counties)
        report.add(
            f"iowa: counties that agree in {quarter}",
            good,
            f"of {len(counties)}",
            at_least=len(counties),
            judge="value",
        )
    for quarter, (first, last), cost, margin in MARGIN:
        row = connection.execute(COST, (first, last)).fetchone()
        good = row == (cost, margin)
        report.add(f"iowa: cost and margin agree in {quarter}", int(good), "of 1", at_least=1, judge="value")


def _owed(report: Report, what: str, connection: psycopg.Connection[Any]) -> None:
    """Receivable = invoiced − credited, in open items, exposure and ledger alike."""
    row = connection.execute(OWED).fetchone()
    assert row is not None
    charged, credited, *others = row
    left = max(abs(charged - credited - other) for other in others)
    report.add(f"{what}: receivable less (invoiced − credited)", float(left), "", at_most=0, judge="value")


def _doctor(site: Site, report: Report, database: str) -> None:
    with _open(site, database):
        while audit.seal():  # the scheduler's work, which does not run here
            continue
        broken = [check.code for check in checks.registered() if not checks.run(check).ok]
    report.add(f"{database}: broken promises told by doctor", len(broken), ", ".join(broken), at_most=0, judge="value")


def _copy(site: Site, report: Report, source: str) -> float:
    """Seconds of a plain COPY of the resulting rows into the same indexed tables."""
    files = {table: site.home / f"copy-{table}.bin" for table in TABLES}
    with site.connect(source, autocommit=True) as connection:
        for table, file in files.items():
            columns = _columns(connection, table)
            with (
                file.open("wb") as target,
                connection.cursor().copy(f"COPY {table} ({columns}) TO STDOUT (FORMAT binary)") as out,
            ):
                for chunk in out:
                    target.write(chunk)
    site.drop("floor")
    site.create("floor", source)
    with site.connect("floor", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        connection.execute("SET session_replication_role = origin")
        connection.execute("CHECKPOINT")
    started = time.perf_counter()
    with site.connect("floor") as connection:
        for table, file in files.items():
            with (
                file.open("rb") as stream,
                connection.cursor().copy(
                    f"COPY {table} ({_columns(connection, table)}) FROM STDIN (FORMAT binary)"
                ) as target,
            ):
                while chunk := stream.read(1 << 20):
                    target.write(chunk)
    seconds = time.perf_counter() - started
    rows = sum(file.stat().st_size for file in files.values())
    report.notes["take_on_copied_bytes"] = rows
    site.drop("floor")
    for file in files.values():
        file.unlink()
    return seconds


def _columns(connection: psycopg.Connection[Any], table: str) -> str:
    """The columns that are not computed by the database."""
    found = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " ORDER BY attnum",
        (table,),
    )
    return ", ".join(row[0] for row in found)
