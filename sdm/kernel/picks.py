"""Pickers: one blueprint `pick` whose endpoints `pick.<kind>` are given by the package that owns the kind.

    @picker("dealer", Permission.DEALER_READ)
    def pick_dealers(wanted: str, limit: int) -> list[Hit]: ...

GET /pick/<kind>?q=text answers `{"items": [{"id", "label", "code", "hint", …}]}`, at most ten, within the actor's scope.
Further query values of the address are read from `flask.request.args` by the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request

from sdm.kernel.web import json_reply, view

HITS = 10
QUERY_MAX = 100

blueprint = Blueprint("pick", __name__, url_prefix="/pick")


@dataclass(frozen=True, slots=True)
class Hit:
    """One offer of a picker; `extra` goes into the answer beside the four fields."""

    id: Any
    label: str
    code: str = ""
    hint: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


Find = Callable[[str, int], Sequence[Hit]]


def picker(kind: str, permission: str | None = None) -> Callable[[Find], Find]:
    """Register a function of (text, limit) as the endpoint `pick.<kind>`."""

    def decorate(find: Find) -> Find:
        @view(permission)
        def answer() -> Response:
            text = request.args.get("q", "").replace("\x00", "").strip()[:QUERY_MAX]
            hits = find(text, HITS)
            return json_reply(
                {"items": [{"id": h.id, "label": h.label, "code": h.code, "hint": h.hint, **h.extra} for h in hits]}
            )

        blueprint.add_url_rule(f"/{kind}", endpoint=kind, view_func=answer)
        return find

    return decorate
