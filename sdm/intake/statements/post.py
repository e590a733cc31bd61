"""One batch of a take-on as real documents, moves, balances, buckets, open items, credit and entries; all set-based.

Runs inside one transaction, in the lock order: documents, credit accounts, open items, balances, buckets, counter. The
lines come from the run's table (:mod:`sdm.intake.statements.stage`); ids are drawn before anything is written, so that no
statement has to look for what an earlier one wrote. ``b_*`` are temporary tables that end with the transaction.
"""

from __future__ import annotations

from sqlalchemy import TextClause, text

# One take-on batch at a time in this schema: the search for lines taken on before stays true until the commit.
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.take_on'))")

# Left over where several batches share one outer transaction (tests roll everything back).
FORGET = text(
    "DROP TABLE IF EXISTS pg_temp.b_known, pg_temp.b_line, pg_temp.b_doc, pg_temp.b_lacking, pg_temp.b_use, pg_temp.b_entry_line"
)

# The search goes by index for the few documents of a batch, whatever the planner knows of tables that are still growing.
_WAYS = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")
BY_INDEX = [text(f"SET LOCAL {way} = off") for way in _WAYS]
BY_COST = [text(f"SET LOCAL {way} = on") for way in _WAYS]


def known_lines(rows: str) -> TextClause:
    """Lines of a batch whose external number and line were taken on before, from whatever file."""
    return text(f"""
CREATE TEMP TABLE b_known ON COMMIT DROP AS
SELECT DISTINCT r.invoice, r.line_no
FROM (SELECT DISTINCT invoice FROM {rows} WHERE batch_no = :batch) n
JOIN LATERAL (SELECT id FROM invoice i WHERE i.external_number = n.invoice AND i.taken_on OFFSET 0) i ON true
JOIN LATERAL (SELECT line_no FROM invoice_line l WHERE l.invoice_id = i.id OFFSET 0) l ON true
JOIN LATERAL (SELECT n.invoice, l.line_no) r ON true""")  # noqa: S608 - the run's own table


def lines_of(rows: str) -> TextClause:
    """The lines of a batch with everything of dealer and product, and their ids. Parameters: batch, tax, entities."""
    return text(f"""
CREATE TEMP TABLE b_line ON COMMIT DROP AS
SELECT l.*, round(l.gross / (1 + l.tax_rate), 2) AS net, nextval('invoice_line_id_seq') AS line_id,
  CASE WHEN l.stocked AND l.kind = 's' THEN nextval('shipment_line_id_seq')
       WHEN l.kind = 'r' THEN nextval('sales_return_line_id_seq') END AS goods_line_id
FROM (
  SELECT r.doc_no, r.kind, r.invoice, r.line_no, r.dated_on, r.dealer_id, coalesce(d.payer_id, d.id) AS payer_id, r.unit_id,
    d.unit_id AS dealer_unit_id, d.term_days, e.legal_entity_id, e.currency, r.product_id, p.category_id, p.stocked, r.qty,
    CASE WHEN :tax = 'free' THEN 0 ELSE p.tax_rate END AS tax_rate,
    CASE WHEN :tax = 'excluded' THEN round(r.price * (1 + p.tax_rate), 4) ELSE r.price END AS price,
    CASE WHEN :tax = 'excluded' THEN r.amount + round(r.amount * p.tax_rate, 2) ELSE r.amount END AS gross,
    CASE r.kind WHEN 's' THEN 1 ELSE -1 END AS sign, coalesce(c.price, 0) AS supply_price,
    round(r.qty * coalesce(c.price, 0), 2) AS cost
  FROM {rows} r
  JOIN dealer d ON d.id = r.dealer_id
  JOIN product p ON p.id = r.product_id
  LEFT JOIN supply_price c ON c.product_id = r.product_id AND c.valid @> r.dated_on AND p.stocked
  JOIN unnest(cast(:units AS bigint[]), cast(:entities AS bigint[]), cast(:currencies AS text[]))
    AS e(unit_id, legal_entity_id, currency) ON e.unit_id = r.unit_id
  WHERE r.batch_no = :batch AND NOT EXISTS (
    SELECT 1 FROM b_known k WHERE k.invoice = r.invoice AND k.line_no = r.line_no
  )
  ORDER BY r.doc_no, r.line_no
) l""")  # noqa: S608 - the run's own table


