"""API tokens: made by their owner, with a subset of his permissions, shown once."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from sdm.auth.models import ApiToken
from sdm.auth.service.sessions import TOKEN_BYTES, token_hash
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, Forbidden, InvalidInput, NotFound, describe
from sdm.kernel.permissions import Permission

PREFIX = "sdm_"
DAYS_MAX = 366
TOKENS_MAX = 50

describe(
    {
        "token.permission": N_("You cannot give %(value)s away: you do not have it yourself"),
        "token.none": N_("Choose at least one permission"),
        "token.too_many": N_("At most %(max)s tokens per user; revoke one first"),
    }
)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token; ``secret`` is shown once and never stored."""

    id: int
    secret: str = field(repr=False)


@command(Permission.API_TOKEN)
def create_token(name: str, permissions: Collection[str], days: int) -> NewToken:
    """Make a token for oneself that expires after so many days. InvalidInput names every fault."""
    actor = current()
    if actor.user_id is None:
        raise Forbidden("forbidden", permission="sign-in")
    found = [FieldError("permissions", "token.permission", p) for p in permissions if not actor.can(p)]
    if not permissions:
        found.append(FieldError("permissions", "token.none"))
    if not 1 <= days <= DAYS_MAX:
        found.append(FieldError("days", "input.range", days, {"low": 1, "high": DAYS_MAX}))
    if not name.strip():
        found.append(FieldError("name", "input.required"))
    if found:
        raise InvalidInput(found)
    _refuse_too_many(actor.user_id)
    secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = ApiToken(
        user_id=actor.user_id,
        name=name.strip()[:200],
        token_hash=token_hash(secret),
        permissions=sorted(set(permissions)),
        expires_at=clock.now() + timedelta(days=days),
    )
    db.session.add(row)
    db.session.flush()
    told = {"token": [None, row.name], "permissions": [None, row.permissions], "expires_at": [None, row.expires_at]}
    audit.write("user", actor.user_id, "token_created", None, told)
    return NewToken(row.id, secret)


def _refuse_too_many(user_id: int) -> None:
    open_tokens = select(ApiToken.id).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    if len(db.session.execute(open_tokens.limit(TOKENS_MAX)).all()) >= TOKENS_MAX:
        raise InvalidInput(code="token.too_many", max=TOKENS_MAX)


@command(None)
def revoke_token(token_id: int) -> None:
    """Revoke one's own token, or anybody's in scope with the permission to edit users; it is dead at once."""
    actor = current()
    row = db.session.get(ApiToken, token_id)
    if row is not None and row.user_id != actor.user_id:
        from sdm.auth import queries

        if not actor.can(Permission.USER_EDIT):
            row = None
        else:
            queries.user(row.user_id)
    if row is None:
        raise NotFound("not_found", kind="api_token", id=token_id)
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        audit.write("user", row.user_id, "token_revoked", None, {"token": [row.name, None]})
