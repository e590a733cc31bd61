"""Organisation, people, sign-ins, goods, prices, dealers of the demo company, entered as sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import Range

from branches.catalogue import service as catalogue
from branches.catalogue import statements as catalogue_statements
from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from branches.org import dealers_rules, dealers_service
from branches.org import service as org_service
from branches.org.models import Dealer, DealerContact, DealerGrade, DealerParent, LegalEntity, Person, Unit, Warehouse
from branches.pricing.models import DiscountAuthority, ListPrice, PriceList, SupplyPrice
from sdm.auth import passwords
from sdm.auth import service as auth
from sdm.auth.models import Role, User, UserRole, UserWarehouse
from sdm.cases.models import ApprovalRoute
from sdm.intake.demo import goods, names
from sdm.intake.statements import masters as statements
from sdm.kernel import clock, pinyin
from sdm.kernel.command import command
from sdm.kernel.db import db

PASSWORD = "yunling-demo-2026"  # noqa: S105 - the demo's only, shown on its sign-in page
HOME_BRANCH = "GD"
DEALERS = 600
PRICES_FROM_DAYS = 430
GRADES = (
    ("A", "A 级（核心）", "Grade A (key)", 1),
    ("B", "B 级（重点）", "Grade B", 2),
    ("C", "C 级（一般）", "Grade C", 3),
)
# login, role, words on the sign-in page, at the branch shown or at head office
SIGN_INS = (
    ("clerk", "clerk", "业务员", True), ("store", "storekeeper", "仓管员", True),
    ("manager", "branch_manager", "分公司经理", True), ("cashier", "branch_finance", "分公司财务", True),
    ("finance", "finance", "总部财务", False), ("boss", "executive", "总经理", False),
    ("admin", "administrator", "管理员", False), ("auditor", "auditor", "审计员", False),
)  # fmt: skip
STAFF = (("manager", "branch_manager", "经理"), ("clerk", "clerk", "业务员"), ("store", "storekeeper", "仓管员"),
         ("cashier", "branch_finance", "会计"))  # fmt: skip


@dataclass(slots=True)
class World:
    """Ids while the masters are made."""

    random: Random
    entity: int = 0
    head_office: int = 0
    branches: dict[str, int] = field(default_factory=dict)
    regions: dict[str, int] = field(default_factory=dict)
    offices: dict[tuple[str, str], int] = field(default_factory=dict)
    people: dict[tuple[int, str], int] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)


def _insert(model: Any, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows in one statement; their ids in the given order."""
    made = db.session.execute(insert(model).returning(model.id, sort_by_parameter_order=True), list(rows))
    return list(made.scalars())


@command(None)
def make() -> None:
    """All master data in one transaction."""
    world = World(Random(20_260_101))  # noqa: S311 - the same on every load
    _units(world)
    _people(world)
    _users(world)
    _warehouses(world)
    _products(world)
    _dealers(world)
    _rules()
    org_service.touch_access()


# --- organisation -----------------------------------------------------------------------------------------------------


def _units(world: World) -> None:
    world.entity = _insert(LegalEntity, [{
        "code": "YL", "name": names.COMPANY, "tax_no": "91440000YLDEMO0001", "address": "广东省佛山市顺德区云岭路 1 号",
        "phone": "0757-20000000", "bank_name": "云岭支行", "bank_account": "4400 0000 0000 0001",
    }])[0]  # fmt: skip
    world.head_office = _unit("HQ", names.HEAD_OFFICE, "Head office", "head_office", None, legal_entity_id=world.entity,
                              province="广东省", city="佛山市")  # fmt: skip
    for region in names.REGIONS:
        parent = _unit(region.code, region.name, region.english, "region", world.head_office)
        world.regions[region.code] = parent
        for place in region.places:
            branch = _unit(place.code, f"{place.short}分公司", f"{place.english} branch", "branch", parent,
                           province=place.province, city=place.cities[0])  # fmt: skip
            world.branches[place.code] = branch
            for number, city in enumerate(place.offices, start=1):
                world.offices[place.code, city] = _unit(
                    f"{place.code}-{number}", f"{names.town(city)}办事处", f"{place.english} office {number}", "office",
                    branch, province=place.province, city=city,
                )  # fmt: skip