ANALYSE_LINES = text("ANALYZE b_line")

DOCUMENTS = text(
    """
CREATE TEMP TABLE b_doc ON COMMIT DROP AS
SELECT g.*, nextval('invoice_id_seq') AS invoice_id,
  CASE WHEN g.kind = 'r' THEN nextval('sales_return_id_seq')
       WHEN g.goods > 0 THEN nextval('shipment_id_seq') END AS goods_id,
  CASE WHEN g.gross > 0 OR g.cost > 0 THEN nextval('entry_id_seq') END AS entry_id,
  md5(concat_ws('|', 'take-on', g.legal_entity_id, g.unit_id, g.dealer_id, g.kind, g.invoice, g.first_line))::uuid AS uuid
FROM (
  SELECT doc_no, kind, invoice, dated_on, dealer_id, payer_id, unit_id, term_days, legal_entity_id, currency, sign,
    min(line_no) AS first_line, count(*) AS lines, count(*) FILTER (WHERE stocked) AS goods, sum(gross) AS gross, sum(net) AS net,
    sum(cost) AS cost
  FROM b_line WHERE kind IN ('s', 'r')
  GROUP BY doc_no, kind, invoice, dated_on, dealer_id, payer_id, unit_id, term_days, legal_entity_id, currency, sign
  ORDER BY doc_no
) g
"""
)
INDEX_DOCUMENTS = text("CREATE UNIQUE INDEX ON b_doc (doc_no)")
ANALYSE_DOCUMENTS = text("ANALYZE b_doc")

SHIPMENTS = text(
    """
INSERT INTO shipment (id, uuid, unit_id, state, source, taken_on, created_by_id, dealer_id, owner_unit_id, ownership,
  external_number, carrier, waybill, ship_to, shipped_on, signed_on, signed_by, note, version)
SELECT goods_id, uuid, unit_id, 'signed', 'take-on', true, cast(:actor AS bigint), dealer_id, unit_id, 'bought', invoice, '',
  '', '', dated_on, dated_on, '', '', 1
FROM b_doc WHERE kind = 's' AND goods > 0
"""
)
SHIPMENT_LINES = text(
    """
INSERT INTO shipment_line (id, shipment_id, line_no, product_id, qty, signed_qty, invoiced_qty, price, amount, tax_rate)
SELECT l.goods_line_id, d.goods_id, l.line_no, l.product_id, l.qty, l.qty, l.qty, l.price, l.gross, l.tax_rate
FROM b_line l JOIN b_doc d USING (doc_no) WHERE l.kind = 's' AND l.stocked
"""
)
RETURNS = text(
    """
INSERT INTO sales_return (id, uuid, unit_id, state, source, taken_on, created_by_id, dealer_id, payer_id, requested_on,
  received_on, reason_code, note, gross, external_number, version)
SELECT goods_id, uuid, unit_id, 'credited', 'take-on', true, cast(:actor AS bigint), dealer_id, payer_id, dated_on, dated_on,
  'take_on', '', gross, invoice, 1
FROM b_doc WHERE kind = 'r'
"""
)
RETURN_LINES = text(
    """
INSERT INTO sales_return_line (id, return_id, line_no, product_id, qty, received_qty, price, amount)
SELECT l.goods_line_id, d.goods_id, l.line_no, l.product_id, l.qty, l.qty, l.price, l.gross
FROM b_line l JOIN b_doc d USING (doc_no) WHERE l.kind = 'r'
"""
)
INVOICES = text(
    """
INSERT INTO invoice (id, uuid, unit_id, state, source, taken_on, created_by_id, invoice_kind, external_number, dealer_id,
  payer_id, legal_entity_id, owner_unit_id, currency, invoiced_on, due_on, term_days, gross, net, vat, cost, tax_treatment,
  reason, return_id, issued_at, note, version)
SELECT invoice_id, uuid, unit_id, 'issued', 'take-on', true, cast(:actor AS bigint),
  CASE kind WHEN 's' THEN 'blue' ELSE 'red' END,
  invoice, dealer_id, payer_id, legal_entity_id, unit_id, currency, dated_on, dated_on + term_days, term_days, sign * gross,
  sign * net, sign * (gross - net), sign * cost, CASE kind WHEN 's' THEN '' ELSE 'red_letter' END, '',
  CASE kind WHEN 'r' THEN goods_id END, now(), '', 1
FROM b_doc
"""
)
INVOICE_LINES = text(
    """
INSERT INTO invoice_line (id, invoice_id, line_no, shipment_line_id, product_id, qty, price, gross, net, vat, tax_rate,
  supply_price, cost)
SELECT l.line_id, d.invoice_id, l.line_no, CASE WHEN l.kind = 's' THEN l.goods_line_id END, l.product_id, l.sign * l.qty,
  l.price, l.sign * l.gross, l.sign * l.net, l.sign * (l.gross - l.net), l.tax_rate,
  l.supply_price, l.sign * l.cost
FROM b_line l JOIN b_doc d USING (doc_no)
"""
)
LINKS = text(
    """
INSERT INTO document_link (from_kind, from_id, to_kind, to_id)
SELECT CASE kind WHEN 's' THEN 'shipment' ELSE 'sales_return' END, goods_id, 'invoice', invoice_id
FROM b_doc WHERE goods_id IS NOT NULL
"""
)

