"""Moves with the balances they change."""

from __future__ import annotations

from sqlalchemy import text

# Moves as arrays and releases of reserved quantity, netted per place.
# Changes balances and writes the moves, or answers why not: rows with ``missing`` (make the balance row and ask again)
# or with a shortage. New figures come from the locked rows, as a CHECK is asked before an UPDATE notices a row that was
# changed while it waited. Nothing is locked while a row is missing, so that making rows keeps the order of keys.
APPLY_MOVES = text(
    """
WITH wanted AS MATERIALIZED (
  SELECT n.location_id, n.product_id, n.lot_id, sum(n.delta) AS delta, sum(n.freed) AS freed, l.guarded
  FROM (
    SELECT f.id, f.product_id, f.lot_id, -f.qty, 0::numeric
    FROM unnest(CAST(:froms AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]),
                CAST(:qtys AS numeric[])) AS f(id, product_id, lot_id, qty)
    UNION ALL
    SELECT t.id, t.product_id, t.lot_id, t.qty, 0
    FROM unnest(CAST(:tos AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]), CAST(:qtys AS numeric[]))
      AS t(id, product_id, lot_id, qty)
    UNION ALL
    SELECT r.id, r.product_id, r.lot_id, 0, r.qty
    FROM unnest(CAST(:freed_locations AS bigint[]), CAST(:freed_products AS bigint[]), CAST(:freed_lots AS bigint[]),
                CAST(:freed_qtys AS numeric[])) AS r(id, product_id, lot_id, qty)
  ) AS n(location_id, product_id, lot_id, delta, freed)
  JOIN location l ON l.id = n.location_id AND l.counted
  GROUP BY n.location_id, n.product_id, n.lot_id, l.guarded
),
missing AS MATERIALIZED (
  SELECT w.location_id, w.product_id, w.lot_id FROM wanted w
  WHERE NOT EXISTS (SELECT 1 FROM stock_balance b WHERE b.location_id = w.location_id
                    AND b.product_id = w.product_id AND b.lot_id = w.lot_id)
),
locked AS MATERIALIZED (
  SELECT b.location_id, b.product_id, b.lot_id, b.on_hand, b.reserved
  FROM stock_balance b
  JOIN wanted w ON b.location_id = w.location_id AND b.product_id = w.product_id AND b.lot_id = w.lot_id
  WHERE NOT EXISTS (SELECT 1 FROM missing)
  ORDER BY b.location_id, b.product_id, b.lot_id
  FOR NO KEY UPDATE OF b
),
short AS MATERIALIZED (
  SELECT w.location_id, w.product_id, w.lot_id, -w.delta AS wanted, l.on_hand - l.reserved + w.freed AS available
  FROM wanted w JOIN locked l USING (location_id, product_id, lot_id)
  WHERE w.guarded AND l.on_hand + w.delta < l.reserved - w.freed
),
changed AS (
  UPDATE stock_balance b SET on_hand = l.on_hand + w.delta, reserved = l.reserved - w.freed
  FROM wanted w JOIN locked l USING (location_id, product_id, lot_id)
  WHERE b.location_id = l.location_id AND b.product_id = l.product_id AND b.lot_id = l.lot_id
    AND (w.delta <> 0 OR w.freed <> 0)
    AND NOT EXISTS (SELECT 1 FROM missing) AND NOT EXISTS (SELECT 1 FROM short)
),
moved AS (
  INSERT INTO stock_move (book, from_id, to_id, product_id, lot_id, qty, reason, occurred_on, document_kind,
                          document_id, line_id, corrects_id)
  SELECT :book, m.from_id, m.to_id, m.product_id, m.lot_id, m.qty, :reason, :occurred_on, :document_kind,
         :document_id, m.line_id, m.corrects_id
  FROM unnest(CAST(:froms AS bigint[]), CAST(:tos AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]),
              CAST(:qtys AS numeric[]), CAST(:lines AS bigint[]), CAST(:corrects AS bigint[])) WITH ORDINALITY
    AS m(from_id, to_id, product_id, lot_id, qty, line_id, corrects_id, position)
  WHERE NOT EXISTS (SELECT 1 FROM missing) AND NOT EXISTS (SELECT 1 FROM short)
  ORDER BY m.position
)
SELECT location_id, product_id, lot_id, NULL::numeric AS wanted, NULL::numeric AS available, true AS missing
FROM missing
UNION ALL
SELECT location_id, product_id, lot_id, wanted, available, false FROM short
ORDER BY 1, 2, 3
"""
)

# Balance rows at zero where there are none, in the order of keys; one that another transaction makes is waited for.
MAKE_BALANCES = text(
    """
INSERT INTO stock_balance (location_id, product_id, lot_id, guarded)
SELECT w.location_id, w.product_id, w.lot_id, l.guarded
FROM unnest(CAST(:locations AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]))
  AS w(location_id, product_id, lot_id)
JOIN location l ON l.id = w.location_id AND l.counted
ORDER BY w.location_id, w.product_id, w.lot_id
ON CONFLICT DO NOTHING
"""
)

# Balances of products at places and in a warehouse (0: none), and those of what a document holds, in the order of keys.
LOCK_BALANCES = text(
    """
WITH places AS MATERIALIZED (
  SELECT unnest(CAST(:locations AS bigint[])) AS id UNION SELECT id FROM location WHERE warehouse_id = :warehouse
),
wanted AS MATERIALIZED (
  SELECT b.location_id, b.product_id, b.lot_id FROM stock_balance b
  WHERE b.location_id IN (SELECT id FROM places) AND b.product_id = ANY(CAST(:products AS bigint[]))
  UNION
  SELECT location_id, product_id, lot_id FROM reservation
  WHERE document_kind = :kind AND document_id = :id AND state = 'held'
)
SELECT b.location_id, b.product_id, b.lot_id FROM stock_balance b JOIN wanted USING (location_id, product_id, lot_id)
ORDER BY b.location_id, b.product_id, b.lot_id FOR NO KEY UPDATE OF b
"""
)
