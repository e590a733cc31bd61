"""Pages of invoices, receipts and receivables."""

from finance.receivables.views import account, adjustments, allocation, margin, tax
from finance.receivables.views.blueprint import blueprint as receivables
from finance.receivables.views.invoices import blueprint as invoices
from finance.receivables.views.receipts import blueprint as receipts

__all__ = ["account", "adjustments", "allocation", "invoices", "margin", "receipts", "receivables", "tax"]
