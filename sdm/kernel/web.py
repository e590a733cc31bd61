"""View helpers: who may call an endpoint, forms and replies, and the frame of every page.

`init_app` gives the application the template functions, the static files and the endpoints of the frame.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import flash as flask_flash
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup
from marshmallow import Schema, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel import assets, formats, frame, i18n
from sdm.kernel.actor import current_or_none
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.frame import (
    NavItem,
    nav,
    provide_units,
    pulse_check,
    register_states,
    url_or_none,
)
from sdm.kernel.i18n import LOCALE_COOKIE, LOCALES, current_locale, error_text

__all__ = [
    "NavItem",
    "current_locale",
    "flash",
    "errors_of",
    "form_or_422",
    "grid_problem",
    "init_app",
    "is_partial",
    "json_reply",
    "nav",
    "page",
    "provide_units",
    "pulse_check",
    "register_states",
    "render_422",
    "see_other",
    "url_or_none",
    "view",
    "wants_json",
]

P = ParamSpec("P")
R = TypeVar("R")
YEAR_SECONDS = 365 * 24 * 3600
FORM_EXTRAS = frozenset({"csrf_token", "idempotency_key", "version"})


class ViewRule:
    """What an endpoint declares: a permission, or any signed-in person (`permission` None), or public."""

    __slots__ = ("permission", "public")

    def __init__(self, permission: str | None, public: bool) -> None:
        self.permission = permission
        self.public = public


def view(permission: str | None = None, *, public: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare what an endpoint needs: `@view(Permission.ORDER_READ)`, `@view()` signed in, `@view(public=True)`.

    The rule is kept as `function.view` (`.permission`, `.public`) for the structure test. Sets nothing else.
    """
    rule = ViewRule(str(permission) if permission is not None else None, public)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not rule.public:
                actor = current_or_none()
                if actor is None:
                    return cast(R, _ask_to_sign_in())
                if rule.permission:
                    actor.require(rule.permission)
            return function(*args, **kwargs)

        guarded.view = rule  # type: ignore[attr-defined]
        return guarded

    return decorate


def _ask_to_sign_in() -> AnyResponse:
    """To the sign-in page and back for a page; 401 for scripts, which ask for the password in place."""
    target = url_or_none("auth.sign_in")
    script = wants_json() or is_partial() or request.path.startswith("/api/v")
    if target is None or script or request.method != "GET":
        abort(401)
    back = request.full_path.rstrip("?")
    return redirect(url_for("auth.sign_in", next=back))


def is_partial() -> bool:
    """True when htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def wants_json() -> bool:
    """True when the client would rather have JSON than a page."""
    if request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best in {"application/json", "application/problem+json"}


def page(template: str, **context: Any) -> str:
    """Render a page template; the short name that views use."""
    return render_template(template, **context)


def flash(message: str, tone: str = "good") -> None:
    """Show a result on the next page; tone is one of `sdm.kernel.frame.TONES`."""
    flask_flash(message, tone)


def see_other(endpoint: str, **values: Any) -> AnyResponse:
    """After a successful form: to the page that shows the result (303; htmx follows by a full visit)."""
    url = url_for(endpoint, **values)
    if is_partial():
        return Response("", 204, {"HX-Redirect": url})
    return redirect(url, 303)


def jsonable(value: Any) -> Any:
    """Plain JSON of values: amounts and quantities as text, times as ISO 8601, lazy texts as text."""
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def json_reply(data: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer whose figures are exact (decimals as text)."""
    response = jsonify(jsonable(data))
    response.status_code = status
    response.headers.extend(headers)
    return response


class FormErrors(dict[str, list[str]]):
    """Field → sentences, for the form macros; `general` holds what belongs to no field."""

    @property
    def general(self) -> list[str]:
        """Sentences of no field."""
        return self.get("_schema", [])


def form_or_422(schema: Schema, template: str, **context: Any) -> tuple[dict[str, Any] | None, tuple[str, int] | None]:
    """Load the request's form. Gives (values, None), or (None, answer) with the page and all field errors, 422.

    data, again = form_or_422(DealerSchema(), "org/dealer_form.html", dealer=dealer)
    if again: return again
    """
    try:
        return schema.load(form_values(schema)), None
    except ValidationError as error:
        return None, render_422(template, errors_of(error), **context)


def render_422(template: str, errors: FormErrors, **context: Any) -> tuple[str, int]:
    """The form again with what was typed (`form`) and every error in place (`errors`)."""
    return render_template(template, form=request.form, errors=errors, **context), 422


def form_values(schema: Schema) -> dict[str, Any]:
    """The posted form as the schema wants it: repeated names as lists, empty texts left out.

    What the form macros add (token, request key, version, words of pickers) is left out where the schema has no field.
    """
    values: dict[str, Any] = {}
    for name in request.form:
        field = schema.fields.get(name)
        if field is None and (name in FORM_EXTRAS or name.endswith("_text")):
            continue
        items = [item for item in request.form.getlist(name) if item != ""]
        if field is not None and type(field).__name__ in {"List", "Tuple"}:
            values[name] = items
        elif items:
            values[name] = items[-1]
    return values


