"""Set-based SQL of the credit guard. Payers come from documents already locked in the actor's scope.

The guard is the WHERE of one UPDATE: it waits for a running change of the row, then is evaluated on what that change
left, so two orders can never both take the last headroom.
"""

from __future__ import annotations

from sqlalchemy import text

_LIMIT = """(CASE WHEN limit_until IS NULL OR limit_until >= :today THEN limit_amount ELSE 0 END
  + CASE WHEN temporary_until >= :today THEN temporary_amount ELSE 0 END)"""
_EXPOSURE = """(open_orders + shipped + CASE WHEN :consigned_counts THEN consigned ELSE 0 END + items + acceptances
  - receipts)"""

HOLD = text(
    f"""
UPDATE credit_account SET open_orders = open_orders + :open_orders, shipped = shipped + :shipped,
  consigned = consigned + :consigned, items = items + :items, receipts = receipts + :receipts,
  acceptances = acceptances + :acceptances, version = version + 1
WHERE payer_id = :payer AND {_EXPOSURE} + :requested <= {_LIMIT} + :allow_over
RETURNING {_LIMIT} AS granted_limit, {_EXPOSURE} - :requested AS exposure
"""  # noqa: S608 - fragments above
)

# The figures of a refusal, under the row's lock: they cannot change before this transaction ends.
FIGURES = text(
    f"""
SELECT {_LIMIT} AS granted_limit, {_EXPOSURE} AS exposure, consigned FROM credit_account WHERE payer_id = :payer
FOR NO KEY UPDATE
"""  # noqa: S608
)

SHIFT = text(
    """
UPDATE credit_account SET open_orders = open_orders + :open_orders, shipped = shipped + :shipped,
  consigned = consigned + :consigned, items = items + :items, receipts = receipts + :receipts,
  acceptances = acceptances + :acceptances, version = version + 1
WHERE payer_id = :payer RETURNING unit_id
"""
)

OPEN_ACCOUNT = text(
    """
INSERT INTO credit_account (payer_id, unit_id) SELECT id, unit_id FROM dealer WHERE id = :payer
ON CONFLICT (payer_id) DO NOTHING RETURNING payer_id
"""
)

OVERDUE = text(
    """
SELECT coalesce(sum(open_amount), 0) AS amount, min(due_on) AS oldest
FROM open_item WHERE payer_id = :payer AND open_amount > 0 AND due_on < :today
"""
)

ACCOUNT_UNIT = text("SELECT unit_id FROM credit_account WHERE payer_id = :payer")

LOCK = text(
    """
SELECT payer_id FROM credit_account WHERE payer_id = ANY(cast(:payers AS bigint[])) ORDER BY payer_id
FOR NO KEY UPDATE
"""
)
