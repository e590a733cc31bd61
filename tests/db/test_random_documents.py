"""Random documents in any order: after each run the books agree to the unit and to the cent."""

from __future__ import annotations

import pytest

from tests import proof, steps


@pytest.mark.parametrize("seed", range(8))
def test_random_documents_keep_books_and_exposure(session: object, seed: int) -> None:
    player = steps.Player(steps.company(), seed)
    player.play(60)
    assert player.defects == []
    assert proof.faults() == []
