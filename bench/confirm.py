"""Confirming an order of five lines over HTTP: share of the floor, CPU per order, percentiles, long history."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bench import company, load
from bench.report import Report
from bench.site import Site

LINES = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: its outcome, CPU seconds per order of web server and database, buffers per order (None: not asked)."""

    outcome: load.Outcome
    cpu_ms: float
    buffers: float


def orders(
    here: company.Company, count: int, seed: int, path: str, headers: dict[str, str], *, product: bool
) -> list[dict[str, Any]]:
    """Requests for random dealers and products; deterministic per seed."""
    rng = random.Random(seed)
    requests = []
    for _ in range(count):
        dealer_id, warehouse_id = rng.choice(here.dealers)
        key = str(UUID(int=rng.getrandbits(128), version=4))
        lines = [{"product_id": p, "qty": str(rng.randint(1, 9))} for p in rng.sample(here.products, LINES)]
        body = {"uuid": key, "dealer_id": dealer_id, "warehouse_id": warehouse_id, "lines": lines}
        extra = {"Idempotency-Key": key} if product else {}
        requests.append(
            {"method": "POST", "path": path, "headers": {**headers, **extra}, "body": json.dumps(body)}
        )  # fmt: skip
    return requests


def measure(site: Site, server: subprocess.Popen[bytes], database: str, requests: Any, connections: int) -> Measured:
    """Run a load and account for it."""
    with site.connect(database, autocommit=True) as connection:
        before, cpu = _buffers(connection), site.cpu(server)
        outcome = load.run(site.port, requests, connections)
        cpu = site.cpu(server) - cpu
        buffers = _buffers(connection) - before
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} orders failed: {outcome.first_failure}")
    return Measured(outcome, cpu * 1000 / outcome.done, buffers / outcome.done)


def _buffers(connection: Any) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")
    return int(
        connection.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()[0]
    )


def against_floor(
    site: Site, report: Report, database: str, headers: dict[str, str], count: int, rounds: int = 3
) -> None:
    """Product and floor in turn; medians of the rounds."""
    with site.connect(database) as connection:
        here = company.read(connection)
    products, floors = [], []
    for round_ in range(rounds):
        for side, found in (("floor", floors), ("product", products)):
            server = site.serve_floor(database) if side == "floor" else site.serve_product(database)
            path = "/orders" if side == "floor" else "/api/v1/orders"
            make: dict[str, Any] = {"path": path, "headers": headers, "product": side == "product"}
            measure(site, server, database, orders(here, 200, 1000 + round_, **make), 8)
            found.append(measure(site, server, database, orders(here, count, 2000 + round_, **make), 8))
            site.stop(server)
    _lines(report, products, floors)


def _lines(report: Report, products: list[Measured], floors: list[Measured]) -> None:
    def middle(found: list[Measured], key: Any) -> float:
        return statistics.median(key(one) for one in found)

    report.add(
        "confirm: orders per second, 8 connections", middle(products, lambda m: m.outcome.per_second), "1/s",
        floor=middle(floors, lambda m: m.outcome.per_second), at_least=0.5,
    )  # fmt: skip
    report.add(
        "confirm: CPU per order", middle(products, lambda m: m.cpu_ms), "ms",
        floor=middle(floors, lambda m: m.cpu_ms), at_most=2.5,
    )  # fmt: skip
    report.add(
        "confirm: p99 against p50", middle(products, lambda m: m.outcome.p99_ms), "ms",
        floor=middle(products, lambda m: m.outcome.p50_ms), at_most=5,
    )  # fmt: skip


def flat(
    site: Site, report: Report, databases: tuple[str, str], headers: dict[str, str], count: int, rounds: int = 5
) -> None:
    """The same load on a short and on a long history, interleaved; medians."""
    found: dict[str, list[Measured]] = {database: [] for database in databases}
    for round_ in range(rounds):
        for database in databases:
            with site.connect(database) as connection:
                here = company.read(connection)
            server = site.serve_product(database)
            make: dict[str, Any] = {"path": "/api/v1/orders", "headers": headers, "product": True}
            measure(site, server, database, orders(here, 200, 3000 + round_, **make), 4)
            found[database].append(measure(site, server, database, orders(here, count, 4000 + round_, **make), 4))
            site.stop(server)
    small, large = databases
    for name, key, bound in (("buffers", lambda m: m.buffers, 1.10), ("CPU ms", lambda m: m.cpu_ms, 1.25)):
        values = {database: statistics.median(key(one) for one in found[database]) for database in databases}
        report.add(f"flat: {name} per order at long history", values[large], name, floor=values[small], at_most=bound)
