"""Shipments to dealers: made, sent out, signed. Plain functions for the commands of orders, which lock the order first.

Business book: warehouse → transit of the owner → dealer; what is short goes to the owner's claims, what is refused back
to the warehouse. The financial book does not move before the invoice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select

from branches.catalogue.models import Product
from inventory.channel import service as channel
from inventory.shipments import rules, statements
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.shipments.rules import Signed
from inventory.stock import locations
from inventory.stock import service as stock
from inventory.stock.models import BUSINESS
from sdm.kernel import audit, clock, documents
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput

__all__ = ["NewLine", "NewShipment", "Signed", "cancel", "create", "lines_of", "places_of", "plan", "send_out", "sign"]


@dataclass(frozen=True, slots=True)
class NewLine:
    """Goods of a shipment; price, amount (gross) and tax rate are the order line's."""

    product_id: int
    qty: Decimal
    price: Decimal
    amount: Decimal
    tax_rate: Decimal
    order_line_id: int | None = None
    listed_qty: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class NewShipment:
    """A shipment to make. ``unit_id`` sells, ``owner_unit_id`` owns the goods until they are invoiced."""

    unit_id: int
    owner_unit_id: int
    dealer_id: int
    warehouse_id: int
    lines: tuple[NewLine, ...]
    order_id: int | None = None
    ownership: str = "bought"
    planned_on: date | None = None
    expected_on: date | None = None
    ship_to: str = ""
    external_number: str = ""
    note: str = ""
    source: str = "clerk"
    uuid: UUID = field(default_factory=uuid4)


def create(new: NewShipment, order_kind: str = "sales_order") -> int:
    """Make a picked shipment with its lines, linked to its order; answers its id. The order keeps its reservations."""
    shipment = Shipment(
        uuid=new.uuid,
        unit_id=new.unit_id,
        state="picked",
        source=new.source,
        created_by_id=current().user_id,
        order_id=new.order_id,
        dealer_id=new.dealer_id,
        warehouse_id=new.warehouse_id,
        owner_unit_id=new.owner_unit_id,
        ownership=new.ownership,
        planned_on=new.planned_on,
        expected_on=new.expected_on,
        ship_to=new.ship_to,
        external_number=new.external_number,
        note=new.note,
    )
    db.session.add(shipment)
    db.session.flush()
    rows = [_line_row(shipment.id, number, line) for number, line in enumerate(new.lines, start=1)]
    db.session.execute(insert(ShipmentLine), rows)
    if new.order_id is not None:
        documents.link((order_kind, new.order_id), (Shipment.kind, shipment.id))
    audit.write(Shipment.kind, shipment.id, "pick", new.unit_id, {"state": [None, "picked"]})
    return shipment.id


def _line_row(shipment_id: int, number: int, line: NewLine) -> dict[str, Any]:
    return {
        "shipment_id": shipment_id,
        "line_no": number,
        "order_line_id": line.order_line_id,
        "product_id": line.product_id,
        "qty": line.qty,
        "price": line.price,
        "amount": line.amount,
        "tax_rate": line.tax_rate,
        "listed_qty": line.listed_qty,
    }


def lines_of(shipment_id: int) -> Sequence[ShipmentLine]:
    """Lines of a shipment that was found in scope, re-read from the database."""
    statement = select(ShipmentLine).where(ShipmentLine.shipment_id == shipment_id).order_by(ShipmentLine.line_no)
    return db.session.execute(statement.execution_options(populate_existing=True)).scalars().all()


def send_out(
    shipment: Shipment,
    shipped_on: date,
    *,
    carrier: str = "",
    waybill: str = "",
    expected_on: date | None = None,
    consume_from: str = "sales_order",
) -> None:
    """Goods leave: warehouse → transit of the owner, using up the reservations of the order lines first.

    The caller has locked the shipment. Raises IllegalTransition, InvalidInput, InsufficientStock with all shortages.
    """
    documents.require_state(shipment, {"picked"}, "send_out")
    _require(rules.date_faults("shipped_on", shipped_on, clock.today(), None))
    lines = _stocked(lines_of(shipment.id))
    if lines:
        keys = (locations.warehouse_key(_warehouse(shipment)), locations.transit_key(shipment.owner_unit_id))
        places = locations.ensure(keys)
        source, target = (places[key] for key in keys)
        moves = [
            stock.Move(source, target, line.product_id, line.qty, line.id, reserve_line_id=line.order_line_id)
            for line in lines
        ]
        _post(shipment, moves, "shipment", shipped_on, consume_from if shipment.order_id else None)
    shipment.shipped_on, shipment.shipped_at = shipped_on, clock.now()
    shipment.carrier, shipment.waybill = carrier or shipment.carrier, waybill or shipment.waybill
    shipment.expected_on = expected_on or shipment.expected_on
    documents.step(shipment, "send_out", "shipped", shipped_on=shipped_on)


