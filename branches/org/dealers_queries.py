"""Reads of dealers: by id, by what somebody types, doubles, the channel tree over time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from branches.org import dealers_rules as rules
from branches.org.models import Dealer, DealerContact, DealerGrade, DealerParent, Person, Unit
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.pinyin import fold, like
from sdm.kernel.scope import whole_network

SIMILAR_MAX = 5
CANDIDATES_MAX = 200


@dataclass(frozen=True, slots=True)
class SimilarDealer:
    """An existing dealer that the entered one may be. `why`: name, tax_no or phone."""

    id: int
    code: str
    name: str
    unit_name: str
    status: str
    why: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Move:
    """One period under a channel parent, both days included; open ends are None."""

    parent_id: int | None
    parent_name: str | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class DealerPage:
    """Master data of one dealer for its page."""

    dealer: Dealer
    unit_name: str
    grade_name: str
    manager_name: str | None
    payer: Dealer
    parent_name: str | None
    merged_into: Dealer | None
    contacts: list[DealerContact]
    moves: list[Move]
    children: list[Dealer]
    paid_for: list[Dealer]
    doubles: list[Dealer]


def dealer(dealer_id: int) -> Dealer:
    """A dealer in scope, or NotFound."""
    row = db.session.execute(select(Dealer).where(Dealer.id == dealer_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="dealer", id=dealer_id)
    return row


def dealers_by_id(ids: Iterable[int]) -> dict[int, Dealer]:
    """Dealers in scope by id; others are missing."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {row.id: row for row in db.session.execute(select(Dealer).where(Dealer.id.in_(wanted))).scalars()}


def dealers_by_code(codes: Iterable[str]) -> dict[str, Dealer]:
    """Dealers in scope by code; others are missing."""
    wanted = sorted(set(codes))
    if not wanted:
        return {}
    return {row.code: row for row in db.session.execute(select(Dealer).where(Dealer.code.in_(wanted))).scalars()}


