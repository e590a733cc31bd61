"""Receipts, allocation, adjustments, opening receivables: open amounts, exposure and control account stay together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from branches.org import parameters
from finance.credit import queries as credit
from finance.ledger import accounts
from finance.ledger import queries as ledger
from finance.ledger import service as ledger_service
from finance.receivables import queries, service
from finance.receivables.models import Allocation, OpenItem, Receipt, ReceivableAdjustment
from finance.receivables.service import AdjustmentInput, OpeningItem, ReceiptInput
from sdm.kernel import hooks
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import AlreadyExists, Conflict, Forbidden, InvalidInput, NotFound, PeriodClosed
from tests.factories import finance, inventory

D = Decimal
DAY = date(2026, 3, 2)


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        yield net


@pytest.fixture
def payer(net: inventory.Network) -> int:
    return finance.account(net.dealers[0], "1000")


def opening(net: inventory.Network, *amounts: str, due: date = DAY, dealer: int = 0) -> list[OpenItem]:
    known = db.session.query(OpenItem).filter_by(kind="opening").count()
    items = [
        OpeningItem(net.dealers[dealer], f"OLD-{known + number}", DAY, due, D(amount))
        for number, amount in enumerate(amounts, start=1)
    ]
    ids = service.post_opening(items)
    found = db.session.query(OpenItem).filter_by(document_kind="receivable_adjustment").order_by(OpenItem.id)
    return [item for item in found if item.document_id in ids]


def receipt(net: inventory.Network, amount: str, **values: object) -> Receipt:
    ref = service.record_receipt(ReceiptInput(net.dealers[0], D(amount), DAY, **values))  # type: ignore[arg-type]
    return db.session.get_one(Receipt, ref.id)


def item_of(row: Receipt) -> OpenItem:
    found = db.session.query(OpenItem).filter_by(document_kind="receipt", document_id=row.id, part=0)
    return found.populate_existing().one()


def left(payer: int) -> list[Decimal]:
    return [item.open_amount for item in queries.open_items(payer)]


def in_agreement(payer: int) -> None:
    """The control account, the open items and the credit buckets tell the same."""
    items = db.session.query(OpenItem).filter_by(payer_id=payer).populate_existing().all()
    control = ledger.balance(accounts.RECEIVABLE, None, date(2999, 1, 1), dealer_id=payer)
    buckets = credit.headroom(payer).buckets
    assert control == sum(item.amount for item in items)
    assert buckets.items == sum(item.open_amount for item in items if item.kind != "receipt")
    assert -buckets.receipts == sum(item.open_amount for item in items if item.kind == "receipt" and item.counted)


def test_a_receipt_lowers_exposure_at_once_and_stands_open(net: inventory.Network, payer: int) -> None:
    opening(net, "300")
    row = receipt(net, "200", reference="BK-1")
    assert row.legal_number == f"REC{row.legal_entity_id}-2026-00000001"
    assert credit.headroom(payer).exposure == D(100)
    assert left(payer) == [D(300), D(-200)]
    assert ledger.balance(accounts.COLLECTION, net.units[0], DAY) == D(200)
    in_agreement(payer)


def test_money_collected_by_head_office_goes_through_inter_unit_accounts(
    net: inventory.Network, payer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "value", lambda *_: "head_office")
    receipt(net, "200")
    assert ledger.balance(accounts.BANK, net.head_office, DAY) == D(200)
    assert ledger.balance(accounts.INTER_UNIT, net.head_office, DAY) == D(-200)
    assert ledger.balance(accounts.INTER_UNIT, net.units[0], DAY) == D(200)
    assert ledger.balance(accounts.RECEIVABLE, net.units[0], DAY) == D(-200)


def test_the_same_reference_of_a_payer_is_taken_once(net: inventory.Network, payer: int) -> None:
    receipt(net, "200", reference="BK-1")
    with pytest.raises(AlreadyExists):
        receipt(net, "200", reference="BK-1")
    receipt(net, "200")
    receipt(net, "200")


def test_a_bad_receipt_names_every_fault(net: inventory.Network) -> None:
    with pytest.raises(InvalidInput) as error:
        service.record_receipt(ReceiptInput(net.dealers[0], D("-1.001"), date(2999, 1, 1), method="gold"))
    assert {fault.field for fault in error.value.errors} == {"amount", "received_on", "method"}


def test_one_receipt_settles_several_items_in_part(net: inventory.Network, payer: int) -> None:
    first, second = opening(net, "300", "500")
    paid = item_of(receipt(net, "400"))
    service.allocate([(first.id, paid.id, D(300)), (second.id, paid.id, D(50))])
    assert left(payer) == [D(450), D(-50)]
    assert credit.headroom(payer).exposure == D(400)
    in_agreement(payer)
    with pytest.raises(InvalidInput) as error:
        service.allocate([(second.id, paid.id, D(51))])
    assert error.value.errors[0].details["left"] == "50.00"


def test_bad_matches_are_refused_all_at_once_and_nothing_is_kept(net: inventory.Network, payer: int) -> None:
    [mine] = opening(net, "300")
    [theirs] = opening(net, "300", dealer=1)
    paid = item_of(receipt(net, "400"))
    bad = [
        (mine.id, mine.id, D(1)),
        (theirs.id, paid.id, D(1)),
        (mine.id, paid.id, D(-5)),
        (mine.id, paid.id, D("0.001")),
        (mine.id, 10**12, D(1)),
        (mine.id, paid.id, D(300)),
    ]
    with pytest.raises(InvalidInput) as error:
        service.allocate(bad)
    assert {fault.field.split(".")[1] for fault in error.value.errors} == {"0", "1", "2", "3", "4"}
    assert db.session.query(Allocation).count() == 0


def test_automatic_allocation_takes_the_earliest_due_first(net: inventory.Network, payer: int) -> None:
    opening(net, "300", due=date(2026, 5, 1))
    opening(net, "100", due=date(2026, 4, 1))
    receipt(net, "250")
    service.allocate_automatically(payer)
    assert left(payer) == [D(150)]
    assert service.allocate_automatically(payer) == []
    in_agreement(payer)


def test_automatic_allocation_by_reference_takes_what_the_payment_names(net: inventory.Network, payer: int) -> None:
    first, second = opening(net, "300", "100")
    receipt(net, "100", note=f"货款 {second.number.lower()} 谢谢")
    receipt(net, "30", reference="no number")
    service.allocate_automatically(payer, by="reference")
    assert {item.id: item.open_amount for item in queries.open_items(payer) if item.amount > 0} == {first.id: D(300)}


def test_a_prepayment_from_before_settles_like_any_credit(net: inventory.Network, payer: int) -> None:
    opening(net, "300", "-120")
    service.allocate_automatically(payer)
    assert left(payer) == [D(180)]
    in_agreement(payer)


def test_an_allocation_can_be_undone_once(net: inventory.Network, payer: int) -> None:
    opening(net, "300")
    receipt(net, "200")
    [made] = service.allocate_automatically(payer)
    service.undo_allocation(made)
    assert left(payer) == [D(300), D(-200)]
    in_agreement(payer)
    with pytest.raises(Conflict):
        service.undo_allocation(made)
    with pytest.raises(NotFound):
        service.undo_allocation(10**12)


def test_a_receipt_is_reversed_only_after_its_allocations_are_undone(net: inventory.Network, payer: int) -> None:
    opening(net, "300")
    row = receipt(net, "200", reference="CHQ-7")
    service.allocate_automatically(payer)
    with pytest.raises(Conflict) as error:
        service.reverse_receipt(row.id, "bounced", DAY)
    assert len(error.value.details["allocations"]) == 1
    service.reverse_receipt(row.id, "bounced", DAY, undo_allocations=True)
    assert left(payer) == [D(300)]
    assert credit.headroom(payer).exposure == D(300)
    assert ledger.balance(accounts.COLLECTION, net.units[0], DAY) == 0
    in_agreement(payer)
    receipt(net, "200", reference="CHQ-7")


def test_a_receipt_cannot_be_reversed_into_a_closed_period(net: inventory.Network, payer: int) -> None:
    row = receipt(net, "200")
    ledger_service.close_period("2026-03")
    with pytest.raises(PeriodClosed):
        service.reverse_receipt(row.id, "bounced", date(2026, 3, 31))
    service.reverse_receipt(row.id, "bounced", date(2026, 4, 1))


@pytest.fixture
def prepaid(payer: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The id of an order that waits for its money."""
    monkeypatch.setitem(hooks._hooks, "receipt.order", [lambda order_id: {"payer_id": payer, "waits": order_id == 5}])
    return 5


