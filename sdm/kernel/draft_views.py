"""Drafts over HTTP: the entry grid saves what is typed, and a person finds his unfinished documents again.

A package that enters documents names its page with `entry_page(kind, label, endpoint)`; the list of drafts leads there.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, request
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel import drafts
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound, describe
from sdm.kernel.frame import url_or_none
from sdm.kernel.web import json_reply, page, see_other, view

CONTENT_BYTES_MAX = 2_000_000
KIND_MAX = 64

describe(
    {
        "draft.too_large": N_("The draft is larger than %(max)s bytes; split the document"),
        "draft.shape": N_("A draft needs a kind, the head and the lines"),
    }
)

views = Blueprint("drafts", __name__, url_prefix="/drafts", template_folder="../templates")
_pages: dict[str, tuple[Any, str]] = {}


def entry_page(kind: str, label: Any, endpoint: str) -> None:
    """Say which page (its endpoint takes `?draft=`) goes on with drafts of a kind, and the kind's word."""
    _pages[kind] = (label, endpoint)


@views.get("/")
@view()
def index() -> str:
    """One's own unfinished documents, newest first."""
    found = [_row(draft) for draft in drafts.mine()]
    return page("drafts/index.html", rows=[row for row in found if row])


def _row(draft: drafts.Draft) -> dict[str, Any] | None:
    """What the list shows of a draft; None for a kind that nobody goes on with."""
    label, endpoint = _pages.get(draft.kind, (draft.kind, ""))
    url = url_or_none(endpoint, draft=draft.uuid) if endpoint else None
    if url is None:
        return None
    lines = draft.content.get("lines", [])
    head = draft.content.get("head", {})
    names = [str(value) for key, value in head.items() if str(key).endswith("_text") and value]
    return {
        "uuid": draft.uuid,
        "kind": str(label),
        "url": url,
        "about": " · ".join(names),
        "lines": len(lines),
        "saved_at": draft.updated_at,
    }


@views.get("/<uuid:draft_id>")
@view()
def item(draft_id: UUID) -> Response | tuple[str, int]:
    """One's own draft: `{saved_at, kind, content: {head, lines}}`; 204 when there is none."""
    draft = drafts.load(draft_id)
    if draft is None:
        return "", 204
    return json_reply({"saved_at": draft.updated_at, "kind": draft.kind, "content": draft.content})


@views.put("/<uuid:draft_id>")
@view()
def save(draft_id: UUID) -> Response:
    """Keep what is typed. Raises InvalidInput for another shape, NotFound for somebody else's draft."""
    if (request.content_length or 0) > CONTENT_BYTES_MAX:
        raise InvalidInput(code="draft.too_large", max=CONTENT_BYTES_MAX)
    kind, content = _read(request.get_json())
    if not drafts.save(draft_id, kind, content):
        raise NotFound("not_found", kind="draft", id=draft_id)
    saved = drafts.load(draft_id)
    if saved is None:
        abort(409)
    return json_reply({"saved_at": saved.updated_at, "revision": saved.revision})


def _read(data: Any) -> tuple[str, dict[str, Any]]:
    """Kind and content of a posted draft."""
    if not isinstance(data, dict):
        raise InvalidInput(code="draft.shape")
    kind, head, lines = data.get("kind"), data.get("head", {}), data.get("lines", [])
    faults = [
        FieldError(name, "draft.shape")
        for name, fits in (
            ("kind", isinstance(kind, str) and 0 < len(kind) <= KIND_MAX),
            ("head", isinstance(head, dict)),
            ("lines", isinstance(lines, list) and all(isinstance(line, dict) for line in lines)),
        )
        if not fits
    ]
    if faults or not isinstance(kind, str):
        raise InvalidInput(faults, code="draft.shape")
    return kind, {"head": without_nul(head), "lines": without_nul(lines)}


def without_nul(value: Any) -> Any:
    """The value without the character that no text of the database can hold."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


@views.delete("/<uuid:draft_id>")
@view()
def remove(draft_id: UUID) -> tuple[str, int]:
    """Forget one's own draft."""
    drafts.discard(draft_id)
    return "", 204


@views.post("/<uuid:draft_id>/discard")
@view()
def discard(draft_id: UUID) -> AnyResponse:
    """Forget one's own draft from the list."""
    drafts.discard(draft_id)
    return see_other("drafts.index")
