"""The OpenAPI 3.1 document from the declared routes, and the shape its page prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin, resolver
from apispec.ext.marshmallow.common import make_schema_key, resolve_schema_instance
from flask import Flask

from sdm.kernel.schema import AmountField, PriceField, QtyField, RateField

if TYPE_CHECKING:
    from sdm.kernel.api import Operation

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable code of the error"},
        "request_id": {"type": ["string", "null"]},
        "incident": {"type": "string"},
        "data": {"type": "object"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer of the field"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "value": {},
                },
            },
        },
    },
}
PROBLEMS = {
    "400": "The request is not understood",
    "401": "Nobody is signed in, or the token is not valid",
    "403": "The permission is missing",
    "404": "Absent, or outside your units",
    "409": "The state of the record does not allow it",
    "412": "The record was changed meanwhile",
    "415": "The body is not JSON",
    "422": "Faulty fields, or a rule refuses it",
    "428": "If-Match is missing",
    "503": "A lock was not granted in time; try again",
}
EXACT = ((AmountField, "amount"), (PriceField, "price"), (QtyField, "quantity"), (RateField, "rate"))


def build(app: Flask, operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The document of all routes that are part of the application."""
    plugin = MarshmallowPlugin(schema_name_resolver=_Names())
    spec = APISpec(
        title="SDM",
        version=_version(),
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": "Amounts and quantities are decimal texts. Lists are paged by cursor, at most 500 rows."},
    )
    for field_class, name in EXACT:
        plugin.map_to_openapi_type(field_class, "string", f"decimal-{name}")  # type: ignore[no-untyped-call]
    spec.components.schema("Problem", component=PROBLEM)
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "sdm-session"})
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        operation = operations.get(rule.endpoint)
        if operation is not None:
            spec.path(path=_path(rule.rule), operations=_methods(operation, rule, app))
    return spec.to_dict()


def _version() -> str:
    try:
        return version("sdm")
    except PackageNotFoundError:
        return "0"


class _Names:
    """Component names: the class without the word Schema; a name that is taken gets its package in front."""

    def __init__(self) -> None:
        self._taken: dict[str, Any] = {}

    def __call__(self, schema: Any) -> str:
        """The name of a schema, always the same for the same one."""
        key = make_schema_key(resolve_schema_instance(schema))
        base = str(resolver(schema))
        package = _class_of(schema).__module__.split(".")[-2].capitalize()
        candidates = [base, f"{package}{base}", *(f"{package}{base}{n}" for n in range(2, 100))]
        name = next(one for one in candidates if self._taken.get(one, key) == key)
        self._taken[name] = key
        return name


def _class_of(schema: Any) -> type:
    return schema if isinstance(schema, type) else type(schema)


def _path(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


def _methods(operation: Operation, rule: Any, app: Flask) -> dict[str, Any]:
    return {method.lower(): _operation(operation, rule, method) for method in operation.methods}


def _operation(operation: Operation, rule: Any, method: str) -> dict[str, Any]:
    tag = operation.endpoint.partition(".")[0].removeprefix("api_")
    described = [operation.description, f"Permission: {operation.permission}" if operation.permission else ""]
    shape: dict[str, Any] = {
        "operationId": operation.endpoint.removeprefix("api_") + ("" if len(operation.methods) == 1 else f".{method}"),
        "tags": [tag],
        "summary": operation.summary,
        "description": "\n\n".join(text for text in described if text),
        "parameters": _parameters(operation, rule, method),
        "responses": _responses(operation),
        "security": [{"token": []}, {"session": []}],
    }
    if operation.request is not None:
        shape["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.request}}}
    return shape


def _parameters(operation: Operation, rule: Any, method: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in sorted(rule.arguments):
        number = type(rule._converters[name]).__name__ == "IntegerConverter"
        schema = {"type": "integer", "minimum": 0} if number else {"type": "string"}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if operation.query is not None:
        found.append({"in": "query", "schema": operation.query})
    if operation.creates:
        found.append(_header("Idempotency-Key", "8 to 64 characters; the same request again is answered once", True))
    elif method != "GET":
        found.append(_header("Idempotency-Key", "Makes a repeat of this request harmless", False))
    if operation.if_match:
        found.append(_header("If-Match", "Version to change, as given by ETag", True))
    return found


def _header(name: str, description: str, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def _responses(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if operation.response is None:
        found["204"] = {"description": "Done"}
    else:
        found["201" if operation.creates else "200"] = {
            "description": "Created" if operation.creates else "OK",
            "content": {"application/json": {"schema": _body(operation)}},
        }
    for status, text in PROBLEMS.items():
        if _can_answer(operation, status):
            reference = {"$ref": "#/components/schemas/Problem"}
            found[status] = {"description": text, "content": {"application/problem+json": {"schema": reference}}}
    return found


def _body(operation: Operation) -> Any:
    if not operation.paged:
        return operation.response
    items = {"type": "array", "items": operation.response}
    cursor = {"type": ["string", "null"], "description": "Cursor of the next page"}
    return {"type": "object", "required": ["items"], "properties": {"items": items, "next_cursor": cursor}}


def _can_answer(operation: Operation, status: str) -> bool:
    if status in {"412", "428"}:
        return operation.if_match
    return operation.request is not None if status == "415" else True


def reading(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document for a page: operations by tag, in the order of their addresses, and the named shapes."""
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            tags.setdefault(tag, []).append({"path": path, "method": method.upper(), **operation})
    shapes = document.get("components", {}).get("schemas", {})
    return {"tags": dict(sorted(tags.items())), "schemas": dict(sorted(shapes.items())), "info": document["info"]}
