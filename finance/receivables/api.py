"""Invoices, receipts, open items, allocation and ageing for programs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import select

from finance.receivables import queries, service
from finance.receivables import schemas as shape
from finance.receivables.models import Allocation, Invoice, OpenItem, Receipt
from finance.receivables.service import BillInput, BillLine, ReceiptInput
from sdm.kernel import api, clock, documents
from sdm.kernel.command import command
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

invoices = api.blueprint("invoices", __name__)
receipts = api.blueprint("receipts", __name__)
receivables = api.blueprint("receivables", __name__)


# --- invoices ---------------------------------------------------------------------------------------------------------


@api.route(
    invoices,
    "/invoices",
    permission=Permission.INVOICE_READ,
    query=shape.InvoiceQuery,
    response=shape.InvoiceOut,
    summary="Invoices",
    paged=True,
)
def list_invoices(query: dict[str, Any]) -> api.Page:
    """Invoices and applications in scope, oldest first."""
    statement = select(Invoice)
    for name in ("state", "dealer_id"):
        if query[name] is not None:
            statement = statement.where(getattr(Invoice, name) == query[name])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    invoices,
    "/invoices/billable",
    permission=Permission.INVOICE_APPLY,
    query=shape.BillableQuery,
    response=shape.BillableOut,
    summary="Delivered lines with something left to bill",
)
def list_billable(query: dict[str, Any]) -> list[Any]:
    """At most 2,000 lines, oldest delivery first."""
    return queries.billable(dealer_id=query["dealer_id"], unit_id=query["unit_id"])


@api.route(
    invoices,
    "/invoices/<int:id>",
    permission=Permission.INVOICE_READ,
    response=shape.InvoiceFullOut,
    summary="One invoice",
)
def get_invoice(id: int) -> dict[str, Any]:
    """An invoice with its lines."""
    shown = queries.invoice_page(id)
    names = [*shape.InvoiceOut().fields]
    return {
        **{name: getattr(shown.invoice, name) for name in names},
        "lines": shown.lines,
        "warnings": (shown.invoice.warnings or {}).get("warnings", []),
    }


@command(Permission.INVOICE_APPLY)
def _apply(application: BillInput, submit: bool) -> DocumentRef:
    ref = service.apply(application)
    return service.submit(ref.id) if submit and ref.state == "drafted" else ref


@api.route(
    invoices,
    "/invoices",
    methods=["POST"],
    permission=Permission.INVOICE_APPLY,
    request=shape.InvoiceIn,
    response=api.RefSchema,
    summary="Apply for an invoice",
    creates=True,
    location="get_invoice",
)
def create_invoice(body: dict[str, Any]) -> DocumentRef:
    """Drafted, or handed to the examiner at once with `submit`."""
    lines = [BillLine(**line) for line in body["lines"]]
    return _apply(BillInput(lines, body.get("uuid") or uuid4(), body["note"], "api"), body["submit"])


def _step(rule: str, permission: str, summary: str, request: Any = None) -> Any:
    return api.route(
        invoices,
        f"/invoices/<int:id>/{rule}",
        methods=["POST"],
        permission=permission,
        request=request,
        response=api.RefSchema,
        summary=summary,
        if_match=True,
    )


@_step("submit", Permission.INVOICE_APPLY, "Hand an application to the examiner")
def submit_invoice(id: int, version: int | None) -> DocumentRef:
    """Computes the warnings."""
    return service.submit(id, version)


@_step("withdraw", Permission.INVOICE_APPLY, "Take an application back")
def withdraw_invoice(id: int, version: int | None) -> DocumentRef:
    """Its deliveries can be billed again."""
    return service.withdraw(id, version)


@_step("approve", Permission.INVOICE_APPROVE, "Approve an application", shape.ReasonIn)
def approve_invoice(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """With warnings a reason is needed; never one's own application."""
    return service.approve(id, body["reason"], version)


