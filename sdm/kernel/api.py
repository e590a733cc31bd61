"""The JSON API: one decorator does everything that is the same for every route.

    bp = api.blueprint("orders", __name__)

    @api.route(bp, "/orders/<int:id>", methods=["PATCH"], permission=Permission.ORDER_ENTER, request=ChangeOrder(),
               response=OrderOut(), summary="Change an order", if_match=True)
    def change(id: int, body: dict, version: int | None) -> Order: ...

The function gets loaded values (`body`, `query`, path values, `version`) and gives data; the decorator answers with
problem details (RFC 9457), `Idempotency-Key`, `ETag` / `If-Match`, pages by cursor, and writes the OpenAPI document.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, url_for
from flask import request as http
from marshmallow import Schema, fields, validate
from sqlalchemy import Select

from sdm.kernel import idempotency
from sdm.kernel.actor import current_or_none
from sdm.kernel.db import db
from sdm.kernel.errors import (
    N_,
    BadRequest,
    FieldError,
    InvalidInput,
    NotSignedIn,
    PreconditionFailed,
    PreconditionRequired,
    StaleVersion,
    describe,
)
from sdm.kernel.schema import BaseSchema, load
from sdm.kernel.web import ViewRule, json_reply, view
from sdm.kernel.web import page as render

PREFIX = "/api/v1"
LIMIT_MAX = 500
LIMIT_DEFAULT = 100
KEY_HEADER = "Idempotency-Key"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

describe(
    {
        "api.key_missing": N_("This request needs the header Idempotency-Key with 8 to 64 characters of your choice"),
        "api.json": N_("The body is not valid JSON"),
        "api.cursor": N_("%(value)s is no cursor of this list; take next_cursor of the page before"),
        "api.if_match_missing": N_("Name the version you change in the header If-Match, as given by ETag"),
        "api.if_match": N_('If-Match must be one version in quotes, such as "3"'),
        "api.text": N_("contains characters that cannot be stored"),
    }
)


# --- declaring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as declared; `request`, `query`, `response` are schemas."""

    endpoint: str
    methods: tuple[str, ...]
    permission: str | None
    summary: str
    description: str
    request: Schema | None
    query: Schema | None
    response: Schema | None
    creates: bool
    if_match: bool
    paged: bool
    location: str


class PageQuery(BaseSchema):
    """Query of a list: where to go on and how many rows."""

    cursor = fields.String(load_default=None, validate=validate.Length(max=200, error="input.length"))
    limit = fields.Integer(load_default=LIMIT_DEFAULT, validate=validate.Range(1, LIMIT_MAX, error="input.range"))


class RefSchema(BaseSchema):
    """What a command that makes or changes a document answers."""

    kind = fields.String()
    id = fields.Integer()
    number = fields.String()
    state = fields.String()
    version = fields.Integer()
    uuid = fields.UUID(allow_none=True)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and the cursor of the next one (None: there is none)."""

    items: Sequence[Any]
    next_cursor: str | None = None


_operations: dict[str, Operation] = {}


def blueprint(name: str, import_name: str) -> Blueprint:
    """A blueprint `api_<name>` below /api/v1."""
    return Blueprint(f"api_{name}", import_name, url_prefix=PREFIX)


def route(
    bp: Blueprint,
    rule: str,
    *,
    permission: str | None,
    summary: str,
    methods: Sequence[str] = ("GET",),
    request: Schema | type[Schema] | None = None,
    query: Schema | type[Schema] | None = None,
    response: Schema | type[Schema] | None = None,
    creates: bool = False,
    if_match: bool = False,
    paged: bool = False,
    location: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a route. `permission` None: any signed-in person.

    `creates`: needs Idempotency-Key and answers 201, with the address of `location` (an endpoint that takes `id`).
    `if_match`: needs If-Match; the function gets `version` (None for `*`). `paged`: answers a `Page`, takes `query`.
    No `response`: 204.
    """
    if paged and query is None:
        query = PageQuery()

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        operation = Operation(
            endpoint=f"{bp.name}.{function.__name__}",
            methods=tuple(methods),
            permission=str(permission) if permission is not None else None,
            summary=summary,
            description=(function.__doc__ or "").strip(),
            request=_instance(request),
            query=_instance(query),
            response=_instance(response),
            creates=creates,
            if_match=if_match,
            paged=paged,
            location=f"{bp.name}.{location}" if location else "",
        )
        _operations[operation.endpoint] = operation
        handler = _handler(operation, function)
        bp.add_url_rule(rule, endpoint=function.__name__, view_func=handler, methods=list(methods))
        return function

    return decorate


