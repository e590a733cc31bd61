"""From delivered goods to an issued invoice and back: receivable, exposure, stock, value, ledger, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text

from branches.org import parameters
from branches.org.queries import legal_entity_id_of
from finance.credit import queries as credit
from finance.credit import service as credit_service
from finance.credit.rules import Buckets
from finance.ledger import accounts
from finance.ledger import queries as ledger
from finance.ledger import service as ledger_service
from finance.receivables import queries, service
from finance.receivables.models import Invoice, OpenItem
from finance.receivables.service import BillInput, BillLine, ReturnLine
from inventory.receipts import service as goods
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from inventory.stock import locations
from inventory.stock.models import StockBalance, StockValue
from sdm.kernel import hooks
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, Forbidden, IllegalTransition, InvalidInput, NotFound, PeriodClosed
from tests.factories import finance, inventory, pricing

D = Decimal
DAY = date(2026, 3, 2)


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        yield net


@pytest.fixture
def payer(net: inventory.Network) -> int:
    return finance.account(net.dealers[0], "100000")


def receive(net: inventory.Network, qty: str = "100", cost: str | None = "55", product: int = 0, place: int = 0) -> int:
    line = ReceivedLine(net.products[product], D(qty), D(cost) if cost else None)
    return goods.save_receipt(
        ReceiptInput(warehouse_id=net.warehouses[place], received_on=DAY, lines=[line]), post=True
    ).id


def examiner(net: inventory.Network) -> object:
    return use_actor(inventory.clerk([net.head_office, *net.units], user_id=99))


def issued(net: inventory.Network, lines: list[BillLine], on: date = DAY) -> Invoice:
    ref = service.apply(BillInput(lines))
    service.submit(ref.id)
    with examiner(net):
        service.approve(ref.id, "seen")
        service.issue(ref.id, on)
    return db.session.get_one(Invoice, ref.id)


def balances(unit_id: int, day: date = DAY) -> dict[str, Decimal]:
    rows = ledger.trial_balance(date(2026, 1, 1), day, unit_id)
    return {row.account_code: row.closing for row in rows if row.closing}


def on_hand(location_id: int, product_id: int) -> Decimal:
    found = db.session.query(StockBalance.on_hand).filter_by(location_id=location_id, product_id=product_id).first()
    return found[0] if found else D(0)


def delivery(net: inventory.Network, qty: str = "10", price: str = "113", **values: object) -> list[int]:
    shipment = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], qty, price)], **values)
    return [line.id for line in finance.lines_of(shipment)]


def test_issuing_moves_receivable_stock_value_and_ledger_in_one_transaction(net: inventory.Network, payer: int) -> None:
    pricing.supply_price(net.products[0], "60")
    receive(net)
    [line] = delivery(net)
    invoice = issued(net, [BillLine(line)])
    assert (invoice.state, invoice.gross, invoice.net, invoice.vat) == ("issued", D(1130), D(1000), D(130))
    assert (invoice.cost, invoice.due_on) == (D(600), date(2026, 4, 1))
    assert balances(net.units[0]) == {
        accounts.RECEIVABLE: D(1130),
        accounts.REVENUE: D(-1000),
        accounts.OUTPUT_VAT: D(-130),
        accounts.COST: D(600),
        accounts.INVENTORY: D(5400),
        accounts.SUPPLY_CLEARING: D(-5500),
        accounts.SUPPLY_VARIANCE: D(-500),
    }
    assert on_hand(locations.owner(net.units[0]), net.products[0]) == D(90)
    assert on_hand(locations.sold(net.units[0]), net.products[0]) == D(10)
    value = db.session.get_one(StockValue, (net.units[0], net.products[0]), populate_existing=True)
    assert (value.qty, value.value) == (D(90), D(5400))
    assert credit.headroom(payer).buckets.items == D(1130)
    [item] = queries.open_items(payer)
    assert (item.amount, item.open_amount, item.number, item.due_on) == (
        1130,
        1130,
        invoice.legal_number,
        invoice.due_on,
    )


def test_legal_numbers_have_no_gaps_within_a_company_and_year(net: inventory.Network, payer: int) -> None:
    lines = [delivery(net, "1")[0] for _ in range(3)]
    numbers = [issued(net, [BillLine(line)]).legal_number for line in lines]
    serials = [int((number or "").rsplit("-", 1)[1]) for number in numbers]
    assert serials == [1, 2, 3]
    next_year = issued(net, [BillLine(delivery(net, "1")[0])], date(2026, 3, 3)).legal_number
    assert next_year is not None and next_year.endswith("-00000004")


def test_a_delivery_is_billed_in_parts_which_add_up_to_the_cent(net: inventory.Network, payer: int) -> None:
    [line] = delivery(net, "3", "33.3333")
    parts = [issued(net, [BillLine(line, D(1))]).gross for _ in range(3)]
    assert sum(parts) == D("100.00")
    with pytest.raises(InvalidInput):
        service.apply(BillInput([BillLine(line, D(1))]))


def test_a_draft_keeps_others_from_billing_the_same_units(net: inventory.Network, payer: int) -> None:
    [line] = delivery(net)
    draft = service.apply(BillInput([BillLine(line, D(7))]))
    with pytest.raises(InvalidInput) as error:
        service.apply(BillInput([BillLine(line, D(4))]))
    assert error.value.errors[0].details["left"] == "3.000"
    service.withdraw(draft.id)
    service.apply(BillInput([BillLine(line, D(10))]))


def test_several_deliveries_of_one_payer_become_one_invoice(net: inventory.Network, payer: int) -> None:
    lines = delivery(net) + delivery(net, "2", "50")
    invoice = issued(net, [BillLine(line) for line in lines])
    assert invoice.gross == D(1230)


def test_deliveries_of_different_branches_are_billed_apart(net: inventory.Network, payer: int) -> None:
    mine = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "1", "10")])
    theirs = finance.delivered(net.units[1], net.dealers[1], [(net.products[0], "1", "10")])
    lines = [finance.lines_of(shipment)[0].id for shipment in (mine, theirs)]
    with pytest.raises(InvalidInput, match="apart"):
        service.apply(BillInput([BillLine(line) for line in lines]))
    assert len(service.apply_deliveries([mine.id, theirs.id])) == 2
    with pytest.raises(Conflict):
        service.apply_deliveries([mine.id])


def test_only_what_was_signed_can_be_billed_unless_the_parameter_bills_shipped_goods(
    net: inventory.Network, payer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line] = delivery(net, state="shipped")
    assert queries.billable_lines([line])[line].billable == 0
    real = parameters.value
    monkeypatch.setattr(
        parameters, "value", lambda key, *rest: "shipped" if key == "billing.basis" else real(key, *rest)
    )
    assert queries.billable_lines([line])[line].billable == 10


def test_the_examiner_sees_warnings_and_must_give_a_reason(net: inventory.Network) -> None:
    payer = finance.account(net.dealers[0], "1000")
    ref = service.apply(BillInput([BillLine(delivery(net)[0])]))
    service.submit(ref.id)
    invoice = db.session.get_one(Invoice, ref.id)
    [warning] = (invoice.warnings or {})["warnings"]
    assert (warning["code"], warning["percent"], warning["limit"]) == ("limit", 113, "1000.00")
    with examiner(net):
        with pytest.raises(InvalidInput):
            service.approve(ref.id)
        service.reject(ref.id, "wait for the payment")
    assert credit.headroom(payer).buckets.items == 0
    service.submit(ref.id)
    with examiner(net):
        service.approve_and_issue(ref.id, "president agrees")
    assert db.session.get_one(Invoice, ref.id).reason == "president agrees"


def test_nobody_approves_his_own_application(net: inventory.Network, payer: int) -> None:
    ref = service.apply(BillInput([BillLine(delivery(net)[0])]))
    with pytest.raises(IllegalTransition):
        service.approve(ref.id)
    service.submit(ref.id)
    with pytest.raises(Forbidden):
        service.approve(ref.id)


def test_nothing_is_issued_into_a_closed_period(net: inventory.Network, payer: int) -> None:
    finance.entry(net.units[0], legal_entity_id_of(net.units[0]))
    ledger_service.close_period("2026-03")
    ref = service.apply(BillInput([BillLine(delivery(net)[0])]))
    service.submit(ref.id)
    with examiner(net), pytest.raises(PeriodClosed):
        service.approve(ref.id)
        service.issue(ref.id, DAY)
    assert queries.open_items(payer) == []


def test_a_reversal_takes_everything_back_and_the_units_can_be_billed_again(net: inventory.Network, payer: int) -> None:
    pricing.supply_price(net.products[0], "60")
    receive(net)
    [line] = delivery(net)
    before = balances(net.units[0])
    invoice = issued(net, [BillLine(line)])
    red = db.session.get_one(Invoice, service.reverse(invoice.id, "wrong name", DAY).id)
    assert (red.invoice_kind, red.gross, red.original_id, invoice.state) == ("red", D(-1130), invoice.id, "reversed")
    assert balances(net.units[0]) == before
    assert credit.headroom(payer).buckets.items == 0
    assert queries.open_items(payer) == []
    assert queries.billable_lines([line])[line].billable == 10
    value = db.session.get_one(StockValue, (net.units[0], net.products[0]), populate_existing=True)
    assert (value.qty, value.value) == (D(100), D(6000))
    assert red.legal_number and invoice.legal_number and red.legal_number > invoice.legal_number
    assert issued(net, [BillLine(line)]).gross == D(1130)
    with pytest.raises(IllegalTransition):
        service.reverse(invoice.id, "again", DAY)
    with pytest.raises(Conflict):
        service.reverse(red.id, "red", DAY)


def test_a_paid_invoice_reversed_leaves_the_payment_as_credit(net: inventory.Network, payer: int) -> None:
    invoice = issued(net, [BillLine(delivery(net)[0])])
    service.record_receipt(service.ReceiptInput(net.dealers[0], D(1000), DAY))
    service.allocate_automatically(payer)
    service.reverse(invoice.id, "wrong goods", DAY)
    assert [item.open_amount for item in queries.open_items(payer)] == [D(-1000)]
    assert credit.headroom(payer).exposure == D(-1000)


def test_billed_goods_that_come_back_are_credited_at_their_original_price_and_cost(
    net: inventory.Network, payer: int
) -> None:
    pricing.supply_price(net.products[0], "60")
    receive(net)
    [line] = delivery(net, "3", "33.3333")
    invoice = issued(net, [BillLine(line)])
    first = finance.run(service.credit_return, (1, net.units[0]), [ReturnLine(line, D(1))], DAY)
    second = finance.run(service.credit_return, (2, net.units[0]), [ReturnLine(line, D(2))], DAY)
    reds = [db.session.get_one(Invoice, ref.id) for ref in (first, second) if ref]
    assert [red.gross for red in reds] == [D("-33.33"), D("-66.67")]
    assert [red.cost for red in reds] == [D(-60), D(-120)]
    assert sum((red.net for red in reds), invoice.net) == 0
    assert balances(net.units[0]).keys() == {accounts.INVENTORY, accounts.SUPPLY_CLEARING, accounts.SUPPLY_VARIANCE}
    assert queries.open_items(payer) == []
    with pytest.raises(InvalidInput):
        finance.run(service.credit_return, (3, net.units[0]), [ReturnLine(line, D(1))], DAY)
    with pytest.raises(Conflict):
        service.reverse(invoice.id, "nothing left", DAY)


def test_a_partly_credited_invoice_is_reversed_by_its_rest(net: inventory.Network, payer: int) -> None:
    [line] = delivery(net)
    invoice = issued(net, [BillLine(line)])
    finance.run(service.credit_return, (1, net.units[0]), [ReturnLine(line, D(4))], DAY)
    db.session.execute(text("UPDATE shipment_line SET returned_qty = 4 WHERE id = :id"), {"id": line})
    red = db.session.get_one(Invoice, service.reverse(invoice.id, "rest", DAY).id)
    assert red.gross == D(-678)
    assert queries.billable_lines([line])[line].billable == 6
    assert credit.headroom(payer).buckets.items == 0


def test_goods_owned_by_head_office_are_supplied_through_inter_unit_accounts(
    net: inventory.Network, payer: int
) -> None:
    pricing.supply_price(net.products[0], "60")
    [line] = delivery(net, owner_unit_id=net.head_office)
    issued(net, [BillLine(line)])
    assert balances(net.units[0]) == {
        accounts.RECEIVABLE: D(1130),
        accounts.REVENUE: D(-1000),
        accounts.OUTPUT_VAT: D(-130),
        accounts.COST: D(600),
        accounts.INTER_UNIT: D(-600),
    }
    above = balances(net.head_office)
    assert above[accounts.INTER_UNIT] == D(600)
    assert sum(above.values()) == 0
    assert on_hand(locations.owner(net.head_office), net.products[0]) == D(-10)


def test_services_have_neither_stock_nor_cost(net: inventory.Network, payer: int) -> None:
    db.session.execute(text("UPDATE product SET stocked = false WHERE id = :id"), {"id": net.products[0]})
    db.session.expire_all()
    issued(net, [BillLine(delivery(net, "1", "113")[0])])
    assert balances(net.units[0]).keys() == {accounts.RECEIVABLE, accounts.REVENUE, accounts.OUTPUT_VAT}


def test_the_orders_are_told_what_was_billed_and_their_exposure_moves_with_it(
    net: inventory.Network, payer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, Decimal]] = []

    def orders(lines: list[tuple[int, Decimal]]) -> list[tuple[int, object]]:
        told.extend(lines)
        sign = 1 if lines[0][1] > 0 else -1
        return [(payer, Buckets(shipped=D(-1130) * sign))]

    monkeypatch.setitem(hooks._hooks, "invoice.lines_issued", [orders])
    [line] = delivery(net)
    db.session.execute(text("UPDATE shipment_line SET order_line_id = 77 WHERE id = :id"), {"id": line})
    finance.run(credit_service.shift, payer, Buckets(shipped=D(1130)))
    invoice = issued(net, [BillLine(line)])
    assert credit.headroom(payer).exposure == D(1130)
    service.reverse(invoice.id, "wrong", DAY)
    assert credit.headroom(payer).exposure == D(1130)
    assert credit.headroom(payer).buckets.shipped == D(1130)
    assert told == [(77, D(10)), (77, D(-10))]


def test_a_foreign_branch_sees_and_bills_nothing(net: inventory.Network, payer: int) -> None:
    [line] = delivery(net)
    invoice = issued(net, [BillLine(line, D(1))])
    with use_actor(inventory.clerk([net.units[1]])):
        with pytest.raises(InvalidInput):
            service.apply(BillInput([BillLine(line, D(1))]))
        with pytest.raises(NotFound):
            service.reverse(invoice.id, "mine now")
        assert queries.billable() == []
        assert db.session.query(OpenItem).count() == 0


def test_the_same_application_sent_twice_is_one(net: inventory.Network, payer: int) -> None:
    wanted = BillInput([BillLine(delivery(net)[0])])
    assert service.apply(wanted).id == service.apply(wanted).id


def test_of_two_applications_for_the_same_units_the_first_issued_wins(net: inventory.Network, payer: int) -> None:
    [line] = delivery(net)
    first, second = (finance.draft_anyway(line, D(7)) for _ in range(2))
    for invoice_id in (first, second):
        service.submit(invoice_id)
    with examiner(net):
        service.approve_and_issue(second, "seen")
        with pytest.raises(Conflict) as error:
            service.approve_and_issue(first, "seen")
    assert error.value.details["lines"][0]["left"] == "3.000"
