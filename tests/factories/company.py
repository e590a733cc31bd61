"""A small company with real words for tests in the browser and for looking at pages.

Head office with the branch 上海分公司, its warehouse, eight dealers, 200 products with prices and stock, and a user per
role; `lively` adds documents in every state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from branches.catalogue.models import Product
from branches.orders import service as orders
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.org.models import Dealer, Unit, Warehouse
from finance.credit import service as credit
from finance.receivables import service as receivables
from inventory.receipts import service as goods_receipts
from sdm.auth.identity import load_actor
from sdm.auth.models import User
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.command import command
from sdm.kernel.idempotency import DocumentRef
from tests.factories import auth, catalogue, dealers, org, pricing

D = Decimal
FAMILIES = (
    ("三门冰箱", "BCD", "冰箱", 2400), ("滚筒洗衣机", "XQG", "洗衣机", 1900), ("变频空调", "KFR", "空调", 2800),
    ("液晶电视", "LED", "电视", 3200), ("燃气热水器", "JSQ", "热水器", 1500),
)  # fmt: skip
DEALERS = (
    ("恒达电器徐汇店", "徐汇店", "13800138001"), ("永丰家电商行", "永丰", "13800138002"), ("浦江百货大楼", "浦百", "13800138003"),
    ("瑞祥电器静安店", "静安店", "13800138004"), ("杨浦五交化公司", "杨五", "13800138005"), ("宝山家电城", "宝山", "13800138006"),
    ("嘉定供销商场", "嘉供", "13800138007"), ("松江惠民电器", "惠民", "13800138008"),
)  # fmt: skip
PEOPLE = (
    ("clerk", "wang.fang", "王芳"), ("storekeeper", "li.qiang", "李强"), ("branch_manager", "zhou.jie", "周杰"),
    ("branch_finance", "chen.min", "陈敏"), ("finance", "sun.li", "孙丽"), ("executive", "zhao.gang", "赵刚"),
    ("administrator", "he.wei", "何伟"),
)  # fmt: skip


@dataclass(slots=True)
class Company:
    """Ids and names of what was made; `logins` by role, all with the password of `tests.factories.auth`."""

    branch_id: int = 0
    warehouse_id: int = 0
    dealer_ids: list[int] = field(default_factory=list)
    dealer_names: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    product_ids: list[int] = field(default_factory=list)
    users: dict[str, int] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    def acting(self, role: str) -> Any:
        """Act as the user of a role."""
        return use_actor(load_actor(self.users[role]))

    def order(self, dealer: int, *lines: tuple[int, Any], **values: Any) -> DocumentRef:
        """An order of (product index, quantity) by the clerk."""
        made = tuple(OrderLineInput(D(qty), self.product_ids[index]) for index, qty in lines)
        with self.acting("clerk"):
            return orders.submit_order(
                OrderInput(dealer_id=self.dealer_ids[dealer], warehouse_id=self.warehouse_id, lines=made, **values)
            )

    def picked(self, order_id: int) -> DocumentRef:
        """A shipment of everything open, by the storekeeper."""
        with self.acting("storekeeper"):
            return orders.pick(order_id)

    def sent(self, order_id: int, days: int = 0, **values: Any) -> DocumentRef:
        """The shipment on its way since so many days."""
        shipment = self.picked(order_id)
        with self.acting("storekeeper"):
            return orders.send_out(shipment.id, shipped_on=clock.today() - timedelta(days=days), **values)

    def signed(self, order_id: int, days: int = 0) -> DocumentRef:
        """The shipment signed for in full."""
        shipment = self.sent(order_id, days)
        with self.acting("storekeeper"):
            return orders.sign(shipment.id, signed_on=clock.today() - timedelta(days=days), signed_by="张店长")

    def applied(self, shipment_id: int) -> DocumentRef:
        """An invoice application of a signed shipment by the clerk, waiting for examination."""
        with self.acting("clerk"):
            draft = receivables.apply_deliveries([shipment_id])[0]
            return receivables.submit(draft.id)

    def billed(self, shipment_id: int, days: int = 0) -> DocumentRef:
        """The invoice of a signed shipment, issued by head-office finance so many days ago."""
        draft = self.applied(shipment_id)
        with self.acting("finance"):
            receivables.approve(draft.id)
            return receivables.issue(draft.id, clock.today() - timedelta(days=days))

    def paid(self, dealer: int, amount: str, reference: str, days: int = 0) -> DocumentRef:
        """Money of a dealer, recorded by the branch's finance."""
        day = clock.today() - timedelta(days=days)
        with self.acting("branch_finance"):
            return receivables.record_receipt(
                receivables.ReceiptInput(self.dealer_ids[dealer], D(amount), day, reference=reference)
            )


def company(products: int = 200, stock: int = 500) -> Company:
    """Make the company; outside of a request, with real commits."""
    with use_actor(system_actor("factory")):
        made = _masters(products)
        _stock(made, stock)
    return made


