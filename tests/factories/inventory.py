"""Stock for tests: a small network of units, warehouses, dealers and products, and goods in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count

from sqlalchemy import select

from branches.catalogue.models import Product, ProductCategory
from branches.org.models import Dealer, DealerGrade, LegalEntity, Unit, Warehouse
from inventory.stock import locations
from inventory.stock.models import BUSINESS, FINANCIAL
from inventory.stock.service import Move, post_moves
from sdm.kernel import command
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.scope import Scope

_serial = count(1)
DAY = date(2026, 3, 2)


@dataclass(slots=True)
class Network:
    """Ids of a head office with branches; ``warehouses[i]`` and ``dealers[i]`` belong to ``units[i]``."""

    head_office: int
    units: list[int]
    warehouses: list[int]
    dealers: list[int]
    products: list[int]


def network(units: int = 1, products: int = 3) -> Network:
    """A head office with branches, each with one warehouse and one dealer, and some products; committed."""
    with use_actor(system_actor("test")):
        return _network(units, products)


@command.command(None)
def _network(units: int, products: int) -> Network:
    n = next(_serial)
    entity = LegalEntity(code=f"LE{n}", name="东方电器有限公司")
    grade = f"G{n}"
    db.session.add_all([entity, DealerGrade(code=grade, name="甲")])
    db.session.flush()
    head = db.session.execute(select(Unit).where(Unit.kind == "head_office")).scalar_one_or_none()
    if head is None:
        head = Unit(code=f"HQ{n}", name="总部", kind="head_office", path=[], legal_entity_id=entity.id)
        db.session.add(head)
        db.session.flush()
        head.path = [head.id]
    branches = [
        Unit(code=f"B{n}-{i}", name=f"分公司{i}", kind="branch", parent_id=head.id, path=[]) for i in range(units)
    ]
    db.session.add_all(branches)
    db.session.flush()
    for branch in branches:
        branch.path = [head.id, branch.id]
    warehouses = [Warehouse(code=f"W{n}-{b.id}", name=f"{b.name}仓", unit_id=b.id) for b in branches]
    dealers = [Dealer(code=f"D{n}-{b.id}", name=f"{b.name}商贸", unit_id=b.id, grade_code=grade) for b in branches]
    category = ProductCategory(code=f"C{n}", name="冰箱")
    db.session.add_all([*warehouses, *dealers, category])
    db.session.flush()
    goods = [Product(code=f"P{n}-{i}", name=f"冰箱{i}", category_id=category.id) for i in range(products)]
    db.session.add_all(goods)
    db.session.flush()
    return Network(
        head.id,
        [unit.id for unit in branches],
        [warehouse.id for warehouse in warehouses],
        [dealer.id for dealer in dealers],
        [product.id for product in goods],
    )


def clerk(unit_ids: Sequence[int], *permissions: str, user_id: int = 7) -> Actor:
    """Somebody of these units with every permission, or those given."""
    return Actor(
        user_id=user_id,
        name="仓管员",
        permissions=frozenset(permissions),
        scope=Scope(units=frozenset(unit_ids)),
        unit_id=unit_ids[0],
        all_permissions=not permissions,
    )


@command.command(None)
def put_in(warehouse_id: int, goods: dict[int, Decimal], *, unit_id: int, on: date = DAY) -> None:
    """Goods appear in a warehouse in both books (product id → quantity)."""
    place = locations.warehouse(warehouse_id)
    facts = {"reason": "goods_receipt", "occurred_on": on, "document_kind": "test", "document_id": 1}
    supplier = locations.outside(BUSINESS, "supplier")
    post_moves(BUSINESS, [Move(supplier, place, key, qty) for key, qty in goods.items()], **facts)
    outside, owner = locations.outside(FINANCIAL), locations.owner(unit_id)
    post_moves(FINANCIAL, [Move(outside, owner, key, qty) for key, qty in goods.items()], **facts)


def sign_in(monkeypatch, app, actor: Actor) -> None:
    """Let every request of this test come from the actor, without form tokens."""
    from sdm.auth import identity
    from sdm.kernel import frame

    class Known:
        @staticmethod
        def _get_current_object():
            return identity.SignedInUser(actor)

    monkeypatch.setattr(identity, "current_user", Known)
    monkeypatch.setattr(frame, "_unit_provider", None)
    monkeypatch.setattr("sdm.app.security.csrf.protect", lambda: None)
