"""What every installation starts with: a dealer grade and the choices of sales channels. All functions join a command."""

from __future__ import annotations

from sqlalchemy import select

from branches.org.models import DealerGrade
from branches.org.service import ensure_option_list
from sdm.kernel.db import db

CHANNELS: dict[str, tuple[str, str]] = {
    "wholesale": ("批发", "Wholesale"),
    "retail": ("零售门店", "Retail shops"),
    "chain": ("连锁商超", "Chains and supermarkets"),
    "online": ("电商", "Online"),
    "project": ("工程项目", "Projects"),
    "other": ("其他", "Other"),
}


def ensure_channels() -> None:
    """The list of sales channels, where it does not exist yet."""
    ensure_option_list("dealer_channel", "销售渠道", "Sales channels", CHANNELS)


def ensure_grade() -> None:
    """A first grade, where there is none: no dealer can be entered without."""
    if db.session.execute(select(DealerGrade.code).limit(1)).first() is None:
        db.session.add(DealerGrade(code="STD", name="标准", name_en="Standard", rank=1))
        db.session.flush()