# --- moves ------------------------------------------------------------------------------------------------------------
# Business: take-on → dealer, returns back; corrections of the old stock: take-on → adjustment. Financial: outside → sold.

MOVES = text(
    """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id, line_id)
SELECT 'b', CASE l.kind WHEN 's' THEN cast(:take_on AS bigint) ELSE o.location_id END,
  CASE l.kind WHEN 's' THEN o.location_id ELSE cast(:take_on AS bigint) END, l.product_id, l.qty, 'take_on', l.dated_on,
  CASE l.kind WHEN 's' THEN 'shipment' ELSE 'sales_return' END, d.goods_id, l.goods_line_id
FROM b_line l JOIN b_doc d USING (doc_no)
JOIN unnest(cast(:dealers AS bigint[]), cast(:locations AS bigint[])) AS o(dealer_id, location_id)
  ON o.dealer_id = l.dealer_id
WHERE l.stocked
"""
)
FINANCIAL_MOVES = text(
    """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id, line_id)
SELECT 'f', CASE l.kind WHEN 's' THEN cast(:outside AS bigint) ELSE o.location_id END,
  CASE l.kind WHEN 's' THEN o.location_id ELSE cast(:outside AS bigint) END, l.product_id, l.qty, 'take_on', l.dated_on,
  'invoice', d.invoice_id, l.line_id
FROM b_line l JOIN b_doc d USING (doc_no)
JOIN unnest(cast(:units AS bigint[]), cast(:locations AS bigint[])) AS o(unit_id, location_id) ON o.unit_id = l.unit_id
WHERE l.stocked
"""
)
ADJUSTMENTS = text(
    """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id)
SELECT 'b', :take_on, :adjustment, product_id, qty, 'take_on_adjustment', dated_on, 'take_on_run', :run
FROM b_line WHERE kind = 'a' AND stocked
"""
)

# --- money owed -------------------------------------------------------------------------------------------------------

CREDIT = text(
    """
INSERT INTO credit_account AS c (payer_id, unit_id, items)
SELECT d.payer_id, p.unit_id, sum(d.sign * d.gross) FROM b_doc d JOIN dealer p ON p.id = d.payer_id
GROUP BY d.payer_id, p.unit_id ORDER BY d.payer_id
ON CONFLICT (payer_id) DO UPDATE SET items = c.items + excluded.items, version = c.version + 1
"""
)
OPEN_ITEMS = text(
    """
INSERT INTO open_item (unit_id, dealer_id, payer_id, legal_entity_id, kind, document_kind, document_id, number, dated_on,
  due_on, amount, open_amount, currency)
SELECT unit_id, dealer_id, payer_id, legal_entity_id, CASE kind WHEN 's' THEN 'invoice' ELSE 'credit' END, 'invoice',
  invoice_id, 'IV' || lpad(invoice_id::text, greatest(8, length(invoice_id::text)), '0'), dated_on,
  CASE kind WHEN 's' THEN dated_on + term_days ELSE dated_on END, sign * gross, sign * gross, currency
FROM b_doc WHERE gross > 0
"""
)

