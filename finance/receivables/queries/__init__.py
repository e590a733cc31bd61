"""Reads of receivables: what can be billed, invoices, receipts, open items, ageing, statements."""

from finance.receivables.queries.ageing import Ageing, AgeingRow, ageing, bounds
from finance.receivables.queries.billable import billable, billable_lines, billable_select
from finance.receivables.queries.invoices import InvoicePage, exam_figures, invoice_page
from finance.receivables.queries.items import earmarked, open_items, planner_items
from finance.receivables.queries.statement import SixColumns, Statement, days_outstanding, ledgers, statement

__all__ = [
    "Ageing",
    "AgeingRow",
    "InvoicePage",
    "SixColumns",
    "Statement",
    "ageing",
    "billable",
    "billable_lines",
    "billable_select",
    "bounds",
    "days_outstanding",
    "earmarked",
    "exam_figures",
    "invoice_page",
    "ledgers",
    "open_items",
    "planner_items",
    "statement",
]
