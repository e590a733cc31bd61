"""The bench's company, loaded set-based: units, dealers, products, prices, stock, credit, users with a token, history.

Deterministic. ``history(connection, orders)`` adds closed orders of two lines with shipments, moves, reservations,
audit rows and events, so that every table an order touches has grown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

DEALERS = 400
PRODUCTS = 600
BRANCHES = 10
TOKEN = "sdm_bench-token-of-a-throw-away-database-xx"

MASTERS = f"""
INSERT INTO legal_entity (code, name) VALUES ('LE', 'Bench company');
INSERT INTO unit (code, name, kind, legal_entity_id) SELECT 'HO', 'Head office', 'head_office', id FROM legal_entity;
INSERT INTO unit (code, name, kind, parent_id, legal_entity_id)
  SELECT 'R1', 'Region', 'region', id, legal_entity_id FROM unit WHERE code = 'HO';
INSERT INTO unit (code, name, kind, parent_id, legal_entity_id)
  SELECT 'B' || n, 'Branch ' || n, 'branch', u.id, u.legal_entity_id FROM unit u, generate_series(1, {BRANCHES}) n
  WHERE u.code = 'R1';
UPDATE unit SET path = jsonb_build_array(id) WHERE kind = 'head_office';
UPDATE unit c SET path = p.path || to_jsonb(c.id) FROM unit p WHERE p.id = c.parent_id AND c.kind = 'region';
UPDATE unit c SET path = p.path || to_jsonb(c.id) FROM unit p WHERE p.id = c.parent_id AND c.kind = 'branch';
INSERT INTO warehouse (code, name, unit_id) SELECT 'W' || code, 'Warehouse ' || code, id FROM unit WHERE kind = 'branch';
INSERT INTO dealer_grade (code, name, rank) VALUES ('A', 'A', 1), ('B', 'B', 2) ON CONFLICT DO NOTHING;
INSERT INTO dealer (code, name, search, unit_id, grade_code, settlement_mode, term_days)
  SELECT 'D' || lpad(n::text, 5, '0'), 'Dealer ' || n, 'd' || lpad(n::text, 5, '0') || ' dealer ' || n, u.id,
    CASE WHEN n % 2 = 0 THEN 'A' ELSE 'B' END, 'term', 30
  FROM generate_series(1, {DEALERS}) n JOIN unit u ON u.code = 'B' || (1 + n % {BRANCHES});
INSERT INTO credit_account (payer_id, unit_id, limit_amount) SELECT id, unit_id, 9000000000 FROM dealer
  ON CONFLICT (payer_id) DO UPDATE SET limit_amount = 9000000000;
INSERT INTO product_category (code, name) VALUES ('C1', 'Category');
UPDATE product_category SET path = jsonb_build_array(id);
INSERT INTO product (code, name, search, category_id, tax_rate, list_price)
  SELECT 'P' || lpad(n::text, 5, '0'), 'Product ' || n, 'p' || lpad(n::text, 5, '0') || ' product ' || n, c.id, 0.13, 100 + n
  FROM generate_series(1, {PRODUCTS}) n, product_category c;
INSERT INTO price_list (code, name, target) VALUES ('ALL', 'All', 'all');
INSERT INTO price_list (code, name, target, grade_code) VALUES ('GA', 'Grade A', 'grade', 'A');
INSERT INTO list_price (list_id, product_id, price, floor_price, valid)
  SELECT l.id, p.id, p.list_price, p.list_price * 0.8, '[2020-01-01,)' FROM price_list l, product p;
INSERT INTO supply_price (product_id, price, valid) SELECT id, list_price * 0.7, '[2020-01-01,)' FROM product;
INSERT INTO location (book, kind, unit_id, warehouse_id, counted, guarded)
  SELECT 'b', 'warehouse', unit_id, id, true, true FROM warehouse ON CONFLICT DO NOTHING;
INSERT INTO location (book, kind, unit_id, counted, guarded) SELECT 'b', 'transit', id, true, false FROM unit WHERE kind = 'branch'
  ON CONFLICT DO NOTHING;
INSERT INTO location (book, kind, unit_id, counted, guarded) SELECT 'f', 'owner', id, true, false FROM unit WHERE kind = 'branch'
  ON CONFLICT DO NOTHING;
INSERT INTO location (book, kind, counted, guarded) VALUES ('b', 'take_on', false, false), ('f', 'outside', false, false)
  ON CONFLICT DO NOTHING;
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id)
  SELECT 'b', o.id, l.id, p.id, 50000000, 'opening', '2026-01-01', 'goods_receipt', 0
  FROM location l, location o, product p WHERE l.kind = 'warehouse' AND o.book = 'b' AND o.kind = 'take_on';
INSERT INTO stock_balance (location_id, product_id, on_hand, guarded)
  SELECT l.id, p.id, 50000000, true FROM location l, product p WHERE l.kind = 'warehouse';
