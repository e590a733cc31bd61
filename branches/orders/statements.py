"""Set-based SQL of the hot path of orders: one statement per step whatever the number of lines.

They bypass the session's scope: the scope is a parameter, or ids come from an order already locked in scope.
"""

from __future__ import annotations

from sqlalchemy import text

# Everything an order needs to know of its dealer, warehouse and payer. Arrays are null where the scope does not narrow.
CONTEXT = text(
    """
SELECT d.id AS dealer_id, d.code AS dealer_code, d.name AS dealer_name, d.status AS dealer_status, d.block_reason,
  d.unit_id, coalesce(d.payer_id, d.id) AS payer_id, d.settlement_mode, d.term_days, d.address,
  w.id AS warehouse_id, w.name AS warehouse_name, w.unit_id AS warehouse_unit_id, w.active AS warehouse_active,
  due.amount AS overdue_amount, due.oldest AS overdue_since
FROM dealer d
LEFT JOIN warehouse w ON w.id = :warehouse_id
  AND (CAST(:warehouses AS bigint[]) IS NULL OR w.id = ANY(CAST(:warehouses AS bigint[])))
  AND (CAST(:units AS bigint[]) IS NULL OR CAST(:warehouses AS bigint[]) IS NOT NULL
       OR w.unit_id = ANY(CAST(:units AS bigint[])))
LEFT JOIN LATERAL (
  SELECT coalesce(sum(i.open_amount), 0) AS amount, min(i.due_on) AS oldest FROM open_item i
  WHERE i.payer_id = coalesce(d.payer_id, d.id) AND i.open_amount > 0 AND i.due_on < :today
) due ON true
WHERE d.id = :dealer_id
  AND (CAST(:units AS bigint[]) IS NULL OR d.unit_id = ANY(CAST(:units AS bigint[])))
  AND (CAST(:dealers AS bigint[]) IS NULL OR d.id = ANY(CAST(:dealers AS bigint[])))
"""
)

# The order with all its lines in one statement (lines as one JSON array: cheaper to send than thirteen arrays); no row
# when the UUID is taken. Answers one row per line, by number.
INSERT_ORDER = text(
    """
WITH made AS (
  INSERT INTO sales_order (uuid, unit_id, state, source, created_by_id, dealer_id, payer_id, warehouse_id, owner_unit_id,
    legal_entity_id, ordered_on, requested_on, settlement_mode, term_days, external_number, ship_to, note,
    gross, net, list_gross, cost, quotation_id, confirmed_at, confirmed_by_id)
  VALUES (:uuid, :unit_id, :state, :source, :created_by_id, :dealer_id, :payer_id, :warehouse_id, :owner_unit_id,
    :legal_entity_id, :ordered_on, :requested_on, :settlement_mode, :term_days, :external_number, :ship_to, :note,
    :gross, :net, :list_gross, :cost, :quotation_id, :confirmed_at, :confirmed_by_id)
  ON CONFLICT (uuid) DO NOTHING
  RETURNING id, number
), lines AS (
  INSERT INTO sales_order_line (order_id, line_no, product_id, entered_qty, entered_unit, qty, list_price, price,
    floor_price, supply_price, tax_rate, amount, explanation, price_reason)
  SELECT made.id, l.* FROM made, jsonb_to_recordset(CAST(:lines AS jsonb)) AS l(line_no int, product_id bigint,
    entered_qty numeric, entered_unit text, qty numeric, list_price numeric, price numeric, floor_price numeric,
    supply_price numeric, tax_rate numeric, amount numeric, explanation jsonb, price_reason text)
  RETURNING id, line_no
)
SELECT made.id AS order_id, made.number, lines.id AS line_id, lines.line_no FROM made, lines ORDER BY lines.line_no
"""
)

