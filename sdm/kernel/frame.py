"""What every page shows around its content: navigation, states, units to switch to, texts of the scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, request, url_for
from markupsafe import Markup
from werkzeug.routing import BuildError

from sdm.kernel.actor import current_or_none
from sdm.kernel.i18n import _, _l

TONES = ("neutral", "info", "good", "warn", "bad")


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the left navigation. `permission` None: everybody who is signed in."""

    group: str
    label: Any
    endpoint: str
    permission: str | None = None
    icon: str = "point"
    order: int = 100
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NavLink:
    """An entry ready to print."""

    label: str
    url: str
    icon: str
    current: bool


GROUPS: dict[str, Any] = {
    "work": _l("Work place"),
    "sales": _l("Sales"),
    "stock": _l("Stock"),
    "money": _l("Money"),
    "planning": _l("Planning"),
    "dealers": _l("Dealers"),
    "prices": _l("Prices"),
    "market": _l("Market"),
    "alerts": _l("Alerts"),
    "cockpit": _l("Cockpit"),
    "master": _l("Master data"),
    "system": _l("System"),
}


class Navigation:
    """Registry of navigation entries; packages register theirs when they are imported."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str, tuple[tuple[str, Any], ...]], NavItem] = {}

    def register(self, *items: NavItem) -> None:
        """Add entries; the same endpoint with the same values replaces its earlier entry."""
        for item in items:
            if item.group not in GROUPS:
                raise ValueError(f"no such navigation group: {item.group}")
            self._items[(item.group, item.endpoint, tuple(sorted(item.values.items())))] = item

    def has(self, endpoint: str | None) -> bool:
        """Whether an endpoint has an entry of its own."""
        return any(item.endpoint == endpoint for item in self._items.values())

    def visible(self) -> list[tuple[str, list[NavLink]]]:
        """Groups with the entries the actor may use and whose pages exist, in order."""
        groups: list[tuple[str, list[NavLink]]] = []
        for key, label in GROUPS.items():
            items = sorted((i for i in self._items.values() if i.group == key), key=lambda i: (i.order, i.endpoint))
            links = [link for link in map(_link, items) if link]
            if links:
                groups.append((str(label), links))
        return groups


nav = Navigation()


def _link(item: NavItem) -> NavLink | None:
    """The entry as a link, or None when it is not for this actor or has no page."""
    url = url_or_none(item.endpoint, **item.values)
    if url is None or not may(item.permission):
        return None
    return NavLink(label=str(item.label), url=url, icon=item.icon, current=_is_current(item, url))


def _is_current(item: NavItem, url: str) -> bool:
    """True for the page itself and for the other pages of its view module."""
    if request.path == url.partition("?")[0]:
        return not item.values or request.full_path.startswith(url)
    if nav.has(request.endpoint):
        return False
    blueprint = item.endpoint.rpartition(".")[0]
    return bool(blueprint) and request.blueprint == blueprint and request.path.startswith(url.rstrip("/") + "/")


def may(permission: str | None) -> bool:
    """Whether the actor has a permission; None asks for a signed-in person only."""
    actor = current_or_none()
    return actor is not None and (permission is None or actor.can(permission))


def url_or_none(endpoint: str, **values: Any) -> str | None:
    """Address of an endpoint, or None when there is no such endpoint or a value is missing."""
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return None


@dataclass(frozen=True, slots=True)
class State:
    """How a state is shown: a word, a tone (one of TONES) and a sign, never colour alone."""

    label: Any
    tone: str = "neutral"

    @property
    def sign(self) -> str:
        """The sign of the tone."""
        return {"good": "check", "warn": "hourglass", "bad": "alert-triangle", "info": "point"}.get(self.tone, "point")


_STATES: dict[str, dict[str, State]] = {}


def register_states(kind: str, states: Mapping[str, tuple[Any, str]]) -> None:
    """Say how the states of a kind of document are shown: code → (lazy label, tone)."""
    for code, (label, tone) in states.items():
        if tone not in TONES:
            raise ValueError(f"no such tone: {tone} ({kind}.{code})")
        _STATES.setdefault(kind, {})[str(code)] = State(label, tone)


def state_of(code: Any, kind: str) -> State:
    """How a state is shown; an unregistered code shows itself."""
    text = str(getattr(code, "value", code) or "")
    return _STATES.get(kind, {}).get(text) or State(text)


def state_label(code: Any, kind: str) -> str:
    """The word of a state in the reader's language."""
    return str(state_of(code, kind).label)


