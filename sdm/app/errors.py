"""From errors to answers: one table of statuses; a page for people, RFC 9457 problem details for programs.

An unexpected exception never shows its own text: it is logged under an incident number, and the answer names only that.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, json, render_template, request
from flask_wtf.csrf import CSRFError
from jinja2 import TemplateNotFound
from markupsafe import escape
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from sdm.app.embedded import DatabaseUnavailable
from sdm.kernel.db import db, translate
from sdm.kernel.errors import (
    N_,
    TEXTS,
    BadRequest,
    Busy,
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    PreconditionRequired,
    RuleViolation,
    SdmError,
    TooManyRequests,
    describe,
)
from sdm.kernel.i18n import error_text
from sdm.kernel.i18n import translate as in_words
from sdm.kernel.web import is_partial, jsonable, wants_json

STATUSES: dict[type[SdmError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    Forbidden: 403,
    Busy: 503,
    Conflict: 409,
    RuleViolation: 422,
    DatabaseUnavailable: 503,
    BadRequest: 400,
    NotSignedIn: 401,
    PreconditionRequired: 428,
    PreconditionFailed: 412,
    TooManyRequests: 429,
}
RETRY_SECONDS = 2

describe(
    {
        "http.400": N_("The request cannot be understood"),
        "http.401": N_("Please sign in"),
        "http.403": N_("This is not allowed"),
        "http.404": N_("There is nothing at this address"),
        "http.405": N_("This address does not take this kind of request"),
        "http.406": N_("This address cannot answer in the wanted format"),
        "http.409": N_("The state of the record does not allow this"),
        "http.412": N_("The record was changed meanwhile; read it again"),
        "http.413": N_("Too much was sent at once; send a smaller file"),
        "http.414": N_("The address is too long"),
        "http.415": N_("This kind of content is not taken here"),
        "http.422": N_("Some fields need correction"),
        "http.428": N_("The request must name the version it changes (If-Match)"),
        "http.429": N_("Too many requests; wait a moment"),
        "http.500": N_("Something went wrong on our side; quote the number %(incident)s when you report it"),
        "http.503": N_("The service is busy; try again in a moment"),
        "form.expired": N_("The form is too old or came from elsewhere; reload the page and send it again"),
        "database.unreachable": N_("The database does not answer; nothing was changed, try again in a moment"),
    }
)


class Unreachable(Busy):
    """The database does not answer."""


def init_app(app: Flask) -> None:
    """Install the handlers."""
    app.register_error_handler(SdmError, handle_known)
    app.register_error_handler(DBAPIError, handle_database)
    app.register_error_handler(PoolTimeout, handle_pool)
    app.register_error_handler(CSRFError, handle_csrf)
    app.register_error_handler(HTTPException, handle_http)
    app.register_error_handler(Exception, handle_unexpected)


def status_of(error: SdmError) -> int:
    """HTTP status of an error: that of the nearest class in the table."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 400)


def handle_known(error: SdmError) -> Response:
    """An error a person or program can cause."""
    _roll_back()
    response = answer(status_of(error), error.code, error_text(error), error)
    if isinstance(error, NotSignedIn):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.details.get("seconds", RETRY_SECONDS))
    return response


def handle_database(error: DBAPIError) -> Response:
    """An error of the database: a typed one where it stands for one, a refusal when it is away, else unexpected."""
    _roll_back()
    typed = translate(error)
    if typed is None and error.connection_invalidated:
        typed = Unreachable("database.unreachable")
    if typed is None and getattr(error.orig, "sqlstate", None) in {None, "57P01", "57P03", "53300"}:
        current_app.logger.warning("database unreachable", extra={"reason": str(error.orig)})
        typed = Unreachable("database.unreachable")
    return handle_known(typed) if typed is not None else handle_unexpected(error)


def handle_pool(_error: PoolTimeout) -> Response:
    """No connection came free in time."""
    return handle_known(Busy("http.503"))


def handle_csrf(_error: CSRFError) -> Response:
    """A form without its token."""
    return answer(400, "form.expired", error_text(SdmError("form.expired")))


def handle_http(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse: unknown addresses, methods, sizes, malformed bodies."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    code = f"http.{status}"
    response = answer(status, code, error_text(SdmError(code)))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    return response


def handle_unexpected(error: Exception) -> Response:
    """A defect or a failure nobody foresaw: logged with an incident number, the answer shows only the number."""
    _roll_back()
    incident = secrets.token_hex(6)
    current_app.logger.exception("unexpected error", exc_info=error, extra={"incident": incident})
    return answer(500, "http.500", error_text(SdmError("http.500", incident=incident)), incident=incident)


def answer(
    status: int, code: str, detail: str, error: SdmError | None = None, *, incident: str | None = None
) -> Response:
    """The answer in the form the client takes."""
    if wants_problem():
        response = _problem(status, code, detail, error, incident)
    else:
        response = Response(_page(status, code, detail, error, incident), status, mimetype="text/html")
    if status == 503:
        response.headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return response


def wants_problem() -> bool:
    """True for the API, scripts and parts of pages."""
    return request.path.startswith("/api/") or is_partial() or wants_json()


def _problem(status: int, code: str, detail: str, error: SdmError | None, incident: str | None) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:sdm:error:{code}",
        "title": _title(status),
        "status": status,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": g.get("request_id"),
    }
    if incident:
        body["incident"] = incident
    if error is not None and error.details:
        body["data"] = jsonable(error.details)
    if isinstance(error, InvalidInput):
        body["errors"] = [field_problem(fault) for fault in error.errors]
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def field_problem(fault: FieldError) -> dict[str, Any]:
    """One faulty field: JSON pointer, code, sentence with the remedy, and the value that was sent."""
    path = fault.field.replace("~", "~0").replace("/", "~1").replace(".", "/").replace("[", "/").replace("]", "")
    return {
        "pointer": f"/{path}" if path else "",
        "code": fault.code,
        "detail": error_text(fault),
        "value": jsonable(fault.value),
    }


def _page(status: int, code: str, detail: str, error: SdmError | None, incident: str | None) -> str:
    faults = error.errors if isinstance(error, InvalidInput) else []
    known = TEXTS.get(f"http.{status}")
    context = {
        "status": status,
        "title": in_words(known, {"incident": incident or ""}) if known else "",
        "detail": detail,
        "code": code,
        "incident": incident,
    }
    try:
        return render_template(
            "errors/error.html", error=error, errors_found=[(f.field, error_text(f)) for f in faults], **context
        )
    except TemplateNotFound:
        pass
    except Exception:
        current_app.logger.exception("the error page itself failed")
    lines = "".join(f"<li>{escape(fault.field)}: {escape(error_text(fault))}</li>" for fault in faults)
    return f"<!doctype html><title>{status}</title><h1>{escape(detail)}</h1><ul>{lines}</ul>"


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _roll_back() -> None:
    """Leave no half-done transaction behind; a dead connection must not hide the first error."""
    try:
        db.session.rollback()
    except Exception:
        current_app.logger.warning("rollback failed", exc_info=True)
