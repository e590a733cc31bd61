"""Doctor's questions about money: silent on right books, loud on one corrupted row of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text

from finance.checks import CHECKS
from finance.receivables import service
from finance.receivables.service import AdjustmentInput, BillInput, BillLine, OpeningItem, ReceiptInput, ReturnLine
from inventory.receipts import service as goods
from inventory.receipts.rules import ReceiptInput as GoodsInput
from inventory.receipts.rules import ReceivedLine
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from tests.factories import finance, inventory, pricing

D = Decimal
DAY = date(2026, 3, 2)


def answers() -> dict[str, list[str]]:
    return {check.code: list(check.function()) for check in CHECKS}


@pytest.fixture
def books(session: object) -> Iterator[inventory.Network]:
    """Documents of every kind: goods, invoices (billed, reversed, credited), receipts, adjustments, openings."""
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        _fill(net)
        yield net


def _fill(net: inventory.Network) -> None:
    finance.account(net.dealers[0], "100000")
    pricing.supply_price(net.products[0], "60")
    line = ReceivedLine(net.products[0], D(100), D(55))
    goods.save_receipt(GoodsInput(warehouse_id=net.warehouses[0], received_on=DAY, lines=[line]), post=True)
    lines = []
    for owner in (net.units[0], net.units[0], net.head_office):
        made = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "113")], owner_unit_id=owner)
        lines.append(finance.lines_of(made)[0].id)
    invoices = [service.apply(BillInput([BillLine(line)])).id for line in lines]
    for invoice_id in invoices:
        service.submit(invoice_id)
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=99)):
        for invoice_id in invoices:
            service.approve(invoice_id, "seen")
            service.issue(invoice_id, DAY)
    service.reverse(invoices[0], "wrong", DAY)
    finance.run(service.credit_return, (1, net.units[0]), [ReturnLine(lines[1], D(3))], DAY)
    paid = [service.record_receipt(ReceiptInput(net.dealers[0], D(500), DAY)).id for _ in range(2)]
    service.reverse_receipt(paid[0], "bounced", DAY)
    service.allocate_automatically(net.dealers[0])
    service.post_opening([OpeningItem(net.dealers[1], "OLD-1", DAY, DAY, D(70))])
    asked = service.request_adjustment(AdjustmentInput(net.dealers[0], D(-5), "rounding", "cents", DAY))
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=99)):
        service.decide_adjustment(asked.id, True)


def test_right_books_have_no_offenders(books: inventory.Network) -> None:
    assert {code: rows for code, rows in answers().items() if rows} == {}


CORRUPTIONS = {
    "ledger.balanced": "UPDATE entry_line SET amount = amount + 1 WHERE line_no = 1"
    " AND entry_id = (SELECT min(id) FROM entry)",
    "ledger.lines": "UPDATE entry SET line_count = line_count + 1 WHERE id = (SELECT min(id) FROM entry)",
    "ledger.periods": "UPDATE entry SET posted_on = '2026-05-01' WHERE id = (SELECT min(id) FROM entry)",
    "ledger.inter_unit": "UPDATE entry_line SET amount = amount + 1 WHERE (entry_id, line_no) ="
    " (SELECT entry_id, line_no FROM entry_line WHERE counter_unit_id IS NOT NULL ORDER BY 1, 2 LIMIT 1)",
    "ledger.trial_balance": "DELETE FROM entry_line WHERE line_no = 1 AND entry_id = (SELECT min(id) FROM entry)",
    "ledger.inventory": "UPDATE stock_value SET value = value + 1",
    "receivables.control": "UPDATE entry_line SET dealer_id = NULL WHERE account_code = '1122'",
    "receivables.open_amounts": "UPDATE open_item SET open_amount = open_amount / 2 WHERE open_amount > 0",
    "credit.items": "UPDATE credit_account SET receipts = receipts + 1",
    "receivables.numbers": "UPDATE number_counter SET last = last + 1 WHERE series LIKE 'REC:%'",
    "receivables.invoices": "DELETE FROM open_item WHERE document_kind = 'invoice'",
    "receivables.entries": "UPDATE entry_line SET account_code = '6401' WHERE account_code = '6001'",
    "receivables.lines": "UPDATE invoice_line SET gross = gross + 1 WHERE line_no = 1",
    "receivables.receipts": "DELETE FROM entry WHERE document_kind = 'receipt'",
    "receivables.adjustments": "UPDATE receivable_adjustment SET amount = amount + 1",
    "receivables.billed": "UPDATE shipment_line SET invoiced_qty = invoiced_qty - 1 WHERE invoiced_qty > 0",
    "receivables.credited": "UPDATE invoice_line SET credited_qty = credited_qty + 1 WHERE credited_qty > 0",
}


def test_every_check_has_its_corruption() -> None:
    assert set(CORRUPTIONS) == {check.code for check in CHECKS}


@pytest.mark.parametrize("code", sorted(CORRUPTIONS))
def test_a_corrupted_row_is_told(books: inventory.Network, code: str) -> None:
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    db.session.execute(text(CORRUPTIONS[code]))
    assert answers()[code]
