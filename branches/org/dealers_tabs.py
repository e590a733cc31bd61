"""What other packages show on a dealer's page: tabs and figures. Filled by `sdm.cockpit`, printed by the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sdm.kernel.frame import may, url_or_none


@dataclass(frozen=True, slots=True)
class DealerTab:
    """A tab of the dealer's page: `endpoint` takes the dealer as `id` and answers a part of a page."""

    key: str
    label: Any
    endpoint: str
    permission: str | None = None
    order: int = 100


@dataclass(frozen=True, slots=True)
class DealerFigure:
    """A figure in the strip of the page, printed as it is; `tone` bad: needs someone now."""

    label: Any
    value: Any
    url: str | None = None
    tone: str = ""


Figures = Callable[[int], Iterable[DealerFigure]]
_tabs: dict[str, DealerTab] = {}
_figures: list[Figures] = []


def register(*tabs: DealerTab) -> None:
    """Add tabs; the same key again replaces the earlier one."""
    for tab in tabs:
        _tabs[tab.key] = tab


def register_figures(figures: Figures) -> None:
    """Add a function of the dealer's id that gives figures, empty when the actor may not see them."""
    if figures not in _figures:
        _figures.append(figures)


def visible(dealer_id: int) -> list[tuple[DealerTab, str]]:
    """Tabs the actor may see with their addresses, in order."""
    found = []
    for tab in sorted(_tabs.values(), key=lambda tab: (tab.order, tab.key)):
        url = url_or_none(tab.endpoint, id=dealer_id)
        if url and may(tab.permission):
            found.append((tab, url))
    return found


def figures_of(dealer_id: int) -> list[DealerFigure]:
    """All figures of a dealer."""
    return [figure for function in _figures for figure in function(dealer_id)]
