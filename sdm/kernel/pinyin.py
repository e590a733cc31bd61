"""Pinyin initials with every reading, and the search text of dealers, products, units and people. Pure."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from pypinyin import Style, pinyin

READINGS_MAX = 8
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
    return tuple(dict.fromkeys(letter[:1] for letter in (found[0] if found else [])  if letter)) or ("",)


@lru_cache(maxsize=20_000)
def _phrase(text: str) -> str:
    """Initials in the most usual reading of the whole phrase."""
    letters = pinyin(text, style=Style.FIRST_LETTER, errors=lambda rest: list(rest))
    return "".join(letter[0][:1] for letter in letters if letter and letter[0].isalnum())


def initials(text: str, fixed: str = "") -> str:
    """Pinyin initials of a text, every reading, most usual first, separated by blanks; at most eight readings.

    `重庆` → `cq zq`. Letters and digits stay. `fixed` are codes set by hand: they come first and are kept.
    """
    folded = _SEPARATORS.sub("", fold(text))
    if not folded:
        return fold(fixed)
    choices = [_readings(character) for character in folded]
    while _combinations(choices) > READINGS_MAX * 4:
        widest = max(range(len(choices)), key=lambda index: (len(choices[index]), index))
        choices[widest] = (_usual(folded, widest, choices[widest]),)
    readings = ["".join(letters) for letters in itertools.islice(itertools.product(*choices), READINGS_MAX * 4)]
    ordered = dict.fromkeys([*fold(fixed).split(), _phrase(folded), *readings])
    return _within([reading for reading in ordered if reading][: READINGS_MAX + len(fixed.split())])


def _combinations(choices: list[tuple[str, ...]]) -> int:
    total = 1
    for letters in choices:
        total *= len(letters)
    return total


def _usual(text: str, index: int, letters: tuple[str, ...]) -> str:
    usual = _phrase(text)
    if len(usual) == len(text) and usual[index] in letters:
        return usual[index]
    return letters[0]


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
