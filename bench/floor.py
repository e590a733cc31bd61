"""The floor: a bare Flask view with hand-written, batched psycopg statements that writes the same rows into the same
tables with the same guards as confirming an order in the product. No session, no permission, no scope, no layers.

Served with the same gunicorn settings: ``gunicorn bench.floor:app``; the database address is ``FLOOR_DATABASE``.
"""

from __future__ import annotations

import json
import os
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
from flask import Flask, jsonify, request
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

CENT = Decimal("0.01")
app = Flask(__name__)
_pools: dict[int, ConnectionPool[Any]] = {}


def pool() -> ConnectionPool[Any]:
    """The pool of this process; opened after the fork."""
    if os.getpid() not in _pools:
        _pools[os.getpid()] = ConnectionPool(
            os.environ["FLOOR_DATABASE"], min_size=4, max_size=8, kwargs={"row_factory": dict_row}, open=True
        )
    return _pools[os.getpid()]


DEALER = """
SELECT d.id, d.unit_id, coalesce(d.payer_id, d.id) AS payer_id, d.grade_code, d.settlement_mode, d.term_days, u.legal_entity_id
FROM dealer d JOIN unit u ON u.id = d.unit_id WHERE d.id = %s AND d.status = 'active'
"""
PRICES = """
SELECT p.id, p.tax_rate, p.base_unit, s.price AS supply, (
  SELECT lp.price FROM list_price lp JOIN price_list l ON l.id = lp.list_id
  WHERE lp.product_id = p.id AND lp.valid @> %(on)s AND lp.qty_from <= w.qty AND l.active
    AND (l.target = 'all' OR (l.target = 'grade' AND l.grade_code = %(grade)s) OR (l.target = 'dealer' AND l.dealer_id = %(dealer)s)
         OR (l.target = 'unit' AND l.unit_id = %(unit)s))
  ORDER BY array_position(ARRAY['dealer','unit','grade','all'], l.target::text), lp.qty_from DESC LIMIT 1) AS price
FROM unnest(%(products)s::bigint[], %(qtys)s::numeric[]) AS w(product_id, qty)
JOIN product p ON p.id = w.product_id
LEFT JOIN supply_price s ON s.product_id = p.id AND s.valid @> %(on)s
"""
ORDER = """
INSERT INTO sales_order (uuid, unit_id, state, source, created_by_id, dealer_id, payer_id, warehouse_id, owner_unit_id, legal_entity_id,
  ordered_on, settlement_mode, term_days, gross, net, list_gross, cost, confirmed_at, confirmed_by_id)
VALUES (%(uuid)s, %(unit)s, 'confirmed', 'api', 1, %(dealer)s, %(payer)s, %(warehouse)s, %(unit)s, %(entity)s,
  %(on)s, %(mode)s, %(days)s, %(gross)s, %(net)s, %(gross)s, %(cost)s, now(), 1) RETURNING id, number
"""
LINES = """
INSERT INTO sales_order_line (order_id, line_no, product_id, entered_qty, entered_unit, qty, list_price, price, supply_price, tax_rate, amount, explanation)
SELECT %(order)s, t.no, t.product, t.qty, t.unit, t.qty, t.price, t.price, t.supply, t.tax, t.amount, t.explanation
FROM unnest(%(no)s::int[], %(product)s::bigint[], %(qty)s::numeric[], %(unit)s::text[], %(price)s::numeric[], %(supply)s::numeric[],
  %(tax)s::numeric[], %(amount)s::numeric[], %(explanation)s::jsonb[]) AS t(no, product, qty, unit, price, supply, tax, amount, explanation)
RETURNING id, product_id, qty
"""
CREDIT = """
UPDATE credit_account SET open_orders = open_orders + %(amount)s
WHERE payer_id = %(payer)s AND open_orders + shipped + consigned + items + acceptances - receipts + %(amount)s
  <= limit_amount + CASE WHEN temporary_until >= %(on)s THEN temporary_amount ELSE 0 END
"""
LOCK = """
SELECT b.location_id, b.product_id FROM stock_balance b JOIN location l ON l.id = b.location_id
WHERE l.warehouse_id = %(warehouse)s AND b.product_id = ANY(%(product)s) ORDER BY b.location_id, b.product_id FOR NO KEY UPDATE OF b
"""
RESERVE = """
WITH w AS (SELECT * FROM unnest(%(line)s::bigint[], %(product)s::bigint[], %(qty)s::numeric[]) AS t(line, product, qty)),
u AS (
  UPDATE stock_balance b SET reserved = b.reserved + w.qty FROM w
  WHERE b.location_id = %(location)s AND b.product_id = w.product AND b.on_hand - b.reserved >= w.qty RETURNING b.product_id)
INSERT INTO reservation (unit_id, location_id, product_id, document_kind, document_id, line_id, qty, expires_at)
SELECT %(unit)s, %(location)s, w.product, 'sales_order', %(order)s, w.line, w.qty, now() + interval '14 days'
FROM w JOIN u ON u.product_id = w.product
"""
AUDIT = """
INSERT INTO audit_row (actor_id, actor_name, via, address, request_id, action, kind, document_id, unit_id, changes)
VALUES (1, 'floor', 'api', '', '', 'submit', 'sales_order', %s, %s, '{"state": [null, "confirmed"]}')
"""
EVENT = """
INSERT INTO outbox_event (name, kind, document_id, unit_id, payload) VALUES ('order.confirmed', 'sales_order', %s, %s, '{}') RETURNING id
"""
KEY = "INSERT INTO idempotency_key (key, actor, route, content_hash, answer) VALUES (%s, 'floor', 'orders', '', %s)"


