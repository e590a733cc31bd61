"""A branch with one document of every kind, full of words and figures nobody else may see.

A new kind of document adds its maker here; the walk of `tests/web/test_foreign_user.py` fails until it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect, select

from branches.orders import service as orders_service
from branches.orders.inputs import ReturnInput, ReturnLineInput
from branches.org.models import DealerContact, Unit
from finance.credit import service as credit
from finance.receivables import service as receivables
from finance.receivables.service import AdjustmentInput, BillInput, BillLine, ReceiptInput, TaxInvoiceInput
from inventory.shipments import service as shipments
from sdm.kernel import clock, documents
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.scope import scoped_classes
from tests.factories import dealers, orders, org, pricing

MARK = "ZQXJ"
PRICE = "7777.77"
D = Decimal


@dataclass(slots=True)
class World:
    """The branch, and what must not leave it: words, numbers of documents, figures."""

    branch: Unit
    shop: orders.Shop
    secrets: set[str] = field(default_factory=set)
    ids: dict[str, set[int]] = field(default_factory=dict)

    @property
    def one_of_each(self) -> list[int]:
        """Ids of the branch, and of one row of each table."""
        return sorted(
            {self.branch.id, *(min(ids) for ids in self.ids.values()), *(max(ids) for ids in self.ids.values())}
        )


def world() -> World:
    """Make the branch; the caller acts as the system."""
    shop = orders.shop(products=2, stock=100, limit="10000000")
    for product_id in shop.products:
        pricing.price(_list_of(shop), product_id, PRICE)
    shop.dealer.name, shop.dealer.phone = f"{MARK} dealer", "13977778888"
    org.save(shop.dealer)
    org.save(DealerContact(dealer_id=shop.dealer.id, name=f"{MARK} contact", phone="13966665555"))
    org.person(shop.branch, name=f"{MARK} person")
    made = World(shop.branch, shop)
    with use_actor(orders.clerk(shop.branch)):
        _sales(made)
    _remember(made)
    return made


def _list_of(shop: orders.Shop) -> Any:
    return pricing.price_list("dealer", dealer_id=shop.dealer.id)


def _sales(made: World) -> None:
    """Orders in several states, a delivery, a return, an invoice, a receipt, an adjustment, a limit change."""
    shop = made.shop
    shop.submit((0, 1), note=f"{MARK} note")
    orders_service.quote(shop.order((0, 1)))
    orders_service.pick(shop.submit((1, 1)).id)
    _order, shipment = orders.signed(shop, (0, 3))
    held = dealers.dealer(shop.branch.id, name=f"{MARK} poor dealer")
    shop.submit((0, 1), dealer_id=held.id)
    lines = shipments.lines_of(shipment.id)
    back = ReturnInput(shop.dealer.id, "damaged", (ReturnLineInput(lines[0].id, D(1)),), note=f"{MARK} return")
    orders_service.request_return(back)
    _money(made, lines[0].id)


def _money(made: World, line_id: int) -> None:
    shop, today = made.shop, clock.today()
    invoice = receivables.apply(BillInput([BillLine(line_id)], note=f"{MARK} invoice"))
    receivables.submit(invoice.id)
    with use_actor(orders.clerk(shop.branch, user_id=777)):
        receivables.approve(invoice.id, "seen")
        receivables.issue(invoice.id, today)
    gross = documents.get(documents.kind_of("invoice").model, invoice.id).gross
    links = [(invoice.id, gross)]
    receivables.record_tax_invoice(TaxInvoiceInput(f"{MARK}-TAX-1", today, gross, D("1.00"), links))
    paid = ReceiptInput(shop.dealer.id, D("4321.09"), today, reference=f"{MARK} bank", note=f"{MARK} paid")
    receivables.record_receipt(paid)
    receivables.allocate_automatically(shop.dealer.id)
    wanted = AdjustmentInput(shop.dealer.id, D("5432.10"), _reason(), f"{MARK} reason", today)
    receivables.request_adjustment(wanted)
    credit.propose_limit(kind="limit", amount=D("6543210"), reason=f"{MARK} wants more", payer_id=shop.dealer.id)


def _reason() -> str:
    from finance.receivables.rules import ADJUSTMENT_REASONS

    return next(code for code in ADJUSTMENT_REASONS if code != "opening")


def _remember(made: World) -> None:
    """Every scoped row of the branch, and the numbers of its documents."""
    for model in scoped_classes():
        columns = inspect(model).columns
        if "id" not in columns or "unit_id" not in columns:
            continue
        rows = db.session.execute(select(model).where(model.unit_id == made.branch.id)).scalars().all()
        if rows:
            made.ids[model.__table__.name] = {row.id for row in rows}
        for name in ("number", "legal_number"):
            made.secrets |= {str(getattr(row, name)) for row in rows if getattr(row, name, None)}
    made.secrets |= {MARK, "13977778888", "13966665555", "7,777.77", "7777.77", "4,321.09", "4321.09", "5432.10"}
