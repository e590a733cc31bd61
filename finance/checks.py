"""What doctor asks of the money ledger, receivables and credit (promises of design 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from finance import statements as ask
from finance.ledger import accounts
from sdm.kernel.checks import Check
from sdm.kernel.db import db


def offenders(statement: Any, **values: Any) -> Callable[[], list[str]]:
    """A check's function: every row of the statement as ``column=value`` words."""

    def run() -> list[str]:
        rows = db.session.execute(statement, values)
        return [" ".join(f"{key}={value}" for key, value in row._mapping.items()) for row in rows]

    return run


_INVOICE = {"revenue": accounts.REVENUE, "vat": accounts.OUTPUT_VAT, "cost": accounts.COST}

CHECKS = (
    Check("Every entry balances per unit and company", "ledger.balanced", offenders(ask.UNBALANCED)),
    Check("Every entry has the lines its header says", "ledger.lines", offenders(ask.LINE_COUNT)),
    Check("Every entry lies in its period", "ledger.periods", offenders(ask.PERIODS)),
    Check("Inter-unit lines net to zero per pair", "ledger.inter_unit", offenders(ask.INTER_UNIT)),
    Check("The trial balance of every unit is zero", "ledger.trial_balance", offenders(ask.TRIAL_BALANCE)),
    Check(
        "Inventory in the ledger is what goods carry",
        "ledger.inventory",
        offenders(ask.INVENTORY, inventory=accounts.INVENTORY),
    ),
    Check(
        "The receivable account is the sum of open items as posted",
        "receivables.control",
        offenders(ask.CONTROL, receivable=accounts.RECEIVABLE),
    ),
    Check("What is open is the amount less allocations", "receivables.open_amounts", offenders(ask.OPEN_AMOUNTS)),
    Check("Exposure from items and receipts is what is open", "credit.items", offenders(ask.BUCKETS)),
    Check("Invoice and receipt numbers have no gaps", "receivables.numbers", offenders(ask.NUMBERS)),
    Check(
        "Every issued invoice has one entry, one open item, one number",
        "receivables.invoices",
        offenders(ask.INVOICES_POSTED),
    ),
    Check(
        "Every invoice is posted with its amounts", "receivables.entries", offenders(ask.INVOICE_ENTRIES, **_INVOICE)
    ),
    Check("Every invoice is the sum of its lines", "receivables.lines", offenders(ask.INVOICE_SUMS)),
    Check("Every receipt has its entry and open item", "receivables.receipts", offenders(ask.RECEIPTS_POSTED)),
    Check(
        "Every posted adjustment has its entry and open item",
        "receivables.adjustments",
        offenders(ask.ADJUSTMENTS_POSTED),
    ),
    Check("What is billed of deliveries is what invoices say", "receivables.billed", offenders(ask.BILLED)),
    Check("What is credited is what red lines say", "receivables.credited", offenders(ask.CREDITED)),
)
