"""What doctor asks of money: every statement answers the offenders, nothing when the books are right. Whole network."""

from __future__ import annotations

from sqlalchemy import text

UNBALANCED = text(
    """
SELECT entry_id AS entry, unit_id AS unit, currency, sum(amount) AS left_over FROM entry_line
GROUP BY entry_id, unit_id, legal_entity_id, currency HAVING sum(amount) <> 0 ORDER BY entry_id LIMIT 50
"""
)
LINE_COUNT = text(
    """
SELECT e.id AS entry, e.line_count AS header, count(l.entry_id) AS lines
FROM entry e LEFT JOIN entry_line l ON l.entry_id = e.id
GROUP BY e.id HAVING count(l.entry_id) <> e.line_count ORDER BY e.id LIMIT 50
"""
)
PERIODS = text(
    """
SELECT e.id AS entry, e.period, e.posted_on FROM entry e JOIN period p ON p.code = e.period
WHERE e.posted_on NOT BETWEEN p.starts_on AND p.ends_on
UNION ALL
SELECT l.entry_id, e.period, l.posted_on FROM entry_line l JOIN entry e ON e.id = l.entry_id
WHERE l.posted_on <> e.posted_on
LIMIT 50
"""
)
INTER_UNIT = text(
    """
SELECT entry_id AS entry, least(unit_id, counter_unit_id) AS one, greatest(unit_id, counter_unit_id) AS other,
       sum(amount) AS left_over
FROM entry_line WHERE counter_unit_id IS NOT NULL
GROUP BY entry_id, 2, 3, currency HAVING sum(amount) <> 0
UNION ALL
SELECT l.entry_id, l.unit_id, NULL, l.amount FROM entry_line l JOIN account a ON a.code = l.account_code
WHERE a.inter_unit <> (l.counter_unit_id IS NOT NULL)
LIMIT 50
"""
)
TRIAL_BALANCE = text(
    """
SELECT unit_id AS unit, currency, sum(amount) AS left_over FROM entry_line
GROUP BY unit_id, currency HAVING sum(amount) <> 0 ORDER BY unit_id LIMIT 50
"""
)
CONTROL = text(
    """
SELECT coalesce(l.payer, i.payer) AS payer, coalesce(l.unit, i.unit) AS unit, l.amount AS ledger, i.amount AS items
FROM (SELECT dealer_id AS payer, unit_id AS unit, sum(amount) AS amount FROM entry_line
      WHERE account_code = :receivable GROUP BY dealer_id, unit_id) l
FULL JOIN (SELECT payer_id AS payer, unit_id AS unit, sum(amount) AS amount FROM open_item
           GROUP BY payer_id, unit_id) i ON i.payer = l.payer AND i.unit = l.unit
WHERE coalesce(l.amount, 0) <> coalesce(i.amount, 0) ORDER BY 1 LIMIT 50
"""
)
OPEN_AMOUNTS = text(
    """
SELECT i.id AS item, i.number, i.amount, i.open_amount, coalesce(a.settled, 0) AS settled
FROM open_item i LEFT JOIN (
  SELECT id, sum(amount) AS settled FROM (
    SELECT debit_item_id AS id, amount FROM allocation UNION ALL SELECT credit_item_id, -amount FROM allocation
  ) moved GROUP BY id
) a ON a.id = i.id
WHERE i.open_amount <> i.amount - coalesce(a.settled, 0) OR (i.open_amount = 0) <> (i.closed_on IS NOT NULL)
ORDER BY i.id LIMIT 50
"""
)
BUCKETS = text(
    """
SELECT coalesce(c.payer_id, i.payer_id) AS payer, c.items, i.items AS open_items, c.receipts,
       i.receipts AS open_receipts
FROM credit_account c FULL JOIN (
  SELECT payer_id, coalesce(sum(open_amount) FILTER (WHERE kind <> 'receipt'), 0) AS items,
         coalesce(-sum(open_amount) FILTER (WHERE kind = 'receipt' AND counted), 0) AS receipts
  FROM open_item WHERE open_amount <> 0 GROUP BY payer_id
) i ON i.payer_id = c.payer_id
WHERE coalesce(c.items, 0) <> coalesce(i.items, 0) OR coalesce(c.receipts, 0) <> coalesce(i.receipts, 0)
ORDER BY 1 LIMIT 50
"""
)
NUMBERS = text(
    """
WITH drawn AS (
  SELECT 'INV:' || legal_entity_id || ':' || extract(year FROM invoiced_on) AS series, legal_number FROM invoice
  WHERE state IN ('issued', 'reversed')
  UNION ALL
  SELECT 'REC:' || legal_entity_id || ':' || extract(year FROM received_on), legal_number FROM receipt
), counted AS (
  SELECT series, count(*) AS documents, count(legal_number) AS numbers,
         max(cast(substring(legal_number FROM '([0-9]+)$') AS bigint)) AS highest
  FROM drawn GROUP BY series
)
SELECT coalesce(d.series, c.series) AS series, d.documents, d.numbers, d.highest, c.last AS counter
FROM counted d FULL JOIN (SELECT * FROM number_counter WHERE series LIKE 'INV:%' OR series LIKE 'REC:%') c
  ON c.series = d.series
WHERE (d.documents, d.numbers, d.highest) IS DISTINCT FROM (c.last, c.last, c.last) ORDER BY 1 LIMIT 50
"""
)
INVOICES_POSTED = text(
    """
SELECT v.id AS invoice, v.number, v.state, v.gross, i.amount AS item, count(e.id) AS entries
FROM invoice v
LEFT JOIN open_item i ON i.document_kind = 'invoice' AND i.document_id = v.id
LEFT JOIN entry e ON e.document_kind = 'invoice' AND e.document_id = v.id
GROUP BY v.id, i.amount
HAVING CASE WHEN v.state IN ('issued', 'reversed') AND v.gross <> 0
  THEN i.amount IS DISTINCT FROM v.gross OR count(e.id) <> 1 OR v.legal_number IS NULL
  WHEN v.state IN ('issued', 'reversed') THEN i.amount IS NOT NULL OR count(e.id) > 1
  ELSE i.amount IS NOT NULL OR count(e.id) > 0 END
ORDER BY v.id LIMIT 50
"""
)
INVOICE_ENTRIES = text(
    """
SELECT v.id AS invoice, v.number, v.net, v.vat, v.cost, -e.revenue AS revenue, -e.vat AS posted_vat,
       e.cost AS posted_cost
FROM invoice v JOIN (
  SELECT h.document_id, coalesce(sum(l.amount) FILTER (WHERE l.account_code = :revenue), 0) AS revenue,
         coalesce(sum(l.amount) FILTER (WHERE l.account_code = :vat), 0) AS vat,
         coalesce(sum(l.amount) FILTER (WHERE l.account_code = :cost), 0) AS cost
  FROM entry h JOIN entry_line l ON l.entry_id = h.id WHERE h.document_kind = 'invoice' GROUP BY h.document_id
) e ON e.document_id = v.id
WHERE v.net <> -e.revenue OR v.vat <> -e.vat OR v.cost <> e.cost ORDER BY v.id LIMIT 50
"""
)
INVOICE_SUMS = text(
    """
SELECT v.id AS invoice, v.number, v.gross, sum(l.gross) AS lines
FROM invoice v JOIN invoice_line l ON l.invoice_id = v.id
GROUP BY v.id
HAVING v.gross <> sum(l.gross) OR v.net <> sum(l.net) OR v.vat <> sum(l.vat) OR v.gross <> v.net + v.vat
  OR (v.state IN ('issued', 'reversed') AND v.cost <> sum(l.cost))
ORDER BY v.id LIMIT 50
"""
)
RECEIPTS_POSTED = text(
    """
SELECT r.id AS receipt, r.number, r.state, r.amount, i.amount AS items, e.entries
FROM receipt r
LEFT JOIN (SELECT document_id, sum(amount) AS amount, count(*) AS rows FROM open_item WHERE document_kind = 'receipt'
           GROUP BY document_id) i ON i.document_id = r.id
LEFT JOIN (SELECT document_id, count(*) AS entries FROM entry WHERE document_kind = 'receipt' GROUP BY document_id) e
  ON e.document_id = r.id
WHERE CASE WHEN r.state = 'recorded'
  THEN i.amount IS DISTINCT FROM -r.amount OR i.rows <> 1 OR e.entries IS DISTINCT FROM 1
  ELSE i.amount IS DISTINCT FROM 0 OR i.rows <> 2 OR e.entries IS DISTINCT FROM 2 END
ORDER BY r.id LIMIT 50
"""
)
ADJUSTMENTS_POSTED = text(
    """
SELECT a.id AS adjustment, a.number, a.state, a.amount, i.amount AS item, e.id AS entry
FROM receivable_adjustment a
LEFT JOIN open_item i ON i.document_kind = 'receivable_adjustment' AND i.document_id = a.id
LEFT JOIN entry e ON e.document_kind = 'receivable_adjustment' AND e.document_id = a.id
WHERE CASE WHEN a.state = 'posted' THEN i.amount IS DISTINCT FROM a.amount OR e.id IS NULL
  ELSE i.id IS NOT NULL OR e.id IS NOT NULL END
ORDER BY a.id LIMIT 50
"""
)
BILLED = text(
    """
SELECT s.id AS shipment_line, s.invoiced_qty, coalesce(b.qty, 0) AS invoices
FROM shipment_line s LEFT JOIN (
  SELECT l.shipment_line_id AS id, sum(l.qty) AS qty FROM invoice_line l JOIN invoice v ON v.id = l.invoice_id
  WHERE v.state IN ('issued', 'reversed') AND v.return_id IS NULL AND l.shipment_line_id IS NOT NULL
  GROUP BY l.shipment_line_id
) b ON b.id = s.id
WHERE s.invoiced_qty <> coalesce(b.qty, 0) ORDER BY s.id LIMIT 50
"""
)
CREDITED = text(
    """
SELECT l.id AS invoice_line, l.qty, l.credited_qty, coalesce(r.qty, 0) AS red_lines
FROM invoice_line l LEFT JOIN (
  SELECT original_line_id AS id, -sum(qty) AS qty FROM invoice_line WHERE original_line_id IS NOT NULL GROUP BY 1
) r ON r.id = l.id
WHERE l.credited_qty <> coalesce(r.qty, 0) OR (l.qty > 0 AND l.credited_qty > l.qty) ORDER BY l.id LIMIT 50
"""
)
INVENTORY = text(
    """
SELECT coalesce(l.unit, v.unit) AS unit, l.amount AS ledger, v.amount AS carried
FROM (SELECT unit_id AS unit, sum(amount) AS amount FROM entry_line WHERE account_code = :inventory GROUP BY unit_id) l
FULL JOIN (SELECT unit_id AS unit, sum(value) AS amount FROM stock_value GROUP BY unit_id) v ON v.unit = l.unit
WHERE coalesce(l.amount, 0) <> coalesce(v.amount, 0) ORDER BY 1 LIMIT 50
"""
)