# Raises the counters of several lines at once (arrays of differences, in line order); the CHECKs refuse what cannot be.
RAISE_COUNTERS = text(
    """
UPDATE sales_order_line l SET cancelled_qty = l.cancelled_qty + c.cancelled, shipped_qty = l.shipped_qty + c.shipped,
  short_qty = l.short_qty + c.short, signed_qty = l.signed_qty + c.signed, returned_qty = l.returned_qty + c.returned,
  invoiced_qty = l.invoiced_qty + c.invoiced
FROM unnest(CAST(:lines AS bigint[]), CAST(:cancelled AS numeric[]), CAST(:shipped AS numeric[]), CAST(:short AS numeric[]),
  CAST(:signed AS numeric[]), CAST(:returned AS numeric[]), CAST(:invoiced AS numeric[]))
  AS c(line_id, cancelled, shipped, short, signed, returned, invoiced)
WHERE l.id = c.line_id
"""
)

# What is on picked, not yet sent shipments of an order, per order line.
PICKED = text(
    """
SELECT l.order_line_id, sum(l.qty) AS qty FROM shipment s JOIN shipment_line l ON l.shipment_id = s.id
WHERE s.order_id = :order_id AND s.state = 'picked' AND l.order_line_id IS NOT NULL GROUP BY l.order_line_id
"""
)

PICKED_NUMBER = text("SELECT number FROM shipment WHERE order_id = :order_id AND state = 'picked' ORDER BY id LIMIT 1")

# Delivered lines as a return needs them: what was signed, came back, is on other open returns, was billed and credited.
DELIVERED = text(
    """
SELECT l.id AS shipment_line_id, l.shipment_id, s.number AS shipment_number, s.dealer_id, s.unit_id, s.owner_unit_id,
  s.warehouse_id, s.order_id, s.state, s.ownership, s.signed_on, l.order_line_id, l.product_id, l.qty, l.signed_qty,
  l.returned_qty, l.invoiced_qty, l.price, l.amount, l.tax_rate,
  coalesce(p.pending, 0) AS pending, coalesce(u.unbilled, 0) AS unbilled_returned, coalesce(c.credited, 0) AS credited
FROM shipment_line l JOIN shipment s ON s.id = l.shipment_id
LEFT JOIN LATERAL (
  SELECT sum(r.qty) AS pending FROM sales_return_line r JOIN sales_return t ON t.id = r.return_id
  WHERE r.shipment_line_id = l.id AND t.state IN ('requested', 'approved') AND t.id IS DISTINCT FROM CAST(:not_return AS bigint)
) p ON true
LEFT JOIN LATERAL (
  SELECT sum(r.unbilled_qty) AS unbilled FROM sales_return_line r JOIN sales_return t ON t.id = r.return_id
  WHERE r.shipment_line_id = l.id AND t.state IN ('received', 'credited')
) u ON true
LEFT JOIN LATERAL (
  SELECT -sum(i.qty) AS credited FROM invoice_line i JOIN invoice v ON v.id = i.invoice_id
  WHERE i.shipment_line_id = l.id AND v.invoice_kind = 'red' AND v.return_id IS NOT NULL AND v.state = 'issued'
) c ON true
WHERE l.id = ANY(CAST(:lines AS bigint[]))
  AND (CAST(:units AS bigint[]) IS NULL OR s.unit_id = ANY(CAST(:units AS bigint[])))
ORDER BY l.id
"""
)

RAISE_RETURNED = text(
    """
UPDATE shipment_line l SET returned_qty = l.returned_qty + r.qty
FROM (SELECT line_id, sum(qty) AS qty FROM unnest(CAST(:lines AS bigint[]), CAST(:qtys AS numeric[])) AS n(line_id, qty)
      GROUP BY line_id) r
WHERE l.id = r.line_id
"""
)

# Held orders that may go on now: of a payer (credit, overdue) or of a warehouse (shortage, not the expired ones), oldest first.
TO_RECHECK = text(
    """
SELECT o.id, o.unit_id FROM sales_order o
WHERE o.state = 'held' AND (CAST(:payer_id AS bigint) IS NULL OR o.payer_id = CAST(:payer_id AS bigint))
  AND (CAST(:warehouse_id AS bigint) IS NULL OR o.warehouse_id = CAST(:warehouse_id AS bigint))
  AND EXISTS (SELECT 1 FROM order_hold h WHERE h.order_id = o.id AND h.state = 'open' AND h.kind = ANY(CAST(:kinds AS text[]))
              AND NOT coalesce((h.figures->>'expired')::boolean, false))
ORDER BY o.id LIMIT 500
"""
)

