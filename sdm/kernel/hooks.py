"""Named places where a lower layer calls a higher one in the same transaction; ``sdm.app.wiring`` fills them.

For what must happen at once (an issued invoice updates the order's lines). News that may wait goes through the outbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_hooks: dict[str, list[Callable[..., Any]]] = {}


def register(name: str, function: Callable[..., Any]) -> None:
    """Add a function to a hook."""
    if function not in _hooks.setdefault(name, []):
        _hooks[name].append(function)


def has(name: str) -> bool:
    """Whether somebody answers to a hook."""
    return bool(_hooks.get(name))


def call(name: str, *args: Any, **kwargs: Any) -> list[Any]:
    """Call all functions of a hook in the order of registration; returns their results."""
    return [function(*args, **kwargs) for function in _hooks.get(name, [])]
