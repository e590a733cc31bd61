"""What every installation starts with: the ways in which money arrives."""

from __future__ import annotations

from branches.org.service import ensure_option_list

PAYMENT_METHODS: dict[str, tuple[str, str]] = {
    "transfer": ("银行转账", "Bank transfer"),
    "cash": ("现金", "Cash"),
    "card": ("刷卡", "Card"),
    "online": ("在线支付", "Online payment"),
    "cheque": ("支票", "Cheque"),
}


def ensure_payment_methods() -> None:
    """The list of payment methods, where it does not exist yet; joins a command."""
    ensure_option_list("payment_method", "收款方式", "Payment methods", PAYMENT_METHODS)
