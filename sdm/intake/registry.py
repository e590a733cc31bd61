"""The registry of import sheets; ``sdm.app.wiring`` fills it."""

from __future__ import annotations

from collections.abc import Iterable

from sdm.kernel.errors import NotFound
from sdm.kernel.sheets import ImportSheet

_sheets: dict[str, ImportSheet] = {}


def register(sheets: Iterable[ImportSheet]) -> None:
    """Add sheets; the same code again replaces the earlier one."""
    for sheet in sheets:
        _sheets[sheet.code] = sheet


def registered() -> list[ImportSheet]:
    """All sheets in the order in which a company is set up."""
    return sorted(_sheets.values(), key=lambda sheet: (sheet.order, sheet.code))


def sheet(code: str) -> ImportSheet:
    """A sheet by its code, or NotFound."""
    if code not in _sheets:
        raise NotFound("not_found", kind="sheet", id=code)
    return _sheets[code]
