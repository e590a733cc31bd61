"""What finance does when a dealer is entered, moved or merged, in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from finance.credit import queries as credit
from finance.credit import service
from finance.credit.models import CreditAccount
from finance.receivables.models import Invoice, OpenItem, ReceivableAdjustment
from finance.receivables.rules import DRAFTING
from sdm.kernel.db import db
from sdm.kernel.errors import N_
from sdm.kernel.scope import whole_network


def dealer_created(dealer_id: int, unit_id: int) -> None:
    """A dealer has a credit account from the start."""
    service.open_account(dealer_id, unit_id)


def dealers_created(pairs: Sequence[tuple[int, int]]) -> None:
    """The same for many dealers [(id, unit)] at once (imports): one statement."""
    if pairs:
        rows = [{"payer_id": dealer_id, "unit_id": unit_id} for dealer_id, unit_id in sorted(pairs)]
        db.session.execute(insert(CreditAccount).on_conflict_do_nothing(), rows)


def dealer_limits(limits: Mapping[int, Decimal | None]) -> None:
    """Set limits {payer: amount} that an import of dealers gives, in the order of payers; none clears to 0."""
    for payer_id in sorted(limits):
        service.import_limit(payer_id, {"limit": limits[payer_id]})


def dealer_limits_of(payer_ids: Collection[int]) -> dict[int, Decimal]:
    """Limits of payers in scope."""
    statement = select(CreditAccount.payer_id, CreditAccount.limit_amount)
    rows = db.session.execute(statement.where(CreditAccount.payer_id.in_(sorted(payer_ids)))) if payer_ids else ()
    return {row.payer_id: row.limit_amount for row in rows}


def dealer_moved(dealer_id: int, unit_id: int) -> None:
    """The account follows the dealer to another branch."""
    table: Any = CreditAccount.__table__
    db.session.execute(update(table).where(table.c.payer_id == dealer_id).values(unit_id=unit_id))


def dealer_obstacles(dealer_id: int) -> list[Any]:
    """Why a dealer cannot be merged away: open money."""
    reasons: list[Any] = []
    with whole_network("open business of a dealer that is merged away"):
        items = (
            select(func.count())
            .select_from(OpenItem)
            .where((OpenItem.payer_id == dealer_id) | (OpenItem.dealer_id == dealer_id), OpenItem.open_amount != 0)
        )
        if db.session.execute(items).scalar_one():
            reasons.append(N_("open items"))
        if credit.headroom(dealer_id).exposure:
            reasons.append(N_("credit exposure"))
        drafts = select(Invoice.id).where(Invoice.dealer_id == dealer_id, Invoice.state.in_(sorted(DRAFTING)))
        asked = select(ReceivableAdjustment.id).where(
            ReceivableAdjustment.dealer_id == dealer_id, ReceivableAdjustment.state == "requested"
        )
        if db.session.execute(drafts.limit(1)).first() or db.session.execute(asked.limit(1)).first():
            reasons.append(N_("applications under way"))
    return reasons
