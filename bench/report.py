"""Lines of the benchmark: a value, its floor, their ratio and the target; a table and ``bench/out/summary.json``."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "out"


@dataclass(slots=True)
class Line:
    """One figure. ``ratio`` = value / floor where there is a floor; ``target`` in words; ``ok`` None = no target."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    target: str = ""
    ok: bool | None = None


class Report:
    """Collects lines, prints them as they come, writes the summary at the end (also after a failure)."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.notes: dict[str, Any] = {}
        self.started = time.time()
        self.console = Console(width=150)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        floor: float | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        judge: str = "ratio",
    ) -> Line:
        """Add a figure; ``at_least`` / ``at_most`` bound the ratio to the floor, or the value with ``judge='value'``."""
        ratio = value / floor if floor else None
        judged = ratio if judge == "ratio" else value
        ok, target = None, ""
        if at_least is not None and judged is not None:
            ok, target = judged >= at_least, f"{judge} ≥ {at_least:g}"
        if at_most is not None and judged is not None:
            ok, target = judged <= at_most, f"{judge} ≤ {at_most:g}"
        line = Line(name, value, unit, floor, ratio, target, ok)
        self.lines.append(line)
        mark = {True: "ok", False: "MISSED", None: ""}[ok]
        shown = f" of {floor:,.3f}: {ratio:.3f}" if ratio is not None else ""
        self.console.print(f"  {name}: {value:,.3f} {unit}{shown}  {target} {mark}", highlight=False)
        return line

    def write(self) -> int:
        """Print the table and write the summary; returns the number of missed targets."""
        table = Table("name", "value", "unit", "floor", "ratio", "target", "ok")
        for line in self.lines:
            table.add_row(
                line.name,
                f"{line.value:,.3f}",
                line.unit,
                f"{line.floor:,.3f}" if line.floor is not None else "",
                f"{line.ratio:.3f}" if line.ratio is not None else "",
                line.target,
                {True: "yes", False: "NO", None: ""}[line.ok],
            )
        self.console.print(table)
        OUT.mkdir(exist_ok=True)
        summary = {
            "machine": {"python": platform.python_version(), "system": platform.platform()},
            "seconds": round(time.time() - self.started, 1),
            "notes": self.notes,
            "lines": [asdict(line) for line in self.lines],
        }
        (OUT / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
        return sum(line.ok is False for line in self.lines)
