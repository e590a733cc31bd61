"""What doctor asks of dealers' stock."""

from __future__ import annotations

from inventory.channel import statements
from inventory.stock.checks import offenders
from sdm.kernel.checks import Check

CHECKS = (
    Check("Buckets hold what came less what was used", "channel.buckets", offenders(statements.WRONG_REMAINDERS)),
    Check("Dealers' stock is what their buckets hold", "channel.stock", offenders(statements.WRONG_DEALER_STOCK)),
)
