"""Ageing of all dealers and stock of a branch on a long history: the page, with everything, against its SQL by hand."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from bench.report import Report
from bench.site import Site, session_cookie

ROUNDS = 15

# Invoices of ten lines over two years, three in four of them paid by a receipt of the same amount.
ITEMS = """
INSERT INTO open_item (unit_id, dealer_id, payer_id, legal_entity_id, kind, document_kind, document_id, number, dated_on, due_on,
  amount, open_amount)
SELECT d.unit_id, d.id, d.id, u.legal_entity_id, CASE WHEN k = 1 THEN 'invoice' ELSE 'receipt' END,
  CASE WHEN k = 1 THEN 'invoice' ELSE 'receipt' END, n, k || '-' || n, day, day + 30,
  CASE WHEN k = 1 THEN 1000 ELSE -1000 END, CASE WHEN n %% 4 = 0 THEN 1000 ELSE 0 END
FROM generate_series(1, %(invoices)s::int) n, generate_series(1, 2) k,
  LATERAL (SELECT current_date - 730 + (n %% 730) AS day) t, (SELECT array_agg(id ORDER BY id) AS ids FROM dealer) a
JOIN LATERAL (SELECT * FROM dealer WHERE id = a.ids[1 + n %% array_length(a.ids, 1)]) d ON true JOIN unit u ON u.id = d.unit_id
WHERE k = 1 OR n %% 4 <> 0
"""
ALLOCATIONS = """
INSERT INTO allocation (unit_id, payer_id, debit_item_id, credit_item_id, amount, allocated_on)
SELECT i.unit_id, i.payer_id, i.id, r.id, 1000, r.dated_on
FROM open_item i JOIN open_item r ON r.kind = 'receipt' AND r.document_id = i.document_id WHERE i.kind = 'invoice'
"""
MOVES = """
INSERT INTO stock_move (book, from_id, to_id, product_id, qty, reason, occurred_on, document_kind, document_id, line_id)
SELECT 'b', l.ids[1 + n %% array_length(l.ids, 1)], t.id, p.ids[1 + n %% array_length(p.ids, 1)], 1, 'sale',
  current_date - 730 + (n %% 730), 'shipment', n / 10, n
FROM generate_series(1, %(lines)s::int) n, (SELECT array_agg(id ORDER BY id) AS ids FROM product) p,
  (SELECT array_agg(id ORDER BY id) AS ids FROM location WHERE kind = 'warehouse') l,
  (SELECT min(id) AS id FROM location WHERE kind = 'transit') t
"""

# A hundred warehouses with fifteen thousand products each (a tenth of both in a quick run).
PLACES = (
    """
INSERT INTO product (code, name, search, category_id, tax_rate)
  SELECT 'Q' || n, 'Item ' || n, 'q' || n, c.id, 0.13 FROM generate_series(1, %(products)s::int) n, product_category c
""",
    """
INSERT INTO warehouse (code, name, unit_id)
  SELECT 'X' || u.id || '-' || n, 'Warehouse ' || u.id || '-' || n, u.id FROM unit u, generate_series(1, 9) n
  WHERE u.kind = 'branch'
""",
    """
INSERT INTO location (book, kind, unit_id, warehouse_id, counted, guarded)
  SELECT 'b', 'warehouse', unit_id, id, true, true FROM warehouse ON CONFLICT DO NOTHING
""",
    """
INSERT INTO stock_balance (location_id, product_id, on_hand, reserved, guarded)
  SELECT l.id, p.id, 10 + p.id %% 90, p.id %% 7, true FROM location l, product p WHERE l.kind = 'warehouse'
    AND %(products)s > 0 ON CONFLICT DO NOTHING
