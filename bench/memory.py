"""Memory of a web worker: bounded, and not growing over many requests."""

from __future__ import annotations

from typing import Any

from bench import company, confirm, load
from bench.machine import children, resident_mib
from bench.report import Report
from bench.site import Site

GROWTH_MIB_MAX = 10.0
PATHS = ("/api/v1/orders?limit=20", "/api/v1/products?limit=20", "/api/v1/dealers?limit=20", "/healthz")


def run(site: Site, report: Report, database: str, headers: dict[str, str], requests: int = 100_000) -> None:
    """Reads and orders in turn; resident memory of the largest worker after a tenth and after all of them."""
    with site.connect(database) as connection:
        here = company.read(connection)
    server = site.serve_product(database)
    _send(site, here, headers, requests // 10, seed=1)
    early = _largest(server.pid)
    for part in range(9):
        _send(site, here, headers, requests // 10, seed=10 + part)
    late = _largest(server.pid)
    site.stop(server)
    report.add("memory: web worker", late, "MiB", at_most=200, judge="value")
    report.add(
        "memory: growth over nine tenths of the requests", late - early, "MiB", at_most=GROWTH_MIB_MAX, judge="value"
    )
    report.notes["memory requests"] = requests


def _send(site: Site, here: company.Company, headers: dict[str, str], count: int, seed: int) -> None:
    writes = confirm.orders(here, count // 20, seed, "/api/v1/orders", headers, product=True)
    reads = [{"method": "GET", "path": PATHS[n % len(PATHS)], "headers": headers} for n in range(count - len(writes))]
    mixed: list[dict[str, Any]] = []
    for n, read in enumerate(reads):
        mixed.append(read)
        if n % 19 == 0 and writes:
            mixed.append(writes.pop())
    outcome = load.run(site.port, mixed, 8)
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} requests failed: {outcome.first_failure}")


def _largest(pid: int) -> float:
    workers = [child for child in children(pid) if not children(child)]
    return max(resident_mib(worker) for worker in workers)
