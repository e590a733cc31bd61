"""Amounts: rounding, VAT, portions and splits always add up."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sdm.kernel.money import CENT, line_amount, portion, round_amount, split, split_vat

amounts = st.decimals(min_value=-1_000_000, max_value=1_000_000, places=2)
rates = st.sampled_from([Decimal(0), Decimal("0.06"), Decimal("0.09"), Decimal("0.13")])


def test_half_a_cent_rounds_away_from_zero():
    assert round_amount(Decimal("0.005")) == Decimal("0.01")
    assert round_amount(Decimal("-0.005")) == Decimal("-0.01")
    assert line_amount(Decimal("3"), Decimal("0.335")) == Decimal("1.01")


@given(amounts, rates)
def test_net_and_vat_add_up_to_gross(gross, rate):
    net, vat = split_vat(gross, rate)

    assert net + vat == gross
    assert abs(net * rate - vat) <= Decimal("0.02")


@given(amounts, st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_portions_telescope_to_the_total(total, parts):
    whole = Decimal(sum(parts))

    done, pieces = Decimal(0), []
    for part in parts:
        pieces.append(portion(total, whole, done + part) - portion(total, whole, done))
        done += part

    assert sum(pieces) == total


@given(amounts, st.lists(st.decimals(min_value=0, max_value=1000, places=3), min_size=1, max_size=8))
def test_a_split_sums_to_the_total_and_is_within_a_cent_of_exact(total, weights):
    parts = split(total, weights)

    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        assert all(abs(p - total * w / whole) <= CENT for p, w in zip(parts, weights, strict=True))
