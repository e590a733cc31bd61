"""Questions of the doctor: each answers the offenders, nothing when the ledger is sound. They read everything."""

from __future__ import annotations

from sqlalchemy import text

# Every balance against the sum of its moves, both ways round.
WRONG_BALANCES = text(
    """
SELECT location_id, product_id, lot_id, sum(balance) AS balance, sum(moved) AS moved
FROM (
  SELECT location_id, product_id, lot_id, on_hand AS balance, 0 AS moved FROM stock_balance
  UNION ALL
  SELECT m.to_id, m.product_id, m.lot_id, 0, m.qty FROM stock_move m JOIN location l ON l.id = m.to_id AND l.counted
  UNION ALL
  SELECT m.from_id, m.product_id, m.lot_id, 0, -m.qty
  FROM stock_move m JOIN location l ON l.id = m.from_id AND l.counted
) x
GROUP BY location_id, product_id, lot_id HAVING sum(balance) <> sum(moved)
ORDER BY location_id, product_id, lot_id LIMIT 20
"""
)

# Per book and product, what is inside plus what is outside is nothing.
BOOKS_NOT_ZERO = text(
    """
SELECT book, product_id, sum(qty) AS qty
FROM (
  SELECT l.book, b.product_id, b.on_hand AS qty FROM stock_balance b JOIN location l ON l.id = b.location_id
  UNION ALL
  SELECT m.book, m.product_id, m.qty FROM stock_move m JOIN location l ON l.id = m.to_id AND NOT l.counted
  UNION ALL
  SELECT m.book, m.product_id, -m.qty FROM stock_move m JOIN location l ON l.id = m.from_id AND NOT l.counted
) x
GROUP BY book, product_id HAVING sum(qty) <> 0
ORDER BY book, product_id LIMIT 20
"""
)

# Moves whose places belong to the other book.
FOREIGN_PLACES = text(
    """
SELECT m.id, m.book FROM stock_move m JOIN location f ON f.id = m.from_id JOIN location t ON t.id = m.to_id
WHERE f.book <> m.book OR t.book <> m.book ORDER BY m.id LIMIT 20
"""
)

# Reserved quantity against the reservations that are held.
WRONG_RESERVED = text(
    """
SELECT location_id, product_id, lot_id, sum(reserved) AS reserved, sum(held) AS held
FROM (
  SELECT location_id, product_id, lot_id, reserved, 0 AS held FROM stock_balance
  UNION ALL
  SELECT location_id, product_id, lot_id, 0, qty FROM reservation WHERE state = 'held'
) x
GROUP BY location_id, product_id, lot_id HAVING sum(reserved) <> sum(held)
ORDER BY location_id, product_id, lot_id LIMIT 20
"""
)

# Own warehouses: 0 ≤ reserved ≤ on hand, and guarded like their location.
OVERSOLD = text(
    """
SELECT b.location_id, b.product_id, b.lot_id, b.on_hand, b.reserved
FROM stock_balance b JOIN location l ON l.id = b.location_id
WHERE b.guarded <> l.guarded OR (l.guarded AND NOT (0 <= b.reserved AND b.reserved <= b.on_hand))
ORDER BY b.location_id, b.product_id, b.lot_id LIMIT 20
"""
)

# Carrying value against its moves.
WRONG_VALUES = text(
    """
SELECT unit_id, product_id, sum(qty) AS qty, sum(value) AS value, sum(moved_qty) AS moved_qty, sum(moved) AS moved
FROM (
  SELECT unit_id, product_id, qty, value, 0 AS moved_qty, 0 AS moved FROM stock_value
  UNION ALL
  SELECT unit_id, product_id, 0, 0, qty, value FROM stock_value_move
) x
GROUP BY unit_id, product_id HAVING sum(qty) <> sum(moved_qty) OR sum(value) <> sum(moved)
ORDER BY unit_id, product_id LIMIT 20
"""
)

# Quantity that carries value against the owner's stock in the financial book.
WRONG_VALUE_QTY = text(
    """
SELECT unit_id, product_id, sum(valued) AS valued, sum(stock) AS stock
FROM (
  SELECT unit_id, product_id, qty AS valued, 0 AS stock FROM stock_value
  UNION ALL
  SELECT l.unit_id, b.product_id, 0, b.on_hand
  FROM stock_balance b JOIN location l ON l.id = b.location_id WHERE l.kind = 'owner'
) x
GROUP BY unit_id, product_id HAVING sum(valued) <> sum(stock)
ORDER BY unit_id, product_id LIMIT 20
"""
)
