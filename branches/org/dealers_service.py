"""Commands on dealers: entering, changing, blocking, moving in the channel, merging doubles; grades and contacts.

Hooks called in the same transaction: `dealer.created(dealer_id, unit_id)` (its credit account is opened),
`dealer.moved(dealer_id, unit_id)` after a change of unit, `dealer.merged(source_id, target_id)`. Before a merge, a change of
unit and setting inactive `dealer.obstacles(dealer_id) -> reasons` names open business; before a merge also
`dealer.holdings(dealer_id) -> reasons`, what the dealer holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import aliased

from branches.org import dealers_queries as queries
from branches.org import dealers_rules as rules
from branches.org.models import SETTLEMENT_MODES, Dealer, DealerContact, DealerGrade, DealerParent, Person, Unit
from sdm.kernel import audit, clock, hooks
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, expire_loaded, table_of
from sdm.kernel.errors import Conflict, FieldError, IllegalTransition, InvalidInput, NotFound, StaleVersion
from sdm.kernel.i18n import translate
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission
from sdm.kernel.pinyin import initials, search_text
from sdm.kernel.scope import whole_network

DEALER_FIELDS = (
    "code", "name", "short_name", "pinyin_fixed", "unit_id", "payer_id", "grade_code", "channel", "settlement_mode",
    "term_days", "collective", "tax_no", "invoice_name", "address", "phone", "bank_name", "bank_account", "province",
    "city", "manager_id", "note",
)  # fmt: skip
CONTACT_FIELDS = ("name", "job_title", "phone", "email", "ship_to", "address")
GRADE_FIELDS = ("name", "name_en", "rank", "active")
TERM_DAYS_MAX = 3650
FOUND_BY = ("pinyin", "name_core", "search")


@command(Permission.DEALER_EDIT)
def create_dealer(
    values: Mapping[str, Any],
    *,
    parent_id: int | None = None,
    contacts: Collection[Mapping[str, Any]] = (),
    another_one: bool = False,
) -> int:
    """Enter a dealer and open its credit account; returns its id. Without a code it gets one from its number.

    Raises InvalidInput with all faults; Conflict `dealer.similar` with the existing dealers in `similar` unless
    `another_one` confirms that this is another business (CD-02).
    """
    chosen = {key: value for key, value in values.items() if key in DEALER_FIELDS and value is not None}
    chosen.setdefault("settlement_mode", "term")
    _require(chosen, None, parent_id)
    if not another_one:
        _refuse_doubles(chosen)
    coded = bool(chosen.get("code"))
    row = Dealer(**{**chosen, "code": chosen.get("code") or uuid4().hex}, parent_dealer_id=parent_id)
    db.session.add(row)
    db.session.flush()
    if not coded:
        row.code = f"D{row.id:06d}"
    db.session.add(DealerParent(dealer_id=row.id, parent_dealer_id=parent_id, valid_from=rules.FIRST_DAY))
    db.session.add_all([DealerContact(dealer_id=row.id, **_contact(contact)) for contact in contacts])
    db.session.flush()
    refresh_search([row.id])
    audit.write("dealer", row.id, "created", row.unit_id, audit.changed({}, {**chosen, "code": row.code}))
    hooks.call("dealer.created", row.id, row.unit_id)
    return row.id


@command(Permission.DEALER_EDIT)
def change_dealer(dealer_id: int, version: int | None, values: Mapping[str, Any]) -> int:
    """Change master data; returns the new version. Raises NotFound, StaleVersion, InvalidInput with all faults."""
    row = locked(dealer_id, version)
    chosen = {key: value for key, value in values.items() if key in DEALER_FIELDS}
    before = {key: getattr(row, key) for key in chosen}
    _require({**{key: getattr(row, key) for key in DEALER_FIELDS}, **chosen}, dealer_id, None)
    changes = audit.changed(before, chosen)
    if "unit_id" in changes:
        _require_movable(dealer_id)
    for key in changes:
        setattr(row, key, chosen[key])
    row.version += 1
    refresh_search([dealer_id])
    audit.write("dealer", dealer_id, "changed", row.unit_id, changes)
    if "unit_id" in changes:
        hooks.call("dealer.moved", dealer_id, row.unit_id)
    return row.version


@command(Permission.DEALER_BLOCK)
def block_dealer(dealer_id: int, reason: str, version: int | None = None) -> int:
    """Block: its orders are held from now on. Returns the new version."""
    if not reason.strip():
        raise InvalidInput([FieldError("reason", "dealer.block_reason")])
    return _set_status(dealer_id, version, {"active"}, "blocked", reason.strip()[:200])


@command(Permission.DEALER_BLOCK)
def unblock_dealer(dealer_id: int, version: int | None = None) -> int:
    """Lift a block. Returns the new version."""
    return _set_status(dealer_id, version, {"blocked"}, "active", "")


@command(Permission.DEALER_EDIT)
def deactivate_dealer(dealer_id: int, version: int | None = None) -> int:
    """Take a dealer off the pick lists; its documents stay. Returns the new version. Conflict names open business."""
    row, said = locked(dealer_id, version), open_business(dealer_id)
    if said:
        raise Conflict(rules.OPEN_BUSINESS, name=row.name, reasons=said)
    return _set_status(dealer_id, version, {"active", "blocked"}, "inactive", "")


@command(Permission.DEALER_EDIT)
def reactivate_dealer(dealer_id: int, version: int | None = None) -> int:
    """Put a dealer back on the pick lists. Returns the new version."""
    return _set_status(dealer_id, version, {"inactive"}, "active", "")


def _set_status(dealer_id: int, version: int | None, allowed: set[str], status: str, reason: str) -> int:
    row = locked(dealer_id, version)
    if row.status not in allowed:
        raise IllegalTransition("transition.illegal", kind="dealer", state=row.status, action=status)
    changes = audit.changed(
        {"status": row.status, "block_reason": row.block_reason}, {"status": status, "block_reason": reason}
    )
    row.status, row.block_reason = status, reason
    row.version += 1
    audit.write("dealer", dealer_id, status, row.unit_id, changes)
    return row.version


def locked(dealer_id: int, version: int | None = None) -> Dealer:
    """Lock a dealer in scope. Raises NotFound, StaleVersion, Conflict for one that was merged into another."""
    rows = lock_rows(Dealer, [dealer_id])
    if not rows:
        raise NotFound("not_found", kind="dealer", id=dealer_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    if rows[0].merged_into_id is not None:
        raise Conflict(rules.MERGED)
    return rows[0]


def open_business(dealer_id: int, *more: str) -> str:
    """What a dealer still has going on, in words for a message; empty when nothing. ``more``: further hooks to ask."""
    asked = [found for name in ("dealer.obstacles", *more) for found in hooks.call(name, dealer_id)]
    return ", ".join(dict.fromkeys(translate(str(reason)) for reasons in asked for reason in reasons))


def _require_movable(dealer_id: int) -> None:
    """Goods and money stay in the books of the branch that has them, so a dealer moves when nothing is open."""
    said = open_business(dealer_id)
    if said:
        raise InvalidInput([FieldError("unit_id", rules.MOVE_OPEN, None, {"reasons": said})])


# --- checks -----------------------------------------------------------------------------------------------------------


def _require(values: Mapping[str, Any], own_id: int | None, parent_id: int | None) -> None:
    faults = [FieldError(key, "input.required") for key in ("name", "unit_id", "grade_code") if not values.get(key)]
    faults += _mode_faults(values)
    faults += _code_faults(values.get("code"), own_id)
    faults += _reference_faults(values, own_id, parent_id)
    if faults:
        raise InvalidInput(faults)


def _mode_faults(values: Mapping[str, Any]) -> list[FieldError]:
    faults = []
    mode, days = values.get("settlement_mode"), values.get("term_days")
    if mode not in SETTLEMENT_MODES:
        faults.append(FieldError("settlement_mode", "input.choice", mode, {"choices": ", ".join(SETTLEMENT_MODES)}))
    if days is not None and not 0 <= days <= TERM_DAYS_MAX:
        faults.append(FieldError("term_days", "input.range", days, {"low": 0, "high": TERM_DAYS_MAX}))
    elif mode == "prepaid" and days:
        faults.append(FieldError("term_days", "dealer.term_prepaid", days))
    return faults


def _code_faults(code: str | None, own_id: int | None) -> list[FieldError]:
    if not code:
        return []
    with whole_network("a dealer's code is unique in the company"):
        found = db.session.execute(select(Dealer.id).where(Dealer.code == code)).scalar()
    return [FieldError("code", "exists", code, {"field": "code"})] if found not in (None, own_id) else []


def _reference_faults(values: Mapping[str, Any], own_id: int | None, parent_id: int | None) -> list[FieldError]:
    faults = []
    unit_id, grade_code, manager_id = values.get("unit_id"), values.get("grade_code"), values.get("manager_id")
    if unit_id and (not current().scope.has_unit(unit_id) or db.session.get(Unit, unit_id) is None):
        faults.append(FieldError("unit_id", "input.unknown", unit_id))
    if grade_code and db.session.get(DealerGrade, grade_code) is None:
        faults.append(FieldError("grade_code", "input.unknown", grade_code))
    if manager_id and not db.session.execute(select(Person.id).where(Person.id == manager_id)).first():
        faults.append(FieldError("manager_id", "input.unknown", manager_id))
    others = queries.dealers_by_id(i for i in (values.get("payer_id"), parent_id) if i)
    faults += _payer_faults(values.get("payer_id"), own_id, others)
    if parent_id:
        faults += _selectable("parent_dealer_id", parent_id, others)
    return faults


def _payer_faults(payer_id: int | None, own_id: int | None, others: Mapping[int, Dealer]) -> list[FieldError]:
    if not payer_id or payer_id == own_id:
        return []
    faults = _selectable("payer_id", payer_id, others)
    if not faults and others[payer_id].payer_id not in (None, payer_id):
        faults.append(FieldError("payer_id", rules.PAYER_PAYS_OTHER, others[payer_id].name))
    if own_id is not None and queries.pays_for_others(own_id):
        faults.append(FieldError("payer_id", rules.PAYER_HAS_PAYERS, payer_id))
    return faults


def _selectable(field: str, dealer_id: int, others: Mapping[int, Dealer]) -> list[FieldError]:
    other = others.get(dealer_id)
    if other is None:
        return [FieldError(field, "input.unknown", dealer_id)]
    return [FieldError(field, rules.NOT_SELECTABLE, other.name)] if other.status == "inactive" else []


def _refuse_doubles(values: Mapping[str, Any]) -> None:
    tax_no = values.get("tax_no", "")
    found = queries.similar(values["name"], tax_no, values.get("phone", ""))
    if found:
        shown = [{"id": s.id, "code": s.code, "name": s.name, "why": s.why} for s in found]
        raise Conflict(rules.SIMILAR, similar=shown)
    elsewhere = queries.tax_no_elsewhere(tax_no)
    if elsewhere:
        raise Conflict("dealer.tax_no_elsewhere", unit=elsewhere)


# --- search texts -----------------------------------------------------------------------------------------------------


def refresh_search(dealer_ids: Collection[int]) -> None:
    """Recompute initials, core name and search text of dealers: one read and one write for any number.

    Found by code, names, initials, tax number, phone digits (also those of contacts) and the names of merged doubles.
    """
    db.session.flush()
    phones = func.string_agg(DealerContact.phone, aggregate_order_by(literal(";"), DealerContact.id))
    names = func.string_agg(DealerContact.name, aggregate_order_by(literal(";"), DealerContact.id))
    of_dealer = DealerContact.dealer_id == Dealer.id
    double = aliased(Dealer)
    of_double = double.merged_into_id == Dealer.id
    doubles = func.string_agg(double.code + ";" + double.name, aggregate_order_by(literal(";"), double.id))
    columns = (Dealer.id, Dealer.code, Dealer.name, Dealer.short_name, Dealer.tax_no, Dealer.phone, Dealer.pinyin_fixed)
    rows = db.session.execute(
        select(
            *columns,
            Dealer.invoice_name,
            select(phones).where(of_dealer).correlate(Dealer).scalar_subquery().label("phones"),
            select(names).where(of_dealer).correlate(Dealer).scalar_subquery().label("people"),
            select(doubles).where(of_double).correlate(Dealer).scalar_subquery().label("doubles"),
        ).where(Dealer.id.in_(sorted(dealer_ids)))
    ).all()
    if rows:
        table = table_of(Dealer)
        statement = update(table).where(table.c.id == bindparam("row_id"))
        db.session.execute(
            statement.values({name: bindparam(name) for name in FOUND_BY}), [_search_row(row) for row in rows]
        )
        expire_loaded(Dealer, {row.id for row in rows}, list(FOUND_BY))


def _search_row(row: Any) -> dict[str, Any]:
    words = [row.code, row.name, row.short_name, row.invoice_name, row.tax_no, row.pinyin_fixed, row.phone]
    words += (row.phones or "").split(";") + (row.people or "").split(";") + (row.doubles or "").split(";")
    return {
        "row_id": row.id,
        "pinyin": initials(row.name, row.pinyin_fixed),
        "name_core": rules.core_name(row.name),
        "search": search_text(*words),
    }


# --- contacts ---------------------------------------------------------------------------------------------------------


def _contact(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in CONTACT_FIELDS and value is not None}


@command(Permission.DEALER_EDIT)
def save_contact(dealer_id: int, contact_id: int | None, values: Mapping[str, Any]) -> int:
    """Add a contact (id None) or change one; returns its id. Raises NotFound, InvalidInput."""
    row = locked(dealer_id)
    chosen = _contact(values)
    if not chosen.get("name"):
        raise InvalidInput([FieldError("name", "input.required")])
    contact = _contact_of(dealer_id, contact_id) if contact_id else DealerContact(dealer_id=dealer_id)
    before = {key: getattr(contact, key) for key in chosen} if contact_id else {}
    for key, value in chosen.items():
        setattr(contact, key, value)
    db.session.add(contact)
    refresh_search([dealer_id])
    audit.write("dealer", dealer_id, "contact_saved", row.unit_id, audit.changed(before, chosen))
    return contact.id


@command(Permission.DEALER_EDIT)
def remove_contact(dealer_id: int, contact_id: int) -> None:
    """Remove a contact. Raises NotFound."""
    row = locked(dealer_id)
    contact = _contact_of(dealer_id, contact_id)
    audit.write("dealer", dealer_id, "contact_removed", row.unit_id, {"name": [contact.name, None]})
    db.session.delete(contact)
    refresh_search([dealer_id])


def _contact_of(dealer_id: int, contact_id: int) -> DealerContact:
    contact = db.session.get(DealerContact, contact_id)
    if contact is None or contact.dealer_id != dealer_id:
        raise NotFound("not_found", kind="dealer_contact", id=contact_id)
    return contact


# --- the channel ------------------------------------------------------------------------------------------------------


@command(Permission.DEALER_EDIT)
def move_dealer(dealer_id: int, parent_id: int | None, valid_from: date, version: int | None = None) -> int:
    """Put a dealer under another channel parent from a day on; what was before stays (CD-03). Returns the new version.

    A day after the last move, or that day again (which corrects it). A later day than today takes effect by itself.
    """
    row = locked(dealer_id, version)
    faults = _move_faults(row, parent_id, valid_from)
    if faults:
        raise InvalidInput(faults)
    record_moves({dealer_id: (row.parent_dealer_id, parent_id)}, valid_from)
    before = row.parent_dealer_id
    if valid_from <= clock.today():
        row.parent_dealer_id = parent_id
    row.version += 1
    changes = {"parent_dealer_id": [before, parent_id], "valid_from": [None, valid_from.isoformat()]}
    audit.write("dealer", dealer_id, "moved", row.unit_id, changes)
    return row.version


def _move_faults(row: Dealer, parent_id: int | None, valid_from: date) -> list[FieldError]:
    faults = []
    if parent_id is not None:
        faults += _selectable("parent_dealer_id", parent_id, queries.dealers_by_id([parent_id]))
        days = {valid_from, clock.today()}
        with whole_network("a channel has no loops, whoever serves its dealers"):
            if any(rules.makes_loop(row.id, parent_id, queries.parents_on(day)) for day in sorted(days)):
                faults.append(FieldError("parent_dealer_id", rules.PARENT_LOOP, parent_id))
    last = db.session.execute(
        select(func.max(DealerParent.valid_from)).where(DealerParent.dealer_id == row.id)
    ).scalar()
    if last is not None and valid_from < last:
        faults.append(FieldError("valid_from", rules.PARENT_EARLIER, valid_from, {"last": last.isoformat()}))
    return faults


@command(None)
def apply_due_parents() -> int:
    """Let moves whose day has come take effect on the dealers' records; returns how many. A job runs it."""
    due = queries.due_parents(clock.today())
    table = table_of(Dealer)
    if due:
        statement = update(table).where(table.c.id == bindparam("row_id")).values(parent_dealer_id=bindparam("parent"))
        db.session.execute(statement, [{"row_id": dealer_id, "parent": parent} for dealer_id, parent in due])
        expire_loaded(Dealer, {dealer_id for dealer_id, _parent in due}, ["parent_dealer_id"])
    return len(due)


