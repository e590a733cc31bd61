"""Red-letter invoices: the reversal of a whole invoice, and the credit of returned goods that were billed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from finance.ledger import service as ledger
from finance.ledger.models import Entry
from finance.receivables import statements
from finance.receivables.models import Invoice, InvoiceLine, OpenItem
from finance.receivables.queries.invoices import lines_of
from finance.receivables.rules import taken_back
from finance.receivables.service.posting import Issue, Reversed, bill_shipment_lines, post_issued, tell_orders
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel import clock, documents, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, InvalidInput, describe
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import lock_rows
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission

_SUMS = ("gross", "net", "vat", "cost", "carrying")
_Part = tuple[InvoiceLine, Decimal]

describe(
    {
        "invoice.red_of_red": N_("A red-letter invoice cannot be reversed; apply for a new invoice instead"),
        "invoice.all_credited": N_("All units of this invoice are already credited; nothing is left to reverse"),
        "invoice.return_exceeds": N_("%(value)s units were returned, but only %(left)s of this delivery are billed"),
        "invoice.before_original": N_("%(value)s lies before the date of the invoice it reverses, %(date)s"),
    }
)


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """Billed units taken back of one delivered line; ``invoice_line_id`` names the billed line where it is known."""

    shipment_line_id: int
    qty: Decimal
    invoice_line_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Sums:
    """What red lines have taken back of one line so far (all positive)."""

    qty: Decimal = ZERO
    gross: Decimal = ZERO
    net: Decimal = ZERO
    vat: Decimal = ZERO
    cost: Decimal = ZERO
    carrying: Decimal = ZERO


@command(Permission.INVOICE_REVERSE)
def reverse(invoice_id: int, reason: str, reversed_on: date | None = None, version: int | None = None) -> DocumentRef:
    """Reverse an issued invoice by a red-letter invoice of what was not yet credited; its units can be billed again.

    The red invoice settles the original as far as that is open; what was paid stays as a credit of the payer. Locks
    invoice, orders (hook), shipments, credit account, open items, balances. Answers the red invoice.
    """
    if not reason.strip():
        raise InvalidInput([FieldError("reason", "input.required")])
    original = documents.lock(Invoice, invoice_id, version)
    documents.require_state(original, {"issued"}, "reversed")
    if original.invoice_kind == "red":
        raise Conflict("invoice.red_of_red")
    day = _checked_day(original, reversed_on or clock.today())
    lines = lines_of([original.id])
    parts = _rest_of(lines)
    if not parts:
        raise Conflict("invoice.all_credited")
    red = _red(original, day, reason, original_id=original.id)
    made = _red_lines(red, parts)
    exposure = tell_orders(made, -1)
    lock_rows(Shipment, _shipments(lines))
    bill_shipment_lines(made, -1)
    _credited(parts)
    documents.step(original, "reverse", "reversed", reason=reason)
    documents.link(("invoice", original.id), ("invoice", red.id))
    back = Reversed(_entry_of(original.id), ledger.period_code(original.invoiced_on or day))
    post_issued([Issue(red, made, _open_items([original.id]), back)], exposure)
    _told(red)
    return red.ref()


def credit_return(
    return_ref: tuple[int, int], lines: Sequence[ReturnLine], credited_on: date | None = None
) -> DocumentRef | None:
    """Red invoice for billed units taken back, at their original price less what was already credited on them.

    ``return_ref``: (id of the return, its unit). Joins the running command; call it before stock is moved: it locks
    invoices, then credit account, open items, balances. None when nothing was billed, else the (first) red invoice:
    there is one per seller, owner, payer and dealer of the originals. Raises InvalidInput naming lines of which fewer
    units are billed. Cost and variance come back at their original amounts.
    """
    if not lines:
        return None
    parts = _take(lines, _lock_billed(lines))
    invoices = {row.id: row for row in lock_rows(Invoice, {line.invoice_id for line, _ in parts})}
    day = max([credited_on or clock.today(), *(row.invoiced_on for row in invoices.values() if row.invoiced_on)])
    ledger.ensure_open(day, "credited_on")
    issues = [_credit(return_ref[0], invoices, group, day) for group in _by_parties(parts, invoices)]
    post_issued(issues)
    for issue in issues:
        _told(issue.invoice)
    return issues[0].invoice.ref()


def _by_parties(parts: Sequence[_Part], invoices: Mapping[int, Invoice]) -> list[list[_Part]]:
    """Parts of invoices of the same seller, company, owner, payer and dealer, in the order of the originals."""
    groups: dict[tuple[int, int, int, int, int], list[_Part]] = {}
    for part in parts:
        row = invoices[part[0].invoice_id]
        key = (row.unit_id, row.legal_entity_id, row.owner_unit_id, row.payer_id, row.dealer_id)
        groups.setdefault(key, []).append(part)
    return list(groups.values())


def _credit(return_id: int, invoices: Mapping[int, Invoice], parts: Sequence[_Part], day: date) -> Issue:
    """The red invoice of some parts, ready to be posted."""
    originals = {line.invoice_id for line, _ in parts}
    first = invoices[min(originals)]
    red = _red(first, day, "", original_id=first.id if len(originals) == 1 else None, return_id=return_id)
    made = _red_lines(red, parts)
    _credited(parts)
    _link_return(return_id, red, originals)
    return Issue(red, made, _open_items(originals))


def lock_billed(shipment_line_ids: Collection[int]) -> None:
    """Lock the issued invoices of delivered lines; commands that lock orders or returns as well call it first."""
    _lock_billed([ReturnLine(line_id, ZERO) for line_id in shipment_line_ids])


def _lock_billed(lines: Sequence[ReturnLine]) -> list[InvoiceLine]:
    ids = {line.shipment_line_id for line in lines}
    head, line = Invoice.__table__.c, InvoiceLine.__table__.c
    found = select(line.invoice_id).where(line.shipment_line_id.in_(ids), line.qty > line.credited_qty)
    wanted = db.session.execute(found.join(Invoice.__table__, head.id == line.invoice_id).where(head.state == "issued"))
    invoices = {row.id for row in lock_rows(Invoice, set(wanted.scalars())) if row.state == "issued"}
    return [row for row in lines_of(sorted(invoices)) if row.shipment_line_id in ids and row.qty > row.credited_qty]


def _take(lines: Sequence[ReturnLine], billed: Sequence[InvoiceLine]) -> list[tuple[InvoiceLine, Decimal]]:
    """(billed line, units) that the returned units come from: the named line, else oldest first."""
    left = {line.id: line.qty - line.credited_qty for line in billed}
    parts: dict[int, tuple[InvoiceLine, Decimal]] = {}
    faults = []
    for index, wanted in enumerate(lines):
        open_qty = wanted.qty
        for line in billed:
            named = wanted.invoice_line_id in {None, line.id}
            if line.shipment_line_id != wanted.shipment_line_id or not named:
                continue
            qty = min(left[line.id], open_qty)
            if qty:
                left[line.id] -= qty
                open_qty -= qty
                parts[line.id] = (line, parts[line.id][1] + qty if line.id in parts else qty)
        if open_qty:
            detail = {"left": str(wanted.qty - open_qty)}
            faults.append(FieldError(f"lines.{index}.qty", "invoice.return_exceeds", str(wanted.qty), detail))
    if faults:
        raise InvalidInput(faults)
    return [parts[key] for key in sorted(parts)]


def _checked_day(original: Invoice, day: date) -> date:
    ledger.ensure_open(day, "reversed_on")
    if original.invoiced_on and day < original.invoiced_on:
        detail = {"date": str(original.invoiced_on)}
        raise InvalidInput([FieldError("reversed_on", "invoice.before_original", str(day), detail)])
    return day


def _rest_of(lines: Sequence[InvoiceLine]) -> list[tuple[InvoiceLine, Decimal]]:
    return [(line, line.qty - line.credited_qty) for line in lines if line.qty > line.credited_qty]


def _red(original: Invoice, day: date, reason: str, **values: Any) -> Invoice:
    red = Invoice(
        uuid=uuid4(),
        unit_id=original.unit_id,
        state="drafted",
        source=original.source,
        invoice_kind="red",
        dealer_id=original.dealer_id,
        payer_id=original.payer_id,
        legal_entity_id=original.legal_entity_id,
        owner_unit_id=original.owner_unit_id,
        currency=original.currency,
        invoiced_on=day,
        due_on=day,
        term_days=0,
        tax_treatment="red_letter",
        reason=reason.strip()[:200],
        created_by_id=current().user_id,
        approved_by_id=current().user_id,
        issued_at=clock.now(),
        **values,
    )
    db.session.add(red)
    db.session.flush()
    return red


def _red_lines(red: Invoice, parts: Sequence[tuple[InvoiceLine, Decimal]]) -> list[InvoiceLine]:
    """Lines that take ``qty`` units back at their original amounts; the last unit of a line takes what is left."""
    before = _credited_so_far([line.id for line, _ in parts])
    made = []
    for number, (line, qty) in enumerate(parts, start=1):
        done = before.get(line.id, _Sums())
        sums = {name: -_part(line, name, done, qty) for name in _SUMS}
        made.append(
            InvoiceLine(
                invoice_id=red.id,
                line_no=number,
                shipment_line_id=line.shipment_line_id,
                order_line_id=line.order_line_id,
                original_line_id=line.id,
                product_id=line.product_id,
                qty=-qty,
                price=line.price,
                tax_rate=line.tax_rate,
                supply_price=line.supply_price,
                **sums,
            )
        )
    db.session.add_all(made)
    for name in ("gross", "net", "vat"):
        setattr(red, name, sum((getattr(line, name) for line in made), ZERO))
    db.session.flush()
    return made


def _part(line: InvoiceLine, name: str, done: _Sums, qty: Decimal) -> Decimal:
    total: Decimal = getattr(line, name)
    if name == "vat":  # the rest of gross and net, so that the three always add up
        return _part(line, "gross", done, qty) - _part(line, "net", done, qty)
    if done.qty + qty == line.qty:
        credited: Decimal = getattr(done, name)
        return total - credited
    return taken_back(total, line.qty, done.qty, qty)


def _credited_so_far(line_ids: Sequence[int]) -> dict[int, _Sums]:
    rows = db.session.execute(statements.CREDITED, {"lines": list(line_ids)})
    return {row.id: _Sums(-row.qty, *(-getattr(row, name) for name in _SUMS)) for row in rows}


def _credited(parts: Sequence[tuple[InvoiceLine, Decimal]]) -> None:
    for line, qty in parts:
        line.credited_qty += qty


def _shipments(lines: Sequence[InvoiceLine]) -> set[int]:
    ids = [line.shipment_line_id for line in lines if line.shipment_line_id]
    found = select(ShipmentLine.shipment_id).where(ShipmentLine.id.in_(ids))
    return set(db.session.execute(found).scalars())


def _open_items(invoice_ids: Collection[int]) -> list[tuple[int, Decimal]]:
    """(open item, amount it may be settled with): all that is open of the originals."""
    rows = db.session.execute(
        select(OpenItem.id, OpenItem.amount)
        .where(OpenItem.document_kind == "invoice", OpenItem.document_id.in_(invoice_ids), OpenItem.amount > 0)
        .order_by(OpenItem.id)
    )
    return [(row.id, row.amount) for row in rows]


def _entry_of(invoice_id: int) -> int | None:
    found = select(Entry.id).where(
        Entry.document_kind == "invoice", Entry.document_id == invoice_id, Entry.event == "issued"
    )
    return db.session.execute(found).scalar_one_or_none()


def _link_return(return_id: int, red: Invoice, originals: Collection[int]) -> None:
    documents.link(("sales_return", return_id), ("invoice", red.id))
    documents.link_many(
        [
            {"from_kind": "invoice", "from_id": original, "to_kind": "invoice", "to_id": red.id}
            for original in sorted(originals)
        ]
    )


def _told(red: Invoice) -> None:
    documents.step(red, "issue", "issued", gross=red.gross)
    outbox.record("invoice.issued", "invoice", red.id, red.unit_id, payer_id=red.payer_id, gross=red.gross)
