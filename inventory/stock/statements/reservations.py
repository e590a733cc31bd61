"""Stock held for lines: reserve, consume, release, expire."""

from __future__ import annotations

from sqlalchemy import text

# Holds stock for order lines, all or nothing: locks the balances, decides on the locked rows, raises ``reserved`` and
# writes the reservations; answers every shortage per product, nothing when all is held. New figures are taken from the
# locked rows: a CHECK looks at the new row before an UPDATE notices that its old row was changed while it waited.
RESERVE = text(
    """
WITH place AS MATERIALIZED (
  SELECT id FROM location WHERE warehouse_id = :warehouse_id
),
lines AS MATERIALIZED (
  SELECT line_id, product_id, qty
  FROM unnest(CAST(:lines AS bigint[]), CAST(:products AS bigint[]), CAST(:qtys AS numeric[]))
    AS l(line_id, product_id, qty)
),
wanted AS MATERIALIZED (
  SELECT product_id, sum(qty) AS qty FROM lines GROUP BY product_id
),
locked AS MATERIALIZED (
  SELECT b.location_id, b.product_id, b.lot_id, b.on_hand, b.reserved
  FROM stock_balance b JOIN place p ON b.location_id = p.id JOIN wanted w ON b.product_id = w.product_id
  WHERE b.lot_id = 0
  ORDER BY b.location_id, b.product_id, b.lot_id
  FOR NO KEY UPDATE OF b
),
short AS MATERIALIZED (
  SELECT w.product_id, w.qty AS wanted, coalesce(l.on_hand - l.reserved, 0) AS available
  FROM wanted w LEFT JOIN locked l USING (product_id)
  WHERE coalesce(l.on_hand - l.reserved, 0) < w.qty
),
changed AS (
  UPDATE stock_balance b SET on_hand = l.on_hand, reserved = l.reserved + w.qty
  FROM wanted w JOIN locked l USING (product_id)
  WHERE b.location_id = l.location_id AND b.product_id = l.product_id AND b.lot_id = l.lot_id
    AND NOT EXISTS (SELECT 1 FROM short)
),
held AS (
  INSERT INTO reservation (unit_id, location_id, product_id, lot_id, document_kind, document_id, line_id, qty,
                           expires_at)
  SELECT CAST(:unit_id AS bigint), p.id, l.product_id, 0, :document_kind, CAST(:document_id AS bigint),
         l.line_id, l.qty, CAST(:expires_at AS timestamptz)
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
  FROM unnest(CAST(:lines AS bigint[]), CAST(:locations AS bigint[]), CAST(:products AS bigint[]),
              CAST(:lots AS bigint[]), CAST(:qtys AS numeric[])) AS w(line_id, location_id, product_id, lot_id, qty)
  GROUP BY line_id, location_id, product_id, lot_id
) w
JOIN reservation o ON o.document_kind = :kind AND o.line_id = w.line_id AND o.state = 'held'
WHERE r.id = o.id AND r.state = 'held' AND r.location_id = w.location_id AND r.product_id = w.product_id
  AND r.lot_id = w.lot_id
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
  SELECT b.location_id, b.product_id, b.lot_id, b.on_hand, b.reserved, f.qty
  FROM stock_balance b JOIN freed f USING (location_id, product_id, lot_id)
  ORDER BY b.location_id, b.product_id, b.lot_id FOR NO KEY UPDATE OF b
),
changed AS (
  UPDATE stock_balance b SET on_hand = l.on_hand, reserved = l.reserved - l.qty FROM locked l
  WHERE b.location_id = l.location_id AND b.product_id = l.product_id AND b.lot_id = l.lot_id
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
  SELECT b.location_id, b.product_id, b.lot_id, b.on_hand, b.reserved, f.qty
  FROM stock_balance b JOIN freed f USING (location_id, product_id, lot_id)
  ORDER BY b.location_id, b.product_id, b.lot_id FOR NO KEY UPDATE OF b
),
changed AS (
  UPDATE stock_balance b SET on_hand = l.on_hand, reserved = l.reserved - l.qty FROM locked l
  WHERE b.location_id = l.location_id AND b.product_id = l.product_id AND b.lot_id = l.lot_id
)
UPDATE reservation SET qty = 0, state = 'expired' WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'held'
"""
)
