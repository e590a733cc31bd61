"""What goes wrong at the edges of billing: services, corrections of a closed month, goods of several owners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from finance.ledger import accounts
from finance.ledger import service as periods
from finance.ledger.models import Entry, EntryLine
from finance.receivables import service
from finance.receivables.models import Invoice
from finance.receivables.service import BillInput, BillLine
from finance.receivables.service.red import ReturnLine
from inventory.stock import locations
from inventory.stock.models import StockBalance
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from tests.factories import finance, inventory, pricing

D = Decimal
DAY = date(2026, 3, 2)


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        finance.account(net.dealers[0], "100000")
        yield net


def delivery(net: inventory.Network, **values: Any) -> int:
    shipment = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "113")], **values)
    return finance.lines_of(shipment)[0].id


def issued(net: inventory.Network, line: int) -> int:
    ref = service.apply(BillInput([BillLine(line)]))
    service.submit(ref.id)
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.approve(ref.id, "seen")
        return service.issue(ref.id, DAY).id


def posted(invoice_id: int) -> list[EntryLine]:
    found = db.session.query(EntryLine).join(Entry, Entry.id == EntryLine.entry_id)
    return found.filter(Entry.document_kind == "invoice", Entry.document_id == invoice_id).all()


def test_a_service_with_a_supply_price_has_no_cost_either(net: inventory.Network) -> None:
    db.session.execute(text("UPDATE product SET stocked = false WHERE id = :id"), {"id": net.products[0]})
    db.session.expire_all()
    pricing.supply_price(net.products[0], "60")
    invoice_id = issued(net, delivery(net))
    assert db.session.get_one(Invoice, invoice_id).cost == 0
    assert {line.account_code for line in posted(invoice_id)} == {
        accounts.RECEIVABLE,
        accounts.REVENUE,
        accounts.OUTPUT_VAT,
    }


def test_a_reversal_belongs_to_the_closed_month_it_corrects(net: inventory.Network) -> None:
    invoice_id = issued(net, delivery(net))
    periods.close_period("2026-03")
    red = service.reverse(invoice_id, "wrong name", date(2026, 4, 5))
    assert {(line.posted_on, line.belongs_period) for line in posted(red.id)} == {(date(2026, 4, 5), "2026-03")}


def test_goods_of_several_owners_that_come_back_are_credited_to_each(net: inventory.Network) -> None:
    own, above = delivery(net), delivery(net, owner_unit_id=net.head_office)
    issued(net, own)
    issued(net, above)
    finance.run(service.credit_return, (77, net.units[0]), [ReturnLine(own, D(3)), ReturnLine(above, D(4))])
    reds = db.session.query(Invoice).filter(Invoice.return_id == 77).order_by(Invoice.owner_unit_id).all()
    assert {(red.owner_unit_id, red.gross) for red in reds} == {(net.units[0], D(-339)), (net.head_office, D(-452))}
    held = {
        unit: db.session.query(StockBalance.on_hand)
        .filter_by(location_id=locations.owner(unit), product_id=net.products[0])
        .scalar()
        for unit in (net.units[0], net.head_office)
    }
    assert held == {net.units[0]: D(-7), net.head_office: D(-6)}
    assert all(red.legal_number for red in reds)
