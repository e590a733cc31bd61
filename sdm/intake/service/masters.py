"""Dealers, products and branches that a take-on meets for the first time, entered as sets from what its files tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.dialects.postgresql import insert as pg_insert

from branches.catalogue import service as catalogue
from branches.catalogue import statements as catalogue_statements
from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from branches.org import dealers_rules, dealers_service
from branches.org import queries as org
from branches.org import service as org_service
from branches.org.models import Dealer, DealerGrade, DealerParent
from branches.pricing.models import SupplyPrice
from sdm.intake import values
from sdm.intake.mapping import Mapping_, Party
from sdm.intake.statements import masters as statements
from sdm.kernel import audit
from sdm.kernel.db import db
from sdm.kernel.money import AMOUNT_MAX
from sdm.kernel.units import QTY_MAX, QTY_STEP

FIRST_DAY = date(2000, 1, 1)
PACK = "箱"
_NO_CODE = re.compile(r"[^\w./-]+")


@dataclass(slots=True)
class Told:
    """What the files tell: code → attributes; the branches and lines without a dealer."""

    dealers: dict[str, dict[str, str]] = field(default_factory=dict)
    products: dict[str, dict[str, str]] = field(default_factory=dict)
    collective: set[str | None] = field(default_factory=set)


@dataclass(slots=True)
class Missing:
    """What is not there yet, by code."""

    branches: list[str] = field(default_factory=list)
    dealers: list[str] = field(default_factory=list)
    products: list[str] = field(default_factory=list)


def missing_of(mapping: Mapping_, told: Told) -> Missing:
    """Which told dealers, products and branches do not exist."""
    units = {row.code for row in db.session.execute(statements.KNOWN_UNITS)}
    dealers = _unknown(statements.KNOWN_DEALERS, told.dealers)
    products = _unknown(statements.KNOWN_PRODUCTS, told.products)
    branches = {_branch_code(mapping, attributes) for attributes in told.dealers.values()}
    return Missing(sorted(code for code in branches if code and code not in units), dealers, products)


def _unknown(statement: Any, told: Mapping[str, Any]) -> list[str]:
    known = {row.code for row in db.session.execute(statement, {"codes": list(told)})}
    return [code for code in told if code not in known]


def branch_code(mapping: Mapping_, name: str | None) -> str:
    """The unit's code of a branch name: capitals, hyphens for what codes cannot hold; the mapping's one without a name."""
    if not name:
        return mapping.masters.no_branch.code
    return _NO_CODE.sub("-", values.fold(name).upper())[:64].strip("-") or mapping.masters.no_branch.code


def _branch_code(mapping: Mapping_, attributes: Mapping[str, str]) -> str:
    return branch_code(mapping, attributes.get("branch"))


def create(mapping: Mapping_, told: Told, missing: Missing) -> None:
    """Enter what is missing, as far as the mapping says *create*. Runs inside a command."""
    head_office = ensure_company(mapping)
    if missing.branches and mapping.masters.branches == "create":
        _create_branches(mapping, told, missing.branches, head_office)
    if missing.dealers and mapping.masters.dealers == "create":
        _create_dealers(mapping, told, missing.dealers, head_office)
    if missing.products and mapping.masters.products == "create":
        _create_products(mapping, told, missing.products)


def ensure_company(mapping: Mapping_) -> int:
    """Id of the head office; in an empty database it is made with its legal entity, as the mapping names it."""
    found = next((unit for unit in org.tree().units.values() if unit.kind == "head_office"), None)
    if found is not None:
        return found.id
    company = mapping.company if mapping.company.code else Party("HQ", "总部")
    entity = org_service.create_legal_entity(
        org_service.LegalEntityInput(company.code, company.name, currency=mapping.currency or "CNY")
    )
    return org_service.create_unit(
        org_service.UnitInput(company.code, company.name, "head_office", None, legal_entity_id=entity)
    )


def _create_branches(mapping: Mapping_, told: Told, codes: Sequence[str], head_office: int) -> None:
    parent = head_office
    region = mapping.masters.region
    if region.code:
        known = org.unit_by_code(region.code)
        parent = known.id if known else org_service.create_unit(
            org_service.UnitInput(region.code, region.name, "region", head_office)
        )  # fmt: skip
    names = {_branch_code(mapping, a): a.get("branch") or mapping.masters.no_branch.name for a in told.dealers.values()}
    for code in codes:
        org_service.create_unit(org_service.UnitInput(code, names[code][:200], "branch", parent))


# --- dealers ----------------------------------------------------------------------------------------------------------


def _create_dealers(mapping: Mapping_, told: Told, codes: Sequence[str], head_office: int) -> None:
    units = {row.code: row.id for row in db.session.execute(statements.KNOWN_UNITS)}
    grade = mapping.masters.grade
    db.session.execute(
        pg_insert(DealerGrade).values(code=grade, name=f"{grade} 级", name_en=f"Grade {grade}").on_conflict_do_nothing()
    )
    rows = [_dealer(mapping, code, told.dealers[code], units, head_office) for code in codes]
    made = db.session.execute(insert(Dealer).returning(Dealer.id, sort_by_parameter_order=True), rows)
    ids = list(made.scalars())
    parents = [{"dealer_id": i, "parent_dealer_id": None, "valid_from": dealers_rules.FIRST_DAY} for i in ids]
    db.session.execute(insert(DealerParent), parents)
    db.session.execute(statements.OPEN_ACCOUNTS, {"ids": ids})
    dealers_service.refresh_search(ids)
    audit.write("take_on_run", None, "dealers_created", head_office, {"count": len(ids)})


def _dealer(
    mapping: Mapping_, code: str, told: Mapping[str, str], units: Mapping[str, int], head_office: int
) -> dict[str, Any]:
    inactive = told.get("status", "") in mapping.masters.inactive if told.get("status") else False
    address = " ".join(filter(None, (told.get("address"), told.get("postcode"))))
    return {
        "code": code,
        "name": (told.get("name") or code)[:200],
        "unit_id": units.get(_branch_code(mapping, told), head_office),
        "grade_code": mapping.masters.grade,
        "settlement_mode": "term",
        "term_days": mapping.masters.term_days,
        "status": "inactive" if inactive else "active",
        "collective": told.get("collective") == "yes",
        "address": address[:200],
        "city": told.get("city", "")[:200],
        "province": told.get("province", "")[:200],
        "phone": told.get("phone", "")[:64],
        "tax_no": told.get("tax_no", "")[:64],
        "taken_on": True,
    }


# --- products ---------------------------------------------------------------------------------------------------------


def _create_products(mapping: Mapping_, told: Told, codes: Sequence[str]) -> None:
    categories = _categories(mapping, [told.products[code].get("category", "") for code in codes])
    services = re.compile(mapping.sales.non_stock) if mapping.sales.non_stock else None
    rows = [_product(mapping, code, told.products[code], categories, services) for code in codes]
    made = db.session.execute(insert(Product).returning(Product.id, sort_by_parameter_order=True), rows)
    ids = dict(zip(codes, made.scalars(), strict=True))
    _create_packs(told, ids)
    _create_barcodes(told, ids)
    _create_supply_prices(told, ids)
    catalogue.refresh_search(list(ids.values()))
    audit.write("take_on_run", None, "products_created", None, {"count": len(ids)})


def _categories(mapping: Mapping_, names: Sequence[str]) -> dict[str, int]:
    """Category name → id; new ones are made below the root, with the name's beginning as code."""
    known = {row.name: row.id for row in db.session.execute(statements.KNOWN_CATEGORIES)}
    default = mapping.masters.category
    wanted = {" ".join(name.split())[:200]: " ".join(name.split()).upper()[:64] for name in names if name}
    wanted.setdefault(default.name, default.code)
    new = {name: code for name, code in wanted.items() if name not in known}
    if new:
        statement = insert(ProductCategory).returning(ProductCategory.id, sort_by_parameter_order=True)
        made = db.session.execute(statement, [{"code": code, "name": name} for name, code in new.items()])
        known |= dict(zip(new, made.scalars(), strict=True))
        db.session.execute(catalogue_statements.REBUILD_PATHS)
    known[""] = known[default.name]
    return known


