"""How figures and times are written on pages. Registered as template filters by `sdm.kernel.web`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from markupsafe import Markup, escape

from sdm.kernel import clock
from sdm.kernel.i18n import _, current_locale

WAN = Decimal(10_000)
LARGE = Decimal(100_000)
CENT = Decimal("0.01")


def _number(value: Any) -> Decimal | None:
    """A Decimal of a number or numeric text, None for nothing."""
    if value is None or value == "":
        return None
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _signed(text: str, value: Decimal) -> str | Markup:
    """Negative figures carry a minus and a class, so that they are red on screen and plain in print."""
    return Markup('<span class="neg">{}</span>').format(text) if value < 0 else text


def plain_amount(value: Any, places: int = 2) -> str:
    """`1,234.50`: thousands separators and a fixed number of places; empty for nothing."""
    number = _number(value)
    if number is None:
        return ""
    rounded = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:,f}"


def plain_qty(value: Any) -> str:
    """`1,234` or `1,234.5`: thousands separators, no trailing zeros; empty for nothing."""
    number = _number(value)
    if number is None:
        return ""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: Any) -> str | Markup:
    """Money with two places; negative in red with a minus."""
    number = _number(value)
    return "" if number is None else _signed(plain_amount(number), number)


def price(value: Any) -> str | Markup:
    """A unit price: at least two, at most four places."""
    number = _number(value)
    if number is None:
        return ""
    places = 2 if number == number.quantize(CENT) else 4
    return _signed(plain_amount(number, places), number)


def wan(value: Any) -> str | Markup:
    """Money in units of ten thousand (万元), two places."""
    number = _number(value)
    return "" if number is None else _signed(plain_amount(number / WAN), number)


def large(value: Any) -> tuple[str, str]:
    """A key figure and its unit: to the cent below 100,000, above in 万元 for Chinese readers and without cents for others."""
    number = _number(value) or Decimal(0)
    if abs(number) < LARGE:
        return plain_amount(number), _("CNY")
    if current_locale().startswith("zh"):
        return plain_amount(number / WAN), _("10k CNY")
    return plain_amount(number, 0), _("CNY")


def qty(value: Any) -> str | Markup:
    """A quantity without trailing zeros; negative in red with a minus."""
    number = _number(value)
    return "" if number is None else _signed(plain_qty(number), number)


def percent(value: Any, places: int = 1) -> str | Markup:
    """A ratio (0.125) as `12.5%`."""
    number = _number(value)
    return "" if number is None else _signed(f"{plain_amount(number * 100, places)}%", number)


def day(value: Any) -> str:
    """`2026-11-21`; moments are shown as the business date they fall on."""
    if isinstance(value, datetime):
        return clock.business_date(value).isoformat() if value.tzinfo else value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value or "")


def moment(value: Any, seconds: bool = False) -> str:
    """`2026-11-21 14:03` in the company's time zone."""
    if not isinstance(value, datetime):
        return day(value)
    local = value.astimezone(clock.zone()) if value.tzinfo else value
    return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def nl2br(value: Any) -> Markup:
    """Text with its line breaks, escaped."""
    return Markup("<br>").join(escape(line) for line in str(value or "").splitlines())


FILTERS = {
    "amount": amount,
    "price": price,
    "wan": wan,
    "large": large,
    "qty": qty,
    "percent": percent,
    "date": day,
    "datetime": moment,
    "nl2br": nl2br,
}