def errors_of(error: ValidationError | InvalidInput) -> FormErrors:
    """Errors of a schema or a service as field → sentences in the reader's language."""
    result = FormErrors()
    if isinstance(error, InvalidInput):
        for fault in error.errors:
            result.setdefault(fault.field or "_schema", []).append(error_text(fault))
        if not error.errors:
            result["_schema"] = [error_text(error)]
        return result
    messages = error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
    for name, value in messages.items():
        result[str(name)] = _sentences(value)
    return result


def _sentences(value: Any) -> list[str]:
    """The sentences of one field, however deep the schema nested them."""
    if isinstance(value, Mapping):
        return [sentence for item in value.values() for sentence in _sentences(item)]
    if isinstance(value, list | tuple):
        return [sentence for item in value for sentence in _sentences(item)]
    return [error_text(value) if isinstance(value, FieldError) else i18n.translate(str(value))]


def grid_problem(errors: Mapping[str, str], title: str = "") -> Response:
    """The 422 answer of an entry grid: pointer (`/lines/0/qty`, `/head/dealer_id`) → sentence."""
    faults = [{"pointer": pointer, "detail": detail} for pointer, detail in errors.items()]
    body = {"title": title or i18n.translate("Some fields need correction"), "status": 422, "errors": faults}
    response = json_reply(body, 422)
    response.mimetype = "application/problem+json"
    return response


frame_views = Blueprint("app", __name__, template_folder="../templates")


@frame_views.get("/app/pulse")
@view(public=True)
def pulse() -> Response:
    """Whether server, database and scheduler are well: `{ok, faults}`; polled by the thin line."""
    faults = frame.pulse_faults()
    return json_reply({"ok": not faults, "faults": faults}, 200 if not faults else 503)


@frame_views.get("/app/csrf")
@view(public=True)
def csrf() -> Response:
    """A fresh form token, for pages that stayed open over a new sign-in."""
    return json_reply({"csrf_token": generate_csrf()})


@frame_views.post("/app/language")
@view(public=True)
def set_language() -> AnyResponse:
    """Keep the language on this device and go back to the page."""
    chosen = request.form.get("locale", "")
    if chosen not in LOCALES:
        raise InvalidInput([FieldError("locale", "input.choice", chosen, {"choices": ", ".join(LOCALES)})])
    response = redirect(local_address(request.form.get("next", "")), 303)
    secure = request.is_secure
    response.set_cookie(LOCALE_COOKIE, chosen, max_age=YEAR_SECONDS, samesite="Lax", secure=secure, httponly=True)
    return response


def local_address(address: str) -> str:
    """The address when it leads to this site, else the first page; guards every 'back to' value."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return address if safe and "\\" not in address else "/"


def to_script(data: Any) -> Markup:
    """JSON for a data block of a page; nothing in it can end the block."""
    text = json.dumps(jsonable(data), ensure_ascii=False, separators=(",", ":"))
    escaped = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)  # noqa: S704 - nothing in it can be read as markup


def _context() -> dict[str, Any]:
    """What changes with each page; macros see it when imported `with context`."""
    return {"actor": current_or_none(), "errors": FormErrors(), "form": {}}


def _uid(prefix: str = "f") -> str:
    """An element id that is unique within the page."""
    g.sdm_uid = g.get("sdm_uid", 0) + 1
    return f"{prefix}{g.sdm_uid}"


def _is_demo() -> bool:
    return current_app.config.get("SDM_ENV") == "demo"


GLOBALS: dict[str, Any] = {
    "asset": assets.asset,
    "current_locale": current_locale,
    "html_language": i18n.html_language,
    "icon": frame.icon,
    "is_demo": _is_demo,
    "is_partial": is_partial,
    "locales": LOCALES,
    "may": frame.may,
    "nav_groups": frame.nav.visible,
    "script_texts": frame.script_texts,
    "state_badge": frame.state_badge,
    "state_choices": frame.state_choices,
    "units": frame.units,
    "url_or_none": url_or_none,
    "uid": _uid,
}


def init_app(app: Flask) -> None:
    """Register template functions and filters, static files, the frame's endpoints, the lists' endpoints."""
    from sdm.kernel import draft_views, listing

    for name, function in formats.FILTERS.items():
        app.jinja_env.filters[name] = function
    app.jinja_env.filters["state_label"] = frame.state_label
    app.jinja_env.filters["to_script"] = to_script
    app.jinja_env.globals.update(GLOBALS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.do")
    app.context_processor(_context)
    app.register_blueprint(assets.blueprint())
    app.view_functions["assets.serve"] = view(public=True)(app.view_functions["assets.serve"])  # type: ignore[assignment]
    app.register_blueprint(frame_views)
    app.register_blueprint(listing.views)
    app.register_blueprint(draft_views.views)
