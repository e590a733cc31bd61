"""A small application on the frame: one page of each kind, without any table of the product."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask, abort, jsonify, request
from flask_babel import lazy_gettext as _l
from marshmallow import Schema, fields, validate
from sqlalchemy import BigInteger, Date, Integer, Numeric, String, case, cast, column, func, literal, select, true

from sdm.kernel.actor import Actor, set_actor
from sdm.kernel.errors import Conflict
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.scope_value import EVERYTHING
from sdm.kernel.web import (
    NavItem,
    flash,
    form_or_422,
    json_reply,
    nav,
    page,
    register_states,
    see_other,
    url_or_none,
    view,
)

ROWS = 12_345
views = Blueprint("ui_demo", __name__, url_prefix="/ui-demo", template_folder="ui_demo_templates")
register_states(
    "ui_order",
    {
        "open": (_l("Open"), "info"),
        "held": (_l("Held"), "bad"),
        "shipped": (_l("Shipped"), "warn"),
        "done": (_l("Done"), "good"),
    },
)
n = func.generate_series(1, ROWS).table_valued(column("n", BigInteger), name="s").render_derived().c.n.label("n")
HOSTILE = "=cmd|'/c calc'!A1 成都川威家电连锁经营有限责任公司"
NUMBER = literal("SO") + func.lpad(cast(n, String), 8, "0")
DEALER = case((n % 3 == 0, "杭州恒信电器有限公司"), (n % 3 == 1, "Harbour Trading"), else_=HOSTILE)
STATE = case((n % 9 == 0, "held"), (n % 4 == 0, "open"), (n % 4 == 1, "shipped"), else_="done")
AMOUNT = cast(n * 137.25 - 5000, Numeric(18, 2))
DAY = cast(literal(date(2026, 1, 1)) + cast(n % 300, Integer), Date)
done: list[int] = []


def release(row_id: int) -> str:
    """Every third row refuses."""
    if int(row_id) % 3 == 0:
        raise Conflict("transition.illegal", kind="order", state="done", action="released")
    done.append(int(row_id))
    return f"SO{int(row_id):08d}"


LIST = ListSpec(
    name="ui_orders",
    title=_l("Sales orders"),
    select=lambda: select(n),
    id=n,
    default_sort="-number",
    row_endpoint="ui_demo.show",
    row_arg="order_id",
    search=(NUMBER, DEALER),
    columns=(
        Column("number", _l("Number"), NUMBER, "code", filter="text"),
        Column("day", _l("Document date"), DAY, "date", filter="date-range"),
        Column("dealer", _l("Dealer"), DEALER, filter="picker", picker="ui_dealer", filter_expr=n % 3),
        Column("state", _l("State"), STATE, "state", states="ui_order", filter="choice"),
        Column("qty", _l("Quantity"), cast(n * 0.5, Numeric(18, 3)), "quantity", filter="number-range", total=True),
        Column("amount", _l("Amount"), AMOUNT, "amount", filter="number-range", total=True),
        Column("urgent", _l("Urgent"), n % 10 == 0, "bool", filter="bool", visible=False),
    ),
    presets=(Preset(_l("Held"), "state=held"), Preset(_l("Open"), "state=open")),
    buttons=(Button(_l("New order"), "ui_demo.grid"),),
    actions=(BulkAction("release", _l("Release"), release, confirm=_l("Release %(count)s orders?")),),
    empty=_l("Enter the first order."),
)


@views.route("/orders", methods=["GET", "POST"])
@view()
def index() -> Any:
    return render_list(LIST)


@views.route("/none", methods=["GET"])
@view()
def none() -> Any:
    from dataclasses import replace

    return render_list(replace(LIST, name="ui_none", select=lambda: select(n).where(~true())))


@views.get("/orders/<int:order_id>")
@view()
def show(order_id: int) -> str:
    return page("ui_demo/document.html", number=f"SO{order_id:08d}", lines=[dict(LINE, no=i) for i in range(1, 5)])


LINE = {
    "code": "BCD-258",
    "product": "三门冰箱 BCD-258WTPZ",
    "qty": Decimal("12.000"),
    "price": Decimal("1299.5"),
    "amount": Decimal("15594"),
}


class DealerIn(Schema):
    name = fields.String(required=True, validate=validate.Length(max=200))
    limit = fields.Decimal()


@views.route("/form", methods=["GET", "POST"])
@view()
def form() -> Any:
    if request.method == "GET":
        return page("ui_demo/form.html")
    values, again = form_or_422(DealerIn(), "ui_demo/form.html")
    if again:
        return again
    flash(f"Saved {values['name']}")
    return see_other("ui_demo.form")


@views.get("/board")
@view()
def board() -> str:
    figure = {
        "data": [
            {
                "type": "bar",
                "x": ["杭州", "成都", "</script><b>西安"],
                "y": [31, 25, 12],
                "customdata": ["/ui-demo/orders"] * 3,
            }
        ],
        "layout": {},
    }
    trend = {"data": [{"type": "scatter", "mode": "lines", "y": [3, 4, 2, 6, 7, 6, 9]}], "layout": {}}
    return page("ui_demo/board.html", figure=figure, trend=trend, at=datetime(2026, 11, 21, 6, 0, tzinfo=UTC))


@views.get("/wizard")
@view()
def wizard() -> str:
    faults = [{"row": 3, "column": "数量", "value": "-1", "reason": "must be greater than 0"}]
    return page("ui_demo/wizard.html", faults=faults)


# --- entry grid -------------------------------------------------------------------------------------------------------

PRODUCTS = {i: {"id": i, "code": f"P{i:04d}", "label": f"冰箱 {i}", "hint": f"69012345{i:05d}"} for i in range(1, 301)}
BY_TEXT = {text: item for item in PRODUCTS.values() for text in (item["code"], item["hint"], item["label"])}
state: dict[str, Any] = {
    "quotes": 0,
    "drafts": {},
    "submits": [],
    "orders": {},
    "down": 0,
    "signed_out": False,
    "fail": None,
}


def cell(key: str, kind: str, width: int, edit: bool = True) -> dict[str, Any]:
    """A column of the entry grid."""
    return {"key": key, "label": key.capitalize(), "type": kind, "edit": edit, "width": width}


@views.get("/grid")
@view()
def grid() -> str:
    none_id = "00000000-0000-0000-0000-000000000000"
    config = {
        "kind": "ui_order",
        "columns": [
            {**cell("product", "picker", 280), "required": True, "pick": url_or_none("pick_demo.product")},
            {**cell("qty", "quantity", 100), "required": True, "default": "1"},
            cell("price", "price", 110),
            cell("stock", "quantity", 100, edit=False),
            cell("amount", "amount", 120, edit=False),
            cell("note", "text", 160),
        ],
        "urls": {
            "quote": url_or_none("ui_demo.quote"),
            "submit": url_or_none("ui_demo.submit"),
            "draft": url_or_none("ui_demo.draft", draft_id=none_id),
            "leave": url_or_none("ui_demo.index"),
        },
        "actions": [
            {"key": "save", "label": "Keep as quotation"},
            {"key": "confirm", "label": "Submit", "primary": True},
        ],
        "lines": [],
    }
    return page("ui_demo/grid.html", config=config)


@views.post("/quote")
@view()
def quote() -> Any:
    """Price, stock and total of all lines in one answer."""
    state["quotes"] += 1
    data = request.get_json()
    total, lines = Decimal(0), {}
    for line in data["lines"]:
        lines[line["key"]] = answer = {"values": {}, "errors": {}}
        product = line.get("product") or {}
        known = PRODUCTS.get(product.get("id")) or BY_TEXT.get(product.get("text", ""))
        if not known:
            answer["errors"]["product"] = f"{product.get('text', '')} does not exist; choose one from the list"
            continue
        answer["values"]["product"] = known
        try:
            qty = Decimal(line.get("qty") or "0")
        except ArithmeticError:
            answer["errors"]["qty"] = "not a number"
            continue
        if qty <= 0:
            answer["errors"]["qty"] = "must be greater than 0"
        price = Decimal(line.get("price") or known["id"])
        answer["values"] |= {"price": f"{price:.2f}", "stock": str(known["id"] * 10), "amount": f"{qty * price:.2f}"}
        total += qty * price
    facts = [{"label": "Total", "value": f"{total:,.2f}"}, {"label": "Headroom", "value": "12,000.00", "tone": "warn"}]
    holds = ["Credit: 300.00 above the limit"] if total > 5000 else []
    return json_reply({"lines": lines, "facts": facts, "holds": holds})


@views.route("/drafts/<uuid:draft_id>", methods=["GET", "PUT", "DELETE"])
@view()
def draft(draft_id: Any) -> Any:
    key = str(draft_id)
    if request.method == "PUT":
        state["drafts"][key] = request.get_json()
        return json_reply({"saved_at": datetime.now(UTC)})
    if request.method == "DELETE":
        state["drafts"].pop(key, None)
        return "", 204
    if key not in state["drafts"]:
        return "", 204
    return json_reply({"saved_at": datetime.now(UTC), "content": state["drafts"][key]})


@views.post("/submit")
@view()
def submit() -> Any:
    if state["signed_out"]:
        abort(401)
    key = request.headers["Idempotency-Key"]
    state["submits"].append(key)
    if state["down"]:
        state["down"] -= 1
        abort(503)
    if state["fail"]:
        body, state["fail"] = state["fail"], None
        response = jsonify(body)
        response.mimetype = "application/problem+json"
        return response, 422
    state["orders"].setdefault(key, request.get_json())
    return json_reply({"location": url_or_none("ui_demo.show", order_id=1)}, 201)


picks = Blueprint("pick_demo", __name__, url_prefix="/ui-demo/pick")


@picks.get("/product")
@view()
def product() -> Any:
    text = request.args.get("q", "").lower()
    hits = [p for p in PRODUCTS.values() if text in p["code"].lower() or text in p["label"] or text in p["hint"]]
    return json_reply({"items": hits[:10]})


@picks.get("/dealer")
@view()
def dealer() -> Any:
    names = ["杭州恒信电器有限公司", "Harbour Trading", "成都川威家电"]
    return json_reply({"items": [{"id": i, "code": f"D{i}", "label": name} for i, name in enumerate(names)]})


@picks.post("/sign-in")
@view(public=True)
def sign_in() -> Any:
    if request.form.get("password") != "right":
        return json_reply({"detail": "User name or password is wrong"}, 401)
    state["signed_out"] = False
    return json_reply({"ok": True})


@picks.get("/search")
@view()
def search() -> Any:
    hit = {"label": "SO00000012", "hint": "Harbour Trading", "url": "/ui-demo/orders/12"}
    return json_reply({"groups": [{"label": "Sales orders", "hits": [hit]}]})


@picks.get("/badge")
@view()
def badge() -> str:
    return "7"


def put(app: Flask, endpoint: str, rule: str, function: Any) -> None:
    """Answer an endpoint of the frame here, whether or not the product has it already."""
    if endpoint in app.view_functions:
        app.view_functions[endpoint] = function
    else:
        app.add_url_rule(rule, endpoint, function, methods=["GET", "POST"])


def install(app: Flask) -> Flask:
    """Put the pages into an application; everybody is signed in as one clerk."""
    app.before_request(lambda: set_actor(Actor(1, "王小明", frozenset(), EVERYTHING, all_permissions=True)))
    app.register_blueprint(views)
    app.register_blueprint(picks)
    put(app, "search.quick", "/ui-demo/search", search)
    put(app, "cases.badge", "/ui-demo/badge", badge)
    put(app, "pick.ui_dealer", "/ui-demo/pick-dealer", dealer)
    put(app, "auth.sign_in", "/ui-demo/sign-in", sign_in)
    app.jinja_env.globals["units"] = list
    nav.register(
        NavItem("sales", _l("Sales orders"), "ui_demo.index", icon="shopping-cart", order=20),
        NavItem("sales", _l("New order"), "ui_demo.grid", icon="plus", order=10),
        NavItem("dealers", _l("Dealer"), "ui_demo.form", icon="building-store"),
        NavItem("cockpit", _l("Cockpit"), "ui_demo.board", icon="gauge"),
        NavItem("system", _l("Import"), "ui_demo.wizard", icon="table-import"),
    )
    return app
