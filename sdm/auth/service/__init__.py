"""Commands on users, roles, sign-ins, sessions and API tokens."""

from __future__ import annotations

from sdm.auth.service.office import OfficeInput, OfficeOpened, OfficePerson, open_office
from sdm.auth.service.roles import change_role, create_role, ensure_roles, save_role, set_role_permissions
from sdm.auth.service.sessions import (
    choose_unit,
    close_session,
    close_sessions,
    forget_old,
    open_session,
    token_hash,
)
from sdm.auth.service.signin import SignedIn, change_password, sign_in
from sdm.auth.service.tokens import NewToken, create_token, revoke_token
from sdm.auth.service.users import (
    CHANGEABLE,
    Grant,
    UserInput,
    change_user,
    create_user,
    disable_user,
    enable_user,
    require_administrator_left,
    set_grants,
    set_locale,
    set_password,
    set_rights,
    set_warehouses,
)

__all__ = [
    "CHANGEABLE",
    "OfficeInput",
    "OfficeOpened",
    "OfficePerson",
    "Grant",
    "NewToken",
    "SignedIn",
    "UserInput",
    "change_password",
    "change_role",
    "change_user",
    "choose_unit",
    "close_session",
    "close_sessions",
    "create_role",
    "create_token",
    "create_user",
    "disable_user",
    "enable_user",
    "ensure_roles",
    "forget_old",
    "open_office",
    "open_session",
    "require_administrator_left",
    "revoke_token",
    "save_role",
    "set_grants",
    "set_locale",
    "set_password",
    "set_rights",
    "set_role_permissions",
    "set_warehouses",
    "sign_in",
    "token_hash",
]
