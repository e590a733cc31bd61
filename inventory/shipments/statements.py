"""Set-based statements of shipments. The shipment was locked in scope by the caller."""

from __future__ import annotations

from sqlalchemy import text

WRITE_SIGNATURE = text(
    """
UPDATE shipment_line l SET signed_qty = s.signed, short_qty = s.short, refused_qty = s.refused
FROM unnest(CAST(:ids AS bigint[]), CAST(:signed AS numeric[]), CAST(:short AS numeric[]), CAST(:refused AS numeric[]))
  AS s(id, signed, short, refused)
WHERE l.id = s.id
"""
)

# For doctor: per owner and product, what is in transit against the lines that were shipped and not signed.
WRONG_TRANSIT = text(
    """
SELECT unit_id, product_id, sum(stock) AS stock, sum(lines) AS lines
FROM (
  SELECT l.unit_id, b.product_id, b.on_hand AS stock, 0 AS lines
  FROM stock_balance b JOIN location l ON l.id = b.location_id WHERE l.kind = 'transit'
  UNION ALL
  SELECT s.owner_unit_id, l.product_id, 0, l.qty
  FROM shipment s JOIN shipment_line l ON l.shipment_id = s.id JOIN product p ON p.id = l.product_id
  WHERE s.state = 'shipped' AND p.stocked AND s.warehouse_id IS NOT NULL
) x
GROUP BY unit_id, product_id HAVING sum(stock) <> sum(lines)
ORDER BY unit_id, product_id LIMIT 20
"""
)

# For doctor: signed shipments whose lines do not add up.
WRONG_SIGNATURES = text(
    """
SELECT s.number, l.line_no, l.qty, l.signed_qty, l.short_qty, l.refused_qty
FROM shipment s JOIN shipment_line l ON l.shipment_id = s.id
WHERE (s.state = 'signed' AND l.signed_qty + l.short_qty + l.refused_qty <> l.qty)
   OR (s.state <> 'signed' AND l.signed_qty + l.short_qty + l.refused_qty <> 0)
ORDER BY s.id, l.line_no LIMIT 20
"""
)
