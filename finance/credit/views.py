"""Pages of credit: accounts with exposure and headroom, a payer's account, limit changes with their log."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from marshmallow import fields, validate
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Dealer, Unit
from finance import pages
from finance.credit import queries, service
from finance.credit.models import CreditAccount, CreditLimitChange, UnitLimit
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import AmountField, BaseSchema, not_negative
from sdm.kernel.web import flash, page, see_other, view

blueprint = Blueprint("credit", __name__, url_prefix="/credit", template_folder="templates")
KINDS = {"limit": _l("Credit limit"), "temporary": _l("Temporary limit"), "unit": _l("Branch limit")}
BUCKETS = (
    ("open_orders", _l("Open orders")),
    ("shipped", _l("Shipped, not invoiced")),
    ("consigned", _l("On consignment")),
    ("items", _l("Open items")),
    ("acceptances", _l("Bank acceptances")),
    ("receipts", _l("Receipts not allocated")),
)
ChangedDealer = aliased(Dealer, name="changed_dealer")

register_states(
    "credit_limit_change",
    {
        "proposed": (_l("Proposed"), "warn"),
        "approved": (_l("Approved"), "good"),
        "rejected": (_l("Rejected"), "neutral"),
    },
)
nav.register(
    NavItem("money", _l("Credit accounts"), "credit.index", Permission.CREDIT_READ, "gauge", order=70),
    NavItem("money", _l("Limit changes"), "credit.changes", Permission.CREDIT_READ, "history", order=75),
)


# --- accounts ---------------------------------------------------------------------------------------------------------


def _accounts() -> Select[Any]:
    return (
        select(CreditAccount)
        .join(Dealer, Dealer.id == CreditAccount.payer_id)
        .join(Unit, Unit.id == CreditAccount.unit_id)
    )


def _account_columns() -> tuple[Column, ...]:
    limit, exposure = queries.limit_today(), queries.exposure_now()
    used = exposure / func.nullif(limit, 0)
    amounts = [
        Column(
            name,
            label,
            getattr(CreditAccount, name),
            "amount",
            total=True,
            visible=name in {"open_orders", "shipped", "items"},
        )
        for name, label in BUCKETS
    ]
    return (
        Column("code", _l("Code"), Dealer.code, "code", filter="text"),
        Column("name", _l("Payer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Dealer.id),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
        Column("limit", _l("Credit limit"), limit, "amount", filter="number-range", total=True),
        Column("exposure", _l("Credit exposure"), exposure, "amount", filter="number-range", total=True),
        Column("headroom", _l("Headroom"), limit - exposure, "amount", filter="number-range"),
        Column("used", _l("Used"), used, "percent", filter="number-range"),
        *amounts,
        Column("limit_until", _l("Limit until"), CreditAccount.limit_until, "date", filter="date-range", visible=False),
        Column(
            "temporary_until",
            _l("Temporary until"),
            CreditAccount.temporary_until,
            "date",
            filter="date-range",
            visible=False,
        ),
    )


def _accounts_list() -> ListSpec:
    return ListSpec(
        name="credit_accounts",
        title=_l("Credit accounts"),
        select=_accounts,
        id=CreditAccount.payer_id,
        default_sort="headroom",
        row_endpoint="credit.show",
        row_arg="payer_id",
        search=(Dealer.search,),
        card_title="name",
        columns=_account_columns(),
        presets=(
            Preset(_l("Over the limit"), "headroom.to=-0.01"),
            Preset(_l("Nearly used up"), "used.from=0.8&used.to=1"),
        ),
        buttons=(Button(_l("Propose a limit"), "credit.propose", Permission.CREDIT_LIMIT_PROPOSE),),
        empty=_l("Every dealer gets an account when it is entered."),
    )


@blueprint.get("/")
@view(Permission.CREDIT_READ)
def index() -> AnyResponse | str:
    """All credit accounts in scope: limit, exposure by bucket, headroom."""
    return render_list(_accounts_list())


@blueprint.get("/<int:payer_id>")
@view(Permission.CREDIT_READ)
def show(payer_id: int) -> str:
    """A payer's account: where the exposure stands, limit with validity, all changes."""
    payer = db.session.execute(select(Dealer).where(Dealer.id == payer_id)).scalar_one_or_none()
    if payer is None:
        raise NotFound("not_found", kind="dealer", id=payer_id)
    found = queries.headroom(payer_id)
    account = db.session.execute(select(CreditAccount).where(CreditAccount.payer_id == payer_id)).scalar_one_or_none()
    changes = db.session.execute(
        select(CreditLimitChange)
        .where(CreditLimitChange.payer_id == payer_id)
        .order_by(CreditLimitChange.id.desc())
        .limit(100)
    ).scalars()
    return page(
        "credit/show.html",
        payer=payer,
        unit=db.session.get_one(Unit, payer.unit_id),
        headroom=found,
        account=account,
        buckets=[(str(label), getattr(found.buckets, name), name == "receipts") for name, label in BUCKETS],
        used=found.exposure / found.limit if found.limit else None,
        changes=[_change_row(row) for row in changes],
        history=pages.history("credit_account", payer_id, pages.ACTIONS),
    )


