"""The last six weeks of the demo company, through the same commands as on screen: every state, also the red ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from branches.orders import service as orders
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.org import dealers_service
from branches.org import queries as org
from branches.org.models import Dealer, Warehouse
from finance.credit import service as credit
from finance.receivables.models import Invoice
from finance.receivables.service import adjustments, allocation, billing, receipts, red
from inventory.receipts import service as goods_receipts
from inventory.shipments.models import ShipmentLine
from sdm.auth import identity
from sdm.auth.models import User
from sdm.intake.demo.history import pays_late
from sdm.intake.statements import demo as statements
from sdm.kernel import clock, outbox
from sdm.kernel.actor import Actor, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.idempotency import DocumentRef

Report = Callable[[str, int, int], None]
NAMESPACE = UUID("5f0c3b0e-59a4-4c2f-8d0e-0d9c1f2a7b10")
ORDERS_A_WEIGHT = 1.6
WEEK = 7


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch with what a story needs."""

    id: int
    code: str
    warehouse: int
    dealers: tuple[Any, ...]
    users: dict[str, int]


@dataclass(slots=True)
class Stage:
    """Where the stories play."""

    random: Random
    today: date
    products: list[Any]
    branches: list[Branch]
    head_office: dict[str, int]
    number: int = 0
    stocked: dict[int, list[Any]] = field(default_factory=dict)

    def uuid(self, what: str) -> UUID:
        """The same UUID for the same document on every load, so that a load that was broken off makes nothing twice."""
        return uuid5(NAMESPACE, what)

    def ago(self, days: int) -> date:
        """So many days back, today at the latest."""
        return self.today - timedelta(days=max(days, 0))


def load(report: Report) -> None:
    """Goods for every warehouse, then one story after the other."""
    stage = _stage()
    for place, branch in enumerate(stage.branches):
        _receive_goods(stage, branch)
        report("goods", place + 1, len(stage.branches))
    plan = _plan(stage)
    for place, (branch, story) in enumerate(plan):
        stage.number = place + 1
        story(stage, branch)
        report("live", place, len(plan))
    outbox.run_readers(2_000)


def _stage() -> Stage:
    dealers: dict[str, list[Any]] = {}
    for dealer in db.session.execute(statements.DEALERS):
        dealers.setdefault(dealer.branch, []).append(dealer)
    users = db.session.execute(select(User.login, User.id, User.unit_id).order_by(User.id)).all()
    warehouses = {row.unit_id: row.id for row in db.session.execute(select(Warehouse.unit_id, Warehouse.id))}
    branches = []
    for code in dealers:
        unit = org.unit_by_code(code)
        assert unit is not None
        known = {login.rsplit("-", 1)[-1]: user for login, user, at in users if at == unit.id}
        branches.append(Branch(unit.id, code, warehouses[unit.id], tuple(dealers[code]), known))
    head = {login: user for login, user, at in users if at == org.head_office().id}
    today = clock.today()
    products = list(db.session.execute(statements.PRODUCTS, {"today": today}))
    return Stage(Random(20_260_404), today, products, branches, head)  # noqa: S311 - the same on every load


@contextmanager
def acting(user_id: int) -> Iterator[Actor]:
    """Act as a person with his own rights: documents carry him, maker and checker differ."""
    actor = identity.load_actor(user_id)
    assert actor is not None
    with use_actor(actor):
        yield actor


def _as(branch: Branch, role: str) -> Any:
    return acting(branch.users[role])


def _head(stage: Stage, role: str) -> Any:
    return acting(stage.head_office[role])


# --- goods ------------------------------------------------------------------------------------------------------------


def _receive_goods(stage: Stage, branch: Branch) -> None:
    """Goods from production, part of them two months ago, part lately; a few kinds stay short."""
    random = stage.random
    chosen = random.sample(stage.products, 70)
    stage.stocked[branch.id] = chosen[:40]
    with _as(branch, "store"):
        for part, days in ((chosen[:45], 50), (chosen[45:], 20)):
            lines = tuple(
                goods_receipts.ReceivedLine(
                    product.id,
                    Decimal(3 if product in chosen[40:45] else random.choice((60, 80, 120))),
                    (product.supply * Decimal("0.99")).quantize(Decimal("0.01")),
                )
                for product in part
            )
            goods_receipts.save_receipt(
                goods_receipts.ReceiptInput(
                    branch.warehouse, stage.ago(days), lines, origin="production", supplier_name="云岭顺德工厂",
                    reference=f"SC{branch.code}{days}", uuid=stage.uuid(f"goods-{branch.code}-{days}"),
                ),
                post=branch.id % 7 != 0 or days != 20,
            )  # fmt: skip


