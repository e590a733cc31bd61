"""What happened to a record, in words: the history tab of every page and the operation log.

A package registers the words of its own actions with `register_actions`; columns with `register_columns`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sdm.kernel import audit
from sdm.kernel.i18n import _, _l

LENGTH_MAX = 120

_actions: dict[str, Any] = {
    "created": _l("created"),
    "changed": _l("changed"),
    "set": _l("set"),
    "cleared": _l("reset"),
    "deputy_set": _l("deputy named"),
    "deputy_ended": _l("deputy taken back"),
    "signed_in": _l("signed in"),
    "signed_out": _l("signed out"),
    "sign_in_failed": _l("sign-in failed"),
    "sessions_ended": _l("sessions ended"),
    "password_changed": _l("password changed"),
    "password_reset": _l("new first password set"),
    "roles_changed": _l("roles changed"),
    "permissions_changed": _l("permissions changed"),
    "warehouses_changed": _l("warehouses changed"),
    "token_created": _l("API token made"),
    "token_revoked": _l("API token revoked"),
    "disabled": _l("disabled"),
    "enabled": _l("enabled"),
    "submit": _l("submitted"),
    "confirm": _l("confirmed"),
    "cancel": _l("cancelled"),
    "approve": _l("approved"),
    "reject": _l("rejected"),
    "issue": _l("issued"),
    "reverse": _l("reversed"),
    "post": _l("posted"),
}
_columns: dict[str, Any] = {
    "name": _l("Name"),
    "name_en": _l("English name"),
    "code": _l("Code"),
    "login": _l("User name"),
    "unit_id": _l("Unit"),
    "parent_id": _l("Unit above"),
    "manager_id": _l("Manager"),
    "deputy_id": _l("Deputy"),
    "legal_entity_id": _l("Company"),
    "address": _l("Address"),
    "phone": _l("Phone"),
    "email": _l("E-mail"),
    "province": _l("Province"),
    "city": _l("City"),
    "job_title": _l("Job title"),
    "tax_no": _l("Tax number"),
    "bank_name": _l("Bank"),
    "bank_account": _l("Bank account"),
    "active": _l("Active"),
    "state": _l("State"),
    "roles": _l("Roles"),
    "warehouses": _l("Warehouses"),
    "permissions": _l("Permissions"),
    "added": _l("Added"),
    "removed": _l("Removed"),
    "work_place": _l("Work place"),
    "valid_from": _l("Valid from"),
    "valid_to": _l("Valid to"),
    "lead_days": _l("Days on the way"),
    "keeper_id": _l("Storekeeper"),
    "kind": _l("Kind"),
    "pinyin": _l("Pinyin initials"),
    "position": _l("Position"),
    "own_dealers": _l("Only own dealers"),
    "person_id": _l("Person"),
    "locale": _l("Language"),
}


def register_actions(words: Mapping[str, Any]) -> None:
    """Words of a package's actions: code → lazy text."""
    _actions.update(words)


def register_columns(words: Mapping[str, Any]) -> None:
    """Words of a package's columns: name → lazy text."""
    _columns.update(words)


def action_text(action: str) -> str:
    """The word of an action; its code where none is registered."""
    return str(_actions.get(action, action.replace("_", " ")))


def action_choices() -> list[tuple[str, Any]]:
    """All registered actions, for a filter."""
    return list(_actions.items())


def column_text(name: str) -> str:
    """The word of a column; its name where none is registered."""
    return str(_columns.get(name, name.replace("_", " ")))


@dataclass(frozen=True, slots=True)
class Change:
    """One changed value."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history."""

    at: datetime
    who: str
    text: str
    note: str


def changes_of(changes: Mapping[str, Any]) -> list[Change]:
    """Old and new values of an audit row; what is no pair stands as new."""
    found = []
    for name, value in changes.items():
        pair = isinstance(value, list) and len(value) == 2
        old, new = value if pair else (None, value)
        found.append(Change(column_text(name), _value(old), _value(new)))
    return found


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{column_text(str(key))}: {_value(item)}" for key, item in value.items())
    return str(value)


def _short(change: Change) -> str:
    text = f"{change.old} → {change.new}" if change.old else change.new
    return f"{change.label}: {text[:LENGTH_MAX]}"


def events(kind: str, document_id: int) -> list[Entry]:
    """The history of one record for `doc.history`: oldest first."""
    return [
        Entry(at, who, action_text(action), "; ".join(_short(change) for change in changes_of(changes)))
        for at, who, action, changes in audit.history(kind, document_id)
    ]
