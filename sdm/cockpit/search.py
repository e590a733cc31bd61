"""One search over documents, dealers and products: number, code, name, pinyin initials, phone digits (BA-25)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from branches.catalogue import queries as catalogue
from branches.org import dealers_queries as dealers
from branches.org import queries as org
from branches.org.models import Dealer
from sdm.kernel import documents
from sdm.kernel.db import db
from sdm.kernel.documents import DocumentKind
from sdm.kernel.frame import may, state_label, url_or_none
from sdm.kernel.i18n import _, translate
from sdm.kernel.permissions import Permission

TEXT_MAX = 100
RECENT = 3000
ID_MAX = 10**15
_NUMBER = re.compile(r"^([A-Za-z]{0,4})[- ]?0*(\d{1,15})$")


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found."""

    label: str
    hint: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind."""

    label: str
    hits: list[Hit]


def cleaned(text: str) -> str:
    """What is searched for: no control characters, full-width narrowed by the readers, bounded."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:TEXT_MAX]


def search(text: str, limit: int = 5) -> list[Group]:
    """Groups with at most ``limit`` hits each, in the actor's scope and with his permissions; empty groups left out."""
    wanted = cleaned(text)
    if not wanted:
        return []
    groups = [*_documents(wanted, limit), _dealers(wanted, limit), _products(wanted, limit)]
    return [group for group in groups if group.hits]


def _documents(text: str, limit: int) -> list[Group]:
    """Documents by number: the whole of it wherever it is, a part of it among the latest of each kind."""
    compact = text.replace(" ", "").upper()
    if not any(sign.isdigit() for sign in compact):
        return []
    match = _NUMBER.match(compact)
    prefix, number = (match.group(1), int(match.group(2))) if match else ("", 0)
    groups = []
    for kind in documents.kinds():
        if not may(kind.permission) or not hasattr(kind.model, "number"):
            continue
        own = getattr(kind.model, "prefix", "")
        if prefix and not own.startswith(prefix) and not hasattr(kind.model, "legal_number"):
            continue
        groups.append(
            Group(translate(str(kind.label)), _of_kind(kind, compact, number if number < ID_MAX else 0, limit))
        )
    return groups


def _of_kind(kind: DocumentKind, text: str, number: int, limit: int) -> list[Hit]:
    model = kind.model
    recent = select(model.id, model.number).order_by(model.id.desc()).limit(RECENT).subquery()
    like = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    part = select(recent.c.id).where(recent.c.number.like(f"%{like}%", escape="\\"))
    same = [model.number == text, model.id == number, model.id.in_(part)]
    same += [getattr(model, name) == text for name in ("legal_number", "external_number") if hasattr(model, name)]
    statement = select(model.id, model.number, model.state, *_dealer_name(model)).where(or_(*same))
    if hasattr(model, "dealer_id"):
        statement = statement.outerjoin(Dealer, Dealer.id == model.dealer_id)
    rows = db.session.execute(statement.order_by((model.id == number).desc(), model.id.desc()).limit(limit))
    return [hit for row in rows if (hit := _document_hit(kind, row)) is not None]


def _dealer_name(model: Any) -> list[Any]:
    return [Dealer.name.label("dealer")] if hasattr(model, "dealer_id") else []


def _document_hit(kind: DocumentKind, row: Any) -> Hit | None:
    url = url_or_none(kind.endpoint, id=row.id)
    words = [getattr(row, "dealer", "") or "", state_label(row.state, kind.code)]
    return Hit(row.number, " · ".join(word for word in words if word), url) if url else None


def _dealers(text: str, limit: int) -> Group:
    hits = []
    if may(Permission.DEALER_READ):
        known = org.tree().units
        for row in dealers.pick(text, limit, inactive=True):
            url = url_or_none("dealers.show", id=row.id)
            unit = known.get(row.unit_id)
            words = [row.code, unit.name if unit else "", row.phone]
            if url:
                hits.append(Hit(row.name, " · ".join(word for word in words if word), url))
    return Group(_("Dealers"), hits)


def _products(text: str, limit: int) -> Group:
    hits = []
    if may(Permission.PRODUCT_READ):
        for row in catalogue.pick(text, limit, ended=True):
            url = url_or_none("catalogue.show", id=row.id)
            words = [row.code, row.specification, row.brand]
            if url:
                hits.append(Hit(row.name, " · ".join(word for word in words if word), url))
    return Group(_("Products"), hits)
