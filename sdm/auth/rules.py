"""Pure rules of signing in: delays after failures, what a delivered role may do, where one may be sent back to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sdm.kernel.permissions import Permission as P

FORGET_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Brake:
    """How guesses under one kind of key are slowed: ``free`` failures without delay, then doubling up to ``cap`` s."""

    free: int
    cap_seconds: int


# An account takes at most 40 guesses an hour from strangers and 17 from browsers its owner signed in with before:
# below 60 together. A stranger's failures never slow down the owner's browser, and nobody waits longer than the cap.
ACCOUNT = Brake(free=5, cap_seconds=120)
OWN_BROWSER = Brake(free=5, cap_seconds=900)
PAIR = Brake(free=4, cap_seconds=900)
ADDRESS = Brake(free=30, cap_seconds=60)


def delay_seconds(brake: Brake, failures: int) -> int:
    """Seconds to wait after so many failures within the hour."""
    over = failures - brake.free
    return 0 if over < 0 else min(brake.cap_seconds, 2 ** min(over + 1, 20))


def network_of(address: str) -> str:
    """What an address counts as: itself for IPv4, the /64 network for IPv6, empty when it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))


_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")


def safe_next(address: str | None) -> str | None:
    """The address when it is a path on this very host, else None. Browsers read ``\\`` as ``/`` and skip tabs."""
    if not address or len(address) > 2000 or not address.startswith("/"):
        return None
    decoded = unquote(address.partition("?")[0])
    for text in (address, decoded, unquote(decoded)):
        if _CONTROL.search(text.partition("?")[0]) or "\\" in text.partition("?")[0] or text.startswith("//"):
            return None
    if _CONTROL.search(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if not parts.scheme and not parts.netloc else None


# --- delivered roles --------------------------------------------------------------------------------------------------

_EVERYBODY = frozenset({P.ORG_READ, P.SEARCH, P.CASE_READ, P.PRODUCT_READ, P.API_TOKEN})
_SELLING = frozenset(
    {P.ORDER_READ, P.RETURN_READ, P.QUOTATION_READ, P.SHIPMENT_READ, P.DEALER_READ, P.PRICE_READ, P.STOCK_READ}
)
_GOODS = frozenset({P.STOCK_READ, P.GOODS_RECEIPT_READ, P.SHIPMENT_READ, P.CHANNEL_READ})
_MONEY = frozenset(
    {P.INVOICE_READ, P.RECEIPT_READ, P.RECEIVABLE_READ, P.CREDIT_READ, P.ORDER_READ, P.RETURN_READ, P.SHIPMENT_READ}
) | {P.DEALER_READ, P.PRICE_READ, P.COCKPIT_READ}
_CLERK = (
    _EVERYBODY
    | _SELLING
    | frozenset(
        {
            P.ORDER_ENTER,
            P.ORDER_CONFIRM,
            P.ORDER_CANCEL,
            P.RETURN_ENTER,
            P.QUOTATION_ENTER,
            P.SHIPMENT_SIGN,
            P.CHANNEL_READ,
        }
    )
    | {P.INVOICE_READ, P.INVOICE_APPLY, P.RECEIVABLE_READ, P.CREDIT_READ, P.CREDIT_LIMIT_PROPOSE, P.DEALER_EDIT}
)
_STOREKEEPER = (
    _EVERYBODY
    | _GOODS
    | frozenset({P.GOODS_RECEIPT_POST, P.SHIPMENT_POST, P.SHIPMENT_SIGN, P.ORDER_READ, P.RETURN_READ, P.DEALER_READ})
)
_MANAGER = (
    _CLERK
    | _GOODS
    | _MONEY
    | frozenset(
        {P.ORDER_RELEASE_PRICE, P.ORDER_RELEASE_AMOUNT, P.ORDER_RELEASE_SHORTAGE, P.RETURN_APPROVE, P.CASE_HANDLE}
    )
    | {P.DEALER_BLOCK, P.SUPPLY_PRICE_READ, P.PRICE_EDIT, P.USER_READ, P.ADJUSTMENT_ENTER}
)
_BRANCH_FINANCE = (
    _EVERYBODY
    | _MONEY
    | frozenset(
        {
            P.INVOICE_APPLY,
            P.INVOICE_APPROVE,
            P.TAX_INVOICE_RECORD,
            P.RECEIPT_ENTER,
            P.ALLOCATION_ENTER,
            P.ADJUSTMENT_ENTER,
        }
    )
    | {P.CASE_HANDLE, P.ORDER_RELEASE_CREDIT, P.LEDGER_READ, P.CREDIT_LIMIT_PROPOSE, P.CONTROL_TOTALS, P.STOCK_READ}
)
_FINANCE = (
    _BRANCH_FINANCE
    | frozenset({P.INVOICE_REVERSE, P.RECEIPT_REVERSE, P.ADJUSTMENT_APPROVE, P.CREDIT_LIMIT_APPROVE, P.PERIOD_CLOSE})
    | {P.SUPPLY_PRICE_READ, P.SUPPLY_PRICE_EDIT, P.TAKE_ON_RUN, P.IMPORT_RUN, P.AUDIT_READ, P.GOODS_RECEIPT_READ}
)
_READING = frozenset(p for p in P if p.value.endswith(":read"))
_EXECUTIVE = (
    _EVERYBODY
    | (_READING - {P.SYSTEM_READ, P.USER_READ, P.AUDIT_READ})
    | frozenset(
        {P.CASE_HANDLE, P.ORDER_RELEASE_CREDIT, P.ORDER_RELEASE_PRICE, P.ORDER_RELEASE_AMOUNT, P.CREDIT_LIMIT_APPROVE}
    )
)
_ADMINISTRATOR = (
    _EVERYBODY
    | frozenset({P.ORG_EDIT, P.WAREHOUSE_EDIT, P.OPTION_EDIT, P.PARAMETER_EDIT, P.USER_READ, P.USER_EDIT, P.ROLE_EDIT})
    | {P.ROUTE_EDIT, P.IMPORT_RUN, P.TAKE_ON_RUN, P.CONTROL_TOTALS, P.AUDIT_READ, P.SYSTEM_READ}
    | {
        P.DEALER_READ,
        P.DEALER_EDIT,
        P.PRODUCT_EDIT,
        P.PRICE_READ,
        P.PRICE_EDIT,
        P.CREDIT_READ,
        P.CREDIT_LIMIT_PROPOSE,
        P.STOCK_READ,
    }
)
_AUDITOR = _EVERYBODY | _READING


@dataclass(frozen=True, slots=True)
class RoleSeed:
    """A role as delivered; administrators change it on screen afterwards."""

    code: str
    name: str
    name_en: str
    work_place: str
    permissions: frozenset[P]


ROLE_SEEDS: tuple[RoleSeed, ...] = (
    RoleSeed("clerk", "销售内勤", "Sales clerk", "clerk", frozenset(_CLERK)),
    RoleSeed("storekeeper", "仓库管理员", "Storekeeper", "storekeeper", frozenset(_STOREKEEPER)),
    RoleSeed("branch_manager", "分公司经理", "Branch manager", "branch_manager", frozenset(_MANAGER)),
    RoleSeed("branch_finance", "分公司财务", "Branch finance", "finance", frozenset(_BRANCH_FINANCE)),
    RoleSeed("finance", "总部财务", "Head-office finance", "finance", frozenset(_FINANCE)),
    RoleSeed("executive", "领导", "Executive", "executive", frozenset(_EXECUTIVE)),
    RoleSeed("administrator", "系统管理员", "Administrator", "administrator", frozenset(_ADMINISTRATOR)),
    RoleSeed("auditor", "审计", "Auditor", "executive", frozenset(_AUDITOR)),
)
WORK_PLACES = ("clerk", "storekeeper", "branch_manager", "finance", "executive", "administrator")
