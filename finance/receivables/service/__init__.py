"""Commands of receivables: invoices, red-letter invoices, receipts, allocation, adjustments, tax invoices."""

from finance.receivables.rules import BillLine
from finance.receivables.service.adjustments import (
    AdjustmentInput,
    OpeningItem,
    decide_adjustment,
    post_opening,
    request_adjustment,
)
from finance.receivables.service.allocation import allocate, allocate_automatically, undo_allocation
from finance.receivables.service.billing import (
    BillInput,
    apply,
    apply_deliveries,
    approve,
    approve_and_issue,
    issue,
    reject,
    submit,
    withdraw,
)
from finance.receivables.service.receipts import ReceiptInput, count_earmarks, record_receipt, reverse_receipt
from finance.receivables.service.red import ReturnLine, credit_return, lock_billed, reverse
from finance.receivables.service.tax import TaxInvoiceInput, record_tax_invoice

__all__ = [
    "AdjustmentInput",
    "BillInput",
    "BillLine",
    "OpeningItem",
    "ReceiptInput",
    "ReturnLine",
    "TaxInvoiceInput",
    "allocate",
    "allocate_automatically",
    "apply",
    "apply_deliveries",
    "approve",
    "approve_and_issue",
    "count_earmarks",
    "credit_return",
    "decide_adjustment",
    "issue",
    "lock_billed",
    "post_opening",
    "record_receipt",
    "record_tax_invoice",
    "reject",
    "request_adjustment",
    "reverse",
    "reverse_receipt",
    "submit",
    "undo_allocation",
    "withdraw",
]
