"""Finding products."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import event

from branches.catalogue import queries
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories.catalogue import category, product

pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def test_codes_barcodes_names_and_initials_resolve_to_the_product() -> None:
    fridge = product("三门冰箱", code="BCD-215A", barcodes=["690100"])

    found = queries.resolve(["bcd-215a", "BCD-215A ", "690100", "三门冰箱", "SMBX", "nothing", ""])

    assert {text: (hit.matched, hit.product.product_id) for text, hit in found.items()} == {
        "bcd-215a": ("code", fridge.id),
        "BCD-215A ": ("code", fridge.id),
        "690100": ("barcode", fridge.id),
        "三门冰箱": ("name", fridge.id),
        "SMBX": ("pinyin", fridge.id),
    }


def test_a_code_in_mixed_case_is_found() -> None:
    fridge = product(code="aBc-9")

    assert queries.resolve(["ABC-9"])["ABC-9"].product.product_id == fridge.id


def test_the_barcode_of_a_pack_brings_its_factor() -> None:
    from branches.catalogue.models import Barcode, ProductPack

    fridge = product(packs={"箱": 4})
    pack = db.session.query(ProductPack).filter_by(product_id=fridge.id).one()
    db.session.add(Barcode(code="690200", product_id=fridge.id, pack_id=pack.id))

    hit = queries.resolve(["690200"])["690200"].product

    assert (hit.unit, hit.factor) == ("箱", Decimal(4))


def test_ambiguous_initials_list_what_they_may_mean() -> None:
    first, second = product("三门冰箱", code="A1"), product("双门冰箱", code="A2")

    hit = queries.resolve(["smbx"])["smbx"]

    assert hit.product is None
    assert [c.product_id for c in hit.candidates] == [first.id, second.id]


def test_a_product_no_longer_sold_does_not_make_initials_ambiguous() -> None:
    product("三门冰箱", status="ended")
    second = product("双门冰箱")

    assert queries.resolve(["smbx"])["smbx"].product.product_id == second.id


def test_a_code_goes_before_the_initials_of_another_product() -> None:
    product("三门冰箱")
    coded = product("空调", code="SMBX")

    assert queries.resolve(["smbx"])["smbx"].product.product_id == coded.id


def test_200_texts_take_at_most_four_statements() -> None:
    group = category()
    products = [product(f"商品{n}", category=group, barcodes=[f"B{n:05d}"]) for n in range(100)]
    texts = [p.code for p in products] + [f"B{n:05d}" for n in range(100)] + ["unknown"]
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("SAVEPOINT"):
            sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    found = queries.resolve(texts)
    event.remove(db.engine, "before_cursor_execute", note)

    assert len(found) == 200
    assert len(sent) <= 4


def test_the_picker_puts_the_exact_code_first_and_leaves_out_what_is_no_longer_sold() -> None:
    product("215 升冰箱", code="X-1")
    exact = product("洗衣机", code="215")
    product("旧 215", code="X-2", status="ended")

    found = queries.pick("215")

    assert found[0].id == exact.id
    assert len(found) == 2
    assert len(queries.pick("215", ended=True)) == 3


def test_the_picker_takes_words_in_any_order_and_wild_cards_literally() -> None:
    fridge = product("三门冰箱", specification="215L 白")

    assert [p.id for p in queries.pick("白 冰箱")] == [fridge.id]
    assert queries.pick("100%") == []


def test_the_tree_counts_products_below_and_keeps_its_order() -> None:
    white = category("白电", code="W")
    fridges = category("冰箱", white, code="W1", position=2)
    washers = category("洗衣机", white, code="W2", position=1)
    product(category=fridges)
    product(category=washers)

    tree = {node.code: node for node in queries.category_tree()}
    order = [node.code for node in queries.category_tree() if node.code.startswith("W")]

    assert order == ["W", "W2", "W1"]
    assert (tree["W"].products, tree["W1"].depth, tree["W"].children) == (2, 1, [fridges.id, washers.id])
    assert [name for _id, name in queries.category_path(fridges.id)] == ["白电", "冰箱"]
    assert queries.category_subtree(white.id) == {white.id, fridges.id, washers.id}
