"""Goods of the made-up company: a tree of appliances and some 300 models with packs, barcodes and prices. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

BRANDS = ("云岭", "澜洁", "暖川")


@dataclass(frozen=True, slots=True)
class Family:
    """A class of goods: code, name, code and range of its models, price range, pack of small ones, months it sells best."""

    code: str
    name: str
    english: str
    parent: str
    model: str
    sizes: tuple[int, ...]
    unit: str
    low: int
    high: int
    count: int
    pack: int = 0
    season: tuple[int, ...] = ()


ROOTS = (
    ("BIG", "大家电", "Major appliances"), ("KITCHEN", "厨房电器", "Kitchen appliances"),
    ("SMALL", "小家电", "Small appliances"), ("SERVICE", "服务", "Services"),
)  # fmt: skip
FAMILIES = (
    Family("FRIDGE", "冰箱", "Refrigerators", "BIG", "BCD-{}W", (186, 215, 268, 320, 418, 452, 510, 601), "升", 1299, 8999, 36),
    Family("FREEZER", "冷柜", "Freezers", "BIG", "BD-{}", (102, 145, 203, 272, 318), "升", 899, 3299, 15),
    Family("WASHER", "洗衣机", "Washing machines", "BIG", "XQG{}", (70, 80, 90, 100, 120), "×0.1公斤", 999, 5999, 34),
    Family("DRYER", "干衣机", "Dryers", "BIG", "GYJ{}", (80, 90, 100), "×0.1公斤", 2499, 6999, 9),
    Family("AIRCON", "空调", "Air conditioners", "BIG", "KFR-{}GW", (26, 35, 50, 72, 120), "×100瓦", 1899, 9999, 40,
           season=(5, 6, 7, 8)),
    Family("TV", "电视", "Televisions", "BIG", "LED{}U", (32, 43, 50, 55, 65, 75, 85), "英寸", 899, 12999, 34,
           season=(1, 11, 12)),
    Family("HOOD", "油烟机", "Range hoods", "KITCHEN", "CXW-{}", (200, 220, 258, 268), "瓦", 999, 4599, 18),
    Family("STOVE", "燃气灶", "Gas stoves", "KITCHEN", "JZT-{}", (4, 5), "千瓦", 499, 2999, 14),
    Family("HEATER", "热水器", "Water heaters", "KITCHEN", "JSQ{}", (20, 24, 27, 32), "千瓦", 899, 4999, 22,
           season=(10, 11, 12)),
    Family("DISH", "洗碗机", "Dishwashers", "KITCHEN", "WQP{}", (8, 13, 16), "套", 2999, 7999, 9),
    Family("MICRO", "微波炉", "Microwave ovens", "SMALL", "G{}", (20, 23, 25), "升", 299, 1299, 14, pack=2),
    Family("RICE", "电饭煲", "Rice cookers", "SMALL", "FB{}", (3, 4, 5), "升", 159, 999, 18, pack=4),
    Family("FAN", "电风扇", "Fans", "SMALL", "FS{}", (30, 40, 45), "厘米", 99, 699, 12, pack=6, season=(5, 6, 7)),
    Family("VACUUM", "吸尘器", "Vacuum cleaners", "SMALL", "VC{}", (15, 20, 25), "千帕", 399, 2999, 14, pack=4),
    Family("WARM", "电暖器", "Room heaters", "SMALL", "NS{}", (15, 20, 22), "×100瓦", 149, 899, 10, pack=4,
           season=(11, 12, 1)),
)  # fmt: skip
SERVICES = (("SV-INSTALL", "安装服务", "Installation", "150"), ("SV-FREIGHT", "加急运费", "Express freight", "80"))


@dataclass(frozen=True, slots=True)
class Model:
    """One product."""

    code: str
    name: str
    english: str
    family: Family
    brand: str
    specification: str
    price: Decimal
    supply: Decimal
    barcode: str


def models(random: Random) -> Iterator[Model]:
    """All stocked models. Prices end in 9 and grow with size; supply price is net."""
    serial = 0
    for family in FAMILIES:
        for number in range(family.count):
            serial += 1
            size = family.sizes[number % len(family.sizes)]
            yield _model(random, family, number, size, serial)


def _model(random: Random, family: Family, number: int, size: int, serial: int) -> Model:
    brand = BRANDS[number % 3]
    share = family.sizes.index(size) / max(len(family.sizes) - 1, 1)
    rough = family.low + (family.high - family.low) * (0.75 * share + 0.25 * random.random())
    price = Decimal(int(rough / 10) * 10 + 9)
    code = f"{family.model.format(size)}{'ABCDEFGHJK'[number // len(family.sizes) % 10]}{number % 9 + 1}"
    supply = (price / Decimal("1.13") * Decimal(random.randint(66, 76)) / 100).quantize(Decimal("0.01"))
    name = f"{brand}{family.name} {code}"
    return Model(
        code, name, f"{family.english[:-1]} {code}", family, brand, f"{size}{family.unit}", price, supply, ean(serial)
    )


def ean(serial: int) -> str:
    """A 13-digit barcode of the range that is kept for use inside a company."""
    digits = f"20{serial:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