# Orders whose invoices are all paid.
CLOSE_PAID = text(
    """
WITH paid AS (
  SELECT o.id FROM sales_order o
  WHERE o.state = 'invoiced' AND NOT EXISTS (
    SELECT 1 FROM sales_order_line ol JOIN invoice_line il ON il.order_line_id = ol.id
    JOIN open_item i ON i.document_kind = 'invoice' AND i.document_id = il.invoice_id
    WHERE ol.order_id = o.id AND i.open_amount > 0)
  ORDER BY o.id LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE sales_order o SET state = 'closed', version = o.version + 1 FROM paid WHERE o.id = paid.id
RETURNING o.id, o.unit_id
"""
)

# Closed orders of which an invoice became open again, by an undone allocation or a reversed receipt.
REOPEN_UNPAID = text(
    """
WITH unpaid AS (
  SELECT o.id FROM sales_order o
  WHERE o.state = 'closed' AND EXISTS (
    SELECT 1 FROM open_item i JOIN invoice_line il ON il.invoice_id = i.document_id
    JOIN sales_order_line ol ON ol.id = il.order_line_id
    WHERE ol.order_id = o.id AND i.document_kind = 'invoice' AND i.open_amount > 0)
  ORDER BY o.id LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE sales_order o SET state = 'invoiced', version = o.version + 1 FROM unpaid WHERE o.id = unpaid.id
RETURNING o.id, o.unit_id
"""
)

# --- for doctor -------------------------------------------------------------------------------------------------------

# Counters of order lines against what shipments, returns and invoices say.
WRONG_COUNTERS = text(
    """
WITH moved AS (
  SELECT l.order_line_id AS id, sum(l.qty) FILTER (WHERE s.state IN ('shipped', 'signed')) AS shipped,
    sum(l.short_qty + l.refused_qty) AS short, sum(l.signed_qty) AS signed
  FROM shipment_line l JOIN shipment s ON s.id = l.shipment_id WHERE l.order_line_id IS NOT NULL GROUP BY l.order_line_id
), back AS (
  SELECT l.order_line_id AS id, sum(r.unbilled_qty) AS returned
  FROM sales_return_line r JOIN sales_return t ON t.id = r.return_id JOIN shipment_line l ON l.id = r.shipment_line_id
  WHERE t.state IN ('received', 'credited') AND l.order_line_id IS NOT NULL GROUP BY l.order_line_id
), billed AS (
  SELECT i.order_line_id AS id, sum(i.qty) AS invoiced
  FROM invoice_line i JOIN invoice v ON v.id = i.invoice_id
  WHERE i.order_line_id IS NOT NULL
    AND ((v.invoice_kind = 'blue' AND v.state IN ('issued', 'reversed'))
         OR (v.invoice_kind = 'red' AND v.state = 'issued' AND v.return_id IS NULL))
  GROUP BY i.order_line_id
)
SELECT o.number, l.line_no
FROM sales_order_line l JOIN sales_order o ON o.id = l.order_id
LEFT JOIN moved ON moved.id = l.id LEFT JOIN back ON back.id = l.id LEFT JOIN billed ON billed.id = l.id
WHERE l.shipped_qty <> coalesce(moved.shipped, 0) OR l.short_qty <> coalesce(moved.short, 0)
  OR l.signed_qty <> coalesce(moved.signed, 0) OR l.returned_qty <> coalesce(back.returned, 0)
  OR l.invoiced_qty <> coalesce(billed.invoiced, 0)
ORDER BY o.id, l.line_no LIMIT 20
"""
)

# Lines that have anything in open, shipped or consigned; the amounts are recomputed by the rules.
LINES_IN_EXPOSURE = text(
    """
SELECT o.payer_id, o.state, o.settlement_mode, l.qty, l.amount, l.cancelled_qty, l.shipped_qty, l.short_qty,
  l.returned_qty, l.listed_qty, l.invoiced_qty
FROM sales_order_line l JOIN sales_order o ON o.id = l.order_id
WHERE l.qty - l.cancelled_qty > greatest(l.shipped_qty - l.short_qty, l.invoiced_qty)
  OR l.shipped_qty - l.short_qty > l.returned_qty + l.invoiced_qty
  OR o.settlement_mode = 'consignment'
"""
)