def _unit(code: str, name: str, english: str, kind: str, parent: int | None, **more: Any) -> int:
    row = Unit(code=code, name=name, name_en=english, kind=kind, parent_id=parent, pinyin=pinyin.initials(name), **more)
    db.session.add(row)
    db.session.flush()
    above = db.session.get(Unit, parent).path if parent else []  # type: ignore[union-attr]
    row.path = [*above, row.id]
    return row.id


def _people(world: World) -> None:
    wanted = [(world.head_office, login, title) for login, _role, title, here in SIGN_INS if not here]
    wanted += [(unit, "head", "大区总监") for unit in world.regions.values()]
    wanted += [(unit, key, title) for unit in world.branches.values() for key, _role, title in STAFF]
    wanted += [(unit, key, title) for unit in world.offices.values() for key, _role, title in STAFF[:3]]
    rows = []
    for number, (unit, _key, title) in enumerate(wanted, start=1):
        name = names.person(world.random)
        rows.append({
            "code": f"P{number:04d}", "name": name, "pinyin": pinyin.initials(name), "unit_id": unit, "job_title": title,
            "phone": f"199{world.random.randrange(10**8):08d}",
        })  # fmt: skip
    ids = _insert(Person, rows)
    world.people = {(unit, key): person for (unit, key, _title), person in zip(wanted, ids, strict=True)}
    for (unit, key), person in world.people.items():
        if key in {"manager", "head"} or (unit == world.head_office and key == "boss"):
            deputy = world.people.get((unit, "clerk"))
            db.session.execute(update(Unit).where(Unit.id == unit).values(manager_id=person, deputy_id=deputy))


def _users(world: World) -> None:
    auth.ensure_roles()
    roles = {row.code: row.id for row in db.session.execute(select(Role.code, Role.id))}
    secret = passwords.hashed(PASSWORD)
    home = world.branches[HOME_BRANCH]
    wanted = [(login, role, home if here else world.head_office, secret) for login, role, _title, here in SIGN_INS]
    for code, unit in world.branches.items():
        if code != HOME_BRANCH:
            wanted += [(f"{code.lower()}-{key}", role, unit, "") for key, role, _title in STAFF]
    keys = {"clerk": "clerk", "store": "store", "manager": "manager", "cashier": "cashier"}
    rows = []
    for login, _role, unit, hashed in wanted:
        person = world.people.get((unit, keys.get(login.rsplit("-", 1)[-1], login)))
        name = db.session.get(Person, person).name if person else login  # type: ignore[union-attr]
        rows.append({"login": login, "name": name, "person_id": person, "unit_id": unit, "password_hash": hashed})
    ids = _insert(User, rows)
    _insert(UserRole, [
        {"user_id": user, "role_id": roles[role], "unit_id": unit}
        for user, (_login, role, unit, _hash) in zip(ids, wanted, strict=True)
    ])  # fmt: skip


def _warehouses(world: World) -> None:
    rows = [_warehouse("W-HQ", "佛山中心库", "Central warehouse", world.head_office, "广东省", "佛山市", None)]
    for region in names.REGIONS:
        for place in region.places:
            unit = world.branches[place.code]
            keeper = world.people.get((unit, "store"))
            town = names.town(place.cities[0])
            rows.append(_warehouse(f"W-{place.code}", f"{town}仓", f"{place.english} warehouse", unit, place.province,
                                   place.cities[0], keeper))  # fmt: skip
            for number, city in enumerate(place.offices, start=1):
                office = world.offices[place.code, city]
                rows.append(_warehouse(f"W-{place.code}-{number}", f"{names.town(city)}仓",
                                       f"{place.english} warehouse {number}", office, place.province, city,
                                       world.people.get((office, "store"))))  # fmt: skip
    ids = dict(zip([row["code"] for row in rows], _insert(Warehouse, rows), strict=True))
    home = [ids[f"W-{HOME_BRANCH}"]]
    keeper_user = db.session.execute(select(User.id).where(User.login == "store")).scalar_one()
    db.session.execute(insert(UserWarehouse), [{"user_id": keeper_user, "warehouse_id": w} for w in home])


