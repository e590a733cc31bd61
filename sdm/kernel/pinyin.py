"""Pinyin initials with every reading, and the search text of dealers, products, units and people. Pure."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pypinyin import Style, pinyin

READINGS_MAX = 32
LENGTH_MAX = 200
_SEPARATORS = re.compile(r"[\s\-_/\\.,;:()\[\]{}'\"（）【】《》，。、·“”‘’!?！？&+]+")
_DIGITS = re.compile(r"\d")
_HAN = re.compile(r"[㐀-鿿豈-﫿]")
_PHONE = re.compile(r"^[\d\s\-+()]{5,}$")


def fold(text: str) -> str:
    """Lower case, full-width forms as half-width, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text or "").lower().split())


@lru_cache(maxsize=20_000)
def _readings(character: str) -> tuple[str, ...]:
    """Distinct first letters of a character's readings; the character itself when it is a letter or digit."""
    if not _HAN.match(character):
        return (character,) if character.isalnum() else ("",)
    found = pinyin(character, style=Style.FIRST_LETTER, heteronym=True, errors="ignore")
    return tuple(dict.fromkeys(letter[:1] for letter in (found[0] if found else []) if letter)) or ("",)


@lru_cache(maxsize=20_000)
def _phrase(text: str) -> str:
    """Initials in the most usual reading of the whole phrase."""
    letters = pinyin(text, style=Style.FIRST_LETTER, errors=list)  # type: ignore[arg-type]
    return "".join(letter[0][:1] for letter in letters if letter and letter[0].isalnum())


def initials(text: str, fixed: str = "") -> str:
    """Pinyin initials of a text, every reading, most usual first, separated by blanks, as many as fit the column.

    `重庆` → `cq zq`. Letters and digits stay. `fixed` are codes set by hand: they come first and are kept.
    """
    folded = _SEPARATORS.sub("", fold(text))
    ordered = dict.fromkeys([*fold(fixed).split(), *(_spellings(folded) if folded else ())])
    return _within(reading for reading in ordered if reading)


def _spellings(text: str) -> Iterator[str]:
    """The usual initials, then those that differ in one character, then in two … at most READINGS_MAX."""
    letters = [_readings(character) for character in text]
    phrase = _phrase(text)
    usual = list(phrase) if len(phrase) == len(letters) else [options[0] for options in letters]
    others = [(place, letter) for place, options in enumerate(letters) for letter in options if letter != usual[place]]
    variants = (
        chosen
        for count in range(len(others) + 1)
        for chosen in itertools.combinations(others, count)
        if len({place for place, _ in chosen}) == count
    )
    for chosen in itertools.islice(variants, READINGS_MAX):
        spelled = list(usual)
        for place, letter in chosen:
            spelled[place] = letter
        yield "".join(spelled)


def _within(readings: Iterable[str]) -> str:
    """As many whole readings as fit into the column."""
    kept: list[str] = []
    length = -1
    for reading in readings:
        length += len(reading) + 1
        if length > LENGTH_MAX:
            break
        kept.append(reading)
    return " ".join(kept)


def search_text(*parts: str | None) -> str:
    """What the `search` columns hold: names folded, their initials, codes, digits of phone numbers; each word once.

    Give names, codes, phone and tax numbers; empty ones are skipped. Chinese names also bring their pinyin initials.
    """
    words: dict[str, None] = {}
    for part in parts:
        folded = fold(part or "")
        if not folded:
            continue
        words[folded] = None
        if _HAN.search(folded):
            words.update(dict.fromkeys(initials(folded).split()))
        elif _PHONE.match(folded):
            words["".join(_DIGITS.findall(folded))] = None
    return " ".join(words)


def like(text: str) -> str:
    """A LIKE pattern that finds the folded text anywhere; wild cards in it are taken literally (escape `\\`)."""
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
