"""Steps of a shipment that pages and API run. A shipment of an order is moved by orders, through hooks of that name.

Orders lie above this package: ``shipment.send_out``, ``shipment.sign`` and ``shipment.cancel`` get the arguments of the
functions below, lock the order first, call :mod:`inventory.shipments.service` and keep order and credit in step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from inventory.shipments import service
from inventory.shipments.models import Shipment
from inventory.shipments.rules import Signed
from sdm.kernel import documents, hooks
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission


@command(Permission.SHIPMENT_POST)
def send_out(
    shipment_id: int,
    *,
    version: int | None = None,
    shipped_on: date,
    carrier: str = "",
    waybill: str = "",
    expected_on: date | None = None,
) -> DocumentRef:
    """Send a picked shipment. Raises NotFound, StaleVersion, IllegalTransition, InvalidInput, InsufficientStock."""
    values: dict[str, Any] = {"carrier": carrier, "waybill": waybill, "expected_on": expected_on}
    return _run(
        "shipment.send_out",
        lambda shipment: service.send_out(shipment, shipped_on, **values),
        shipment_id,
        version,
        shipped_on=shipped_on,
        **values,
    )


@command(Permission.SHIPMENT_SIGN)
def sign(
    shipment_id: int,
    *,
    version: int | None = None,
    signed: Mapping[int, Signed],
    signed_on: date,
    signed_by: str,
    reopen: bool = True,
) -> DocumentRef:
    """Enter the dealer's signature; ``reopen``: orders deliver again what did not arrive.

    Raises NotFound, StaleVersion, IllegalTransition, InvalidInput with every fault.
    """
    return _run(
        "shipment.sign",
        lambda shipment: service.sign(shipment, signed, signed_on, signed_by),
        shipment_id,
        version,
        signed=signed,
        signed_on=signed_on,
        signed_by=signed_by,
        reopen=reopen,
    )


@command(Permission.SHIPMENT_POST)
def cancel(shipment_id: int, *, version: int | None = None, reason: str = "") -> DocumentRef:
    """Give up a picked shipment. Raises NotFound, StaleVersion, IllegalTransition."""
    return _run(
        "shipment.cancel", lambda shipment: service.cancel(shipment, reason), shipment_id, version, reason=reason
    )


@command(Permission.SHIPMENT_POST)
def plan(shipment_id: int, *, version: int | None = None, **values: Any) -> DocumentRef:
    """Change planned day, expected day, carrier or waybill; what is None stays as it is."""
    shipment: Shipment = documents.lock(Shipment, shipment_id, version)
    service.plan(shipment, **values)
    db.session.flush()
    return shipment.ref()


def _run(
    name: str, step: Callable[[Shipment], None], shipment_id: int, version: int | None, **values: Any
) -> DocumentRef:
    """Let orders take the step for a shipment of theirs, else take it here."""
    if documents.get(Shipment, shipment_id).order_id is not None:
        answers = hooks.call(name, shipment_id, version=version, **values)
        if answers:
            db.session.flush()
            return _fresh(shipment_id)
    shipment: Shipment = documents.lock(Shipment, shipment_id, version)
    step(shipment)
    db.session.flush()
    return _fresh(shipment_id)


def _fresh(shipment_id: int) -> DocumentRef:
    ref: DocumentRef = documents.get(Shipment, shipment_id).ref()
    return ref
