"""Rows of an import: what an empty cell means for a column."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Boolean, Column, Integer, Numeric, String

from sdm.kernel.upsert import blank


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        (Column("a", Integer, nullable=True, server_default="3"), None),
        (Column("a", Integer, nullable=False, default=7, server_default="3"), 7),
        (Column("a", Integer, nullable=False, server_default="3"), 3),
        (Column("a", Numeric, nullable=False, server_default="0.13"), Decimal("0.13")),
        (Column("a", Boolean, nullable=False, server_default="true"), True),
        (Column("a", Boolean, nullable=False, server_default="false"), False),
        (Column("a", String, nullable=False), ""),
    ],
)
def test_an_empty_cell_means_the_default_of_the_column(column: Column[object], meaning: object) -> None:
    assert blank(column) == meaning


def test_an_empty_cell_of_a_column_without_default_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be empty"):
        blank(Column("a", Integer, nullable=False))
