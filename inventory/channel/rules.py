"""Pure rules of dealers' stock: which buckets are used up first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of one delivery at one dealer."""

    id: int
    product_id: int
    ownership: str
    received_on: date
    source_kind: str
    source_line_id: int | None
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class TakeLine:
    """``qty`` > 0 that a document line takes; of the named delivery line only, where one is given."""

    product_id: int
    qty: Decimal
    line_id: int
    shipment_line_id: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """``qty`` of a bucket used by a document line."""

    bucket_id: int
    line_id: int
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Lack:
    """A line whose buckets do not suffice."""

    line_id: int
    product_id: int
    wanted: Decimal
    available: Decimal


def allocate(buckets: Sequence[Bucket], lines: Sequence[TakeLine]) -> tuple[list[Taken], list[Lack]]:
    """Spread lines over buckets: lines that name a delivery first, then first in, first out.

    Answers what each line takes and every line that lacks something; a lacking line takes nothing.
    """
    left = {bucket.id: bucket.remaining for bucket in buckets}
    oldest = sorted(buckets, key=lambda bucket: (bucket.received_on, bucket.id))
    taken: list[Taken] = []
    lacks: list[Lack] = []
    for line in sorted(lines, key=lambda item: item.shipment_line_id is None):
        fitting = [bucket for bucket in oldest if _fits(bucket, line)]
        available = sum((left[bucket.id] for bucket in fitting), NONE)
        if available < line.qty:
            lacks.append(Lack(line.line_id, line.product_id, line.qty, available))
            continue
        taken.extend(_draw(left, fitting, line))
    return taken, lacks


def _fits(bucket: Bucket, line: TakeLine) -> bool:
    if bucket.product_id != line.product_id:
        return False
    if line.shipment_line_id is None:
        return True
    return bucket.source_kind == "shipment" and bucket.source_line_id == line.shipment_line_id


def _draw(left: dict[int, Decimal], buckets: Sequence[Bucket], line: TakeLine) -> list[Taken]:
    """Draw a line's quantity from buckets in order, lowering what is left of them."""
    wanted, drawn = line.qty, []
    for bucket in buckets:
        part = min(left[bucket.id], wanted)
        if part <= 0:
            continue
        left[bucket.id] -= part
        wanted -= part
        drawn.append(Taken(bucket.id, line.line_id, part))
    return drawn


def give_back(uses: Sequence[Taken], wanted: dict[int, Decimal] | None) -> tuple[list[Taken], list[Lack]]:
    """What goes back to which bucket when uses are undone: newest first, per line at most ``wanted``, all when None.

    ``uses`` are what is still used per bucket and line, in the order of their use.
    """
    left = None if wanted is None else dict(wanted)
    back: list[Taken] = []
    for use in reversed(uses):
        part = use.qty if left is None else min(use.qty, left.get(use.line_id, NONE))
        if part <= 0:
            continue
        if left is not None:
            left[use.line_id] -= part
        back.append(Taken(use.bucket_id, use.line_id, part))
    lacks = [
        Lack(line_id, 0, wanted[line_id], wanted[line_id] - missing)
        for line_id, missing in (left or {}).items()
        if wanted is not None and missing > 0
    ]
    return back, lacks
