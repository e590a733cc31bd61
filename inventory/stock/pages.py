"""What document pages of goods share: history, chain, numbers of other documents, the moves as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from branches.catalogue.models import Product
from inventory.stock import queries
from sdm.kernel import audit, documents
from sdm.kernel.db import db
from sdm.kernel.frame import may, state_label, url_or_none

PLACES = {
    "warehouse": _l("Warehouse"),
    "transit": _l("In transit"),
    "dealer": _l("Dealer"),
    "claims": _l("Claims"),
    "owner": _l("Own stock"),
    "sold": _l("Sold"),
    "supplier": _l("Supplier"),
    "production": _l("Production"),
    "consumer": _l("Consumer"),
    "adjustment": _l("Adjustment"),
    "scrap": _l("Scrap"),
    "take_on": _l("Taken on"),
    "outside": _l("Outside"),
}
CHAIN = ("quotation", "sales_order", "goods_receipt", "shipment", "sales_return", "invoice", "receipt")
BOOKS = {"b": _l("Business"), "f": _l("Financial")}
REASONS = {
    "goods_receipt": _l("Goods receipt"),
    "goods_receipt_reversal": _l("Reversal of a goods receipt"),
    "shipment": _l("Shipment"),
    "signature": _l("Signature"),
    "invoice": _l("Invoice"),
    "invoice_red": _l("Red-letter invoice"),
    "sales_return": _l("Sales return"),
    "take_on": _l("Take-on"),
}


def word(words: Mapping[str, Any], code: str) -> str:
    """The word of a code in the reader's language, the code itself where it has none."""
    return str(words.get(code, code))


def history(kind: str, document_id: int, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Steps of a document, newest first, for the history tab; ``words`` names the actions."""
    events = []
    for at, who, action, changes in reversed(audit.history(kind, document_id)):
        reason = changes.get("reason")
        state = changes.get("state")
        note = state_label(state[1], kind) if state and state[1] and state[0] != state[1] else ""
        events.append(
            {"at": at, "who": who, "text": word(words, action), "note": " · ".join(filter(None, [note, reason]))}
        )
    return events


def numbers_of(pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Any]]:
    """Label, number, state and address of documents the actor may see; one statement per kind."""
    wanted: dict[str, set[int]] = {}
    for code, document_id in pairs:
        wanted.setdefault(code, set()).add(document_id)
    known = {kind.code: kind for kind in documents.kinds()}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for code, ids in wanted.items():
        if code not in known or not may(known[code].permission):
            continue
        kind = known[code]
        rows = db.session.execute(
            select(kind.model.id, kind.model.number, kind.model.state).where(kind.model.id.in_(ids))
        )
        for row in rows:
            url = url_or_none(kind.endpoint, id=row.id)
            found[code, row.id] = {"label": str(kind.label), "number": row.number, "state": row.state, "url": url}
    return found


def chain(kind: str, document_id: int) -> list[dict[str, Any]]:
    """The document chain (OS-13) as steps of the path; documents outside the reader's scope are left out."""
    nodes = documents.chain_of(kind, document_id)
    found = numbers_of(nodes)
    steps = []
    for node in sorted(found, key=lambda item: (CHAIN.index(item[0]) if item[0] in CHAIN else len(CHAIN), item[1])):
        told = found[node]
        steps.append(
            {**told, "note": state_label(told["state"], node[0]), "here": node == (kind, document_id), "open": False}
        )
    return steps if len(steps) > 1 else []


def move_rows(kind: str, document_id: int) -> list[dict[str, Any]]:
    """The moves of a document in both books, as rows of a small table."""
    moves = queries.moves_of(kind, document_id)
    names = product_names({move.product_id for move in moves})
    return [
        {
            "book": word(BOOKS, move.book),
            "day": move.occurred_on,
            "reason": word(REASONS, move.reason),
            "product": names.get(move.product_id, ""),
            "from": word(PLACES, move.from_kind),
            "to": word(PLACES, move.to_kind),
            "qty": move.qty,
        }
        for move in moves
    ]


MOVE_COLUMNS = (
    {"key": "book", "label": _l("Book")},
    {"key": "day", "label": _l("Business date"), "kind": "date"},
    {"key": "reason", "label": _l("Reason")},
    {"key": "product", "label": _l("Product")},
    {"key": "from", "label": _l("From")},
    {"key": "to", "label": _l("To")},
    {"key": "qty", "label": _l("Quantity"), "kind": "quantity"},
)


def product_names(ids: Iterable[int]) -> dict[int, str]:
    """Code and name of products."""
    rows = db.session.execute(select(Product.id, Product.code, Product.name).where(Product.id.in_(sorted(set(ids)))))
    return {row.id: f"{row.code} {row.name}" for row in rows}
