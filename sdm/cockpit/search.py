"""One search over pages, documents, dealers and products: number, code, name, pinyin initials, phone or tax digits,
barcode (BA-25, CD-12). Everything in the actor's scope and with his permissions; every statement is served by an index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from branches.catalogue import queries as catalogue
from branches.catalogue.models import Product
from branches.org import dealers_queries as dealers
from branches.org import queries as org
from branches.org.models import Dealer
from finance.receivables.models import TaxInvoice, TaxInvoiceLink
from sdm.kernel import documents
from sdm.kernel.db import db
from sdm.kernel.documents import DocumentKind
from sdm.kernel.frame import may, nav, state_label, url_or_none
from sdm.kernel.i18n import _, translate
from sdm.kernel.permissions import Permission

TEXT_MAX = 100
DIGITS = 8
CANDIDATES = 300
ID_MAX = 10**15
LAST_SIGN = "\U0010fffd"
_NUMBER = re.compile(r"^([A-Z]{0,4})[-\s]?(\d{1,15})$")
_TAIL = re.compile(r"^(.*-)(\d{1,7})$")
# Kinds whose list page takes the search text; (endpoint, parameter of the list).
LISTS = {
    "sales_order": "orders.index",
    "sales_return": "returns.index",
    "quotation": "quotations.index",
    "shipment": "shipments.index",
    "goods_receipt": "goods_receipts.index",
    "invoice": "invoices.index",
    "receipt": "receipts.index",
    "receivable_adjustment": "receivables.adjustments",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found."""

    label: str
    hint: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind; ``url`` is the list of all of them."""

    label: str
    hits: list[Hit]
    url: str | None = None


def cleaned(text: str) -> str:
    """What is searched for: full-width signs made narrow, no control characters, bounded."""
    narrow = unicodedata.normalize("NFKC", text[: 2 * TEXT_MAX])
    return "".join(sign for sign in narrow if sign.isprintable()).strip()[:TEXT_MAX]


def search(text: str, limit: int = 6) -> list[Group]:
    """Groups with at most ``limit`` hits each; empty groups are left out."""
    wanted = cleaned(text)
    if not wanted:
        return []
    groups = [*_documents(wanted, limit), _dealers(wanted, limit), _products(wanted, limit), _pages(wanted, limit)]
    return [group for group in groups if group.hits]


# --- documents --------------------------------------------------------------------------------------------------------


def _documents(text: str, limit: int) -> list[Group]:
    """Documents by ordinary, legal, external and tax number: the whole number, or the part it begins with."""
    compact = text.upper().replace(" ", "")
    if not any(sign.isdigit() for sign in compact):
        return []
    wanted = _wanted(compact)
    groups = []
    for kind in documents.kinds():
        condition = wanted(kind.model) if may(kind.permission) and hasattr(kind.model, "number") else None
        if condition is not None:
            hits = _of_kind(kind, condition, limit)
            groups.append(Group(translate(str(kind.label)), hits, _list_of(kind, text)))
    return groups


def _list_of(kind: DocumentKind, text: str) -> str | None:
    return url_or_none(LISTS[kind.code], q=text) if kind.code in LISTS else None


def _wanted(text: str) -> Callable[[Any], ColumnElement[bool] | None]:
    """A function of a document's model that says which of its rows the text means; None where it can mean none."""
    match = _NUMBER.match(text)
    prefix, digits = (match.group(1), match.group(2)) if match else ("", "")

    def condition(model: Any) -> ColumnElement[bool] | None:
        terms = _by_legal(model, text) + _by_external(model, text)
        if digits and _prefix(model).startswith(prefix):
            terms += _by_id(model, digits)
        return or_(*terms) if terms else None

    return condition


def _prefix(model: Any) -> str:
    return str(getattr(model, "prefix", "CL"))


def _by_id(model: Any, digits: str) -> list[ColumnElement[bool]]:
    """Numbers are prefix and identity: the very identity, and those whose padded number begins with the digits."""
    terms = [model.id == int(digits)]
    if len(digits) < DIGITS and digits.startswith("0"):
        scale = 10 ** (DIGITS - len(digits))
        low = int(digits) * scale
        terms.append(model.id.between(max(low, 1), low + scale - 1))
    return terms


def _by_legal(model: Any, text: str) -> list[ColumnElement[bool]]:
    """Gapless numbers such as ``INV1-2026-00000012``: whole, with zeros left out, or its beginning."""
    if not hasattr(model, "legal_number") or len(text) < 3:
        return []
    column, tail = model.legal_number, _TAIL.match(text)
    terms = [column == f"{tail.group(1)}{int(tail.group(2)):08d}"] if tail else []
    return [*terms, column.between(text, text + LAST_SIGN)]


