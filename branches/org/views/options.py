"""Option lists (BA-07): choices that administrators maintain, selectable at once in all branches."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries, service
from branches.org.models import OptionList
from branches.org.schemas import OptionForm, OptionListForm
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, see_other, view

nav.register(
    NavItem("master", _l("Option lists"), "org.option_lists", Permission.OPTION_EDIT, icon="list-details", order=50)
)


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/options", "option_lists", option_lists, methods=["GET", "POST"])
    blueprint.add_url_rule("/options/<code>", "option_list", option_list, methods=["GET", "POST"])


@view(Permission.OPTION_EDIT)
def option_lists() -> AnyResponse | str | tuple[str, int]:
    """All lists, and a form for a new one."""
    context = {"lists": queries.option_lists()}
    if request.method == "GET":
        return page("org/option_lists.html", **context)
    return submitted(OptionListForm(), _create, "org/option_lists.html", **context)


def _create(code: str, name: str, name_en: str) -> AnyResponse:
    service.create_option_list(code, name, name_en)
    return see_other("org.option_list", code=code)


@view(Permission.OPTION_EDIT)
def option_list(code: str) -> AnyResponse | str | tuple[str, int]:
    """One list: its choices, each editable in place, and a line for a new one."""
    row = db.session.get(OptionList, code[:64])
    if row is None:
        raise NotFound("not_found", kind="option_list", id=code[:64])
    context = {"list": row, "options": queries.options(row.code, active_only=False)}
    if request.method == "GET":
        return page("org/option_list.html", **context)
    return submitted(OptionForm(), lambda **values: _save(row, values), "org/option_list.html", **context)


def _save(row: OptionList, values: dict[str, Any]) -> AnyResponse:
    service.save_option(row.code, values.pop("code"), **values)
    flash(_("Saved; selectable at once in all branches"))
    return see_other("org.option_list", code=row.code)
