"""Products and categories for tests."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any

from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from branches.catalogue.service import refresh_search
from sdm.kernel.db import db
from tests.factories.org import keep

_serial = count(1)


def category(name: str = "冰箱", parent: ProductCategory | None = None, **values: Any) -> ProductCategory:
    """A category below `parent`."""
    row = ProductCategory(
        code=values.pop("code", f"C{next(_serial):04d}"), name=name, parent_id=parent.id if parent else None, **values
    )
    db.session.add(row)
    db.session.flush()
    row.path = [*(parent.path if parent else []), row.id]
    keep()
    return row


def product(name: str = "三门冰箱", **values: Any) -> Product:
    """A stocked product, 13 % VAT; `packs` {name: factor} and `barcodes` (codes of the base unit) when given."""
    packs: Mapping[str, Any] = values.pop("packs", {})
    barcodes = values.pop("barcodes", ())
    group = values.pop("category", None)
    values.setdefault("code", f"P{next(_serial):05d}")
    values.setdefault("tax_rate", Decimal("0.13"))
    row = Product(name=name, category_id=values.pop("category_id", None) or (group or category()).id, **values)
    db.session.add(row)
    db.session.flush()
    db.session.add_all([ProductPack(product_id=row.id, name=n, factor=Decimal(f)) for n, f in packs.items()])
    db.session.add_all([Barcode(product_id=row.id, code=code) for code in barcodes])
    db.session.flush()
    refresh_search([row.id])
    keep()
    return row
