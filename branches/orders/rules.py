"""Orders: which steps a state allows, the state that quantities give, what is held and why, exposure of a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from finance.credit.rules import Buckets, LineState, line_buckets
from sdm.kernel.errors import N_, describe
from sdm.kernel.money import portion

ZERO = Decimal(0)
LINES_MAX = 1000

HOLD_KINDS = ("dealer", "overdue", "credit", "price", "authority", "amount", "shortage")
# What an entitled person must decide; the others are measured again at every re-check.
STICKY = frozenset({"price", "authority", "amount"})
MEASURED = frozenset({"credit", "overdue", "shortage", "dealer"})
RELEASE_PERMISSION = {
    "dealer": "order:release_credit",
    "overdue": "order:release_credit",
    "credit": "order:release_credit",
    "price": "order:release_price",
    "authority": "order:release_price",
    "amount": "order:release_amount",
    "shortage": "order:release_shortage",
}

ALLOWED: dict[str, frozenset[str]] = {
    "change": frozenset({"held", "confirmed", "part_shipped"}),
    "recheck": frozenset({"held"}),
    "release": frozenset({"held"}),
    "gate": frozenset({"submitted"}),
    "cancel": frozenset({"submitted", "held", "confirmed"}),
    "short_close": frozenset({"held", "part_shipped"}),
    "pick": frozenset({"confirmed", "part_shipped"}),
    "send_out": frozenset({"confirmed", "part_shipped"}),
    "sign": frozenset({"held", "confirmed", "part_shipped", "shipped", "short_closed", "invoiced", "closed"}),
}

describe(
    {
        "order.no_lines": N_("An order needs at least one line; add a product"),
        "order.too_many_lines": N_("%(value)s lines are more than the %(max)s one order can hold; split it"),
        "order.dealer_inactive": N_("The dealer %(value)s is closed; choose another one"),
        "order.warehouse_inactive": N_("The warehouse %(value)s is closed; choose another one"),
        "order.not_head_office": N_(
            "%(unit)s sells goods of the head office; choose a warehouse of the head office, not %(value)s"
        ),
        "order.no_legal_entity": N_("No legal entity is set for the dealer's branch; ask your administrator"),
        "order.unit_unknown": N_(
            "%(value)s is neither the base unit nor a pack of this product; use one of: %(choices)s"
        ),
        "order.pack_fraction": N_("%(value)s gives more than three decimals in the base unit"),
        "order.amount_too_large": N_("The amount of this line is too large; check quantity and price"),
        "order.price_and_discount": N_("Give either a price or a discount rate, not both"),
        "order.requested_before": N_("The requested date lies before the order date"),
        "order.below_shipped": N_("%(value)s is less than what was shipped or picked already (%(low)s)"),
        "order.line_shipped": N_("This line was shipped or picked in part; it stays with its product and price"),
        "order.other_dealer": N_("The dealer of an order cannot be changed; cancel it and enter a new one"),
        "order.nothing_open": N_("Nothing is left to ship on this order"),
        "order.not_pickable": N_("Only %(available)s can be picked, %(value)s were asked for"),
        "order.not_its_line": N_("Line %(value)s does not belong to this document"),
        "order.picked_first": N_("Shipment %(number)s is picked; ship or cancel it first"),
        "order.not_covered": N_(
            "Cash before shipment: %(covered)s received for this order, %(wanted)s needed; record the receipt first"
        ),
        "order.not_held": N_("The hold was decided or cleared meanwhile; reload the order"),
        "order.release_past": N_("The release must be valid until today or later"),
        "return.no_lines": N_("A return needs at least one line"),
        "return.too_much": N_("At most %(available)s can still be returned, %(value)s were asked for"),
        "return.other_dealer": N_("This delivery went to another dealer; enter a return of its own"),
        "return.not_delivered": N_("This line was not delivered or is unknown; choose a signed delivery"),
        "return.mixed": N_("The deliveries are goods of different branches or owners; enter a return for each of them"),
        "return.other_owner": N_("The goods belong to %(owner)s; choose one of its warehouses, not %(value)s"),
        "return.received_more": N_("%(value)s is more than the %(available)s on the return"),
        "quotation.expired": N_("The quotation was valid until %(until)s; quote again"),
    }
)


@dataclass(frozen=True, slots=True)
class LineQty:
    """Cumulative quantities of an order line in base units, and its gross amount."""

    qty: Decimal
    amount: Decimal
    cancelled: Decimal = ZERO
    shipped: Decimal = ZERO
    short: Decimal = ZERO
    returned: Decimal = ZERO
    listed: Decimal = ZERO
    invoiced: Decimal = ZERO

    @property
    def gone(self) -> Decimal:
        """What left and was not short."""
        return self.shipped - self.short

    @property
    def open(self) -> Decimal:
        """What is still to be shipped."""
        return self.qty - self.cancelled - self.gone

    @property
    def to_bill(self) -> Decimal:
        """What left, was not taken back before billing, and is not billed."""
        return max(ZERO, self.gone - self.returned - self.invoiced)


def line_of(row: Any) -> LineQty:
    """The quantities of a row with the columns of an order line."""
    return LineQty(
        row.qty,
        row.amount,
        row.cancelled_qty,
        row.shipped_qty,
        row.short_qty,
        row.returned_qty,
        row.listed_qty,
        row.invoiced_qty,
    )


def state_of(lines: Iterable[LineQty], held: bool, before: str = "") -> str:
    """The state that quantities and open holds give. ``before`` keeps *closed* once everything is billed and paid."""
    found = list(lines)
    if held:
        return "held"
    gone, left = sum((line.gone for line in found), ZERO), sum((line.open for line in found), ZERO)
    if not gone:
        return "confirmed" if left else "cancelled"
    if left:
        return "part_shipped"
    if all(not line.to_bill for line in found):
        return "closed" if before == "closed" else "invoiced"
    return "short_closed" if any(line.cancelled for line in found) else "shipped"


def exposure(lines: Iterable[LineQty], *, consigned: bool, counts_open: bool) -> Buckets:
    """Amounts of an order in the payer's buckets. ``counts_open`` is false while it is held, and for prepaid orders."""
    total = Buckets()
    for line in lines:
        total = total + line_exposure(line, consigned=consigned, counts_open=counts_open)
    return total


