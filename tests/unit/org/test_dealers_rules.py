"""Doubles and the channel tree."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branches.org.dealers_rules import below, core_name, is_similar, makes_loop, name_similarity


def test_legal_form_and_punctuation_make_no_other_dealer() -> None:
    assert name_similarity("重庆长虹电器有限公司", "重庆（长虹）电器") == 1.0
    assert core_name("Acme Trading Co., Ltd.") == core_name("ACME trading")


def test_one_character_more_is_similar_and_another_town_is_not() -> None:
    assert is_similar("济南和平家电商行", "济南市和平家电商行")
    assert not is_similar("济南和平家电有限公司", "青岛海天家电有限公司")


def test_a_name_of_legal_form_only_is_compared_as_it_is() -> None:
    assert core_name("有限公司") == "有限公司"


def test_standing_below_oneself_is_a_loop() -> None:
    parents = {1: None, 2: 1, 3: 2}

    assert makes_loop(1, 3, parents)
    assert makes_loop(1, 1, parents)
    assert not makes_loop(3, 1, parents)
    assert not makes_loop(1, None, parents)


def test_a_loop_in_old_data_does_not_hang() -> None:
    assert not makes_loop(9, 1, {1: 2, 2: 1})
    assert below(1, {1: 2, 2: 1}) == {1, 2}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.integers(1, 30), st.integers(1, 30)))
def test_everything_below_reaches_the_top_by_its_parents(parents: dict[int, int]) -> None:
    for dealer_id in below(1, parents) - {1}:
        assert makes_loop(1, dealer_id, parents)
