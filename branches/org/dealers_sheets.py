"""Import sheets of dealers, their contacts and grades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.orm import aliased

from branches.org import dealers_queries as queries
from branches.org import dealers_rules as rules
from branches.org.dealers_service import CONTACT_FIELDS, TERM_DAYS_MAX, open_business, record_moves, refresh_search
from branches.org.models import Dealer, DealerContact, DealerGrade, DealerParent, Person, Unit
from branches.org.sheets import foreign_rows, foreign_units, replaced
from sdm.kernel import audit, clock, hooks
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, expire_loaded, table_of
from sdm.kernel.errors import N_, Forbidden, describe
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, missing, repeated, unknown, values_of
from sdm.kernel.upsert import Upserted, filled, ids_by, upsert

MODES = (
    ("prepaid", _l("Cash before shipment")),
    ("term", _l("Term payment")),
    ("consignment", _l("Consignment")),
)
STATUSES = (("active", _l("Active")), ("blocked", _l("Blocked")), ("inactive", _l("Inactive")))
describe(
    {
        "sheet.limit_right": N_(
            "You may not set credit limits; leave this column empty, finance imports the sheet of credit limits"
        ),
        "sheet.no_limits": N_("Credit limits cannot be imported here; use the sheet of credit limits"),
        "sheet.limit_of_payer": N_("Another dealer pays for this one; give the limit %(value)s to the payer"),
        "sheet.negative": N_("%(value)s must not be negative"),
    }
)

# --- grades -----------------------------------------------------------------------------------------------------------

_GRADE = ("code", "name", "name_en", "rank", "active")


def _check_grades(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = {grade.code for grade in queries.grades(active_only=False)}
    faults = [*repeated(rows, ("code",)), *missing(rows, ("name",), lambda row: row.get("code") not in known)]
    for row in rows:
        rank = row.get("rank")
        if rank is not None and not 1 <= rank <= 99:
            faults.append(RowFault(row.number, "rank", "input.range", rank, {"low": 1, "high": 99}))
    return faults


@command(Permission.OPTION_EDIT)
def _apply_grades(rows: Sequence[SheetRow]) -> Applied:
    existing = {grade.code: grade for grade in queries.grades(active_only=False)}
    created = changed = 0
    for row in rows:
        values = row.given(_GRADE)
        if values.get("rank", 0) is None:
            values["rank"] = 9
        values = filled(DealerGrade, values)
        grade = existing.get(values["code"])
        changes = audit.changed({key: getattr(grade, key) for key in values} if grade else {}, values)
        if grade is None:
            db.session.add(DealerGrade(**values))
        for key, (_old, new) in changes.items() if grade else ():
            setattr(grade, key, new)
        created += grade is None
        changed += bool(grade and changes)
        if changes:
            audit.write("dealer_grade", None, "saved", None, {"code": [None, values["code"]], **changes})
    return Applied(created, changed, len(rows) - created - changed)


def _export_grades() -> Iterable[Mapping[str, Any]]:
    for grade in queries.grades(active_only=False):
        yield {key: getattr(grade, key) for key in _GRADE}


GRADES = ImportSheet(
    code="dealer_grades",
    label=_l("Dealer grades"),
    permission=Permission.OPTION_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("rank", _l("Rank"), "integer", help=_l("1 is best")),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("code",),
    check=_check_grades,
    apply=_apply_grades,
    export=_export_grades,
    order=45,
)

# --- dealers ----------------------------------------------------------------------------------------------------------

_DEALER = (
    "code", "name", "short_name", "pinyin_fixed", "channel", "settlement_mode", "term_days", "collective", "tax_no",
    "invoice_name", "address", "phone", "bank_name", "bank_account", "province", "city", "status", "note",
)  # fmt: skip
_LINKS = ("unit", "grade", "manager")


def _grade_choices() -> list[tuple[str, str]]:
    return [(grade.code, grade.name) for grade in queries.grades(active_only=False)]


def _people(rows: Sequence[SheetRow]) -> dict[str, int]:
    codes = values_of(rows, "manager")
    found = db.session.execute(select(Person.code, Person.id).where(Person.code.in_(codes))) if codes else ()
    return {code: row_id for code, row_id in found}


def _visible(rows: Sequence[SheetRow], *columns: str) -> dict[str, Dealer]:
    """Dealers in scope by the codes in these columns."""
    codes = {row.get(column) for row in rows for column in columns if row.get(column)}
    return queries.dealers_by_code(codes)


def _check_dealers(rows: Sequence[SheetRow]) -> list[RowFault]:
    known = _visible(rows, "code", "parent", "payer")
    in_file = {row.get("code"): row for row in rows}
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "unit", "grade"), lambda row: row.get("code") not in known),
        *foreign_rows(rows, Dealer),
        *foreign_units(rows),
        *unknown(rows, "manager", _people(rows)),
        *unknown(rows, "parent", {*known, *in_file}),
        *unknown(rows, "payer", {*known, *in_file}),
    ]
    for row in rows:
        faults += _own_faults(row, known.get(row.get("code") or ""))
        faults += _payer_fault(row, known, in_file)
    faults += _parent_loops(rows, known)
    faults += _open_faults(rows, known)
    return faults


def _open_faults(rows: Sequence[SheetRow], known: Mapping[str, Dealer]) -> Iterator[RowFault]:
    """Dealers that would move to another unit or become inactive with open business; only those are asked about."""
    units = ids_by(Unit, values_of(rows, "unit"))
    for row in rows:
        dealer = known.get(row.get("code") or "")
        if dealer is None:
            continue
        moves = row.get("unit") and units.get(row.get("unit")) not in (None, dealer.unit_id)
        ends = row.get("status") == "inactive" and dealer.status != "inactive"
        said = open_business(dealer.id) if moves or ends else ""
        if said and moves:
            yield RowFault(row.number, "unit", rules.MOVE_OPEN, None, {"reasons": said})
        if said and ends:
            yield RowFault(row.number, "status", rules.OPEN_BUSINESS, None, {"name": dealer.name, "reasons": said})


def _own_faults(row: SheetRow, dealer: Dealer | None) -> Iterator[RowFault]:
    days, limit = row.get("term_days"), row.get("credit_limit")
    mode = row.get("settlement_mode") or (dealer.settlement_mode if dealer else "term")
    if days is not None and not 0 <= days <= TERM_DAYS_MAX:
        yield RowFault(row.number, "term_days", "input.range", days, {"low": 0, "high": TERM_DAYS_MAX})
    elif days and mode == "prepaid":
        yield RowFault(row.number, "term_days", "dealer.term_prepaid", days)
    if limit is not None and limit < 0:
        yield RowFault(row.number, "credit_limit", "sheet.negative", limit)
    elif limit is not None and not current().can(Permission.CREDIT_LIMIT_APPROVE):
        yield RowFault(row.number, "credit_limit", "sheet.limit_right", limit)
    elif limit is not None and not hooks.has("dealer.limits"):
        yield RowFault(row.number, "credit_limit", "sheet.no_limits", limit)
    payer = row.get("payer") if row.has("payer") else (dealer.payer_id if dealer else None)
    if limit and payer not in (None, row.get("code"), dealer.id if dealer else None):
        yield RowFault(row.number, "credit_limit", "sheet.limit_of_payer", limit)
    if dealer is not None and dealer.merged_into_id is not None:
        yield RowFault(row.number, "code", rules.MERGED, dealer.code)


def _payer_fault(row: SheetRow, known: Mapping[str, Dealer], in_file: Mapping[Any, SheetRow]) -> Iterator[RowFault]:
    """A payer must pay for itself."""
    payer = row.get("payer")
    if payer is None or payer == row.get("code"):
        return
    listed, stored = in_file.get(payer), known.get(payer)
    if listed is not None and listed.has("payer"):
        pays_itself = listed.get("payer") in (None, payer)
    else:
        pays_itself = stored is None or stored.payer_id in (None, stored.id)
    if not pays_itself:
        yield RowFault(row.number, "payer", rules.PAYER_PAYS_OTHER, payer)


def _parent_loops(rows: Sequence[SheetRow], known: Mapping[str, Dealer]) -> Iterator[RowFault]:
    """Faults for dealers that would stand below themselves; stored dealers are known by id, new ones by code."""
    if not any(row.get("parent") for row in rows):
        return

    def node(code: str | None) -> Any:
        return known[code].id if code is not None and code in known else code

    parents: dict[Any, Any] = dict(queries.parents_on(clock.today()))
    parents.update({node(row.get("code")): node(row.get("parent")) for row in rows if row.has("parent")})
    for row in rows:
        if row.get("parent") and rules.makes_loop(node(row.get("code")), node(row.get("parent")), parents):
            yield RowFault(row.number, "parent", rules.PARENT_LOOP, row.get("parent"))


@command(Permission.DEALER_EDIT)
def _apply_dealers(rows: Sequence[SheetRow]) -> Applied:
    names = {
        "unit": ("unit_id", ids_by(Unit, values_of(rows, "unit"))),
        "grade": ("grade_code", {code: code for code in values_of(rows, "grade")}),
        "manager": ("manager_id", _people(rows)),
    }
    moved = _units_of(rows)
    done = upsert(
        Dealer, [replaced(row.given((*_DEALER, *_LINKS)), names) for row in rows], kind="dealer", unit="unit_id"
    )
    _first_periods([done.ids[code] for code in done.created])
    _link(rows, done)
    _main_contacts(rows, done)
    refresh_search(list(done.ids.values()))
    _open_accounts(done)
    for code, before in moved.items():
        unit_id = names["unit"][1].get(next(row.get("unit") for row in rows if row.get("code") == code))
        if unit_id is not None and unit_id != before:
            hooks.call("dealer.moved", done.ids[code], unit_id)
    _limits(rows, done)
    return done.applied


def _units_of(rows: Sequence[SheetRow]) -> dict[str, int]:
    """Unit so far of known dealers whose unit the file names."""
    codes = [row.get("code") for row in rows if row.get("unit")]
    return {code: dealer.unit_id for code, dealer in queries.dealers_by_code(codes).items()} if codes else {}


def _first_periods(dealer_ids: Sequence[int]) -> None:
    """New dealers stand at the top of the channel from the first day on, until `_link` places them."""
    if dealer_ids:
        first = [{"dealer_id": i, "parent_dealer_id": None, "valid_from": rules.FIRST_DAY} for i in dealer_ids]
        db.session.execute(insert(table_of(DealerParent)), first)


def _link(rows: Sequence[SheetRow], done: Upserted) -> None:
    """Set payers and channel parents, which may be in the same file."""
    codes = {row.get(column) for row in rows for column in ("parent", "payer") if row.get(column)}
    ids = {**ids_by(Dealer, sorted(codes)), **done.ids}
    table = table_of(Dealer)
    if rows[0].has("payer"):
        payers = []
        for row in rows:
            dealer_id, payer_id = done.ids[row.values["code"]], ids.get(row.get("payer") or "")
            payers.append({"row_id": dealer_id, "payer": payer_id if payer_id != dealer_id else None})
        statement = update(table).where(table.c.id == bindparam("row_id")).values(payer_id=bindparam("payer"))
        db.session.execute(statement, payers)
        expire_loaded(Dealer, set(done.ids.values()), ["payer_id"])
    if rows[0].has("parent"):
        _place(rows, done, ids)


def _place(rows: Sequence[SheetRow], done: Upserted, ids: Mapping[str, int]) -> None:
    wanted = {done.ids[row.values["code"]]: ids.get(row.get("parent") or "") for row in rows}
    table = table_of(Dealer)
    before = dict(
        db.session.execute(select(table.c.id, table.c.parent_dealer_id).where(table.c.id.in_(sorted(wanted)))).all()
    )
    new = {done.ids[code] for code in done.created}
    moved = {dealer_id: parent for dealer_id, parent in wanted.items() if before.get(dealer_id) != parent}
    record_moves({i: (None, parent) for i, parent in moved.items() if i in new}, rules.FIRST_DAY)
    record_moves({i: (before.get(i), parent) for i, parent in moved.items() if i not in new}, clock.today())
    if moved:
        statement = update(table).where(table.c.id == bindparam("row_id")).values(parent_dealer_id=bindparam("parent"))
        db.session.execute(statement, [{"row_id": i, "parent": parent} for i, parent in moved.items()])
        expire_loaded(Dealer, set(moved), ["parent_dealer_id"])


def _main_contacts(rows: Sequence[SheetRow], done: Upserted) -> None:
    """The one contact of the dealers' sheet: added when the dealer has none of that name, else its phone is set."""
    wanted = {
        (done.ids[row.values["code"]], row.get("contact_name")): row.get("contact_phone")
        for row in rows
        if row.get("contact_name")
    }
    if not wanted:
        return
    dealers = sorted({dealer_id for dealer_id, _name in wanted})
    found = db.session.execute(select(DealerContact).where(DealerContact.dealer_id.in_(dealers))).scalars()
    known = {(contact.dealer_id, contact.name): contact for contact in found}
    fresh = [
        {"dealer_id": dealer_id, "name": name, "phone": phone or ""}
        for (dealer_id, name), phone in wanted.items()
        if (dealer_id, name) not in known
    ]
    if fresh:
        db.session.execute(insert(table_of(DealerContact)), fresh)
    for key, contact in known.items():
        if wanted.get(key):
            contact.phone = wanted[key]
    db.session.flush()