def _masters(products: int) -> Company:
    entity = org.legal_entity(code="DH", name="东海电器销售有限公司")
    head = org.head_office(legal_entity_id=entity.id, code="HQ", name="东海电器总部", name_en="Head office")
    region = org.region(head, code="HD", name="华东大区", name_en="East China")
    branch = org.branch(
        region, code="SH", name="上海分公司", name_en="Shanghai branch", province="上海市", city="上海市"
    )
    warehouse = org.warehouse(branch, code="SH01", name="上海中心仓", pinyin="shzxc", city="上海市")
    made = Company(branch.id, warehouse.id)
    _people(made, head, branch)
    _products(made, products)
    _dealers(made, branch)
    return made


@command(None)
def _dealers(made: Company, branch: Unit) -> None:
    for number, (name, short, phone) in enumerate(DEALERS, start=1):
        row: Dealer = dealers.dealer(
            branch.id, name, code=f"SH{number:04d}", short_name=short, phone=phone, tax_no=f"91310000{number:010d}",
            city="上海市", term_days=30,
        )  # fmt: skip
        credit.set_limit(row.id, D(2_000_000 if number != 3 else 20_000))
        made.dealer_ids.append(row.id)
        made.dealer_names.append(name)


@command(None)
def _products(made: Company, count: int) -> None:
    listed = pricing.price_list("all", code="STD", name="标准价目表")
    groups = {name: catalogue.category(name) for _title, _prefix, name, _price in FAMILIES}
    for number in range(count):
        title, prefix, group, base = FAMILIES[number % len(FAMILIES)]
        price = D(base + 10 * number)
        row: Product = catalogue.product(
            f"{title}{100 + number}型", code=f"{prefix}-{100 + number}", category=groups[group], brand="东海",
            specification=f"{100 + number}", barcodes=(f"69{number:011d}",),
        )  # fmt: skip
        pricing.price(listed, row.id, price, floor=str(price * D("0.9")))
        pricing.supply_price(row.id, price * D("0.65"))
        made.product_ids.append(row.id)
        made.codes.append(row.code)


def _people(made: Company, head: Unit, branch: Unit) -> None:
    for role, login, name in PEOPLE:
        unit = head if role in {"finance", "executive", "administrator"} else branch
        person = org.person(unit, name=name)
        row: User = auth.user(role, unit, login=login, name=name, person_id=person.id)
        made.users[role], made.logins[role] = row.id, login


def _stock(made: Company, quantity: int) -> None:
    lines = [goods_receipts.ReceivedLine(key, D(quantity), D(1200)) for key in made.product_ids]
    entered = goods_receipts.ReceiptInput(
        warehouse_id=made.warehouse_id, received_on=clock.today() - timedelta(days=60), origin="supplier",
        supplier_name="东海电器制造厂", lines=tuple(lines),
    )  # fmt: skip
    goods_receipts.save_receipt(entered, post=True)


def lively(made: Company) -> None:
    """Documents in every state: billed and overdue, collected, on the way and late, picked, held, short."""
    for dealer, lines in ((1, ((2, 8), (3, 4))), (3, ((5, 12),)), (4, ((7, 6), (8, 3), (9, 2)))):
        made.billed(made.signed(made.order(dealer, *lines).id, days=3).id, days=2)
    made.billed(made.signed(made.order(0, (0, 20), (1, 10)).id, days=50).id, days=48)
    made.billed(made.signed(made.order(3, (4, 12)).id, days=42).id, days=40)
    made.paid(1, "15000", "网银 20261121-118")
    made.paid(0, "40000", "网银 88231", days=12)
    made.paid(4, "9000", "电汇 7712", days=35)
    made.signed(made.order(5, (10, 5)).id, days=1)
    made.applied(made.signed(made.order(6, (11, 3)).id, days=2).id)
    made.sent(made.order(6, (12, 4), (13, 2)).id, days=9, expected_on=clock.today() - timedelta(days=4))
    made.sent(made.order(7, (14, 3)).id)
    made.picked(made.order(5, (15, 2), (16, 2)).id)
    made.order(1, (20, 6))
    made.order(2, (21, 15))
    made.order(4, (22, 900))
    made.order(0, (23, 3))


def rows_to_paste(made: Company, count: int) -> str:
    """Lines as copied from a spreadsheet: code and quantity."""
    return "\n".join(f"{code}\t{1 + number % 3}" for number, code in enumerate(_first(made.codes, count)))


def _first(codes: Sequence[str], count: int) -> Sequence[str]:
    return [codes[number % len(codes)] for number in range(count)]


def warehouse_of(made: Company) -> Warehouse:
    """The warehouse, freshly read."""
    from sdm.kernel.db import db

    return db.session.get_one(Warehouse, made.warehouse_id)
