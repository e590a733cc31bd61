"""Entering and changing products and their tree."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from branches.catalogue import queries, rules, service
from sdm.kernel import audit
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.errors import Conflict, InvalidInput, NotFound, StaleVersion
from tests.factories.catalogue import category, product

pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def codes_of(raised: pytest.ExceptionInfo[InvalidInput]) -> set[tuple[str, str]]:
    return {(fault.field, fault.code) for fault in raised.value.errors}


def values(**changes: Any) -> dict[str, Any]:
    return {"code": "N1", "name": "三门冰箱", "category_id": category().id, "base_unit": "台", **changes}


def test_a_new_product_is_found_by_initials_and_barcode_at_once() -> None:
    product_id = service.create_product(values(), {"箱": Decimal(2)}, [("690100", ""), ("690200", "箱")])

    page = queries.product_page(product_id)
    assert page.barcodes == [("690100", "台"), ("690200", "箱")]
    assert [p.id for p in queries.pick("smbx")] == [product_id]
    assert [p.id for p in queries.pick("690200")] == [product_id]
    assert queries.resolve(["690200"])["690200"].product.factor == Decimal(2)


def test_all_faults_of_a_product_are_told_at_once() -> None:
    product(code="N1", barcodes=["690100"])

    with pytest.raises(InvalidInput) as raised:
        service.create_product(values(name="", category_id=-1), {"台": Decimal(2)}, [("690100", ""), ("5", "x")])

    assert codes_of(raised) == {
        ("code", "exists"),
        ("name", "input.required"),
        ("category_id", "input.unknown"),
        ("packs", rules.PACK_IS_BASE),
        ("barcodes", rules.BARCODE_TAKEN),
        ("barcodes", rules.BARCODE_PACK),
    }


def test_changing_the_name_keeps_packs_and_hand_set_initials() -> None:
    product_id = service.create_product(values(pinyin_fixed="bx3"), {"箱": Decimal(2)}, [("690100", "箱")])

    service.change_product(product_id, 1, {"name": "四门冰箱"})

    assert queries.product(product_id).pinyin.split()[:2] == ["bx3", "simbx"[:1] + "mbx"]
    assert service.packs_of(product_id) == ({"箱": Decimal(2)}, [("690100", "箱")])


def test_packs_and_barcodes_are_replaced_and_audited() -> None:
    product_id = service.create_product(values(), {"箱": Decimal(2)}, [("690100", "箱")])

    service.change_product(product_id, 1, {}, {"托": Decimal(20)}, [("690300", "托")])

    assert service.packs_of(product_id) == ({"托": Decimal(20)}, [("690300", "托")])
    assert set(audit.history("product", product_id)[-1][3]) == {"packs", "barcodes"}
    assert queries.resolve(["690100"]) == {}


def test_a_stale_or_absent_product_is_refused() -> None:
    row = product()

    with pytest.raises(StaleVersion):
        service.change_product(row.id, row.version + 1, {"name": "x"})
    with pytest.raises(NotFound):
        service.change_product(-1, None, {"name": "x"})


def test_ending_a_product_takes_it_off_the_picker_and_back() -> None:
    row = product("三门冰箱")

    service.set_product_status(row.id, "ended")
    gone = queries.pick("smbx")
    service.set_product_status(row.id, "active")

    assert gone == []
    assert [p.id for p in queries.pick("smbx")] == [row.id]
    with pytest.raises(InvalidInput):
        service.set_product_status(row.id, "x")


def test_moving_a_category_moves_everything_below_it() -> None:
    top = service.create_category({"code": "T", "name": "家电"})
    other = service.create_category({"code": "O", "name": "其他"})
    middle = service.create_category({"code": "M", "name": "白电", "parent_id": top})
    leaf = service.create_category({"code": "L", "name": "冰箱", "parent_id": middle})

    service.change_category(middle, {"parent_id": other})

    assert [name for _id, name in queries.category_path(leaf)] == ["其他", "白电", "冰箱"]
    with pytest.raises(InvalidInput) as raised:
        service.change_category(other, {"parent_id": leaf})
    assert codes_of(raised) == {("parent_id", rules.CATEGORY_LOOP)}


def test_a_category_in_use_stays() -> None:
    group = category()
    product(category=group)

    with pytest.raises(Conflict):
        service.remove_category(group.id)
    empty = category()
    service.remove_category(empty.id)
    with pytest.raises(NotFound):
        queries.category(empty.id)
