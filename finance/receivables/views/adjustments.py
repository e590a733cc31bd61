"""Pages of receivable adjustments (FI-08): list, request, document with decision."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import request
from marshmallow import fields, validate
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Dealer, Unit
from finance import pages
from finance.receivables import service
from finance.receivables.models import ReceivableAdjustment
from finance.receivables.service import AdjustmentInput
from finance.receivables.views.blueprint import REASONS, blueprint
from sdm.kernel import clock, documents
from sdm.kernel.db import db
from sdm.kernel.forms import submitted
from sdm.kernel.frame import may
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import AmountField, BaseSchema
from sdm.kernel.web import flash, page, see_other, view


class AdjustmentForm(BaseSchema):
    """An adjustment as entered on the page."""

    uuid = fields.UUID(required=True)
    dealer_id = fields.Integer(required=True)
    amount = AmountField(required=True)
    reason_code = fields.String(required=True)
    reason = fields.String(required=True, validate=validate.Length(max=200, error="input.length"))
    adjusted_on = fields.Date(required=True)


def _select() -> Select[Any]:
    row = ReceivableAdjustment
    return select(row).join(Dealer, Dealer.id == row.dealer_id).join(Unit, Unit.id == row.unit_id)


LIST = ListSpec(
    name="adjustments",
    title=_l("Receivable adjustments"),
    select=_select,
    id=ReceivableAdjustment.id,
    default_sort="-number",
    row_endpoint="receivables.adjustment",
    card_title="number",
    search=(ReceivableAdjustment.number, ReceivableAdjustment.reason, Dealer.name),
    columns=(
        Column("number", _l("Number"), ReceivableAdjustment.number, "code", filter="text"),
        Column("adjusted_on", _l("Posting date"), ReceivableAdjustment.adjusted_on, "date", filter="date-range"),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Dealer.id),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
        Column(
            "reason_code", _l("Kind"), ReceivableAdjustment.reason_code, filter="choice", choices=tuple(REASONS.items())
        ),
        Column("reason", _l("Reason"), ReceivableAdjustment.reason, filter="text"),
        Column("amount", _l("Amount"), ReceivableAdjustment.amount, "amount", filter="number-range", total=True),
        Column(
            "state", _l("State"), ReceivableAdjustment.state, "state", states="receivable_adjustment", filter="choice"
        ),
    ),
    presets=(Preset(_l("Waits for approval"), "state=requested"),),
    buttons=(Button(_l("New adjustment"), "receivables.new_adjustment", Permission.ADJUSTMENT_ENTER),),
    empty=_l("No account was adjusted yet."),
)


@blueprint.get("/adjustments")
@view(Permission.RECEIVABLE_READ)
def adjustments() -> AnyResponse | str:
    """All adjustments in scope."""
    return render_list(LIST)


@blueprint.route("/adjustments/new", methods=["GET", "POST"])
@view(Permission.ADJUSTMENT_ENTER)
def new_adjustment() -> AnyResponse | str | tuple[str, int]:
    """Ask for an adjustment."""
    context = {
        "reasons": [(code, word) for code, word in REASONS.items() if code != "opening"],
        "today": clock.today(),
        "uuid": str(uuid4()),
        "dealer_id": pages.int_arg("dealer"),
        "dealer": request.args.get("dealer_text", "")[:200],
    }
    if request.method == "GET":
        return page("receivables/adjustment_form.html", **context)
    return submitted(AdjustmentForm(), _request, "receivables/adjustment_form.html", **context)


def _request(uuid: UUID, **values: Any) -> AnyResponse:
    ref = service.request_adjustment(AdjustmentInput(uuid=uuid, **values))
    flash(_("Adjustment %(number)s waits for approval", number=ref.number))
    return see_other("receivables.adjustment", id=ref.id)


@blueprint.get("/adjustments/<int:id>")
@view(Permission.RECEIVABLE_READ)
def adjustment(id: int) -> str:
    """One adjustment."""
    row = documents.get(ReceivableAdjustment, id)
    return page(
        "receivables/adjustment.html",
        adjustment=row,
        dealer=db.session.get_one(Dealer, row.dealer_id),
        unit=db.session.get_one(Unit, row.unit_id),
        reason=str(REASONS.get(row.reason_code, row.reason_code)),
        may_decide=row.state == "requested" and may(Permission.ADJUSTMENT_APPROVE),
        key=str(uuid4()),
        history=pages.history("receivable_adjustment", id, pages.ACTIONS),
    )


@blueprint.post("/adjustments/<int:id>/decide")
@view(Permission.ADJUSTMENT_APPROVE)
def decide_adjustment(id: int) -> AnyResponse:
    """Approve or reject."""
    yes = request.form.get("decision") == "approve"
    words = _("posted") if yes else _("rejected")
    return pages.act(
        lambda: service.decide_adjustment(id, yes, pages.text_of("comment"), pages.version()),
        lambda ref: _("%(number)s %(done)s", number=ref.number, done=words),
        "receivables.adjustment",
        id=id,
    )