def sign(
    shipment: Shipment, signed: Mapping[int, Signed | tuple[Decimal, Decimal, Decimal]], signed_on: date, signed_by: str
) -> None:
    """The dealer signs: signed goods are his stock, short ones a claim of the owner, refused ones back in stock.

    ``signed``: shipment line id → parts that add up to what was shipped. The caller has locked the shipment.
    Raises IllegalTransition, InvalidInput with every fault.
    """
    documents.require_state(shipment, {"shipped"}, "sign")
    lines = lines_of(shipment.id)
    parts = {key: value if isinstance(value, Signed) else Signed(*value) for key, value in signed.items()}
    shipped = {line.id: line.qty for line in lines}
    faults = rules.signature_faults(shipped, parts)
    faults = faults or rules.billed_faults(shipped, {line.id: line.invoiced_qty for line in lines}, parts)
    _require(faults + rules.date_faults("signed_on", signed_on, clock.today(), shipment.shipped_on))
    stocked = _stocked(lines)
    _post(shipment, _signature_moves(shipment, stocked, parts), "signature", signed_on, None)
    _write_parts(parts)
    channel.receive(shipment.dealer_id, shipment.unit_id, _buckets(shipment, stocked, parts, signed_on))
    shipment.signed_on, shipment.signed_by = signed_on, signed_by
    documents.step(shipment, "sign", "signed", outcome=rules.outcome(list(parts.values())), signed_on=signed_on)


def cancel(shipment: Shipment, reason: str = "") -> None:
    """A picked shipment is not sent after all; the order keeps its reservations. Raises IllegalTransition."""
    documents.require_state(shipment, {"picked"}, "cancel")
    documents.step(shipment, "cancel", "cancelled", reason=reason)


def plan(
    shipment: Shipment,
    *,
    planned_on: date | None = None,
    expected_on: date | None = None,
    carrier: str | None = None,
    waybill: str | None = None,
) -> None:
    """Change the delivery plan while goods are picked or on their way; None leaves a value as it is."""
    documents.require_state(shipment, {"picked", "shipped"}, "plan")
    given = {"planned_on": planned_on, "expected_on": expected_on, "carrier": carrier, "waybill": waybill}
    before = {name: getattr(shipment, name) for name in given}
    for name, value in given.items():
        if value is not None:
            setattr(shipment, name, value)
    changes: dict[str, Any] = audit.changed(before, {name: getattr(shipment, name) for name in given})
    documents.step(shipment, "plan", **changes)


def _require(faults: list[Any]) -> None:
    if faults:
        raise InvalidInput(faults)


def _warehouse(shipment: Shipment) -> int:
    return int(documents.required(shipment.warehouse_id, "warehouse_id"))


def _stocked(lines: Sequence[ShipmentLine]) -> list[ShipmentLine]:
    """Lines of goods; services, postage and fees do not move."""
    ids = {line.product_id for line in lines}
    services = set(
        db.session.execute(select(Product.id).where(Product.id.in_(ids), Product.stocked.is_(False))).scalars()
    )
    return [line for line in lines if line.product_id not in services]


def _post(shipment: Shipment, moves: list[stock.Move], reason: str, day: date, consume_from: str | None) -> None:
    stock.post_moves(
        BUSINESS,
        moves,
        reason=reason,
        occurred_on=day,
        document_kind=Shipment.kind,
        document_id=shipment.id,
        consume_from=consume_from,
    )


def _signature_moves(
    shipment: Shipment, lines: Sequence[ShipmentLine], parts: Mapping[int, Signed]
) -> list[stock.Move]:
    """Moves out of transit for every part that is not zero."""
    transit = locations.transit_key(shipment.owner_unit_id)
    targets = {"signed": locations.dealer_key(shipment.dealer_id)}
    if any(parts[line.id].short for line in lines):
        targets["short"] = locations.claims_key(shipment.owner_unit_id)
    if any(parts[line.id].refused for line in lines):
        targets["refused"] = locations.warehouse_key(_warehouse(shipment))
    places = locations.ensure([transit, *targets.values()])
    return [
        stock.Move(places[transit], places[key], line.product_id, getattr(parts[line.id], name), line.id)
        for line in lines
        for name, key in targets.items()
        if getattr(parts[line.id], name) > 0
    ]


def places_of(shipment: Shipment) -> tuple[list[int], list[int]]:
    """(locations, products) whose balances a signature may change, for callers that change others of them before."""
    keys = [
        locations.transit_key(shipment.owner_unit_id),
        locations.dealer_key(shipment.dealer_id),
        locations.claims_key(shipment.owner_unit_id),
        locations.warehouse_key(_warehouse(shipment)),
    ]
    return sorted(locations.ensure(keys).values()), sorted({line.product_id for line in lines_of(shipment.id)})


def _write_parts(parts: Mapping[int, Signed]) -> None:
    ids = sorted(parts)
    db.session.execute(
        statements.WRITE_SIGNATURE,
        {
            "ids": ids,
            "signed": [parts[line_id].signed for line_id in ids],
            "short": [parts[line_id].short for line_id in ids],
            "refused": [parts[line_id].refused for line_id in ids],
        },
    )


def _buckets(
    shipment: Shipment, lines: Sequence[ShipmentLine], parts: Mapping[int, Signed], signed_on: date
) -> list[channel.Received]:
    return [
        channel.Received(
            line.product_id, parts[line.id].signed, line.price, signed_on, line.id, ownership=shipment.ownership
        )
        for line in lines
        if parts[line.id].signed > 0
    ]
