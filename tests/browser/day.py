"""What the days of the four people share: signing in, picking, the entry grid, one company for all of them."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from playwright.sync_api import expect

from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth

CELL = '.tabulator-cell[tabulator-field="{}"].tabulator-editing'
READY = '[data-entry][data-ready="1"]'


def sign_in(page: Any, live: str, login: str) -> None:
    """Through the sign-in page, by keyboard, to the work place."""
    page.goto(live)
    page.locator("#username").fill(login)
    page.keyboard.press("Tab")
    page.keyboard.type(auth.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"//[^/]+/$"))
    expect(page.locator(".tiles-place .tile").first).to_be_visible()


def tile(page: Any, label: str) -> Any:
    """The tile of a work place."""
    return page.locator(".tile", has=page.get_by_role("link", name=label, exact=True))


def figure(page: Any, label: str) -> int:
    """The count on a tile."""
    return int(tile(page, label).locator(".figure").inner_text().replace(",", ""))


def choose(page: Any, text: str) -> None:
    """The picker with the focus: type, wait for the hit, take it."""
    page.keyboard.type(text)
    expect(page.locator(".ts-dropdown .option.active")).to_contain_text(text)
    page.keyboard.press("Enter")
    expect(page.locator(".ts-dropdown:visible")).to_have_count(0)


def pick(page: Any, field: str, text: str) -> None:
    """The same for a picker that is clicked first."""
    page.locator(f'select[name="{field}"] + .ts-wrapper .ts-control').click()
    choose(page, text)


def into_grid(page: Any) -> None:
    """Tab through the head until the first cell is being edited."""
    for _ in range(25):
        if page.locator(CELL.format("product")).count():
            return
        page.keyboard.press("Tab")
        page.wait_for_timeout(60)
    raise AssertionError("the grid is not reached by the keyboard")


def paste(page: Any, text: str) -> None:
    """What a spreadsheet puts on the clipboard."""
    page.evaluate(
        """text => { const data = new DataTransfer(); data.setData('text/plain', text);
        document.activeElement.dispatchEvent(
            new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})); }""",
        text,
    )


def confirm(page: Any) -> None:
    """Say yes to the question that repeats the consequence."""
    page.locator("dialog[open] .btn-primary, dialog[open] .btn-bad").first.click()


def scalar(app: Flask, statement: Any) -> Any:
    """One value of the database, read as the system."""
    with app.app_context(), use_actor(system_actor("test")):
        value = db.session.execute(statement).scalar()
        db.session.remove()
    return value


def shot(page: Any, shots: Any, name: str) -> None:
    """A screenshot to look at, where a folder for them is named."""
    if shots:
        page.screenshot(path=shots / f"{name}.png", full_page=True)
