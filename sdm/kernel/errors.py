"""The error tree. Every error has a stable code and data; texts are looked up by code.

Pure: no Flask, no SQLAlchemy. ``sdm.app.errors`` maps the classes to HTTP, pages and problem details.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEXTS: dict[str, str] = {}


def N_(text: str) -> str:
    """Mark an English text for the catalogue without translating it here."""
    return text


def describe(texts: Mapping[str, str]) -> None:
    """Register the English text (``%(name)s`` placeholders) of error codes; done beside the rule that raises them."""
    TEXTS.update(texts)


class SdmError(Exception):
    """Base of all errors a person or program can cause; ``details`` is plain data for pages, API and imports."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    @property
    def text(self) -> str:
        """English text with the details filled in; the code itself where no text is registered."""
        template = TEXTS.get(self.code)
        return fill(template, self.details) if template else self.code

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


def fill(template: str, details: Mapping[str, Any]) -> str:
    """Fill ``%(name)s`` placeholders; a missing detail shows as an empty string instead of failing."""
    return template % _Lenient(details)


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field: where, which value, why and what to do (``code`` is looked up like any error)."""

    field: str
    code: str
    value: Any = None
    details: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """English sentence that names value and remedy."""
        template = TEXTS.get(self.code)
        return fill(template, {"value": self.value, **self.details}) if template else self.code


class InvalidInput(SdmError):
    """Input that cannot be taken; ``errors`` holds all faults at once, as :class:`FieldError`."""

    def __init__(self, errors: Iterable[FieldError] = (), code: str = "input.invalid", **details: Any) -> None:
        self.errors: list[FieldError] = list(errors)
        super().__init__(code, **details)

    def __str__(self) -> str:
        return f"{self.code}: " + "; ".join(f"{e.field}: {e.text}" for e in self.errors)


class NotFound(SdmError):
    """Absent, or out of the actor's scope, which looks the same."""


class Forbidden(SdmError):
    """The actor lacks the permission named in ``permission``."""


class Busy(SdmError):
    """A lock was not granted in time; nothing was changed, try again."""


class Conflict(SdmError):
    """The state of the document does not allow this."""


class IllegalTransition(Conflict):
    """``kind``, ``state``, ``action``."""


class StaleVersion(Conflict):
    """Somebody else changed the document: ``expected``, ``actual``."""


class AlreadyExists(Conflict):
    """A unique key is taken: ``field``, ``value``."""


class RuleViolation(SdmError):
    """A business rule nobody may waive refuses it; ``reasons`` may carry all of them at once."""


class CreditLimitExceeded(RuleViolation):
    """``limit``, ``exposure``, ``requested``, ``excess``."""


class InsufficientStock(RuleViolation):
    """``shortages``: list of dicts with product, warehouse, wanted, available."""


class PriceBelowFloor(RuleViolation):
    """``lines``: list of dicts with product, price, floor."""


class PeriodClosed(RuleViolation):
    """``period``, ``date``."""


class BadRequest(SdmError):
    """The request itself is not understood: broken JSON, a missing header."""


class NotSignedIn(SdmError):
    """Nobody is signed in, or the token is unknown, expired or revoked."""


class PreconditionRequired(SdmError):
    """The request must name the version it changes (If-Match)."""


class PreconditionFailed(SdmError):
    """The version named by If-Match is not the present one: ``expected``, ``actual``."""


class TooManyRequests(SdmError):
    """Asked too often; ``seconds`` until the next try."""


describe(
    {
        "input.invalid": N_("Some fields need correction"),
        "input.required": N_("is required"),
        "input.choice": N_("%(value)s is not one of: %(choices)s"),
        "input.number": N_("%(value)s is not a number; use digits and a point, e.g. 1234.50"),
        "input.date": N_("%(value)s is not a date; write it as 2026-11-21"),
        "input.range": N_("%(value)s is outside %(low)s to %(high)s"),
        "input.unknown_field": N_("this field is not known here; remove it"),
        "input.unknown": N_("%(value)s does not exist; choose one from the list"),
        "input.length": N_("is longer than %(max)s characters"),
        "not_found": N_("Not found: %(kind)s %(id)s"),
        "forbidden": N_("You do not have the permission %(permission)s; ask your administrator"),
        "busy": N_("Someone else is changing the same record; try again in a moment"),
        "transition.illegal": N_("A %(kind)s that is %(state)s cannot be %(action)s"),
        "version.stale": N_("Someone changed this record meanwhile; reload it and repeat your change"),
        "exists": N_("%(field)s %(value)s is already taken"),
        "stock.insufficient": N_("Not enough stock"),
        "period.closed": N_("The period %(period)s is closed; choose a date in an open period"),
        "maker_checker": N_("The person who made it cannot approve it"),
        "idempotency.mismatch": N_("This key was used before with other content; use a new key"),
    }
)
describe(
    {
        "input.positive": N_("%(value)s must be greater than zero"),
        "input.not_negative": N_("%(value)s must not be negative"),
        "input.decimals": N_("%(value)s has too many decimals; the smallest step is %(step)s"),
        "input.uuid": N_("%(value)s is not a UUID"),
        "input.boolean": N_("%(value)s is not yes or no"),
        "input.text": N_("is not a text"),
        "input.message": N_("%(message)s"),
        "idempotency.key_length": N_("The Idempotency-Key needs 8 to 64 characters"),
        "constraint.overlap": N_("Two validity periods would overlap; end the older one first"),
    }
)
