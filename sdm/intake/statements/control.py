"""Computed counterparts of entered control totals, within a scope."""

from __future__ import annotations

from sqlalchemy import text

# Grain of every figure: month, unit, dealer. Documents count by their external numbers.
COMPUTE = text(
    """
WITH wanted AS (
  SELECT id, measure, month, of_unit_id, dealer_id FROM control_total
  WHERE :everything OR unit_id = ANY (cast(:units AS bigint[]))
), needed AS (
  SELECT coalesce(bool_or(measure IN ('sales', 'charged', 'credited', 'documents')), false) AS invoices,
    coalesce(bool_or(measure IN ('lines', 'qty', 'return_lines')), false) AS lines,
    coalesce(bool_or(measure IN ('receivable', 'opening_receivable')), false) AS items,
    coalesce(bool_or(measure IN ('stock_qty', 'stock_value')), false) AS stock
  FROM wanted
), billed AS (
  SELECT date_trunc('month', i.invoiced_on)::date AS month, i.unit_id, i.dealer_id, i.id, i.invoice_kind, i.gross,
    i.external_number
  FROM invoice i
  WHERE i.taken_on AND i.state = 'issued' AND (SELECT invoices OR lines FROM needed)
    AND (:everything OR i.unit_id = ANY (cast(:units AS bigint[])))
), invoices AS (
  SELECT month, unit_id, dealer_id, sum(gross) AS sales, sum(gross) FILTER (WHERE gross > 0) AS charged,
    sum(gross) FILTER (WHERE gross < 0) AS credited, count(DISTINCT external_number) AS documents
  FROM billed WHERE (SELECT invoices FROM needed) GROUP BY 1, 2, 3
), lined AS (
  SELECT b.month, b.unit_id, b.dealer_id, count(*) AS lines, sum(l.qty) AS qty,
    count(*) FILTER (WHERE b.invoice_kind = 'red') AS return_lines
  FROM billed b JOIN invoice_line l ON l.invoice_id = b.id WHERE (SELECT lines FROM needed) GROUP BY 1, 2, 3
), items AS (
  SELECT date_trunc('month', dated_on)::date AS month, unit_id, dealer_id, sum(open_amount) AS receivable,
    sum(amount) FILTER (WHERE kind = 'opening') AS opening
  FROM open_item
  WHERE (SELECT items FROM needed) AND (:everything OR unit_id = ANY (cast(:units AS bigint[]))) GROUP BY 1, 2, 3
), stock AS (
  SELECT unit_id, sum(qty) AS qty, sum(value) AS value FROM stock_value
  WHERE (SELECT stock FROM needed) AND (:everything OR unit_id = ANY (cast(:units AS bigint[]))) GROUP BY 1
), figures (measure, month, unit_id, dealer_id, value) AS (
  SELECT v.measure, i.month, i.unit_id, i.dealer_id, v.value FROM invoices i CROSS JOIN LATERAL (VALUES
    ('sales', i.sales), ('charged', i.charged), ('credited', i.credited), ('documents', i.documents)) v(measure, value)
  UNION ALL
  SELECT v.measure, l.month, l.unit_id, l.dealer_id, v.value FROM lined l CROSS JOIN LATERAL (VALUES
    ('lines', l.lines::numeric), ('qty', l.qty), ('return_lines', l.return_lines)) v(measure, value)
  UNION ALL
  SELECT v.measure, o.month, o.unit_id, o.dealer_id, v.value FROM items o CROSS JOIN LATERAL (VALUES
    ('receivable', o.receivable), ('opening_receivable', o.opening)) v(measure, value)
  UNION ALL
  SELECT v.measure, NULL::date, s.unit_id, NULL::bigint, v.value FROM stock s CROSS JOIN LATERAL (VALUES
    ('stock_qty', s.qty), ('stock_value', s.value)) v(measure, value)
)
SELECT w.id, coalesce(sum(f.value), 0) AS computed
FROM wanted w LEFT JOIN unit u ON u.id = w.of_unit_id
LEFT JOIN (figures f JOIN unit fu ON fu.id = f.unit_id)
  ON f.measure = w.measure AND (w.month IS NULL OR f.month = w.month)
  AND (w.of_unit_id IS NULL OR fu.path @> to_jsonb(w.of_unit_id)) AND (w.dealer_id IS NULL OR f.dealer_id = w.dealer_id)
GROUP BY w.id
"""
)
