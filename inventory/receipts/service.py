"""Goods receipts: saved as draft, posted to both books of the stock ledger, reversed.

Finance gives the goods their value in the hooks ``goods_receipt.posted`` and ``goods_receipt.reversed``, in the same
transaction, after both books.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import delete, insert, select

from branches.catalogue.models import Product
from branches.org.models import Warehouse
from inventory.receipts import rules
from inventory.receipts.models import GoodsReceipt, GoodsReceiptLine
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.stock import locations
from inventory.stock import service as stock
from inventory.stock.models import BUSINESS, FINANCIAL, StockMove
from sdm.kernel import audit, clock, documents, hooks, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, describe
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

__all__ = [
    "ReceiptInput",
    "ReceivedLine",
    "change_receipt",
    "discard_receipt",
    "post_receipt",
    "reverse_receipt",
    "save_receipt",
]

describe({"receipt.reversed_before": N_("%(value)s is before the goods were received on %(received_on)s")})


@command(Permission.GOODS_RECEIPT_POST)
def save_receipt(entered: ReceiptInput, post: bool = False) -> DocumentRef:
    """Save a goods receipt as draft, or post it at once. The same UUID again answers the document made before.

    Raises InvalidInput with all faults at once.
    """
    known = _by_uuid(entered.uuid)
    if known is not None:
        return known.ref()
    warehouse = _checked(entered)
    receipt = GoodsReceipt(
        uuid=entered.uuid,
        unit_id=warehouse.unit_id,
        state="draft",
        source=entered.source,
        created_by_id=current().user_id,
        warehouse_id=warehouse.id,
        origin=entered.origin,
        supplier_name=entered.supplier_name,
        reference=entered.reference,
        received_on=entered.received_on,
        note=entered.note,
    )
    db.session.add(receipt)
    db.session.flush()
    _write_lines(receipt.id, entered.lines)
    audit.write(receipt.kind, receipt.id, "create", receipt.unit_id, {"state": [None, "draft"]})
    if post:
        _post(receipt)
    db.session.flush()
    return receipt.ref()


@command(Permission.GOODS_RECEIPT_POST)
def change_receipt(receipt_id: int, version: int | None, entered: ReceiptInput, post: bool = False) -> DocumentRef:
    """Replace what a draft says, and post it where wanted. Raises StaleVersion, IllegalTransition, InvalidInput."""
    receipt: GoodsReceipt = documents.lock(GoodsReceipt, receipt_id, version)
    documents.require_state(receipt, {"draft"}, "change")
    warehouse = _checked(entered)
    receipt.warehouse_id, receipt.unit_id = warehouse.id, warehouse.unit_id
    receipt.origin, receipt.received_on = entered.origin, entered.received_on
    receipt.supplier_name, receipt.reference, receipt.note = entered.supplier_name, entered.reference, entered.note
    db.session.execute(delete(GoodsReceiptLine).where(GoodsReceiptLine.goods_receipt_id == receipt.id))
    _write_lines(receipt.id, entered.lines)
    documents.step(receipt, "change")
    if post:
        _post(receipt)
    db.session.flush()
    return receipt.ref()


@command(Permission.GOODS_RECEIPT_POST)
def post_receipt(receipt_id: int, version: int | None = None) -> DocumentRef:
    """Post a draft: goods are in the warehouse and belong to its unit. Raises StaleVersion, IllegalTransition."""
    receipt: GoodsReceipt = documents.lock(GoodsReceipt, receipt_id, version)
    _post(receipt)
    db.session.flush()
    return receipt.ref()


@command(Permission.GOODS_RECEIPT_POST)
def reverse_receipt(
    receipt_id: int, version: int | None = None, reversed_on: date | None = None, reason: str = ""
) -> DocumentRef:
    """Take a posted receipt back on a date, in both books and in value. InsufficientStock where goods are gone."""
    receipt: GoodsReceipt = documents.lock(GoodsReceipt, receipt_id, version)
    documents.require_state(receipt, {"posted"}, "reverse")
    day = reversed_on or clock.today()
    if day < receipt.received_on:
        detail = {"received_on": receipt.received_on.isoformat()}
        raise InvalidInput([FieldError("reversed_on", "receipt.reversed_before", day.isoformat(), detail)])
    _take_back(receipt, day)
    documents.step(receipt, "reverse", "reversed", reason=reason)
    db.session.flush()
    hooks.call("goods_receipt.reversed", receipt.id)
    return receipt.ref()


@command(Permission.GOODS_RECEIPT_POST)
def discard_receipt(receipt_id: int, version: int | None = None) -> None:
    """Delete a draft that was never posted. Raises NotFound, StaleVersion, IllegalTransition."""
    receipt: GoodsReceipt = documents.lock(GoodsReceipt, receipt_id, version)
    documents.require_state(receipt, {"draft"}, "discard")
    audit.write(receipt.kind, receipt.id, "discard", receipt.unit_id, {"state": ["draft", None]})
    db.session.execute(delete(GoodsReceiptLine).where(GoodsReceiptLine.goods_receipt_id == receipt.id))
    db.session.delete(receipt)


def _by_uuid(uuid: UUID) -> GoodsReceipt | None:
    return db.session.execute(select(GoodsReceipt).where(GoodsReceipt.uuid == uuid)).scalar_one_or_none()


def _checked(entered: ReceiptInput) -> Warehouse:
    """The warehouse in scope; InvalidInput with every fault of the input."""
    wanted = {line.product_id for line in entered.lines[: rules.LINES_MAX]}
    stocked = dict(db.session.execute(select(Product.id, Product.stocked).where(Product.id.in_(wanted))).all())
    found = rules.faults(entered, clock.today(), stocked)
    warehouse = db.session.execute(
        select(Warehouse).where(Warehouse.id == entered.warehouse_id, Warehouse.active)
    ).scalar_one_or_none()
    if warehouse is None:
        found.append(FieldError("warehouse_id", "input.unknown", entered.warehouse_id))
    if found or warehouse is None:
        raise InvalidInput(found)
    return warehouse


def _write_lines(receipt_id: int, lines: Sequence[ReceivedLine]) -> None:
    rows = [
        {
            "goods_receipt_id": receipt_id,
            "line_no": number,
            "product_id": line.product_id,
            "qty": line.qty,
            "unit_cost": line.unit_cost,
        }
        for number, line in enumerate(lines, start=1)
    ]
    db.session.execute(insert(GoodsReceiptLine), rows)


def lines_of(receipt_id: int) -> Sequence[GoodsReceiptLine]:
    """Lines of a receipt that was found in scope."""
    statement = select(GoodsReceiptLine).where(GoodsReceiptLine.goods_receipt_id == receipt_id)
    return db.session.execute(statement.order_by(GoodsReceiptLine.line_no)).scalars().all()


def _post(receipt: GoodsReceipt) -> None:
    documents.require_state(receipt, {"draft"}, "post")
    lines = lines_of(receipt.id)
    if not lines:
        raise InvalidInput([FieldError("lines", "receipt.no_lines")])
    places = locations.ensure(_keys(receipt))
    business = [places[key] for key in _keys(receipt)[:2]]
    financial = [places[key] for key in _keys(receipt)[2:]]
    for book, (source, target) in ((BUSINESS, business), (FINANCIAL, financial)):
        stock.post_moves(
            book,
            [stock.Move(source, target, line.product_id, line.qty, line.id) for line in lines],
            reason="goods_receipt",
            occurred_on=receipt.received_on,
            document_kind=receipt.kind,
            document_id=receipt.id,
        )
    receipt.posted_at = clock.now()
    documents.step(receipt, "post", "posted")
    db.session.flush()
    outbox.record("goods_receipt.posted", receipt.kind, receipt.id, receipt.unit_id, warehouse_id=receipt.warehouse_id)
    hooks.call("goods_receipt.posted", receipt.id)


def _keys(receipt: GoodsReceipt) -> list[locations.Key]:
    """Business source and target, financial source and target."""
    return [
        locations.outside_key(BUSINESS, rules.SOURCE_OF[receipt.origin]),
        locations.warehouse_key(receipt.warehouse_id),
        locations.outside_key(FINANCIAL),
        locations.owner_key(receipt.unit_id),
    ]


def _take_back(receipt: GoodsReceipt, day: date) -> None:
    """Post the opposite of every move of the receipt, naming the move it takes back."""
    posted = db.session.execute(
        select(StockMove)
        .where(StockMove.document_kind == receipt.kind, StockMove.document_id == receipt.id)
        .order_by(StockMove.id)
    ).scalars()
    moves: dict[str, list[stock.Move]] = {BUSINESS: [], FINANCIAL: []}
    for move in posted:
        moves[move.book].append(
            stock.Move(
                move.to_id, move.from_id, move.product_id, move.qty, move.line_id, move.lot_id, corrects_id=move.id
            )
        )
    for book in (BUSINESS, FINANCIAL):
        stock.post_moves(
            book,
            moves[book],
            reason="goods_receipt_reversal",
            occurred_on=day,
            document_kind=receipt.kind,
            document_id=receipt.id,
        )