# --- balances ---------------------------------------------------------------------------------------------------------

BALANCES = text(
    """
INSERT INTO stock_balance AS b (location_id, product_id, lot_id, on_hand, guarded)
SELECT o.location_id, l.product_id, 0, sum(l.sign * l.qty), false
FROM b_line l JOIN unnest(cast(:owners AS bigint[]), cast(:locations AS bigint[])) AS o(owner_id, location_id)
  ON o.owner_id = CASE WHEN :by_dealer THEN l.dealer_id ELSE l.unit_id END
WHERE l.stocked AND l.kind IN ('s', 'r')
GROUP BY o.location_id, l.product_id ORDER BY o.location_id, l.product_id
ON CONFLICT (location_id, product_id, lot_id) DO UPDATE SET on_hand = b.on_hand + excluded.on_hand
"""
)

# --- price buckets ----------------------------------------------------------------------------------------------------

BUCKETS = text(
    """
INSERT INTO stock_bucket (unit_id, dealer_id, product_id, ownership, received_on, source_kind, source_line_id,
  protected_price, qty, remaining_qty)
SELECT dealer_unit_id, dealer_id, product_id, 'bought', dated_on, 'shipment', goods_line_id, price, qty, qty
FROM b_line WHERE kind = 's' AND stocked
"""
)
# What returns need, and what was lacking at the moment of each: returns never eat a delivery that came after them.
LACKING = text(
    """
CREATE TEMP TABLE b_lacking ON COMMIT DROP AS
WITH wanted AS (
  SELECT dealer_id, product_id, dealer_unit_id, dated_on, qty, price FROM b_line WHERE kind = 'r' AND stocked
), keys AS (
  SELECT DISTINCT dealer_id, product_id FROM wanted
), steps AS (
  SELECT b.dealer_id, b.product_id, b.received_on AS day, 0 AS turn, b.remaining_qty AS qty
  FROM keys k JOIN stock_bucket b USING (dealer_id, product_id) WHERE b.remaining_qty > 0 AND b.ownership = 'bought'
  UNION ALL
  SELECT dealer_id, product_id, dated_on, 1, -qty FROM wanted
), running AS (
  SELECT dealer_id, product_id, sum(qty) OVER (PARTITION BY dealer_id, product_id ORDER BY day, turn
    ROWS UNBOUNDED PRECEDING) AS stock FROM steps
), lack AS (
  SELECT dealer_id, product_id, -min(stock) AS qty FROM running GROUP BY dealer_id, product_id HAVING min(stock) < 0
)
SELECT l.dealer_id, l.product_id, l.qty, f.dealer_unit_id, f.dated_on, f.price
FROM lack l JOIN LATERAL (
  SELECT * FROM wanted w WHERE w.dealer_id = l.dealer_id AND w.product_id = l.product_id ORDER BY dated_on LIMIT 1
) f ON true
"""
)
OPENING_MOVES = text(
    """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id)
SELECT 'b', :take_on, o.location_id, l.product_id, l.qty, 'take_on_opening', l.dated_on, 'take_on_run', :run
FROM b_lacking l JOIN unnest(cast(:dealers AS bigint[]), cast(:locations AS bigint[])) AS o(dealer_id, location_id)
  ON o.dealer_id = l.dealer_id
"""
)
OPENING_BALANCES = text(
    """
INSERT INTO stock_balance AS b (location_id, product_id, lot_id, on_hand, guarded)
SELECT o.location_id, l.product_id, 0, l.qty, false
FROM b_lacking l JOIN unnest(cast(:dealers AS bigint[]), cast(:locations AS bigint[])) AS o(dealer_id, location_id)
  ON o.dealer_id = l.dealer_id ORDER BY o.location_id, l.product_id
ON CONFLICT (location_id, product_id, lot_id) DO UPDATE SET on_hand = b.on_hand + excluded.on_hand
"""
)
OPENING_BUCKETS = text(
    """
INSERT INTO stock_bucket (unit_id, dealer_id, product_id, ownership, received_on, source_kind, protected_price, qty,
  remaining_qty)
SELECT dealer_unit_id, dealer_id, product_id, 'bought', dated_on, 'take_on_run', price, qty, qty FROM b_lacking
"""
)
# First in, first out: supplies and demands as intervals of one running count; where two overlap, one eats the other.
USES = text(
    """
CREATE TEMP TABLE b_use ON COMMIT DROP AS
WITH demand AS (
  SELECT l.dealer_id, l.product_id, d.goods_id, l.goods_line_id, l.dated_on, l.qty,
    sum(l.qty) OVER (PARTITION BY l.dealer_id, l.product_id ORDER BY l.dated_on, l.goods_line_id) AS upto
  FROM b_line l JOIN b_doc d USING (doc_no) WHERE l.kind = 'r' AND l.stocked
), supply AS (
  SELECT b.id, b.dealer_id, b.product_id, b.remaining_qty AS qty,
    sum(b.remaining_qty) OVER (PARTITION BY b.dealer_id, b.product_id ORDER BY b.received_on, b.id) AS upto
  FROM (SELECT DISTINCT dealer_id, product_id FROM demand) k JOIN stock_bucket b USING (dealer_id, product_id)
  WHERE b.remaining_qty > 0 AND b.ownership = 'bought'
)
SELECT s.id AS bucket_id, least(s.upto, d.upto) - greatest(s.upto - s.qty, d.upto - d.qty) AS qty, d.goods_id,
  d.goods_line_id, d.dated_on
FROM demand d JOIN supply s USING (dealer_id, product_id)
WHERE s.upto > d.upto - d.qty AND d.upto > s.upto - s.qty
"""
)
LOCK_BUCKETS = text(
    """
SELECT b.id FROM stock_bucket b
WHERE b.remaining_qty > 0 AND (b.dealer_id, b.product_id) IN (
  SELECT dealer_id, product_id FROM b_line WHERE kind = 'r' AND stocked
) ORDER BY b.id FOR NO KEY UPDATE
"""
)
BUCKET_USES = text(
    """
INSERT INTO bucket_use (bucket_id, qty, document_kind, document_id, line_id, used_on)
SELECT bucket_id, qty, 'sales_return', goods_id, goods_line_id, dated_on FROM b_use
"""
)
BUCKETS_LEFT = text(
    """
UPDATE stock_bucket b SET remaining_qty = b.remaining_qty - u.qty
FROM (SELECT bucket_id, sum(qty) AS qty FROM b_use GROUP BY bucket_id) u WHERE b.id = u.bucket_id
"""
)

