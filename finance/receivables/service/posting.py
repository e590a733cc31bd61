"""What issuing does in one transaction, blue or red: credit, open item, stock, value, ledger, number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select

from branches.catalogue.models import Product
from branches.catalogue.queries import products_by_id
from branches.org import queries as org
from finance.credit import service as credit
from finance.credit.rules import Buckets
from finance.ledger import service as ledger
from finance.receivables import statements
from finance.receivables.models import Allocation, Invoice, InvoiceLine, OpenItem
from finance.receivables.queries.invoices import due_date
from finance.receivables.rules import Parties, invoice_posting, invoice_series, legal_number
from inventory.stock import locations
from inventory.stock import service as stock
from sdm.kernel import hooks
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.money import ZERO
from sdm.kernel.numbering import draw_last


def made_before(model: Any, uuid: UUID) -> DocumentRef | None:
    """The document of this UUID in scope, when the client sends it a second time."""
    row = db.session.execute(select(model).where(model.uuid == uuid)).scalar_one_or_none()
    return None if row is None else row.ref()


def tell_orders(lines: Iterable[InvoiceLine], sign: int = 1) -> list[tuple[int, Buckets]]:
    """Let the orders change their billed quantities; answers the movements of exposure per payer."""
    told = [(line.order_line_id, sign * abs(line.qty)) for line in lines if line.order_line_id]
    if not told:
        return []
    return [change for answer in hooks.call("invoice.lines_issued", lines=told) for change in answer or []]


def bill_shipment_lines(lines: Iterable[InvoiceLine], sign: int = 1) -> None:
    """Raise (sign 1) or lower (−1) what is billed of the delivered lines; their shipments are locked."""
    rows = [(line.shipment_line_id, sign * abs(line.qty)) for line in lines if line.shipment_line_id]
    if rows:
        values = {"lines": [row[0] for row in rows], "qtys": [row[1] for row in rows]}
        db.session.execute(statements.BILL_SHIPMENT_LINES, values)


@dataclass(frozen=True, slots=True)
class Issue:
    """An invoice to post with its lines.

    ``settles``: (open item of an original, amount > 0) a red invoice is matched with; ``reverses``: the invoice whose
    entry it takes back, in whose period it belongs.
    """

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    settles: Sequence[tuple[int, Decimal]] = ()
    reverses: Reversed | None = None


@dataclass(frozen=True, slots=True)
class Reversed:
    """What a reversal takes back: the entry of the original, and the period that it corrects."""

    entry_id: int | None
    period: str


def post_issued(issues: Sequence[Issue], exposure: Sequence[tuple[int, Buckets]] = ()) -> None:
    """Post invoices: exposure, open items (settled at once), stock, values, entries, numbers drawn last.

    Locks in the order credit, open items, balances, counter, whatever the number of invoices.
    """
    products = products_by_id({line.product_id for issue in issues for line in issue.lines})
    items_of = [(issue.invoice.payer_id, Buckets(items=issue.invoice.gross)) for issue in issues]
    credit.shift_many([*exposure, *items_of])
    items = [add_item(issue.invoice, issue.settles) for issue in issues]
    _lock_goods(issues)
    for issue in issues:
        _move_goods(issue.invoice, [line for line in issue.lines if products[line.product_id].stocked])
    for issue, item in zip(issues, items, strict=True):
        _total(issue.invoice, issue.lines, products)
        _post_entry(issue, products)
        _number(issue.invoice, item)


def _lock_goods(issues: Sequence[Issue]) -> None:
    """Several invoices lock all their balances at once, in order; a single one does so when it moves."""
    if len(issues) < 2:
        return
    places = locations.find(
        key
        for issue in issues
        for key in (locations.owner_key(issue.invoice.owner_unit_id), locations.sold_key(issue.invoice.unit_id))
    )
    stock.lock_balances(places.values(), {line.product_id for issue in issues for line in issue.lines})


def add_item(invoice: Invoice, settles: Sequence[tuple[int, Decimal]] = ()) -> OpenItem | None:
    """The open item of an invoice; a red one settles its originals' items, which it locks first. None for zero."""
    if not invoice.gross:
        return None
    day = _dated(invoice)
    wanted = dict(settles)
    originals = lock_rows(OpenItem, wanted, Rank.OPEN_ITEM) if wanted else []
    reach(Rank.OPEN_ITEM)
    used = {row.id: min(wanted[row.id], row.open_amount) for row in originals if row.open_amount > 0}
    taken = min(sum(used.values(), ZERO), abs(invoice.gross))
    item = OpenItem(
        unit_id=invoice.unit_id,
        dealer_id=invoice.dealer_id,
        payer_id=invoice.payer_id,
        legal_entity_id=invoice.legal_entity_id,
        kind="invoice" if invoice.gross > 0 else "credit",
        document_kind="invoice",
        document_id=invoice.id,
        number=invoice.number,
        dated_on=day,
        due_on=invoice.due_on or day,
        amount=invoice.gross,
        open_amount=invoice.gross + taken,
        currency=invoice.currency,
        closed_on=day if invoice.gross + taken == 0 else None,
    )
    db.session.add(item)
    db.session.flush()
    if taken:
        _settle(item, originals, used, day)
    return item