def _warehouse(
    code: str, name: str, english: str, unit: int, *place: Any
) -> dict[str, Any]:  # place: province, city, keeper
    province, city, keeper = place
    return {
        "code": code, "name": name, "name_en": english, "pinyin": pinyin.initials(name), "unit_id": unit,
        "province": province, "city": city, "keeper_id": keeper, "lead_days": 3,
    }  # fmt: skip


# --- goods and prices -------------------------------------------------------------------------------------------------


def _products(world: World) -> None:
    roots = _insert(ProductCategory, [
        {"code": code, "name": name, "name_en": english, "position": n}
        for n, (code, name, english) in enumerate(goods.ROOTS)
    ])  # fmt: skip
    world.categories = dict(zip([root[0] for root in goods.ROOTS], roots, strict=True))
    leaves = _insert(ProductCategory, [
        {"code": f.code, "name": f.name, "name_en": f.english, "parent_id": world.categories[f.parent], "position": n}
        for n, f in enumerate(goods.FAMILIES)
    ])  # fmt: skip
    world.categories |= dict(zip([family.code for family in goods.FAMILIES], leaves, strict=True))
    db.session.execute(catalogue_statements.REBUILD_PATHS)
    models = list(goods.models(world.random))
    ids = _insert(
        Product, [*(_product(world, model) for model in models), *(_service(world, s) for s in goods.SERVICES)]
    )
    db.session.execute(insert(Barcode), [
        {"code": model.barcode, "product_id": product} for model, product in zip(models, ids, strict=False)
    ])  # fmt: skip
    packs = [
        {"product_id": product, "name": "箱", "factor": model.family.pack}
        for model, product in zip(models, ids, strict=False)
        if model.family.pack
    ]
    db.session.execute(insert(ProductPack), packs)
    catalogue.refresh_search(ids)
    _prices(world, models, ids)


def _product(world: World, model: goods.Model) -> dict[str, Any]:
    return {
        "code": model.code, "name": model.name, "name_en": model.english, "category_id": world.categories[model.family.code],
        "brand": model.brand, "specification": model.specification, "base_unit": "台", "tax_rate": Decimal("0.13"),
        "stocked": True, "list_price": model.price,
    }  # fmt: skip


def _service(world: World, service: tuple[str, str, str, str]) -> dict[str, Any]:
    code, name, english, price = service
    return {
        "code": code, "name": name, "name_en": english, "category_id": world.categories["SERVICE"], "brand": "",
        "specification": "", "base_unit": "次", "tax_rate": Decimal("0.06"), "stocked": False, "list_price": Decimal(price),
    }  # fmt: skip


def _prices(world: World, models: list[goods.Model], ids: list[int]) -> None:
    """Lists for everyone, two grades and a far region; supply prices of a fifth fell half a year ago."""
    db.session.execute(insert(DealerGrade), [
        {"code": code, "name": name, "name_en": english, "rank": rank} for code, name, english, rank in GRADES
    ])  # fmt: skip
    today = clock.today()
    start, change = today - timedelta(days=PRICES_FROM_DAYS), today - timedelta(days=182)
    lists = _insert(PriceList, [
        {"code": "ALL", "name": "全国目录价", "name_en": "List price", "target": "all", "grade_code": None},
        {"code": "GRADE-A", "name": "A 级价", "name_en": "Grade A", "target": "grade", "grade_code": "A"},
        {"code": "GRADE-B", "name": "B 级价", "name_en": "Grade B", "target": "grade", "grade_code": "B"},
    ])  # fmt: skip
    far = _insert(PriceList, [{
        "code": "FAR-NW", "name": "西北运费加价", "name_en": "Northwest freight", "target": "unit",
        "unit_id": world.regions["R7"],
    }])[0]  # fmt: skip
    rates = {lists[0]: Decimal(1), lists[1]: Decimal("0.92"), lists[2]: Decimal("0.96"), far: Decimal("1.02")}
    rows, supply = [], []
    for model, product in zip(models, ids, strict=False):
        rows += [_price(listed, product, model.price * rate, start) for listed, rate in rates.items()]
        rows.append(_price(lists[0], product, model.price * Decimal("0.97"), start, 50))
        supply += _supply(world, product, model.supply, start, change)
    for service, product in zip(goods.SERVICES, ids[len(models) :], strict=True):
        rows.append(_price(lists[0], product, Decimal(service[3]), start))
    db.session.execute(insert(ListPrice), rows)
    db.session.execute(insert(SupplyPrice), supply)


