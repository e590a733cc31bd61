"""The release desk: every open hold in scope with its figures, released one by one or many at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Numeric, Select, case, cast, func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.orders import service
from branches.orders.kinds import HOLD_LABELS
from branches.orders.models import OrderHold, SalesOrder
from branches.orders.views.orders import blueprint, hold_choices
from branches.org.models import Dealer, Unit
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.frame import NavItem, nav, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import BulkAction, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import view

nav.register(NavItem("sales", _l("Release desk"), "orders.desk", Permission.ORDER_READ, "lock-open", order=30))


def _select() -> Select[Any]:
    return (
        select(SalesOrder)
        .join(OrderHold, OrderHold.order_id == SalesOrder.id)
        .join(Dealer, Dealer.id == SalesOrder.dealer_id)
        .join(Unit, Unit.id == SalesOrder.unit_id)
        .where(OrderHold.state == "open")
    )


def _figure(key: str) -> Any:
    return cast(func.nullif(OrderHold.figures[key].astext, ""), Numeric(18, 2))


def _release(hold_id: Any) -> str:
    return service.release_hold(int(hold_id), _("Released at the desk")).number


DESK = ListSpec(
    name="release_desk",
    title=_l("Release desk"),
    note=_l("Orders that wait for somebody's release, oldest first"),
    select=_select,
    id=OrderHold.id,
    default_sort="since",
    template="orders/desk.html",
    search=(SalesOrder.number, Dealer.name, Dealer.pinyin),
    card_title="number",
    extra={"order_id": SalesOrder.id},
    columns=(
        Column("number", _l("Sales order"), SalesOrder.number, "code", filter="text",
            link=lambda row: url_or_none("orders.show", id=row.order_id)),
        Column("hold", _l("Hold"), OrderHold.kind, filter="choice", choices=hold_choices),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=SalesOrder.dealer_id),
        Column("gross", _l("Amount"), SalesOrder.gross, "amount", filter="number-range"),
        Column("excess", _l("Excess"), _figure("excess"), "amount"),
        Column("limit", _l("Credit limit"), _figure("limit"), "amount", visible=False),
        Column("exposure", _l("Credit exposure"), _figure("exposure"), "amount", visible=False),
        Column("overdue", _l("Overdue amount"), _figure("overdue_amount"), "amount"),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=SalesOrder.unit_id),
        Column("since", _l("Since"), OrderHold.created_at, "datetime", filter="date-range"),
    ),
    presets=tuple(Preset(label, f"hold={kind}") for kind, label in HOLD_LABELS.items()),
    actions=(
        BulkAction(
            "release", _l("Release"), _release,
            confirm=_l("Release %(count)s holds, each up to the amount it shows, for seven days"), icon="lock-open",
        ),
    ),
    empty=_l("No order is held. Orders over a limit or without stock appear here by themselves."),
)  # fmt: skip


@blueprint.route("/desk", methods=["GET", "POST"])
@view(Permission.ORDER_READ)
def desk() -> AnyResponse | str:
    """Every open hold in scope."""
    return render_list(DESK)


@blueprint.context_processor
def _desk_tiles() -> dict[str, Any]:
    return {"desk_tiles": desk_tiles}


def desk_tiles() -> list[dict[str, Any]]:
    """Number and amount of open holds by kind, each leading to its part of the list; one statement."""
    order = case(dict(zip(HOLD_LABELS, range(len(HOLD_LABELS)), strict=True)), value=OrderHold.kind)
    statement = (
        select(OrderHold.kind, func.count(), func.sum(SalesOrder.gross))
        .select_from(SalesOrder)
        .join(OrderHold, OrderHold.order_id == SalesOrder.id)
        .where(OrderHold.state == "open")
        .group_by(OrderHold.kind)
        .order_by(order)
    )
    return [
        {
            "label": str(HOLD_LABELS[kind]),
            "figure": f"{number:,}",
            "unit": _("orders"),
            "url": url_or_none("orders.desk", hold=kind),
            "note": f"{amount:,.2f}",
            "tone": "warn",
            "as_of": clock.now(),
        }
        for kind, number, amount in db.session.execute(statement)
    ]
