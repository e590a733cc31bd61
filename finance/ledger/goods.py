"""Goods receipts in value: hooks of ``inventory.receipts``, in the transaction that posts or reverses the receipt."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from branches.catalogue.queries import products_by_id
from branches.org import parameters
from branches.org import queries as org
from branches.pricing import queries as pricing
from finance.ledger import accounts, service
from finance.ledger.models import Entry
from finance.ledger.rules import Line
from inventory.receipts.models import GoodsReceipt, GoodsReceiptLine
from inventory.stock import service as stock
from inventory.stock.models import StockMove
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.money import ZERO, round_amount

KIND = "goods_receipt"


def received(receipt_id: int) -> None:
    """Dr inventory at supply price, Cr supply clearing (opening goods: equity) at actual cost, difference to variance.

    Where there is no supply price, or the parameter says so, goods are carried at actual cost; where there is neither
    they come in at nothing and cost nothing. Locks values after the balances which the receipt has locked.
    """
    receipt, lines = _load(receipt_id)
    at_supply = parameters.value("stock.revalue_receipts", receipt.unit_id, receipt.received_on)
    supply = pricing.supply_prices({line.product_id for line in lines}, receipt.received_on) if at_supply else {}
    for line in lines:
        price = supply.get(line.product_id, line.unit_cost)
        line.value = round_amount(line.qty * (price or Decimal(0)))
    _post_value(receipt, lines, receipt.received_on)
    _post(receipt, lines)


def taken_back(receipt_id: int) -> None:
    """The opposite of the receipt's value and entry, on the day its goods were taken back."""
    receipt, lines = _load(receipt_id)
    day = _last_move(receipt_id)
    _post_value(receipt, lines, day, sign=-1)
    entry = db.session.execute(
        select(Entry.id).where(Entry.document_kind == KIND, Entry.document_id == receipt_id, Entry.event == "posted")
    ).scalar_one_or_none()
    if entry is not None:
        service.reverse(entry, day)


def _load(receipt_id: int) -> tuple[GoodsReceipt, list[GoodsReceiptLine]]:
    receipt = db.session.get_one(GoodsReceipt, receipt_id)
    found = select(GoodsReceiptLine).where(GoodsReceiptLine.goods_receipt_id == receipt_id)
    statement = found.order_by(GoodsReceiptLine.line_no).execution_options(populate_existing=True)
    return receipt, list(db.session.execute(statement).scalars())


def _post_value(receipt: GoodsReceipt, lines: list[GoodsReceiptLine], day: date, sign: int = 1) -> None:
    moves = [
        stock.ValueMove(receipt.unit_id, line.product_id, sign * line.qty, sign * (line.value or ZERO), line.id)
        for line in lines
    ]
    stock.post_value(moves, occurred_on=day, document_kind=KIND, document_id=receipt.id)


def _post(receipt: GoodsReceipt, lines: list[GoodsReceiptLine]) -> None:
    against = accounts.OPENING_EQUITY if receipt.origin == "opening" else accounts.SUPPLY_CLEARING
    products = products_by_id({line.product_id for line in lines})
    posted: list[Line] = []
    for line in lines:
        value = line.value or ZERO
        cost = value if line.unit_cost is None else round_amount(line.qty * line.unit_cost)
        category = products[line.product_id].category_id
        posted += [
            Line(accounts.INVENTORY, value, category_id=category),
            Line(against, -cost),
            Line(accounts.SUPPLY_VARIANCE, cost - value, category_id=category),
        ]
    service.post(
        document_kind=KIND,
        document_id=receipt.id,
        event="posted",
        unit_id=receipt.unit_id,
        legal_entity_id=org.legal_entity_id_of(receipt.unit_id),
        posted_on=receipt.received_on,
        lines=posted,
    )


def _last_move(receipt_id: int) -> date:
    latest = select(func.max(StockMove.occurred_on)).where(
        StockMove.document_kind == KIND, StockMove.document_id == receipt_id
    )
    return db.session.execute(latest).scalar() or clock.today()