def _price(listed: int, product: int, price: Decimal, start: date, qty_from: int = 0) -> dict[str, Any]:
    price = price.quantize(Decimal("0.01"))
    floor = (price * Decimal("0.88")).quantize(Decimal("0.01"))
    return {"list_id": listed, "product_id": product, "qty_from": qty_from, "price": price, "floor_price": floor,
            "valid": Range(start, None, bounds="[)")}  # fmt: skip


def _supply(world: World, product: int, price: Decimal, start: date, change: date) -> list[dict[str, Any]]:
    if world.random.random() < 0.8:
        return [{"product_id": product, "price": price, "valid": Range(start, None, bounds="[)")}]
    lower = (price * Decimal("0.95")).quantize(Decimal("0.01"))
    return [
        {"product_id": product, "price": price, "valid": Range(start, change, bounds="[)")},
        {"product_id": product, "price": lower, "valid": Range(change, None, bounds="[)")},
    ]


# --- dealers ----------------------------------------------------------------------------------------------------------


def _dealers(world: World) -> None:
    places = [place for region in names.REGIONS for place in region.places]
    whole = sum(place.weight for place in places)
    taken: set[str] = set()
    rows = []
    for place in places:
        for number in range(max(3, round(DEALERS * place.weight / whole))):
            rows.append(_dealer(world, place, number, taken))
    ids = _insert(Dealer, rows)
    db.session.execute(insert(DealerParent), [
        {"dealer_id": dealer, "parent_dealer_id": None, "valid_from": dealers_rules.FIRST_DAY} for dealer in ids
    ])  # fmt: skip
    db.session.execute(insert(DealerContact), [
        {"dealer_id": dealer, "name": names.person(world.random), "job_title": "经理", "phone": row["phone"], "ship_to": True,
         "address": row["address"]} for dealer, row in zip(ids, rows, strict=True)
    ])  # fmt: skip
    db.session.execute(statements.OPEN_ACCOUNTS, {"ids": ids})
    dealers_service.refresh_search(ids)


def _dealer(world: World, place: names.Place, number: int, taken: set[str]) -> dict[str, Any]:
    random = world.random
    city = place.cities[number % len(place.cities)]
    name = names.dealer(random, city, taken)
    grade = random.choices("ABC", weights=(2, 4, 6))[0]
    prepaid = random.random() < 0.12
    unit = world.offices.get((place.code, city), world.branches[place.code])
    return {
        "code": f"{place.code}{number + 1:03d}", "name": name, "short_name": name[:6], "unit_id": unit, "grade_code": grade,
        "channel": random.choice(("retail", "wholesale", "online")), "settlement_mode": "prepaid" if prepaid else "term",
        "term_days": 0 if prepaid else random.choice((30, 30, 45, 60)), "status": "active",
        "tax_no": f"91{random.randrange(10**15):015d}X", "invoice_name": name, "province": place.province, "city": city,
        "address": f"{place.province}{city}{random.choice(names.STREETS)}路 {random.randrange(1, 400)} 号",
        "phone": f"199{random.randrange(10**8):08d}", "bank_name": f"{names.town(city)}城关支行",
        "bank_account": f"{random.randrange(10**16):016d}",
        "manager_id": world.people.get((unit, "clerk")),
    }  # fmt: skip


def _rules() -> None:
    """Who may give how much discount, and which amounts stop at whom, where nothing is set yet."""
    if not db.session.execute(select(DiscountAuthority.role_code).limit(1)).first():
        db.session.execute(insert(DiscountAuthority), [
            {"role_code": "clerk", "discount_rate": Decimal("0.03")},
            {"role_code": "branch_manager", "discount_rate": Decimal("0.08")},
            {"role_code": "executive", "discount_rate": Decimal("0.20")},
        ])  # fmt: skip
    if not db.session.execute(select(ApprovalRoute.id).limit(1)).first():
        db.session.execute(insert(ApprovalRoute), [
            {"kind": "sales_order", "amount_from": Decimal(80_000), "permission": "order:release_amount",
             "unit_level": "branch"},
            {"kind": "sales_order", "amount_from": Decimal(500_000), "permission": "order:release_amount",
             "unit_level": "head_office"},
        ])  # fmt: skip
