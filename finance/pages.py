"""What the pages of finance share: running a step, words, reading dates and amounts of an address or a form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import abort, request
from werkzeug.wrappers import Response as AnyResponse

from inventory.stock.pages import chain, history
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, FieldError, Forbidden, InvalidInput, RuleViolation
from sdm.kernel.history import register_actions
from sdm.kernel.i18n import _l, error_text
from sdm.kernel.web import flash, see_other

__all__ = [
    "ACTIONS",
    "act",
    "amount_of",
    "chain",
    "date_arg",
    "date_of",
    "history",
    "int_arg",
    "text_of",
    "version",
]

ACTIONS: dict[str, Any] = {
    "draft": _l("Drafted"),
    "submit": _l("Submitted"),
    "approve": _l("Approved"),
    "reject": _l("Rejected"),
    "withdraw": _l("Withdrawn"),
    "issue": _l("Issued"),
    "reverse": _l("Reversed"),
    "tax_invoice": _l("Tax invoice recorded"),
    "record": _l("Recorded"),
    "request": _l("Requested"),
    "propose": _l("Proposed"),
    "limit": _l("Limit set"),
}
register_actions(
    {
        "draft": _l("drafted"),
        "withdraw": _l("withdrawn"),
        "tax_invoice": _l("tax invoice recorded"),
        "record": _l("recorded"),
        "request": _l("requested"),
        "propose": _l("proposed"),
        "limit": _l("limit set"),
        "allocate": _l("allocated"),
        "undo": _l("undone"),
        "close": _l("closed"),
        "reopen": _l("opened again"),
        "opening": _l("opening taken over"),
    }
)


def act(run: Callable[[], Any], done: Callable[[Any], str], endpoint: str, **values: Any) -> AnyResponse:
    """Run a step of a page and go back to it: what was done, or in red why it was refused."""
    try:
        flash(done(run()))
    except (Conflict, RuleViolation, Forbidden) as error:
        db.session.rollback()
        flash(error_text(error), "bad")
    except InvalidInput as error:
        db.session.rollback()
        flash("; ".join(error_text(fault) for fault in error.errors) or error_text(error), "bad")
    return see_other(endpoint, **values)


def version() -> int | None:
    """The version the form was made from."""
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def int_arg(name: str) -> int | None:
    """A whole number of the address; 400 for anything else."""
    text = request.args.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        abort(400)
    return int(text)


def date_arg(name: str, default: date) -> date:
    """A date of the address; the default when it is absent or no date."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return default


def date_of(name: str) -> date | None:
    """A date of the form; None when empty. InvalidInput for anything else."""
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput([FieldError(name, "input.date", text[:80])]) from None


def amount_of(text: str, field: str) -> Decimal | None:
    """An amount or quantity as typed; None when empty. InvalidInput for anything else."""
    plain = text.replace(",", "").replace("，", "").strip()
    if not plain:
        return None
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise InvalidInput([FieldError(field, "input.number", text[:80])]) from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 13:
        raise InvalidInput([FieldError(field, "input.number", text[:80])])
    return number


def text_of(name: str, longest: int = 200) -> str:
    """A text of the form."""
    text = request.form.get(name, "").strip()
    if len(text) > longest:
        raise InvalidInput([FieldError(name, "input.length", None, {"max": longest})])
    return text