# --- stories ----------------------------------------------------------------------------------------------------------

Story = Callable[[Stage, Branch], None]


def _plan(stage: Stage) -> list[tuple[Branch, Story]]:
    """Which story plays where: common ones often, red ones everywhere a little."""
    stories: list[tuple[Story, int]] = [
        (_paid_sale, 30), (_billed_sale, 18), (_delivered, 10), (_on_the_way, 10), (_picked, 6), (_confirmed, 12),
        (_over_limit, 5), (_below_floor, 4), (_short_of_goods, 4), (_overdue, 4), (_large, 3), (_late, 4), (_short_signed, 3),
        (_returned, 4), (_return_asked, 3), (_reversed, 2), (_bill_waits, 4), (_bill_drafted, 3), (_bill_refused, 2),
        (_partly_allocated, 5), (_cancelled, 2), (_short_closed, 2), (_quoted, 4), (_ordered_from_quote, 2), (_adjusted, 2),
        (_limit_asked, 2), (_blocked, 1), (_prepaid, 3),
    ]  # fmt: skip
    deck = [story for story, count in stories for _ in range(count)]
    plan = []
    for branch in stage.branches:
        for _ in range(max(4, round(len(branch.dealers) / 3 * ORDERS_A_WEIGHT / 1.6))):
            plan.append((branch, stage.random.choice(deck)))
    rare = [story for story, _count in stories]
    plan += [(stage.branches[place * 5 % len(stage.branches)], story) for place, story in enumerate(rare)]
    home = next(branch for branch in stage.branches if "clerk" in branch.users and branch.code == "GD")
    return plan + [(home, story) for story in rare]


def _dealer(stage: Stage, branch: Branch, *, sound: bool = True, mode: str = "term") -> Any:
    """A dealer of the branch; a sound one pays in time, the others stopped."""
    fitting = [d for d in branch.dealers if d.settlement_mode == mode and not _tight(d)]
    wanted = [d for d in fitting if pays_late(d.place) != sound]
    same_mode = [d for d in branch.dealers if d.settlement_mode == mode]
    return stage.random.choice(wanted or fitting or same_mode or list(branch.dealers))


def _tight(dealer: Any) -> bool:
    """Whether the dealer's limit was set below what he owes."""
    return bool(dealer.place % 21 == 9)


def _lines(stage: Stage, branch: Branch, count: int = 0, qty: tuple[int, ...] = (1, 1, 2, 2, 3)) -> tuple[Any, ...]:
    random = stage.random
    chosen = random.sample(stage.stocked[branch.id], count or random.randint(2, 4))
    return tuple(orders.OrderLineInput(Decimal(random.choice(qty)), product_id=product.id) for product in chosen)


def _order(
    stage: Stage, branch: Branch, days: int, *, dealer: Any = None, lines: Any = None, requested: int = 3
) -> DocumentRef:
    """An order of some days ago."""
    dealer = dealer or _dealer(stage, branch)
    with _as(branch, "clerk"):
        return orders.submit_order(orders.OrderInput(
            dealer.id, branch.warehouse, tuple(lines or _lines(stage, branch)), uuid=stage.uuid(f"order-{stage.number}"),
            ordered_on=stage.ago(days), requested_on=stage.ago(days - requested) if days >= requested else
            stage.today + timedelta(days=requested), source=stage.random.choice(("clerk", "clerk", "portal", "file")),
        ))  # fmt: skip


def _ship(stage: Stage, branch: Branch, order: DocumentRef, days: int, sent: bool = True) -> DocumentRef | None:
    """Pick and send what was confirmed; nothing where the order is held."""
    if order.state != "confirmed":
        return None
    with _as(branch, "store"):
        uuid = stage.uuid(f"shipment-{stage.number}")
        shipment = orders.pick(
            order.id, planned_on=stage.ago(days), expected_on=stage.ago(days) + timedelta(days=3), uuid=uuid
        )
        if sent and shipment.state == "picked":
            shipment = orders.send_out(
                shipment.id, stage.ago(days), carrier="云岭物流", waybill=f"YD{stage.number:08d}"
            )
    return shipment