def _open_accounts(done: Upserted) -> None:
    """Tell who opens credit accounts about the new dealers, all at once where it can be done."""
    pairs = _unit_pairs([done.ids[code] for code in done.created])
    if hooks.has("dealer.created_many"):
        hooks.call("dealer.created_many", pairs)
        return
    for dealer_id, unit_id in pairs:
        hooks.call("dealer.created", dealer_id, unit_id)


def _unit_pairs(dealer_ids: Sequence[int]) -> list[tuple[int, int]]:
    if not dealer_ids:
        return []
    table = table_of(Dealer)
    statement = select(table.c.id, table.c.unit_id).where(table.c.id.in_(dealer_ids)).order_by(table.c.id)
    return [(row.id, row.unit_id) for row in db.session.execute(statement)]


def _limits(rows: Sequence[SheetRow], done: Upserted) -> None:
    if not rows[0].has("credit_limit"):
        return
    payers = select(Dealer.id).where(Dealer.id.in_(sorted(done.ids.values())))
    pays_itself = or_(Dealer.payer_id.is_(None), Dealer.payer_id == Dealer.id)
    itself = set(db.session.execute(payers.where(pays_itself)).scalars())
    limits = {done.ids[row.values["code"]]: row.get("credit_limit") for row in rows}
    limits = {dealer_id: limit for dealer_id, limit in limits.items() if dealer_id in itself}
    if not current().can(Permission.CREDIT_LIMIT_APPROVE):
        if any(limit is not None for limit in limits.values()):
            raise Forbidden("forbidden", permission=str(Permission.CREDIT_LIMIT_APPROVE))
        return
    if limits and hooks.has("dealer.limits"):
        hooks.call("dealer.limits", limits)