CREDIT_BUCKETS = text("SELECT payer_id, open_orders, shipped, consigned FROM credit_account")

# Reservations against the open quantity of stocked lines: held for confirmed orders, nothing for the others.
WRONG_RESERVATIONS = text(
    """
SELECT o.number, l.line_no, coalesce(r.qty, 0) AS held
FROM sales_order_line l JOIN sales_order o ON o.id = l.order_id JOIN product p ON p.id = l.product_id
LEFT JOIN (SELECT line_id, sum(qty) AS qty FROM reservation WHERE document_kind = 'sales_order' AND state = 'held'
           GROUP BY line_id) r ON r.line_id = l.id
WHERE coalesce(r.qty, 0) <> CASE WHEN p.stocked AND o.state IN ('confirmed', 'part_shipped')
  THEN l.qty - l.cancelled_qty - l.shipped_qty + l.short_qty ELSE 0 END
ORDER BY o.id, l.line_no LIMIT 20
"""
)

# Reservations of lines that are no more.
LOST_RESERVATIONS = text(
    """
SELECT r.document_id, r.line_id FROM reservation r
WHERE r.document_kind = 'sales_order' AND r.state = 'held'
  AND NOT EXISTS (SELECT 1 FROM sales_order_line l WHERE l.id = r.line_id AND l.order_id = r.document_id)
ORDER BY r.id LIMIT 20
"""
)

# States against quantities (the holds have a check of their own).
WRONG_STATES = text(
    """
SELECT number, state, expected FROM (
  SELECT o.id, o.number, o.state, CASE
    WHEN sum(l.shipped_qty - l.short_qty) = 0 THEN
      CASE WHEN sum(l.qty - l.cancelled_qty - l.shipped_qty + l.short_qty) > 0 THEN 'confirmed' ELSE 'cancelled' END
    WHEN sum(l.qty - l.cancelled_qty - l.shipped_qty + l.short_qty) > 0 THEN 'part_shipped'
    WHEN bool_and(l.shipped_qty - l.short_qty - l.returned_qty <= l.invoiced_qty) THEN 'invoiced'
    WHEN bool_or(l.cancelled_qty > 0) THEN 'short_closed' ELSE 'shipped' END AS expected
  FROM sales_order o JOIN sales_order_line l ON l.order_id = o.id
  WHERE o.state NOT IN ('held', 'submitted') GROUP BY o.id
) x
WHERE state <> expected AND NOT (state = 'closed' AND expected = 'invoiced')
ORDER BY id LIMIT 20
"""
)

WRONG_HOLDS = text(
    """
SELECT o.number, o.state FROM sales_order o
WHERE (o.state = 'held') <> EXISTS (SELECT 1 FROM order_hold h WHERE h.order_id = o.id AND h.state = 'open')
ORDER BY o.id LIMIT 20
"""
)

# An open hold waits for somebody: its work item is open.
HOLDS_WITHOUT_ITEM = text(
    """
SELECT o.number, h.kind FROM order_hold h JOIN sales_order o ON o.id = h.order_id
WHERE h.state = 'open' AND NOT EXISTS (SELECT 1 FROM work_item w WHERE w.key = 'order_hold:' || o.id || ':' || h.kind
  AND w.state IN ('open', 'acknowledged'))
ORDER BY o.id LIMIT 20
"""
)

WRONG_TOTALS = text(
    """
SELECT o.number FROM sales_order o JOIN (SELECT order_id, sum(amount) AS amount FROM sales_order_line GROUP BY order_id) l
  ON l.order_id = o.id
WHERE o.gross <> l.amount ORDER BY o.id LIMIT 20
"""
)

WRONG_RETURNED = text(
    """
SELECT s.number, l.line_no FROM shipment_line l JOIN shipment s ON s.id = l.shipment_id
LEFT JOIN (SELECT r.shipment_line_id, sum(r.received_qty) AS qty FROM sales_return_line r
           JOIN sales_return t ON t.id = r.return_id WHERE t.state IN ('received', 'credited')
           GROUP BY r.shipment_line_id) b ON b.shipment_line_id = l.id
WHERE l.returned_qty <> coalesce(b.qty, 0) ORDER BY s.id, l.line_no LIMIT 20
"""
)