# --- money ledger -----------------------------------------------------------------------------------------------------

PERIODS = text(
    """
INSERT INTO period (code, starts_on, ends_on, state)
SELECT DISTINCT to_char(dated_on, 'YYYY-MM'), date_trunc('month', dated_on)::date,
  (date_trunc('month', dated_on) + interval '1 month' - interval '1 day')::date, 'open'
FROM b_doc ORDER BY 1 ON CONFLICT (code) DO NOTHING
"""
)
CLOSED_PERIOD = text(
    """
SELECT p.code FROM period p WHERE p.state = 'closed' AND p.code IN (SELECT to_char(dated_on, 'YYYY-MM') FROM b_doc) LIMIT 1
"""
)
# Dr receivable of the payer; Cr revenue per dealer and class of goods; Cr output VAT per class; returns the other way. The goods
# were bought in the old books: cost at the supply price of the date comes from the opening balance, not from inventory.
ENTRY_LINES_PREPARED = text(
    """
CREATE TEMP TABLE b_entry_line ON COMMIT DROP AS
WITH money AS (
  SELECT doc_no, category_id, sum(net) AS net, sum(gross - net) AS vat, sum(cost) AS cost FROM b_line WHERE kind IN ('s', 'r')
  GROUP BY doc_no, category_id
), lined AS (
  SELECT doc_no, cast(:receivable AS text) AS account, payer_id AS dealer_id, NULL::bigint AS category_id, sign * gross AS amount
  FROM b_doc
  UNION ALL
  SELECT m.doc_no, cast(:revenue AS text), d.dealer_id, m.category_id, -d.sign * m.net FROM money m JOIN b_doc d USING (doc_no)
  UNION ALL
  SELECT m.doc_no, cast(:vat AS text), NULL::bigint, m.category_id, -d.sign * m.vat FROM money m JOIN b_doc d USING (doc_no)
  UNION ALL
  SELECT m.doc_no, cast(:cost AS text), d.dealer_id, m.category_id, d.sign * m.cost FROM money m JOIN b_doc d USING (doc_no)
  UNION ALL
  SELECT doc_no, cast(:opening AS text), NULL::bigint, NULL::bigint, -sign * cost FROM b_doc
)
SELECT d.entry_id, row_number() OVER (PARTITION BY doc_no)::int AS line_no, l.account, l.dealer_id, l.category_id, l.amount,
  d.unit_id, d.legal_entity_id, d.currency, d.dated_on
FROM lined l JOIN b_doc d USING (doc_no) WHERE l.amount <> 0 AND d.entry_id IS NOT NULL
"""
)
ENTRIES = text(
    """
INSERT INTO entry (id, unit_id, posted_on, period, document_kind, document_id, event, line_count, created_by_id)
SELECT d.entry_id, d.unit_id, d.dated_on, to_char(d.dated_on, 'YYYY-MM'), 'invoice', d.invoice_id, 'issued', l.lines,
  cast(:actor AS bigint)
FROM b_doc d JOIN (SELECT entry_id, count(*) AS lines FROM b_entry_line GROUP BY entry_id) l USING (entry_id)
ORDER BY d.entry_id
"""
)
ENTRY_LINES = text(
    """
INSERT INTO entry_line (entry_id, line_no, unit_id, legal_entity_id, currency, account_code, dealer_id, category_id, amount,
  posted_on, belongs_period)
SELECT entry_id, line_no, unit_id, legal_entity_id, currency, account, dealer_id, category_id, amount, dated_on,
  to_char(dated_on, 'YYYY-MM')
FROM b_entry_line ORDER BY entry_id, line_no
"""
)