def _sign(
    stage: Stage, branch: Branch, shipment: DocumentRef | None, days: int, signed: Any = None
) -> DocumentRef | None:
    if shipment is None or shipment.state != "shipped":
        return shipment
    with _as(branch, "store"):
        return orders.sign(shipment.id, signed, stage.ago(days), "店长")


def _deliver(stage: Stage, branch: Branch, days: int, dealer: Any = None, lines: Any = None) -> DocumentRef | None:
    """Ordered, shipped the next day, signed two days later."""
    order = _order(stage, branch, days, dealer=dealer, lines=lines)
    return _sign(stage, branch, _ship(stage, branch, order, days - 1), days - 3)


def _draft(branch: Branch, shipment: DocumentRef | None) -> DocumentRef | None:
    if shipment is None or shipment.state != "signed":
        return None
    with _as(branch, "clerk"):
        drafts = billing.apply_deliveries([shipment.id])
    return drafts[0] if drafts else None


def _bill(stage: Stage, branch: Branch, days: int, dealer: Any = None) -> DocumentRef | None:
    """Delivered and billed."""
    draft = _draft(branch, _deliver(stage, branch, days, dealer))
    if draft is None:
        return None
    with _as(branch, "clerk"):
        billing.submit(draft.id)
    with _head(stage, "finance"):
        billing.approve(draft.id, reason="已核对")
        return billing.issue(draft.id, stage.ago(days - 4))


def _pay(
    stage: Stage, branch: Branch, dealer: Any, amount: Decimal, days: int, order_id: int | None = None
) -> DocumentRef:
    with _as(branch, "cashier"):
        return receipts.record_receipt(receipts.ReceiptInput(
            dealer.id, amount, stage.ago(days), reference=f"PAY{stage.number:06d}", uuid=stage.uuid(f"receipt-{stage.number}"),
                order_id=order_id,
        ))  # fmt: skip


def _gross(invoice: DocumentRef) -> Decimal:
    return Decimal(db.session.execute(select(Invoice.gross).where(Invoice.id == invoice.id)).scalar_one())


def _paid_sale(stage: Stage, branch: Branch) -> None:
    dealer = _dealer(stage, branch)
    days = stage.random.randint(12, 44)
    invoice = _bill(stage, branch, days, dealer)
    if invoice is not None:
        _pay(stage, branch, dealer, _gross(invoice), stage.random.randint(0, days - 5))
        with _as(branch, "cashier"):
            allocation.allocate_automatically(dealer.id)


def _partly_allocated(stage: Stage, branch: Branch) -> None:
    """More money than is open, or money nobody has matched yet."""
    dealer = _dealer(stage, branch)
    invoice = _bill(stage, branch, stage.random.randint(8, 30), dealer)
    _pay(stage, branch, dealer, (_gross(invoice) if invoice else Decimal(20_000)) + 5_000, 2)
    if stage.number % 2:
        with _as(branch, "cashier"):
            allocation.allocate_automatically(dealer.id)


def _prepaid(stage: Stage, branch: Branch) -> None:
    """Cash before shipment: money named for the order, then the goods leave."""
    dealer = _dealer(stage, branch, mode="prepaid")
    order = _order(stage, branch, 6, dealer=dealer)
    if order.state != "confirmed" or dealer.settlement_mode != "prepaid":
        return
    gross = db.session.execute(select(SalesOrder.gross).where(SalesOrder.id == order.id)).scalar_one()
    _pay(stage, branch, dealer, gross, 5, order.id)
    _sign(stage, branch, _ship(stage, branch, order, 4), 2)


def _billed_sale(stage: Stage, branch: Branch) -> None:
    _bill(stage, branch, stage.random.randint(5, 44))


def _delivered(stage: Stage, branch: Branch) -> None:
    _deliver(stage, branch, stage.random.randint(4, 20))


def _on_the_way(stage: Stage, branch: Branch) -> None:
    days = stage.random.randint(1, 3)
    _ship(stage, branch, _order(stage, branch, days), days - 1)


