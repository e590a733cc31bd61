"""Which unit may stand below which. Pure."""

from __future__ import annotations

PARENT_KINDS: dict[str, frozenset[str]] = {
    "head_office": frozenset(),
    "region": frozenset({"head_office"}),
    "branch": frozenset({"head_office", "region"}),
    "office": frozenset({"branch"}),
}
LEVELS = ("office", "branch", "region", "head_office")


def may_stand_below(kind: str, parent_kind: str | None) -> bool:
    """Whether a unit of this kind may have a parent of that kind (None: no parent, the head office only)."""
    allowed = PARENT_KINDS[kind]
    return parent_kind in allowed if allowed else parent_kind is None
