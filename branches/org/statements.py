"""Set-based SQL of the organisation: the version of rights, and the paths of a moved subtree."""

from __future__ import annotations

from sqlalchemy import text

READ_VERSION = text("SELECT version FROM access_version WHERE id = 1")

# The row lock makes changes of rights queue up; the value is the microsecond, so it never repeats.
TOUCH = text(
    """
INSERT INTO access_version AS v (id, version)
VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
ON CONFLICT (id) DO UPDATE
  SET version = greatest(v.version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
RETURNING version
"""
)

# Rebuilds the paths of all units from the tree; a few hundred rows at most.
REBUILD_PATHS = text(
    """
WITH RECURSIVE tree (id, path) AS (
  SELECT id, jsonb_build_array(id) FROM unit WHERE parent_id IS NULL
  UNION ALL
  SELECT u.id, t.path || to_jsonb(u.id) FROM unit u JOIN tree t ON u.parent_id = t.id
)
UPDATE unit u SET path = t.path FROM tree t WHERE t.id = u.id AND u.path IS DISTINCT FROM t.path
"""
)
