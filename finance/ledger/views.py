"""Pages of the money ledger: entries, an entry, trial balance, account sheets, periods, the postings tab."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from branches.org.models import Dealer, Unit
from finance import pages
from finance.ledger import queries, service
from finance.ledger.models import Account, Entry, EntryLine
from inventory.stock.pages import numbers_of
from sdm.kernel import clock, documents
from sdm.kernel.errors import NotFound
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.listing import Column, ListSpec, render_list
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

blueprint = Blueprint("ledger", __name__, url_prefix="/ledger", template_folder="templates")
KINDS = {
    "invoice": _l("Invoice"),
    "receipt": _l("Receipt"),
    "receivable_adjustment": _l("Receivable adjustment"),
    "goods_receipt": _l("Goods receipt"),
}
EVENTS = {"issued": _l("Issued"), "recorded": _l("Recorded"), "posted": _l("Posted"), "reversed": _l("Reversed")}
Counter = aliased(Unit, name="counter_unit")

register_states("period", {"open": (_l("Open for posting"), "good"), "closed": (_l("Closed"), "neutral")})
nav.register(
    NavItem("money", _l("Trial balance"), "ledger.trial", Permission.LEDGER_READ, "scale", order=80),
    NavItem("money", _l("Ledger entries"), "ledger.index", Permission.LEDGER_READ, "book", order=85),
    NavItem("money", _l("Periods"), "ledger.periods", Permission.LEDGER_READ, "calendar-stats", order=90),
)


def account_name(code: str, name: str, name_en: str) -> str:
    """The account in the reader's language, with its code."""
    return f"{code} {name if current_locale() == 'zh_CN' else name_en}"


# --- entries ----------------------------------------------------------------------------------------------------------


def _select() -> Select[Any]:
    return select(Entry).join(Unit, Unit.id == Entry.unit_id)


def _volume() -> Any:
    return (
        select(func.sum(EntryLine.amount).filter(EntryLine.amount > 0))
        .where(EntryLine.entry_id == Entry.id)
        .correlate(Entry)
        .scalar_subquery()
    )


LIST = ListSpec(
    name="entries",
    title=_l("Ledger entries"),
    select=_select,
    id=Entry.id,
    default_sort="-entry",
    card_title="entry",
    row_endpoint="ledger.show",
    columns=(
        Column("entry", _l("Ledger entry"), Entry.id, "code", filter="number-range"),
        Column("posted_on", _l("Posting date"), Entry.posted_on, "date", filter="date-range"),
        Column("period", _l("Period"), Entry.period, filter="text"),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Entry.unit_id),
        Column("kind", _l("Document"), Entry.document_kind, filter="choice", choices=tuple(KINDS.items())),
        Column("event", _l("Step"), Entry.event, filter="choice", choices=tuple(EVENTS.items())),
        Column("volume", _l("Debit"), _volume(), "amount", sortable=False),
        Column("created_at", _l("Posted at"), Entry.created_at, "datetime", visible=False),
    ),
    empty=_l("Nothing is posted yet."),
)


@blueprint.get("/")
@view(Permission.LEDGER_READ)
def index() -> AnyResponse | str:
    """All entries of units in scope."""
    return render_list(LIST)


@blueprint.get("/<int:id>")
@view(Permission.LEDGER_READ)
def show(id: int) -> str:
    """One entry with its lines and the document behind it."""
    found = queries.entry(id)
    if found is None:
        raise NotFound("not_found", kind="entry", id=id)
    return page("ledger/entry.html", entry=_shown(found), document=_document(found))


def _document(found: queries.PostedEntry) -> dict[str, Any] | None:
    key = (found.document_kind, found.document_id)
    return numbers_of([key]).get(key)


def _shown(found: queries.PostedEntry) -> dict[str, Any]:
    lines: list[dict[str, Any]] = [
        {
            "account": account_name(line.account_code, line.account, line.account_en),
            "unit": line.unit,
            "counter_unit": line.counter_unit,
            "dealer": line.dealer,
            "debit": line.debit,
            "credit": line.credit,
            "belongs": line.belongs_period if line.belongs_period != found.period else "",
            "url": url_or_none("ledger.sheet", code=line.account_code, unit=line.unit_id),
        }
        for line in found.lines
    ]
    return {
        "id": found.id,
        "posted_on": found.posted_on,
        "period": found.period,
        "created_at": found.created_at,
        "event": str(EVENTS.get(found.event, found.event)),
        "reverses_id": found.reverses_id,
        "lines": lines,
        "kind": str(KINDS.get(found.document_kind, found.document_kind)),
        "total": sum((line.debit for line in found.lines if line.debit is not None), ZERO),
    }