def _product(
    mapping: Mapping_, code: str, told: Mapping[str, str], categories: Mapping[str, int], services: Any
) -> dict[str, Any]:
    return {
        "code": code,
        "name": (" ".join(told.get("name", "").split()) or code)[:200],
        "category_id": categories[" ".join(told.get("category", "").split())[:200]],
        "brand": " ".join(told.get("brand", "").split())[:200],
        "specification": told.get("specification", "")[:200],
        "base_unit": (told.get("base_unit") or mapping.masters.base_unit)[:64],
        "tax_rate": mapping.masters.tax_rate,
        "stocked": not (services and services.search(code)),
        "list_price": _price(told.get("list_price")),
        "taken_on": True,
    }


def _price(shown: str | None) -> Decimal | None:
    """A price of a master file; what cannot be read is left out, since sales do not depend on it."""
    if not shown:
        return None
    try:
        price = values.number(shown, values.PRICE_STEP, AMOUNT_MAX)
    except values.Unreadable:
        return None
    return price if price >= 0 else None


def _create_packs(told: Told, ids: Mapping[str, int]) -> None:
    rows = []
    for code, product_id in ids.items():
        factor = _factor(told.products[code].get("pack"))
        if factor is not None:
            rows.append({"product_id": product_id, "name": PACK, "factor": factor})
    if rows:
        db.session.execute(insert(ProductPack), rows)


def _factor(shown: str | None) -> Decimal | None:
    try:
        factor = values.number(shown or "", QTY_STEP, QTY_MAX)
    except values.Unreadable:
        return None
    return factor if factor > 1 else None


def _create_barcodes(told: Told, ids: Mapping[str, int]) -> None:
    """The first product that names a barcode has it."""
    owners: dict[str, int] = {}
    for code, product_id in ids.items():
        barcode = values.fold(told.products[code].get("barcode", ""))[:64]
        if barcode:
            owners.setdefault(barcode, product_id)
    if owners:
        rows = [{"code": barcode, "product_id": product_id} for barcode, product_id in owners.items()]
        db.session.execute(pg_insert(Barcode).values(rows).on_conflict_do_nothing())


def _create_supply_prices(told: Told, ids: Mapping[str, int]) -> None:
    rows = []
    for code, product_id in ids.items():
        price = _price(told.products[code].get("supply_price"))
        if price is not None:
            rows.append({"product_id": product_id, "price": price, "valid": Range(FIRST_DAY, None, bounds="[)")})
    if rows:
        db.session.execute(insert(SupplyPrice), rows)
