"""Staging of a take-on: raw files by COPY, typed rows, documents numbered and cut into batches.

The tables of a run are unlogged and named by the run's number; cells are addressed by position only, so that no word of a
file or mapping ever becomes SQL. A line ends as *s* sale, *r* return, *a* stock adjustment or with a ``fault``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, text

NUMBER = r"^[+-]?(\d{1,13}(\.\d{0,8})?|\.\d{1,8})$"
SETTINGS = (text("SET LOCAL work_mem = '192MB'"), text("SET LOCAL statement_timeout = '15min'"))


def apply_settings(execute: Callable[[TextClause], Any]) -> None:
    """Room and time for set-based work, for this transaction."""
    for setting in SETTINGS:
        execute(setting)


def raw_table(run_id: int, file_no: int) -> str:
    """Name of the table with the cells of one file."""
    return f"take_on_raw_{run_id:d}_{file_no:d}"


def line_table(run_id: int) -> str:
    """Name of the table with typed lines, unsorted."""
    return f"take_on_line_{run_id:d}"


def row_table(run_id: int) -> str:
    """Name of the table with the lines in their documents and batches."""
    return f"take_on_row_{run_id:d}"


def drop(tables: Sequence[str]) -> TextClause:
    """Drop working tables where they exist."""
    return text(f"DROP TABLE IF EXISTS {', '.join(tables)}")


LEFT_OVER = text(
    """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname ~ ('^take_on_(raw|line|row)_' || :run || '(_|$)')
"""
)


def create_raw(table: str, width: int) -> TextClause:
    """An empty table of texts with a line number (heading = 1)."""
    columns = ", ".join(f"c{position:d} text" for position in range(1, width + 1))
    return text(f"CREATE UNLOGGED TABLE {table} (row_no bigint GENERATED ALWAYS AS IDENTITY (START 2), {columns})")


def copy_raw(table: str, width: int, delimiter: str) -> str:
    """COPY of a CSV file with heading."""
    columns = ", ".join(f"c{position:d}" for position in range(1, width + 1))
    mark = "E'\\t'" if delimiter == "\t" else f"'{delimiter}'"
    return f"COPY {table} ({columns}) FROM STDIN (FORMAT csv, HEADER true, DELIMITER {mark})"


def distinct_texts(table: str, position: int, length: int) -> TextClause:
    """The distinct beginnings of a column, at most 100,001."""
    return text(f"SELECT DISTINCT left(btrim(c{position:d}), {length:d}) FROM {table} LIMIT 100001")  # noqa: S608


def create_lines(table: str) -> TextClause:
    """An empty table of typed lines."""
    return text(f"""
CREATE UNLOGGED TABLE {table} (
  file_no int NOT NULL, row_no bigint NOT NULL, invoice text, line_no int, dated_on date, dealer_code text,
  product_code text, branch_code text, kind "char", qty numeric(18,3), price numeric(18,4), amount numeric(18,2),
  fault text
)""")


def _cell(positions: Mapping[str, int], key: str) -> str:
    """The trimmed cell of a meaning; NULL where the file has none or it is empty."""
    return f"nullif(btrim(r.c{positions[key]:d}), '')" if key in positions else "NULL::text"


def _number(positions: Mapping[str, int], key: str) -> str:
    """A number of a cell; NULL where it is none. Thousands separators and currency signs are taken off."""
    if key not in positions:
        return "NULL::numeric"
    cell = _cell(positions, key)
    bare = f"translate({cell}, ',$£€¥ ', '')"
    return f"CASE WHEN {cell} ~ :number THEN ({cell})::numeric WHEN {bare} ~ :number THEN ({bare})::numeric END"


def _code(positions: Mapping[str, int], key: str, float_tail: bool) -> str:
    """A code as text, without the tail .0 of a code that once was a float."""
    cell = f"left({_cell(positions, key)}, 64)"
    return f"regexp_replace({cell}, '\\.0+$', '')" if float_tail else cell


def _invoice_and_line(positions: Mapping[str, int], line_digits: int) -> tuple[str, str]:
    """SQL of invoice number and line number: from one line id, or from two columns."""
    if "line_id" in positions:
        line_id = _cell(positions, "line_id")
        invoice = f"left(left({line_id}, -{line_digits:d}), 64)"
        line_no = (
            f"CASE WHEN right({line_id}, {line_digits:d}) ~ '^[0-9]+$' THEN right({line_id}, {line_digits:d})::int END"
        )
    else:
        invoice = f"left({_cell(positions, 'invoice')}, 64)"
        cell = _cell(positions, "line")
        line_no = f"CASE WHEN {cell} ~ '^[0-9]{{1,9}}$' THEN ({cell})::int END"
    return invoice, line_no


def insert_lines(
    lines: str,
    raw: str,
    positions: Mapping[str, int],
    *,
    date_length: int,
    line_digits: int,
    float_tails: Sequence[str],
) -> TextClause:
    """Type the cells of one file.

    Parameters: file_no, number, texts, dates, prefixes, positive, adjust, cut_off, today, no_dealer, no_branch,
    branch_names, branch_codes.
    """
    invoice, line_no = _invoice_and_line(positions, line_digits)
    code = {key: _code(positions, key, key in float_tails) for key in ("dealer", "product")}
    return text(f"""