def _export_dealers() -> Iterable[Mapping[str, Any]]:
    parent, payer = aliased(Dealer), aliased(Dealer)
    statement = (
        select(Dealer, Unit.code, Person.code, parent.code, payer.code)
        .join(Unit, Unit.id == Dealer.unit_id)
        .outerjoin(Person, Person.id == Dealer.manager_id)
        .outerjoin(parent, parent.id == Dealer.parent_dealer_id)
        .outerjoin(payer, payer.id == Dealer.payer_id)
        .where(Dealer.merged_into_id.is_(None))
        .order_by(Dealer.code)
    )
    rows = db.session.execute(statement).all()
    contacts = _first_contacts()
    limits = _known_limits([row[0].id for row in rows])
    for dealer, unit, manager, above, pays in rows:
        contact = contacts.get(dealer.id)
        limit = limits.get(dealer.id) if dealer.payer_id in (None, dealer.id) else None
        yield {
            **{key: getattr(dealer, key) for key in _DEALER}, "unit": unit, "grade": dealer.grade_code,
            "manager": manager, "parent": above, "payer": pays, "credit_limit": limit,
            "contact_name": contact.name if contact else None, "contact_phone": contact.phone if contact else None,
        }  # fmt: skip


def _first_contacts() -> dict[int, DealerContact]:
    statement = select(DealerContact).join(Dealer, Dealer.id == DealerContact.dealer_id).order_by(DealerContact.id)
    found: dict[int, DealerContact] = {}
    for contact in db.session.execute(statement).scalars():
        found.setdefault(contact.dealer_id, contact)
    return found