@_step("reject", Permission.INVOICE_APPROVE, "Reject an application", shape.ReasonIn)
def reject_invoice(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Needs a reason."""
    return service.reject(id, body["reason"], version)


@_step("issue", Permission.INVOICE_APPROVE, "Issue an approved application", shape.IssueIn)
def issue_invoice(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Receivable, exposure, financial stock, ledger and number in one transaction."""
    return service.issue(id, body["invoiced_on"], version)


@_step("reverse", Permission.INVOICE_REVERSE, "Reverse an issued invoice", shape.ReverseIn)
def reverse_invoice(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Answers the red-letter invoice."""
    return service.reverse(id, body["reason"], body["reversed_on"], version)


# --- receipts ---------------------------------------------------------------------------------------------------------


@api.route(
    receipts,
    "/receipts",
    permission=Permission.RECEIPT_READ,
    query=shape.ReceiptQuery,
    response=shape.ReceiptOut,
    summary="Receipts",
    paged=True,
)
def list_receipts(query: dict[str, Any]) -> api.Page:
    """Receipts in scope, oldest first."""
    statement = select(Receipt)
    for name in ("state", "payer_id"):
        if query[name] is not None:
            statement = statement.where(getattr(Receipt, name) == query[name])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    receipts, "/receipts/<int:id>", permission=Permission.RECEIPT_READ, response=shape.ReceiptOut, summary="One receipt"
)
def get_receipt(id: int) -> Receipt:
    """A receipt."""
    return documents.get(Receipt, id)


@api.route(
    receipts,
    "/receipts",
    methods=["POST"],
    permission=Permission.RECEIPT_ENTER,
    request=shape.ReceiptIn,
    response=api.RefSchema,
    summary="Record a receipt",
    creates=True,
    location="get_receipt",
)
def create_receipt(body: dict[str, Any]) -> DocumentRef:
    """Exposure falls at once. The same `uuid` never makes a second receipt."""
    return service.record_receipt(ReceiptInput(**{"uuid": uuid4(), **body}, source="api"))


@api.route(
    receipts,
    "/receipts/<int:id>/reverse",
    methods=["POST"],
    permission=Permission.RECEIPT_REVERSE,
    request=shape.ReverseReceiptIn,
    response=api.RefSchema,
    summary="Reverse a receipt",
    if_match=True,
)
def reverse_receipt(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Refused with the list of allocations unless `undo_allocations`."""
    return service.reverse_receipt(id, body["reason"], body["reversed_on"], version, body["undo_allocations"])


# --- open items, allocation, ageing -----------------------------------------------------------------------------------


@api.route(
    receivables,
    "/open-items",
    permission=Permission.RECEIVABLE_READ,
    query=shape.ItemQuery,
    response=shape.ItemOut,
    summary="Open items",
    paged=True,
)
def list_items(query: dict[str, Any]) -> api.Page:
    """What is open now, in scope."""
    statement = select(OpenItem).where(OpenItem.open_amount != 0)
    if query["payer_id"] is not None:
        statement = statement.where(OpenItem.payer_id == query["payer_id"])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    receivables,
    "/allocations",
    permission=Permission.RECEIVABLE_READ,
    query=shape.ItemQuery,
    response=shape.AllocationOut,
    summary="Allocations",
    paged=True,
)
def list_allocations(query: dict[str, Any]) -> api.Page:
    """All allocations in scope, undone and undoing ones included."""
    statement = select(Allocation)
    if query["payer_id"] is not None:
        statement = statement.where(Allocation.payer_id == query["payer_id"])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    receivables,
    "/allocations",
    methods=["POST"],
    permission=Permission.ALLOCATION_ENTER,
    request=shape.AllocateIn,
    response=shape.AllocatedOut,
    summary="Allocate open items",
    creates=True,
)
def create_allocations(body: dict[str, Any]) -> dict[str, list[int]]:
    """Given matches, or automatic ones of a payer by `oldest` or `reference`."""
    if body["payer_id"] is not None and not body["matches"]:
        return {"ids": service.allocate_automatically(body["payer_id"], body["by"])}
    matches = [(match["debit_item_id"], match["credit_item_id"], match["amount"]) for match in body["matches"]]
    return {"ids": service.allocate(matches, body["allocated_on"])}


@api.route(
    receivables,
    "/allocations/<int:id>/undo",
    methods=["POST"],
    permission=Permission.ALLOCATION_ENTER,
    response=shape.AllocatedOut,
    summary="Undo an allocation",
)
def undo_allocation(id: int) -> dict[str, list[int]]:
    """Both items are open again; answers the undoing row."""
    return {"ids": [service.undo_allocation(id)]}


@api.route(
    receivables,
    "/ageing",
    permission=Permission.RECEIVABLE_READ,
    query=shape.AgeingQuery,
    response=shape.AgeingOut,
    summary="Ageing as of any day",
)
def get_ageing(query: dict[str, Any]) -> dict[str, Any]:
    """From open items and allocations up to the day."""
    found = queries.ageing(query["as_of"] or clock.today(), query["by"], query["unit_id"])
    return {
        "as_of": found.as_of,
        "by": found.by,
        "bounds": queries.bounds(),
        "rows": found.rows,
        "total": found.total,
    }
