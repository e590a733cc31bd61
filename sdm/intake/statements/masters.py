"""What files tell about dealers, products and branches: one row per code, the first that says something wins."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import TextClause, text


def told(raw: str, key: int, columns: Mapping[str, int], float_tail: bool = False) -> TextClause:
    """One row per code of column ``key``: ``code`` and each of ``columns`` with its first non-empty cell."""
    code = f"left(nullif(btrim(c{key:d}), ''), 64)"
    if float_tail:
        code = f"regexp_replace({code}, '\\.0+$', '')"
    cells = ", ".join(
        f"(array_agg(btrim(c{position:d}) ORDER BY row_no) FILTER (WHERE btrim(c{position:d}) <> ''))[1] AS {name}"
        for name, position in columns.items()
    )
    listed = f", {cells}" if cells else ""
    return text(f"SELECT {code} AS code{listed} FROM {raw} WHERE nullif(btrim(c{key:d}), '') IS NOT NULL GROUP BY 1")  # noqa: S608


def collective(raw: str, dealer: int, branch: int | None) -> TextClause:
    """The branches (NULL without a column) of the lines that name no dealer."""
    column = f"nullif(left(btrim(c{branch:d}), 200), '')" if branch else "NULL::text"
    return text(f"SELECT DISTINCT {column} AS branch FROM {raw} WHERE nullif(btrim(c{dealer:d}), '') IS NULL")  # noqa: S608


OPEN_ACCOUNTS = text(
    """
INSERT INTO credit_account (payer_id, unit_id)
SELECT id, unit_id FROM dealer WHERE id = ANY (cast(:ids AS bigint[])) ORDER BY id ON CONFLICT (payer_id) DO NOTHING
"""
)
KNOWN_DEALERS = text("SELECT code FROM dealer WHERE code = ANY (cast(:codes AS text[]))")
KNOWN_PRODUCTS = text("SELECT code FROM product WHERE code = ANY (cast(:codes AS text[]))")
KNOWN_BARCODES = text("SELECT code FROM barcode WHERE code = ANY (cast(:codes AS text[]))")
KNOWN_CATEGORIES = text("SELECT name, code, id FROM product_category")
KNOWN_UNITS = text("SELECT code, id, kind FROM unit")