@blueprint.get("/of/<kind>/<int:document_id>")
@view(Permission.LEDGER_READ)
def of_document(kind: str, document_id: int) -> str:
    """The postings tab of any document."""
    known = {entry.code for entry in documents.kinds()}
    found = queries.postings_of(kind, document_id) if kind in known and may(Permission.LEDGER_READ) else []
    return page("ledger/of_document.html", entries=[_shown(entry) for entry in found])


# --- trial balance and sheets -----------------------------------------------------------------------------------------


def _period() -> tuple[date, date]:
    today = clock.today()
    date_to = pages.date_arg("to", today)
    date_from = pages.date_arg("from", date_to.replace(day=1))
    return min(date_from, date_to), date_to


@blueprint.get("/trial-balance")
@view(Permission.LEDGER_READ)
def trial() -> str:
    """All accounts of a unit or of everything in scope: opening, debit, credit, closing."""
    date_from, date_to = _period()
    unit_id = pages.int_arg("unit")
    values = {"from": date_from.isoformat(), "to": date_to.isoformat(), **({"unit": unit_id} if unit_id else {})}
    dates = {"posted_on.from": date_from.isoformat(), "posted_on.to": date_to.isoformat()}
    rows: list[dict[str, Any]] = [
        {
            "account": account_name(row.account_code, row.name, row.name_en),
            "opening": row.opening,
            "debit": row.debit,
            "credit": row.credit,
            "closing": row.closing,
            "url": url_or_none(
                "ledger.sheet", code=row.account_code, **dates, **({"unit": unit_id} if unit_id else {})
            ),
        }
        for row in queries.trial_balance(date_from, date_to, unit_id)
    ]
    totals = {key: sum(row[key] for row in rows) for key in ("opening", "debit", "credit", "closing")}
    unit = org.tree().units.get(unit_id) if unit_id else None
    return page(
        "ledger/trial.html", rows=rows, totals=totals, date_from=date_from, date_to=date_to, unit=unit, values=values
    )


def _lines() -> Select[Any]:
    return (
        select(EntryLine)
        .join(Entry, Entry.id == EntryLine.entry_id)
        .join(Unit, Unit.id == EntryLine.unit_id)
        .outerjoin(Counter, Counter.id == EntryLine.counter_unit_id)
        .outerjoin(Dealer, Dealer.id == EntryLine.dealer_id)
    )


def _sheet(account: Account) -> ListSpec:
    return ListSpec(
        name="account_sheet",
        title=account_name(account.code, account.name, account.name_en),
        select=lambda: _lines().where(EntryLine.account_code == account.code),
        id=EntryLine.entry_id * 100_000 + EntryLine.line_no,
        default_sort="-posted_on",
        card_title="entry",
        columns=(
            Column(
                "entry",
                _l("Ledger entry"),
                EntryLine.entry_id,
                "code",
                link=lambda row: url_or_none("ledger.show", id=row.entry),
            ),
            Column("posted_on", _l("Posting date"), EntryLine.posted_on, "date", filter="date-range"),
            Column("kind", _l("Document"), Entry.document_kind, filter="choice", choices=tuple(KINDS.items())),
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=EntryLine.unit_id),
            Column("counter", _l("Counter-unit"), Counter.name, visible=False),
            Column(
                "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=EntryLine.dealer_id
            ),
            Column("amount", _l("Amount"), EntryLine.amount, "amount", filter="number-range", total=True),
            Column("belongs", _l("Belongs to period"), EntryLine.belongs_period, filter="text", visible=False),
        ),
        note=_l("Debit positive, credit negative"),
        empty=_l("Nothing is posted on this account."),
    )


@blueprint.get("/accounts/<code>")
@view(Permission.LEDGER_READ)
def sheet(code: str) -> AnyResponse | str:
    """The lines of one account."""
    account = next((row for row in queries.accounts() if row.code == code), None)
    if account is None:
        raise NotFound("not_found", kind="account", id=code)
    return render_list(_sheet(account))


# --- periods ----------------------------------------------------------------------------------------------------------


@blueprint.get("/periods")
@view(Permission.LEDGER_READ)
def periods() -> str:
    """Months with postings, open and closed."""
    return page("ledger/periods.html", periods=queries.periods(), today=clock.today(), key=str(uuid4()))


@blueprint.post("/periods/<code>")
@view(Permission.PERIOD_CLOSE)
def change_period(code: str) -> AnyResponse:
    """Close or reopen a month."""
    if code not in {row.code for row in queries.periods()}:
        raise NotFound("not_found", kind="period", id=code)
    if request.form.get("step") == "reopen":
        return pages.act(
            lambda: service.reopen_period(code, pages.text_of("reason")),
            lambda done: _("Period %(period)s is open again", period=done),
            "ledger.periods",
        )
    return pages.act(
        lambda: service.close_period(code), lambda done: _("Period %(period)s is closed", period=done), "ledger.periods"
    )
