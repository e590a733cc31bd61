"""What doctor asks of shipments."""

from __future__ import annotations

from inventory.shipments import statements
from inventory.stock.checks import offenders
from sdm.kernel.checks import Check

CHECKS = (
    Check("Goods in transit are those shipped and not signed", "shipment.transit", offenders(statements.WRONG_TRANSIT)),
    Check("Signatures add up to what was shipped", "shipment.signatures", offenders(statements.WRONG_SIGNATURES)),
)