def test_earmarked_money_stays_outside_exposure_until_the_goods_are_picked(
    net: inventory.Network, payer: int, prepaid: int
) -> None:
    receipt(net, "200", order_id=prepaid)
    assert credit.headroom(payer).exposure == 0
    assert queries.earmarked(prepaid) == D(200)
    assert finance.run(service.count_earmarks, prepaid) == D(200)
    assert finance.run(service.count_earmarks, prepaid) == 0
    assert credit.headroom(payer).exposure == D(-200)
    in_agreement(payer)


def test_earmarked_money_counts_as_soon_as_it_is_allocated(net: inventory.Network, payer: int, prepaid: int) -> None:
    opening(net, "300")
    receipt(net, "200", order_id=prepaid)
    assert service.allocate_automatically(payer) == []
    owed, paid = queries.open_items(payer)
    service.allocate([(owed.id, paid.id, D(200))])
    assert credit.headroom(payer).exposure == D(100)
    in_agreement(payer)


def test_an_adjustment_needs_a_reason_and_another_person(net: inventory.Network, payer: int) -> None:
    with pytest.raises(InvalidInput) as error:
        service.request_adjustment(AdjustmentInput(net.dealers[0], D(0), "whim", "", DAY))
    assert {fault.field for fault in error.value.errors} == {"amount", "reason_code", "reason"}
    ref = service.request_adjustment(AdjustmentInput(net.dealers[0], D(-80), "allowance", "scratched door", DAY))
    assert credit.headroom(payer).exposure == 0
    with pytest.raises(Forbidden):
        service.decide_adjustment(ref.id, True)
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.decide_adjustment(ref.id, True)
    assert credit.headroom(payer).exposure == D(-80)
    assert ledger.balance(accounts.SALES_ALLOWANCE, net.units[0], DAY) == D(80)
    shown = queries.statement(payer, DAY, DAY)
    assert [(move.number, move.credit) for move in shown.movements] == [(ref.number, D(80))]
    in_agreement(payer)


