"""Questions of the doctor about goods receipts."""

from __future__ import annotations

from sqlalchemy import text

# Per receipt and book: quantities moved in (posted) or in and out again (reversed) against its lines.
WRONG_POSTINGS = text(
    """
SELECT r.number, r.state, coalesce(m.came, 0) AS came, coalesce(m.went, 0) AS went, coalesce(l.qty, 0) AS lines
FROM goods_receipt r
LEFT JOIN (SELECT goods_receipt_id, sum(qty) AS qty FROM goods_receipt_line GROUP BY 1) l ON l.goods_receipt_id = r.id
LEFT JOIN (
  SELECT document_id, sum(qty) FILTER (WHERE reason = 'goods_receipt') AS came,
         sum(qty) FILTER (WHERE reason = 'goods_receipt_reversal') AS went
  FROM stock_move WHERE document_kind = 'goods_receipt' GROUP BY 1
) m ON m.document_id = r.id
WHERE coalesce(m.came, 0) <> CASE WHEN r.state = 'draft' THEN 0 ELSE 2 * coalesce(l.qty, 0) END
   OR coalesce(m.went, 0) <> CASE WHEN r.state = 'reversed' THEN 2 * coalesce(l.qty, 0) ELSE 0 END
ORDER BY r.id LIMIT 20
"""
)