# --- merging ----------------------------------------------------------------------------------------------------------


@command(Permission.DEALER_EDIT)
def merge_dealers(source_id: int, target_id: int, reason: str = "") -> int:
    """Merge a double into the dealer that stays; returns the target's new version (CD-02).

    The double must have no open business (orders, goods, money), so its ledgers stay true as they are: it becomes
    inactive and points to the target, whose page shows the documents of both. Contacts and sub-dealers move.
    """
    if source_id == target_id:
        raise InvalidInput([FieldError("target_id", rules.MERGE_SELF)])
    rows = {row.id: row for row in lock_rows(Dealer, [source_id, target_id])}
    for dealer_id in (source_id, target_id):
        if dealer_id not in rows:
            raise NotFound("not_found", kind="dealer", id=dealer_id)
    source, target = rows[source_id], rows[target_id]
    _require_mergeable(source, target)
    _move_belongings(source_id, target_id)
    source.status, source.merged_into_id = "inactive", target_id
    for row in (source, target):
        row.version += 1
    refresh_search([source_id, target_id])
    story = {"source": source.code, "target": target.code, "reason": reason[:200]}
    audit.write("dealer", source_id, "merged", source.unit_id, {"merged_into": [None, target.code], **story})
    audit.write("dealer", target_id, "took_over", target.unit_id, {"double": [None, source.code], **story})
    hooks.call("dealer.merged", source_id, target_id)
    return target.version


