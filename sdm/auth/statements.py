"""Statements that run before anybody is known: session, token, attempts. They read by secret hash, never by unit."""

from __future__ import annotations

from sqlalchemy import text

# One query per request: session, its person and the version of all rights.
LOAD_SESSION = text(
    """
SELECT s.id, s.user_id, s.unit_id, s.created_at, s.last_seen_at, s.expires_at,
       u.active, u.must_change_password, u.locale, coalesce(v.version, 0) AS version
FROM user_session s
JOIN app_user u ON u.id = s.user_id
LEFT JOIN access_version v ON v.id = 1
WHERE s.token_hash = :token_hash AND s.revoked_at IS NULL
"""
)

LOAD_TOKEN = text(
    """
SELECT t.id, t.user_id, t.permissions, t.expires_at, t.last_used_at, u.active, u.locale,
       coalesce(v.version, 0) AS version
FROM api_token t
JOIN app_user u ON u.id = t.user_id
LEFT JOIN access_version v ON v.id = 1
WHERE t.token_hash = :token_hash AND t.revoked_at IS NULL
"""
)

SEEN = text("UPDATE user_session SET last_seen_at = :now, address = :address WHERE id = :id AND last_seen_at < :now")
USED = text("UPDATE api_token SET last_used_at = :now WHERE id = :id")

# Keys come sorted, so that two attempts lock in the same order. A row untouched for an hour starts anew.
LOCK_ATTEMPTS = text(
    """
INSERT INTO sign_in_attempt AS a (key, failures, last_at, next_allowed_at)
SELECT key, 0, :now, :now FROM unnest(cast(:keys AS text[])) WITH ORDINALITY AS k (key, place) ORDER BY place
ON CONFLICT (key) DO UPDATE
  SET failures = CASE WHEN a.last_at < cast(:forget AS timestamptz) THEN 0 ELSE a.failures END
RETURNING key, failures, next_allowed_at
"""
)

COUNT_ATTEMPTS = text(
    """
UPDATE sign_in_attempt a SET failures = k.failures, last_at = :now, next_allowed_at = k.next_allowed_at
FROM unnest(cast(:keys AS text[]), cast(:failures AS int[]), cast(:allowed AS timestamptz[]))
  AS k (key, failures, next_allowed_at)
WHERE a.key = k.key
"""
)

# A success takes its own count back and leaves what was there before.
UNDO_ATTEMPTS = text(
    "UPDATE sign_in_attempt SET failures = greatest(failures - 1, 0), next_allowed_at = :now "
    "WHERE key = ANY(cast(:keys AS text[]))"
)

FORGET_ATTEMPTS = text("DELETE FROM sign_in_attempt WHERE last_at < :before")
FORGET_SESSIONS = text("DELETE FROM user_session WHERE expires_at < :before")
