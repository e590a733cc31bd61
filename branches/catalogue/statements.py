"""Set-based SQL of products: paths of the category tree."""

from __future__ import annotations

from sqlalchemy import text

# Rebuilds the paths of all categories from their parents; a few hundred rows at most.
REBUILD_PATHS = text(
    """
WITH RECURSIVE tree (id, path) AS (
  SELECT id, jsonb_build_array(id) FROM product_category WHERE parent_id IS NULL
  UNION ALL
  SELECT c.id, t.path || to_jsonb(c.id) FROM product_category AS c JOIN tree AS t ON c.parent_id = t.id
)
UPDATE product_category AS c SET path = t.path FROM tree AS t WHERE t.id = c.id AND c.path IS DISTINCT FROM t.path
"""
)
