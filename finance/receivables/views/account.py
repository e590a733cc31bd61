"""Pages of accounts: ageing with drill-down, open items, a payer's account, statement on paper and in Excel."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO
from typing import Any

from flask import Response, request
from sqlalchemy import Integer, Numeric, Select, case, cast, func, literal, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from branches.org.models import Dealer, Unit
from finance import pages
from finance.credit import queries as credit
from finance.receivables import queries
from finance.receivables.models import OpenItem
from finance.receivables.views.blueprint import ITEM_KINDS, blueprint
from inventory.overview.views import PLACED_COLUMNS
from sdm.kernel import clock, excel
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.frame import url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

Payer = aliased(Dealer, name="payer")
PAGES = {
    "invoice": "invoices.show",
    "receipt": "receipts.show",
    "receivable_adjustment": "receivables.adjustment",
}


def _unpaid() -> Any:
    """SQL: what a dealer's own documents leave to be paid, credits subtracted; scoped like every read."""
    total = func.coalesce(func.sum(OpenItem.open_amount), cast(0, Numeric(18, 2)))
    mine = (OpenItem.payer_id == func.coalesce(Dealer.payer_id, Dealer.id)) & (OpenItem.dealer_id == Dealer.id)
    found = select(total).where(mine, OpenItem.open_amount != 0)
    return cast(found.correlate(Dealer).scalar_subquery(), Numeric(18, 2))


def _unpaid_url(row: Any) -> str | None:
    return url_or_none("receivables.items", dealer=row.id)


PLACED_COLUMNS.append(
    Column(
        "unpaid",
        _l("Invoiced, unpaid"),
        _unpaid(),
        "amount",
        total=True,
        link=_unpaid_url,
        permission=Permission.RECEIVABLE_READ,
    )
)


def document_url(kind: str, document_id: int) -> str | None:
    """Address of the document behind an item."""
    endpoint = PAGES.get(kind)
    return url_or_none(endpoint, id=document_id) if endpoint else None


# --- ageing -----------------------------------------------------------------------------------------------------------


@blueprint.get("/ageing")
@view(Permission.RECEIVABLE_READ)
def ageing() -> str:
    """Ageing as of a day: by branch, then by dealer, then the items themselves (FI-07)."""
    as_of = pages.date_arg("as_of", clock.today())
    unit_id = pages.int_arg("unit")
    by = "dealer" if unit_id or request.args.get("by") == "dealer" else "unit"
    found = queries.ageing(as_of, by, unit_id)
    unit = org.tree().units.get(unit_id) if unit_id else None
    return page(
        "receivables/ageing.html",
        ageing=found,
        by=by,
        unit=unit,
        as_of=as_of,
        today=clock.today(),
        rows=[_ageing_row(row, found, unit_id) for row in found.rows[:2000]],
        bands=_band_words(found.labels),
        days=queries.days_outstanding(None, as_of, balance=found.total.total) if not unit_id else None,
        more=len(found.rows) > 2000,
    )


def _band_words(labels: list[tuple[int, int | None]]) -> list[str]:
    return [
        _("%(low)s–%(high)s days", low=low, high=high) if high else _("over %(low)s days", low=low - 1)
        for low, high in labels
    ]


def _ageing_row(row: queries.AgeingRow, found: queries.Ageing, unit_id: int | None) -> dict[str, Any]:
    as_of = found.as_of.isoformat()
    if found.by == "unit":
        url = url_or_none("receivables.ageing", unit=row.id, as_of=as_of)
    else:
        url = url_or_none("receivables.account", payer_id=row.id, as_of=as_of)
    return {"row": row, "url": url, "urls": [_items_url(row, found, low, high, unit_id) for low, high in found.labels]}


def _items_url(
    row: queries.AgeingRow, found: queries.Ageing, low: int, high: int | None, unit_id: int | None
) -> str | None:
    """The items behind one figure: the list of open items, filtered by who and by due date."""
    due = {"due_on.to": (found.as_of - timedelta(days=low)).isoformat()}
    if high:
        due["due_on.from"] = (found.as_of - timedelta(days=high)).isoformat()
    who: dict[str, Any] = {"unit": row.id} if found.by == "unit" else {"payer": row.id, "unit": unit_id}
    return url_or_none("receivables.items", side="debit", **due, **who)


# --- open items -------------------------------------------------------------------------------------------------------


def _items() -> Select[Any]:
    return (
        select(OpenItem)
        .join(Payer, Payer.id == OpenItem.payer_id)
        .join(Unit, Unit.id == OpenItem.unit_id)
        .where(OpenItem.open_amount != 0)
    )


def _overdue_days() -> Any:
    days = literal(clock.today()) - OpenItem.due_on
    return func.greatest(cast(days, Integer), 0)


def _item_columns() -> tuple[Column, ...]:
    side = func.sign(OpenItem.open_amount)
    return (
        Column(
            "number",
            _l("Number"),
            OpenItem.number,
            "code",
            filter="text",
            link=lambda row: document_url(row.document_kind, row.document_id),
        ),
        Column("kind", _l("Kind"), OpenItem.kind, filter="choice", choices=tuple(ITEM_KINDS.items())),
        Column(
            "payer",
            _l("Payer"),
            Payer.name,
            filter="picker",
            picker="dealer",
            filter_expr=OpenItem.payer_id,
            link=lambda row: url_or_none("receivables.account", payer_id=row.payer_id),
        ),
        Column(
            "dealer",
            _l("Dealer"),
            select(Dealer.name).where(Dealer.id == OpenItem.dealer_id).correlate(OpenItem).scalar_subquery(),
            filter="picker",
            picker="dealer",
            filter_expr=OpenItem.dealer_id,
            visible=False,
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=OpenItem.unit_id),
        Column("dated_on", _l("Document date"), OpenItem.dated_on, "date", filter="date-range"),
        Column("due_on", _l("Due date"), OpenItem.due_on, "date", filter="date-range"),
        Column("overdue", _l("Days overdue"), _overdue_days(), "integer", sortable=False),
        Column("amount", _l("Amount"), OpenItem.amount, "amount", filter="number-range"),
        Column("open_amount", _l("Open amount"), OpenItem.open_amount, "amount", filter="number-range", total=True),
        Column(
            "side",
            _l("Side"),
            side,
            filter="choice",
            filter_expr=_side(),
            visible=False,
            sortable=False,
            choices=(("debit", _l("owed to us")), ("credit", _l("owed to the dealer"))),
        ),
    )


