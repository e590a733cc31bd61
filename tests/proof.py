"""An independent proof that the books agree, in plain SQL and small sums of its own.

It shares no statement with the product's own checks, so that a fault in one of them is found by the other. Every
question answers its offenders; :func:`faults` asks all and gives one sentence per offender.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import text

from sdm.kernel import checks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db

BUCKETS = ("open_orders", "shipped", "consigned", "items", "receipts")
ZERO = Decimal(0)

QUESTIONS = {
    "a balance differs from its moves": """
        SELECT location_id, product_id, sum(has) AS has, sum(moved) AS moved FROM (
          SELECT location_id, product_id, on_hand AS has, 0 AS moved FROM stock_balance
          UNION ALL SELECT to_id, product_id, 0, qty FROM stock_move
          UNION ALL SELECT from_id, product_id, 0, -qty FROM stock_move) m
        JOIN location l ON l.id = m.location_id AND l.counted
        GROUP BY 1, 2 HAVING sum(has) <> sum(moved)""",
    "a warehouse promises more than it has": """
        SELECT b.location_id, b.product_id, b.on_hand, b.reserved FROM stock_balance b
        JOIN location l ON l.id = b.location_id WHERE l.kind = 'warehouse' AND NOT (0 <= reserved AND reserved <= on_hand)""",
    "reserved differs from the reservations": """
        SELECT location_id, product_id, sum(a) AS reserved, sum(b) AS held FROM (
          SELECT location_id, product_id, reserved AS a, 0 AS b FROM stock_balance
          UNION ALL SELECT location_id, product_id, 0, qty FROM reservation WHERE state = 'held') x
        GROUP BY 1, 2 HAVING sum(a) <> sum(b)""",
    "a line's reservation differs from its open quantity": """
        SELECT o.number, l.line_no, l.open, coalesce(r.qty, 0) AS held FROM sales_order o
        JOIN (SELECT *, qty - cancelled_qty - shipped_qty + short_qty AS open FROM sales_order_line) l ON l.order_id = o.id
        JOIN product p ON p.id = l.product_id AND p.stocked
        LEFT JOIN (SELECT line_id, sum(qty) AS qty FROM reservation
                   WHERE state = 'held' AND document_kind = 'sales_order' GROUP BY 1) r ON r.line_id = l.id
        WHERE NOT o.taken_on
          AND coalesce(r.qty, 0) <> CASE WHEN o.state IN ('confirmed', 'part_shipped') THEN l.open ELSE 0 END""",
    "the two books hold different quantities": """
        SELECT product_id, sum(qty) FILTER (WHERE book = 'b') AS business, sum(qty) FILTER (WHERE book = 'f') AS financial
        FROM (SELECT l.book, b.product_id, b.on_hand AS qty FROM stock_balance b JOIN location l ON l.id = b.location_id) x
        GROUP BY 1 HAVING coalesce(sum(qty) FILTER (WHERE book = 'b'), 0) <> coalesce(sum(qty) FILTER (WHERE book = 'f'), 0)""",
    "a carrying value differs from its moves": """
        SELECT unit_id, product_id FROM (
          SELECT unit_id, product_id, qty, value FROM stock_value
          UNION ALL SELECT unit_id, product_id, -qty, -value FROM stock_value_move) x
        GROUP BY 1, 2 HAVING sum(qty) <> 0 OR sum(value) <> 0""",
    "owned goods differ from valued goods": """
        SELECT unit_id, product_id FROM (
          SELECT l.unit_id, b.product_id, b.on_hand AS qty FROM stock_balance b
            JOIN location l ON l.id = b.location_id AND l.kind = 'owner'
          UNION ALL SELECT unit_id, product_id, -qty FROM stock_value) x
        GROUP BY 1, 2 HAVING sum(qty) <> 0""",
    "the inventory account differs from the values": """
        SELECT unit_id, sum(a) AS account, sum(v) AS value FROM (
          SELECT unit_id, amount AS a, 0 AS v FROM entry_line WHERE account_code = '1405'
          UNION ALL SELECT unit_id, 0, value FROM stock_value) x
        GROUP BY 1 HAVING sum(a) <> sum(v)""",
    "a dealer's goods differ from its buckets": """
        SELECT dealer_id, product_id, sum(a) AS balance, sum(b) AS buckets FROM (
          SELECT l.dealer_id, s.product_id, s.on_hand AS a, 0 AS b FROM stock_balance s
            JOIN location l ON l.id = s.location_id AND l.kind = 'dealer'
          UNION ALL SELECT dealer_id, product_id, 0, remaining_qty FROM stock_bucket) x
        GROUP BY 1, 2 HAVING sum(a) <> sum(b)""",
    "an entry does not balance": """
        SELECT entry_id, unit_id, legal_entity_id, currency FROM entry_line
        GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0""",
    "inter-unit lines do not net": """
        SELECT entry_id FROM entry_line WHERE account_code = '3101'
        GROUP BY entry_id, least(unit_id, counter_unit_id), greatest(unit_id, counter_unit_id) HAVING sum(amount) <> 0""",
    "an open amount differs from amount and allocations": """
        SELECT i.id, i.number, i.open_amount FROM open_item i LEFT JOIN (
          SELECT item, sum(amount) AS amount FROM (
            SELECT debit_item_id AS item, -amount AS amount FROM allocation
            UNION ALL SELECT credit_item_id, amount FROM allocation) a GROUP BY 1) x ON x.item = i.id
        WHERE i.open_amount <> i.amount + coalesce(x.amount, 0)""",
    "the receivable account differs from the open items": """
        SELECT dealer_id, sum(a) AS account, sum(i) AS items FROM (
          SELECT dealer_id, amount AS a, 0 AS i FROM entry_line WHERE account_code = '1122'
          UNION ALL SELECT payer_id, 0, open_amount FROM open_item) x
        GROUP BY 1 HAVING sum(a) <> sum(i)""",
    "an order line's counters differ from its shipments": """
        SELECT l.id, l.shipped_qty, l.signed_qty, l.short_qty FROM sales_order_line l
        JOIN sales_order o ON o.id = l.order_id AND NOT o.taken_on
        LEFT JOIN (SELECT s.order_line_id AS id,
            sum(s.qty) FILTER (WHERE h.state IN ('shipped', 'signed')) AS shipped,
            sum(s.signed_qty) AS signed, sum(s.short_qty + s.refused_qty) AS short
          FROM shipment_line s JOIN shipment h ON h.id = s.shipment_id GROUP BY 1) x ON x.id = l.id
        WHERE (l.shipped_qty, l.signed_qty, l.short_qty)
           <> (coalesce(x.shipped, 0), coalesce(x.signed, 0), coalesce(x.short, 0))""",
    "billed quantities differ from the invoices": """
        SELECT s.id, s.invoiced_qty, coalesce(x.qty, 0) AS billed FROM shipment_line s LEFT JOIN (
          SELECT l.shipment_line_id AS id, sum(l.qty) AS qty FROM invoice_line l JOIN invoice i ON i.id = l.invoice_id
          WHERE i.invoice_kind = 'blue' AND i.state = 'issued' GROUP BY 1) x ON x.id = s.id
        WHERE s.invoiced_qty < coalesce(x.qty, 0) OR s.invoiced_qty > s.qty""",
    "more came back than was delivered": """
        SELECT id FROM shipment_line WHERE returned_qty > signed_qty""",
    "issued invoices lack entry, item or number": """
        SELECT i.number FROM invoice i WHERE i.state IN ('issued', 'reversed') AND NOT i.taken_on AND (
          i.legal_number IS NULL
          OR (SELECT count(*) FROM entry e WHERE (e.document_kind, e.document_id) = ('invoice', i.id)) <> 1
          OR (SELECT count(*) FROM open_item o WHERE (o.document_kind, o.document_id) = ('invoice', i.id)) <> 1)""",
    "unissued invoices are posted": """
        SELECT i.number FROM invoice i WHERE i.state NOT IN ('issued', 'reversed') AND (
          i.legal_number IS NOT NULL
          OR EXISTS (SELECT 1 FROM entry e WHERE (e.document_kind, e.document_id) = ('invoice', i.id))
          OR EXISTS (SELECT 1 FROM open_item o WHERE (o.document_kind, o.document_id) = ('invoice', i.id)))""",
    "a gapless series has gaps or doubles": """
        SELECT series, count(*) AS documents, max(n) AS highest FROM (
          SELECT regexp_replace(legal_number, '-[0-9]+$', '') AS series, substring(legal_number FROM '[0-9]+$')::bigint AS n
          FROM invoice WHERE legal_number IS NOT NULL
          UNION ALL SELECT regexp_replace(legal_number, '-[0-9]+$', ''), substring(legal_number FROM '[0-9]+$')::bigint
          FROM receipt WHERE legal_number IS NOT NULL) x
        GROUP BY 1 HAVING count(*) <> max(n) OR count(DISTINCT n) <> count(*)""",
    "an order without lines, or lines without an order's amount": """
        SELECT o.number FROM sales_order o LEFT JOIN sales_order_line l ON l.order_id = o.id
        GROUP BY o.id HAVING count(l.id) = 0 OR o.gross <> coalesce(sum(l.amount), 0)""",
    "an order is held without a hold, or not held with one": """
        SELECT o.number, o.state FROM sales_order o
        WHERE (o.state = 'held') <> EXISTS (SELECT 1 FROM order_hold h WHERE h.order_id = o.id AND h.state = 'open')""",
    "a document has no audit row": """
        SELECT o.number FROM sales_order o WHERE NOT o.taken_on AND NOT EXISTS (
          SELECT 1 FROM audit_row a WHERE (a.kind, a.document_id) = ('sales_order', o.id))""",
}


def faults(*, doctor: bool = True) -> list[str]:
    """Every offender of every question, of the exposures, and of the product's own checks."""
    db.session.rollback()
    with use_actor(system_actor("proof")):
        found = [f"{name}: {dict(row)}" for name, sql in QUESTIONS.items() for row in _rows(sql)]
        found += list(wrong_exposures())
        if doctor:
            found += list(_doctor())
    db.session.rollback()
    return found