def _late(stage: Stage, branch: Branch) -> None:
    """Sent long ago, expected long ago, not signed."""
    _ship(stage, branch, _order(stage, branch, 16), 14)


def _picked(stage: Stage, branch: Branch) -> None:
    _ship(stage, branch, _order(stage, branch, 1, requested=1), 0, sent=False)


def _confirmed(stage: Stage, branch: Branch) -> None:
    _order(stage, branch, stage.random.choice((0, 0, 1, 2, 6)))


def _over_limit(stage: Stage, branch: Branch) -> None:
    small = [d for d in branch.dealers if d.grade_code == "C" and d.settlement_mode == "term"] or branch.dealers
    dealer = next((d for d in branch.dealers if _tight(d)), None) or stage.random.choice(small)
    _order(stage, branch, 1, dealer=dealer, lines=_lines(stage, branch, 12, (9,)))


def _below_floor(stage: Stage, branch: Branch) -> None:
    lines = list(_lines(stage, branch, 2))
    product = next(p for p in stage.products if p.id == lines[0].product_id)
    price = (product.list_price * Decimal("0.70")).quantize(Decimal("0.01"))
    lines[0] = replace(lines[0], price=price, price_reason="样机清仓")
    _order(stage, branch, 0, lines=lines)


def _short_of_goods(stage: Stage, branch: Branch) -> None:
    rare = next(p for p in reversed(stage.products) if p not in stage.stocked[branch.id])
    lines = (*_lines(stage, branch, 2), orders.OrderLineInput(Decimal(2), product_id=rare.id))
    _order(stage, branch, 1, lines=lines)


def _overdue(stage: Stage, branch: Branch) -> None:
    _order(stage, branch, 1, dealer=_dealer(stage, branch, sound=False))


def _large(stage: Stage, branch: Branch) -> None:
    """More than the branch may confirm by itself."""
    dearest = sorted(stage.stocked[branch.id], key=lambda product: -product.list_price)[:8]
    _order(stage, branch, 0, lines=[orders.OrderLineInput(Decimal(3), product_id=product.id) for product in dearest])


def _short_signed(stage: Stage, branch: Branch) -> None:
    """One unit missing, one refused."""
    shipment = _ship(stage, branch, _order(stage, branch, 9, lines=_lines(stage, branch, 2, (4, 5))), 8)
    if shipment is None:
        return
    lines = db.session.execute(
        select(ShipmentLine.id, ShipmentLine.qty)
        .where(ShipmentLine.shipment_id == shipment.id)
        .order_by(ShipmentLine.id)
    ).all()
    signed = {row.id: orders.SignedLine(row.qty) for row in lines}
    signed[lines[0].id] = orders.SignedLine(lines[0].qty - 2, Decimal(1), Decimal(1))
    _sign(stage, branch, shipment, 6, signed)


def _take_back(stage: Stage, branch: Branch, shipment_id: int, dealer: Any) -> DocumentRef:
    line = db.session.execute(
        select(ShipmentLine.id).where(ShipmentLine.shipment_id == shipment_id).order_by(ShipmentLine.id).limit(1)
    ).scalar_one()
    with _as(branch, "clerk"):
        return orders.request_return(orders.ReturnInput(
            dealer.id, "quality", (orders.ReturnLineInput(line, Decimal(1)),), uuid=stage.uuid(f"return-{stage.number}"),
            requested_on=stage.ago(3), note="外观破损",
        ))  # fmt: skip


def _return_asked(stage: Stage, branch: Branch) -> None:
    dealer = _dealer(stage, branch)
    shipment = _deliver(stage, branch, 12, dealer)
    if shipment is not None and shipment.state == "signed":
        _take_back(stage, branch, shipment.id, dealer)


def _returned(stage: Stage, branch: Branch) -> None:
    """Billed, come back, credited by a red invoice."""
    dealer = _dealer(stage, branch)
    shipment = _deliver(stage, branch, 20, dealer)
    draft = _draft(branch, shipment)
    if shipment is None or draft is None:
        return
    with _as(branch, "clerk"):
        billing.submit(draft.id)
    with _head(stage, "finance"):
        billing.approve(draft.id, reason="已核对")
        billing.issue(draft.id, stage.ago(15))
    back = _take_back(stage, branch, shipment.id, dealer)
    with _as(branch, "manager"):
        orders.decide_return(back.id, True, "同意退货", branch.warehouse)
    with _as(branch, "store"):
        orders.receive_return(back.id, branch.warehouse, received_on=stage.ago(1))


