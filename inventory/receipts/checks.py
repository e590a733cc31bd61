"""What doctor asks of goods receipts."""

from __future__ import annotations

from inventory.receipts import statements
from inventory.stock.checks import offenders
from sdm.kernel.checks import Check

CHECKS = (
    Check("Goods receipts are posted like their state", "goods_receipt.postings", offenders(statements.WRONG_POSTINGS)),
)