def line_exposure(line: LineQty, *, consigned: bool, counts_open: bool) -> Buckets:
    """Amounts of one line in the payer's buckets."""
    state = LineState(
        qty=line.qty,
        cancelled=line.cancelled,
        shipped=line.shipped,
        short=line.short,
        returned=line.returned,
        listed=line.listed,
        invoiced=line.invoiced,
        amount=line.amount,
        consigned=consigned,
    )
    buckets = line_buckets(state)
    return buckets if counts_open else Buckets(shipped=buckets.shipped, consigned=buckets.consigned)


def counts_open(state: str, settlement_mode: str) -> bool:
    """Whether the open part of an order counts in exposure: not while held or waiting, not before shipment when prepaid."""
    return state not in {"held", "submitted"} and settlement_mode != "prepaid"


def shipped_amount(line: LineQty, extra: Decimal) -> Decimal:
    """Gross amount of a line's goods that have left, with ``extra`` units more."""
    return portion(line.amount, line.qty, min(line.qty, line.gone + extra))


# --- holds ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason to hold, with the figures of the moment (JSON-like; amounts as Decimal)."""

    kind: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """What an entitled person allowed: kind of hold, amount up to which, and until when."""

    kind: str
    amount: Decimal
    until: date


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate looks at besides credit and stock. Amounts gross; lists hold one entry per offending line."""

    gross: Decimal
    dealer_status: str = "active"
    block_reason: str = ""
    overdue_amount: Decimal = ZERO
    overdue_days: int = 0
    overdue_amount_tolerated: Decimal = ZERO
    overdue_days_tolerated: int = 0
    below_floor: Sequence[dict[str, Any]] = ()
    above_authority: Sequence[dict[str, Any]] = ()
    authority: Decimal = ZERO
    route_permission: str = ""
    route_unit_id: int | None = None
    route_from: Decimal = ZERO
    may_approve: bool = False
    prepaid: bool = False
    releases: Sequence[Release] = field(default_factory=tuple)


def is_overdue(facts: Facts) -> bool:
    """Whether the payer owes more, for longer, than is tolerated."""
    return facts.overdue_amount > facts.overdue_amount_tolerated and facts.overdue_days > facts.overdue_days_tolerated


def find_holds(facts: Facts, today: date) -> list[Finding]:
    """Every reason to hold except credit and stock, which are tried; a valid release of enough amount lets pass."""
    found = [*_dealer(facts), *_overdue(facts), *_prices(facts), *_amount(facts)]
    return [f for f in found if not _is_released(f, facts, today)]


def _dealer(facts: Facts) -> list[Finding]:
    if facts.dealer_status != "blocked":
        return []
    return [Finding("dealer", {"reason": facts.block_reason, "amount": facts.gross})]


def _overdue(facts: Facts) -> list[Finding]:
    if facts.prepaid or not is_overdue(facts):
        return []
    figures = {"overdue_amount": facts.overdue_amount, "overdue_days": facts.overdue_days, "amount": facts.gross}
    return [Finding("overdue", figures)]


def _prices(facts: Facts) -> list[Finding]:
    found = []
    if facts.below_floor:
        found.append(Finding("price", {"lines": list(facts.below_floor), "amount": facts.gross}))
    if facts.above_authority:
        figures = {"authority": facts.authority, "lines": list(facts.above_authority), "amount": facts.gross}
        found.append(Finding("authority", figures))
    return found


def _amount(facts: Facts) -> list[Finding]:
    if not facts.route_permission or facts.may_approve:
        return []
    return [Finding("amount", {"amount": facts.gross, "from": facts.route_from})]


def _is_released(finding: Finding, facts: Facts, today: date) -> bool:
    needed = facts.overdue_amount if finding.kind == "overdue" else facts.gross
    return released_amount(finding.kind, facts.releases, today) >= needed


def released_amount(kind: str, releases: Iterable[Release], today: date) -> Decimal:
    """The largest amount a still valid release of this kind allows; −1 without one."""
    amounts = [release.amount for release in releases if release.kind == kind and release.until >= today]
    return max(amounts, default=Decimal(-1))


def credit_finding(limit: Decimal, exposure_now: Decimal, requested: Decimal) -> Finding:
    """Why credit does not suffice: limit, exposure, this order, excess (OS-06)."""
    return Finding(
        "credit",
        {"limit": limit, "exposure": exposure_now, "amount": requested, "excess": exposure_now + requested - limit},
    )


def shortage_finding(shortages: Sequence[dict[str, Any]], warehouse_id: int) -> Finding:
    """What is missing per product, and which other warehouses could supply it (OS-03)."""
    return Finding("shortage", {"warehouse_id": warehouse_id, "lines": list(shortages)})


# --- orders paid before shipment ----------------------------------------------------------------------------------------


def is_covered(received: Decimal, leaving: Decimal) -> bool:
    """Whether the receipts earmarked for a prepaid order cover what has left and is about to leave."""
    return received >= leaving


# --- returns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivered line as far as a return needs it, in base units.

    ``returned``: received back; ``pending``: on other open returns; ``unbilled_returned``: received back without having
    been billed; ``credited``: billed, received back and credited.
    """

    signed: Decimal
    returned: Decimal = ZERO
    pending: Decimal = ZERO
    invoiced: Decimal = ZERO
    unbilled_returned: Decimal = ZERO
    credited: Decimal = ZERO


def returnable(delivered: Delivered) -> Decimal:
    """How many units can still be put on a return."""
    return max(ZERO, delivered.signed - delivered.returned - delivered.pending)


def unbilled_part(delivered: Delivered, qty: Decimal) -> Decimal:
    """How many of ``qty`` returned units were never billed: those go back first, so that no invoice is touched for them."""
    unbilled_left = max(ZERO, delivered.signed - delivered.invoiced - delivered.unbilled_returned)
    return min(qty, unbilled_left)


def creditable(delivered: Delivered, qty: Decimal) -> Decimal:
    """How many of ``qty`` units received back can be credited: those still billed. A reversed invoice leaves fewer."""
    return min(qty, max(ZERO, delivered.invoiced - delivered.credited))
