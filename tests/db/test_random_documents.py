"""Random documents in any order: the books agree to the unit and to the cent, and exposure moves only where it may.

``SDM_TEST_SEEDS`` raises the number of seeds for a long run.
"""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from sqlalchemy import text

from sdm.kernel.db import db
from tests import proof, steps

pytestmark = pytest.mark.timeout(300)
SEEDS = int(os.environ.get("SDM_TEST_SEEDS", "6"))
# Design 3.3: these only move amounts between buckets, or do not touch credit at all.
NEUTRAL = {
    "pick", "unpick", "send_out", "ask_back", "decide_back", "bill", "examine", "reverse_invoice", "allocate",
    "allocate_by_hand", "undo", "limit", "receive_goods", "reverse_goods",
}  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_documents_keep_the_books(session: object, seed: int) -> None:
    player = steps.Player(steps.company(), seed)
    player.play(60)
    assert player.defects == []
    assert proof.faults() == []


@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_steps_that_only_move_amounts_leave_every_exposure_as_it_is(session: object, seed: int) -> None:
    """Prices do not divide evenly, so billing in parts may reprice a line by a cent."""
    player = steps.Player(steps.company(modes=("term", "term", "consignment")), seed)
    seen: dict[int, Decimal] = {}
    moved: list[str] = []

    def watch(name: str, moment: str) -> None:
        now = exposures()
        if moment == "after" and name in NEUTRAL:
            moved.extend(
                f"{name}: {seen[payer]} -> {now[payer]}"
                for payer in now
                if abs(now[payer] - seen[payer]) > Decimal("0.05")
            )
        seen.update(now)

    player.play(60, watch)
    assert player.defects == []
    assert moved == []
    assert NEUTRAL & set(player.done)


def exposures() -> dict[int, Decimal]:
    """Exposure per payer, all buckets counted."""
    rows = db.session.execute(
        text("SELECT payer_id, open_orders + shipped + consigned + items + acceptances - receipts FROM credit_account")
    )
    return {row[0]: row[1] for row in rows}


CORRUPTIONS = {
    "a balance differs": "UPDATE stock_balance SET on_hand = on_hand + 1 WHERE guarded",
    "reserved differs": "UPDATE stock_balance SET reserved = on_hand WHERE guarded",
    "exposure of payer": "UPDATE credit_account SET shipped = shipped + 0.01",
    "an open amount differs": "UPDATE open_item SET open_amount = amount - sign(amount) WHERE open_amount = amount",
    "an order line's counters": "UPDATE sales_order_line SET signed_qty = signed_qty + 1",
    "billed quantities": "UPDATE shipment_line SET invoiced_qty = 0 WHERE invoiced_qty > 0",
    "a gapless series": "UPDATE receipt SET legal_number = legal_number || '7'",
    "a carrying value": "UPDATE stock_value SET value = value + 1",
    "a dealer's goods": "UPDATE stock_bucket SET remaining_qty = 0 WHERE remaining_qty > 0",
    "held without a hold": "UPDATE sales_order SET state = 'held' WHERE state = 'confirmed'",
}


def test_the_proof_itself_finds_a_corrupted_row_of_every_kind(session: object) -> None:
    player = steps.Player(steps.company(), 3)
    for _ in range(12):
        if all(_would_change(sql) for sql in CORRUPTIONS.values()):
            break
        player.play(10)
        for name in ("submit", "pick", "send_out", "sign", "bill", "examine", "pay", "submit"):
            player.take(name)
    assert proof.faults() == []
    for sign, sql in CORRUPTIONS.items():
        with db.session.begin_nested() as undone:
            assert db.session.execute(text(sql)).rowcount, f"nothing to corrupt for: {sign}"
            found = [fault for fault in _asked() if sign in fault]
            undone.rollback()
        assert found, f"not found: {sign}"


def _would_change(sql: str) -> bool:
    """Whether there are rows that a corruption would change."""
    with db.session.begin_nested() as undone:
        changed = db.session.execute(text(sql)).rowcount > 0
        undone.rollback()
    return changed


def _asked() -> list[str]:
    """The questions without the rollback that precedes them."""
    rows = [f"{name}: {dict(row)}" for name, sql in proof.QUESTIONS.items() for row in proof._rows(sql)]
    return [*rows, *proof.wrong_exposures()]