def test_a_rejected_adjustment_posts_nothing(net: inventory.Network, payer: int) -> None:
    ref = service.request_adjustment(AdjustmentInput(net.dealers[0], D(80), "interest", "late", DAY))
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.decide_adjustment(ref.id, False, "no")
    assert db.session.get_one(ReceivableAdjustment, ref.id).state == "rejected"
    assert left(payer) == []


def test_opening_receivables_are_taken_over_once_against_equity(net: inventory.Network, payer: int) -> None:
    opening(net, "300", "-50")
    assert ledger.balance(accounts.OPENING_EQUITY, net.units[0], DAY) == D(-250)
    with pytest.raises(InvalidInput) as error:
        service.post_opening(
            [OpeningItem(net.dealers[0], "OLD-1", DAY, DAY, D(5)), OpeningItem(10**12, "X", DAY, DAY, D(0))]
        )
    assert [fault.field for fault in error.value.errors] == ["lines.0.number", "lines.1.dealer", "lines.1.amount"]
    in_agreement(payer)


def test_the_statement_opens_moves_closes_and_ties_to_the_control_account(net: inventory.Network, payer: int) -> None:
    opening(net, "300")
    service.record_receipt(ReceiptInput(net.dealers[0], D(100), date(2026, 3, 5)))
    shown = queries.statement(payer, date(2026, 3, 3), date(2026, 3, 31))
    assert (shown.opening, shown.closing, shown.credits, shown.control) == (D(300), D(200), D(100), D(200))
    assert shown.movements[-1].balance == shown.closing


