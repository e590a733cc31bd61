"""Set-based SQL of the money ledger. Ids come from documents already locked in the actor's scope."""

from __future__ import annotations

from sqlalchemy import text

from finance.ledger.accounts import chart_sql

ENSURE_CHART = text(chart_sql())

# All entries with all their lines in one statement; triggers check sums, line counts, pairs and periods at its end.
# Entries of a closed period are not inserted: the caller compares what came back.
POST = text(
    """
WITH head AS (
  SELECT * FROM unnest(
    cast(:kinds AS text[]), cast(:documents AS bigint[]), cast(:events AS text[]), cast(:units AS bigint[]),
    cast(:dates AS date[]), cast(:counts AS int[]), cast(:reverses AS bigint[])
  ) WITH ORDINALITY AS h(kind, document_id, event, unit_id, posted_on, line_count, reverses_id, ord)
), needed AS (
  SELECT DISTINCT to_char(posted_on, 'YYYY-MM') AS code, date_trunc('month', posted_on)::date AS starts_on FROM head
), made AS (
  INSERT INTO period (code, starts_on, ends_on, state)
  SELECT code, starts_on, (starts_on + interval '1 month' - interval '1 day')::date, 'open' FROM needed
  WHERE NOT EXISTS (SELECT 1 FROM period p WHERE p.code = needed.code)
  ORDER BY code
  ON CONFLICT (code) DO NOTHING
), posted AS (
  INSERT INTO entry (unit_id, posted_on, period, document_kind, document_id, event, line_count, reverses_id,
                     created_by_id)
  SELECT unit_id, posted_on, to_char(posted_on, 'YYYY-MM'), kind, document_id, event, line_count, reverses_id,
         cast(:actor AS bigint)
  FROM head
  WHERE NOT EXISTS (
    SELECT 1 FROM period p WHERE p.code = to_char(head.posted_on, 'YYYY-MM') AND p.state = 'closed'
  )
  ORDER BY ord
  RETURNING id, document_kind, document_id, event, posted_on
), placed AS (
  SELECT p.id, p.posted_on, h.ord, p.document_kind, p.document_id, p.event
  FROM posted p JOIN head h ON h.kind = p.document_kind AND h.document_id = p.document_id AND h.event = p.event
), lined AS (
  INSERT INTO entry_line (entry_id, line_no, unit_id, legal_entity_id, currency, account_code, counter_unit_id,
                          dealer_id, category_id, amount, posted_on, belongs_period)
  SELECT p.id, l.line_no, l.unit_id, l.legal_entity_id, l.currency, l.account, l.counter_unit_id, l.dealer_id,
         l.category_id, l.amount, p.posted_on, l.belongs_period
  FROM unnest(
    cast(:l_entries AS bigint[]), cast(:l_numbers AS int[]), cast(:l_units AS bigint[]),
    cast(:l_legal_entities AS bigint[]), cast(:l_currencies AS text[]), cast(:l_accounts AS text[]),
    cast(:l_counters AS bigint[]), cast(:l_dealers AS bigint[]), cast(:l_categories AS bigint[]),
    cast(:l_amounts AS numeric[]), cast(:l_periods AS text[])
  ) AS l(ord, line_no, unit_id, legal_entity_id, currency, account, counter_unit_id, dealer_id, category_id, amount,
         belongs_period)
  JOIN placed p ON p.ord = l.ord
)
SELECT id, ord FROM placed ORDER BY ord
"""
)

# A copy of an entry with the opposite signs.
REVERSE = text(
    """
WITH old AS (SELECT * FROM entry WHERE id = :entry),
made AS (
  INSERT INTO period (code, starts_on, ends_on, state)
  SELECT to_char(cast(:on AS date), 'YYYY-MM'), date_trunc('month', cast(:on AS date))::date,
         (date_trunc('month', cast(:on AS date)) + interval '1 month' - interval '1 day')::date, 'open'
  WHERE NOT EXISTS (SELECT 1 FROM period p WHERE p.code = to_char(cast(:on AS date), 'YYYY-MM'))
  ON CONFLICT (code) DO NOTHING
), posted AS (
  INSERT INTO entry (unit_id, posted_on, period, document_kind, document_id, event, line_count, reverses_id,
                     created_by_id)
  SELECT unit_id, cast(:on AS date), to_char(cast(:on AS date), 'YYYY-MM'),
         coalesce(cast(:kind AS text), document_kind),
         coalesce(cast(:document AS bigint), document_id), :event, line_count, id, cast(:actor AS bigint)
  FROM old
  WHERE NOT EXISTS (
    SELECT 1 FROM period p WHERE p.code = to_char(cast(:on AS date), 'YYYY-MM') AND p.state = 'closed'
  )
  RETURNING id
), lined AS (
  INSERT INTO entry_line (entry_id, line_no, unit_id, legal_entity_id, currency, account_code, counter_unit_id,
                          dealer_id, category_id, amount, posted_on, belongs_period)
  SELECT p.id, l.line_no, l.unit_id, l.legal_entity_id, l.currency, l.account_code, l.counter_unit_id, l.dealer_id,
         l.category_id, -l.amount, cast(:on AS date), l.belongs_period
  FROM entry_line l, posted p WHERE l.entry_id = :entry
)
SELECT id FROM posted
"""
)
