from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.channel.rules import Bucket, TakeLine, allocate, give_back
from inventory.overview.rules import Bridge, bridges, total
from inventory.receipts.rules import ReceivedLine, is_cost, merged
from inventory.shipments.rules import Signed, date_faults, days_late, outcome, signature_faults
from inventory.stock.rules import issue_value

D = Decimal
DAY = date(2026, 3, 2)
qty = st.decimals("0.001", 1000, places=3)
amount = st.decimals(0, 100000, places=2)


@given(stock=qty, value=amount, cuts=st.lists(qty, max_size=8))
def test_issues_of_a_whole_stock_take_exactly_its_value_whatever_the_parts(stock, value, cuts):
    left, worth, taken = stock, value, []
    for cut in [*[cut for cut in cuts if cut < stock], stock]:
        part = min(cut, left)
        if part <= 0:
            break
        taken.append(issue_value(left, worth, part))
        left, worth = left - part, worth - taken[-1]

    assert left == 0
    assert sum(taken) == value
    assert all(part >= 0 for part in taken)


@pytest.mark.parametrize(
    ("stock", "value", "wanted", "fallback", "expected"),
    [
        ("0", "0", "3", None, "0.00"),
        ("0", "0", "3", "2.5", "7.50"),
        ("2", "20", "3", None, "30.00"),
        ("2", "20", "3", "12", "32.00"),
        ("-1", "-12", "1", None, "12.00"),
        ("3", "10", "1", "99", "3.33"),
    ],
)
def test_units_beyond_the_stock_cost_the_fallback_or_the_average(stock, value, wanted, fallback, expected):
    assert issue_value(D(stock), D(value), D(wanted), fallback and D(fallback)) == D(expected)


buckets_of = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 3), qty), max_size=6).map(
    lambda rows: [
        Bucket(n, product, "bought", DAY + timedelta(days=day), "shipment", n * 10, remaining)
        for n, (product, day, remaining) in enumerate(rows, start=1)
    ]
)
lines_of = st.lists(st.tuples(st.integers(1, 2), qty, st.sampled_from([None, 10, 20])), max_size=5).map(
    lambda rows: [TakeLine(product, wanted, n, named) for n, (product, wanted, named) in enumerate(rows, start=1)]
)


@given(buckets=buckets_of, lines=lines_of)
def test_what_is_taken_fits_buckets_and_lines_and_can_be_given_back(buckets, lines):
    taken, lacks = allocate(buckets, lines)

    remaining = {bucket.id: bucket.remaining for bucket in buckets}
    product = {bucket.id: bucket.product_id for bucket in buckets}
    for part in taken:
        remaining[part.bucket_id] -= part.qty
    assert all(left >= 0 for left in remaining.values())
    lacking = {lack.line_id for lack in lacks}
    for line in lines:
        parts = [part for part in taken if part.line_id == line.line_id]
        assert sum((part.qty for part in parts), D(0)) == (0 if line.line_id in lacking else line.qty)
        assert {product[part.bucket_id] for part in parts} <= {line.product_id}
    back, missing = give_back(taken, None)
    assert sum((part.qty for part in back), D(0)) == sum((part.qty for part in taken), D(0))
    assert missing == []


def test_the_oldest_bucket_goes_first_and_ties_by_entry():
    rows = [
        Bucket(3, 1, "bought", DAY, "shipment", 1, D(1)),
        Bucket(2, 1, "bought", DAY, "shipment", 2, D(1)),
        Bucket(1, 1, "bought", DAY + timedelta(days=1), "shipment", 3, D(5)),
    ]

    taken, _ = allocate(rows, [TakeLine(1, D(3), 9)])

    assert [(part.bucket_id, part.qty) for part in taken] == [(2, D(1)), (3, D(1)), (1, D(1))]


def test_giving_back_more_than_was_taken_is_told():
    taken, _ = allocate([Bucket(1, 1, "bought", DAY, "shipment", 1, D(5))], [TakeLine(1, D(2), 9)])

    back, missing = give_back(taken, {9: D(3)})

    assert [part.qty for part in back] == [D(2)]
    assert [(lack.line_id, lack.wanted, lack.available) for lack in missing] == [(9, D(3), D(2))]


def test_a_signature_needs_every_line_and_no_other_and_sums_that_fit():
    shipped = {1: D(5), 2: D(5), 3: D(5), 4: D(5)}
    signed = {1: Signed(D(5)), 2: Signed(D(4), D(2)), 3: Signed(D(6), D(-1)), 9: Signed(D(1))}

    assert {(fault.field, fault.code) for fault in signature_faults(shipped, signed)} == {
        ("lines.9", "shipment.line_foreign"),
        ("lines.2", "shipment.sum"),
        ("lines.3.short", "shipment.part"),
        ("lines.4", "shipment.line_missing"),
    }
    assert signature_faults({1: D(5)}, {1: Signed(D(3), D(1), D(1))}) == []


def test_dates_of_a_shipment_lie_between_shipping_and_today():
    assert date_faults("d", DAY, DAY, DAY) == []
    assert date_faults("d", DAY, DAY, DAY + timedelta(days=1))[0].code == "shipment.before"
    assert date_faults("d", DAY + timedelta(days=1), DAY, None)[0].code == "shipment.future"


@pytest.mark.parametrize(
    ("state", "signed", "days"), [("shipped", None, 3), ("signed", 1, 1), ("picked", None, 0), ("signed", -2, 0)]
)
def test_days_late_count_from_the_expected_day(state, signed, days):
    signed_on = None if signed is None else DAY + timedelta(days=signed)

    assert days_late(state, DAY, signed_on, DAY + timedelta(days=3)) == days
    assert days_late(state, None, signed_on, DAY) == 0


def test_the_outcome_of_a_signature_is_one_word():
    assert outcome([Signed(D(1))]) == "full"
    assert outcome([Signed(D(1)), Signed(D(0), D(1))]) == "short"
    assert outcome([Signed(D(1), D(0), D(1))]) == "refused"
    assert outcome([Signed(D(1), D(1), D(1))]) == "mixed"


def test_lines_scanned_several_times_are_joined_by_product_and_cost():
    lines = [ReceivedLine(1, D(1), D(2)), ReceivedLine(2, D(1)), ReceivedLine(1, D(3), D(2)), ReceivedLine(1, D(1))]

    assert merged(lines) == [ReceivedLine(1, D(4), D(2)), ReceivedLine(2, D(1)), ReceivedLine(1, D(1))]


def test_a_cost_has_at_most_four_decimals_and_is_finite():
    assert is_cost(D("0")) and is_cost(D("1.2345"))
    assert not any(is_cost(D(text)) for text in ("-1", "1.23456", "NaN", "Infinity", "1e20"))


def test_a_bridge_adds_places_and_causes_per_product():
    found = bridges([("owner", 1, D(10)), ("warehouse", 1, D(7)), ("owner", 2, D(1))], [("delivered", 1, D(3))])

    assert found[1].difference == 0 and found[2].difference == D(1)
    assert total(found.values()).owner == D(11)
    assert total([]).difference == Bridge().difference == 0