def names_of(ids: Collection[int | None]) -> dict[int, str]:
    """Names of dealers in scope by id."""
    wanted = sorted({i for i in ids if i is not None})
    if not wanted:
        return {}
    rows = db.session.execute(select(Dealer.id, Dealer.name).where(Dealer.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def dealer_page(dealer_id: int) -> DealerPage:
    """Everything the dealer's page shows of its master data: a fixed number of small statements."""
    row = dealer(dealer_id)
    linked = dealers_by_id(i for i in (row.payer_id, row.merged_into_id, row.parent_dealer_id) if i is not None)
    related = _related(dealer_id)
    names = db.session.execute(
        select(Unit.name, DealerGrade.name.label("grade"), Person.name.label("manager"))
        .select_from(Unit)
        .join(DealerGrade, DealerGrade.code == row.grade_code)
        .outerjoin(Person, Person.id == row.manager_id)
        .where(Unit.id == row.unit_id)
    ).one_or_none()
    parent = linked.get(row.parent_dealer_id or 0)
    return DealerPage(
        dealer=row,
        unit_name=names.name if names else "",
        grade_name=names.grade if names else row.grade_code,
        manager_name=names.manager if names else None,
        payer=linked.get(row.payer_id or 0, row),
        parent_name=parent.name if parent else None,
        merged_into=linked.get(row.merged_into_id or 0),
        contacts=contacts(dealer_id),
        moves=moves(dealer_id),
        children=[other for other in related if other.parent_dealer_id == dealer_id],
        paid_for=[other for other in related if other.payer_id == dealer_id],
        doubles=[other for other in related if other.merged_into_id == dealer_id],
    )


def _related(dealer_id: int) -> list[Dealer]:
    found = or_(Dealer.parent_dealer_id == dealer_id, Dealer.payer_id == dealer_id, Dealer.merged_into_id == dealer_id)
    statement = select(Dealer).where(found, Dealer.id != dealer_id).order_by(Dealer.code)
    return list(db.session.execute(statement.limit(CANDIDATES_MAX)).scalars())


def contacts(dealer_id: int) -> list[DealerContact]:
    """Contacts of a dealer that the caller has read in scope."""
    statement = select(DealerContact).where(DealerContact.dealer_id == dealer_id).order_by(DealerContact.id)
    return list(db.session.execute(statement).scalars())


def family_ids(dealer_id: int) -> set[int]:
    """The dealer and the doubles merged into it: whose documents its page shows."""
    statement = select(Dealer.id).where(or_(Dealer.id == dealer_id, Dealer.merged_into_id == dealer_id))
    return set(db.session.execute(statement).scalars())


# --- finding ----------------------------------------------------------------------------------------------------------


def searched(q: str) -> Select[Any]:
    """Dealers in scope whose code, names, initials, phone digits or tax number contain every word, best first."""
    words = [rules.digits(word) if _is_phone(word) else word for word in fold(q).split()[:6]]
    statement = select(Dealer)
    for word in words:
        statement = statement.where(Dealer.search.like(like(word), escape="\\"))
    if not words:
        return statement.order_by(Dealer.code)
    start = like(words[0])[1:]
    rank = case(
        (func.lower(Dealer.code) == words[0], 0),
        (func.lower(Dealer.code).like(start, escape="\\"), 1),
        (Dealer.pinyin.like(start, escape="\\"), 2),
        (Dealer.name.ilike(start, escape="\\"), 3),
        else_=4,
    )
    return statement.order_by(rank, func.length(Dealer.name), Dealer.code)


def _is_phone(word: str) -> bool:
    return len(rules.digits(word)) >= 7 and not any(c.isalpha() for c in word)


def pick(q: str, limit: int = 10, unit_id: int | None = None, inactive: bool = False) -> list[Dealer]:
    """The best dealers for a text; inactive ones only when asked for."""
    statement = searched(q)
    if not inactive:
        statement = statement.where(Dealer.status != "inactive")
    if unit_id is not None:
        statement = statement.where(Dealer.unit_id == unit_id)
    return list(db.session.execute(statement.limit(limit)).scalars())


def similar(name: str, tax_no: str = "", phone: str = "", not_id: int | None = None) -> list[SimilarDealer]:
    """Existing dealers in scope with a similar name, the same tax number or the same phone (CD-02), likeliest first."""
    core = rules.core_name(name)
    terms: list[ColumnElement[bool]] = [Dealer.name_core.op("%")(core)] if core else []
    if tax_no:
        terms.append(Dealer.tax_no == tax_no)
    if len(rules.digits(phone)) >= 7:
        terms.append(Dealer.search.like(like(rules.digits(phone)), escape="\\"))
    if not terms:
        return []
    statement = (
        select(Dealer.id, Dealer.code, Dealer.name, Dealer.tax_no, Dealer.status, Unit.name.label("unit_name"))
        .join(Unit, Unit.id == Dealer.unit_id)
        .where(or_(*terms), Dealer.merged_into_id.is_(None), Dealer.id.is_distinct_from(not_id))
        .order_by(func.similarity(Dealer.name_core, core).desc(), Dealer.id)
        .limit(CANDIDATES_MAX)
    )
    found = [_likeness(row, name, tax_no) for row in db.session.execute(statement)]
    likely = [entry for entry in found if entry.why != "name" or entry.likeness >= rules.SIMILAR_FROM]
    return sorted(likely, key=lambda entry: (entry.why != "tax_no", -entry.likeness, entry.id))[:SIMILAR_MAX]


def _likeness(row: Any, name: str, tax_no: str) -> SimilarDealer:
    likeness = rules.name_similarity(row.name, name) if name else 0.0
    why = "tax_no" if tax_no and row.tax_no == tax_no else "name" if likeness >= rules.SIMILAR_FROM else "phone"
    return SimilarDealer(row.id, row.code, row.name, row.unit_name, row.status, why, likeness)


def tax_no_elsewhere(tax_no: str, not_id: int | None = None) -> str | None:
    """Name of the unit that serves a dealer with this tax number outside the scope; a verdict, no row of it."""
    if not tax_no:
        return None
    mine = select(Dealer.id).where(Dealer.tax_no == tax_no)
    if db.session.execute(mine.limit(1)).first():
        return None
    with whole_network("a tax number is unique in the company"):
        statement = (
            select(Unit.name)
            .join(Dealer, Dealer.unit_id == Unit.id)
            .where(Dealer.tax_no == tax_no, Dealer.merged_into_id.is_(None), Dealer.id.is_distinct_from(not_id))
        )
        return db.session.execute(statement.order_by(Dealer.id).limit(1)).scalar()


# --- the channel tree -------------------------------------------------------------------------------------------------


def parents_on(on: date | None = None, dealer_ids: Collection[int] | None = None) -> dict[int, int | None]:
    """Channel parent of dealers in scope on a day (default today): dealer → parent; one statement."""
    in_force = _in_force(on or clock.today())
    parent = case((in_force.c.dealer_id.is_(None), Dealer.parent_dealer_id), else_=in_force.c.parent_dealer_id)
    statement = select(Dealer.id, parent.label("parent_id")).outerjoin(in_force, in_force.c.dealer_id == Dealer.id)
    if dealer_ids is not None:
        statement = statement.where(Dealer.id.in_(sorted(dealer_ids)))
    return {row.id: row.parent_id for row in db.session.execute(statement)}


def _in_force(day: date) -> Subquery:
    """(dealer_id, parent_dealer_id) of the last move up to a day."""
    return (
        select(DealerParent.dealer_id, DealerParent.parent_dealer_id)
        .where(DealerParent.valid_from <= day)
        .ext(distinct_on(DealerParent.dealer_id))
        .order_by(DealerParent.dealer_id, DealerParent.valid_from.desc())
        .subquery()
    )


def channel_below(dealer_id: int, on: date | None = None) -> set[int]:
    """The dealer and all below it in the channel on a day: whose documents of that day count for it (CD-03)."""
    return rules.below(dealer_id, parents_on(on))


def moves(dealer_id: int) -> list[Move]:
    """Periods under each channel parent, newest first."""
    parent = aliased(Dealer)
    rows: Sequence[Any] = db.session.execute(
        select(DealerParent.parent_dealer_id, DealerParent.valid_from, parent.name)
        .outerjoin(parent, parent.id == DealerParent.parent_dealer_id)
        .where(DealerParent.dealer_id == dealer_id)
        .order_by(DealerParent.valid_from)
    ).all()
    ends: list[date | None] = [*(row.valid_from - timedelta(days=1) for row in rows[1:]), None]
    found = [
        Move(row.parent_dealer_id, row.name, None if row.valid_from == rules.FIRST_DAY else row.valid_from, end)
        for row, end in zip(rows, ends, strict=False)
    ]
    return found[::-1]


def due_parents(on: date) -> list[tuple[int, int | None]]:
    """(dealer, parent) where the parent in force on the day differs from the one on the dealer's record."""
    in_force = _in_force(on)
    statement = (
        select(Dealer.id, in_force.c.parent_dealer_id)
        .join(in_force, in_force.c.dealer_id == Dealer.id)
        .where(Dealer.parent_dealer_id.is_distinct_from(in_force.c.parent_dealer_id))
        .order_by(Dealer.id)
    )
    return [(row.id, row.parent_dealer_id) for row in db.session.execute(statement)]


# --- grades -----------------------------------------------------------------------------------------------------------


def grades(active_only: bool = True) -> list[DealerGrade]:
    """Grades, best first."""
    statement = select(DealerGrade).order_by(DealerGrade.rank, DealerGrade.code)
    return list(db.session.execute(statement.where(DealerGrade.active) if active_only else statement).scalars())


def grade(code: str) -> DealerGrade:
    """A grade, or NotFound."""
    row = db.session.get(DealerGrade, code)
    if row is None:
        raise NotFound("not_found", kind="dealer_grade", id=code)
    return row


def pays_for_others(dealer_id: int) -> bool:
    """Whether other dealers name this one as their payer."""
    with whole_network("a payer may pay for dealers of other units"):
        statement = select(Dealer.id).where(and_(Dealer.payer_id == dealer_id, Dealer.id != dealer_id)).limit(1)
        return db.session.execute(statement).first() is not None
