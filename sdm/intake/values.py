"""From the text of a cell to a typed value, by kind of column. Pure.

Understood: full-width digits and signs, thousands separators, currency marks, 13%, 2026年11月21日, 2026/11/21 and the day
numbers of spreadsheets, yes and no in both languages. What is not understood raises Unreadable with code and remedy.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sdm.kernel.money import AMOUNT_MAX, CENT
from sdm.kernel.units import QTY_MAX, QTY_STEP

PRICE_STEP = Decimal("0.0001")
RATE_STEP = Decimal("0.000001")
SERIAL_START = date(1899, 12, 30)
SERIAL_LOW, SERIAL_HIGH = 20_000, 80_000  # 1954 to 2119
YES = frozenset({"true", "yes", "y", "1", "是", "真", "√", "有"})
NO = frozenset({"false", "no", "n", "0", "否", "假", "×", "无"})

_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Unreadable(ValueError):
    """A cell that cannot be understood: error code and its details."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


def fold(text: str) -> str:
    """Full-width digits, letters and signs as their ordinary forms."""
    return unicodedata.normalize("NFKC", text).replace("−", "-").strip()


def number(text: str, step: Decimal, highest: Decimal) -> Decimal:
    """An exact number that is a multiple of ``step`` and at most ``highest`` in size. Raises Unreadable."""
    plain = fold(text)
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain[1:-1] if negative else plain
    plain = plain.replace(" ", "").lstrip("¥￥$€£")
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    if not _NUMBER.fullmatch(plain):
        raise Unreadable("input.number")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        raise Unreadable("input.number") from None
    if abs(value) > highest:
        raise Unreadable("input.range", low=str(-highest), high=str(highest))
    return _stepped(-value if negative else value, step)


def _stepped(value: Decimal, step: Decimal) -> Decimal:
    """The value on its grid; spreadsheet noise far behind the point (12.300000000000001) is taken off."""
    rounded = value.quantize(step)
    if abs(rounded - value) > step * Decimal("0.000001"):
        raise Unreadable("input.decimals", step=str(step))
    return rounded


def rate(text: str) -> Decimal:
    """A rate: 0.13 or 13%."""
    plain = fold(text)
    if plain.endswith("%"):
        return (number(plain[:-1], RATE_STEP, Decimal(10_000)) / 100).quantize(RATE_STEP)
    return number(plain, RATE_STEP, Decimal(100))


def integer(text: str) -> int:
    """A whole number."""
    return int(number(text, Decimal(1), Decimal(10**12)))


def day(text: str) -> date:
    """A date; a time behind it is dropped. Raises Unreadable."""
    plain = fold(text)
    if match := _DATE.fullmatch(plain):
        return _date(match[1], match[2], match[3])
    if _SERIAL.fullmatch(plain) and SERIAL_LOW <= float(plain) <= SERIAL_HIGH:
        return SERIAL_START + timedelta(days=int(float(plain)))
    if match := _COMPACT.fullmatch(plain):
        return _date(match[1], match[2], match[3])
    raise Unreadable("input.date")


def _date(year: str, month: str, day_of_month: str) -> date:
    try:
        value = date(int(year), int(month), int(day_of_month))
    except ValueError:
        raise Unreadable("input.date") from None
    if not 1900 <= value.year <= 2200:
        raise Unreadable("input.range", low="1900-01-01", high="2200-12-31")
    return value


def boolean(text: str) -> bool:
    """Yes or no."""
    plain = fold(text).casefold()
    if plain in YES or plain in NO:
        return plain in YES
    raise Unreadable("input.boolean")


def text_of(value: str, max_length: int) -> str:
    """A text without characters nobody can see."""
    if len(value) > max_length:
        raise Unreadable("input.length", max=max_length)
    return _CONTROL.sub("", value)


def code_of(value: str, max_length: int) -> str:
    """A code: ordinary letters and digits, no blanks around."""
    return text_of(fold(value), min(max_length, 64))


def choice(value: str, pairs: Mapping[str, str], words: Sequence[str] = ()) -> str:
    """The code of a choice, given as code or word (any language), upper or lower case. ``pairs``: folded word → code."""
    found = pairs.get(fold(value).casefold())
    if found is None:
        raise Unreadable("input.choice", choices=", ".join(list(words)[:20]))
    return found


READERS: dict[str, Callable[[str], Any]] = {
    "integer": integer,
    "quantity": lambda text: number(text, QTY_STEP, QTY_MAX),
    "amount": lambda text: number(text, CENT, AMOUNT_MAX),
    "price": lambda text: number(text, PRICE_STEP, AMOUNT_MAX),
    "rate": rate,
    "date": day,
    "boolean": boolean,
}
