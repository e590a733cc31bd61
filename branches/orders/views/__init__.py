"""Pages of orders, quotations and returns."""

from __future__ import annotations

from branches.orders.views import desk, entry  # noqa: F401 - they add routes to the blueprint of orders
from branches.orders.views.orders import blueprint as orders
from branches.orders.views.quotations import blueprint as quotations
from branches.orders.views.returns import blueprint as returns

__all__ = ["orders", "quotations", "returns"]
