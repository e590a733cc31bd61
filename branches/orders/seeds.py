"""What every installation starts with: the reasons of returns."""

from __future__ import annotations

from branches.org.service import ensure_option_list

RETURN_REASONS: dict[str, tuple[str, str]] = {
    "damaged": ("破损", "Damaged"),
    "wrong_goods": ("发错货", "Wrong goods"),
    "quality": ("质量问题", "Quality"),
    "unsold": ("滞销", "Not sold"),
    "other": ("其他", "Other"),
}


def ensure_return_reasons() -> None:
    """The list of return reasons, where it does not exist yet; joins a command."""
    ensure_option_list("return_reason", "退货原因", "Return reasons", RETURN_REASONS)
