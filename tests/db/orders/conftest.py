"""Outside of what a test does as somebody, it looks on as the system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdm.kernel.actor import system_actor, use_actor


@pytest.fixture(autouse=True)
def looking_on() -> Iterator[None]:
    """The system looks on."""
    with use_actor(system_actor("test")):
        yield
