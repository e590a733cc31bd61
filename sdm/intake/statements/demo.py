"""Set-based history of the demo company: rows for the take-on statements, and money received for what they billed."""

from __future__ import annotations

from sqlalchemy import TextClause, text

DEALERS = text(
    """
SELECT d.id, d.unit_id, d.grade_code, d.settlement_mode, d.term_days, right(d.code, 3)::int AS place, r.code AS region,
  b.code AS branch
FROM dealer d JOIN unit u ON u.id = d.unit_id
JOIN unit b ON b.kind = 'branch' AND u.path @> to_jsonb(b.id)
JOIN unit r ON r.kind = 'region' AND u.path @> to_jsonb(r.id)
ORDER BY d.id
"""
)
PRODUCTS = text(
    """
SELECT p.id, p.list_price, c.code AS family, coalesce(s.price, 0) AS supply FROM product p
JOIN product_category c ON c.id = p.category_id
LEFT JOIN supply_price s ON s.product_id = p.id AND s.valid @> cast(:today AS date)
WHERE p.stocked ORDER BY p.id
"""
)


def create_rows(rows: str) -> TextClause:
    """An empty table of the shape that take-on batches are posted from."""
    return text(f"""
CREATE UNLOGGED TABLE {rows} (
  batch_no int NOT NULL, doc_no bigint NOT NULL, kind "char" NOT NULL, invoice text NOT NULL, line_no int NOT NULL,
  dated_on date NOT NULL, dealer_id bigint NOT NULL, unit_id bigint NOT NULL, product_id bigint NOT NULL,
  qty numeric(18,3) NOT NULL, price numeric(18,4) NOT NULL, amount numeric(18,2) NOT NULL
)""")


def copy_rows(rows: str) -> str:
    """COPY into it."""
    return f"COPY {rows} FROM STDIN"