def _require_mergeable(source: Dealer, target: Dealer) -> None:
    faults = []
    if source.unit_id != target.unit_id:
        faults.append(FieldError("target_id", rules.MERGE_UNIT))
    if source.collective or target.collective:
        faults.append(FieldError("target_id", rules.MERGE_COLLECTIVE))
    if source.merged_into_id is not None or target.merged_into_id is not None:
        faults.append(FieldError("target_id", rules.MERGED))
    if target.status == "inactive":
        faults.append(FieldError("target_id", rules.NOT_SELECTABLE, target.name))
    if queries.pays_for_others(source.id):
        faults.append(FieldError("source_id", rules.PAYER_HAS_PAYERS))
    said = open_business(source.id, "dealer.holdings")
    if said:
        faults.append(FieldError("source_id", rules.MERGE_OPEN, source.name, {"reasons": said}))
    if faults:
        raise InvalidInput(faults)


def _move_belongings(source_id: int, target_id: int) -> None:
    """Contacts, earlier doubles and sub-dealers of the double go to the target, sub-dealers from today on."""
    db.session.execute(update(DealerContact).where(DealerContact.dealer_id == source_id).values(dealer_id=target_id))
    db.session.execute(update(Dealer).where(Dealer.merged_into_id == source_id).values(merged_into_id=target_id))
    with whole_network("sub-dealers of a double may be served elsewhere"):
        children = [d for d, parent in queries.parents_on(clock.today()).items() if parent == source_id]
    moved: dict[int, int | None] = {child: target_id for child in children if child != target_id}
    if target_id in children:
        moved[target_id] = db.session.execute(select(Dealer.parent_dealer_id).where(Dealer.id == source_id)).scalar()
    if not moved:
        return
    record_moves({child: (source_id, parent) for child, parent in moved.items()}, clock.today())
    table = table_of(Dealer)
    change = update(table).where(table.c.id == bindparam("row_id")).values(parent_dealer_id=bindparam("parent"))
    db.session.execute(change, [{"row_id": child, "parent": parent} for child, parent in moved.items()])
    expire_loaded(Dealer, set(moved), ["parent_dealer_id"])


