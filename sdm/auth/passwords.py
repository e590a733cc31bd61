"""Passwords: argon2id hashes and which passwords are taken. No composition rules, no forced renewal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from sdm.kernel.errors import N_, FieldError, describe

LENGTH_MIN = 12
LENGTH_MAX = 256
SCORE_MIN = 3
JUDGED_LENGTH = 72  # zxcvbn takes no more; what follows can only make a password better
TIME_COST = 2
MEMORY_KIB = 19456
PARALLELISM = 1

describe(
    {
        "password.short": N_("The password needs at least %(min)s characters"),
        "password.long": N_("The password may have at most %(max)s characters"),
        "password.named": N_("The password contains your name, user name or the company's name; choose another one"),
        "password.weak": N_("The password is easy to guess; take several unrelated words"),
    }
)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


@lru_cache(maxsize=1)
def _dummy() -> str:
    """Hash of a password nobody knows, so that an unknown user costs the same work as a known one."""
    return _hasher().hash(secrets.token_urlsafe(32))


def hashed(password: str) -> str:
    """Hash with its parameters and salt."""
    return _hasher().hash(password)


def matches(password_hash: str, password: str) -> bool:
    """Whether the password is right; an empty or broken hash costs the same and never matches."""
    try:
        return _hasher().verify(password_hash or _dummy(), password) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than those of today."""
    return _hasher().check_needs_rehash(password_hash)


def faults(password: str, names: Iterable[str], field: str = "password") -> list[FieldError]:
    """What speaks against a new password; the password itself is never part of an error."""
    if len(password) < LENGTH_MIN:
        return [FieldError(field, "password.short", None, {"min": LENGTH_MIN})]
    if len(password) > LENGTH_MAX:
        return [FieldError(field, "password.long", None, {"max": LENGTH_MAX})]
    words = sorted({name.strip().lower() for name in names if len(name.strip()) >= 2})
    if _is_mostly(password.lower(), words):
        return [FieldError(field, "password.named")]
    if zxcvbn(password[:JUDGED_LENGTH], user_inputs=words)["score"] < SCORE_MIN:
        return [FieldError(field, "password.weak")]
    return []


def _is_mostly(password: str, words: list[str]) -> bool:
    """True when little is left of a password without the names in it."""
    rest = password
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != password and len(rest) < LENGTH_MIN - 2