# --- gapless numbers, drawn last --------------------------------------------------------------------------------------

SERIES = text(
    """
SELECT legal_entity_id, extract(year FROM dated_on)::int AS year, count(*) AS count FROM b_doc GROUP BY 1, 2 ORDER BY 1, 2
"""
)
DRAW = text(
    """
INSERT INTO number_counter AS c (series, last) VALUES (:series, :count)
ON CONFLICT (series) DO UPDATE SET last = c.last + :count RETURNING last
"""
)
NUMBER = text(
    """
UPDATE invoice i SET legal_number = cast(:prefix AS text) || lpad((:before + n.place)::text, 8, '0')
FROM (
  SELECT invoice_id, row_number() OVER (ORDER BY doc_no) AS place FROM b_doc
  WHERE legal_entity_id = :entity AND extract(year FROM dated_on) = :year
) n WHERE i.id = n.invoice_id
"""
)

# --- what was posted --------------------------------------------------------------------------------------------------

SUMMARY = text(
    """
SELECT min(l.dated_on) AS date_from, max(l.dated_on) AS date_to, count(*) AS lines,
  (SELECT count(*) FROM b_doc WHERE kind = 's') AS invoices, (SELECT count(*) FROM b_doc WHERE kind = 'r') AS credits,
  count(*) FILTER (WHERE kind = 'a') AS adjustments,
  coalesce(sum(gross) FILTER (WHERE kind = 's'), 0) AS charged,
  coalesce(sum(gross) FILTER (WHERE kind = 'r'), 0) AS credited
FROM b_line l
"""
)
PARTIES = text(
    """
SELECT array_agg(DISTINCT dealer_id) AS dealers, array_agg(DISTINCT unit_id) AS units
FROM b_line WHERE kind IN ('s', 'r')
"""
)


def units_of(rows: str) -> TextClause:
    """The units of a batch's documents."""
    return text(f"SELECT DISTINCT unit_id FROM {rows} WHERE batch_no = :batch ORDER BY unit_id")  # noqa: S608
