"""Set-based SQL of receivables. Ids come from documents already locked in the actor's scope; reports take the scope
(``units``: NULL = whole network) as a parameter.
"""

from __future__ import annotations

from sqlalchemy import TextClause, text

# Raise (or, with negative quantities, lower) what is billed of delivered lines; the table's CHECK is the last guard.
BILL_SHIPMENT_LINES = text(
    """
UPDATE shipment_line s SET invoiced_qty = s.invoiced_qty + b.qty
FROM (SELECT line_id, sum(qty) AS qty
      FROM unnest(cast(:lines AS bigint[]), cast(:qtys AS numeric[])) AS u(line_id, qty) GROUP BY line_id) b
WHERE s.id = b.line_id
"""
)

# Amounts credited so far of invoice lines: the sum of their red lines.
CREDITED = text(
    """
SELECT r.original_line_id AS id, sum(r.qty) AS qty, sum(r.gross) AS gross, sum(r.net) AS net, sum(r.vat) AS vat,
       sum(r.cost) AS cost, sum(r.carrying) AS carrying
FROM invoice_line r WHERE r.original_line_id = ANY(cast(:lines AS bigint[])) GROUP BY r.original_line_id
"""
)

# Settle open items: amounts by which each moves towards zero (signed like the item's movement).
SETTLE = text(
    """
UPDATE open_item i SET open_amount = i.open_amount + s.change,
  closed_on = CASE WHEN i.open_amount + s.change = 0 THEN cast(:on AS date) ELSE NULL END
FROM (SELECT id, sum(change) AS change
      FROM unnest(cast(:ids AS bigint[]), cast(:changes AS numeric[])) AS u(id, change) GROUP BY id) s
WHERE i.id = s.id
RETURNING i.id
"""
)

# Receipts earmarked for an order that do not count in exposure yet; read under the payer's account lock.
EARMARKED_UNCOUNTED = text(
    """
SELECT i.id, i.payer_id, i.open_amount FROM open_item i JOIN receipt r ON r.id = i.document_id
WHERE r.order_id = :order AND r.state = 'recorded' AND i.document_kind = 'receipt' AND i.part = 0 AND NOT i.counted
ORDER BY i.id
"""
)

COUNT = text("UPDATE open_item SET counted = true WHERE id = ANY(cast(:ids AS bigint[]))")

# Ageing as of a day, one pass: what is open today, plus what was allocated after that day. Bands depend on the due date
# only, so both parts simply add up.
_AGEING_ROWS = """
  SELECT i.unit_id, i.dealer_id, i.payer_id, i.due_on, i.amount > 0 AS debit, i.open_amount AS open
  FROM open_item i
  WHERE i.open_amount <> 0 AND i.dated_on <= :as_of
    AND (cast(:payer AS bigint) IS NULL OR i.payer_id = cast(:payer AS bigint))
  UNION ALL
  SELECT i.unit_id, i.dealer_id, i.payer_id, i.due_on, i.amount > 0, m.amount
  FROM allocation a
  CROSS JOIN LATERAL (VALUES (a.debit_item_id, a.amount), (a.credit_item_id, -a.amount)) m(item_id, amount)
  JOIN open_item i ON i.id = m.item_id
  WHERE a.allocated_on > :as_of AND i.dated_on <= :as_of
    AND (cast(:payer AS bigint) IS NULL OR i.payer_id = cast(:payer AS bigint))
"""


def ageing_sql(bounds: tuple[int, ...], group: str) -> str:
    """SELECT of ageing per unit or payer; ``bounds`` are whole days, ``group`` unit_id or payer_id (ours, no input)."""
    if group not in {"unit_id", "payer_id"}:
        raise ValueError(group)
    lows = (0, *bounds)
    bands = [
        f"sum(open) FILTER (WHERE debit AND :as_of - due_on BETWEEN {int(low) + 1} AND {int(high)}) AS band_{n}"
        for n, (low, high) in enumerate(zip(lows, bounds, strict=False), start=1)
    ]
    bands.append(f"sum(open) FILTER (WHERE debit AND :as_of - due_on > {int(bounds[-1])}) AS band_{len(bounds) + 1}")
    columns = ",\n  ".join(bands)
    return f"""
SELECT {group} AS id, sum(open) FILTER (WHERE debit AND due_on >= :as_of) AS not_due,
  {columns},
  sum(open) FILTER (WHERE NOT debit) AS credits, sum(open) AS total
FROM ({_AGEING_ROWS}) rows
WHERE (cast(:units AS bigint[]) IS NULL OR unit_id = ANY(cast(:units AS bigint[])))
  AND (cast(:dealers AS bigint[]) IS NULL OR dealer_id = ANY(cast(:dealers AS bigint[])))
GROUP BY {group} HAVING sum(open) <> 0 OR count(*) FILTER (WHERE open <> 0) > 0
"""  # noqa: S608 - numbers and a fixed column name


def ageing(bounds: tuple[int, ...], group: str) -> TextClause:
    """The ageing statement for these bands."""
    return text(ageing_sql(bounds, group))


# The six columns of a payer (FI-32), all from documents and ledgers: gross amounts up to and including a day.
SIX_COLUMNS = text(
    """
WITH dealers AS (SELECT id FROM dealer WHERE coalesce(payer_id, id) = :payer),
lines AS (
  SELECT s.state, s.shipped_on, s.signed_on, l.qty, l.amount, l.signed_qty, l.short_qty + l.refused_qty AS missing
  FROM shipment s JOIN shipment_line l ON l.shipment_id = s.id
  WHERE s.dealer_id IN (SELECT id FROM dealers) AND s.state IN ('shipped', 'signed') AND s.shipped_on <= :as_of
)
SELECT
  (SELECT coalesce(sum(amount), 0) FROM lines) AS dispatched,
  (SELECT coalesce(sum(round(amount * missing / qty, 2)), 0) FROM lines WHERE signed_on <= :as_of) AS missing,
  (SELECT coalesce(sum(amount), 0) FROM lines WHERE state = 'shipped' OR signed_on > :as_of) AS in_transit,
  (SELECT coalesce(-sum(amount), 0) FROM open_item
    WHERE payer_id = :payer AND kind = 'receipt' AND dated_on <= :as_of) AS collected,
  (SELECT coalesce(sum(amount), 0) FROM open_item
    WHERE payer_id = :payer AND document_kind = 'invoice' AND dated_on <= :as_of) AS invoiced,
  (SELECT coalesce(sum(amount), 0) FROM open_item WHERE payer_id = :payer AND dated_on <= :as_of) AS receivable
"""
)
