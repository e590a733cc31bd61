"""Locations found and made as sets."""

from __future__ import annotations

from sqlalchemy import text

# Locations by what they stand for: arrays books, kinds, refs (unit, warehouse or dealer id; 0 outside).
FIND_LOCATIONS = text(
    """
SELECT l.id, l.book, l.kind, w.ref
FROM unnest(CAST(:books AS text[]), CAST(:kinds AS text[]), CAST(:refs AS bigint[])) AS w(book, kind, ref)
JOIN location l ON l.book = w.book AND l.kind = w.kind AND CASE
  WHEN w.kind = 'warehouse' THEN l.warehouse_id = w.ref
  WHEN w.kind = 'dealer' THEN l.dealer_id = w.ref
  WHEN w.ref = 0 THEN l.unit_id IS NULL AND l.warehouse_id IS NULL AND l.dealer_id IS NULL
  ELSE l.unit_id = w.ref AND l.warehouse_id IS NULL AND l.dealer_id IS NULL END
"""
)

MAKE_LOCATIONS = text(
    """
INSERT INTO location (book, kind, unit_id, warehouse_id, dealer_id, counted, guarded)
SELECT w.book, w.kind, coalesce(h.unit_id, d.unit_id, u.id), h.id, d.id, w.counted, w.guarded
FROM unnest(CAST(:books AS text[]), CAST(:kinds AS text[]), CAST(:refs AS bigint[]),
            CAST(:counted AS boolean[]), CAST(:guarded AS boolean[])) AS w(book, kind, ref, counted, guarded)
LEFT JOIN warehouse h ON w.kind = 'warehouse' AND h.id = w.ref
LEFT JOIN dealer d ON w.kind = 'dealer' AND d.id = w.ref
LEFT JOIN unit u ON w.kind NOT IN ('warehouse', 'dealer') AND u.id = w.ref
WHERE w.ref = 0 OR coalesce(h.id, d.id, u.id) IS NOT NULL
ORDER BY w.book, w.kind, w.ref
ON CONFLICT DO NOTHING
"""
)