def _items_list() -> ListSpec:
    return ListSpec(
        name="open_items",
        title=_l("Open items"),
        select=_items,
        id=OpenItem.id,
        default_sort="due_on",
        search=(OpenItem.number, Payer.name, Payer.code),
        card_title="number",
        note=_l("What dealers owe and what they have paid without allocation, as it stands now"),
        columns=_item_columns(),
        extra={
            "document_kind": OpenItem.document_kind,
            "document_id": OpenItem.document_id,
            "payer_id": OpenItem.payer_id,
        },
        presets=(
            Preset(_l("Overdue"), f"due_on.to={(clock.today() - timedelta(days=1)).isoformat()}&side=debit"),
            Preset(_l("Not allocated"), "side=credit"),
        ),
        empty=_l("Nothing is open: every invoice is settled."),
    )


def _side() -> Any:

    return case((OpenItem.open_amount > 0, "debit"), else_="credit")


@blueprint.get("/items")
@view(Permission.RECEIVABLE_READ)
def items() -> AnyResponse | str:
    """All open items in scope."""
    return render_list(_items_list())


# --- a payer's account ------------------------------------------------------------------------------------------------


def payer_of(payer_id: int) -> Dealer:
    """A payer in scope; NotFound otherwise."""
    row = db.session.execute(select(Dealer).where(Dealer.id == payer_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="dealer", id=payer_id)
    return row


@blueprint.get("/accounts/<int:payer_id>")
@view(Permission.RECEIVABLE_READ)
def account(payer_id: int) -> str:
    """A payer's account: six columns (FI-32), ageing, open items, days outstanding."""
    payer = payer_of(payer_id)
    as_of = pages.date_arg("as_of", clock.today())
    found = queries.ageing(as_of, "dealer", payer_id=payer_id)
    return page(
        "receivables/account.html",
        payer=payer,
        as_of=as_of,
        columns=queries.ledgers(payer_id, as_of),
        ageing=found,
        bands=_band_words(found.labels),
        headroom=credit.headroom(payer_id),
        days=queries.days_outstanding(payer_id, as_of),
        items=[_item_row(row) for row in queries.open_items(payer_id, 500)],
    )


def _item_row(row: OpenItem) -> dict[str, Any]:
    names = ("id", "number", "dated_on", "due_on", "amount", "open_amount")
    return {
        **{name: getattr(row, name) for name in names},
        "kind": str(ITEM_KINDS.get(row.kind, row.kind)),
        "url": document_url(row.document_kind, row.document_id),
        "days": max((clock.today() - row.due_on).days, 0),
    }


# --- statement --------------------------------------------------------------------------------------------------------


def _period() -> tuple[date, date]:
    today = clock.today()
    date_to = pages.date_arg("to", today)
    date_from = pages.date_arg("from", date_to.replace(day=1))
    return min(date_from, date_to), date_to


@blueprint.get("/statements/<int:payer_id>")
@view(Permission.RECEIVABLE_READ)
def statement(payer_id: int) -> Response | str:
    """The statement of a period; ``part=print`` for paper, ``part=excel`` for a workbook."""
    date_from, date_to = _period()
    found = queries.statement(payer_id, date_from, date_to)
    part = request.args.get("part", "")
    if part == "excel":
        return _workbook(found)
    rows = [
        {
            "dated_on": m.dated_on,
            "due_on": m.due_on,
            "kind": str(ITEM_KINDS.get(m.kind, m.kind)),
            "number": m.number,
            "debit": m.debit,
            "credit": m.credit,
            "balance": m.balance,
            "url": document_url(m.document_kind, m.document_id),
        }
        for m in found.movements
    ]
    entity = org.legal_entity_of(payer_of(payer_id).unit_id)
    template = "receivables/statement_print.html" if part == "print" else "receivables/statement.html"
    return page(template, statement=found, rows=rows, legal_entity=entity, today=clock.today())


def _workbook(found: queries.Statement) -> Response:
    header = [_("Date"), _("Due date"), _("Kind"), _("Number"), _("Debit"), _("Credit"), _("Balance")]
    rows: list[list[Any]] = [[found.date_from, None, _("Opening balance"), "", None, None, found.opening]]
    rows += [
        [m.dated_on, m.due_on, str(ITEM_KINDS.get(m.kind, m.kind)), m.number, m.debit, m.credit, m.balance]
        for m in found.movements
    ]
    rows.append([found.date_to, None, _("Closing balance"), "", found.debits, found.credits, found.closing])
    target = BytesIO()
    money = excel.AMOUNT_FORMAT
    formats = [excel.DATE_FORMAT, excel.DATE_FORMAT, None, None, money, money, money]
    excel.write_workbook(target, f"{found.code} {found.name}", header, rows, formats, [12, 12, 14, 24, 16, 16, 16])
    name = f"statement-{found.payer_id}-{found.date_to}.xlsx"
    return Response(
        target.getvalue(),
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
