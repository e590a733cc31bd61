"""A load of HTTP requests over keep-alive connections: counts, percentiles, CPU of the server beside it.

Runs as a process of its own (``python -m bench.load SPEC.json``) so that its own work is not counted as the server's.
"""

from __future__ import annotations

import http.client
import json
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load did: requests done, those answered with another status than expected, seconds, latencies in ms."""

    done: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    first_failure: str = ""

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.done / self.seconds if self.seconds else 0.0


def run(port: int, requests: Sequence[dict[str, Any]], connections: int, expect: Sequence[int] = (200, 201)) -> Outcome:
    """Send requests (method, path, headers, body) over so many connections from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.json"
        spec.write_text(
            json.dumps({"port": port, "requests": list(requests), "connections": connections, "expect": list(expect)})
        )
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", str(spec)], capture_output=True, text=True, check=True
        )
    return Outcome(**json.loads(done.stdout))


def _worker(port: int, jobs: queue.SimpleQueue[Any], expect: set[int], seen: list[float], failures: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        try:
            job = jobs.get_nowait()
        except queue.Empty:
            connection.close()
            return
        started = time.perf_counter()
        connection.request(job["method"], job["path"], body=job.get("body"), headers=job.get("headers", {}))
        answer = connection.getresponse()
        body = answer.read()
        seen.append((time.perf_counter() - started) * 1000)
        if answer.status not in expect:
            failures.append(f"{answer.status} {body[:300]!r}")


def main(path: str) -> None:
    """Run the load of a spec file and print its outcome as JSON."""
    spec = json.loads(Path(path).read_text())
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for job in spec["requests"]:
        jobs.put(job)
    seen: list[float] = []
    failures: list[str] = []
    threads = [
        threading.Thread(target=_worker, args=(spec["port"], jobs, set(spec["expect"]), seen, failures))
        for _ in range(spec["connections"])
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    cuts = statistics.quantiles(seen, n=100) if len(seen) > 1 else [0.0] * 99
    outcome = {
        "done": len(seen) - len(failures), "failed": len(failures), "seconds": seconds,
        "p50_ms": cuts[49], "p99_ms": cuts[98], "first_failure": failures[0] if failures else "",
    }  # fmt: skip
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1])