def _reversed(stage: Stage, branch: Branch) -> None:
    invoice = _bill(stage, branch, 14)
    if invoice is not None:
        with _head(stage, "finance"):
            red.reverse(invoice.id, "开票信息有误", stage.ago(2))


def _bill_drafted(stage: Stage, branch: Branch) -> None:
    _draft(branch, _deliver(stage, branch, 6))


def _bill_waits(stage: Stage, branch: Branch) -> None:
    draft = _draft(branch, _deliver(stage, branch, 7))
    if draft is not None:
        with _as(branch, "clerk"):
            billing.submit(draft.id)


def _bill_refused(stage: Stage, branch: Branch) -> None:
    draft = _draft(branch, _deliver(stage, branch, 8))
    if draft is not None:
        with _as(branch, "clerk"):
            billing.submit(draft.id)
        with _head(stage, "finance"):
            billing.reject(draft.id, "税号与档案不符")


def _cancelled(stage: Stage, branch: Branch) -> None:
    order = _order(stage, branch, 5)
    with _as(branch, "manager"):
        orders.cancel_order(order.id, "客户取消")


def _short_closed(stage: Stage, branch: Branch) -> None:
    """Part of it shipped, the rest given up."""
    order = _order(stage, branch, 15, lines=_lines(stage, branch, 2, (4,)))
    if order.state != "confirmed":
        return
    first = db.session.execute(
        select(SalesOrderLine.id).where(SalesOrderLine.order_id == order.id).limit(1)
    ).scalar_one()
    with _as(branch, "store"):
        shipment = orders.pick(order.id, {first: Decimal(2)}, uuid=stage.uuid(f"shipment-{stage.number}"))
        shipment = orders.send_out(shipment.id, stage.ago(13))
    _sign(stage, branch, shipment, 11)
    with _as(branch, "manager"):
        orders.short_close(order.id, "余货不再供应")


def _offer(stage: Stage, branch: Branch) -> DocumentRef:
    dealer = _dealer(stage, branch)
    with _as(branch, "clerk"):
        return orders.quote(orders.OrderInput(
            dealer.id, branch.warehouse, _lines(stage, branch), uuid=stage.uuid(f"quote-{stage.number}"),
            ordered_on=stage.ago(2),
        ))  # fmt: skip


def _quoted(stage: Stage, branch: Branch) -> None:
    _offer(stage, branch)


def _ordered_from_quote(stage: Stage, branch: Branch) -> None:
    offer = _offer(stage, branch)
    with _as(branch, "clerk"):
        orders.order_from_quotation(offer.id)


def _adjusted(stage: Stage, branch: Branch) -> None:
    dealer = _dealer(stage, branch)
    with _as(branch, "cashier"):
        wanted = adjustments.AdjustmentInput(
            dealer.id,
            Decimal("-380.00"),
            "allowance",
            "运输破损折让",
            stage.ago(4),
            uuid=stage.uuid(f"adjust-{stage.number}"),
        )
        asked = adjustments.request_adjustment(wanted)
    if stage.number % 2:
        with _head(stage, "finance"):
            adjustments.decide_adjustment(asked.id, True, "同意")


def _limit_asked(stage: Stage, branch: Branch) -> None:
    dealer = _dealer(stage, branch)
    with _as(branch, "manager"):
        credit.propose_limit(
            kind="temporary", amount=Decimal(150_000), reason="旺季备货", payer_id=dealer.id,
            valid_until=stage.today + timedelta(days=60),
        )  # fmt: skip


def _blocked(stage: Stage, branch: Branch) -> None:
    """A blocked dealer orders all the same."""
    dealer = _dealer(stage, branch, sound=False)
    _block(dealer.id)
    _order(stage, branch, 0, dealer=dealer)


@command(None)
def _block(dealer_id: int) -> None:
    row = db.session.get(Dealer, dealer_id)
    if row is not None and row.status == "active":
        dealers_service.block_dealer(dealer_id, "长期拖欠货款")
