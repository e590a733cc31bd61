"""Quotations: list, page, print, order by one action (OS-22)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.orders import reads, service
from branches.orders.models import Quotation
from branches.orders.views.common import ACTIONS, version
from branches.org import queries as org
from branches.org.models import Dealer, Unit
from inventory.stock import pages
from sdm.kernel.frame import NavItem, may, nav, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import flash, page, see_other, view

blueprint = Blueprint("quotations", __name__, url_prefix="/quotations", template_folder="../templates")
nav.register(
    NavItem("sales", _l("Quotations"), "quotations.index", Permission.QUOTATION_READ, "file-description", order=40)
)
NEW = Button(_l("New quotation"), "orders.new", Permission.QUOTATION_ENTER)


def _select() -> Select[Any]:
    return select(Quotation).join(Dealer, Dealer.id == Quotation.dealer_id).join(Unit, Unit.id == Quotation.unit_id)


LIST = ListSpec(
    name="quotations",
    title=_l("Quotations"),
    select=_select,
    id=Quotation.id,
    default_sort="-number",
    row_endpoint="quotations.show",
    search=(Quotation.number, Dealer.name, Dealer.pinyin),
    card_title="number",
    columns=(
        Column("number", _l("Number"), Quotation.number, "code", filter="text"),
        Column("date", _l("Quoted on"), Quotation.quoted_on, "date", filter="date-range"),
        Column("until", _l("Valid until"), Quotation.valid_until, "date", filter="date-range"),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Quotation.dealer_id),
        Column("state", _l("State"), Quotation.state, "state", states="quotation", filter="choice"),
        Column("gross", _l("Amount"), Quotation.gross, "amount", filter="number-range", total=True),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Quotation.unit_id),
    ),
    presets=(Preset(_l("Open"), "state=open"),),
    buttons=(NEW,),
    empty=_l("Enter lines as for an order and save them as a quotation."),
    empty_button=NEW,
)


@blueprint.get("/")
@view(Permission.QUOTATION_READ)
def index() -> AnyResponse | str:
    """All quotations in scope."""
    return render_list(LIST)


@blueprint.get("/<int:id>")
@view(Permission.QUOTATION_READ)
def show(id: int) -> str:
    """One quotation."""
    shown = reads.quotation_page(id)
    row = shown.quotation
    steps: list[dict[str, Any]] = []
    fields = {"version": row.version}
    if row.state == "open" and may(Permission.QUOTATION_ENTER):
        url = url_or_none("quotations.withdraw", id=id)
        told = _("Withdraw quotation %(number)s: it can no longer be ordered", number=row.number)
        steps.append(
            {"label": _("Withdraw"), "url": url, "tone": "bad", "icon": "x", "fields": fields, "confirm": told}
        )
    if row.state == "open" and may(Permission.ORDER_ENTER):
        url = url_or_none("quotations.order", id=id)
        steps.append({"label": _("Order"), "url": url, "primary": True, "icon": "shopping-cart", "fields": fields})
    return page(
        "quotations/show.html",
        shown=shown,
        row=row,
        steps=steps,
        chain=reads.chain("quotation", id),
        history=pages.history("quotation", id, ACTIONS),
        key=str(uuid4()),
    )


@blueprint.get("/<int:id>/print")
@view(Permission.QUOTATION_READ)
def paper(id: int) -> str:
    """The quotation as a letter."""
    shown = reads.quotation_page(id)
    return page(
        "quotations/print.html", shown=shown, row=shown.quotation, seller=org.legal_entity_of(shown.quotation.unit_id)
    )


@blueprint.post("/<int:id>/order")
@view(Permission.ORDER_ENTER)
def order(id: int) -> AnyResponse:
    """Order what was quoted."""
    ref = service.order_from_quotation(id, version())
    flash(_("Order %(number)s made from the quotation", number=ref.number), "good" if ref.state != "held" else "warn")
    return see_other("orders.show", id=ref.id)


@blueprint.post("/<int:id>/withdraw")
@view(Permission.QUOTATION_ENTER)
def withdraw(id: int) -> AnyResponse:
    """Take an open quotation back."""
    ref = service.withdraw_quotation(id, "", version())
    flash(_("Quotation %(number)s withdrawn", number=ref.number))
    return see_other("quotations.show", id=id)
