"""Named reads of users, roles, sessions and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_, select

from branches.org import queries as org
from branches.org.models import Dealer, LegalEntity, Unit
from sdm.auth.models import ApiToken, Role, RolePermission, User, UserRole, UserSession, UserWarehouse
from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.scope import among


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user may do and where, kept until the access version changes."""

    user_id: int
    login: str
    name: str
    person_id: int | None
    unit_id: int
    dealer_id: int | None
    own_dealers: bool
    active: bool
    locale: str
    roles: frozenset[str]
    work_places: tuple[str, ...]
    permissions: frozenset[str]
    units: frozenset[int]
    warehouses: frozenset[int] | None


def profile(user_id: int) -> Profile:
    """A user's rights; NotFound without such a user."""
    return org.kept(f"profile:{user_id}", lambda: _load_profile(user_id))  # type: ignore[no-any-return]


def _load_profile(user_id: int) -> Profile:
    user = db.session.execute(select(User.__table__).where(User.id == user_id)).mappings().one_or_none()
    if user is None:
        raise NotFound("not_found", kind="user", id=user_id)
    granted = db.session.execute(
        select(Role.code, Role.work_place, UserRole.unit_id, Role.id)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id)
        .order_by(UserRole.id)
    ).all()
    role_ids = {row.id for row in granted}
    permissions = db.session.execute(select(RolePermission.permission).where(RolePermission.role_id.in_(role_ids)))
    bound = db.session.execute(select(UserWarehouse.warehouse_id).where(UserWarehouse.user_id == user_id)).scalars()
    return Profile(
        user_id=user_id,
        **{key: user[key] for key in ("login", "name", "person_id", "unit_id", "dealer_id", "own_dealers")},
        active=user["active"],
        locale=user["locale"],
        roles=frozenset(row.code for row in granted),
        work_places=tuple(dict.fromkeys(row.work_place for row in granted)),
        permissions=frozenset(permissions.scalars()),
        units=frozenset().union(*(org.subtree_ids(row.unit_id) for row in granted)),
        warehouses=frozenset(bound) or None,
    )


def dealers_managed_by(person_id: int | None) -> frozenset[int]:
    """Ids of the dealers a person manages; asked anew each time, because dealers change hands every day."""
    if person_id is None:
        return frozenset()
    dealer = Dealer.__table__.c
    return frozenset(db.session.execute(select(dealer.id).where(dealer.manager_id == person_id)).scalars())


def work_place(user_id: int | None) -> str:
    """Code of the first page of a user (BA-17): that of the first role given to him; ``clerk`` without one."""
    found = profile(user_id).work_places if user_id is not None else ()
    return found[0] if found else "clerk"


def users_with(permission: str, unit_id: int) -> list[int]:
    """Ids of the active users who have the permission over the unit, by a role there or above; sorted."""
    chain = [node.id for node in org.chain_up(unit_id)]
    statement = (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .join(RolePermission, RolePermission.role_id == UserRole.role_id)
        .where(User.active, RolePermission.permission == str(permission), UserRole.unit_id.in_(chain))
        .distinct()
        .order_by(User.id)
    )
    return list(db.session.execute(statement).scalars())


def user_names(ids: Any) -> dict[int, str]:
    """Names of users by id."""
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return {}
    return {row.id: row.name for row in db.session.execute(select(User.id, User.name).where(User.id.in_(wanted)))}


def user_by_login(login: str) -> User | None:
    """A user by his user name, whatever its case."""
    return db.session.execute(select(User).where(User.login == login.strip().lower())).scalar_one_or_none()


def in_scope(statement: Select[Any]) -> Select[Any]:
    """A select of users narrowed to those whose unit is in the actor's scope."""
    scope = current().scope
    return statement if scope.everything else statement.where(among(User.unit_id, scope.units))


def user(user_id: int) -> User:
    """A user in scope; NotFound otherwise."""
    row: User | None = db.session.execute(in_scope(select(User).where(User.id == user_id))).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="user", id=user_id)
    return row


def roles() -> list[Role]:
    """All roles in the order they were made."""
    return list(db.session.execute(select(Role).order_by(Role.id)).scalars())


def role(role_id: int) -> Role:
    """A role; NotFound without one."""
    row = db.session.get(Role, role_id)
    if row is None:
        raise NotFound("not_found", kind="role", id=role_id)
    return row


def permissions_by_role() -> dict[int, set[str]]:
    """Permissions of every role."""
    found: dict[int, set[str]] = {}
    for row in db.session.execute(select(RolePermission.role_id, RolePermission.permission)):
        found.setdefault(row.role_id, set()).add(row.permission)
    return found


def grants_of(user_id: int) -> list[tuple[int, int]]:
    """(role id, unit id) of a user, in the order given."""
    statement = select(UserRole.role_id, UserRole.unit_id).where(UserRole.user_id == user_id).order_by(UserRole.id)
    return [(row.role_id, row.unit_id) for row in db.session.execute(statement)]


def warehouses_of(user_id: int) -> list[int]:
    """Warehouses a user is bound to; none = all of his units."""
    statement = select(UserWarehouse.warehouse_id).where(UserWarehouse.user_id == user_id)
    return sorted(db.session.execute(statement).scalars())


def sessions_of(user_id: int) -> list[UserSession]:
    """A user's open sessions, last seen first."""
    statement = select(UserSession).where(
        UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.expires_at > clock.now()
    )
    return list(db.session.execute(statement.order_by(UserSession.last_seen_at.desc()).limit(100)).scalars())


def tokens_of(user_id: int) -> list[ApiToken]:
    """A user's API tokens that are not revoked, newest first."""
    statement = select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    return list(db.session.execute(statement.order_by(ApiToken.id.desc()).limit(100)).scalars())


def pick_users(q: str, limit: int = 10) -> list[User]:
    """Active users in scope whose user name or name contains the text."""
    like = f"%{q.strip()[:100].replace('%', '').replace('_', '')}%"
    statement = in_scope(select(User).where(User.active, or_(User.login.ilike(like), User.name.ilike(like))))
    return list(db.session.execute(statement.order_by(User.login).limit(limit)).scalars())


def company_names() -> list[str]:
    """Names that must not be passwords: companies and units."""
    names = [*db.session.execute(select(LegalEntity.name).limit(50)).scalars()]
    return names + list(db.session.execute(select(Unit.name).limit(500)).scalars())


def nobody_yet() -> bool:
    """True on an installation without any user: the sign-in page then says how the first one is made."""
    return db.session.execute(select(User.id).limit(1)).first() is None
