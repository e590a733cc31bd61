"""Pages of dealers: list, one page per dealer, forms, grades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, request
from sqlalchemy import Select, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.org import dealers_queries as queries
from branches.org import dealers_service as service
from branches.org import dealers_tabs as tabs
from branches.org import queries as org
from branches.org.dealers_schemas import (
    BlockSchema,
    ContactSchema,
    DealerSchema,
    GradeSchema,
    MergeSchema,
    MoveSchema,
    NewDealerSchema,
)
from branches.org.models import Dealer, DealerGrade, Person, Unit
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.errors import Conflict
from sdm.kernel.forms import submitted
from sdm.kernel.frame import may
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.picks import Hit, picker
from sdm.kernel.web import NavItem, flash, nav, page, register_states, see_other, url_or_none, view

blueprint = Blueprint("dealers", __name__, url_prefix="/dealers", template_folder="templates")

register_states(
    "dealer",
    {"active": (_l("Active"), "good"), "blocked": (_l("Blocked"), "bad"), "inactive": (_l("Inactive"), "neutral")},
)
nav.register(
    NavItem("dealers", _l("Dealers"), "dealers.index", Permission.DEALER_READ, icon="building-store", order=10),
    NavItem("dealers", _l("Dealer grades"), "dealers.grades", Permission.DEALER_READ, icon="star", order=80),
)
MODES = {"prepaid": _l("Cash before shipment"), "term": _l("Term payment"), "consignment": _l("Consignment")}
CHANNEL_LIST = "dealer_channel"
ACTIONS = {
    "created": _l("Created"),
    "changed": _l("Changed"),
    "blocked": _l("Blocked"),
    "active": _l("Active again"),
    "inactive": _l("Inactive"),
    "moved": _l("Moved in the channel"),
    "merged": _l("Merged into another dealer"),
    "took_over": _l("Took over a double"),
    "contact_saved": _l("Contact changed"),
    "contact_removed": _l("Contact removed"),
}
_Parent = aliased(Dealer)


def _select() -> Select[Any]:
    return (
        select(Dealer)
        .join(Unit, Unit.id == Dealer.unit_id)
        .join(DealerGrade, DealerGrade.code == Dealer.grade_code)
        .outerjoin(Person, Person.id == Dealer.manager_id)
        .outerjoin(_Parent, _Parent.id == Dealer.parent_dealer_id)
    )


def _grade_choices() -> list[tuple[str, str]]:
    return [(grade.code, _named(grade)) for grade in queries.grades(active_only=False)]


def _named(row: Any) -> str:
    """The English name for English readers where there is one."""
    return str(row.name_en or row.name) if current_locale() == "en" else str(row.name)


LIST = ListSpec(
    name="dealers",
    title=_l("Dealers"),
    select=_select,
    id=Dealer.id,
    default_sort="code",
    row_endpoint="dealers.show",
    search=(Dealer.search,),
    card_title="name",
    columns=(
        Column("code", _l("Code"), Dealer.code, "code", filter="text"),
        Column("name", _l("Name"), Dealer.name, filter="text"),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Dealer.unit_id),
        Column("grade", _l("Grade"), Dealer.grade_code, filter="choice", choices=_grade_choices),
        Column("mode", _l("Settlement"), Dealer.settlement_mode, filter="choice", choices=tuple(MODES.items())),
        Column("term", _l("Payment days"), Dealer.term_days, "integer", filter="number-range"),
        Column("manager", _l("Responsible"), Person.name, filter="picker", picker="person", filter_expr=Person.id),
        Column("phone", _l("Phone"), Dealer.phone),
        Column("status", _l("State"), Dealer.status, "state", states="dealer", filter="choice"),
        Column("city", _l("City"), Dealer.city, filter="text", visible=False),
        Column("province", _l("Province"), Dealer.province, filter="text", visible=False),
        Column("tax_no", _l("Tax number"), Dealer.tax_no, "code", filter="text", visible=False),
        Column(
            "parent", _l("Channel parent"), _Parent.name, filter="picker", picker="dealer",
            filter_expr=Dealer.parent_dealer_id, visible=False,
        ),
        Column("channel", _l("Channel"), Dealer.channel, filter="text", visible=False),
        Column("taken_on", _l("Taken on"), Dealer.taken_on, "bool", filter="bool", visible=False),
    ),
    presets=(Preset(_l("Active"), "status=active"), Preset(_l("Blocked"), "status=blocked")),
    buttons=(Button(_l("New dealer"), "dealers.new", Permission.DEALER_EDIT),),
    actions=(
        BulkAction(
            "deactivate",
            _l("Set inactive"),
            lambda dealer_id: service.deactivate_dealer(int(dealer_id)),
            Permission.DEALER_EDIT,
            confirm=_l("%(count)s dealers can no longer be chosen; their documents and balances stay"),
            tone="bad",
            icon="x",
        ),
    ),
    empty=_l("Enter the first dealer or import the list."),
    empty_button=Button(_l("New dealer"), "dealers.new", Permission.DEALER_EDIT),
)  # fmt: skip


@picker("dealer", Permission.DEALER_READ)
def pick_dealers(wanted: str, limit: int) -> list[Hit]:
    """Dealers by code, name, initials, phone or tax number; `unit_id` narrows to one unit."""
    unit_id = request.args.get("unit_id", "")
    found = queries.pick(wanted, limit, int(unit_id) if unit_id.isdecimal() and len(unit_id) < 18 else None)
    known = org.tree().units
    return [Hit(row.id, row.name, row.code, _hint(row, known)) for row in found]


def _hint(row: Dealer, known: dict[int, org.UnitNode]) -> str:
    unit = known.get(row.unit_id)
    words = [unit.name if unit else "", row.city, _("Blocked") if row.status == "blocked" else ""]
    return " · ".join(word for word in words if word)


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.DEALER_READ)
def index() -> AnyResponse | str:
    """All dealers in scope."""
    return render_list(LIST)


@blueprint.get("/<int:id>")
@view(Permission.DEALER_READ)
def show(id: int) -> str:
    """One page for a dealer: master data, figures, and the tabs other packages give (CD-11)."""
    shown = queries.dealer_page(id)
    return page(
        "dealers/show.html",
        shown=shown,
        dealer=shown.dealer,
        modes=MODES,
        steps=_steps(shown.dealer),
        tabs=tabs.visible(id),
        figures=tabs.figures_of(id),
        history=[
            {"at": at, "who": who, "text": ACTIONS.get(action, action), "note": _changes(changes)}
            for at, who, action, changes in reversed(audit.history("dealer", id))
        ],
        today=clock.today(),
    )


def _changes(changes: dict[str, Any]) -> str:
    """Old and new values in one line."""
    pairs = [(key, value) for key, value in changes.items() if isinstance(value, list) and len(value) == 2]
    return ", ".join(f"{key}: {'' if old is None else old} → {'' if new is None else new}" for key, (old, new) in pairs)


def _steps(dealer: Dealer) -> list[dict[str, Any]]:
    """What may be done with the dealer now."""
    if dealer.merged_into_id is not None:
        return []
    fields = {"version": dealer.version}

    def post(endpoint: str, label: str, **more: Any) -> dict[str, Any]:
        return {"label": label, "url": url_or_none(endpoint, id=dealer.id), "fields": fields, **more}

    def get(endpoint: str, label: str, **more: Any) -> dict[str, Any]:
        return {"label": label, "url": url_or_none(endpoint, id=dealer.id), "method": "get", **more}

    edit = [get("dealers.move", _("Move in the channel"), icon="git-branch"),
            get("dealers.merge", _("Merge"), icon="git-merge")]  # fmt: skip
    if dealer.status == "inactive":
        edit += [post("dealers.reactivate", _("Set active"), icon="refresh")]
    else:
        told = _("%(name)s can no longer be chosen; its documents and balances stay", name=dealer.name)
        edit += [post("dealers.deactivate", _("Set inactive"), icon="x", confirm=told)]
    edit += [get("dealers.edit", _("Change"), icon="edit", primary=True)]
    block = []
    if dealer.status == "blocked":
        block = [post("dealers.unblock", _("Lift the block"), icon="lock-open")]
    elif dealer.status == "active":
        block = [get("dealers.block", _("Block"), icon="lock", tone="bad")]
    return [*(block if may(Permission.DEALER_BLOCK) else []), *(edit if may(Permission.DEALER_EDIT) else [])]


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


# --- forms ------------------------------------------------------------------------------------------------------------


def _choices() -> dict[str, Any]:
    channels = [(option.code, _named(option)) for option in org.options(CHANNEL_LIST)]
    return {
        "grades": [(grade.code, _named(grade)) for grade in queries.grades()],
        "modes": list(MODES.items()),
        "channels": channels,
    }


@blueprint.route("/new", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def new() -> AnyResponse | str | tuple[str, int]:
    """A new dealer; similar ones are shown before it is entered (CD-02)."""
    context: dict[str, Any] = {**_choices(), "dealer": None, "names": _one_unit(), "similar": []}
    if request.method == "GET":
        return page("dealers/form.html", **context)

    def create(**values: Any) -> AnyResponse:
        contact = {"name": values.pop("contact_name"), "phone": values.pop("contact_phone")}
        parent_id, another_one = values.pop("parent_id"), values.pop("another_one")
        contacts = [contact] if contact["name"] else []
        try:
            dealer_id = service.create_dealer(values, parent_id=parent_id, contacts=contacts, another_one=another_one)
        except Conflict as error:
            context["similar"].extend(_similar(error))
            raise
        flash(_("Dealer %(name)s created", name=values["name"]))
        return see_other("dealers.show", id=dealer_id)

    return submitted(NewDealerSchema(), create, "dealers/form.html", **context)


def _similar(error: Conflict) -> list[dict[str, Any]]:
    if error.code == "dealer.tax_no_elsewhere":
        return [{"name": error.details["unit"], "url": None, "code": "", "why": _("same tax number")}]
    why = {"name": _("similar name"), "tax_no": _("same tax number"), "phone": _("same phone")}
    return [
        {**found, "why": why[found["why"]], "url": url_or_none("dealers.show", id=found["id"])}
        for found in error.details.get("similar", [])
    ]


def _one_unit() -> dict[str, Any]:
    """The unit of a person who works in one, chosen already."""
    unit_id = current().unit_id
    node = org.tree().units.get(unit_id or 0)
    return {"unit_id": node.id, "unit": node.name} if node and node.kind != "head_office" else {}


@blueprint.route("/<int:id>/edit", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def edit(id: int) -> AnyResponse | str | tuple[str, int]:
    """Change master data."""
    shown = queries.dealer_page(id)
    names = {
        "unit": shown.unit_name,
        "manager": shown.manager_name or "",
        "payer": shown.payer.name if shown.dealer.payer_id else "",
    }
    context = {**_choices(), "dealer": shown.dealer, "names": names, "similar": []}
    if request.method == "GET":
        return page("dealers/form.html", **context)

    def change(**values: Any) -> AnyResponse:
        if not values["code"]:
            values.pop("code")
        service.change_dealer(id, _version(), values)
        flash(_("Saved"))
        return see_other("dealers.show", id=id)

    return submitted(DealerSchema(), change, "dealers/form.html", **context)


def _small_form(id: int, schema: Any, template: str, action: Callable[..., Any], done: str) -> Any:
    """A form of a few fields about one dealer: shown, then carried out."""
    shown = queries.dealer_page(id)
    context = {"shown": shown, "dealer": shown.dealer, "today": clock.today()}
    if request.method == "GET":
        return page(template, **context)

    def run(**values: Any) -> AnyResponse:
        action(**values)
        flash(done)
        return see_other("dealers.show", id=values.get("target_id", id))

    return submitted(schema, run, template, **context)


@blueprint.route("/<int:id>/block", methods=["GET", "POST"])
@view(Permission.DEALER_BLOCK)
def block(id: int) -> Any:
    """Block with a reason."""
    return _small_form(
        id, BlockSchema(), "dealers/block.html", lambda reason: service.block_dealer(id, reason, _version()),
        _("The dealer is blocked"),
    )  # fmt: skip


@blueprint.route("/<int:id>/move", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def move(id: int) -> Any:
    """Another channel parent from a day on (CD-03)."""

    def run(parent_dealer_id: int | None, valid_from: Any) -> None:
        service.move_dealer(id, parent_dealer_id, valid_from, _version())

    return _small_form(id, MoveSchema(), "dealers/move.html", run, _("The dealer is moved"))


@blueprint.route("/<int:id>/merge", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def merge(id: int) -> Any:
    """Merge this double into the dealer that stays (CD-02)."""

    def run(target_id: int, reason: str) -> None:
        service.merge_dealers(id, target_id, reason)

    return _small_form(id, MergeSchema(), "dealers/merge.html", run, _("The dealers are merged"))


@blueprint.post("/<int:id>/unblock")
@view(Permission.DEALER_BLOCK)
def unblock(id: int) -> AnyResponse:
    """Lift the block."""
    service.unblock_dealer(id, _version())
    flash(_("The block is lifted"))
    return see_other("dealers.show", id=id)


@blueprint.post("/<int:id>/deactivate")
@view(Permission.DEALER_EDIT)
def deactivate(id: int) -> AnyResponse:
    """Off the pick lists."""
    service.deactivate_dealer(id, _version())
    flash(_("The dealer is inactive"))
    return see_other("dealers.show", id=id)


@blueprint.post("/<int:id>/reactivate")
@view(Permission.DEALER_EDIT)
def reactivate(id: int) -> AnyResponse:
    """Back on the pick lists."""
    service.reactivate_dealer(id, _version())
    flash(_("The dealer is active"))
    return see_other("dealers.show", id=id)


# --- contacts ---------------------------------------------------------------------------------------------------------


@blueprint.route("/<int:id>/contacts/new", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def new_contact(id: int) -> Any:
    """A new contact."""
    return _contact_form(id, None)


@blueprint.route("/<int:id>/contacts/<int:contact_id>", methods=["GET", "POST"])
@view(Permission.DEALER_EDIT)
def contact(id: int, contact_id: int) -> Any:
    """Change a contact."""
    return _contact_form(id, contact_id)


def _contact_form(id: int, contact_id: int | None) -> Any:
    dealer = queries.dealer(id)
    row = next((c for c in queries.contacts(id) if c.id == contact_id), None)
    if request.method == "GET":
        return page("dealers/contact.html", dealer=dealer, contact=row)

    def save(**values: Any) -> AnyResponse:
        service.save_contact(id, contact_id, values)
        flash(_("Saved"))
        return see_other("dealers.show", id=id)

    return submitted(ContactSchema(), save, "dealers/contact.html", dealer=dealer, contact=row)


@blueprint.post("/<int:id>/contacts/<int:contact_id>/remove")
@view(Permission.DEALER_EDIT)
def remove_contact(id: int, contact_id: int) -> AnyResponse:
    """Remove a contact."""
    service.remove_contact(id, contact_id)
    flash(_("Contact removed"))
    return see_other("dealers.show", id=id)


# --- grades -----------------------------------------------------------------------------------------------------------

GRADES = ListSpec(
    name="dealer_grades",
    title=_l("Dealer grades"),
    select=lambda: select(DealerGrade),
    id=DealerGrade.code,
    default_sort="rank",
    row_endpoint="dealers.grade",
    row_arg="code",
    search=(DealerGrade.code, DealerGrade.name),
    columns=(
        Column("rank", _l("Rank"), DealerGrade.rank, "integer"),
        Column("code", _l("Code"), DealerGrade.code, "code"),
        Column("name", _l("Name"), DealerGrade.name),
        Column("name_en", _l("English name"), DealerGrade.name_en),
        Column("active", _l("Active"), DealerGrade.active, "bool", filter="bool"),
    ),
    buttons=(Button(_l("New grade"), "dealers.new_grade", Permission.OPTION_EDIT),),
    empty=_l("Add the first grade; price lists can be made for it at once."),
)


@blueprint.get("/grades")
@view(Permission.DEALER_READ)
def grades() -> AnyResponse | str:
    """All grades (CD-04)."""
    return render_list(GRADES)


@blueprint.route("/grades/new", methods=["GET", "POST"])
@view(Permission.OPTION_EDIT)
def new_grade() -> Any:
    """A new grade."""
    return _grade_form(None)


@blueprint.route("/grades/<code>", methods=["GET", "POST"])
@view(Permission.OPTION_EDIT)
def grade(code: str) -> Any:
    """Change a grade."""
    return _grade_form(queries.grade(code))


def _grade_form(row: DealerGrade | None) -> Any:
    if request.method == "GET":
        return page("dealers/grade.html", grade=row)

    def save(code: str, **values: Any) -> AnyResponse:
        service.save_grade(row.code if row else code, values, is_new=row is None)
        flash(_("Saved"))
        return see_other("dealers.grades")

    return submitted(GradeSchema(), save, "dealers/grade.html", grade=row)


@blueprint.post("/grades/<code>/remove")
@view(Permission.OPTION_EDIT)
def remove_grade(code: str) -> AnyResponse:
    """Remove an unused grade."""
    service.remove_grade(code)
    flash(_("Grade removed"))
    return see_other("dealers.grades")
