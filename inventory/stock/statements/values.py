"""Carrying values and their moves."""

from __future__ import annotations

from sqlalchemy import text

# Carrying values, locked by (unit, product); answers ``missing`` rows first and locks nothing while there are any.
LOCK_VALUES = text(
    """
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT unit_id, product_id
  FROM unnest(CAST(:units AS bigint[]), CAST(:products AS bigint[])) AS w(unit_id, product_id)
),
missing AS MATERIALIZED (
  SELECT w.unit_id, w.product_id FROM wanted w
  WHERE NOT EXISTS (SELECT 1 FROM stock_value v WHERE v.unit_id = w.unit_id AND v.product_id = w.product_id)
),
locked AS MATERIALIZED (
  SELECT v.unit_id, v.product_id, v.qty, v.value FROM stock_value v JOIN wanted w USING (unit_id, product_id)
  WHERE NOT EXISTS (SELECT 1 FROM missing)
  ORDER BY v.unit_id, v.product_id FOR NO KEY UPDATE OF v
)
SELECT unit_id, product_id, qty, value, false AS missing FROM locked
UNION ALL SELECT unit_id, product_id, NULL, NULL, true FROM missing
"""
)

MAKE_VALUES = text(
    """
INSERT INTO stock_value (unit_id, product_id)
SELECT unit_id, product_id FROM unnest(CAST(:units AS bigint[]), CAST(:products AS bigint[])) AS w(unit_id, product_id)
ORDER BY unit_id, product_id
ON CONFLICT DO NOTHING
"""
)

WRITE_VALUES = text(
    """
WITH moves AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:products AS bigint[]), CAST(:qtys AS numeric[]),
                       CAST(:values AS numeric[]), CAST(:lines AS bigint[])) WITH ORDINALITY
    AS m(unit_id, product_id, qty, value, line_id, position)
),
changed AS (
  UPDATE stock_value v SET qty = v.qty + n.qty, value = v.value + n.value
  FROM (SELECT unit_id, product_id, sum(qty) AS qty, sum(value) AS value FROM moves GROUP BY unit_id, product_id) n
  WHERE v.unit_id = n.unit_id AND v.product_id = n.product_id
)
INSERT INTO stock_value_move (unit_id, product_id, qty, value, occurred_on, document_kind, document_id, line_id)
SELECT unit_id, product_id, qty, value, :occurred_on, :document_kind, :document_id, line_id FROM moves ORDER BY position
"""
)
