"""Pure rules of receivables: numbers, amounts of a billed line, postings of an invoice, warnings, allocation, bands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from finance.ledger import accounts
from finance.ledger.rules import Line
from sdm.kernel.money import portion, round_amount, split_vat

NONE = Decimal(0)
DRAFTING = frozenset({"drafted", "submitted", "approved"})
METHODS = ("transfer", "cash", "card", "online", "cheque")

# Reason of an adjustment → the account it is posted against.
ADJUSTMENT_REASONS: dict[str, str] = {
    "allowance": accounts.SALES_ALLOWANCE,
    "bad_debt": accounts.BAD_DEBT,
    "bank_charge": accounts.BANK_CHARGES,
    "rounding": accounts.ROUNDING,
    "interest": accounts.OTHER_INCOME,
    "opening": accounts.OPENING_EQUITY,
}


# --- gapless numbers --------------------------------------------------------------------------------------------------


def invoice_series(legal_entity_id: int, day: date) -> str:
    """Series of the invoices of a legal entity and year; red-letter invoices draw from the same."""
    return f"INV:{legal_entity_id}:{day.year}"


def receipt_series(legal_entity_id: int, day: date) -> str:
    """Series of the receipts of a legal entity and year."""
    return f"REC:{legal_entity_id}:{day.year}"


def legal_number(series: str, number: int) -> str:
    """The number as printed: ``INV1-2026-00000012`` for the twelfth of its series."""
    prefix, entity, year = series.split(":")
    return f"{prefix}{entity}-{year}-{number:08d}"


# --- billing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BillLine:
    """A delivered line to bill; ``qty`` None = all that is billable."""

    shipment_line_id: int
    qty: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Billable:
    """What of a delivered line can still be billed, in base units, beside what is already billed of it."""

    shipment_line_id: int
    shipment_id: int
    shipment: str
    unit_id: int
    dealer_id: int
    payer_id: int
    owner_unit_id: int
    order_line_id: int | None
    order_id: int | None
    product_id: int
    qty: Decimal
    amount: Decimal
    price: Decimal
    tax_rate: Decimal
    signed: bool
    billable: Decimal
    invoiced: Decimal
    billed_amount: Decimal


def line_gross(line: Billable, qty: Decimal) -> Decimal:
    """Gross of billing ``qty`` more units: what the line should have billed then, less what it has billed.

    So the last invoice of a line takes the rounding, whatever was billed and reversed before.
    """
    return portion(line.amount, line.qty, line.invoiced + qty) - line.billed_amount


def amounts(gross: Decimal, tax_rate: Decimal) -> dict[str, Decimal]:
    """gross, net and vat of a line."""
    net, vat = split_vat(gross, tax_rate)
    return {"gross": gross, "net": net, "vat": vat}


def taken_back(total: Decimal, whole: Decimal, before: Decimal, part: Decimal) -> Decimal:
    """Amount of ``part`` more units taken back of a line of ``whole`` units when ``before`` already were (all > 0)."""
    return portion(total, whole, before + part) - portion(total, whole, before)


class PostedLine(Protocol):
    """What a posting needs of an invoice line: signed amounts."""

    product_id: int
    net: Decimal
    vat: Decimal
    cost: Decimal
    carrying: Decimal


@dataclass(frozen=True, slots=True)
class Parties:
    """Who sells, who owned the goods, who owes; legal entities of both units."""

    unit_id: int
    legal_entity_id: int
    owner_unit_id: int
    owner_legal_entity_id: int
    payer_id: int
    dealer_id: int


def invoice_posting(parties: Parties, lines: Iterable[PostedLine], categories: Mapping[int, int]) -> list[Line]:
    """Entry of an invoice: Dr receivable; Cr revenue, output VAT; Dr cost, Cr inventory, variance; red ones negative.

    Where the owner is not the seller: owner Dr inter-unit at supply price, Cr inventory, variance; seller Dr cost, Cr
    inter-unit.
    """
    posted: list[Line] = []
    for line in lines:
        category = categories[line.product_id]
        money: dict[str, Any] = {"dealer_id": parties.dealer_id, "category_id": category}
        posted.append(Line(accounts.RECEIVABLE, line.net + line.vat, dealer_id=parties.payer_id))
        posted.append(Line(accounts.REVENUE, -line.net, **money))
        posted.append(Line(accounts.OUTPUT_VAT, -line.vat, category_id=category))
        posted.extend(_cost_posting(parties, line.cost, line.carrying, category))
    return posted


def _cost_posting(parties: Parties, cost: Decimal, carrying: Decimal, category: int) -> list[Line]:
    owner: dict[str, Any] = {"unit_id": parties.owner_unit_id, "legal_entity_id": parties.owner_legal_entity_id}
    goods = [
        Line(accounts.INVENTORY, -carrying, category_id=category, **owner),
        Line(accounts.SUPPLY_VARIANCE, carrying - cost, category_id=category, **owner),
    ]
    sold = Line(accounts.COST, cost, category_id=category, dealer_id=parties.dealer_id)
    if parties.owner_unit_id == parties.unit_id:
        return [sold, *goods]
    supply = [
        Line(accounts.INTER_UNIT, cost, counter_unit_id=parties.unit_id, **owner),
        Line(accounts.INTER_UNIT, -cost, counter_unit_id=parties.owner_unit_id),
    ]
    return [sold, *goods, *supply]


def line_cost(qty: Decimal, supply_price: Decimal | None, carrying: Decimal) -> Decimal:
    """Cost of a sale: at the supply price of the invoice date; without one, what left inventory."""
    return carrying if supply_price is None else round_amount(qty * supply_price)


# --- warnings for the examiner ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExamFigures:
    """What the examiner's warnings are computed from."""

    limit: Decimal
    receivable: Decimal
    gross: Decimal
    overdue_amount: Decimal
    overdue_days: int
    dealer_status: str
    unsigned_lines: int
    below_floor: Sequence[Mapping[str, Any]]


