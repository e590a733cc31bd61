"""Mappings made on screen: the headings of a file beside our meanings, kept by name; or the TOML itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from sdm.intake import mapping as mappings
from sdm.intake.service import mappings as service
from sdm.intake.service.sources import from_bytes, table_of
from sdm.intake.toml import dump
from sdm.intake.views.common import errors_in_place, uploads
from sdm.kernel.errors import FieldError, InvalidInput, SdmError
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import FormErrors, flash, page, see_other, view

MEANINGS = {
    "line_id": _l("Line id (invoice and line number in one)"), "invoice": _l("Invoice number"),
    "line": _l("Line number"), "date": _l("Date"), "dealer": _l("Dealer code"), "product": _l("Product code"),
    "qty": _l("Quantity"), "price": _l("Unit price"), "amount": _l("Line amount"),
}  # fmt: skip
DEALER_MEANINGS = {
    "name": _l("Dealer name"), "address": _l("Address"), "city": _l("City"), "branch": _l("Branch of the dealer"),
}  # fmt: skip
PRODUCT_MEANINGS = {
    "name": _l("Product name"), "category": _l("Category"), "brand": _l("Brand"), "pack": _l("Base units per pack"),
    "list_price": _l("List price"), "supply_price": _l("Supply price"),
}  # fmt: skip


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/mappings/new", "mapping_new", new, methods=["GET", "POST"])
    blueprint.add_url_rule("/mappings/make", "mapping_make", make, methods=["POST"])
    blueprint.add_url_rule("/mappings/<name>", "mapping", edit, methods=["GET", "POST"])
    blueprint.add_url_rule("/mappings/<name>/remove", "mapping_remove", remove, methods=["POST"])


@view(Permission.TAKE_ON_RUN)
def new() -> Any:
    """Give a sales file; its headings are offered in the next step."""
    problem: FormErrors | None = None
    if request.method == "POST":
        try:
            given = uploads("file")
            if not given:
                raise InvalidInput([FieldError("file", "input.required")])
            table = table_of(from_bytes(*given[0]))
            return page("intake/mapping_form.html", **_choices(list(table.header)), errors=FormErrors())
        except SdmError as error:
            problem = errors_in_place(error)
    answer = page("intake/mapping_new.html", errors=problem or FormErrors())
    return (answer, 422) if problem else answer


def _choices(headings: list[str]) -> dict[str, Any]:
    return {
        "headings": headings, "meanings": MEANINGS, "dealer_meanings": DEALER_MEANINGS,
        "product_meanings": PRODUCT_MEANINGS, "formats": [(name, name) for name in mappings.FORMATS],
    }  # fmt: skip


@view(Permission.TAKE_ON_RUN)
def make() -> Any:
    """Keep the mapping that was put together; all faults at once."""
    headings = request.form.getlist("heading")
    try:
        name = service.save(dump(_plain()))
    except SdmError as error:
        return page(
            "intake/mapping_form.html", **_choices(headings), form=request.form, errors=errors_in_place(error)
        ), 422
    flash(_("Mapping %(name)s kept", name=name))
    return see_other("intake.take_on_new")


def _plain() -> dict[str, Any]:
    """The mapping as its TOML holds it."""
    form = request.form

    def chosen(prefix: str, meanings: dict[str, Any]) -> dict[str, str]:
        return {key: form[f"{prefix}{key}"] for key in meanings if form.get(f"{prefix}{key}")}

    digits = form.get("line_digits", "")
    sales: dict[str, Any] = {
        "date_format": form.get("date_format", ""), "line_digits": int(digits) if digits.isdigit() else 0,
        "return_prefixes": [part for part in form.get("return_prefixes", "").split() if part],
        "returns": form.get("returns", "negative"), "zero_price_negative": form.get("zero_price_negative", "adjustment"),
        "non_stock": form.get("non_stock", ""), "branch_rule": "row" if form.get("branch_rule") else "dealer",
        "float_tails": ["dealer", "product"] if form.get("float_tails") else [],
        "columns": chosen("c_", MEANINGS), "dealer": chosen("d_", DEALER_MEANINGS),
        "product": chosen("p_", PRODUCT_MEANINGS),
    }  # fmt: skip
    masters: dict[str, Any] = {key: form.get(key, "list") for key in ("dealers", "products", "branches")}
    if form.get("no_dealer", "").strip():
        masters["no_dealer"] = {"code": form["no_dealer"].strip(), "name": form["no_dealer"].strip()}
    name = form.get("name", "").strip()
    return {"name": name, "title": name, "tax": form.get("tax", "included"), "sales": sales, "masters": masters}


@view(Permission.TAKE_ON_RUN)
def edit(name: str) -> Any:
    """The TOML of a mapping; delivered ones can be looked at and kept under another name."""
    body, problem = request.form.get("body"), None
    if request.method == "POST" and body is not None:
        try:
            kept = service.save(body)
            flash(_("Mapping %(name)s kept", name=kept))
            return see_other("intake.take_on_new")
        except SdmError as error:
            problem = errors_in_place(error)
    shown = body if body is not None else service.body_of(name)
    answer = page(
        "intake/mapping.html", name=name, body=shown, delivered=name in service.delivered(),
        errors=problem or FormErrors(),
    )  # fmt: skip
    return (answer, 422) if problem else answer


@view(Permission.TAKE_ON_RUN)
def remove(name: str) -> Any:
    """Forget a mapping."""
    service.remove(name)
    return see_other("intake.take_on_index")