def operations() -> dict[str, Operation]:
    """All declared routes by endpoint."""
    return dict(_operations)


def _instance(schema: Schema | type[Schema] | None) -> Schema | None:
    return schema() if isinstance(schema, type) else schema


# --- answering --------------------------------------------------------------------------------------------------------


def _handler(operation: Operation, function: Callable[..., Any]) -> Callable[..., Response]:
    @wraps(function)
    def answer(**values: Any) -> Response:
        actor = current_or_none()
        if actor is None:
            raise NotSignedIn("http.401")
        if operation.permission:
            actor.require(operation.permission)
        values.update(_inputs(operation))
        try:
            result = function(**values)
        except StaleVersion as error:
            if operation.if_match:
                raise PreconditionFailed("version.stale", **error.details) from error
            raise
        finally:
            idempotency.clear()
        return _reply(operation, result)

    answer.view = ViewRule(operation.permission, False)  # type: ignore[attr-defined]
    return answer


def _inputs(operation: Operation) -> dict[str, Any]:
    """Everything the function takes beside its path values, loaded and checked."""
    values: dict[str, Any] = {}
    if operation.query is not None:
        values["query"] = load(operation.query, http.args.to_dict())
    content: Any = None
    if operation.request is not None:
        content = _json()
        values["body"] = load(operation.request, content)
    if operation.if_match:
        values["version"] = version_wanted()
    _take_key(operation, content)
    return values