def _known_limits(dealer_ids: Sequence[int]) -> dict[int, Any]:
    if not current().can(Permission.CREDIT_READ):
        return {}
    return {key: value for found in hooks.call("dealer.limits_of", dealer_ids) for key, value in found.items()}


DEALERS = ImportSheet(
    code="dealers",
    label=_l("Dealers"),
    permission=Permission.DEALER_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("short_name", _l("Short name")),
        Column("unit", _l("Branch"), "code", help=_l("code of the unit")),
        Column("grade", _l("Grade"), "choice", choices=_grade_choices),
        Column("channel", _l("Channel"), "code"),
        Column("parent", _l("Channel parent"), "code", help=_l("code of a dealer; may be one of the same file")),
        Column("payer", _l("Payer"), "code", help=_l("code of a dealer; empty: pays for itself")),
        Column("settlement_mode", _l("Settlement"), "choice", choices=MODES),
        Column("term_days", _l("Payment days"), "integer"),
        Column("credit_limit", _l("Credit limit"), "amount"),
        Column("tax_no", _l("Tax number"), "code"),
        Column("invoice_name", _l("Name on invoices")),
        Column("phone", _l("Phone"), "code"),
        Column("contact_name", _l("Contact person")),
        Column("contact_phone", _l("Contact's phone"), "code"),
        Column("province", _l("Province")),
        Column("city", _l("City")),
        Column("address", _l("Address")),
        Column("bank_name", _l("Bank")),
        Column("bank_account", _l("Bank account"), "code"),
        Column("manager", _l("Responsible"), "code", help=_l("code of a person")),
        Column("collective", _l("Collective dealer"), "boolean"),
        Column("pinyin_fixed", _l("Own search codes"), max_length=64),
        Column("status", _l("State"), "choice", choices=STATUSES),
        Column("note", _l("Note"), max_length=2000),
    ),
    key=("code",),
    check=_check_dealers,
    apply=_apply_dealers,
    export=_export_dealers,
    whole_file=True,
    order=50,
)

