"""Users, roles, sessions, API tokens, throttling of sign-ins."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Code, Created, Id, Name, Stamp
from sdm.kernel.db import Base


class User(Base):
    """A sign-in. ``own_dealers``: sees only dealers it manages; ``dealer_id``: a dealer's own sign-in."""

    __tablename__ = "app_user"

    id: Mapped[Id]
    login: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"))
    own_dealers: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    password_hash: Mapped[str] = mapped_column(server_default="")
    must_change_password: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    locale: Mapped[Code] = mapped_column(server_default="zh_CN", default="zh_CN")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    created_at: Mapped[Created]
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class Role(Base):
    """A named set of permissions; ``work_place`` is the first page of its members (BA-17)."""

    __tablename__ = "role"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    work_place: Mapped[Code] = mapped_column(server_default="clerk")
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class RolePermission(Base):
    """One permission of a role."""

    __tablename__ = "role_permission"

    role_id: Mapped[int] = mapped_column(ForeignKey("role.id"), primary_key=True)
    permission: Mapped[Code] = mapped_column(primary_key=True)


class UserRole(Base):
    """A role of a user over a unit and all below it; scope is the union over his roles."""

    __tablename__ = "user_role"
    __table_args__ = (UniqueConstraint("user_id", "role_id", "unit_id"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id"), index=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))


class UserWarehouse(Base):
    """Binds a storekeeper to his warehouses; without rows a user sees all warehouses of his units."""

    __tablename__ = "user_warehouse"

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"), primary_key=True)


class UserSession(Base):
    """A server-side session; only the hash of its 256-bit token is stored. ``unit_id``: the unit chosen to work in."""

    __tablename__ = "user_session"

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    created_at: Mapped[Created]
    last_seen_at: Mapped[Created]
    expires_at: Mapped[Stamp]
    revoked_at: Mapped[Stamp | None]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    address: Mapped[Code] = mapped_column(server_default="")
    agent: Mapped[Name] = mapped_column(server_default="")


class ApiToken(Base):
    """A hashed bearer token with a subset of its user's permissions."""

    __tablename__ = "api_token"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    name: Mapped[Name]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    created_at: Mapped[Created]
    expires_at: Mapped[Stamp | None]
    revoked_at: Mapped[Stamp | None]
    last_used_at: Mapped[Stamp | None]


class SignInAttempt(Base):
    """Failed sign-ins per key (hashes of account and address) for the growing delay."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_sign_in_attempt_last", "last_at"),)

    key: Mapped[Name] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    last_at: Mapped[Created]
    next_allowed_at: Mapped[Created]
