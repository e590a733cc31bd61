"""Set-based statements of dealers' stock. Dealers come from documents locked in scope; buckets are locked by id."""

from __future__ import annotations

from sqlalchemy import text

LOCK_BUCKETS = text(
    """
SELECT id, product_id, ownership, received_on, source_kind, source_line_id, remaining_qty
FROM stock_bucket
WHERE dealer_id = :dealer_id AND product_id = ANY(CAST(:products AS bigint[])) AND remaining_qty > 0
ORDER BY id FOR NO KEY UPDATE
"""
)

# Changes what is left of buckets (negative ``qtys`` put back) and writes the uses.
USE_BUCKETS = text(
    """
WITH uses AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:buckets AS bigint[]), CAST(:lines AS bigint[]), CAST(:qtys AS numeric[])) WITH ORDINALITY
    AS u(bucket_id, line_id, qty, position)
),
changed AS (
  UPDATE stock_bucket b SET remaining_qty = b.remaining_qty - n.qty
  FROM (SELECT bucket_id, sum(qty) AS qty FROM uses GROUP BY bucket_id) n WHERE b.id = n.bucket_id
)
INSERT INTO bucket_use (bucket_id, qty, document_kind, document_id, line_id, used_on)
SELECT bucket_id, qty, :kind, CAST(:id AS bigint), line_id, :used_on FROM uses ORDER BY position
"""
)

# What a document still uses of each bucket, the buckets locked by id.
LOCK_USES = text(
    """
WITH used AS MATERIALIZED (
  SELECT bucket_id, line_id, sum(qty) AS qty, min(id) AS first_id FROM bucket_use
  WHERE document_kind = :kind AND document_id = :id
    AND (CAST(:lines AS bigint[]) IS NULL OR line_id = ANY(CAST(:lines AS bigint[])))
  GROUP BY bucket_id, line_id HAVING sum(qty) > 0
),
locked AS MATERIALIZED (
  SELECT b.id FROM stock_bucket b WHERE b.id IN (SELECT bucket_id FROM used) ORDER BY b.id FOR NO KEY UPDATE
)
SELECT u.bucket_id, u.line_id, u.qty FROM used u JOIN locked l ON l.id = u.bucket_id ORDER BY u.first_id
"""
)

RECEIVE = text(
    """
INSERT INTO stock_bucket (unit_id, dealer_id, product_id, ownership, received_on, source_kind, source_line_id,
                          protected_price, qty, remaining_qty)
SELECT CAST(:unit_id AS bigint), CAST(:dealer_id AS bigint), r.product_id, r.ownership, r.received_on, r.source_kind,
       r.source_line_id, r.price, r.qty, r.qty
FROM unnest(CAST(:products AS bigint[]), CAST(:ownerships AS text[]), CAST(:days AS date[]), CAST(:kinds AS text[]),
            CAST(:lines AS bigint[]), CAST(:prices AS numeric[]), CAST(:qtys AS numeric[])) WITH ORDINALITY
  AS r(product_id, ownership, received_on, source_kind, source_line_id, price, qty, position)
ORDER BY r.position
RETURNING id
"""
)

# A dealer who moves to another branch takes his place and his goods along; ledger rows stay as they are.
MOVE_PLACE = text("UPDATE location SET unit_id = :unit_id WHERE dealer_id = :dealer_id")
MOVE_BUCKETS = text("UPDATE stock_bucket SET unit_id = :unit_id WHERE dealer_id = :dealer_id")

# For doctor: buckets whose remainder is not what was received less what was used.
WRONG_REMAINDERS = text(
    """
SELECT b.id, b.remaining_qty, b.qty - coalesce(u.qty, 0) AS expected
FROM stock_bucket b
LEFT JOIN (SELECT bucket_id, sum(qty) AS qty FROM bucket_use GROUP BY bucket_id) u ON u.bucket_id = b.id
WHERE b.remaining_qty <> b.qty - coalesce(u.qty, 0)
ORDER BY b.id LIMIT 20
"""
)

# For doctor: dealers whose stock differs from what their buckets hold.
WRONG_DEALER_STOCK = text(
    """
SELECT dealer_id, product_id, sum(stock) AS stock, sum(buckets) AS buckets
FROM (
  SELECT l.dealer_id, b.product_id, b.on_hand AS stock, 0 AS buckets
  FROM stock_balance b JOIN location l ON l.id = b.location_id WHERE l.kind = 'dealer'
  UNION ALL
  SELECT dealer_id, product_id, 0, remaining_qty FROM stock_bucket
) x
GROUP BY dealer_id, product_id HAVING sum(stock) <> sum(buckets)
ORDER BY dealer_id, product_id LIMIT 20
"""
)
