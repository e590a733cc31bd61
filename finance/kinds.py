"""What finance gives to the registries: kinds of documents and of work items."""

from __future__ import annotations

from finance.credit import service as credit
from finance.credit.models import CreditLimitChange
from finance.receivables.models import Invoice, Receipt, ReceivableAdjustment
from finance.receivables.service import adjustments, billing
from sdm.cases.registry import CaseKind, Figure, Result
from sdm.kernel.documents import DocumentKind
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission

DOCUMENT_KINDS = (
    DocumentKind("invoice", Invoice, "invoices.show", Permission.INVOICE_READ, _l("Invoice")),
    DocumentKind("receipt", Receipt, "receipts.show", Permission.RECEIPT_READ, _l("Receipt")),
    DocumentKind(
        "receivable_adjustment",
        ReceivableAdjustment,
        "receivables.adjustment",
        Permission.RECEIVABLE_READ,
        _l("Receivable adjustment"),
    ),
    DocumentKind(
        "credit_limit_change", CreditLimitChange, "credit.change", Permission.CREDIT_READ, _l("Credit limit change")
    ),
)

_DECISIONS = (
    Result("approve", _l("Approve"), "primary"),
    Result("reject", _l("Reject"), "bad", needs_comment=True),
)

CASE_KINDS = (
    CaseKind(
        "invoice_application",
        _l("Invoice application"),
        (Result("approve", _l("Approve and issue"), "primary"), _DECISIONS[1]),
        billing.on_case,
        Permission.INVOICE_APPROVE,
        {
            "number": Figure(_l("Application")),
            "gross": Figure(_l("Amount"), "amount"),
            "percent": Figure(_l("Receivable in percent of the limit"), "integer"),
            "limit": Figure(_l("Credit limit"), "amount"),
            "warnings": Figure(_l("Warnings")),
        },
    ),
    CaseKind(
        "credit_limit",
        _l("Credit limit change"),
        _DECISIONS,
        credit.on_case,
        Permission.CREDIT_LIMIT_APPROVE,
        {
            "old": Figure(_l("Present limit"), "amount"),
            "new": Figure(_l("Proposed limit"), "amount"),
            "until": Figure(_l("Valid until"), "date"),
            "reason": Figure(_l("Reason")),
        },
    ),
    CaseKind(
        "receivable_adjustment",
        _l("Receivable adjustment"),
        _DECISIONS,
        adjustments.on_case,
        Permission.ADJUSTMENT_APPROVE,
        {
            "number": Figure(_l("Number")),
            "amount": Figure(_l("Amount"), "amount"),
            "reason": Figure(_l("Reason")),
        },
    ),
)