def _settle(item: OpenItem, originals: Sequence[OpenItem], used: dict[int, Decimal], day: date) -> None:
    left = -item.amount
    for original in originals:
        amount = min(used.get(original.id, ZERO), left)
        if not amount:
            continue
        left -= amount
        original.open_amount -= amount
        original.closed_on = day if not original.open_amount else None
        on = max(day, original.dated_on)
        db.session.add(
            Allocation(
                unit_id=original.unit_id,
                payer_id=item.payer_id,
                debit_item_id=original.id,
                credit_item_id=item.id,
                amount=amount,
                allocated_on=on,
                automatic=True,
                created_by_id=current().user_id,
            )
        )


def _dated(invoice: Invoice) -> date:
    if invoice.invoiced_on is None:
        raise RuntimeError("an invoice is dated before it is posted")
    return invoice.invoiced_on


def _move_goods(invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    """Financial stock owner → sold (back for red lines) and the carrying value of each line."""
    if not lines:
        return
    places = locations.ensure([locations.owner_key(invoice.owner_unit_id), locations.sold_key(invoice.unit_id)])
    owner = places[locations.owner_key(invoice.owner_unit_id)]
    sold = places[locations.sold_key(invoice.unit_id)]
    facts: dict[str, Any] = {
        "occurred_on": _dated(invoice),
        "document_kind": "invoice",
        "document_id": invoice.id,
    }
    moves = [
        stock.Move(owner, sold, line.product_id, line.qty, line.id)
        if line.qty > 0
        else stock.Move(sold, owner, line.product_id, -line.qty, line.id)
        for line in lines
    ]
    reason = "invoice" if invoice.gross >= 0 and invoice.invoice_kind == "blue" else "invoice_red"
    stock.post_moves(stock.FINANCIAL, moves, reason=reason, **facts)
    values = stock.post_value([_value_move(invoice, line) for line in lines], **facts)
    for line, value in zip(lines, values, strict=True):
        line.carrying = -value


def _value_move(invoice: Invoice, line: InvoiceLine) -> stock.ValueMove:
    """A sale takes the moving average out, a red line puts its original's value back in."""
    value = None if line.qty > 0 else -line.carrying
    fallback = line.supply_price if line.qty > 0 and line.supply_price else None
    return stock.ValueMove(invoice.owner_unit_id, line.product_id, -line.qty, value, line.id, fallback)


def _total(invoice: Invoice, lines: Sequence[InvoiceLine], products: dict[int, Product]) -> None:
    """Cost of the lines: services have none; goods without supply price cost what left inventory."""
    for line in lines:
        if line.qty > 0 and not products[line.product_id].stocked:
            line.supply_price = line.cost = ZERO
        elif line.qty > 0 and not line.supply_price:
            line.cost = line.carrying
    invoice.cost = sum((line.cost for line in lines), ZERO)


def _post_entry(issue: Issue, products: dict[int, Product]) -> None:
    invoice, back = issue.invoice, issue.reverses
    owner_entity = invoice.legal_entity_id
    if invoice.owner_unit_id != invoice.unit_id:
        owner_entity = org.legal_entity_id_of(invoice.owner_unit_id)
    parties = Parties(
        invoice.unit_id,
        invoice.legal_entity_id,
        invoice.owner_unit_id,
        owner_entity,
        invoice.payer_id,
        invoice.dealer_id,
    )
    categories = {product.id: product.category_id for product in products.values()}
    ledger.post(
        document_kind="invoice",
        document_id=invoice.id,
        event="issued",
        unit_id=invoice.unit_id,
        legal_entity_id=invoice.legal_entity_id,
        posted_on=_dated(invoice),
        belongs_period=back.period if back else None,
        reverses_id=back.entry_id if back else None,
        lines=invoice_posting(parties, issue.lines, categories),
        currency=invoice.currency,
    )


def _number(invoice: Invoice, item: OpenItem | None) -> None:
    series = invoice_series(invoice.legal_entity_id, _dated(invoice))

    def assign(number: int) -> None:
        invoice.legal_number = legal_number(series, number)
        if item is not None:
            item.number = invoice.legal_number

    draw_last(series, assign)


def due_on(invoice: Invoice) -> date:
    """Due date from the invoice's date and terms."""
    return due_date(_dated(invoice), invoice.term_days)
