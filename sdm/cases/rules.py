"""Who may handle a work item, and which steps it can take. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sdm.kernel.actor import Actor
from sdm.kernel.errors import N_, describe

OPEN = frozenset({"open", "acknowledged"})
LEVELS = ("office", "branch", "region", "head_office")

describe(
    {
        "case.not_yours": N_("This work item waits for somebody else"),
        "case.done": N_("This work item is %(state)s; nothing is left to do"),
        "case.result": N_("%(value)s is no result of this work item; choose one of: %(choices)s"),
        "case.comment": N_("Say why: this result needs a comment"),
        "case.unknown_kind": N_("Nobody handles work items of the kind %(value)s"),
    }
)


@dataclass(frozen=True, slots=True)
class Addressee:
    """To whom a work item is addressed: a user, or everyone with a permission over a unit."""

    handler_id: int | None
    permission: str
    unit_id: int


@dataclass(frozen=True, slots=True)
class RouteStep:
    """From ``amount_from`` on (gross) a document stops at ``permission`` of the unit at ``unit_level``."""

    amount_from: Decimal
    permission: str
    unit_level: str


def may_handle(actor: Actor, addressee: Addressee) -> bool:
    """Whether the actor is the addressed user or has the permission over the addressed unit."""
    if addressee.handler_id is not None and addressee.handler_id == actor.user_id:
        return True
    if not addressee.permission:
        return False
    return actor.can(addressee.permission) and actor.scope.has_unit(addressee.unit_id)


def step_for(steps: Iterable[RouteStep], amount: Decimal) -> RouteStep | None:
    """The step with the largest ``amount_from`` that the amount reaches; None below all of them."""
    reached = [step for step in steps if amount >= step.amount_from]
    return max(reached, key=lambda step: step.amount_from) if reached else None
