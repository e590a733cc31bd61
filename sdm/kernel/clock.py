"""Time. UTC in the database; business dates in the company's time zone. Tests move it with ``time_machine``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_zone = ZoneInfo("Asia/Shanghai")


def set_zone(name: str) -> None:
    """Set the company's time zone; called once by the application factory."""
    global _zone
    _zone = ZoneInfo(name)


def zone() -> ZoneInfo:
    """The company's time zone."""
    return _zone


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The business date of the present moment."""
    return now().astimezone(_zone).date()


def business_date(moment: datetime) -> date:
    """The business date of a moment."""
    return moment.astimezone(_zone).date()
