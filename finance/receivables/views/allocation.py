"""The allocation board: what a payer owes and what he has paid side by side, proposals, amounts, undo (FI-06)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import request
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Dealer, Unit
from finance import pages
from finance.receivables import queries, service
from finance.receivables.models import Allocation, OpenItem
from finance.receivables.rules import plan_by_reference, plan_oldest
from finance.receivables.views.account import document_url, payer_of
from finance.receivables.views.blueprint import ITEM_KINDS, blueprint
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput
from sdm.kernel.frame import NavItem, nav, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import errors_of, flash, page, render_422, see_other, view

PLANS = {"oldest": plan_oldest, "reference": plan_by_reference}
SHOWN = 500
Debit = aliased(OpenItem, name="debit_item")
Credit = aliased(OpenItem, name="credit_item")

nav.register(
    NavItem("money", _l("Allocations made"), "receivables.allocations", Permission.RECEIVABLE_READ, "link", order=45)
)


# --- who has something to allocate ------------------------------------------------------------------------------------


def _waiting() -> Select[Any]:
    both = (
        select(OpenItem.payer_id)
        .where(OpenItem.open_amount != 0)
        .group_by(OpenItem.payer_id)
        .having(func.min(OpenItem.open_amount) < 0, func.max(OpenItem.open_amount) > 0)
    )
    return select(Dealer).join(Unit, Unit.id == Dealer.unit_id).where(Dealer.id.in_(both))


def _sum(condition: Any) -> Any:
    return (
        select(func.coalesce(func.sum(OpenItem.open_amount), 0))
        .where(OpenItem.payer_id == Dealer.id, condition)
        .correlate(Dealer)
        .scalar_subquery()
    )


def _auto(by: str) -> Any:
    def run(payer_id: Any) -> str:
        return _("%(count)s matches", count=len(service.allocate_automatically(int(payer_id), by)))

    return run


def _waiting_list() -> ListSpec:
    return ListSpec(
        name="allocation",
        title=_l("Allocation"),
        select=_waiting,
        id=Dealer.id,
        default_sort="name",
        row_endpoint="receivables.allocate_payer",
        row_arg="payer_id",
        search=(Dealer.search,),
        card_title="name",
        note=_l("Payers who owe something and have paid something that settles nothing yet"),
        columns=(
            Column("code", _l("Code"), Dealer.code, "code", filter="text"),
            Column("name", _l("Payer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Dealer.id),
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
            Column("owed", _l("Owed"), _sum(OpenItem.open_amount > 0), "amount"),
            Column("paid", _l("Paid, not allocated"), -_sum(OpenItem.open_amount < 0), "amount"),
        ),
        actions=(
            BulkAction(
                "reference",
                _l("Allocate by reference"),
                _auto("reference"),
                Permission.ALLOCATION_ENTER,
                confirm=_l("Allocate for %(count)s payers what their payments name by number"),
            ),
            BulkAction(
                "oldest",
                _l("Allocate oldest first"),
                _auto("oldest"),
                Permission.ALLOCATION_ENTER,
                confirm=_l("Allocate for %(count)s payers, earliest due first"),
            ),
        ),
        buttons=(Button(_l("New receipt"), "receipts.new", Permission.RECEIPT_ENTER, primary=False),),
        empty=_l("Every payment is allocated."),
    )


@blueprint.route("/allocation", methods=["GET", "POST"])
@view(Permission.ALLOCATION_ENTER)
def allocate() -> AnyResponse | str:
    """Payers with something to allocate."""
    return render_list(_waiting_list())


# --- the board --------------------------------------------------------------------------------------------------------


@blueprint.route("/allocation/<int:payer_id>", methods=["GET", "POST"])
@view(Permission.ALLOCATION_ENTER)
def allocate_payer(payer_id: int) -> AnyResponse | str | tuple[str, int]:
    """Both sides of a payer, a proposal, amounts to adjust, confirm."""
    payer = payer_of(payer_id)
    by = request.values.get("by", "oldest")
    by = by if by in PLANS else "oldest"
    if request.method == "GET":
        return page("receivables/allocate.html", **_board(payer, by))
    try:
        made = service.allocate(_pairs(), allocated_on=pages.date_of("allocated_on"))
    except InvalidInput as error:
        db.session.rollback()
        return render_422("receivables/allocate.html", errors_of(error), **_board(payer_of(payer_id), by))
    flash(_("%(count)s matches allocated", count=len(made)))
    return see_other("receivables.allocate_payer", payer_id=payer_id)


def _board(payer: Dealer, by: str) -> dict[str, Any]:
    known = queries.open_items(payer.id, SHOWN)
    rows = {row.id: _row(row) for row in known}
    plan = PLANS[by](queries.planner_items(payer.id))
    proposals = [
        {"debit": rows[m.debit_item_id], "credit": rows[m.credit_item_id], "amount": m.amount}
        for m in plan
        if m.debit_item_id in rows and m.credit_item_id in rows
    ][:SHOWN]
    debits = [rows[row.id] for row in known if row.open_amount > 0]
    credits = [rows[row.id] for row in known if row.open_amount < 0]
    return {
        "payer": payer,
        "by": by,
        "proposals": proposals,
        "today": clock.today(),
        "debit_choices": _choices(debits),
        "credit_choices": _choices(credits),
        "debits": debits,
        "credits": credits,
        "owed": sum((row.open_amount for row in known if row.open_amount > 0), Decimal(0)),
        "paid": -sum((row.open_amount for row in known if row.open_amount < 0), Decimal(0)),
    }


def _choices(rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(row["id"], f"{row['number']} {row['open']:,.2f}") for row in rows]


def _row(row: OpenItem) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "kind": str(ITEM_KINDS.get(row.kind, row.kind)),
        "dated_on": row.dated_on,
        "due_on": row.due_on,
        "amount": row.amount,
        "open": abs(row.open_amount),
        "url": document_url(row.document_kind, row.document_id),
        "late": row.open_amount > 0 and row.due_on < clock.today(),
    }


def _pairs() -> list[tuple[int, int, Decimal]]:
    """The pairs of the form: fields ``pair_<debit>_<credit>`` with an amount, and one chosen by hand."""
    pairs = []
    for name in request.form:
        parts = name.split("_")
        if len(parts) == 3 and parts[0] == "pair" and parts[1].isdecimal() and parts[2].isdecimal():
            amount = pages.amount_of(request.form[name], name)
            if amount:
                pairs.append((int(parts[1]), int(parts[2]), amount))
    debit, credit = request.form.get("debit", ""), request.form.get("credit", "")
    amount = pages.amount_of(request.form.get("amount", ""), "amount")
    if debit.isdecimal() and credit.isdecimal() and amount:
        pairs.append((int(debit), int(credit), amount))
    return pairs


# --- what was allocated -----------------------------------------------------------------------------------------------


def _made() -> Select[Any]:
    return (
        select(Allocation)
        .join(Debit, Debit.id == Allocation.debit_item_id)
        .join(Credit, Credit.id == Allocation.credit_item_id)
        .join(Dealer, Dealer.id == Allocation.payer_id)
    )


def _undo(allocation_id: Any) -> str:
    service.undo_allocation(int(allocation_id))
    return _("undone")


ALLOCATIONS = ListSpec(
    name="allocations",
    title=_l("Allocations made"),
    select=_made,
    id=Allocation.id,
    default_sort="-on",
    search=(Debit.number, Credit.number, Dealer.name),
    card_title="debit",
    columns=(
        Column("on", _l("Allocated on"), Allocation.allocated_on, "date", filter="date-range"),
        Column(
            "payer",
            _l("Payer"),
            Dealer.name,
            filter="picker",
            picker="dealer",
            filter_expr=Allocation.payer_id,
            link=lambda row: url_or_none("receivables.account", payer_id=row.payer_id),
        ),
        Column("debit", _l("Owed"), Debit.number, "code", filter="text"),
        Column("credit", _l("Settled by"), Credit.number, "code", filter="text"),
        Column("amount", _l("Amount"), Allocation.amount, "amount", filter="number-range", total=True),
        Column("automatic", _l("Automatic"), Allocation.automatic, "bool", filter="bool"),
        Column("reverses", _l("Undoes"), Allocation.reverses_id.is_not(None), "bool", filter="bool"),
    ),
    extra={"payer_id": Allocation.payer_id},
    actions=(
        BulkAction(
            "undo",
            _l("Undo"),
            _undo,
            Permission.ALLOCATION_ENTER,
            tone="bad",
            icon="arrow-back-up",
            confirm=_l("Undo %(count)s allocations: their items are open again"),
        ),
    ),
    empty=_l("Nothing is allocated yet."),
)


@blueprint.route("/allocations", methods=["GET", "POST"])
@view(Permission.RECEIVABLE_READ)
def allocations() -> AnyResponse | str:
    """All allocations in scope; they can be undone here."""
    return render_list(ALLOCATIONS)