OWED = text(
    """
SELECT i.id, i.payer_id, i.dealer_id, i.unit_id, i.dated_on, i.due_on, i.open_amount, d.settlement_mode,
  right(d.code, 3)::int AS place
FROM open_item i JOIN dealer d ON d.id = i.dealer_id
WHERE i.open_amount > 0 AND i.kind = 'invoice' ORDER BY i.payer_id, i.due_on, i.id
"""
)
PLAN = text(
    """
CREATE TEMP TABLE d_plan (receipt_no int NOT NULL, item_id bigint NOT NULL, received_on date NOT NULL,
  amount numeric(18,2) NOT NULL) ON COMMIT DROP
"""
)
COPY_PLAN = "COPY d_plan FROM STDIN"
RECEIVED = text(
    """
CREATE TEMP TABLE d_receipt ON COMMIT DROP AS
SELECT g.*, nextval('receipt_id_seq') AS id, nextval('open_item_id_seq') AS item_id, nextval('entry_id_seq') AS entry_id,
  row_number() OVER (PARTITION BY g.legal_entity_id, extract(year FROM g.received_on)
    ORDER BY g.received_on, g.receipt_no) AS place
FROM (
  SELECT p.receipt_no, p.received_on, i.unit_id, i.payer_id, i.legal_entity_id, i.currency, sum(p.amount) AS amount
  FROM d_plan p JOIN open_item i ON i.id = p.item_id
  GROUP BY p.receipt_no, p.received_on, i.unit_id, i.payer_id, i.legal_entity_id, i.currency ORDER BY p.receipt_no
) g
"""
)
PERIODS = text(
    """
INSERT INTO period (code, starts_on, ends_on, state)
SELECT DISTINCT to_char(received_on, 'YYYY-MM'), date_trunc('month', received_on)::date,
  (date_trunc('month', received_on) + interval '1 month' - interval '1 day')::date, 'open'
FROM d_receipt ORDER BY 1 ON CONFLICT (code) DO NOTHING
"""
)
RECEIPTS = text(
    """
INSERT INTO receipt (id, uuid, unit_id, state, source, taken_on, dealer_id, payer_id, legal_entity_id, currency, amount,
  received_on, method, bank_account, reference, note, version)
SELECT id, md5('demo-receipt-' || receipt_no)::uuid, unit_id, 'recorded', 'take-on', true, payer_id, payer_id, legal_entity_id,
  currency, amount, received_on, 'transfer', '', 'HK' || lpad(receipt_no::text, 7, '0'), '', 1
FROM d_receipt
"""
)
CREDIT = text(
    """
UPDATE credit_account c SET items = c.items - g.amount, version = c.version + 1
FROM (SELECT payer_id, sum(amount) AS amount FROM d_receipt GROUP BY payer_id) g WHERE c.payer_id = g.payer_id
"""
)
RECEIPT_ITEMS = text(
    """
INSERT INTO open_item (id, unit_id, dealer_id, payer_id, legal_entity_id, kind, document_kind, document_id, number, dated_on,
  due_on, amount, open_amount, currency, closed_on)
SELECT item_id, unit_id, payer_id, payer_id, legal_entity_id, 'receipt', 'receipt', id,
  'RC' || lpad(id::text, greatest(8, length(id::text)), '0'), received_on, received_on, -amount, 0, currency, received_on
FROM d_receipt
"""
)
SETTLED = text(
    """
UPDATE open_item i SET open_amount = i.open_amount - g.amount,
  closed_on = CASE WHEN i.open_amount = g.amount THEN g.last_on END
FROM (SELECT item_id, sum(amount) AS amount, max(received_on) AS last_on FROM d_plan GROUP BY item_id) g WHERE i.id = g.item_id
"""
)
ALLOCATIONS = text(
    """
INSERT INTO allocation (unit_id, payer_id, debit_item_id, credit_item_id, amount, allocated_on, automatic)
SELECT r.unit_id, r.payer_id, p.item_id, r.item_id, p.amount, p.received_on, true
FROM d_plan p JOIN d_receipt r USING (receipt_no) ORDER BY r.id, p.item_id
"""
)
ENTRIES = text(
    """
INSERT INTO entry (id, unit_id, posted_on, period, document_kind, document_id, event, line_count)
SELECT entry_id, unit_id, received_on, to_char(received_on, 'YYYY-MM'), 'receipt', id, 'recorded', 2
FROM d_receipt ORDER BY entry_id
"""
)
ENTRY_LINES = text(
    """
INSERT INTO entry_line (entry_id, line_no, unit_id, legal_entity_id, currency, account_code, dealer_id, amount, posted_on,
  belongs_period)
SELECT r.entry_id, l.line_no, r.unit_id, r.legal_entity_id, r.currency, l.account, r.payer_id, l.sign * r.amount, r.received_on,
  to_char(r.received_on, 'YYYY-MM')
FROM d_receipt r
CROSS JOIN LATERAL (VALUES (1, cast(:collection AS text), 1), (2, cast(:receivable AS text), -1)) l(line_no, account, sign)
"""
)
SERIES = text(
    """
SELECT legal_entity_id, extract(year FROM received_on)::int AS year, count(*) AS count FROM d_receipt GROUP BY 1, 2 ORDER BY 1, 2
"""
)
NUMBER = text(
    """
WITH n AS (
  SELECT id, item_id, cast(:prefix AS text) || lpad((:before + place)::text, 8, '0') AS number FROM d_receipt
  WHERE legal_entity_id = :entity AND extract(year FROM received_on) = :year
), numbered AS (
  UPDATE receipt r SET legal_number = n.number FROM n WHERE r.id = n.id
)
UPDATE open_item i SET number = n.number FROM n WHERE i.id = n.item_id
"""
)
LIMITS = text(
    """
UPDATE credit_account c SET version = c.version + 1, limit_amount = CASE
  WHEN d.settlement_mode = 'prepaid' THEN 0
  WHEN right(d.code, 3)::int % 21 = 9 THEN CASE WHEN c.items > 0 THEN floor(c.items * 0.9) ELSE 5000 END
  ELSE ceil(c.items * 1.5 / 10000) * 10000 + CASE d.grade_code WHEN 'A' THEN 400000 WHEN 'B' THEN 200000 ELSE 80000 END END
FROM dealer d WHERE d.id = c.payer_id
"""
)
LIMIT_CHANGES = text(
    """
INSERT INTO credit_limit_change (unit_id, payer_id, kind, old_amount, amount, reason, state, decided_at)
SELECT c.unit_id, c.payer_id, 'limit', 0, c.limit_amount, '年度额度', 'approved', now()
FROM credit_account c WHERE c.limit_amount > 0 ORDER BY c.payer_id
"""
)
UNIT_LIMITS = text(
    """
INSERT INTO unit_limit (unit_id, limit_amount)
SELECT id, 20000000 FROM unit WHERE kind = 'branch' ON CONFLICT DO NOTHING
"""
)
DONE = text("SELECT action FROM audit_row WHERE kind = 'demo'")
# For what follows in the same load: commands read these tables at once.
ANALYSE = text("ANALYZE")