def warnings_of(figures: ExamFigures) -> list[dict[str, Any]]:
    """Broken business rules with their figures, gravest first; empty when there is nothing to say."""
    found: list[dict[str, Any]] = []
    after = figures.receivable + figures.gross
    if after > figures.limit:
        percent = int(after * 100 / figures.limit) if figures.limit > 0 else None
        found.append({"code": "limit", "receivable": after, "limit": figures.limit, "percent": percent})
    if figures.overdue_amount > 0:
        found.append({"code": "overdue", "amount": figures.overdue_amount, "days": figures.overdue_days})
    if figures.below_floor:
        found.append({"code": "floor", "lines": list(figures.below_floor), "count": len(figures.below_floor)})
    if figures.unsigned_lines:
        found.append({"code": "unsigned", "count": figures.unsigned_lines})
    if figures.dealer_status != "active":
        found.append({"code": "dealer", "status": figures.dealer_status})
    return found


# --- allocation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """An open item as the planner sees it: ``open_amount`` signed; ``keys``: numbers others may refer to it by."""

    id: int
    open_amount: Decimal
    dated_on: date
    due_on: date
    keys: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """``amount`` > 0 of a debit item settled by a credit item."""

    debit_item_id: int
    credit_item_id: int
    amount: Decimal


def plan_oldest(items: Sequence[Item]) -> list[Match]:
    """Settle the earliest due debit items with the earliest dated credit items, in part where needed."""
    debits = sorted((item for item in items if item.open_amount > 0), key=lambda item: (item.due_on, item.id))
    credits = sorted((item for item in items if item.open_amount < 0), key=lambda item: (item.dated_on, item.id))
    return _pair(debits, credits, lambda debit, credit: True)


def plan_by_reference(items: Sequence[Item]) -> list[Match]:
    """Settle debit items which a credit item names by number in its reference or note; the rest stays open."""
    debits = sorted((item for item in items if item.open_amount > 0), key=lambda item: (item.due_on, item.id))
    credits = sorted((item for item in items if item.open_amount < 0), key=lambda item: (item.dated_on, item.id))
    words = {item.id: words_of(item.text) for item in credits}
    return _pair(debits, credits, lambda debit, credit: bool(debit.keys & words[credit.id]))


def words_of(text: str) -> frozenset[str]:
    """Numbers and words of a payment's reference, upper case: letters, digits, dashes and slashes belong together."""
    return frozenset(re.findall(r"[0-9A-Z][0-9A-Z/_-]*", text.upper()))


def _pair(debits: Sequence[Item], credits: Sequence[Item], fits: Any) -> list[Match]:
    left = {item.id: abs(item.open_amount) for item in (*debits, *credits)}
    matches: list[Match] = []
    start = 0
    for credit in credits:
        while start < len(debits) and not left[debits[start].id]:
            start += 1
        for debit in debits[start:]:
            amount = min(left[debit.id], left[credit.id])
            if amount and fits(debit, credit):
                left[debit.id] -= amount
                left[credit.id] -= amount
                matches.append(Match(debit.id, credit.id, amount))
            if not left[credit.id]:
                break
    return matches


# --- ageing -----------------------------------------------------------------------------------------------------------


def parse_bands(text: str) -> tuple[int, ...]:
    """Upper bounds of the bands in days, ascending: ``30,60,90,180``. ValueError for anything else."""
    bounds = tuple(int(part) for part in text.replace("，", ",").split(",") if part.strip())
    if not 1 <= len(bounds) <= 8 or any(low >= high for low, high in zip((0, *bounds), bounds, strict=False)):
        raise ValueError(text)
    return bounds


def band_labels(bounds: Sequence[int]) -> list[tuple[int, int | None]]:
    """(first day, last day or None) overdue of each band after *not due*."""
    lows = [1, *(bound + 1 for bound in bounds)]
    return list(zip(lows, [*bounds, None], strict=True))