""",
)

AGEING = """
SELECT d.code, d.name, sum(x.open) FILTER (WHERE x.debit AND x.due_on >= %(on)s),
  sum(x.open) FILTER (WHERE x.debit AND %(on)s - x.due_on BETWEEN 1 AND 30),
  sum(x.open) FILTER (WHERE x.debit AND %(on)s - x.due_on BETWEEN 31 AND 60),
  sum(x.open) FILTER (WHERE x.debit AND %(on)s - x.due_on BETWEEN 61 AND 90),
  sum(x.open) FILTER (WHERE x.debit AND %(on)s - x.due_on BETWEEN 91 AND 180),
  sum(x.open) FILTER (WHERE x.debit AND %(on)s - x.due_on > 180), sum(x.open) FILTER (WHERE NOT x.debit), sum(x.open)
FROM (
  SELECT i.payer_id, i.due_on, i.amount > 0 AS debit, i.amount - coalesce(a.done, 0) AS open
  FROM open_item i LEFT JOIN (
    SELECT item, sum(amount) AS done FROM (
      SELECT debit_item_id AS item, amount FROM allocation WHERE allocated_on <= %(on)s
      UNION ALL SELECT credit_item_id, -amount FROM allocation WHERE allocated_on <= %(on)s) z GROUP BY item) a ON a.item = i.id
  WHERE i.dated_on <= %(on)s
) x JOIN dealer d ON d.id = x.payer_id GROUP BY d.code, d.name HAVING sum(x.open) <> 0
"""
STOCK = """
WITH moving AS (
  SELECT s.warehouse_id, i.product_id, sum(i.qty) AS qty FROM shipment s JOIN shipment_line i ON i.shipment_id = s.id
  WHERE s.state = 'shipped' GROUP BY s.warehouse_id, i.product_id
), found AS (
  SELECT w.name AS warehouse, p.code, p.name, b.on_hand, b.reserved, b.on_hand - b.reserved AS available,
    coalesce(m.qty, 0) AS moving
  FROM stock_balance b JOIN location l ON l.id = b.location_id JOIN warehouse w ON w.id = l.warehouse_id
  JOIN product p ON p.id = b.product_id
  LEFT JOIN moving m ON m.warehouse_id = w.id AND m.product_id = b.product_id WHERE w.unit_id = %(unit)s
), totals AS (
  SELECT sum(on_hand) AS t1, sum(reserved) AS t2, sum(available) AS t3, sum(moving) AS t4, count(*) AS n FROM found
)
SELECT f.*, t.* FROM (SELECT * FROM found ORDER BY warehouse, code LIMIT 50) f, totals t
"""


def run(site: Site, report: Report, database: str, headers: dict[str, str], lines: int) -> None:
    """Load the history, then time pages and hand-written SQL in turn."""
    with site.connect(database, autocommit=True) as connection:
        connection.execute(ITEMS, {"invoices": lines // 10})
        connection.execute(ALLOCATIONS)
        connection.execute(MOVES, {"lines": lines})
        for statement in PLACES:
            connection.execute(statement, {"products": lines // 100} if "%" in statement else None)
        connection.execute("VACUUM ANALYZE")
        unit = connection.execute("SELECT min(unit_id) FROM warehouse").fetchone()[0]
        cookie = session_cookie(connection)
        server = site.serve_product(database, workers=1)
        for name, path, sql, values in (
            ("ageing of all dealers", "/receivables/ageing?by=dealer", AGEING, {"on": date.fromtimestamp(time.time())}),
            ("stock of a branch", f"/stock/?unit={unit}", STOCK, {"unit": unit}),
        ):
            page, floor = _timed(site.port, cookie, path, lambda q=sql, v=values: connection.execute(q, v).fetchall())
            report.add(f"page: {name}", page, "ms", floor=floor, at_most=2)
        site.stop(server)


def _timed(port: int, cookie: str, path: str, floor: Callable[[], Any]) -> tuple[float, float]:
    """Median milliseconds of the page and of the floor, in turn."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    pages, floors = [], []
    for round_ in range(ROUNDS + 2):
        started = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        body = answer.read()
        middle = time.perf_counter()
        floor()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        if round_ >= 2:
            pages.append((middle - started) * 1000)
            floors.append((time.perf_counter() - middle) * 1000)
    return statistics.median(pages), statistics.median(floors)
