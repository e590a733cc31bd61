"""Browser tests: headless Chromium on a live server with a committed database.

`live` is the address of the product on a database of its own; `ui_demo` the same with the demonstration pages of
`tests/ui_demo.py`. `page_zh`, `page_en` (1280 px) and `phone` (360 px, Chinese) are pages that fail the test on a
breach of the security policy, an error of a script, a message on the console, or a request to a foreign host.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from sdm.app import create_app
from sdm.kernel.db import db
from sdm.kernel.settings import Settings
from tests import ui_demo as demo
from tests.conftest import fresh_database
from tests.factories import company as companies

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--font-render-hinting=none",
]
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; tests are skipped where there is none."""
    path = os.environ.get("SDM_TEST_CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if not path:
        pytest.skip("no Chromium found: install Debian's chromium or name one in SDM_TEST_CHROMIUM")
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """One browser for all tests of a worker."""
    with playwright_api.sync_playwright() as driver:
        instance = driver.chromium.launch(executable_path=chromium, args=FLAGS, headless=True)
        yield instance
        instance.close()


@dataclass(frozen=True, slots=True)
class House:
    """A company in use: its address, its application, what was made."""

    live: str
    app: Flask
    made: companies.Company


def serve(app: Flask) -> Iterator[str]:
    """The address of a threaded server for an application, on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
        with app.app_context():
            _wait_for_requests()
            db.engine.dispose()


def _wait_for_requests() -> None:
    """Until the last answer gave its connection back: a page that was closed may still be asking."""
    deadline = time.monotonic() + 10
    while db.engine.pool.checkedout() and time.monotonic() < deadline:  # type: ignore[attr-defined]
        time.sleep(0.05)


@pytest.fixture(scope="session")
def live_app(server_url: str, template: str, test_settings: Settings) -> Iterator[Flask]:
    """The product on a committed database that all browser tests of a worker share."""
    with fresh_database(server_url, template) as url:
        yield create_app(test_settings.replace(database_url=url, db_pool_size=10))


@pytest.fixture(scope="session")
def live(live_app: Flask) -> Iterator[str]:
    """Address of the product."""
    yield from serve(live_app)


@pytest.fixture(scope="module")
def house(request: Any, server_url: str, template: str, test_settings: Settings) -> Iterator[House]:
    """The small company of `tests.factories.company` on a database of its own, served.

    `PRODUCTS` of the test module says how many products it has.
    """
    with fresh_database(server_url, template) as url:
        app = create_app(test_settings.replace(database_url=url, db_pool_size=10))
        with app.app_context():
            made = companies.company(getattr(request.module, "PRODUCTS", 30))
            db.session.remove()
        for address in serve(app):
            yield House(address, app, made)


@pytest.fixture(scope="session")
def ui_demo(server_url: str, template: str, test_settings: Settings) -> Iterator[str]:
    """Address of the demonstration pages."""
    with fresh_database(server_url, template) as url:
        yield from serve(demo.install(create_app(test_settings.replace(database_url=url, db_pool_size=10))))


class Watch:
    """Collects what must not happen on a page; `allow` names parts of messages that a test expects."""

    def __init__(self, page: Any) -> None:
        self.faults: list[str] = []
        self.allowed: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        page.on("request", self._request)

    def allow(self, *parts: str) -> None:
        """Expect messages that contain one of the parts."""
        self.allowed.extend(parts)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:", "about:")):
            self.faults.append(f"foreign request: {request.url}")

    def verdict(self) -> list[str]:
        """Faults that nobody expected."""
        return [fault for fault in self.faults if not any(part in fault for part in self.allowed)]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Make pages: `open_page(locale, viewport)`; every page has `page.watch` and is judged at the end."""
    contexts: list[Any] = []
    watches: list[Watch] = []

    def make(locale: str = "zh_CN", viewport: dict[str, int] = WIDE, **options: Any) -> Any:
        context = browser.new_context(
            viewport=viewport,
            locale=locale.replace("_", "-"),
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
            **options,
        )
        context.add_cookies([{"name": "sdm_locale", "value": locale, "domain": "127.0.0.1", "path": "/"}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.watch = Watch(page)
        contexts.append(context)
        watches.append(page.watch)
        return page

    yield make
    for context in contexts:
        context.close()
    faults = [fault for watch in watches for fault in watch.verdict()]
    assert not faults, "\n".join(faults)


@pytest.fixture
def page_zh(open_page: Callable[..., Any]) -> Any:
    """A wide page in Chinese."""
    return open_page("zh_CN", WIDE)


@pytest.fixture
def page_en(open_page: Callable[..., Any]) -> Any:
    """A wide page in English."""
    return open_page("en", WIDE)


@pytest.fixture
def phone(open_page: Callable[..., Any]) -> Any:
    """A phone of 360 px in Chinese."""
    return open_page("zh_CN", PHONE, has_touch=True, is_mobile=True)


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """Folder for screenshots to look at, when SDM_TEST_SHOTS names one."""
    folder = os.environ.get("SDM_TEST_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else None
