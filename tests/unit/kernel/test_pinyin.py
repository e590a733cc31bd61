"""Initials and search texts."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdm.kernel.pinyin import LENGTH_MAX, READINGS_MAX, fold, initials, like, search_text


def test_every_reading_of_a_character_gives_initials_the_usual_one_first() -> None:
    assert initials("重庆").split()[0] == "cq"
    assert "zq" in initials("重庆").split()


def test_each_single_other_reading_of_a_long_name_is_there() -> None:
    found = initials("重庆长虹电器有限公司").split()

    assert found[0] == "cqchdqyxgs"
    assert {"zqchdqyxgs", "cqzhdqyxgs"} <= set(found)


def test_letters_and_digits_stay_and_separators_go() -> None:
    assert initials("BCD-215 冰箱").split()[0] == "bcd215bx"
    assert initials("ＢＣＤ－２１５") == "bcd215"


def test_codes_set_by_hand_come_first_and_stay() -> None:
    assert initials("重庆", "shanc CQX").split()[:3] == ["shanc", "cqx", "cq"]
    assert initials("", "abc") == "abc"


def test_an_empty_name_has_no_initials() -> None:
    assert initials("") == ""
    assert initials("——") == ""


def test_a_search_text_holds_names_initials_codes_and_phone_digits_once() -> None:
    text = search_text("重庆", "D001", "023-8888 1234", "重庆", None, "")

    assert text.split().count("重庆") == 1
    assert "cq" in text.split()
    assert "02388881234" in text.split()
    assert "d001" in text.split()


def test_wild_cards_are_taken_literally() -> None:
    assert like("50%_A\\") == "%50\\%\\_a\\\\%"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=60))
def test_initials_fit_their_column_and_are_folded(text: str) -> None:
    found = initials(text)

    assert len(found) <= LENGTH_MAX
    assert len(found.split()) <= READINGS_MAX
    assert found == fold(found)
