"""*Late*: what a branch saves is in head office's figures with the next look, with no month-end in between."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask

from tests.scenarios import month


@pytest.fixture
def story(app: Flask, session: object) -> month.Month:
    return month.beginning(app)


def page(story: month.Month, role: str, day: date, path: str) -> str:
    """A page as somebody of head office sees it."""
    with story.looking(day, role) as client:
        answer = client.get(path)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)


def test_head_office_sees_every_step_of_the_branch_at_once(story: month.Month) -> None:
    assert "1,900.00" not in page(story, "finance", date(2026, 3, 7), "/receivables/ageing?as_of=2026-03-07")

    month.first_order(story)
    assert story.ref("order").number in page(story, "finance", date(2026, 3, 7), "/orders/")
    assert story.ref("shipment").number in page(story, "finance", date(2026, 3, 7), "/shipments/")
    assert "1,900.00" in page(story, "finance", date(2026, 3, 7), "/receivables/ageing?as_of=2026-03-07")

    month.held_order(story)
    assert story.ref("large").number in page(story, "finance", date(2026, 3, 9), "/inbox/")

    month.released_order(story)
    month.red_letter(story)
    invoices = page(story, "finance", date(2026, 3, 17), "/invoices/")
    assert all(story.ref(name).number in invoices for name in ("invoice", "red", "second invoice", "large invoice"))

    month.payment(story)
    assert "3,000.00" in page(story, "finance", date(2026, 3, 20), "/receipts/")
    assert "4,900.00" in page(story, "finance", date(2026, 3, 20), "/receivables/ageing?as_of=2026-03-20")


def test_the_first_page_of_the_executive_moves_with_the_branch(story: month.Month) -> None:
    before = page(story, "executive", date(2026, 3, 7), "/")
    month.first_order(story)
    after = page(story, "executive", date(2026, 3, 7), "/")
    assert "1,900.00" in after and "1,900.00" not in before
