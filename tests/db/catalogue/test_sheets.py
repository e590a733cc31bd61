"""Import sheets of products and their tree."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from branches.catalogue import queries, rules, sheets
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.sheets import Applied
from tests.factories.catalogue import category, product
from tests.factories.sheets import applied, exported, faults_of, round_trip

pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def goods(code: str, **changes: Any) -> dict[str, Any]:
    return {"code": code, "name": "三门冰箱", "category": "C", **changes}


def test_the_tree_comes_in_any_order_and_goes_out_parents_first() -> None:
    done = applied(
        sheets.CATEGORIES,
        {"code": "LEAF", "name": "冰箱", "parent": "TOP"},
        {"code": "TOP", "name": "家电", "parent": None},
    )

    assert done == Applied(created=2)
    assert [row["code"] for row in exported(sheets.CATEGORIES)] == ["TOP", "LEAF"]
    assert round_trip(sheets.CATEGORIES) == Applied(unchanged=2)
    assert faults_of(sheets.CATEGORIES, {"code": "TOP", "parent": "LEAF"}) == {(2, "parent", rules.CATEGORY_LOOP)}
    assert faults_of(sheets.CATEGORIES, {"code": "X", "name": None, "parent": "?"}) == {
        (2, "name", "sheet.required_new"), (2, "parent", "sheet.unknown")
    }  # fmt: skip


def test_products_come_with_packs_barcodes_and_attributes_and_go_out_the_same() -> None:
    category(code="C")

    done = applied(
        sheets.PRODUCTS,
        goods(
            "P1",
            packs="箱=10",
            barcodes="6901; 6902=箱",
            attributes="颜色: 白",
            tax_rate=Decimal("0.09"),
            stocked=False,
        ),
        goods("P2", packs=None, barcodes=None, attributes=None, tax_rate=None, stocked=None),
    )

    found = queries.resolve(["6902", "P2", "smbx"])
    assert done == Applied(created=2)
    assert (found["6902"].product.code, found["6902"].product.factor) == ("P1", Decimal(10))
    assert (found["P2"].product.tax_rate, found["P2"].product.stocked) == (Decimal("0.13"), True)
    assert len(found["smbx"].candidates) == 2
    assert round_trip(sheets.PRODUCTS) == Applied(unchanged=2)


def test_a_missing_column_leaves_packs_and_an_empty_cell_removes_them() -> None:
    category(code="C")
    applied(sheets.PRODUCTS, goods("P1", packs="箱=10", barcodes="6901; 6902=箱"))

    left = applied(sheets.PRODUCTS, {"code": "P1", "name": "四门冰箱"})
    still = queries.resolve(["6902"])["6902"].product
    cleared = applied(sheets.PRODUCTS, {"code": "P1", "packs": None, "barcodes": "6901"})

    assert (left, cleared) == (Applied(changed=1), Applied(changed=1))
    assert still.factor == Decimal(10)
    assert queries.resolve(["6902"]) == {}
    assert queries.resolve(["6901"])["6901"].product.name == "四门冰箱"


def test_every_fault_of_products_is_told() -> None:
    category(code="C")
    product(code="OLD", barcodes=["690"])

    assert faults_of(
        sheets.PRODUCTS,
        goods("P1", name=None, category="none"),
        goods("P2", packs="箱", barcodes="690", attributes="x"),
        goods("P3", tax_rate=Decimal("1.3"), list_price=Decimal(-1), barcodes="5=托"),
        goods("P4", barcodes="777"),
        goods("P5", barcodes="777"),
        {"code": "OLD", "name": None},
    ) == {
        (2, "name", "sheet.required_new"), (2, "category", "sheet.unknown"),
        (3, "packs", rules.PACK_FORMAT), (3, "barcodes", rules.BARCODE_TAKEN), (3, "attributes", rules.ATTRIBUTE_FORMAT),
        (4, "tax_rate", "input.range"), (4, "list_price", "input.not_negative"), (4, "barcodes", rules.BARCODE_PACK),
        (5, "barcodes", "sheet.twice"), (6, "barcodes", "sheet.twice"),
        (7, "name", "input.required"),
    }  # fmt: skip


def test_barcodes_may_change_hands_within_one_file() -> None:
    category(code="C")
    applied(sheets.PRODUCTS, goods("P1", barcodes="111"), goods("P2", barcodes="222"))

    applied(sheets.PRODUCTS, {"code": "P1", "barcodes": "222"}, {"code": "P2", "barcodes": "111"})

    found = queries.resolve(["111", "222"])
    assert (found["111"].product.code, found["222"].product.code) == ("P2", "P1")
