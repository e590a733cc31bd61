"""Set-based SQL of pricing: everything that a number of lines needs, in one statement.

The dealer's id comes from a row that the caller has read in its scope.
"""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Date, String, bindparam, text

# One row per product and list price that holds at the date; products without any price come once with nulls.
# rank: 0 dealer, 1 + distance unit and above, 900 grade, 1000 all. `on` belongs to a range that excludes its end.
PRICE_BASIS = text(
    """
WITH d AS (
  SELECT dealer.id, dealer.grade_code, unit.path
  FROM dealer JOIN unit ON unit.id = dealer.unit_id
  WHERE dealer.id = :dealer_id
), chain AS (
  SELECT e.value::bigint AS unit_id, jsonb_array_length(d.path) - e.ordinality AS distance
  FROM d CROSS JOIN LATERAL jsonb_array_elements_text(d.path) WITH ORDINALITY AS e
), lists AS (
  SELECT l.id, l.code, l.name, l.target,
         CASE l.target WHEN 'dealer' THEN 0 WHEN 'unit' THEN 1 + chain.distance WHEN 'grade' THEN 900 ELSE 1000
         END AS rank
  FROM price_list AS l CROSS JOIN d LEFT JOIN chain ON chain.unit_id = l.unit_id
  WHERE l.active
    AND (l.target = 'all' OR l.dealer_id = d.id OR l.grade_code = d.grade_code OR chain.unit_id IS NOT NULL)
)
SELECT p.id, p.code, p.name, p.base_unit, p.tax_rate, p.stocked, p.status, p.list_price, s.price AS supply_price,
       x.list_id, x.list_code, x.list_name, x.target, x.rank, x.qty_from, x.price, x.floor_price,
       lower(x.valid) AS valid_from, upper(x.valid) AS valid_until,
       (SELECT max(a.discount_rate) FROM discount_authority AS a WHERE a.role_code = ANY (:roles)) AS authority
FROM product AS p
LEFT JOIN supply_price AS s ON s.product_id = p.id AND s.valid @> :on
LEFT JOIN (
  SELECT lp.product_id, lp.qty_from, lp.price, lp.floor_price, lp.valid, lists.id AS list_id, lists.code AS list_code,
         lists.name AS list_name, lists.target, lists.rank
  FROM list_price AS lp JOIN lists ON lists.id = lp.list_id
  WHERE lp.product_id = ANY (:products) AND lp.valid @> :on
) AS x ON x.product_id = p.id
WHERE p.id = ANY (:products)
"""
).bindparams(
    bindparam("dealer_id", type_=BigInteger),
    bindparam("products", type_=ARRAY(BigInteger)),
    bindparam("roles", type_=ARRAY(String)),
    bindparam("on", type_=Date),
)
