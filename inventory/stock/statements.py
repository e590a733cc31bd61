"""Set-based statements of the stock ledger: one per step whatever the number of lines.

They bypass the session's scope. Callers pass ids of places that belong to documents already locked in scope.
Balances are locked in the order (location, product, lot); the rows read for the decision are the locked ones, and a
statement that finds any shortage changes nothing and answers all of them.
"""

from __future__ import annotations

from sqlalchemy import text

# Locations by what they stand for: arrays books, kinds, refs (unit, warehouse or dealer id; 0 outside).
FIND_LOCATIONS = text(
    """
SELECT l.id, l.book, l.kind, w.ref
FROM unnest(CAST(:books AS text[]), CAST(:kinds AS text[]), CAST(:refs AS bigint[])) AS w(book, kind, ref)
JOIN location l ON l.book = w.book AND l.kind = w.kind AND CASE
  WHEN w.kind = 'warehouse' THEN l.warehouse_id = w.ref
  WHEN w.kind = 'dealer' THEN l.dealer_id = w.ref
  WHEN w.ref = 0 THEN l.unit_id IS NULL AND l.warehouse_id IS NULL AND l.dealer_id IS NULL
  ELSE l.unit_id = w.ref AND l.warehouse_id IS NULL AND l.dealer_id IS NULL END
"""
)

MAKE_LOCATIONS = text(
    """
INSERT INTO location (book, kind, unit_id, warehouse_id, dealer_id, counted, guarded)
SELECT w.book, w.kind, coalesce(h.unit_id, d.unit_id, u.id), h.id, d.id, w.counted, w.guarded
FROM unnest(CAST(:books AS text[]), CAST(:kinds AS text[]), CAST(:refs AS bigint[]),
            CAST(:counted AS boolean[]), CAST(:guarded AS boolean[])) AS w(book, kind, ref, counted, guarded)
LEFT JOIN warehouse h ON w.kind = 'warehouse' AND h.id = w.ref
LEFT JOIN dealer d ON w.kind = 'dealer' AND d.id = w.ref
LEFT JOIN unit u ON w.kind NOT IN ('warehouse', 'dealer') AND u.id = w.ref
WHERE w.ref = 0 OR coalesce(h.id, d.id, u.id) IS NOT NULL
ORDER BY w.book, w.kind, w.ref
ON CONFLICT DO NOTHING
"""
)

# Moves as arrays and releases of reserved quantity, netted per place; used by the two statements below.
_NET = """
wanted AS MATERIALIZED (
  SELECT n.location_id, n.product_id, n.lot_id, sum(n.delta) AS delta, sum(n.freed) AS freed, l.guarded
  FROM (
    SELECT f.id, f.product_id, f.lot_id, -f.qty, 0::numeric
    FROM unnest(CAST(:froms AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]), CAST(:qtys AS numeric[]))
      AS f(id, product_id, lot_id, qty)
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
)
"""

# Changes balances and writes the moves, or answers why not: rows with ``missing`` (make the balance row and ask again)
# or with a shortage. Nothing is locked while a row is missing, so that making rows keeps the order of keys.
APPLY_MOVES = text(
    f"""
WITH {_NET},
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
  UPDATE stock_balance b SET on_hand = b.on_hand + w.delta, reserved = b.reserved - w.freed
  FROM wanted w
  WHERE b.location_id = w.location_id AND b.product_id = w.product_id AND b.lot_id = w.lot_id
    AND (w.delta <> 0 OR w.freed <> 0)
    AND NOT EXISTS (SELECT 1 FROM missing) AND NOT EXISTS (SELECT 1 FROM short)
),
moved AS (
  INSERT INTO stock_move (book, from_id, to_id, product_id, lot_id, qty, reason, occurred_on, document_kind, document_id,
                          line_id, corrects_id)
  SELECT :book, m.from_id, m.to_id, m.product_id, m.lot_id, m.qty, :reason, :occurred_on, :document_kind, :document_id,
         m.line_id, m.corrects_id
  FROM unnest(CAST(:froms AS bigint[]), CAST(:tos AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]),
              CAST(:qtys AS numeric[]), CAST(:lines AS bigint[]), CAST(:corrects AS bigint[])) WITH ORDINALITY
    AS m(from_id, to_id, product_id, lot_id, qty, line_id, corrects_id, position)
  WHERE NOT EXISTS (SELECT 1 FROM missing) AND NOT EXISTS (SELECT 1 FROM short)
  ORDER BY m.position
)
SELECT location_id, product_id, lot_id, NULL::numeric AS wanted, NULL::numeric AS available, true AS missing FROM missing
UNION ALL
SELECT location_id, product_id, lot_id, wanted, available, false FROM short
ORDER BY 1, 2, 3
"""
)

# Balance rows at zero where there are none, in the order of keys; a row another transaction makes just now is waited for.
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