"""

# One order of two lines of history, with all rows it would have left behind.
HISTORY = """
WITH d AS (SELECT array_agg(id ORDER BY id) AS ids FROM dealer),
p AS (SELECT array_agg(id ORDER BY id) AS ids FROM product)
INSERT INTO sales_order (uuid, unit_id, state, source, dealer_id, payer_id, warehouse_id, owner_unit_id, legal_entity_id,
  ordered_on, settlement_mode, term_days, gross, net, list_gross, cost)
SELECT gen_random_uuid(), x.unit_id, 'closed', 'file', x.id, x.id, w.id, x.unit_id, u.legal_entity_id,
  date '2025-01-01' + (n %% 600)::int, 'term', 30, 400, 353.98, 400, 280
FROM generate_series(%(first)s::int, %(last)s::int) n, d
JOIN LATERAL (SELECT id, unit_id FROM dealer WHERE id = d.ids[1 + n %% array_length(d.ids, 1)]) x ON true
JOIN unit u ON u.id = x.unit_id JOIN warehouse w ON w.unit_id = x.unit_id
"""
HISTORY_LINES = """
INSERT INTO sales_order_line (order_id, line_no, product_id, entered_qty, entered_unit, qty, list_price, price, supply_price,
  tax_rate, amount, explanation, shipped_qty, signed_qty, invoiced_qty)
SELECT o.id, k, p.ids[1 + (o.id * k * 7) %% array_length(p.ids, 1)], 1, '台', 1, 200, 200, 140, 0.13, 200, '{}', 1, 1, 1
FROM sales_order o, generate_series(1, 2) k, (SELECT array_agg(id ORDER BY id) AS ids FROM product) p WHERE o.id > %(above)s
"""
HISTORY_RESERVATIONS = """
INSERT INTO reservation (unit_id, location_id, product_id, document_kind, document_id, line_id, qty, state)
SELECT o.unit_id, l.id, i.product_id, 'sales_order', o.id, i.id, 0, 'consumed'
FROM sales_order o JOIN sales_order_line i ON i.order_id = o.id JOIN location l ON l.warehouse_id = o.warehouse_id
WHERE o.id > %(above)s
"""
HISTORY_MOVES = """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id, line_id)
SELECT 'b', l.id, t.id, i.product_id, 1, 'sale', o.ordered_on, 'sales_order', o.id, i.id
FROM sales_order o JOIN sales_order_line i ON i.order_id = o.id JOIN location l ON l.warehouse_id = o.warehouse_id
JOIN location t ON t.kind = 'transit' AND t.unit_id = o.unit_id WHERE o.id > %(above)s
"""
HISTORY_AUDIT = """
INSERT INTO audit_row (actor_id, actor_name, via, address, request_id, action, kind, document_id, unit_id, changes)
SELECT 1, 'bench', 'job', '', '', 'submit', 'sales_order', o.id, o.unit_id, '{}' FROM sales_order o WHERE o.id > %(above)s
"""
HISTORY_EVENTS = """
INSERT INTO outbox_event (name, kind, document_id, unit_id, payload)
SELECT 'order.confirmed', 'sales_order', o.id, o.unit_id, '{}' FROM sales_order o WHERE o.id > %(above)s
"""
HISTORY_KEYS = """
INSERT INTO idempotency_key (key, actor, route, content_hash, answer)
SELECT o.uuid::text, 'user:1', 'orders', '', '{}' FROM sales_order o WHERE o.id > %(above)s
"""
STEPS = (HISTORY_LINES, HISTORY_RESERVATIONS, HISTORY_MOVES, HISTORY_AUDIT, HISTORY_EVENTS, HISTORY_KEYS)


@dataclass(frozen=True, slots=True)
class Company:
    """Ids a load needs: (dealer id, its warehouse id) and product ids."""

    dealers: list[tuple[int, int]]
    products: list[int]


def load(connection: psycopg.Connection[Any]) -> None:
    """Load the masters and the opening stock; commits."""
    connection.execute(MASTERS)
    connection.commit()


def read(connection: psycopg.Connection[Any]) -> Company:
    """The ids of a loaded company."""
    dealers = connection.execute(
        "SELECT d.id, w.id FROM dealer d JOIN warehouse w ON w.unit_id = d.unit_id ORDER BY d.id"
    ).fetchall()
    products = connection.execute("SELECT id FROM product ORDER BY id").fetchall()
    return Company([(int(d), int(w)) for d, w in dealers], [int(p[0]) for p in products])


def history(connection: psycopg.Connection[Any], orders: int, chunk: int = 100_000) -> None:
    """Add closed orders of the past with everything they left behind; commits per chunk, then VACUUM ANALYZE."""
    for first in range(1, orders + 1, chunk):
        above = connection.execute("SELECT coalesce(max(id), 0) FROM sales_order").fetchone()
        connection.execute(HISTORY, {"first": first, "last": min(first + chunk - 1, orders)})
        for step in STEPS:
            connection.execute(step, {"above": above[0] if above else 0})
        connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    connection.autocommit = False
