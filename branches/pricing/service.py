"""Commands on price lists, prices, supply prices, discount authority. Prices are closed and followed, never edited."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from branches.catalogue.queries import products_by_id
from branches.org import queries as org
from branches.org.models import Dealer, DealerGrade, Unit
from branches.pricing import validity
from branches.pricing.models import DiscountAuthority, ListPrice, PriceList, SupplyPrice
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, table_of
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound, RuleViolation, StaleVersion, describe
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.permissions import Permission

TARGETS = {"all": None, "grade": "grade_code", "unit": "unit_id", "dealer": "dealer_id"}
LIST_FIELDS = ("code", "name", "name_en", "target", "grade_code", "unit_id", "dealer_id", "active")
ENTRIES_MAX = 5000

describe(
    {
        "price.list_not_yours": N_("This price list is kept by a unit above you; ask there for a change"),
        "price.floor_above": N_("The floor price %(value)s lies above the price; lower it or leave it empty"),
        "price.target_fixed": N_("Whom a price list is for cannot change once it has prices; make another list"),
        "price.entries_max": N_("At most %(max)s prices at once; enter them in parts or import a file"),
        "price.end_past": N_("%(value)s lies in the past; a price can end today or later"),
        "price.ended": N_("This price ends on %(until)s already"),
        "constraint.ex_list_price_overlap": N_(
            "Somebody entered a price for the same days just now; look and try again"
        ),
        "constraint.ex_supply_price_overlap": N_(
            "Somebody entered a supply price for the same days just now; look and try again"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """A gross price per base unit from `qty_from` on, valid from `valid_from` to `valid_to` (included; None: open)."""

    product_id: int
    price: Decimal
    valid_from: date
    valid_to: date | None = None
    qty_from: Decimal = Decimal(0)
    floor_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SupplyEntry:
    """A net supply price per base unit in a period, both days included; None: open."""

    product_id: int
    price: Decimal
    valid_from: date
    valid_to: date | None = None


class Entered(TypedDict):
    """What an entry of prices did; plain JSON, so that it can be kept under a request key and answered again."""

    added: int
    closed: int
    removed: int
    unchanged: int


# --- lists ------------------------------------------------------------------------------------------------------------


@command(Permission.PRICE_EDIT)
def create_list(values: Mapping[str, Any]) -> int:
    """Create a price list; returns its id. Raises InvalidInput with all faults, also for a target above the actor."""
    chosen = {key: value for key, value in values.items() if key in LIST_FIELDS}
    _only_target(chosen)
    _require_list(chosen, None)
    row = PriceList(**chosen)
    db.session.add(row)
    db.session.flush()
    audit.write("price_list", row.id, "created", row.unit_id, audit.changed({}, chosen))
    return row.id


@command(Permission.PRICE_EDIT)
def change_list(list_id: int, version: int | None, values: Mapping[str, Any]) -> int:
    """Change names, target (only while it has no prices) or whether it counts; returns the new version."""
    row = locked_list(list_id, version)
    chosen = {key: value for key, value in values.items() if key in LIST_FIELDS}
    if "target" in chosen:
        _only_target(chosen)
    before = {key: getattr(row, key) for key in chosen}
    changes = audit.changed(before, chosen)
    _require_list({**{key: getattr(row, key) for key in LIST_FIELDS}, **chosen}, list_id)
    if set(changes) & {"target", "grade_code", "unit_id", "dealer_id"} and _has_prices(list_id):
        raise InvalidInput([FieldError("target", "price.target_fixed", chosen.get("target"))])
    for key in changes:
        setattr(row, key, chosen[key])
    row.version += 1
    audit.write("price_list", list_id, "changed", row.unit_id, changes)
    return row.version


def locked_list(list_id: int, version: int | None = None) -> PriceList:
    """Lock a list that the actor may change. Raises NotFound, StaleVersion, RuleViolation for a list kept above him."""
    rows = lock_rows(PriceList, [list_id])
    if not rows:
        raise NotFound("not_found", kind="price_list", id=list_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    if not may_change(rows[0].target, rows[0].unit_id, rows[0].dealer_id):
        raise RuleViolation("price.list_not_yours")
    return rows[0]


def may_change(target: str, unit_id: int | None, dealer_id: int | None) -> bool:
    """Whether the actor keeps lists of this target: company-wide ones the head office, others whoever has the unit."""
    scope = current().scope
    if scope.everything:
        return True
    if target == "unit":
        return scope.has_unit(unit_id)
    if target == "dealer":
        return db.session.execute(select(Dealer.id).where(Dealer.id == dealer_id)).first() is not None
    return scope.has_unit(org.head_office().id)


def _only_target(values: dict[str, Any]) -> None:
    """Leave the one column that belongs to the target, the others empty."""
    own = TARGETS.get(values.get("target", ""))
    for column in ("grade_code", "unit_id", "dealer_id"):
        if column != own:
            values[column] = None


def _require_list(values: Mapping[str, Any], own_id: int | None) -> None:
    faults = [FieldError(key, "input.required") for key in ("code", "name", "target") if not values.get(key)]
    found = db.session.execute(
        select(table_of(PriceList).c.id).where(table_of(PriceList).c.code == values.get("code"))
    ).scalar()
    if found is not None and found != own_id:
        faults.append(FieldError("code", "exists", values["code"], {"field": "code"}))
    faults += _target_faults(values)
    if faults:
        raise InvalidInput(faults)


def _target_faults(values: Mapping[str, Any]) -> list[FieldError]:
    target = values.get("target")
    if not target:
        return []
    if target not in TARGETS:
        return [FieldError("target", "input.choice", target, {"choices": ", ".join(TARGETS)})]
    column = TARGETS[target]
    if column is not None:
        value = values.get(column)
        if not value:
            return [FieldError(column, "input.required")]
        model, key = {"grade_code": (DealerGrade, "code"), "unit_id": (Unit, "id"), "dealer_id": (Dealer, "id")}[column]
        if not db.session.execute(select(getattr(model, key)).where(getattr(model, key) == value)).first():
            return [FieldError(column, "input.unknown", value)]
    if not may_change(target, values.get("unit_id"), values.get("dealer_id")):
        return [FieldError("target", "price.list_not_yours", target)]
    return []


def _has_prices(list_id: int) -> bool:
    return db.session.execute(select(ListPrice.id).where(ListPrice.list_id == list_id).limit(1)).first() is not None


# --- prices -----------------------------------------------------------------------------------------------------------


@command(Permission.PRICE_EDIT)
def enter_prices(list_id: int, entries: Sequence[PriceEntry]) -> Entered:
    """Enter prices of a list: each closes the one that holds at its first day (see `validity.plan`).

    Locks the list. Raises InvalidInput with all faults at once, fields `lines.N.<field>`, nothing written.
    """
    row = locked_list(list_id)
    return _enter_list_prices({list_id: row.unit_id}, [(list_id, entry) for entry in entries])


@command(Permission.PRICE_EDIT)
def enter_prices_of_lists(entries: Sequence[tuple[int, PriceEntry]]) -> Entered:
    """The same for several lists at once (imports); locks them in the order of their ids."""
    ids = {list_id for list_id, _entry in entries}
    rows = lock_rows(PriceList, ids)
    if len(rows) != len(ids):
        raise NotFound("not_found", kind="price_list", id=min(ids - {row.id for row in rows}))
    if not all(may_change(row.target, row.unit_id, row.dealer_id) for row in rows):
        raise RuleViolation("price.list_not_yours")
    return _enter_list_prices({row.id: row.unit_id for row in rows}, entries)


def _enter_list_prices(units: Mapping[int, int | None], entries: Sequence[tuple[int, PriceEntry]]) -> Entered:
    _require_entries([entry for _list_id, entry in entries])
    planned = _sound(_plan_prices(entries))
    added = [
        {
            "list_id": p.key[0], "product_id": p.key[1], "qty_from": p.key[2], "price": p.values[0],
            "floor_price": p.values[1], **_common(p),
        }
        for p in planned.add
    ]  # fmt: skip
    _carry_out(ListPrice, planned, added)
    for list_id, unit_id in units.items():
        mine = [row for row in added if row["list_id"] == list_id]
        if mine or planned.remove:
            audit.write("price_list", list_id, "prices_entered", unit_id, _told(mine))
    return _entered(planned)


def _plan_prices(entries: Sequence[tuple[int, PriceEntry]]) -> validity.Plan:
    """How the entries fit among the prices that are there; one statement."""
    lists = sorted({list_id for list_id, _entry in entries})
    products = sorted({entry.product_id for _list_id, entry in entries})
    existing = db.session.execute(
        select(
            ListPrice.id, ListPrice.list_id, ListPrice.product_id, ListPrice.qty_from, ListPrice.price,
            ListPrice.floor_price, ListPrice.valid,
        ).where(ListPrice.list_id.in_(lists), ListPrice.product_id.in_(products))
    )  # fmt: skip
    periods = [
        _period((row.list_id, row.product_id, row.qty_from), row.valid, (row.price, row.floor_price), row.id)
        for row in existing
    ]
    wanted = [
        validity.Wanted(
            place, (list_id, entry.product_id, entry.qty_from), entry.valid_from, _until(entry.valid_to),
            (entry.price, entry.floor_price),
        )
        for place, (list_id, entry) in enumerate(entries)
    ]  # fmt: skip
    return validity.plan(periods, wanted, clock.today())


def price_faults(entries: Sequence[tuple[int, PriceEntry]]) -> list[FieldError]:
    """What is wrong with entries of lists in scope (`lines.N.<field>`), nothing written; for imports."""
    return [*_entry_faults([entry for _list, entry in entries]), *_plan_faults(_plan_prices(entries))]


def supply_faults(entries: Sequence[SupplyEntry]) -> list[FieldError]:
    """The same for supply prices."""
    return [*_entry_faults(entries), *_plan_faults(_plan_supply(entries, lock=False))]


@command(Permission.PRICE_EDIT)
def end_price(price_id: int, last_day: date) -> None:
    """Let a price end after a day (today or later); it cannot be chosen from the day after on."""
    price = db.session.get(ListPrice, price_id)
    if price is None:
        raise NotFound("not_found", kind="list_price", id=price_id)
    row = locked_list(price.list_id)
    _close(ListPrice, price, last_day)
    audit.write("price_list", row.id, "price_ended", row.unit_id, {"price": [price_id, last_day.isoformat()]})


@command(Permission.SUPPLY_PRICE_EDIT)
def enter_supply_prices(entries: Sequence[SupplyEntry]) -> Entered:
    """Enter supply prices: each closes the one that holds at its first day. Raises InvalidInput with all faults."""
    _require_entries(entries)
    reach(Rank.DOCUMENT)
    planned = _sound(_plan_supply(entries, lock=True))
    added = [{"product_id": p.key[0], "price": p.values[0], **_common(p)} for p in planned.add]
    _carry_out(SupplyPrice, planned, added)
    if added:
        audit.write("supply_price", None, "entered", None, _told(added))
    return _entered(planned)


def _plan_supply(entries: Sequence[SupplyEntry], lock: bool) -> validity.Plan:
    products = sorted({entry.product_id for entry in entries})
    statement = select(SupplyPrice.id, SupplyPrice.product_id, SupplyPrice.price, SupplyPrice.valid)
    statement = statement.where(SupplyPrice.product_id.in_(products)).order_by(SupplyPrice.id)
    existing = db.session.execute(statement.with_for_update(key_share=True) if lock else statement)
    periods = [_period((row.product_id,), row.valid, (row.price,), row.id) for row in existing]
    wanted = [
        validity.Wanted(place, (entry.product_id,), entry.valid_from, _until(entry.valid_to), (entry.price,))
        for place, entry in enumerate(entries)
    ]
    return validity.plan(periods, wanted, clock.today())


@command(Permission.SUPPLY_PRICE_EDIT)
def end_supply_price(price_id: int, last_day: date) -> None:
    """Let a supply price end after a day (today or later)."""
    price = db.session.get(SupplyPrice, price_id)
    if price is None:
        raise NotFound("not_found", kind="supply_price", id=price_id)
    _close(SupplyPrice, price, last_day)
    audit.write("supply_price", price.product_id, "ended", None, {"price": [price_id, last_day.isoformat()]})


def _require_entries(entries: Sequence[PriceEntry | SupplyEntry]) -> None:
    if len(entries) > ENTRIES_MAX:
        raise InvalidInput([FieldError("lines", "price.entries_max", len(entries), {"max": ENTRIES_MAX})])
    faults = _entry_faults(entries)
    if faults:
        raise InvalidInput(faults)


def _entry_faults(entries: Sequence[PriceEntry | SupplyEntry]) -> list[FieldError]:
    known = products_by_id(entry.product_id for entry in entries)
    faults: list[FieldError] = []
    for place, entry in enumerate(entries):
        if entry.product_id not in known:
            faults.append(FieldError(f"lines.{place}.product", "input.unknown", entry.product_id))
        if entry.price < 0:
            faults.append(FieldError(f"lines.{place}.price", "input.not_negative", entry.price))
        floor = getattr(entry, "floor_price", None)
        if floor is not None and floor > entry.price:
            faults.append(FieldError(f"lines.{place}.floor_price", "price.floor_above", floor))
        if getattr(entry, "qty_from", 0) < 0:
            faults.append(FieldError(f"lines.{place}.qty_from", "input.not_negative", getattr(entry, "qty_from", 0)))
    return faults


def _until(last_day: date | None) -> date | None:
    return last_day + timedelta(days=1) if last_day is not None else None


def _period(key: tuple[Any, ...], valid: Range[date], values: tuple[Any, ...], row_id: int) -> validity.Period:
    return validity.Period(key, valid.lower or date.min, valid.upper, values, row_id)


def _sound(planned: validity.Plan) -> validity.Plan:
    """The plan; InvalidInput when it has faults."""
    faults = _plan_faults(planned)
    if faults:
        raise InvalidInput(faults)
    return planned


def _plan_faults(planned: validity.Plan) -> list[FieldError]:
    return [
        FieldError(f"lines.{fault.place}.valid_from", fault.code, fault.value, fault.details)
        for fault in planned.faults
    ]


def _common(period: validity.Period) -> dict[str, Any]:
    return {"valid": Range(period.since, period.until, bounds="[)"), "created_by_id": current().user_id}


def _carry_out(model: Any, planned: validity.Plan, added: list[dict[str, Any]]) -> None:
    """Remove, close and add, at most three statements."""
    table = model.__table__
    if planned.remove:
        db.session.execute(delete(table).where(table.c.id.in_(planned.remove)))
    if planned.close:
        rows = db.session.execute(select(table.c.id, table.c.valid).where(table.c.id.in_(planned.close)))
        closing = [
            {"row_id": row.id, "period": Range(row.valid.lower, planned.close[row.id], bounds="[)")} for row in rows
        ]
        change = update(table).where(table.c.id == bindparam("row_id")).values(valid=bindparam("period"))
        db.session.execute(change, closing)
    if added:
        db.session.execute(insert(table), added)


def _entered(planned: validity.Plan) -> Entered:
    return Entered(
        added=len(planned.add),
        closed=len(planned.close),
        removed=len(planned.remove),
        unchanged=planned.unchanged,
    )


def _close(model: Any, price: Any, last_day: date) -> None:
    if last_day < clock.today() - timedelta(days=1):
        raise InvalidInput([FieldError("last_day", "price.end_past", last_day)])
    valid = price.valid
    if valid.upper is not None and valid.upper <= last_day + timedelta(days=1):
        last = (valid.upper - timedelta(days=1)).isoformat()
        raise InvalidInput([FieldError("last_day", "price.ended", last_day, {"until": last})])
    if valid.lower is not None and last_day < valid.lower:
        db.session.execute(delete(model).where(model.id == price.id))
        return
    price.valid = Range(valid.lower, last_day + timedelta(days=1), bounds="[)")


def _told(rows: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """The first hundred prices entered, as the audit tells them."""
    shown = [
        [row["product_id"], str(row["price"]), str(row["valid"].lower), str(row["valid"].upper or "")]
        for row in list(rows)[:100]
    ]
    return {"count": len(rows), "prices": shown}


# --- authority --------------------------------------------------------------------------------------------------------


@command(Permission.PRICE_EDIT)
def set_authority(rates: Mapping[str, Decimal | None]) -> None:
    """Set how far below the list price roles may go (0.05 = 5 %); None takes the authority away. Head office only."""
    if not may_change("all", None, None):
        raise RuleViolation("price.list_not_yours")
    faults = [
        FieldError(f"rate_{role}", "input.range", rate, {"low": 0, "high": 1})
        for role, rate in rates.items()
        if rate is not None and not 0 <= rate <= 1
    ]
    if faults:
        raise InvalidInput(faults)
    stored = {row.role_code: row for row in db.session.execute(select(DiscountAuthority)).scalars()}
    before = {role: stored[role].discount_rate if role in stored else None for role in rates}
    for role, rate in rates.items():
        if rate is None:
            if role in stored:
                db.session.delete(stored[role])
        elif role in stored:
            stored[role].discount_rate = rate
        else:
            db.session.add(DiscountAuthority(role_code=role, discount_rate=rate))
    changes = {role: [before[role], rate] for role, rate in rates.items() if before[role] != rate}
    if changes:
        audit.write("discount_authority", None, "changed", None, changes)


__all__ = [
    "Entered",
    "PriceEntry",
    "SupplyEntry",
    "change_list",
    "create_list",
    "end_price",
    "end_supply_price",
    "enter_prices",
    "enter_prices_of_lists",
    "enter_supply_prices",
    "may_change",
    "set_authority",
]
