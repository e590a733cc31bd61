"""Pages of prices: lists, prices, entry grids, supply prices, authority, and why a price is what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy import Date, Integer, Select, bindparam, case, func, literal, select, type_coerce
from werkzeug.wrappers import Response as AnyResponse

from branches.catalogue import queries as catalogue
from branches.catalogue import views as catalogue_views
from branches.catalogue.models import Product
from branches.org import dealers_queries, dealers_tabs
from branches.org.models import Dealer, DealerGrade, Unit
from branches.pricing import grid, queries, rules, service
from branches.pricing.models import ListPrice, PriceList, SupplyPrice
from branches.pricing.schemas import CheckSchema, ListSchema
from sdm.auth.models import Role
from sdm.kernel import audit, clock, idempotency
from sdm.kernel.db import db
from sdm.kernel.draft_views import entry_page
from sdm.kernel.errors import TEXTS, FieldError, InvalidInput, RuleViolation
from sdm.kernel.forms import submitted
from sdm.kernel.frame import may
from sdm.kernel.i18n import _, _l, current_locale, error_text, translate
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.picks import Hit, picker
from sdm.kernel.schema import load
from sdm.kernel.web import (
    NavItem,
    errors_of,
    flash,
    grid_problem,
    json_reply,
    nav,
    page,
    register_states,
    render_422,
    see_other,
    url_or_none,
    view,
)

blueprint = Blueprint("pricing", __name__, url_prefix="/prices", template_folder="templates")
NO_ID = UUID(int=0)
TARGETS = {"all": _l("Everyone"), "grade": _l("Grade"), "unit": _l("Unit"), "dealer": _l("Dealer")}
WHY = {
    "dealer": _l("the dealer's own list"),
    "unit": _l("list of its unit or one above"),
    "grade": _l("list of its grade"),
    "all": _l("list for everyone"),
    "fallback": _l("the product's suggested price"),
}
PRICE_ENTRY, SUPPLY_ENTRY = "price_entry", "supply_price_entry"

register_states(
    "price", {"current": (_l("Valid"), "good"), "planned": (_l("Planned"), "info"), "ended": (_l("Ended"), "neutral")}
)
nav.register(
    NavItem("prices", _l("Price lists"), "pricing.index", Permission.PRICE_READ, icon="tags", order=10),
    NavItem("prices", _l("Prices"), "pricing.prices", Permission.PRICE_READ, icon="tag", order=11),
    NavItem("prices", _l("Why this price"), "pricing.check", Permission.PRICE_READ, icon="help-circle", order=12),
    NavItem("prices", _l("Supply prices"), "pricing.supply", Permission.SUPPLY_PRICE_READ, icon="coins", order=20),
    NavItem("prices", _l("Discount authority"), "pricing.authority", Permission.PRICE_READ, icon="discount", order=30),
)
entry_page(PRICE_ENTRY, _l("Prices"), "pricing.enter")
entry_page(SUPPLY_ENTRY, _l("Supply prices"), "pricing.enter_supply")
catalogue_views.register_tab("prices", _l("Prices"), "pricing.of_product", Permission.PRICE_READ, 20)
catalogue_views.register_tab("supply", _l("Supply prices"), "pricing.supply_of", Permission.SUPPLY_PRICE_READ, 21)
dealers_tabs.register(
    dealers_tabs.DealerTab("prices", _l("Prices"), "pricing.of_dealer", Permission.PRICE_READ, order=70)
)


def _named(row: Any) -> str:
    return str((current_locale() == "en" and row.name_en) or row.name)


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


# --- price lists ------------------------------------------------------------------------------------------------------


def _select_lists() -> Select[Any]:
    return (
        select(PriceList)
        .outerjoin(DealerGrade, DealerGrade.code == PriceList.grade_code)
        .outerjoin(Unit, Unit.id == PriceList.unit_id)
        .outerjoin(Dealer, Dealer.id == PriceList.dealer_id)
    )


LISTS = ListSpec(
    name="price_lists",
    title=_l("Price lists"),
    select=_select_lists,
    id=PriceList.id,
    default_sort="code",
    row_endpoint="pricing.show",
    search=(PriceList.code, PriceList.name),
    card_title="name",
    columns=(
        Column("code", _l("Code"), PriceList.code, "code", filter="text"),
        Column("name", _l("Name"), PriceList.name, filter="text"),
        Column("target", _l("For"), PriceList.target, filter="choice", choices=tuple(TARGETS.items())),
        Column("whom", _l("Whom"), func.coalesce(Dealer.name, Unit.name, DealerGrade.name, "")),
        Column("active", _l("Counts"), PriceList.active, "bool", filter="bool"),
    ),
    presets=(
        Preset(_l("For everyone"), "target=all"),
        Preset(_l("By grade"), "target=grade"),
        Preset(_l("By dealer"), "target=dealer"),
    ),
    buttons=(Button(_l("New price list"), "pricing.new", Permission.PRICE_EDIT),),
    empty=_l("Make a price list for everyone, a grade, a unit or one dealer; the most special one with a price wins."),
    empty_button=Button(_l("New price list"), "pricing.new", Permission.PRICE_EDIT),
)


@blueprint.get("/")
@view(Permission.PRICE_READ)
def index() -> AnyResponse | str:
    """Price lists in scope."""
    return render_list(LISTS)


@picker("price_list", Permission.PRICE_READ)
def pick_lists(wanted: str, limit: int) -> list[Hit]:
    """Price lists by code or name."""
    return [Hit(row.id, _named(row), row.code, str(TARGETS[row.target])) for row in queries.pick_lists(wanted, limit)]


@blueprint.get("/<int:id>")
@view(Permission.PRICE_READ)
def show(id: int) -> str:
    """One price list."""
    row = queries.price_list(id)
    may_change = may(Permission.PRICE_EDIT) and service.may_change(row.target, row.unit_id, row.dealer_id)
    steps = []
    if may_change:
        steps = [
            {"label": _("Change"), "url": url_or_none("pricing.edit", id=id), "method": "get", "icon": "edit"},
            {"label": _("Enter prices"), "url": url_or_none("pricing.enter", list_id=id), "method": "get",
             "icon": "plus", "primary": True},
        ]  # fmt: skip
    return page(
        "pricing/show.html",
        list=row,
        name=_named(row),
        target=TARGETS[row.target],
        whom=queries.target_name(row),
        steps=steps,
        rows=queries.first_prices(id, clock.today()),
        history=[
            {"at": at, "who": who, "text": ACTIONS.get(action, action), "note": _told(changes)}
            for at, who, action, changes in reversed(audit.history("price_list", id))
        ],
    )


ACTIONS = {
    "created": _l("Created"),
    "changed": _l("Changed"),
    "prices_entered": _l("Prices entered"),
    "price_ended": _l("A price ended"),
}


def _told(changes: Mapping[str, Any]) -> str:
    if "count" in changes:
        return _("%(count)s prices", count=changes["count"])
    return ", ".join(changes)


@blueprint.route("/new", methods=["GET", "POST"])
@view(Permission.PRICE_EDIT)
def new() -> Any:
    """A new price list."""
    return _list_form(None)


@blueprint.route("/<int:id>/edit", methods=["GET", "POST"])
@view(Permission.PRICE_EDIT)
def edit(id: int) -> Any:
    """Change a price list."""
    return _list_form(queries.price_list(id))


def _list_form(row: PriceList | None) -> Any:
    context = {
        "list": row,
        "whom": queries.target_name(row) if row else "",
        "targets": list(TARGETS.items()),
        "grades": [(grade.code, _named(grade)) for grade in dealers_queries.grades()],
    }
    if request.method == "GET":
        return page("pricing/list_form.html", **context)

    def save(**values: Any) -> AnyResponse:
        if row is None:
            list_id = service.create_list(values)
        else:
            list_id = row.id
            service.change_list(list_id, _version(), values)
        flash(_("Saved"))
        return see_other("pricing.show", id=list_id)

    return submitted(ListSchema(), save, "pricing/list_form.html", **context)


# --- prices -----------------------------------------------------------------------------------------------------------


TODAY = bindparam("sdm_today", callable_=clock.today, type_=Date)


def _first_day(model: Any) -> Any:
    return type_coerce(func.lower(model.valid), Date)


def _last_day(model: Any) -> Any:
    return type_coerce(type_coerce(func.upper(model.valid), Date) - literal(1, Integer), Date)


def _state(model: Any) -> Any:
    """planned, current or ended at the business date."""
    return case(
        (_first_day(model) > TODAY, "planned"),
        (type_coerce(func.upper(model.valid), Date) <= TODAY, "ended"),
        else_="current",
    )


def _select_prices() -> Select[Any]:
    return (
        select(ListPrice)
        .join(PriceList, PriceList.id == ListPrice.list_id)
        .join(Product, Product.id == ListPrice.product_id)
    )


def _end_today(price_id: Any) -> None:
    service.end_price(int(price_id), clock.today())


PRICES = ListSpec(
    name="prices",
    title=_l("Prices"),
    select=_select_prices,
    id=ListPrice.id,
    default_sort="code",
    search=(Product.search, PriceList.code),
    card_title="product",
    extra={"product_id": ListPrice.product_id, "list_id": ListPrice.list_id},
    columns=(
        Column(
            "code", _l("Code"), Product.code, "code", filter="text",
            link=lambda row: url_or_none("catalogue.show", id=row.product_id),
        ),
        Column(
            "product", _l("Product"), Product.name, filter="picker", picker="product", filter_expr=ListPrice.product_id
        ),
        Column(
            "list", _l("Price list"), PriceList.name, filter="picker", picker="price_list",
            filter_expr=ListPrice.list_id, link=lambda row: url_or_none("pricing.show", id=row.list_id),
        ),
        Column("qty_from", _l("From quantity"), ListPrice.qty_from, "quantity"),
        Column("price", _l("Price"), ListPrice.price, "price", filter="number-range"),
        Column("floor_price", _l("Floor price"), ListPrice.floor_price, "price"),
        Column("valid_from", _l("Valid from"), _first_day(ListPrice), "date", filter="date-range"),
        Column("valid_to", _l("Valid to"), _last_day(ListPrice), "date", filter="date-range"),
        Column("state", _l("State"), _state(ListPrice), "state", states="price", filter="choice"),
    ),
    presets=(Preset(_l("Valid"), "state=current"), Preset(_l("Planned"), "state=planned")),
    buttons=(Button(_l("Enter prices"), "pricing.enter", Permission.PRICE_EDIT),),
    actions=(
        BulkAction(
            "end", _l("End today"), _end_today, Permission.PRICE_EDIT,
            confirm=_l("%(count)s prices cannot be chosen from tomorrow on"), tone="bad", icon="x",
        ),
    ),
    empty=_l("Enter prices in a price list or import them."),
)  # fmt: skip


@blueprint.route("/entries", methods=["GET", "POST"])
@view(Permission.PRICE_READ)
def prices() -> AnyResponse | str:
    """Prices of all lists in scope with their validity."""
    return render_list(PRICES)


SUPPLY = ListSpec(
    name="supply_prices",
    title=_l("Supply prices"),
    select=lambda: select(SupplyPrice).join(Product, Product.id == SupplyPrice.product_id),
    id=SupplyPrice.id,
    default_sort="code",
    search=(Product.search,),
    card_title="product",
    extra={"product_id": SupplyPrice.product_id},
    columns=(
        Column(
            "code", _l("Code"), Product.code, "code", filter="text",
            link=lambda row: url_or_none("catalogue.show", id=row.product_id),
        ),
        Column(
            "product", _l("Product"), Product.name, filter="picker", picker="product",
            filter_expr=SupplyPrice.product_id,
        ),
        Column("price", _l("Supply price, net"), SupplyPrice.price, "price", filter="number-range"),
        Column("valid_from", _l("Valid from"), _first_day(SupplyPrice), "date", filter="date-range"),
        Column("valid_to", _l("Valid to"), _last_day(SupplyPrice), "date", filter="date-range"),
        Column("state", _l("State"), _state(SupplyPrice), "state", states="price", filter="choice"),
    ),
    presets=(Preset(_l("Valid"), "state=current"), Preset(_l("Planned"), "state=planned")),
    buttons=(Button(_l("Enter supply prices"), "pricing.enter_supply", Permission.SUPPLY_PRICE_EDIT),),
    empty=_l("Enter the price at which head office supplies each product, or import the list."),
)  # fmt: skip


@blueprint.get("/supply")
@view(Permission.SUPPLY_PRICE_READ)
def supply() -> AnyResponse | str:
    """Supply prices by period (PP-07)."""
    return render_list(SUPPLY)


# --- entry ------------------------------------------------------------------------------------------------------------


def _columns(*more: dict[str, Any], price: str) -> list[dict[str, Any]]:
    return [
        {"key": "product", "label": _("Product"), "type": "picker", "edit": True, "required": True,
         "pick": url_or_none("pick.product"), "width": 320},
        *more,
        {"key": "price", "label": price, "type": "price", "edit": True, "required": True, "width": 130},
        {"key": "valid_from", "label": _("Valid from"), "type": "date", "edit": True, "width": 130},
        {"key": "valid_to", "label": _("Valid to"), "type": "date", "edit": True, "width": 130},
    ]  # fmt: skip


def _config(kind: str, columns: list[dict[str, Any]], quote: str, submit: str, leave: str | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "columns": columns,
        "lines": [],
        "urls": {
            "quote": url_or_none(quote),
            "submit": url_or_none(submit),
            "draft": url_or_none("drafts.item", draft_id=NO_ID),
            "leave": leave,
        },
        "actions": [{"key": "save", "label": _("Enter prices"), "primary": True}],
        "line_max": service.ENTRIES_MAX,
    }


@blueprint.get("/enter")
@view(Permission.PRICE_EDIT)
def enter() -> str:
    """The entry grid of prices of one list."""
    list_id = request.args.get("list_id", type=int)
    row = queries.price_list(list_id) if list_id else None
    quantity = {"key": "qty_from", "label": _("From quantity"), "type": "quantity", "edit": True, "width": 110}
    floor = {"key": "floor_price", "label": _("Floor price"), "type": "price", "edit": True, "width": 120}
    now = {"key": "now", "label": _("Valid now"), "type": "price", "width": 110}
    columns = _columns(quantity, now, price=_("New price"))
    columns[4:4] = [floor]
    columns += [
        {"key": "supply_price", "label": _("Supply price"), "type": "price", "width": 110, "phone": False},
        {"key": "margin", "label": _("Margin"), "type": "text", "width": 90, "phone": False},
    ]
    if not may(Permission.SUPPLY_PRICE_READ):
        columns = columns[:-2]
    leave = url_or_none("pricing.show", id=row.id) if row else url_or_none("pricing.index")
    config = _config(PRICE_ENTRY, columns, "pricing.quote_entry", "pricing.submit_entry", leave)
    return page("pricing/enter.html", config=config, list=row, today=clock.today())


@blueprint.get("/supply/enter")
@view(Permission.SUPPLY_PRICE_EDIT)
def enter_supply() -> str:
    """The entry grid of supply prices."""
    now = {"key": "now", "label": _("Valid now"), "type": "price", "width": 120}
    columns = _columns(now, price=_("New supply price, net"))
    leave = url_or_none("pricing.supply")
    config = _config(SUPPLY_ENTRY, columns, "pricing.quote_supply", "pricing.submit_supply", leave)
    return page("pricing/enter_supply.html", config=config, today=clock.today())


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _head(body: Mapping[str, Any]) -> tuple[int | None, date, dict[str, str]]:
    """(list, first day of lines without one, faults of the head)."""
    given = body.get("head")
    head = given if isinstance(given, Mapping) else {}
    faults: dict[str, str] = {}
    text, day = str(head.get("list_id") or ""), str(head.get("valid_from") or "").strip()
    list_id = int(text) if text.isdecimal() and len(text) < 19 else None
    if list_id is None:
        faults["list_id"] = error_text(FieldError("list_id", "input.required"))
    start = clock.today()
    try:
        start = date.fromisoformat(day) if day else start
    except ValueError:
        faults["valid_from"] = error_text(FieldError("valid_from", "input.date", day[:40]))
    return list_id, start, faults


NUMBERS = ("qty_from", "price", "floor_price")


@blueprint.post("/enter/quote")
@view(Permission.PRICE_EDIT)
def quote_entry() -> Response:
    """Answer of one change of the grid."""
    body = _body()
    list_id, start, faults = _head(body)
    lines = grid.read_lines(body.get("lines") or [], NUMBERS, start)
    if list_id is not None:
        queries.price_list(list_id)
    answers = grid.answer_prices(lines, list_id or 0)
    if not may(Permission.SUPPLY_PRICE_READ):
        for found in answers.values():
            found["values"].pop("supply_price", None)
            found["values"].pop("margin", None)
    return _quoted(lines, answers, faults)


@blueprint.post("/supply/enter/quote")
@view(Permission.SUPPLY_PRICE_EDIT)
def quote_supply() -> Response:
    """Answer of one change of the grid."""
    body = _body()
    _list, start, faults = _head(body)
    faults.pop("list_id", None)
    lines = grid.read_lines(body.get("lines") or [], ("price",), start)
    return _quoted(lines, grid.answer_supply(lines), faults)


def _quoted(lines: Sequence[grid.PriceLine], answers: dict[str, Any], faults: dict[str, str]) -> Response:
    filled = sum(not line.empty for line in lines)
    facts = [{"label": _("Lines"), "value": str(filled)}]
    return json_reply({"lines": answers, "head_errors": faults, "holds": [], "facts": facts, "note": ""})


@blueprint.post("/enter/submit")
@view(Permission.PRICE_EDIT)
def submit_entry() -> Response:
    """Enter all prices at once or none; every fault with its cell."""
    body = _body()
    list_id, start, faults = _head(body)
    lines = grid.read_lines(body.get("lines") or [], NUMBERS, start)
    return _submitted(
        body, lines, faults, lambda: service.enter_prices(list_id or 0, grid.price_entries(lines)),
        url_or_none("pricing.show", id=list_id) if list_id else None,
    )  # fmt: skip


@blueprint.post("/supply/enter/submit")
@view(Permission.SUPPLY_PRICE_EDIT)
def submit_supply() -> Response:
    """Enter all supply prices at once or none; every fault with its cell."""
    body = _body()
    _list, start, faults = _head(body)
    faults.pop("list_id", None)
    lines = grid.read_lines(body.get("lines") or [], ("price",), start)
    return _submitted(
        body, lines, faults, lambda: service.enter_supply_prices(grid.supply_entries(lines)),
        url_or_none("pricing.supply"),
    )  # fmt: skip


def _submitted(
    body: Mapping[str, Any], lines: Sequence[grid.PriceLine], head: Mapping[str, str], enter_all: Any, location: Any
) -> Response:
    pointers = {f"/head/{name}": text for name, text in head.items()} | grid.pointers(lines)
    if pointers:
        return grid_problem(pointers)
    key = request.headers.get("Idempotency-Key", "")
    if key:
        idempotency.begin(key, request.path, body)
    try:
        done = enter_all()
    except InvalidInput as error:
        db.session.rollback()
        places = grid.place_of(lines)
        return grid_problem({_pointer(fault.field, places): error_text(fault) for fault in error.errors})
    except RuleViolation as error:
        db.session.rollback()
        return grid_problem({"/head/list_id": error_text(error)})
    finally:
        idempotency.clear()
    flash(_("%(count)s prices entered", count=done["added"]))
    return json_reply({"location": location}, 201)


def _pointer(name: str, places: Sequence[int]) -> str:
    """`lines.2.price` of the entries as the pointer of the cell in the grid."""
    parts = name.split(".")
    if len(parts) == 3 and parts[1].isdecimal() and int(parts[1]) < len(places):
        return f"/lines/{places[int(parts[1])]}/{parts[2]}"
    return "/lines"


# --- on the pages of products and dealers -----------------------------------------------------------------------------


def _validity(valid: Any) -> dict[str, Any]:
    today = clock.today()
    last = valid.upper - timedelta(days=1) if valid.upper else None
    ended = last is not None and last < today
    planned = valid.lower is not None and valid.lower > today
    state = "planned" if planned else "ended" if ended else "current"
    return {"valid_from": valid.lower, "valid_to": last, "state": state}


@blueprint.get("/of-product/<int:id>")
@view(Permission.PRICE_READ)
def of_product(id: int) -> str:
    """Tab of a product: its prices in all lists."""
    catalogue.product(id)
    rows = [
        {**row._mapping, "url": url_or_none("pricing.show", id=row.list_id), "for": TARGETS[row.target],
         **_validity(row.valid)}
        for row in queries.prices_of_product(id)
    ]  # fmt: skip
    return page("pricing/of_product.html", rows=rows)


@blueprint.get("/supply/of-product/<int:id>")
@view(Permission.SUPPLY_PRICE_READ)
def supply_of(id: int) -> str:
    """Tab of a product: its supply price history (PP-07)."""
    catalogue.product(id)
    rows = [{"price": row.price, **_validity(row.valid)} for row in queries.supply_history(id)]
    return page("pricing/supply_of.html", rows=rows)


@blueprint.get("/of-dealer/<int:id>")
@view(Permission.PRICE_READ)
def of_dealer(id: int) -> str:
    """Tab of a dealer: the price lists that count for it, the one that wins first."""
    dealer = dealers_queries.dealer(id)
    rows = [
        {"place": place, "code": row.code, "name": _named(row), "for": TARGETS[row.target], "products": row.products,
         "url": url_or_none("pricing.show", id=row.id)}
        for place, row in enumerate(queries.lists_of_dealer(dealer, clock.today()), start=1)
    ]  # fmt: skip
    return page("pricing/of_dealer.html", rows=rows, dealer=dealer)


# --- why a price ------------------------------------------------------------------------------------------------------


@blueprint.get("/check")
@view(Permission.PRICE_READ)
def check() -> Any:
    """What a dealer pays for a product, quantity and date, and why."""
    typed = {name: value for name, value in request.args.items() if value and not name.endswith("_text")}
    if not typed:
        return page("pricing/check.html", today=clock.today(), result=None, names={})
    try:
        values = load(CheckSchema(), typed)
    except InvalidInput as error:
        return render_422("pricing/check.html", errors_of(error), today=clock.today(), result=None, names={})
    dealer = dealers_queries.dealer(values["dealer_id"])
    product = catalogue.product(values["product_id"])
    on = values["on"] or clock.today()
    basis = queries.price_basis(dealer.id, [product.id], on)
    line = rules.price_lines(basis, [rules.WantedLine(product.id, values["qty"])])[0]
    return page(
        "pricing/check.html",
        today=on,
        result=_explained(line, basis),
        line=line,
        names={"dealer": dealer, "product": product, "qty": values["qty"]},
    )


def _explained(line: rules.PricedLine, basis: rules.PriceBasis) -> dict[str, Any]:
    """The explanation in words, and every step that was looked at in order."""
    story = line.explanation
    chosen = rules.choose(basis.products[line.product_id].steps, line.qty)
    steps = [
        {
            "list": step.list_name,
            "url": url_or_none("pricing.show", id=step.list_id),
            "why": WHY[step.target],
            "qty_from": step.qty_from,
            "price": step.price,
            "valid_from": step.valid_from,
            "valid_to": step.valid_to,
            "taken": _("taken") if step == chosen else "",
        }
        for step in basis.products[line.product_id].steps
    ]
    problems = [translate(TEXTS[code], {"floor": line.floor_price, "authority": ""}) for code in line.problems]
    return {"why": WHY.get(story.get("why", "")), "steps": steps, "problems": problems}


# --- authority --------------------------------------------------------------------------------------------------------


@blueprint.route("/authority", methods=["GET", "POST"])
@view(Permission.PRICE_READ)
def authority() -> Any:
    """How far below the list price each role may go."""
    roles = [(row.code, _named(row)) for row in db.session.execute(select(Role).order_by(Role.id)).scalars()]
    stored = queries.authorities()
    shown = {code: f"{(rate * 100).normalize():f}" for code, rate in stored.items()}
    context = {"roles": roles, "rates": shown, "may_change": may(Permission.PRICE_EDIT)}
    if request.method == "GET":
        return page("pricing/authority.html", **context)
    try:
        service.set_authority(_rates([code for code, _name in roles]))
    except InvalidInput as error:
        return render_422("pricing/authority.html", errors_of(error), **context)
    flash(_("Saved"))
    return see_other("pricing.authority")


def _rates(roles: Sequence[str]) -> dict[str, Decimal | None]:
    """Typed percentages as rates; an empty one is none."""
    rates: dict[str, Decimal | None] = {}
    faults = []
    for role in roles:
        text = request.form.get(f"rate_{role}", "").replace("%", "").replace("％", "").strip()
        try:
            rates[role] = Decimal(text) / 100 if text else None
        except InvalidOperation:
            faults.append(FieldError(f"rate_{role}", "input.number", text[:40]))
    if faults:
        raise InvalidInput(faults)
    return rates