def _by_external(model: Any, text: str) -> list[ColumnElement[bool]]:
    """Numbers of other systems and of the tax platform, whole. Shipments are found through their invoices."""
    terms: list[ColumnElement[bool]] = []
    if model.__tablename__ in {"invoice", "sales_order", "sales_return"}:
        terms.append(and_(model.external_number == text, model.external_number != ""))
    if model.__tablename__ == "invoice":
        linked = select(TaxInvoiceLink.invoice_id).join(TaxInvoice, TaxInvoice.id == TaxInvoiceLink.tax_invoice_id)
        terms.append(model.id.in_(linked.where(TaxInvoice.number == text)))
    if model.__tablename__ == "receipt" and len(text) > 3:
        terms.append(model.reference == text)
    return terms


def _of_kind(kind: DocumentKind, condition: ColumnElement[bool], limit: int) -> list[Hit]:
    """Two small statements would be two trips; one with the terms combined is answered by their indexes."""
    model = kind.model
    found: Select[Any] = select(model.id).where(condition).order_by(model.id.desc()).limit(limit)
    extra = [getattr(model, name) for name in ("legal_number", "external_number") if hasattr(model, name)]
    statement = select(model.id, model.number, model.state, *extra, *_dealer_name(model)).where(model.id.in_(found))
    if hasattr(model, "dealer_id"):
        statement = statement.outerjoin(Dealer, Dealer.id == model.dealer_id)
    rows = db.session.execute(statement.order_by(model.id.desc()).limit(limit))
    return [hit for row in rows if (hit := _document_hit(kind, row)) is not None]


def _dealer_name(model: Any) -> list[Any]:
    return [Dealer.name.label("dealer")] if hasattr(model, "dealer_id") else []


def _document_hit(kind: DocumentKind, row: Any) -> Hit | None:
    url = url_or_none(kind.endpoint, id=row.id)
    told = row._mapping
    words = [
        told.get("legal_number"),
        told.get("external_number"),
        told.get("dealer"),
        state_label(row.state, kind.code),
    ]
    return Hit(row.number, " · ".join(word for word in words if word), url) if url else None


# --- dealers, products, pages -----------------------------------------------------------------------------------------


def _found(statement: Select[Any], model: Any, columns: tuple[Any, ...], text: str, limit: int) -> list[Any]:
    """The best of the first matches: code, then beginnings of code, initials and name, then shorter names.

    Ranking every match of a short text would read the whole table; beyond CANDIDATES the first ones found compete, and
    whoever has the very code.
    """
    plain = statement.with_only_columns(*columns).order_by(None)
    rows = list(db.session.execute(plain.limit(CANDIDATES)))
    if len(rows) == CANDIDATES:
        rows += db.session.execute(select(*columns).where(model.code.in_([text, text.upper()])))
    wanted = text.casefold()

    def rank(row: Any) -> tuple[Any, ...]:
        code, name = row.code.casefold(), row.name.casefold()
        return (
            code != wanted, not code.startswith(wanted), not row.pinyin.startswith(wanted), not name.startswith(wanted),
            len(name), code,
        )  # fmt: skip

    return sorted({row.id: row for row in rows}.values(), key=rank)[:limit]


def _dealers(text: str, limit: int) -> Group:
    """Dealers by code, name, initials, phone and tax digits."""
    if not may(Permission.DEALER_READ):
        return Group("", [])
    columns = (Dealer.id, Dealer.code, Dealer.name, Dealer.pinyin, Dealer.unit_id, Dealer.phone, Dealer.status)
    known, hits = org.tree().units, []
    for row in _found(dealers.searched(text), Dealer, columns, text, limit):
        unit, url = known.get(row.unit_id), url_or_none("dealers.show", id=row.id)
        state = "" if row.status == "active" else state_label(row.status, "dealer")
        words = [row.code, unit.name if unit else "", row.phone, state]
        if url:
            hits.append(Hit(row.name, " · ".join(word for word in words if word), url))
    return Group(_("Dealers"), hits, url_or_none("dealers.index", q=text))


def _products(text: str, limit: int) -> Group:
    """Products by code, name, specification, initials and barcode."""
    if not may(Permission.PRODUCT_READ):
        return Group("", [])
    columns = (
        Product.id,
        Product.code,
        Product.name,
        Product.pinyin,
        Product.specification,
        Product.brand,
        Product.status,
    )
    hits = []
    for row in _found(catalogue.searched(text), Product, columns, text, limit):
        url = url_or_none("catalogue.show", id=row.id)
        state = "" if row.status == "active" else state_label(row.status, "product")
        words = [row.code, row.specification, row.brand, state]
        if url:
            hits.append(Hit(row.name, " · ".join(word for word in words if word), url))
    return Group(_("Products"), hits, url_or_none("catalogue.index", q=text))


def _pages(text: str, limit: int) -> Group:
    """Pages of the navigation by a part of their name."""
    wanted = text.casefold()
    hits = [
        Hit(link.label, group, link.url)
        for group, links in nav.visible()
        for link in links
        if len(wanted) > 1 and wanted in link.label.casefold()
    ]
    return Group(_("Go to"), hits[:limit])
