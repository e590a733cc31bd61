"""Shapes of requests about users, roles, sessions and tokens."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from sdm.auth.rules import WORK_PLACES
from sdm.kernel.i18n import LOCALES
from sdm.kernel.schema import BaseSchema


def text(max_length: int = 200, *, required: bool = False) -> fields.String:
    """A text of a form; an empty one is left out by the browser's form and means empty."""
    limit = validate.Length(max=max_length, error="input.length")
    return fields.String(required=True, validate=limit) if required else fields.String(load_default="", validate=limit)


def number() -> fields.Integer:
    """An id or None."""
    return fields.Integer(load_default=None, validate=validate.Range(0, 2**62, error="input.range"))


class PasswordSchema(BaseSchema):
    """Changing one's own password."""

    present = text(1024, required=True)
    wanted = text(1024, required=True)
    again = text(1024, required=True)


class ProfileSchema(BaseSchema):
    """One's own language."""

    locale = fields.String(required=True, validate=validate.OneOf(list(LOCALES), error="input.choice"))


class TokenSchema(BaseSchema):
    """A new API token."""

    name = text(required=True)
    permissions = fields.List(fields.String(validate=validate.Length(max=64)), load_default=list)
    days = fields.Integer(required=True)


class GrantSchema(BaseSchema):
    """A role over a unit."""

    role_id = fields.Integer(required=True)
    unit_id = fields.Integer(required=True)


class _WithGrants(BaseSchema):
    """Roles as the form posts them: lines of role and unit, which the view reads pair by pair."""

    role_ids = fields.List(fields.String(), load_default=list)
    unit_ids = fields.List(fields.String(), load_default=list)

    @post_load
    def leave_lines(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Without the two lists."""
        return {name: value for name, value in data.items() if name not in {"role_ids", "unit_ids"}}


class UserFormSchema(BaseSchema):
    """What is changed about a user."""

    name = text(required=True)
    unit_id = fields.Integer(required=True)
    person_id = number()
    own_dealers = fields.Boolean(load_default=False)
    locale = fields.String(load_default="zh_CN", validate=validate.OneOf(list(LOCALES), error="input.choice"))
    version = number()


class NewUserSchema(_WithGrants):
    """A new user with roles."""

    login = text(64, required=True)
    name = text(required=True)
    unit_id = fields.Integer(required=True)
    person_id = number()
    own_dealers = fields.Boolean(load_default=False)
    locale = fields.String(load_default="zh_CN", validate=validate.OneOf(list(LOCALES), error="input.choice"))
    password = text(1024, required=True)
    warehouse_ids = fields.List(fields.Integer(), load_default=list)


class GrantsSchema(_WithGrants):
    """Roles and warehouses of a user."""

    warehouse_ids = fields.List(fields.Integer(), load_default=list)
    version = number()


class ResetSchema(BaseSchema):
    """A new first password."""

    password = text(1024, required=True)


class RoleSchema(BaseSchema):
    """A role with its permissions."""

    name = text(required=True)
    name_en = text()
    work_place = fields.String(required=True, validate=validate.OneOf(WORK_PLACES, error="input.choice"))
    permissions = fields.List(fields.String(validate=validate.Length(max=64)), load_default=list)
    version = number()


class NewRoleSchema(BaseSchema):
    """A new role, with the permissions of another one where wanted."""

    code = text(64, required=True)
    name = text(required=True)
    name_en = text()
    work_place = fields.String(required=True, validate=validate.OneOf(WORK_PLACES, error="input.choice"))
    like = number()


# --- API --------------------------------------------------------------------------------------------------------------


class UserOut(BaseSchema):
    """A user as the API shows it."""

    id = fields.Integer()
    login = fields.String()
    name = fields.String()
    unit_id = fields.Integer()
    person_id = fields.Integer(allow_none=True)
    dealer_id = fields.Integer(allow_none=True)
    own_dealers = fields.Boolean()
    locale = fields.String()
    active = fields.Boolean()
    must_change_password = fields.Boolean()
    version = fields.Integer()


class UserDetailOut(UserOut):
    """A user with roles and warehouses."""

    roles = fields.List(fields.Nested(GrantSchema))
    warehouse_ids = fields.List(fields.Integer())


class UserIn(BaseSchema):
    """A new user."""

    login = text(64, required=True)
    name = text(required=True)
    unit_id = fields.Integer(required=True)
    person_id = number()
    own_dealers = fields.Boolean(load_default=False)
    locale = fields.String(load_default="zh_CN", validate=validate.OneOf(list(LOCALES), error="input.choice"))
    password = text(1024, required=True)
    roles = fields.List(fields.Nested(GrantSchema), required=True)
    warehouse_ids = fields.List(fields.Integer(), load_default=list)


class UserPatch(BaseSchema):
    """What changes about a user; absent fields stay."""

    name = fields.String(validate=validate.Length(1, 200, error="input.length"))
    unit_id = fields.Integer()
    person_id = fields.Integer(allow_none=True)
    own_dealers = fields.Boolean()
    locale = fields.String(validate=validate.OneOf(list(LOCALES), error="input.choice"))
    active = fields.Boolean()
    roles = fields.List(fields.Nested(GrantSchema))
    warehouse_ids = fields.List(fields.Integer())


class RoleOut(BaseSchema):
    """A role with its permissions."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    name_en = fields.String()
    work_place = fields.String()
    permissions = fields.List(fields.String())
    version = fields.Integer()


class MeOut(BaseSchema):
    """Who is asking."""

    user_id = fields.Integer(allow_none=True)
    name = fields.String()
    unit_id = fields.Integer(allow_none=True)
    via = fields.String()
    roles = fields.List(fields.String())
    permissions = fields.List(fields.String())