def _change_row(row: CreditLimitChange) -> dict[str, Any]:

    names = ("number", "old_amount", "amount", "valid_until", "reason", "state", "proposed_at", "decided_at")
    return {
        **{name: getattr(row, name) for name in names},
        "kind": str(KINDS[row.kind]),
        "url": url_or_none("credit.change", id=row.id),
    }


# --- limits -----------------------------------------------------------------------------------------------------------


class LimitForm(BaseSchema):
    """A proposed limit."""

    kind = fields.String(required=True)
    payer_id = fields.Integer(load_default=None)
    unit_id = fields.Integer(load_default=None)
    amount = AmountField(required=True, validate=not_negative)
    valid_until = fields.Date(load_default=None)
    reason = fields.String(required=True, validate=validate.Length(max=200, error="input.length"))


@blueprint.route("/propose", methods=["GET", "POST"])
@view(Permission.CREDIT_LIMIT_PROPOSE)
def propose() -> AnyResponse | str | tuple[str, int]:
    """Propose a dealer's or a branch's limit."""
    payer_id = pages.int_arg("payer")
    payer = db.session.execute(select(Dealer).where(Dealer.id == payer_id)).scalar_one_or_none() if payer_id else None
    context = {"kinds": list(KINDS.items()), "payer": payer, "today": clock.today(), "key": str(uuid4())}
    if request.method == "GET":
        return page("credit/propose.html", **context)
    return submitted(LimitForm(), _propose, "credit/propose.html", **context)


def _propose(**values: Any) -> AnyResponse:
    if values["kind"] == "unit":
        values["payer_id"] = None
    else:
        values["unit_id"] = None
    change_id = service.propose_limit(**values)
    flash(_("The proposal waits for approval"))
    return see_other("credit.change", id=change_id)


def _changes() -> Select[Any]:
    return (
        select(CreditLimitChange)
        .join(Unit, Unit.id == CreditLimitChange.unit_id)
        .outerjoin(ChangedDealer, ChangedDealer.id == CreditLimitChange.payer_id)
    )


CHANGES = ListSpec(
    name="limit_changes",
    title=_l("Limit changes"),
    select=_changes,
    id=CreditLimitChange.id,
    default_sort="-number",
    row_endpoint="credit.change",
    search=(ChangedDealer.name, CreditLimitChange.reason),
    card_title="number",
    columns=(
        Column("number", _l("Number"), CreditLimitChange.number, "code", filter="text"),
        Column("kind", _l("Kind"), CreditLimitChange.kind, filter="choice", choices=tuple(KINDS.items())),
        Column(
            "dealer", _l("Dealer"), ChangedDealer.name, filter="picker", picker="dealer", filter_expr=ChangedDealer.id
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
        Column("old", _l("Present limit"), CreditLimitChange.old_amount, "amount"),
        Column("new", _l("Proposed limit"), CreditLimitChange.amount, "amount", filter="number-range"),
        Column("valid_until", _l("Valid until"), CreditLimitChange.valid_until, "date", filter="date-range"),
        Column("reason", _l("Reason"), CreditLimitChange.reason),
        Column("state", _l("State"), CreditLimitChange.state, "state", states="credit_limit_change", filter="choice"),
        Column("proposed_at", _l("Proposed at"), CreditLimitChange.proposed_at, "datetime"),
        Column("decided_at", _l("Decided at"), CreditLimitChange.decided_at, "datetime"),
    ),
    presets=(Preset(_l("Waits for approval"), "state=proposed"),),
    buttons=(Button(_l("Propose a limit"), "credit.propose", Permission.CREDIT_LIMIT_PROPOSE),),
    empty=_l("No limit was changed yet."),
)


@blueprint.get("/changes")
@view(Permission.CREDIT_READ)
def changes() -> AnyResponse | str:
    """The log of all limit changes in scope."""
    return render_list(CHANGES)


@blueprint.get("/changes/<int:id>")
@view(Permission.CREDIT_READ)
def change(id: int) -> str:
    """One change with its decision."""
    row = _found(id)
    dealer = db.session.get(Dealer, row.payer_id) if row.payer_id else None
    present = db.session.get(UnitLimit, row.unit_id) if row.kind == "unit" else None
    return page(
        "credit/change.html",
        change=row,
        dealer=dealer,
        unit=db.session.get_one(Unit, row.unit_id),
        kind=str(KINDS[row.kind]),
        present=present,
        may_decide=row.state == "proposed" and may(Permission.CREDIT_LIMIT_APPROVE),
        headroom=queries.headroom(dealer.payer) if dealer else None,
        key=str(uuid4()),
        history=pages.history("credit_limit_change", id, pages.ACTIONS),
        difference=row.amount - row.old_amount,
    )


def _found(change_id: int) -> CreditLimitChange:
    row = db.session.execute(select(CreditLimitChange).where(CreditLimitChange.id == change_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="credit_limit_change", id=change_id)
    return row


@blueprint.post("/changes/<int:id>/decide")
@view(Permission.CREDIT_LIMIT_APPROVE)
def decide(id: int) -> AnyResponse:
    """Approve or reject a proposed limit."""
    yes = request.form.get("decision") == "approve"
    words = _("The limit is approved") if yes else _("The proposal is rejected")
    return pages.act(
        lambda: service.decide_limit(id, yes, pages.text_of("comment")), lambda _id: words, "credit.change", id=id
    )
