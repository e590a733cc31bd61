"""Figures of the work places straight from the ledgers; the units in scope are a parameter (null: all)."""

from __future__ import annotations

from sqlalchemy import text

_UNITS = "(CAST(:units AS bigint[]) IS NULL OR {0}.unit_id = ANY(CAST(:units AS bigint[])))"

# Net sales and collections in two spans: this one and the one it is compared with. Signed so that more is positive.
SALES_AND_COLLECTIONS = text(
    f"""
SELECT
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :revenue AND l.posted_on >= :start), 0) AS sales,
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :revenue AND l.posted_on <= :before_end), 0) AS sales_before,
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :revenue AND l.posted_on = :today), 0) AS sales_today,
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :receivable AND l.posted_on >= :start), 0) AS collected,
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :receivable AND l.posted_on <= :before_end), 0) AS collected_before,
  coalesce(-sum(l.amount) FILTER (WHERE l.account_code = :receivable AND l.posted_on = :today), 0) AS collected_today
FROM entry_line l JOIN entry e ON e.id = l.entry_id
WHERE (l.account_code = :revenue OR (l.account_code = :receivable AND e.document_kind = 'receipt'))
  AND (l.posted_on BETWEEN :start AND :today OR l.posted_on BETWEEN :before_start AND :before_end)
  AND {_UNITS.format("l")}
"""  # noqa: S608 - a fixed fragment
)

SALES_BY_DAY = text(
    f"""
SELECT l.posted_on AS day, -sum(l.amount) AS sales FROM entry_line l
WHERE l.account_code = :revenue AND l.posted_on BETWEEN :start AND :today AND {_UNITS.format("l")}
GROUP BY l.posted_on ORDER BY l.posted_on
"""  # noqa: S608
)

RECEIVABLE = text(
    f"""
SELECT coalesce(sum(i.open_amount), 0) AS total,
  coalesce(sum(i.open_amount) FILTER (WHERE i.open_amount > 0 AND i.due_on < :today), 0) AS overdue,
  count(DISTINCT i.payer_id) FILTER (WHERE i.open_amount > 0 AND i.due_on < :today) AS overdue_payers,
  coalesce(-sum(i.open_amount) FILTER (WHERE i.open_amount < 0 AND i.kind = 'receipt'), 0) AS unallocated,
  count(*) FILTER (WHERE i.open_amount < 0 AND i.kind = 'receipt') AS unallocated_items
FROM open_item i WHERE i.open_amount <> 0 AND {_UNITS.format("i")}
"""  # noqa: S608
)

STOCK_VALUE = text(
    f"SELECT coalesce(sum(v.value), 0) AS value FROM stock_value v WHERE {_UNITS.format('v')}"  # noqa: S608
)

OVER_LIMIT = text(
    f"""
SELECT count(*) AS payers FROM credit_account a
WHERE a.open_orders + a.shipped + a.consigned + a.items + a.acceptances - a.receipts >
  CASE WHEN a.limit_until IS NULL OR a.limit_until >= :today THEN a.limit_amount ELSE 0 END
  + CASE WHEN a.temporary_until >= :today THEN a.temporary_amount ELSE 0 END AND {_UNITS.format("a")}
"""  # noqa: S608
)

SYSTEM = text(
    """
SELECT (SELECT count(*) FROM job_run WHERE state IN ('failed', 'overdue')) AS jobs,
  (SELECT count(*) FROM outbox_delivery WHERE state = 'failed') AS deliveries,
  (SELECT count(*) FROM app_user WHERE active) AS users
"""
)