INSERT INTO {lines} (file_no, row_no, invoice, line_no, dated_on, dealer_code, product_code, branch_code, kind, qty, price,
                     amount, fault)
SELECT :file_no, row_no, invoice, line_no, dated_on, dealer, product, branch,
  CASE WHEN amount < 0 THEN 'r' WHEN amount > 0 THEN 's' WHEN qty > 0 THEN 's'
       WHEN :adjust AND NOT is_return THEN 'a' ELSE 'r' END,
  abs(qty), coalesce(abs(price), abs(round(amount / nullif(qty, 0), 4))), abs(amount),
  CASE WHEN invoice IS NULL OR invoice = '' THEN 'invoice' WHEN dated_on IS NULL THEN 'date'
       WHEN dealer IS NULL THEN 'dealer' WHEN product IS NULL THEN 'product'
       WHEN qty IS NULL OR qty = 0 OR abs(qty) >= 1e12 THEN 'qty' WHEN amount IS NULL OR abs(amount) >= 1e13 THEN 'amount'
       WHEN dated_on > :today THEN 'future' WHEN dated_on >= :cut_off THEN 'cut_off'
       WHEN {"line_no IS NULL" if "line_id" in positions or "line" in positions else "false"} THEN 'line' END
FROM (
  SELECT r.row_no, {invoice} AS invoice, {line_no} AS line_no, d.dated_on,
    coalesce({code["dealer"]}, CASE WHEN {"true" if "branch" in positions else "false"}
      THEN cast(:no_dealer AS text) || '-' || coalesce(b.code, :no_branch)
      ELSE cast(:no_dealer AS text) END) AS dealer,
    {code["product"]} AS product, b.code AS branch, f.is_return,
    round(n.qty * CASE WHEN :positive AND f.is_return THEN -1 ELSE 1 END, 3) AS qty, n.price,
    round(coalesce(n.amount, n.qty * n.price) * CASE WHEN :positive AND f.is_return THEN -1 ELSE 1 END, 2) AS amount
  FROM {raw} r
  LEFT JOIN unnest(cast(:texts AS text[]), cast(:dates AS date[])) AS d(shown, dated_on)
    ON d.shown = left({_cell(positions, "date")}, {date_length:d})
  LEFT JOIN unnest(cast(:branch_names AS text[]), cast(:branch_codes AS text[])) AS b(shown, code)
    ON b.shown = left({_cell(positions, "branch")}, 200)
  CROSS JOIN LATERAL (SELECT {_number(positions, "qty")} AS qty, {_number(positions, "price")} AS price,
                             {_number(positions, "amount")} AS amount) n
  CROSS JOIN LATERAL (
    SELECT coalesce({invoice} ^@ ANY (cast(:prefixes AS text[])), false) AS is_return
  ) f
) t""")  # noqa: S608 - positions and table names are our own


def create_rows(lines: str, rows: str, *, line_numbers: bool, row_branch: bool) -> TextClause:
    """Sorted lines with their document and batch; faulty ones are left out. Parameters: batch_lines, everything, units.

    A document is what has one number, dealer, branch and direction; it is dated by its first line. Documents are in the
    order of their dates, so that numbers are drawn in that order; batches hold whole documents. Order and batches follow
    from files and mapping alone: a run that is taken up again finds the same ones.
    """
    line_no = "l.line_no" if line_numbers else (
        "row_number() OVER (PARTITION BY l.invoice ORDER BY l.file_no, l.row_no)"
    )  # fmt: skip
    branch = "coalesce(b.id, d.unit_id)" if row_branch else "d.unit_id"
    return text(f"""
