"""Random steps of the business on one small company, for tests that let many things happen in any order.

A :class:`Player` takes steps as two people (who makes and who checks) on documents picked at random. Refusals a person
could get are part of the game; :func:`is_defect` tells them from what must never happen.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from branches.orders import service as orders
from branches.orders.inputs import OrderChange, OrderInput, OrderLineInput, ReturnInput, ReturnLineInput, SignedLine
from branches.orders.rules import line_of
from finance.credit import service as credit
from finance.receivables import service as receivables
from finance.receivables.service.adjustments import AdjustmentInput
from finance.receivables.service.receipts import ReceiptInput as Money
from inventory.receipts import service as goods
from sdm.kernel import clock, outbox
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import AlreadyExists, Busy, NotFound, SdmError
from tests.factories import catalogue, dealers, finance, org, pricing
from tests.factories.orders import Shop, clerk, fill

D = Decimal
MODES = ("term", "term", "prepaid", "consignment")


@dataclass(slots=True)
class Company:
    """One branch with two warehouses and a few dealers and products, so that everybody meets everybody."""

    branch: Any
    warehouses: list[int]
    dealers: list[int]
    products: list[int]
    shop: Shop


def company(products: int = 4, stock: str = "40", limit: str = "6000", modes: tuple[str, ...] = MODES) -> Company:
    """A company with goods in its first warehouse; prices that do not divide evenly."""
    with use_actor(system_actor("factory")):
        branch = org.branch()
        places = [org.warehouse(branch), org.warehouse(branch)]
        found = [dealers.dealer(branch.id, settlement_mode=mode) for mode in modes]
        for dealer in found:
            finance.account(dealer.id, limit)
        prices, group = pricing.price_list("all"), catalogue.category()
        made = []
        for index in range(products):
            product = catalogue.product(f"商品{index}", category=group)
            pricing.price(prices, product.id, f"{33 + 27 * index}.3333")
            pricing.supply_price(product.id, f"{20 + 11 * index}.17")
            made.append(product.id)
        shop = Shop(branch, places[0], found[0], made, prices.id)
        fill(shop, dict.fromkeys(made, stock))
        db.session.commit()
        return Company(branch, [place.id for place in places], [dealer.id for dealer in found], made, shop)


def is_defect(error: BaseException) -> bool:
    """Whether no person should ever be answered this: anything but a typed refusal that says what is wrong."""
    if not isinstance(error, SdmError):
        return True
    if isinstance(error, NotFound) or (isinstance(error, AlreadyExists) and error.code == "exists"):
        return True
    if error.code.startswith(("database.", "constraint.ck_")):
        return True
    return error.code == "input.invalid" and not getattr(error, "errors", None)


@dataclass(slots=True)
class Player:
    """One client. ``done`` counts steps that succeeded, ``refused`` the codes of refusals, ``defects`` what must not be."""

    company: Company
    seed: int
    dice: random.Random = field(init=False)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def play(self, turns: int, watch: Callable[[str, str], None] | None = None) -> None:
        """Take steps; ``watch(step, "before" | "after")`` looks on."""
        for _ in range(turns):
            name = self.dice.choices(NAMES, WEIGHTS)[0]
            if watch:
                watch(name, "before")
            self.take(name)
            if watch:
                watch(name, "after")

    def take(self, name: str) -> None:
        """One step; a refusal is noted, anything else is a defect."""
        try:
            with self.maker():
                took = STEPS[name][0](self)
        except Exception as error:
            db.session.rollback()
            if is_defect(error):
                self.defects.append(f"{name}: {type(error).__name__}: {str(error)[:1500]}")
            else:
                self.refused[f"{name}: {error.code}"] += 1  # type: ignore[attr-defined]
            return
        db.session.commit()
        self.done[name if took is not False else f"{name}: nothing to do"] += 1

    @contextmanager
    def maker(self) -> Iterator[None]:
        """Act as the person who makes documents."""
        with use_actor(clerk(self.company.branch, user_id=1000 + self.seed)):
            yield

    @contextmanager
    def checker(self) -> Iterator[None]:
        """Act as the person who checks them."""
        with use_actor(clerk(self.company.branch, user_id=5000 + self.seed)):
            yield

    # --- choosing -----------------------------------------------------------------------------------------------------

    def one(self, sql: str) -> Any:
        """A random row of a query, or None. Nothing stays locked or open."""
        rows = sorted(db.session.execute(text(sql)).all(), key=tuple)
        db.session.commit()
        return self.dice.choice(rows) if rows else None

    def qty(self, low: int = 1, high: int = 9) -> Decimal:
        """A quantity, now and then a fraction."""
        return D(self.dice.randint(low, high)) + (D("0.5") if self.dice.random() < 0.1 else D(0))

    def lines(self) -> tuple[OrderLineInput, ...]:
        """One to three lines of different products, in any order."""
        chosen = self.dice.sample(self.company.products, self.dice.randint(1, min(3, len(self.company.products))))
        return tuple(OrderLineInput(self.qty(), product) for product in chosen)

    # --- orders -------------------------------------------------------------------------------------------------------

    def submit(self) -> Any:
        """A new order."""
        place = self.company.warehouses[0 if self.dice.random() < 0.8 else 1]
        orders.submit_order(OrderInput(self.dice.choice(self.company.dealers), place, self.lines()))

    def change(self) -> Any:
        """Other quantities, a line more or less."""
        row = self.one("SELECT id FROM sales_order WHERE state IN ('held','confirmed','part_shipped')")
        if row is None:
            return False
        present = db.session.execute(text("SELECT * FROM sales_order_line WHERE order_id = :o"), {"o": row.id}).all()
        kept = [OrderLineInput(self.qty(), line.product_id, line_id=line.id) for line in present]
        if len(kept) > 1 and self.dice.random() < 0.3:
            kept.pop()
        more = [line for line in self.lines() if self.dice.random() < 0.3]
        db.session.commit()
        place = self.dice.choice([None, None, *self.company.warehouses])
        orders.change_order(row.id, OrderChange((*kept, *more), warehouse_id=place))

    def cancel(self) -> Any:
        """An order is given up."""
        row = self.one("SELECT id FROM sales_order WHERE state IN ('held','confirmed')")
        return False if row is None else orders.cancel_order(row.id, "不要了")

    def short_close(self) -> Any:
        """The rest of an order is given up."""
        row = self.one("SELECT id FROM sales_order WHERE state IN ('held','part_shipped')")
        return False if row is None else orders.short_close(row.id, "不要了")

    def recheck(self) -> Any:
        """A held order is measured again."""
        row = self.one("SELECT id FROM sales_order WHERE state = 'held'")
        return False if row is None else orders.recheck_order(row.id)

    def release(self) -> Any:
        """A hold is released, at times rejected."""
        row = self.one("SELECT id FROM order_hold WHERE state = 'open'")
        if row is None:
            return False
        with self.checker():
            if self.dice.random() < 0.8:
                orders.release_hold(row.id, "同意")
            else:
                orders.reject_hold(row.id, "不同意")

    # --- goods --------------------------------------------------------------------------------------------------------

    def pick(self) -> Any:
        """All or a part of an order."""
        row = self.one("SELECT id FROM sales_order WHERE state IN ('confirmed','part_shipped')")
        if row is None:
            return False
        parts = None
        if self.dice.random() < 0.4:
            found = db.session.execute(text("SELECT * FROM sales_order_line WHERE order_id = :o"), {"o": row.id}).all()
            parts = {line.id: min(line_of(line).open, self.qty(1, 4)) for line in found if line_of(line).open > 0}
            db.session.commit()
        orders.pick(row.id, parts)

    def unpick(self) -> Any:
        """A picked shipment is not sent after all."""
        row = self.one("SELECT id FROM shipment WHERE state = 'picked'")
        return False if row is None else orders.cancel_shipment(row.id)

    def send_out(self) -> Any:
        """Goods leave."""
        row = self.one("SELECT id FROM shipment WHERE state = 'picked'")
        return False if row is None else orders.send_out(row.id)

    def sign(self) -> Any:
        """Goods arrive: in full, short or refused in part."""
        row = self.one("SELECT id FROM shipment WHERE state = 'shipped'")
        if row is None:
            return False
        parts = None
        if self.dice.random() < 0.4:
            found = db.session.execute(
                text("SELECT id, qty FROM shipment_line WHERE shipment_id = :s"), {"s": row.id}
            ).all()
            parts = {line.id: self._parts(line.qty) for line in found}
            db.session.commit()
        orders.sign(row.id, parts, signed_by="李老板", reopen=self.dice.random() < 0.5)

    def _parts(self, qty: Decimal) -> SignedLine:
        short = min(qty, D(self.dice.randint(0, 2)))
        refused = min(qty - short, D(self.dice.randint(0, 2)))
        return SignedLine(qty - short - refused, short, refused)

    def receive_goods(self) -> Any:
        """Goods come in from the supplier."""
        chosen = self.dice.sample(self.company.products, 2)
        place = self.dice.choice(self.company.warehouses)
        lines = tuple(goods.ReceivedLine(product, self.qty(5, 15), D(self.dice.randint(15, 60))) for product in chosen)
        goods.save_receipt(goods.ReceiptInput(warehouse_id=place, received_on=clock.today(), lines=lines), post=True)

    def reverse_goods(self) -> Any:
        """A goods receipt was wrong."""
        row = self.one("SELECT id FROM goods_receipt WHERE state = 'posted'")
        return False if row is None else goods.reverse_receipt(row.id, reason="错")

    # --- returns ------------------------------------------------------------------------------------------------------

    def ask_back(self) -> Any:
        """A dealer wants to give something back."""
        row = self.one(
            "SELECT l.id, s.dealer_id, l.signed_qty - l.returned_qty AS left FROM shipment_line l"
            " JOIN shipment s ON s.id = l.shipment_id WHERE s.state = 'signed' AND l.signed_qty > l.returned_qty"
        )
        if row is None:
            return False
        wanted = min(row.left, self.qty(1, 3))
        orders.request_return(ReturnInput(row.dealer_id, "damaged", (ReturnLineInput(row.id, wanted),)))

    def decide_back(self) -> Any:
        """The return is allowed, or not."""
        row = self.one("SELECT id FROM sales_return WHERE state = 'requested'")
        if row is None:
            return False
        with self.checker():
            orders.decide_return(row.id, self.dice.random() < 0.9, "看过", self.company.warehouses[0])

    def take_back(self) -> Any:
        """The goods are back."""
        row = self.one("SELECT id FROM sales_return WHERE state = 'approved'")
        return False if row is None else orders.receive_return(row.id)

    def credit_back(self) -> Any:
        """What was billed of them is credited."""
        row = self.one("SELECT id FROM sales_return WHERE state = 'received'")
        return False if row is None else orders.credit_return(row.id)

    # --- money --------------------------------------------------------------------------------------------------------

    def bill(self) -> Any:
        """An application, all or some of a delivery, examined and issued at once or left to somebody."""
        row = self.one("SELECT id FROM shipment WHERE state = 'signed'")
        if row is None:
            return False
        for ref in receivables.apply_deliveries([row.id]):
            receivables.submit(ref.id)
            if self.dice.random() < 0.7:
                with self.checker():
                    receivables.approve_and_issue(ref.id, "看过")

    def examine(self) -> Any:
        """Somebody examines what waits."""
        row = self.one("SELECT id FROM invoice WHERE state = 'submitted'")
        if row is None:
            return False
        with self.checker():
            if self.dice.random() < 0.8:
                receivables.approve_and_issue(row.id, "看过")
            else:
                receivables.reject(row.id, "不对")

    def reverse_invoice(self) -> Any:
        """A red-letter invoice."""
        row = self.one("SELECT id FROM invoice WHERE state = 'issued' AND invoice_kind = 'blue'")
        return False if row is None else receivables.reverse(row.id, "开错")

    def pay(self) -> Any:
        """A dealer pays, at times for one prepaid order."""
        dealer_id, order_id = self.dice.choice(self.company.dealers), None
        row = self.one(
            "SELECT id, dealer_id FROM sales_order WHERE settlement_mode = 'prepaid' AND state = 'confirmed'"
        )
        if row is not None and self.dice.random() < 0.5:
            dealer_id, order_id = row.dealer_id, row.id
        amount = D(self.dice.randint(100, 150_000)) / 100
        receivables.record_receipt(Money(dealer_id, amount, clock.today(), order_id=order_id))

    def reverse_payment(self) -> Any:
        """The money did not come."""
        row = self.one("SELECT id FROM receipt WHERE state = 'recorded'")
        if row is None:
            return False
        receivables.reverse_receipt(row.id, "退票", undo_allocations=self.dice.random() < 0.7)

    def allocate(self) -> Any:
        """What is paid settles what is owed."""
        receivables.allocate_automatically(self.dice.choice(self.company.dealers))

    def allocate_by_hand(self) -> Any:
        """A part of one item with a part of another."""
        row = self.one(
            "SELECT d.id AS debit, c.id AS credit, least(d.open_amount, -c.open_amount) AS most FROM open_item d"
            " JOIN open_item c ON c.payer_id = d.payer_id AND c.open_amount < 0 WHERE d.open_amount > 0"
        )
        if row is None:
            return False
        receivables.allocate(
            [(row.debit, row.credit, (row.most * self.dice.randint(1, 100) / 100).quantize(D("0.01")))]
        )

    def undo(self) -> Any:
        """An allocation was wrong."""
        row = self.one("SELECT id FROM allocation WHERE reverses_id IS NULL")
        return False if row is None else receivables.undo_allocation(row.id)

    def adjust(self) -> Any:
        """A correction of an account, asked for and decided."""
        amount = D(self.dice.choice([-1, 1]) * self.dice.randint(1, 5000)) / 100
        wanted = AdjustmentInput(self.dice.choice(self.company.dealers), amount, "rounding", "尾差", clock.today())
        ref = receivables.request_adjustment(wanted)
        with self.checker():
            receivables.decide_adjustment(ref.id, self.dice.random() < 0.8)

    def limit(self) -> Any:
        """A limit is proposed and decided."""
        payer = self.dice.choice(self.company.dealers)
        amount = D(self.dice.randint(20, 80) * 100)
        change = credit.propose_limit(kind="limit", amount=amount, reason="调整", payer_id=payer)
        with self.checker():
            credit.decide_limit(change, True)

    def deliver_events(self) -> Any:
        """Background work: held orders are measured again, returns are credited."""
        with use_actor(system_actor("readers")):
            outbox.run_readers(20)


STEPS: dict[str, tuple[Callable[[Player], Any], int]] = {
    "submit": (Player.submit, 14), "change": (Player.change, 5), "cancel": (Player.cancel, 3),
    "short_close": (Player.short_close, 2), "recheck": (Player.recheck, 3), "release": (Player.release, 5),
    "pick": (Player.pick, 11), "unpick": (Player.unpick, 2), "send_out": (Player.send_out, 11), "sign": (Player.sign, 11),
    "receive_goods": (Player.receive_goods, 4), "reverse_goods": (Player.reverse_goods, 1),
    "ask_back": (Player.ask_back, 5), "decide_back": (Player.decide_back, 5), "take_back": (Player.take_back, 5),
    "credit_back": (Player.credit_back, 2), "bill": (Player.bill, 9), "examine": (Player.examine, 4),
    "reverse_invoice": (Player.reverse_invoice, 2), "pay": (Player.pay, 6), "reverse_payment": (Player.reverse_payment, 2),
    "allocate": (Player.allocate, 4), "allocate_by_hand": (Player.allocate_by_hand, 3), "undo": (Player.undo, 2),
    "adjust": (Player.adjust, 2), "limit": (Player.limit, 3), "deliver_events": (Player.deliver_events, 5),
}  # fmt: skip
NAMES = list(STEPS)
WEIGHTS = [weight for _, weight in STEPS.values()]
BUSY = Busy.__name__
