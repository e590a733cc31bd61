"""Rules of products. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sdm.kernel.errors import N_, FieldError, describe
from sdm.kernel.units import is_valid_qty

PACK_FORMAT = "product.pack_format"
PACK_TWICE = "product.pack_twice"
PACK_IS_BASE = "product.pack_is_base"
BARCODE_TWICE = "product.barcode_twice"
BARCODE_TAKEN = "product.barcode_taken"
BARCODE_PACK = "product.barcode_pack"
CATEGORY_LOOP = "category.loop"
CATEGORY_IN_USE = "category.in_use"
ATTRIBUTE_FORMAT = "product.attribute_format"

describe(
    {
        PACK_FORMAT: N_("%(value)s is not a pack; write name=quantity, e.g. box=10, several separated by semicolons"),
        PACK_TWICE: N_("The pack %(value)s is named twice"),
        PACK_IS_BASE: N_("The pack %(value)s has the name of the base unit; give it another name"),
        BARCODE_TWICE: N_("The barcode %(value)s is given twice"),
        BARCODE_TAKEN: N_("The barcode %(value)s belongs to product %(product)s already"),
        BARCODE_PACK: N_("The barcode %(value)s names a pack that this product does not have"),
        CATEGORY_LOOP: N_("A category cannot lie below itself; choose another parent"),
        CATEGORY_IN_USE: N_("The category still has products or categories; move them first"),
        ATTRIBUTE_FORMAT: N_("%(value)s is not an attribute; write one per line as name: value"),
    }
)


def split_packs(text: str) -> tuple[dict[str, Decimal], list[FieldError]]:
    """`箱=10; 托=100` as {name: factor} with the faults found."""
    packs: dict[str, Decimal] = {}
    faults: list[FieldError] = []
    for part in _parts(text):
        name, _, raw = part.replace("＝", "=").partition("=")
        factor = _number(raw)
        if not name.strip() or factor is None or factor <= 0 or not is_valid_qty(factor) or len(name.strip()) > 64:
            faults.append(FieldError("packs", PACK_FORMAT, part[:80]))
        elif name.strip() in packs:
            faults.append(FieldError("packs", PACK_TWICE, name.strip()))
        else:
            packs[name.strip()] = factor
    return packs, faults


def split_barcodes(text: str) -> list[tuple[str, str]]:
    """`6901; 6902=箱` as [(code, pack name or "")]: a barcode of the base unit, or of a pack."""
    found = []
    for part in _parts(text):
        code, _, pack = part.replace("＝", "=").partition("=")
        found.append((code.strip(), pack.strip()))
    return found


def join_packs(packs: Iterable[tuple[str, Decimal]]) -> str:
    """The text that `split_packs` reads."""
    return "; ".join(f"{name}={factor.normalize():f}" for name, factor in packs)


def join_barcodes(barcodes: Iterable[tuple[str, str]]) -> str:
    """The text that `split_barcodes` reads."""
    return "; ".join(f"{code}={pack}" if pack else code for code, pack in barcodes)


def split_attributes(text: str) -> tuple[dict[str, str], list[FieldError]]:
    """Lines `name: value` as a mapping with the faults found."""
    found: dict[str, str] = {}
    faults: list[FieldError] = []
    for line in text.replace("：", ":").splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            faults.append(FieldError("attributes", ATTRIBUTE_FORMAT, line[:80]))
        else:
            found[name.strip()[:64]] = value.strip()[:200]
    return found, faults


def join_attributes(attributes: Mapping[str, Any]) -> str:
    """The text that `split_attributes` reads."""
    return "\n".join(f"{name}: {value}" for name, value in attributes.items())


def check_packs(base_unit: str, packs: Mapping[str, Decimal], barcodes: Sequence[tuple[str, str]]) -> list[FieldError]:
    """What is wrong with packs and barcodes of one product, whatever other products have."""
    faults = [FieldError("packs", PACK_IS_BASE, name) for name in packs if name == base_unit]
    often = Counter(code for code, _pack in barcodes)
    faults += [FieldError("barcodes", BARCODE_TWICE, code) for code, times in often.items() if times > 1]
    faults += [
        FieldError("barcodes", BARCODE_PACK, code)
        for code, pack in barcodes
        if pack and pack != base_unit and pack not in packs
    ]
    return faults


def _parts(text: str) -> list[str]:
    plain = (text or "").replace("；", ";").replace("\n", ";").replace("，", ";")
    return [part.strip() for part in plain.split(";") if part.strip()]


def _number(raw: str) -> Decimal | None:
    try:
        return Decimal(raw.replace(",", "").strip())
    except InvalidOperation:
        return None
