"""The served product under load while its processes are killed (F1, F2), and the same request sent many times (F5, F8).

After each: every acknowledged document is there exactly once with the number that was answered, nothing is there that
nobody sent, nothing is half saved, and `sdm doctor` is content. ``SDM_SOAK=10`` does ten times as much.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.stack import Answer, Load, Stack, persistent, request

SOAK = int(os.environ.get("SDM_SOAK", "1"))
DATABASE_KILLS = 10 * SOAK
WORKER_KILLS = 20 * SOAK
KEYS = 30 * SOAK
SENDERS = 20
LOST_REPLIES = 20 * SOAK

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600 * SOAK)]


@dataclass(slots=True)
class Served:
    """A served company: the processes, what the seed made, everything that was sent and acknowledged so far."""

    stack: Stack
    seeded: dict[str, Any]
    sent: set[str]
    acknowledged: dict[str, Answer]

    @property
    def headers(self) -> dict[str, str]:
        """Of somebody who may do everything in the branch."""
        return {"Authorization": f"Bearer {self.seeded['tokens'][0]}"}

    def order(self) -> dict[str, Any]:
        """A new order of one to five lines in any order, without its UUID."""
        products = random.sample(self.seeded["products"], random.randint(1, 5))
        return {
            "dealer_id": random.choice(self.seeded["dealers"]),
            "warehouse_id": self.seeded["warehouses"][0],
            "lines": [{"product_id": product, "qty": str(random.randint(1, 9))} for product in products],
        }

    def load(self, clients: int = 6) -> Load:
        """Clients that enter orders until told to stop."""
        return Load(self.stack.port, self.order, self.headers, clients=clients)

    def note(self, load: Load) -> None:
        """Keep what a load did; a client may not have failed."""
        assert load.failures == []
        self.sent |= load.sent
        self.acknowledged |= load.acknowledged

    def prove(self) -> None:
        """Ask the database and the doctor."""
        report = self.stack.module("tests.faults.seed", "report")
        assert report["faults"] == []
        there = {uuid: (number_id, number) for uuid, number_id, number in report["sales_order"]}
        assert len(there) == len(report["sales_order"])
        answered = {key: (answer.body["id"], answer.body["number"]) for key, answer in self.acknowledged.items()}
        assert {key: there.get(key) for key in answered} == answered
        assert set(there) <= self.sent
        doctor = self.stack.run("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    random.seed(20261121)
    stack = Stack()
    try:
        seeded = stack.module("tests.faults.seed", "seed")
        stack.start()
        yield Served(stack, seeded, set(), {})
    finally:
        stack.stop()


def until_acknowledged(load: Load, more: int, seconds: float = 60) -> None:
    """Wait until so many further documents are acknowledged."""
    wanted, end = len(load.acknowledged) + more, time.monotonic() + seconds
    while len(load.acknowledged) < wanted:
        assert time.monotonic() < end, f"only {len(load.acknowledged)} of {wanted}; failures: {load.failures}"
        time.sleep(0.05)


def test_the_database_server_is_killed_again_and_again_under_load(served: Served) -> None:
    with served.load() as load:
        for _ in range(DATABASE_KILLS):
            until_acknowledged(load, 10)
            os.kill(served.stack.postmaster(), signal.SIGKILL)
        until_acknowledged(load, 10)
    served.note(load)
    served.prove()


def test_web_workers_are_killed_again_and_again_in_the_middle_of_requests(served: Served) -> None:
    with served.load() as load:
        for _ in range(WORKER_KILLS):
            until_acknowledged(load, 4)
            workers = served.stack.web_workers()
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
        until_acknowledged(load, 10)
    served.note(load)
    served.prove()


def test_a_request_sent_by_twenty_at_once_makes_one_document_and_a_changed_one_is_refused(served: Served) -> None:
    def send(key: str, body: dict[str, Any], start: Barrier) -> Answer:
        start.wait(30)
        return persistent(served.stack.port, "POST", "/api/v1/orders", body, {**served.headers, "Idempotency-Key": key})

    with ThreadPoolExecutor(SENDERS) as pool:
        for _ in range(KEYS):
            key, start = str(uuid4()), Barrier(SENDERS)
            body = {**served.order(), "uuid": key}
            answers = list(pool.map(lambda _, k=key, b=body, s=start: send(k, b, s), range(SENDERS)))
            assert {answer.status for answer in answers} == {201}
            assert len({json.dumps(answer.body, sort_keys=True) for answer in answers}) == 1
            changed = {**body, "note": "another one"}
            refused = request(
                served.stack.port, "POST", "/api/v1/orders", changed, {**served.headers, "Idempotency-Key": key}
            )
            assert (refused.status, refused.body["code"]) == (422, "idempotency.mismatch")
            served.sent.add(key)
            served.acknowledged[key] = answers[0]
    served.prove()


def test_a_client_that_never_hears_the_answer_gets_the_same_document_when_it_asks_again(served: Served) -> None:
    for turn in range(LOST_REPLIES):
        key = str(uuid4())
        body = {**served.order(), "uuid": key}
        send_and_hang_up(served, key, body, wait=0.01 * (turn % 10))
        headers = {**served.headers, "Idempotency-Key": key}
        first = persistent(served.stack.port, "POST", "/api/v1/orders", body, headers)
        again = persistent(served.stack.port, "POST", "/api/v1/orders", body, headers)
        assert first.status == 201 and again.body == first.body
        served.sent.add(key)
        served.acknowledged[key] = first
    served.prove()


def send_and_hang_up(served: Served, key: str, body: dict[str, Any], wait: float) -> None:
    """Send the whole request, then close the line without reading."""
    raw = json.dumps(body).encode()
    head = {**served.headers, "Idempotency-Key": key, "Content-Type": "application/json", "Content-Length": len(raw)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with socket.create_connection(("127.0.0.1", served.stack.port)) as line:
        line.sendall(f"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode() + raw)
        time.sleep(wait)