def _rows(sql: str) -> Any:
    return db.session.execute(text(sql)).mappings().all()


def _doctor() -> Iterator[str]:
    for check in checks.registered():
        outcome = checks.run(check)
        if not outcome.ok:
            yield f"doctor {outcome.code}: {outcome.error or outcome.offenders}"


def wrong_exposures() -> Iterator[str]:
    """Payers whose buckets differ from what their lines and open items say."""
    wanted = exposures()
    for row in _rows("SELECT * FROM credit_account ORDER BY payer_id"):
        for name in BUCKETS:
            should = wanted[row["payer_id"]][name]
            if row[name] != should:
                yield f"exposure of payer {row['payer_id']}: {name} is {row[name]}, its documents say {should}"


def exposures() -> dict[int, dict[str, Decimal]]:
    """Buckets per payer, summed up anew from order lines and open items."""
    total: dict[int, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(BUCKETS, ZERO))
    lines = _rows(
        """SELECT o.payer_id, o.state, o.settlement_mode, l.* FROM sales_order_line l
           JOIN sales_order o ON o.id = l.order_id WHERE NOT o.taken_on ORDER BY l.id"""
    )
    for line in lines:
        for name, amount in _line(line).items():
            total[line["payer_id"]][name] += amount
    for item in _rows("SELECT payer_id, kind, open_amount FROM open_item WHERE open_amount <> 0 AND counted"):
        name, sign = ("receipts", -1) if item["kind"] == "receipt" else ("items", 1)
        total[item["payer_id"]][name] += sign * item["open_amount"]
    return total


def _line(line: Any) -> dict[str, Decimal]:
    """design 3.3, line by line: invoiced first on the axis of the quantity, then shipped, then open."""
    gone, invoiced = line["shipped_qty"] - line["short_qty"], line["invoiced_qty"]
    consigned = line["settlement_mode"] == "consignment"
    unbilled = max(ZERO, (line["listed_qty"] if consigned else gone - line["returned_qty"]) - invoiced)
    unlisted = max(ZERO, gone - line["returned_qty"] - line["listed_qty"]) if consigned else ZERO
    start = max(gone, invoiced)
    counts = line["state"] != "held" and line["settlement_mode"] != "prepaid"
    end = max(start, line["qty"] - line["cancelled_qty"])
    return {
        "open_orders": _between(line, start, end) if counts else ZERO,
        "shipped": _between(line, invoiced, invoiced + unbilled),
        "consigned": _between(line, invoiced + unbilled, invoiced + unbilled + unlisted),
    }


def _between(line: Any, low: Decimal, high: Decimal) -> Decimal:
    def upto(qty: Decimal) -> Decimal:
        return (line["amount"] * qty / line["qty"]).quantize(Decimal("0.01"), ROUND_HALF_UP)

    return upto(high) - upto(low)
