"""Parameters: what an administrator may set without a programmer (BA-05), for the company or one unit, from a day on.

A package registers the keys it reads; unset keys have their default. The nearest unit above wins over the company.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select

from branches.org.models import Parameter
from branches.org.queries import chain_up, kept
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound
from sdm.kernel.money import AMOUNT_MAX, CENT

KINDS = ("bool", "int", "amount", "rate", "choice", "text")


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter: ``kind`` is one of KINDS; ``choices`` are (code, English label); ``group`` heads its block.

    ``per_unit`` False: one value for the company. ``low`` / ``high`` bound whole numbers, amounts and rates.
    """

    key: str
    label: str
    kind: str
    default: Any
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    group: str = "general"
    per_unit: bool = True
    low: int = 0
    high: int | None = None
    unit_of_measure: str = field(default="")


_specs: dict[str, ParameterSpec] = {}
GROUPS: dict[str, str] = {
    "sales": N_("Sales"),
    "goods": N_("Goods"),
    "money": N_("Money"),
    "access": N_("Sign-in"),
    "general": N_("General"),
}


def register(*specs: ParameterSpec | Iterable[ParameterSpec]) -> None:
    """Add parameters; the same key again replaces the earlier one."""
    for spec in specs:
        for one in (spec,) if isinstance(spec, ParameterSpec) else spec:
            if one.kind not in KINDS:
                raise ValueError(f"parameter {one.key}: no such kind {one.kind}")
            if one.group not in GROUPS:
                raise ValueError(f"parameter {one.key}: no such group {one.group}")
            _specs[one.key] = one


def registered() -> list[ParameterSpec]:
    """All parameters, by group and key."""
    groups = list(GROUPS)
    return sorted(_specs.values(), key=lambda spec: (groups.index(spec.group), spec.key))


def spec_of(key: str) -> ParameterSpec:
    """The parameter with this key; NotFound when no package reads one."""
    if key not in _specs:
        raise NotFound("not_found", kind="parameter", id=key)
    return _specs[key]


def value(key: str, unit_id: int | None = None, on: date | None = None) -> Any:
    """Value in force on a day (default today): of the nearest unit above, else of the company, else the default."""
    spec = spec_of(key)
    found = _in_force(spec, unit_id, on)
    return spec.default if found is None else _decoded(spec, found[1])


def owner(key: str, unit_id: int | None = None, on: date | None = None) -> int | None:
    """Id of the unit whose value of the parameter is in force; None: the company's or the default."""
    found = _in_force(spec_of(key), unit_id, on)
    return None if found is None else found[0]


def _in_force(spec: ParameterSpec, unit_id: int | None, on: date | None) -> tuple[int | None, Any] | None:
    """(unit or None for the company, stored value); None where nothing was ever set."""
    stored = kept("parameters", _load).get(spec.key)
    if not stored:
        return None
    day = on or clock.today()
    chain: list[int | None] = [node.id for node in chain_up(unit_id)] if unit_id is not None and spec.per_unit else []
    for unit in [*chain, None]:
        for valid_from, raw in stored.get(unit, ()):
            if valid_from <= day:
                return unit, raw
    return None


def _load() -> dict[str, dict[int | None, list[tuple[date, Any]]]]:
    found: dict[str, dict[int | None, list[tuple[date, Any]]]] = {}
    columns = (Parameter.key, Parameter.unit_id, Parameter.valid_from, Parameter.value)
    for row in db.session.execute(select(*columns).order_by(Parameter.valid_from.desc())):
        found.setdefault(row.key, {}).setdefault(row.unit_id, []).append((row.valid_from, row.value))
    return found


def _decoded(spec: ParameterSpec, raw: Any) -> Any:
    return Decimal(str(raw)) if spec.kind in {"amount", "rate"} else raw


def checked(spec: ParameterSpec, raw: Any) -> Any:
    """A typed value as it is stored (amounts as text). InvalidInput names what is wrong with it."""
    if spec.kind == "bool":
        return _checked_bool(raw)
    if spec.kind == "choice":
        codes = [code for code, _label in spec.choices]
        if raw not in codes:
            raise InvalidInput([FieldError("value", "input.choice", raw, {"choices": ", ".join(codes)})])
        return raw
    if spec.kind == "text":
        if len(str(raw)) > 500:
            raise InvalidInput([FieldError("value", "input.length", str(raw)[:80], {"max": 500})])
        return str(raw)
    return _checked_number(spec, raw)


def _checked_bool(raw: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "": False}
    text = str(raw).strip().lower()
    if text not in words:
        raise InvalidInput([FieldError("value", "input.boolean", raw)])
    return words[text]


def _checked_number(spec: ParameterSpec, raw: Any) -> Any:
    try:
        number = Decimal(str(raw).replace(",", "").strip())
    except InvalidOperation:
        raise InvalidInput([FieldError("value", "input.number", str(raw)[:80])]) from None
    high = Decimal(spec.high) if spec.high is not None else AMOUNT_MAX
    if not number.is_finite() or not Decimal(spec.low) <= number <= high:
        raise InvalidInput([FieldError("value", "input.range", str(raw)[:80], {"low": spec.low, "high": str(high)})])
    step = {"int": Decimal(1), "amount": CENT, "rate": Decimal("0.000001")}[spec.kind]
    if number != number.quantize(step):
        raise InvalidInput([FieldError("value", "input.decimals", str(raw)[:80], {"step": str(step)})])
    return int(number) if spec.kind == "int" else str(number)


register(
    ParameterSpec(
        "goods.owner",
        N_("Owner of goods until they are sold"),
        "choice",
        "seller",
        N_(
            "Head office: the branch sells only goods of the head office, from its warehouses. Otherwise goods belong to the"
            " unit of the warehouse they lie in"
        ),
        (("seller", N_("Selling branch")), ("head_office", N_("Head office"))),
        group="goods",
    ),
    ParameterSpec(
        "stock.revalue_receipts",
        N_("Value receipts at supply price"),
        "bool",
        True,
        N_("Goods received are valued at the supply price; the difference to their cost goes to the variance account"),
        group="goods",
    ),
    ParameterSpec(
        "billing.basis",
        N_("Bill from"),
        "choice",
        "signed",
        N_("Which quantity may be invoiced: what the dealer signed for, or what was shipped"),
        (("signed", N_("Signed quantity")), ("shipped", N_("Shipped quantity"))),
        group="money",
    ),
    ParameterSpec(
        "credit.count_consigned",
        N_("Count consignment stock as exposure"),
        "bool",
        True,
        N_("Goods on consignment at a dealer count towards his credit exposure"),
        group="money",
    ),
    ParameterSpec(
        "credit.overdue_days_tolerated",
        N_("Overdue days tolerated"),
        "int",
        0,
        N_("An order is held when the dealer's oldest open item is overdue for more days than this"),
        group="money",
        high=3650,
    ),
    ParameterSpec(
        "credit.overdue_amount_tolerated",
        N_("Overdue amount tolerated"),
        "amount",
        Decimal(0),
        N_("An order is held when the dealer's overdue amount is higher than this"),
        group="money",
    ),
    ParameterSpec(
        "order.reservation_days",
        N_("Days a reservation is kept"),
        "int",
        14,
        N_("Stock reserved for a confirmed order is released after so many days"),
        group="sales",
        low=1,
        high=365,
    ),
    ParameterSpec(
        "order.amount_limit",
        N_("Order amount the unit may confirm itself"),
        "amount",
        Decimal(0),
        N_("Orders of the unit above this amount wait for release by the unit above; 0 means no limit of its own"),
        group="sales",
    ),
)