def _json() -> Any:
    if not http.is_json:
        abort(415)
    try:
        content = json.loads(http.get_data() or b"null", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("api.json") from error
    refuse_unclean("", content)
    return content


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def refuse_unclean(path: str, value: Any) -> None:
    """Refuse texts the database cannot hold (NUL, halves of characters) anywhere in JSON-like data."""
    if isinstance(value, str):
        if "\x00" in value or not _encodable(value):
            raise InvalidInput([FieldError(path, "api.text")])
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            refuse_unclean(path, key)
            refuse_unclean(f"{path}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            refuse_unclean(f"{path}.{place}".lstrip("."), inner)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take_key(operation: Operation, content: Any) -> None:
    if http.method not in UNSAFE:
        return
    key = http.headers.get(KEY_HEADER, "").strip().strip('"')
    if key:
        idempotency.begin(key, f"{http.method} {http.path}", {"body": content, "version": http.headers.get("If-Match")})
    elif operation.creates:
        raise BadRequest("api.key_missing")


def version_wanted() -> int | None:
    """The version named by If-Match; None for `*`. PreconditionRequired without the header."""
    header = http.headers.get("If-Match", "").strip()
    if not header:
        raise PreconditionRequired("api.if_match_missing")
    if header == "*":
        return None
    match = re.fullmatch(r'"?(\d{1,9})"?', header)
    if not match:
        raise PreconditionFailed("api.if_match")
    return int(match.group(1))


def _reply(operation: Operation, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    if operation.response is None:
        return Response(status=204)
    if isinstance(result, Page):
        return _page_reply(operation.response, result)
    body = operation.response.dump(result, many=isinstance(result, list | tuple))
    response = json_reply(body, 201 if operation.creates else 200)
    version = result.get("version") if isinstance(result, Mapping) else getattr(result, "version", None)
    if version is not None:
        response.set_etag(str(version))
    if operation.location and isinstance(body, Mapping) and body.get("id") is not None:
        response.headers["Location"] = url_for(operation.location, id=body["id"])
    if http.method == "GET" and version is not None:
        response.make_conditional(http)
    return response


def _page_reply(schema: Schema, result: Page) -> Response:
    response = json_reply({"items": schema.dump(result.items, many=True), "next_cursor": result.next_cursor})
    if result.next_cursor:
        query = {**http.args.to_dict(), "cursor": result.next_cursor}
        following = url_for(http.endpoint or "", **{**(http.view_args or {}), **query})
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


# --- pages by cursor --------------------------------------------------------------------------------------------------


def page(
    statement: Select[Any], cursor: str | None, limit: int, *, key: Any = None, newest_first: bool = False
) -> Page:
    """One page of a select, ordered by a unique column (default: the id of its entity), stable while rows are added.

    A select of one entity gives entities, any other gives rows; these must contain `key`.
    """
    entity = statement.column_descriptions[0]["entity"]
    column = entity.id if key is None else key
    single = len(statement.column_descriptions) == 1 and statement.column_descriptions[0]["expr"] is entity
    wanted = statement.order_by(None).order_by(column.desc() if newest_first else column).limit(limit + 1)
    if cursor:
        after = read_cursor(cursor, column.type.python_type)
        wanted = wanted.where(column < after if newest_first else column > after)
    result = db.session.execute(wanted)
    found = list(result.scalars() if single else result)
    items = found[:limit]
    more = len(found) > limit
    return Page(items, make_cursor(getattr(items[-1], column.key)) if more else None)


def make_cursor(value: Any) -> str:
    """Where a page ended, as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps([value], default=str).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kind: type) -> Any:
    """The value in a cursor. InvalidInput for anything this API did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        (value,) = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, TypeError) as error:
        raise InvalidInput([FieldError("cursor", "api.cursor", cursor[:80])]) from error
    if type(value) is not kind or (isinstance(value, int) and abs(value) >= 2**63):
        raise InvalidInput([FieldError("cursor", "api.cursor", cursor[:80])])
    refuse_unclean("cursor", value)
    return value


# --- requests of pages ------------------------------------------------------------------------------------------------


def init_app(app: Flask) -> None:
    """Give the forms and grids of pages the same protection: clean texts, and a key that makes a repeat harmless."""
    app.before_request(_begin)
    app.teardown_request(lambda _error: idempotency.clear())


def _begin() -> None:
    idempotency.clear()
    if "\x00" in http.path or any("\x00" in value for value in http.args.values()):
        raise BadRequest("http.400")
    if http.method not in UNSAFE or http.path.startswith("/api/") or http.endpoint is None:
        return
    if any("\x00" in value for values in http.form.listvalues() for value in values):
        raise BadRequest("http.400")
    key = http.headers.get(KEY_HEADER, "").strip() or http.form.get("idempotency_key", "").strip()
    if key:
        form = {name: values for name, values in http.form.lists() if name not in {"csrf_token", "idempotency_key"}}
        content = http.get_data() if http.is_json else json.dumps(form, sort_keys=True).encode()
        idempotency.begin(key, f"{http.method} {http.path}", content)


# --- the OpenAPI document ---------------------------------------------------------------------------------------------

docs = Blueprint("api_docs", __name__, template_folder="../templates")


@docs.get(f"{PREFIX}/openapi.json")
@view()
def openapi() -> Response:
    """The OpenAPI 3.1 document of this installation."""
    return json_reply(document(current_app))


@docs.get("/api/docs")
@view()
def docs_page() -> str:
    """The same for people."""
    from sdm.kernel.openapi import reading

    return render("api/docs.html", api=reading(document(current_app)))


def document(app: Flask) -> dict[str, Any]:
    """The document, built once per application."""
    from sdm.kernel.openapi import build

    if "sdm_openapi" not in app.extensions:
        app.extensions["sdm_openapi"] = build(app, _operations)
    return app.extensions["sdm_openapi"]  # type: ignore[no-any-return]
