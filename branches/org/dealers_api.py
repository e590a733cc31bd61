"""API of dealers."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select

from branches.org import dealers_queries as queries
from branches.org import dealers_service as service
from branches.org.dealers_schemas import (
    BlockSchema,
    ContactSchema,
    DealerOut,
    DealerSchema,
    GradeSchema,
    MergeSchema,
    MoveSchema,
    NewDealerIn,
)
from branches.org.models import Dealer, DealerContact, DealerGrade
from sdm.kernel import api
from sdm.kernel.permissions import Permission
from sdm.kernel.pinyin import fold, like
from sdm.kernel.schema import BaseSchema

blueprint = api.blueprint("dealers", __name__)


class DealerQuery(api.PageQuery):
    """Filters of the list; `q` finds code, name, initials, phone digits and tax number."""

    q = fields.String(load_default="", validate=validate.Length(max=100, error="input.length"))
    unit_id = fields.Integer(load_default=None)
    status = fields.String(load_default=None)
    grade_code = fields.String(load_default=None)


class SimilarQuery(BaseSchema):
    """What a new dealer would be entered with."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    tax_no = fields.String(load_default="", validate=validate.Length(max=64))
    phone = fields.String(load_default="", validate=validate.Length(max=64))


class SimilarOut(BaseSchema):
    """An existing dealer that may be the same; `why` is name, tax_no or phone."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    unit_name = fields.String()
    status = fields.String()
    why = fields.String()
    likeness = fields.Float()


class PeriodOut(BaseSchema):
    """A period under a channel parent, both days included; open ends are null."""

    parent_id = fields.Integer(allow_none=True)
    parent_name = fields.String(allow_none=True)
    valid_from = fields.Date(allow_none=True)
    valid_to = fields.Date(allow_none=True)


class ChannelQuery(BaseSchema):
    """The day at which the channel is looked at."""

    on = fields.Date(load_default=None)


class ChannelOut(BaseSchema):
    """The dealer and everyone below it on that day."""

    dealer_ids = fields.List(fields.Integer())


@api.route(
    blueprint, "/dealers", permission=Permission.DEALER_READ, query=DealerQuery, response=DealerOut, paged=True,
    summary="List dealers",
)  # fmt: skip
def list_dealers(query: dict[str, Any]) -> api.Page:
    """Dealers in scope by id."""
    statement = select(Dealer)
    for word in fold(query["q"]).split()[:6]:
        statement = statement.where(Dealer.search.like(like(word), escape="\\"))
    for name in ("unit_id", "status", "grade_code"):
        if query[name] is not None:
            statement = statement.where(getattr(Dealer, name) == query[name])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    blueprint, "/dealers", methods=["POST"], permission=Permission.DEALER_EDIT, request=NewDealerIn, response=DealerOut,
    creates=True, location="get_dealer", summary="Enter a dealer",
)  # fmt: skip
def create_dealer(body: dict[str, Any]) -> Dealer:
    """409 `dealer.similar` lists existing dealers that may be the same; `another_one` confirms that this is not."""
    contacts, parent_id = body.pop("contacts"), body.pop("parent_id")
    another_one = body.pop("another_one")
    return queries.dealer(service.create_dealer(body, parent_id=parent_id, contacts=contacts, another_one=another_one))


@api.route(
    blueprint, "/dealers/similar", permission=Permission.DEALER_READ, query=SimilarQuery, response=SimilarOut,
    summary="Find dealers that may be the same",
)  # fmt: skip
def similar_dealers(query: dict[str, Any]) -> list[Any]:
    """At most five, likeliest first."""
    return queries.similar(query["name"], query["tax_no"], query["phone"])


@api.route(
    blueprint, "/dealers/<int:id>", permission=Permission.DEALER_READ, response=DealerOut, summary="Read a dealer"
)
def get_dealer(id: int) -> Dealer:
    """One dealer."""
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>", methods=["PATCH"], permission=Permission.DEALER_EDIT,
    request=DealerSchema(partial=True), response=DealerOut, if_match=True, summary="Change a dealer",
)  # fmt: skip
def change_dealer(id: int, body: dict[str, Any], version: int | None) -> Dealer:
    """Only the fields that are given change."""
    service.change_dealer(id, version, body)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/block", methods=["POST"], permission=Permission.DEALER_BLOCK, request=BlockSchema,
    response=DealerOut, if_match=True, summary="Block a dealer",
)  # fmt: skip
def block_dealer(id: int, body: dict[str, Any], version: int | None) -> Dealer:
    """New orders are held."""
    service.block_dealer(id, body["reason"], version)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/unblock", methods=["POST"], permission=Permission.DEALER_BLOCK, response=DealerOut,
    if_match=True, summary="Lift a block",
)  # fmt: skip
def unblock_dealer(id: int, version: int | None) -> Dealer:
    """Orders are no longer held for the block."""
    service.unblock_dealer(id, version)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/deactivate", methods=["POST"], permission=Permission.DEALER_EDIT, response=DealerOut,
    if_match=True, summary="Take a dealer off the pick lists",
)  # fmt: skip
def deactivate_dealer(id: int, version: int | None) -> Dealer:
    """Documents and balances stay."""
    service.deactivate_dealer(id, version)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/reactivate", methods=["POST"], permission=Permission.DEALER_EDIT, response=DealerOut,
    if_match=True, summary="Put a dealer back on the pick lists",
)  # fmt: skip
def reactivate_dealer(id: int, version: int | None) -> Dealer:
    """The dealer can be chosen again."""
    service.reactivate_dealer(id, version)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/merge", methods=["POST"], permission=Permission.DEALER_EDIT, request=MergeSchema,
    response=DealerOut, summary="Merge a double into the dealer that stays",
)  # fmt: skip
def merge_dealer(id: int, body: dict[str, Any]) -> Dealer:
    """The double must have no open business; answers the dealer that stays."""
    service.merge_dealers(id, body["target_id"], body["reason"])
    return queries.dealer(body["target_id"])


@api.route(
    blueprint, "/dealers/<int:id>/channel", permission=Permission.DEALER_READ, query=ChannelQuery, response=ChannelOut,
    summary="Who stands below a dealer on a day",
)  # fmt: skip
def channel(id: int, query: dict[str, date | None]) -> dict[str, Any]:
    """The dealer itself included."""
    queries.dealer(id)
    return {"dealer_ids": sorted(queries.channel_below(id, query["on"]))}


@api.route(
    blueprint, "/dealers/<int:id>/parents", permission=Permission.DEALER_READ, response=PeriodOut,
    summary="Channel parents of a dealer over time",
)  # fmt: skip
def parents(id: int) -> list[Any]:
    """Newest first."""
    queries.dealer(id)
    return queries.moves(id)


@api.route(
    blueprint, "/dealers/<int:id>/parents", methods=["POST"], permission=Permission.DEALER_EDIT, request=MoveSchema,
    response=DealerOut, if_match=True, summary="Move a dealer in the channel",
)  # fmt: skip
def move_dealer(id: int, body: dict[str, Any], version: int | None) -> Dealer:
    """From `valid_from` on; what was before stays."""
    service.move_dealer(id, body["parent_dealer_id"], body["valid_from"], version)
    return queries.dealer(id)


@api.route(
    blueprint, "/dealers/<int:id>/contacts", permission=Permission.DEALER_READ, response=ContactSchema,
    summary="Contacts of a dealer",
)  # fmt: skip
def contacts(id: int) -> list[DealerContact]:
    """In the order of their entry."""
    queries.dealer(id)
    return queries.contacts(id)


@api.route(
    blueprint, "/dealers/<int:id>/contacts", methods=["POST"], permission=Permission.DEALER_EDIT, request=ContactSchema,
    response=ContactSchema, creates=True, summary="Add a contact",
)  # fmt: skip
def add_contact(id: int, body: dict[str, Any]) -> dict[str, Any]:
    """The dealer is found by the contact's name and phone as well."""
    return {"id": service.save_contact(id, None, body), **body}


@api.route(blueprint, "/dealer-grades", permission=Permission.DEALER_READ, response=GradeSchema, summary="List grades")
def list_grades() -> list[DealerGrade]:
    """Best first."""
    return queries.grades(active_only=False)


@api.route(
    blueprint, "/dealer-grades/<code>", methods=["PUT"], permission=Permission.OPTION_EDIT, request=GradeSchema,
    response=GradeSchema, summary="Create or change a grade",
)  # fmt: skip
def put_grade(code: str, body: dict[str, Any]) -> DealerGrade:
    """The code of the address counts."""
    service.save_grade(code, {key: value for key, value in body.items() if key != "code"})
    return queries.grade(code)
