"""The kinds of page in a real browser: wide and narrow, Chinese and English."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PAGES = {
    "list": "/ui-demo/orders",
    "document": "/ui-demo/orders/12",
    "form": "/ui-demo/form",
    "board": "/ui-demo/board",
    "wizard": "/ui-demo/wizard",
    "grid": "/ui-demo/grid",
    "empty": "/ui-demo/none",
}


def look(page: Any, shots: Path | None, name: str) -> None:
    """Keep a picture when a folder for pictures is named."""
    if shots:
        page.screenshot(path=shots / f"{name}.png")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("kind", ["zh", "en", "phone"])
def test_every_kind_of_page_is_clean_and_fits_its_width(
    kind: str, name: str, ui_demo: str, request: pytest.FixtureRequest, shots: Path | None
) -> None:
    page = request.getfixturevalue({"zh": "page_zh", "en": "page_en", "phone": "phone"}[kind])
    if name == "empty":
        page.watch.allow("404")

    page.goto(ui_demo + PAGES[name], wait_until="networkidle")

    look(page, shots, f"{name}-{kind}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("h1").count() == 1
