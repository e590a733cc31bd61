"""Goods receipts for programs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import select

from inventory.receipts import queries, service
from inventory.receipts.models import GoodsReceipt
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.receipts.schemas import ReceiptFullOut, ReceiptIn, ReceiptOut, ReceiptQuery, ReverseIn
from sdm.kernel import api
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

blueprint = api.blueprint("goods_receipts", __name__)


@api.route(
    blueprint, "/goods-receipts", permission=Permission.GOODS_RECEIPT_READ, query=ReceiptQuery, response=ReceiptOut,
    summary="Goods receipts", paged=True,
)  # fmt: skip
def list_receipts(query: dict[str, Any]) -> api.Page:
    """Receipts in scope, oldest first."""
    statement = select(GoodsReceipt)
    if query["state"]:
        statement = statement.where(GoodsReceipt.state == query["state"])
    if query["warehouse_id"]:
        statement = statement.where(GoodsReceipt.warehouse_id == query["warehouse_id"])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    blueprint, "/goods-receipts/<int:id>", permission=Permission.GOODS_RECEIPT_READ, response=ReceiptFullOut,
    summary="One goods receipt",
)  # fmt: skip
def get_receipt(id: int) -> dict[str, Any]:
    """A receipt with its lines."""
    return _full(id)


@api.route(
    blueprint, "/goods-receipts", methods=["POST"], permission=Permission.GOODS_RECEIPT_POST, request=ReceiptIn,
    response=api.RefSchema, summary="Enter a goods receipt", creates=True, location="get_receipt",
)  # fmt: skip
def create_receipt(body: dict[str, Any]) -> DocumentRef:
    """Saved as draft, or posted at once with `post`. The same `uuid` never makes a second receipt."""
    return service.save_receipt(_input(body), post=body["post"])


@api.route(
    blueprint, "/goods-receipts/<int:id>", methods=["PUT"], permission=Permission.GOODS_RECEIPT_POST, request=ReceiptIn,
    response=api.RefSchema, summary="Replace a draft", if_match=True,
)  # fmt: skip
def change_receipt(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Only drafts can be changed."""
    return service.change_receipt(id, version, _input(body), post=body["post"])


@api.route(
    blueprint, "/goods-receipts/<int:id>/post", methods=["POST"], permission=Permission.GOODS_RECEIPT_POST,
    response=api.RefSchema, summary="Post a draft", if_match=True,
)  # fmt: skip
def post_receipt(id: int, version: int | None) -> DocumentRef:
    """The goods are in stock then."""
    return service.post_receipt(id, version)


@api.route(
    blueprint, "/goods-receipts/<int:id>/reverse", methods=["POST"], permission=Permission.GOODS_RECEIPT_POST,
    request=ReverseIn, response=api.RefSchema, summary="Reverse a posted receipt", if_match=True,
)  # fmt: skip
def reverse_receipt(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Refused where the goods are gone already."""
    return service.reverse_receipt(id, version, **body)


def _input(body: dict[str, Any]) -> ReceiptInput:
    values = {key: value for key, value in body.items() if key not in {"lines", "post"}}
    lines = tuple(ReceivedLine(**line) for line in body["lines"])
    return ReceiptInput(**{"uuid": uuid4(), **values}, lines=lines, source="api")


def _full(receipt_id: int) -> dict[str, Any]:
    shown = queries.receipt_page(receipt_id)
    names = ("kind", "id", "number", "state", "version", "uuid", "unit_id", "warehouse_id", "origin", "supplier_name",
             "reference", "received_on", "note")  # fmt: skip
    return {**{name: getattr(shown.receipt, name) for name in names}, "lines": shown.lines}
