"""``make bench``: measures the product against the floor on this machine; writes ``bench/out/summary.json``.

``ARGS="--quick"`` runs smaller loads; ``ARGS="--only confirm,flat"`` some parts; ``SDM_DATA`` names the folder with the
real data sets for the take-on part (skipped, and said so, without it).
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import company, confirm, memory, pages
from bench.report import Report
from bench.site import Site, grant_everything

PORT = 8790


class Run:
    """The site, the databases made so far and the sizes of this run."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.site = Site(PORT)
        self.report = Report()
        self.headers: dict[str, str] = {}

    def base(self) -> str:
        """The database of the bench company without history; made once."""
        if not self.headers:
            self.site.create("base")
            with self.site.connect("base") as connection:
                company.load(connection)
            self.headers = grant_everything(self.site, "base")
        return "base"

    def copy(self, name: str, orders: int = 0) -> str:
        """A copy of the base with so many orders of history."""
        self.site.drop(name)
        self.site.create(name, self.base())
        if orders:
            with self.site.connect(name) as connection:
                company.history(connection, orders)
        return name


def run_confirm(run: Run) -> None:
    """Orders against the floor."""
    database = run.copy("confirm")
    confirm.against_floor(
        run.site, run.report, database, run.headers, count=500 if run.quick else 2500, rounds=1 if run.quick else 3
    )
    run.site.drop(database)


def run_flat(run: Run) -> None:
    """Orders on a short and a long history."""
    small = run.copy("small", 10_000)
    large = run.copy("large", 50_000 if run.quick else 1_000_000)
    confirm.flat(run.site, run.report, (small, large), run.headers, count=300 if run.quick else 1000)
    for database in (small, large):
        run.site.drop(database)


def run_memory(run: Run) -> None:
    """Memory of a web worker."""
    database = run.copy("memory")
    memory.run(run.site, run.report, database, run.headers, requests=5_000 if run.quick else 100_000)
    run.site.drop(database)


def run_pages(run: Run) -> None:
    """Ageing and stock pages against hand-written SQL."""
    database = run.copy("pages")
    pages.run(run.site, run.report, database, run.headers, lines=100_000 if run.quick else 1_500_000)
    run.site.drop(database)


def run_take_on(run: Run) -> None:
    """Taking on the real data sets, proved to the cent."""
    from bench import take_on

    take_on.run(run.site, run.report, quick=run.quick)


PARTS: dict[str, Callable[[Run], None]] = {
    "confirm": run_confirm,
    "flat": run_flat,
    "pages": run_pages,
    "take_on": run_take_on,
    "memory": run_memory,
}


def main() -> int:
    """Run the parts; exit code 1 when a target is missed or a part fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    arguments = parser.parse_args()
    run = Run(arguments.quick)
    broken = 0
    try:
        for name in arguments.only.split(","):
            run.report.console.rule(name)
            try:
                PARTS[name](run)
            except Exception:
                traceback.print_exc()
                broken += 1
        return 1 if run.report.write() + broken else 0
    finally:
        run.site.close()


if __name__ == "__main__":
    sys.exit(main())
