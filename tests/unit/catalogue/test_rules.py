"""Packs, barcodes and attributes as people write them."""

from __future__ import annotations

from decimal import Decimal

from branches.catalogue import rules


def test_packs_are_read_with_chinese_punctuation() -> None:
    packs, faults = rules.split_packs("箱＝10；托=1,00 ;包=0.5")

    assert packs == {"箱": Decimal(10), "托": Decimal(100), "包": Decimal("0.5")}
    assert faults == []


def test_each_wrong_pack_is_named() -> None:
    _packs, faults = rules.split_packs("箱; 托=0; 包=-1; 盒=x; 件=2; 件=3; 粒=0.00001")

    assert [fault.code for fault in faults] == [rules.PACK_FORMAT] * 4 + [rules.PACK_TWICE, rules.PACK_FORMAT]


def test_packs_and_barcodes_are_written_as_they_are_read() -> None:
    packs = {"箱": Decimal("10.000"), "包": Decimal("0.500")}
    barcodes = [("6901", ""), ("6902", "箱")]

    assert rules.split_packs(rules.join_packs(packs.items()))[0] == packs
    assert rules.split_barcodes(rules.join_barcodes(barcodes)) == barcodes


def test_a_barcode_twice_or_of_an_unknown_pack_and_a_pack_like_the_base_unit_are_refused() -> None:
    faults = rules.check_packs("台", {"台": Decimal(2)}, [("1", ""), ("1", ""), ("2", "箱"), ("3", "台")])

    assert [fault.code for fault in faults] == [rules.PACK_IS_BASE, rules.BARCODE_TWICE, rules.BARCODE_PACK]


def test_attributes_are_lines_of_name_and_value() -> None:
    attributes, faults = rules.split_attributes("颜色：白\n容量: 215 L\n\n错误")

    assert attributes == {"颜色": "白", "容量": "215 L"}
    assert [fault.value for fault in faults] == ["错误"]