# Holds stock for order lines, all or nothing: locks the balances, decides on the locked rows, raises ``reserved`` and
# writes the reservations; answers every shortage per product, nothing when all is held.
RESERVE = text(
    """
WITH place AS MATERIALIZED (
  SELECT id FROM location WHERE warehouse_id = :warehouse_id
),
lines AS MATERIALIZED (
  SELECT line_id, product_id, qty
  FROM unnest(CAST(:lines AS bigint[]), CAST(:products AS bigint[]), CAST(:qtys AS numeric[])) AS l(line_id, product_id, qty)
),
wanted AS MATERIALIZED (
  SELECT product_id, sum(qty) AS qty FROM lines GROUP BY product_id
),
locked AS MATERIALIZED (
  SELECT b.product_id, b.on_hand - b.reserved AS available
  FROM stock_balance b JOIN place p ON b.location_id = p.id JOIN wanted w ON b.product_id = w.product_id
  WHERE b.lot_id = 0
  ORDER BY b.location_id, b.product_id, b.lot_id
  FOR NO KEY UPDATE OF b
),
short AS MATERIALIZED (
  SELECT w.product_id, w.qty AS wanted, coalesce(l.available, 0) AS available
  FROM wanted w LEFT JOIN locked l USING (product_id)
  WHERE coalesce(l.available, 0) < w.qty
),
changed AS (
  UPDATE stock_balance b SET reserved = b.reserved + w.qty
  FROM wanted w, place p
  WHERE b.location_id = p.id AND b.product_id = w.product_id AND b.lot_id = 0 AND NOT EXISTS (SELECT 1 FROM short)
),
held AS (
  INSERT INTO reservation (unit_id, location_id, product_id, lot_id, document_kind, document_id, line_id, qty, expires_at)
  SELECT CAST(:unit_id AS bigint), p.id, l.product_id, 0, :document_kind, CAST(:document_id AS bigint), l.line_id, l.qty, CAST(:expires_at AS timestamptz)
  FROM lines l, place p WHERE NOT EXISTS (SELECT 1 FROM short)
)
SELECT product_id, wanted, available FROM short ORDER BY product_id
"""
)

# Takes what moves of picked lines need out of their reservations; answers what was taken per place.
CONSUME = text(
    """
UPDATE reservation r
SET qty = r.qty - least(r.qty, w.qty), state = CASE WHEN r.qty <= w.qty THEN 'consumed' ELSE 'held' END
FROM (
  SELECT line_id, location_id, product_id, lot_id, sum(qty) AS qty
  FROM unnest(CAST(:lines AS bigint[]), CAST(:locations AS bigint[]), CAST(:products AS bigint[]), CAST(:lots AS bigint[]),
              CAST(:qtys AS numeric[])) AS w(line_id, location_id, product_id, lot_id, qty)
  GROUP BY line_id, location_id, product_id, lot_id
) w
JOIN reservation o ON o.document_kind = :kind AND o.line_id = w.line_id AND o.state = 'held'
WHERE r.id = o.id AND r.state = 'held' AND r.location_id = w.location_id AND r.product_id = w.product_id AND r.lot_id = w.lot_id
RETURNING r.location_id, r.product_id, r.lot_id, o.qty - r.qty AS taken
"""
)

# Ends reservations of one document (all lines, or those given); the freed quantity goes back to available.
RELEASE = text(
    """
WITH ended AS MATERIALIZED (
  SELECT id, location_id, product_id, lot_id, qty FROM reservation
  WHERE document_kind = :kind AND document_id = :id AND state = 'held'
    AND (CAST(:lines AS bigint[]) IS NULL OR line_id = ANY(CAST(:lines AS bigint[])))
  ORDER BY id FOR NO KEY UPDATE
),
freed AS MATERIALIZED (
  SELECT location_id, product_id, lot_id, sum(qty) AS qty FROM ended GROUP BY location_id, product_id, lot_id
),
locked AS MATERIALIZED (
  SELECT b.location_id FROM stock_balance b JOIN freed f USING (location_id, product_id, lot_id)
  ORDER BY b.location_id, b.product_id, b.lot_id FOR NO KEY UPDATE OF b
),
changed AS (
  UPDATE stock_balance b SET reserved = b.reserved - f.qty FROM freed f
  WHERE b.location_id = f.location_id AND b.product_id = f.product_id AND b.lot_id = f.lot_id
    AND (SELECT count(*) FROM locked) >= 0
),
closed AS (
  UPDATE reservation r SET qty = 0, state = :state FROM ended e WHERE r.id = e.id
)
SELECT product_id, sum(qty) AS qty FROM freed GROUP BY product_id
"""
)

# Documents with expired reservations, their rows locked; rows another transaction works on are left for the next run.
EXPIRED = text(
    """
SELECT id, document_kind, document_id, unit_id, line_id FROM reservation
WHERE state = 'held' AND expires_at IS NOT NULL AND expires_at <= :now
ORDER BY expires_at, id LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED
"""
)

END_EXPIRED = text(
    """
WITH freed AS MATERIALIZED (
  SELECT location_id, product_id, lot_id, sum(qty) AS qty FROM reservation
  WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'held' GROUP BY location_id, product_id, lot_id
),
locked AS MATERIALIZED (
  SELECT b.location_id FROM stock_balance b JOIN freed f USING (location_id, product_id, lot_id)
  ORDER BY b.location_id, b.product_id, b.lot_id FOR NO KEY UPDATE OF b
),
changed AS (
  UPDATE stock_balance b SET reserved = b.reserved - f.qty FROM freed f
  WHERE b.location_id = f.location_id AND b.product_id = f.product_id AND b.lot_id = f.lot_id
    AND (SELECT count(*) FROM locked) >= 0
)
UPDATE reservation SET qty = 0, state = 'expired' WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'held'
"""
)

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