def state_choices(kind: str) -> list[tuple[str, str]]:
    """(code, word) of all states of a kind, in order of registration."""
    return [(code, str(state.label)) for code, state in _STATES.get(kind, {}).items()]


def state_badge(code: Any, kind: str) -> Markup:
    """The badge of a state: sign and word on a quiet ground."""
    state = state_of(code, kind)
    return Markup('<span class="state state-{}">{}{}</span>').format(state.tone, icon(state.sign), state.label)


def icon(name: str, label: str = "") -> Markup:
    """An icon of the sprite; decorative unless it has a label."""
    from sdm.kernel.assets import asset

    href = f"{asset('vendor/icons.svg')}#{name}"
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {}><use href="{}"></use></svg>').format(said, href)


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """A unit the person may work in."""

    id: int
    label: str
    current: bool


_unit_provider: Callable[[], Iterable[UnitChoice]] | None = None


def provide_units(provider: Callable[[], Iterable[UnitChoice]]) -> None:
    """Name the function that gives the units of the unit switch (shown when it gives at least two)."""
    global _unit_provider
    _unit_provider = provider


def units() -> list[UnitChoice]:
    """Units of the unit switch."""
    return list(_unit_provider()) if _unit_provider and current_or_none() else []


_pulse_checks: list[Callable[[], str | None]] = []


def pulse_check(check: Callable[[], str | None]) -> Callable[[], str | None]:
    """Register a light check of the pulse: None when well, else a sentence for the reader. No more than one query."""
    if check not in _pulse_checks:
        _pulse_checks.append(check)
    return check


def pulse_faults() -> list[str]:
    """What is not well just now."""
    faults: list[str] = []
    for check in _pulse_checks:
        try:
            fault = check()
        except Exception:
            current_app.logger.exception("pulse check failed")
            fault = _("A part of the server does not answer")
        if fault:
            faults.append(fault)
    return faults


def script_texts() -> dict[str, str]:
    """Texts of the scripts in the reader's language; in the page as a data block."""
    return {
        "add_line": _("Add line"),
        "busy": _("Working…"),
        "cancel": _("Cancel"),
        "close": _("Close"),
        "confirm": _("Confirm"),
        "copied": _("Copied"),
        "delete_line": _("Delete line"),
        "discard": _("Discard draft"),
        "discard_question": _("Discard what you typed? The draft will be deleted."),
        "draft_restored": _("Your draft of %(time)s is back."),
        "error_lines": _("%(count)s cells need correction"),
        "failed": _("That did not work: %(reason)s"),
        "invalid_number": _("Not a number; use digits and a point, e.g. 1234.50"),
        "invalid_date": _("Not a date; write it as 2026-11-21"),
        "line": _("Line %(number)s"),
        "lines_full": _("At most %(count)s lines fit into one document"),
        "loading": _("Loading…"),
        "no_hits": _("Nothing found"),
        "no_line": _("No connection to the server"),
        "not_saved": _("not saved yet"),
        "pasted": _("%(count)s lines pasted"),
        "password": _("Password"),
        "required": _("is required"),
        "retrying": _("waiting for the line; sent as soon as it is back"),
        "saved_at": _("saved %(time)s"),
        "scan_added": _("%(code)s added"),
        "selected": _("%(count)s selected"),
        "sending": _("sending…"),
        "session_ended": _("Your session has ended. Sign in again; nothing you typed is lost."),
        "sign_in": _("Sign in"),
        "sign_in_failed": _("User name or password is wrong"),
        "stale_figures": _("figures are being refreshed"),
        "user_name": _("User name"),
        "view_name": _("Name of the view"),
    }