@app.get("/empty")
def empty() -> Any:
    """A view that does nothing."""
    return jsonify(ok=True)


@app.post("/orders")
def confirm() -> Any:
    """Confirm an order of the request's lines; 409 when credit or stock does not suffice."""
    wanted = request.get_json()
    with pool().connection() as connection:
        return jsonify(_confirm(connection, wanted)), 201


def _confirm(connection: psycopg.Connection[Any], wanted: dict[str, Any]) -> dict[str, Any]:
    on = date.today()
    dealer = connection.execute(DEALER, [wanted["dealer_id"]]).fetchone()
    products = [line["product_id"] for line in wanted["lines"]]
    qtys = [Decimal(line["qty"]) for line in wanted["lines"]]
    priced = connection.execute(
        PRICES,
        {"on": on, "grade": dealer["grade_code"], "dealer": dealer["id"], "unit": dealer["unit_id"],
         "products": products, "qtys": qtys},
    ).fetchall()  # fmt: skip
    by_id = {row["id"]: row for row in priced}
    amounts = [(q * by_id[p]["price"]).quantize(CENT, ROUND_HALF_UP) for p, q in zip(products, qtys, strict=True)]
    gross = sum(amounts, Decimal(0))
    nets = [
        (a / (1 + by_id[p]["tax_rate"])).quantize(CENT, ROUND_HALF_UP) for p, a in zip(products, amounts, strict=True)
    ]
    cost = sum((q * by_id[p]["supply"] for p, q in zip(products, qtys, strict=True)), Decimal(0))
    order = connection.execute(
        ORDER,
        {"uuid": wanted["uuid"], "unit": dealer["unit_id"], "dealer": dealer["id"], "payer": dealer["payer_id"],
         "warehouse": wanted["warehouse_id"], "entity": dealer["legal_entity_id"] or 1, "on": on,
         "mode": dealer["settlement_mode"], "days": dealer["term_days"], "gross": gross,
         "net": sum(nets, Decimal(0)), "cost": cost},
    ).fetchone()  # fmt: skip
    lines = connection.execute(
        LINES,
        {"order": order["id"], "no": list(range(1, len(products) + 1)), "product": products, "qty": qtys,
         "unit": [by_id[p]["base_unit"] for p in products], "price": [by_id[p]["price"] for p in products],
         "supply": [by_id[p]["supply"] for p in products], "tax": [by_id[p]["tax_rate"] for p in products],
         "amount": amounts, "explanation": [json.dumps({"list": "floor"})] * len(products)},
    ).fetchall()  # fmt: skip
    if connection.execute(CREDIT, {"amount": gross, "payer": dealer["payer_id"], "on": on}).rowcount != 1:
        raise psycopg.errors.RaiseException("credit")
    locked = connection.execute(LOCK, {"warehouse": wanted["warehouse_id"], "product": products}).fetchall()
    reserved = connection.execute(
        RESERVE,
        {"line": [line["id"] for line in lines], "product": [line["product_id"] for line in lines],
         "qty": [line["qty"] for line in lines], "location": locked[0]["location_id"], "unit": dealer["unit_id"],
         "order": order["id"]},
    )  # fmt: skip
    if reserved.rowcount != len(lines):
        raise psycopg.errors.RaiseException("stock")
    connection.execute(AUDIT, [order["id"], dealer["unit_id"]])
    connection.execute(EVENT, [order["id"], dealer["unit_id"]])
    connection.execute(KEY, [wanted["uuid"], json.dumps({"id": order["id"]})])
    return {"id": order["id"], "number": order["number"], "state": "confirmed"}