CREATE UNLOGGED TABLE {rows} AS
WITH known AS (
  SELECT l.invoice, l.dated_on, l.dealer_code, {"l.branch_code" if row_branch else "NULL::text AS branch_code"}, l.kind,
    l.qty, l.price, l.amount, l.file_no, l.row_no, {line_no} AS number, d.id AS dealer_id, {branch} AS unit_id, p.id AS product_id
  FROM {lines} l
  JOIN dealer d ON d.code = l.dealer_code AND (:everything OR d.unit_id = ANY (cast(:units AS bigint[])))
  JOIN product p ON p.code = l.product_code
  LEFT JOIN unit b ON {"b.code = l.branch_code" if row_branch else "false"}
  WHERE l.fault IS NULL
), dated AS (
  SELECT *, min(dated_on) OVER (PARTITION BY invoice, dealer_code, branch_code, kind) AS document_on FROM known
), ranked AS (
  SELECT *, dense_rank() OVER (ORDER BY document_on, invoice, dealer_code, branch_code, kind) AS doc_no,
    row_number() OVER (ORDER BY document_on, invoice, dealer_code, branch_code, kind, number) AS place FROM dated
)
SELECT (((min(place) OVER (PARTITION BY doc_no)) - 1) / :batch_lines)::int AS batch_no, doc_no, kind, invoice,
  number::int AS line_no, document_on AS dated_on, dealer_id, unit_id, product_id, qty, price, amount, file_no, row_no
FROM ranked ORDER BY place""")  # noqa: S608


def index_rows(rows: str) -> TextClause:
    """Find the lines of a batch."""
    return text(f"CREATE INDEX ON {rows} (batch_no)")


def analyse(table: str) -> TextClause:
    """Statistics for the planner."""
    return text(f"ANALYZE {table}")


# --- what the check tells ---------------------------------------------------------------------------------------------


def faults(lines: str) -> TextClause:
    """Each kind of fault with count and first places."""
    return text(f"""
SELECT fault, count(*) AS count, (array_agg(file_no ORDER BY file_no, row_no))[1:20] AS files,
  (array_agg(row_no ORDER BY file_no, row_no))[1:20] AS rows
FROM {lines} WHERE fault IS NOT NULL GROUP BY fault ORDER BY fault""")  # noqa: S608


def doubled(lines: str) -> TextClause:
    """Line ids that occur more than once within the files."""
    return text(f"""
SELECT invoice, line_no, count(*) AS count FROM {lines} WHERE fault IS NULL AND line_no IS NOT NULL
GROUP BY invoice, line_no HAVING count(*) > 1 ORDER BY invoice, line_no LIMIT 100""")  # noqa: S608


def missing_dealers(lines: str) -> TextClause:
    """Dealer codes that do not exist (or lie outside the scope), with their lines. Parameters: everything, units."""
    return text(f"""
SELECT l.dealer_code AS code, count(*) AS count FROM {lines} l
WHERE l.fault IS NULL AND NOT EXISTS (
  SELECT 1 FROM dealer d WHERE d.code = l.dealer_code AND (:everything OR d.unit_id = ANY (cast(:units AS bigint[])))
) GROUP BY l.dealer_code ORDER BY 2 DESC, 1""")  # noqa: S608


def missing_products(lines: str) -> TextClause:
    """Product codes that do not exist, with their lines."""
    return text(f"""
SELECT l.product_code AS code, count(*) AS count FROM {lines} l
WHERE l.fault IS NULL AND NOT EXISTS (SELECT 1 FROM product p WHERE p.code = l.product_code)
GROUP BY l.product_code ORDER BY 2 DESC, 1""")  # noqa: S608


def months(lines: str) -> TextClause:
    """What the files hold per month, before anything is posted."""
    return text(f"""
SELECT to_char(dated_on, 'YYYY-MM') AS month, count(*) AS lines, count(DISTINCT invoice) AS invoices,
  coalesce(sum(amount) FILTER (WHERE kind = 's'), 0) AS charged,
  coalesce(sum(amount) FILTER (WHERE kind = 'r'), 0) AS credited,
  count(*) FILTER (WHERE kind = 'r') AS return_lines, count(*) FILTER (WHERE kind = 'a') AS adjustments
FROM {lines} WHERE fault IS NULL GROUP BY 1 ORDER BY 1""")  # noqa: S608


def batches(rows: str) -> TextClause:
    """How many batches there are."""
    return text(f"SELECT coalesce(max(batch_no) + 1, 0) FROM {rows}")  # noqa: S608