def test_the_six_columns_agree_with_the_documents(net: inventory.Network, payer: int) -> None:
    finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "113")])
    finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "1", "50")], state="shipped")
    service.record_receipt(ReceiptInput(net.dealers[0], D(100), DAY))
    found = queries.ledgers(payer, DAY)
    assert (found.shipped, found.in_transit, found.collected, found.invoiced, found.receivable) == (
        D(1180),
        D(50),
        D(100),
        D(0),
        D(-100),
    )


def test_ageing_follows_the_due_date_and_looks_back_through_allocations(net: inventory.Network, payer: int) -> None:
    opening(net, "10", due=date(2026, 4, 1))
    opening(net, "100", due=date(2026, 3, 2))
    opening(net, "1000", due=date(2025, 8, 1))
    service.record_receipt(ReceiptInput(net.dealers[0], D(60), date(2026, 3, 10)))
    day = date(2026, 4, 1)
    found = queries.ageing(day, "dealer")
    [row] = found.rows
    assert (row.not_due, row.bands, row.credits, row.total) == (
        D(10),
        (D(100), D(0), D(0), D(0), D(1000)),
        D(-60),
        D(1050),
    )
    service.allocate_automatically(payer)
    today = queries.ageing(date(2999, 1, 1), "unit").total
    assert (today.credits, today.total) == (0, D(1050))
    before = queries.ageing(day, "dealer").rows[0]
    assert before == row
    assert queries.ageing(date(2026, 3, 1)).rows == []


def test_ageing_shows_only_what_is_in_scope(net: inventory.Network, payer: int) -> None:
    opening(net, "10")
    opening(net, "7", dealer=1)
    with use_actor(inventory.clerk([net.units[1]])):
        assert queries.ageing(DAY).total.total == D(7)
        assert queries.ageing(DAY, unit_id=net.units[0]).rows == []
    assert queries.ageing(DAY).total.total == D(17)


def test_days_outstanding_compare_the_receivable_with_what_was_invoiced(net: inventory.Network, payer: int) -> None:
    opening(net, "300")
    assert queries.days_outstanding(payer, DAY) is None


def test_whatever_happens_items_buckets_and_control_account_agree(
    net: inventory.Network, payer: int, prepaid: int
) -> None:
    rng = random.Random(20260302)
    boss = inventory.clerk([net.head_office, *net.units], user_id=8)
    receipts: list[int] = []
    made: list[int] = []
    for step in range(60):
        choice = rng.random()
        try:
            if choice < 0.25:
                opening(net, str(rng.randint(-300, 500) or 1))
            elif choice < 0.55:
                marked = {"order_id": prepaid} if rng.random() < 0.2 else {}
                receipts.append(receipt(net, str(rng.randint(1, 400)), **marked).id)
            elif choice < 0.7:
                made += service.allocate_automatically(payer)
            elif choice < 0.8 and made:
                service.undo_allocation(rng.choice(made))
            elif choice < 0.9 and receipts:
                service.reverse_receipt(rng.choice(receipts), "random", undo_allocations=rng.random() < 0.5)
            else:
                amount = D(rng.randint(-90, 90) or 1)
                ref = service.request_adjustment(
                    AdjustmentInput(net.dealers[0], amount, "rounding", f"step {step}", DAY)
                )
                with use_actor(boss):
                    service.decide_adjustment(ref.id, rng.random() < 0.8)
        except Conflict:
            pass
        in_agreement(payer)
    assert made and receipts


def test_days_outstanding_are_the_same_with_a_known_balance(net: inventory.Network, payer: int) -> None:
    made = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "90")])
    ref = service.apply(service.BillInput([service.BillLine(finance.lines_of(made)[0].id)]))
    service.submit(ref.id)
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.approve(ref.id, "seen")
        service.issue(ref.id, DAY)
    service.record_receipt(ReceiptInput(net.dealers[0], D(400), DAY))
    assert queries.days_outstanding(payer, DAY) == D("50.0")
    assert queries.days_outstanding(None, DAY, balance=D(500)) == D("50.0")
