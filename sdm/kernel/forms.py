"""Forms of pages: load what was posted, call a command, show every refusal in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from marshmallow import Schema
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel.db import db
from sdm.kernel.errors import AlreadyExists, Conflict, InvalidInput, RuleViolation
from sdm.kernel.i18n import error_text
from sdm.kernel.schema import load
from sdm.kernel.web import FormErrors, errors_of, form_values, render_422


def submitted(
    schema: Schema, action: Callable[..., AnyResponse], template: str, **context: Any
) -> AnyResponse | tuple[str, int]:
    """Load the posted form and answer with what ``action(**values)`` gives.

    Faulty fields, refused rules and conflicts show the page again (422) with what was typed and every error in place.
    """
    try:
        return action(**load(schema, form_values(schema)))
    except InvalidInput as error:
        errors = errors_of(error)
    except AlreadyExists as error:
        errors = _taken(error)
    except (Conflict, RuleViolation) as error:
        errors = FormErrors({"_schema": [error_text(error)]})
    db.session.rollback()
    return render_422(template, _with_general(schema, errors), **context)


def _taken(error: AlreadyExists) -> FormErrors:
    names = [name.strip() for name in str(error.details.get("field", "")).split(",")]
    shown = next((name for name in names if name in request.form), "_schema")
    return FormErrors({shown: [error_text(error)]})


def _with_general(schema: Schema, errors: FormErrors) -> FormErrors:
    """Errors of fields the page does not show are told above the form."""
    hidden = [name for name in errors if name != "_schema" and name.split(".")[0] not in schema.fields]
    for name in hidden:
        errors.setdefault("_schema", []).extend(errors.pop(name))
    return errors
