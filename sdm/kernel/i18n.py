"""Texts in the reader's language. Source texts are English; each package has its own part of the catalogue.

`_` translates now, `_l` when shown (for declarations at import time), `_n` chooses singular or plural.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, has_request_context, request
from flask_babel import gettext, lazy_gettext, ngettext

from sdm.kernel import catalogue
from sdm.kernel.actor import current_or_none
from sdm.kernel.errors import TEXTS, FieldError, SdmError, fill

LOCALES = {"zh_CN": "中文", "en": "English"}
LOCALE_COOKIE = "sdm_locale"
DEFAULT_LOCALE = "zh_CN"
TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"

_ = gettext
_l = lazy_gettext
_n = ngettext

__all__ = ["LOCALES", "_", "_l", "_n", "configure", "current_locale", "error_text", "html_language", "translate"]


def configure(app: Flask) -> None:
    """Point Flask-Babel at the merged catalogue and recompile it when a part is newer (source trees only)."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", DEFAULT_LOCALE)
    app.config["BABEL_DOMAIN"] = catalogue.DOMAIN
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    try:
        catalogue.compile_stale(TRANSLATIONS)
    except OSError:
        app.logger.debug("the catalogue folder is read-only; the compiled catalogue of the build is used")


def current_locale() -> str:
    """Language of the answer: the choice on this device, then the person's, then the application's default.

    Shape: a key of LOCALES. Used as Flask-Babel's locale selector.
    """
    if has_request_context():
        chosen = request.cookies.get(LOCALE_COOKIE, "")
        if chosen in LOCALES:
            return chosen
    actor = current_or_none()
    if actor and actor.locale in LOCALES:
        return actor.locale
    return DEFAULT_LOCALE


def html_language() -> str:
    """The `lang` attribute of a page: `zh-CN` or `en`."""
    return current_locale().replace("_", "-")


def translate(text: str, details: Mapping[str, Any] | None = None) -> str:
    """An English text with `%(name)s` placeholders in the reader's language, filled in; gaps stay empty."""
    translated = gettext(text)
    return fill(translated, details) if details is not None else translated


def error_text(error: SdmError | FieldError) -> str:
    """The sentence of an error in the reader's language; its code where no text is registered."""
    template = TEXTS.get(error.code)
    if template is None:
        return error.code
    details = {"value": error.value, **error.details} if isinstance(error, FieldError) else error.details
    if isinstance(details.get("kind"), str):
        details = {**details, "kind": _kind_word(details["kind"])}
    return translate(template, details)


def _kind_word(kind: str) -> str:
    """A kind of document in the reader's language: `sales_order` → 销售订单, or "sales order"."""
    english = kind.replace("_", " ")
    word = gettext(english.capitalize())
    return english if word == english.capitalize() else word