# --- contacts ---------------------------------------------------------------------------------------------------------


def _check_contacts(rows: Sequence[SheetRow]) -> list[RowFault]:
    return [*repeated(rows, ("dealer", "name")), *unknown(rows, "dealer", _visible(rows, "dealer"))]


@command(Permission.DEALER_EDIT)
def _apply_contacts(rows: Sequence[SheetRow]) -> Applied:
    dealers = _visible(rows, "dealer")
    ids = {code: dealer.id for code, dealer in dealers.items()}
    found = db.session.execute(
        select(DealerContact).where(DealerContact.dealer_id.in_(sorted(ids.values()))).order_by(DealerContact.id)
    ).scalars()
    known = {(contact.dealer_id, contact.name): contact for contact in found}
    fresh, changed = [], set()
    for row in rows:
        values = filled(DealerContact, row.given(CONTACT_FIELDS))
        contact = known.get((ids[row.values["dealer"]], row.values["name"]))
        if contact is None:
            fresh.append({"dealer_id": ids[row.values["dealer"]], **values})
            continue
        changes = audit.changed({key: getattr(contact, key) for key in values}, values)
        for key, (_old, new) in changes.items():
            setattr(contact, key, new)
        if changes:
            changed.add(contact.id)
    if fresh:
        db.session.execute(insert(table_of(DealerContact)), fresh)
    refresh_search(list(ids.values()))
    for dealer in dealers.values():
        audit.write("dealer", dealer.id, "contact_saved", dealer.unit_id, {})
    return Applied(len(fresh), len(changed), len(rows) - len(fresh) - len(changed))


def _export_contacts() -> Iterable[Mapping[str, Any]]:
    statement = (
        select(DealerContact, Dealer.code)
        .join(Dealer, Dealer.id == DealerContact.dealer_id)
        .order_by(Dealer.code, DealerContact.id)
    )
    for contact, dealer in db.session.execute(statement):
        yield {"dealer": dealer, **{key: getattr(contact, key) for key in CONTACT_FIELDS}}


CONTACTS = ImportSheet(
    code="dealer_contacts",
    label=_l("Dealer contacts"),
    permission=Permission.DEALER_EDIT,
    columns=(
        Column("dealer", _l("Dealer"), "code", required=True, help=_l("code of the dealer")),
        Column("name", _l("Name"), required=True),
        Column("job_title", _l("Job title")),
        Column("phone", _l("Phone"), "code"),
        Column("email", _l("E-mail")),
        Column("ship_to", _l("Ship to"), "boolean"),
        Column("address", _l("Address")),
    ),
    key=("dealer", "name"),
    check=_check_contacts,
    apply=_apply_contacts,
    export=_export_contacts,
    group_by=("dealer",),
    order=55,
)

SHEETS = (GRADES, DEALERS, CONTACTS)