def record_moves(moved: Mapping[int, tuple[int | None, int | None]], valid_from: date) -> None:
    """Write moves {dealer: (parent so far, new parent)} of one day; a dealer without any gets its first period too."""
    if not moved:
        return
    first = [
        {"dealer_id": dealer_id, "parent_dealer_id": so_far, "valid_from": rules.FIRST_DAY}
        for dealer_id, (so_far, _new) in moved.items()
    ]
    has_moves = select(DealerParent.dealer_id).where(DealerParent.dealer_id.in_(sorted(moved)))
    known = set(db.session.execute(has_moves).scalars())
    rows = [row for row in first if row["dealer_id"] not in known]
    rows += [
        {"dealer_id": dealer_id, "parent_dealer_id": new, "valid_from": valid_from}
        for dealer_id, (_so_far, new) in moved.items()
    ]
    statement = insert(DealerParent)
    statement = statement.on_conflict_do_update(
        index_elements=[DealerParent.dealer_id, DealerParent.valid_from],
        set_={"parent_dealer_id": statement.excluded.parent_dealer_id},
    )
    db.session.execute(statement, rows)


# --- grades -----------------------------------------------------------------------------------------------------------


@command(Permission.OPTION_EDIT)
def save_grade(code: str, values: Mapping[str, Any], is_new: bool = False) -> None:
    """Create or change a grade (CD-04). Raises InvalidInput."""
    chosen = {key: value for key, value in values.items() if key in GRADE_FIELDS}
    row = db.session.get(DealerGrade, code)
    faults = [FieldError("code", "input.required")] if not code else []
    if is_new and row is not None:
        faults.append(FieldError("code", "exists", code, {"field": "code"}))
    if not (chosen.get("name") or (row and row.name)):
        faults.append(FieldError("name", "input.required"))
    if faults:
        raise InvalidInput(faults)
    before = {key: getattr(row, key) for key in chosen} if row else {}
    if row is None:
        row = DealerGrade(code=code)
        db.session.add(row)
    for key, value in chosen.items():
        setattr(row, key, value)
    audit.write("dealer_grade", None, "saved", None, {"code": [None, code], **audit.changed(before, chosen)})


@command(Permission.OPTION_EDIT)
def remove_grade(code: str) -> None:
    """Remove a grade that no dealer has. Raises NotFound, Conflict."""
    row = db.session.get(DealerGrade, code)
    if row is None:
        raise NotFound("not_found", kind="dealer_grade", id=code)
    with whole_network("a grade is used by dealers of all units"):
        used = db.session.execute(select(func.count()).select_from(Dealer).where(Dealer.grade_code == code)).scalar()
    if used:
        raise Conflict("grade.in_use", count=used)
    db.session.delete(row)
    audit.write("dealer_grade", None, "removed", None, {"code": [code, None]})
