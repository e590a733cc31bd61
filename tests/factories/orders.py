"""A shop for tests of orders: a branch with a warehouse, a dealer with credit, priced products and goods in stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from branches.orders import service
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.org.models import Dealer, Unit, Warehouse
from finance.credit import queries as credit_queries
from inventory.receipts import service as goods_receipts
from sdm.kernel import clock
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.scope import EVERYTHING, Scope
from tests.factories import catalogue, dealers, finance, org, pricing


@dataclass(slots=True)
class Shop:
    """What a sale needs. Product i costs ``100 * (i + 1)`` gross; ``stock`` of each lies in the warehouse."""

    branch: Unit
    warehouse: Warehouse
    dealer: Dealer
    products: list[int] = field(default_factory=list)
    price_list: int = 0

    def order(self, *lines: Any, **values: Any) -> OrderInput:
        """An order of (product index, quantity) or ready lines."""
        made = tuple(
            line if isinstance(line, OrderLineInput) else OrderLineInput(Decimal(line[1]), self.products[line[0]])
            for line in lines
        )
        values.setdefault("dealer_id", self.dealer.id)
        values.setdefault("warehouse_id", self.warehouse.id)
        return OrderInput(lines=made, **values)

    def submit(self, *lines: Any, **values: Any) -> DocumentRef:
        """Submit an order of (product index, quantity)."""
        return service.submit_order(self.order(*lines, **values))

    @property
    def exposure(self) -> Decimal:
        """What the payer's account says now."""
        return credit_queries.headroom(self.dealer.payer).exposure


def clerk(unit: Unit | None = None, user_id: int = 501, **values: Any) -> Actor:
    """Somebody with every permission over a unit (all of the network without one)."""
    scope = Scope(units=frozenset(values.pop("units", [unit.id]))) if unit is not None else EVERYTHING
    values.setdefault("all_permissions", True)
    return Actor(user_id=user_id, name="王店员", permissions=frozenset(), scope=scope, **values)


def shop(
    products: int = 3, stock: str | int = 100, limit: str = "100000", *, mode: str = "term", floor: str | None = None
) -> Shop:
    """A shop with goods; the caller acts as nobody or as the system. Everything goes through commands and factories."""
    with use_actor(system_actor("factory")):
        return _shop(products, str(stock), limit, mode, floor)


def _shop(products: int, stock: str, limit: str, mode: str, floor: str | None) -> Shop:
    branch = org.branch()
    warehouse = org.warehouse(branch)
    dealer = dealers.dealer(branch.id, settlement_mode=mode)
    finance.account(dealer.id, limit)
    made = Shop(branch, warehouse, dealer)
    listed = pricing.price_list("all")
    made.price_list = listed.id
    group = catalogue.category()
    for index in range(products):
        product = catalogue.product(f"冰箱{index}", category=group)
        pricing.price(listed, product.id, str(100 * (index + 1)), floor=floor)
        pricing.supply_price(product.id, str(60 * (index + 1)))
        made.products.append(product.id)
    if Decimal(stock):
        fill(made, {product_id: stock for product_id in made.products})
    return made


def fill(made: Shop, goods: dict[int, str], on: date | None = None) -> DocumentRef:
    """Goods arrive in the shop's warehouse by a posted goods receipt."""
    lines = [goods_receipts.ReceivedLine(product_id, Decimal(qty), Decimal("55")) for product_id, qty in goods.items()]
    entered = goods_receipts.ReceiptInput(
        warehouse_id=made.warehouse.id, received_on=on or clock.today(), origin="supplier", lines=tuple(lines)
    )
    return goods_receipts.save_receipt(entered, post=True)


def shipped(made: Shop, *lines: Any, **values: Any) -> tuple[DocumentRef, DocumentRef]:
    """(order, shipment) of goods on their way."""
    order = made.submit(*lines, **values)
    shipment = service.pick(order.id)
    return order, service.send_out(shipment.id)


def signed(made: Shop, *lines: Any, **values: Any) -> tuple[DocumentRef, DocumentRef]:
    """(order, shipment) of goods signed for in full."""
    order, shipment = shipped(made, *lines, **values)
    return order, service.sign(shipment.id, signed_by="李老板")


def line_ids(order_id: int) -> Sequence[int]:
    """Ids of an order's lines by number."""
    from branches.orders import queries

    return [line.id for line in queries.lines_of(order_id)]
