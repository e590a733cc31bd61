"""The bridge between business and financial stock (IL-04), read from documents. The unit was found in scope."""

from __future__ import annotations

from sqlalchemy import text

# Balances of a unit's places in both books as of a business date: kind, product, quantity.
PLACES_AS_OF = text(
    """
SELECT l.kind, m.product_id, sum(m.qty) AS qty
FROM location l
JOIN LATERAL (
  SELECT t.product_id, t.qty FROM stock_move t
  WHERE t.to_id = l.id AND t.occurred_on <= :on AND (CAST(:product_id AS bigint) IS NULL OR t.product_id = :product_id)
  UNION ALL
  SELECT f.product_id, -f.qty FROM stock_move f
  WHERE f.from_id = l.id AND f.occurred_on <= :on
    AND (CAST(:product_id AS bigint) IS NULL OR f.product_id = :product_id)
) m ON true
WHERE l.unit_id = :unit_id AND l.kind IN ('warehouse', 'transit', 'claims', 'owner')
GROUP BY l.kind, m.product_id HAVING sum(m.qty) <> 0
"""
)

# Goods of the owner outside his places, per document: delivered and not billed, billed and not yet signed for,
# returned and not yet credited. What was taken on moved in both books at once and counts only when it comes back.
CAUSES = text(
    """
WITH billed AS (
  SELECT il.shipment_line_id AS line_id, sum(il.qty) AS qty
  FROM invoice i JOIN invoice_line il ON il.invoice_id = i.id
  WHERE i.owner_unit_id = :unit_id AND NOT i.taken_on AND i.return_id IS NULL
    AND i.state IN ('issued', 'reversed') AND i.invoiced_on <= :on AND il.shipment_line_id IS NOT NULL
  GROUP BY il.shipment_line_id
),
back AS (
  SELECT rl.shipment_line_id AS line_id, sum(rl.unbilled_qty) AS qty
  FROM sales_return r JOIN sales_return_line rl ON rl.return_id = r.id
  WHERE r.state IN ('received', 'credited') AND NOT r.taken_on AND r.received_on <= :on
  GROUP BY rl.shipment_line_id
),
delivered AS (
  SELECT s.id, s.ownership, l.product_id,
         sum(CASE WHEN s.signed_on <= :on THEN l.signed_qty ELSE 0 END - coalesce(b.qty, 0) - coalesce(i.qty, 0)) AS qty
  FROM shipment s JOIN shipment_line l ON l.shipment_id = s.id JOIN product p ON p.id = l.product_id
  LEFT JOIN back b ON b.line_id = l.id LEFT JOIN billed i ON i.line_id = l.id
  WHERE s.owner_unit_id = :unit_id AND NOT s.taken_on AND s.shipped_on <= :on AND p.stocked
    AND (CAST(:product_id AS bigint) IS NULL OR l.product_id = :product_id)
  GROUP BY s.id, l.id
  HAVING sum(CASE WHEN s.signed_on <= :on THEN l.signed_qty ELSE 0 END - coalesce(b.qty, 0) - coalesce(i.qty, 0)) <> 0
),
credited AS (
  SELECT i.return_id, il.product_id, -sum(il.qty) AS qty
  FROM invoice i JOIN invoice_line il ON il.invoice_id = i.id
  WHERE i.owner_unit_id = :unit_id AND NOT i.taken_on AND i.return_id IS NOT NULL
    AND i.state IN ('issued', 'reversed') AND i.invoiced_on <= :on
  GROUP BY i.return_id, il.product_id
),
returned AS (
  SELECT r.id, rl.product_id, sum(rl.received_qty - rl.unbilled_qty) AS qty
  FROM sales_return r JOIN sales_return_line rl ON rl.return_id = r.id
  JOIN shipment_line l ON l.id = rl.shipment_line_id JOIN shipment s ON s.id = l.shipment_id
  JOIN product p ON p.id = rl.product_id
  WHERE s.owner_unit_id = :unit_id AND r.state IN ('received', 'credited') AND NOT r.taken_on AND r.received_on <= :on
    AND p.stocked AND (CAST(:product_id AS bigint) IS NULL OR rl.product_id = :product_id)
  GROUP BY r.id, rl.product_id
)
SELECT 'shipment' AS kind, id AS document_id, product_id, qty,
       CASE WHEN qty < 0 THEN 'ahead' WHEN ownership = 'consigned' THEN 'consigned' ELSE 'delivered' END AS cause
FROM delivered
UNION ALL
SELECT 'sales_return', r.id, r.product_id, coalesce(c.qty, 0) - r.qty, 'returned'
FROM returned r LEFT JOIN credited c ON c.return_id = r.id AND c.product_id = r.product_id
WHERE r.qty <> coalesce(c.qty, 0)
ORDER BY 2, 3
"""
)
