"""Import sheets of finance: opening receivables, credit limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from branches.org.models import Dealer
from finance.credit import service as credit
from finance.credit.models import CreditAccount
from finance.receivables.models import OpenItem, ReceivableAdjustment
from finance.receivables.service.adjustments import OpeningItem, opening_known, post_opening
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.i18n import _l
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, repeated, unknown, values_of


def _dealers(rows: Sequence[SheetRow]) -> dict[str, Dealer]:
    """Dealers in scope by code, one statement."""
    statement = select(Dealer).where(Dealer.code.in_(values_of(rows, "dealer")))
    return {row.code: row for row in db.session.execute(statement).scalars()}


# --- opening receivables ----------------------------------------------------------------------------------------------


def check_opening(rows: Sequence[SheetRow]) -> list[RowFault]:
    """All faults: unknown dealers, doubles in the file or taken over before, zero amounts."""
    dealers = _dealers(rows)
    faults = [*repeated(rows, ("dealer", "number")), *unknown(rows, "dealer", dealers)]
    known = opening_known([(dealer.id, "") for dealer in dealers.values()])
    for row in rows:
        dealer = dealers.get(row.get("dealer", ""))
        if dealer and (dealer.id, row.get("number")) in known:
            faults.append(RowFault(row.number, "number", "opening.exists", row.get("number")))
        if row.get("amount") == 0:
            faults.append(RowFault(row.number, "amount", "adjustment.zero", "0"))
    return faults


@command(Permission.IMPORT_RUN)
def apply_opening(rows: Sequence[SheetRow]) -> Applied:
    """Take over the rows that are not there yet; repeating a batch changes nothing."""
    dealers = _dealers(rows)
    known = opening_known([(dealer.id, "") for dealer in dealers.values()])
    items = [_opening_item(row, dealers[row.get("dealer")]) for row in rows]
    fresh = [item for item in items if (item.dealer_id, item.number) not in known]
    post_opening(fresh)
    return Applied(created=len(fresh), unchanged=len(items) - len(fresh))


def _opening_item(row: SheetRow, dealer: Dealer) -> OpeningItem:
    day = row.get("date")
    amount = row.get("amount")
    due_on = row.get("due_on") or (day + timedelta(days=dealer.term_days) if amount > 0 else day)
    return OpeningItem(dealer.id, row.get("number"), day, due_on, amount)


def export_opening() -> Iterable[Mapping[str, Any]]:
    """Opening items in scope."""
    statement = (
        select(Dealer.code, OpenItem.number, OpenItem.dated_on, OpenItem.due_on, OpenItem.amount)
        .join(Dealer, Dealer.id == OpenItem.dealer_id)
        .join(ReceivableAdjustment, ReceivableAdjustment.id == OpenItem.document_id)
        .where(OpenItem.kind == "opening")
        .order_by(Dealer.code, OpenItem.id)
    )
    for code, number, dated_on, due_on, amount in db.session.execute(statement):
        yield {"dealer": code, "number": number, "date": dated_on, "due_on": due_on, "amount": amount}


# --- credit limits ----------------------------------------------------------------------------------------------------


def check_limits(rows: Sequence[SheetRow]) -> list[RowFault]:
    """All faults: unknown dealers, doubles, negative limits, a temporary limit without its last day."""
    faults = [*repeated(rows, ("dealer",)), *unknown(rows, "dealer", _dealers(rows))]
    for row in rows:
        faults += [
            RowFault(row.number, name, "input.not_negative", str(row.get(name)))
            for name in ("limit", "temporary")
            if (row.get(name) or ZERO) < 0
        ]
        if row.get("temporary") and not row.get("temporary_until"):
            faults.append(RowFault(row.number, "temporary_until", "credit.temporary_until"))
    return faults


@command(Permission.CREDIT_LIMIT_APPROVE)
def apply_limits(rows: Sequence[SheetRow]) -> Applied:
    """Set the limits that differ; in the order of payers, since each account is locked."""
    dealers = _dealers(rows)
    done = Applied()
    for row in sorted(rows, key=lambda row: dealers[row.get("dealer")].payer):
        done += credit.import_limit(dealers[row.get("dealer")].payer, row.given(LIMIT_KEYS))
    return done


LIMIT_KEYS = ("limit", "limit_until", "temporary", "temporary_until")


def export_limits() -> Iterable[Mapping[str, Any]]:
    """Limits of the dealers in scope."""
    statement = (
        select(CreditAccount, Dealer.code, Dealer.name)
        .join(Dealer, Dealer.id == CreditAccount.payer_id)
        .order_by(Dealer.code)
    )
    for account, code, name in db.session.execute(statement):
        yield {
            "dealer": code,
            "name": name,
            "limit": account.limit_amount,
            "limit_until": account.limit_until,
            "temporary": account.temporary_amount,
            "temporary_until": account.temporary_until,
        }


SHEETS = (
    ImportSheet(
        "credit_limits",
        _l("Credit limits"),
        Permission.CREDIT_LIMIT_APPROVE,
        (
            Column("dealer", _l("Dealer code"), "code", required=True),
            Column("name", _l("Dealer name"), help=_l("For orientation only")),
            Column("limit", _l("Credit limit"), "amount"),
            Column("limit_until", _l("Valid until"), "date"),
            Column("temporary", _l("Temporary limit"), "amount"),
            Column("temporary_until", _l("Temporary until"), "date"),
        ),
        ("dealer",),
        check_limits,
        apply_limits,
        export_limits,
        order=60,
    ),
    ImportSheet(
        "opening_receivables",
        _l("Opening receivables"),
        Permission.IMPORT_RUN,
        (
            Column("dealer", _l("Dealer code"), "code", required=True),
            Column("number", _l("Document number"), "code", required=True, max_length=64),
            Column("date", _l("Document date"), "date", required=True),
            Column(
                "due_on", _l("Due date"), "date", help=_l("Empty: the dealer's days of credit after the document date")
            ),
            Column("amount", _l("Amount"), "amount", required=True, help=_l("Negative: a prepayment of the dealer")),
        ),
        ("dealer", "number"),
        check_opening,
        apply_opening,
        export_opening,
        order=90,
    ),
)
