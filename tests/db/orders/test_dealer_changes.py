"""A dealer with open business is not merged, moved or ended, and is told why; what he holds follows him to his new branch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from branches.orders import service
from branches.orders.inputs import ReturnInput, ReturnLineInput
from branches.org import dealers_rules, dealers_service, dealers_sheets
from branches.org.models import Dealer, Unit
from finance.credit.models import CreditAccount
from finance.receivables import service as receivables
from finance.receivables.models import Invoice
from inventory.channel.models import StockBucket
from inventory.shipments import service as shipments
from inventory.stock.models import Location
from sdm.kernel import clock, hooks
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, InvalidInput
from sdm.kernel.sheets import SheetRow
from tests.factories import dealers, org
from tests.factories.orders import Shop, clerk, shop

D = Decimal


def reasons(dealer_id: int, *more: str) -> set[str]:
    found = [hooks.call(name, dealer_id) for name in ("dealer.obstacles", *more)]
    return {str(reason) for answers in found for answer in answers for reason in answer}


def bill_and_pay(made: Shop, shipment_id: int) -> None:
    draft = receivables.apply_deliveries([shipment_id])[0]
    receivables.submit(draft.id)
    with use_actor(clerk(user_id=900)):
        receivables.approve_and_issue(draft.id, "看过")
    receivables.record_receipt(receivables.ReceiptInput(made.dealer.id, D(1000), clock.today()))
    receivables.allocate_automatically(made.dealer.id)


def refused(work: Any) -> str:
    with pytest.raises((Conflict, InvalidInput)) as caught:
        work()
    errors = getattr(caught.value, "errors", [])
    return errors[0].details["reasons"] if errors else caught.value.details["reasons"]


def test_every_step_of_a_sale_names_what_is_open(session):
    made = shop()
    assert reasons(made.dealer.id, "dealer.holdings") == set()
    offer = service.quote(made.order((0, 1)))
    assert reasons(made.dealer.id) == {"open quotations"}
    service.withdraw_quotation(offer.id)

    order = made.submit((0, 10))
    assert reasons(made.dealer.id) == {"open orders", "credit exposure"}
    shipment = service.pick(order.id)
    assert "goods on their way" in reasons(made.dealer.id)
    service.send_out(shipment.id)
    assert reasons(made.dealer.id) == {"deliveries to bill", "goods on their way", "credit exposure"}
    service.sign(shipment.id, signed_by="李老板")
    assert reasons(made.dealer.id) == {"deliveries to bill", "credit exposure"}
    bill_and_pay(made, shipment.id)
    assert reasons(made.dealer.id) == set()
    assert reasons(made.dealer.id, "dealer.holdings") == {"stock at the dealer"}

    line = shipments.lines_of(shipment.id)[0]
    service.request_return(ReturnInput(made.dealer.id, "damaged", (ReturnLineInput(line.id, D(1)),)))
    assert reasons(made.dealer.id) == {"open returns"}


def test_who_pays_for_an_open_order_has_open_business_too(session):
    made = shop()
    payer = dealers.dealer(made.branch.id)
    dealers_service.change_dealer(made.dealer.id, None, {"payer_id": payer.id})
    made.submit((0, 1))
    assert "open orders" in reasons(payer.id)


def test_a_dealer_with_an_open_order_is_neither_merged_nor_moved_nor_ended(session):
    made = shop()
    other, elsewhere = dealers.dealer(made.branch.id), org.branch()
    made.submit((0, 10))
    assert "未完成订单" in refused(lambda: dealers_service.merge_dealers(made.dealer.id, other.id))
    assert "未完成订单" in refused(
        lambda: dealers_service.change_dealer(made.dealer.id, None, {"unit_id": elsewhere.id})
    )
    assert "未完成订单" in refused(lambda: dealers_service.deactivate_dealer(made.dealer.id))
    code = made.dealer.code
    moved = SheetRow(2, {"code": code, "unit": db.session.get_one(Unit, elsewhere.id).code})
    ended = SheetRow(3, {"code": code, "status": "inactive"})
    assert {(fault.column, fault.code) for fault in dealers_sheets.DEALERS.check([moved])} == {
        ("unit", dealers_rules.MOVE_OPEN)
    }
    assert {(fault.column, fault.code) for fault in dealers_sheets.DEALERS.check([ended])} == {
        ("status", dealers_rules.OPEN_BUSINESS)
    }
    dealers_service.block_dealer(made.dealer.id, "欠款")


def test_what_a_dealer_holds_follows_him_to_his_new_branch_and_the_past_stays(session):
    made = shop()
    order = made.submit((0, 10))
    shipment = service.pick(order.id)
    service.send_out(shipment.id)
    service.sign(shipment.id, signed_by="李老板")
    bill_and_pay(made, shipment.id)
    elsewhere = org.branch()

    dealers_service.change_dealer(made.dealer.id, None, {"unit_id": elsewhere.id})

    def unit_of(model: Any, **values: Any) -> set[int]:
        return {row.unit_id for row in db.session.query(model).filter_by(**values).populate_existing()}

    mine = {"dealer_id": made.dealer.id}
    assert unit_of(Location, **mine) == unit_of(StockBucket, **mine) == {elsewhere.id}
    assert unit_of(CreditAccount, payer_id=made.dealer.id) == {elsewhere.id}
    assert unit_of(Invoice, **mine) == {made.branch.id}
    with use_actor(clerk(elsewhere)):
        assert db.session.query(StockBucket).filter_by(**mine).count() == 1


def test_an_invoice_goes_to_the_payer_of_the_order_whoever_pays_for_the_dealer_now(session):
    made = shop()
    order = made.submit((0, 10))
    shipment = service.pick(order.id)
    service.send_out(shipment.id)
    service.sign(shipment.id, signed_by="李老板")
    payer = dealers.dealer(made.branch.id)
    dealers_service.change_dealer(made.dealer.id, None, {"payer_id": payer.id})

    line = shipments.lines_of(shipment.id)[0].id
    one = receivables.apply(receivables.BillInput((receivables.BillLine(line, D(4)),)))
    (rest,) = receivables.apply_deliveries([shipment.id])
    assert {db.session.get_one(Invoice, ref.id).payer_id for ref in (one, rest)} == {made.dealer.id}
    assert db.session.get_one(Dealer, made.dealer.id).payer == payer.id
