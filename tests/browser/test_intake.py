"""The wizards in a real browser: a take-on goes through by itself once it is started; pages stay usable at 360 px."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from branches.org.models import LegalEntity, Unit
from sdm.app import wiring
from sdm.auth.identity import cookie_name
from sdm.auth.service import open_session
from sdm.intake.service import take_on
from sdm.kernel.actor import system_actor, use_actor
from tests.factories import auth, org

SLICE = Path(__file__).parents[1] / "data" / "online-retail" / "slice.csv"


@pytest.fixture(scope="module")
def session_token(live_app: Flask) -> str:
    """A signed-in administrator of the head office."""
    wiring.load()
    with live_app.app_context(), use_actor(system_actor("test")):
        from sqlalchemy import select

        from sdm.kernel.db import db

        head = (
            db.session.execute(select(Unit).where(Unit.kind == "head_office")).scalar_one_or_none() or org.head_office()
        )
        if head.legal_entity_id is None:
            entity = org.save(LegalEntity(code=f"LE{uuid4().hex[:6]}", name="公司"))
            head.legal_entity_id = entity.id
            org.save(head)
        token = open_session(auth.user("administrator", head).id, "127.0.0.1", "test")
        db.session.remove()
        return token


def enter(page: Any, token: str) -> None:
    page.context.add_cookies([{"name": cookie_name(False), "value": token, "domain": "127.0.0.1", "path": "/"}])


def shot(page: Any, shots: Path | None, name: str) -> None:
    if shots:
        page.screenshot(path=shots / f"intake-{name}.png", full_page=True)


def test_a_take_on_goes_through_by_itself(
    live: str, page_zh: Any, session_token: str, shots: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_on, "BATCH_LINES", 60)
    enter(page_zh, session_token)
    small = tmp_path / "销售明细.csv"
    small.write_bytes(b"\n".join(SLICE.read_bytes().splitlines()[:300]) + b"\n")
    page_zh.goto(f"{live}/intake/take-on/new")
    page_zh.set_input_files("input[type=file]", small)
    page_zh.select_option("#mapping", "online-retail")
    shot(page_zh, shots, "take-on-new")
    page_zh.get_by_role("button", name="下一步").click()
    page_zh.get_by_role("button", name="读取并检查").click()
    page_zh.wait_for_selector("text=299 行将成为")
    shot(page_zh, shots, "take-on-preview")
    page_zh.get_by_role("button", name="过账").click()
    page_zh.locator("dialog").get_by_role("button", name="过账").click()
    page_zh.wait_for_selector("text=所有批次已过账", timeout=60_000)
    assert page_zh.locator("tbody tr").count() > 4
    shot(page_zh, shots, "take-on-done")


def test_faults_of_a_file_are_shown_and_come_back_as_a_workbook(
    live: str, page_en: Any, session_token: str, shots: Path | None, tmp_path: Path
) -> None:
    enter(page_en, session_token)
    page_en.goto(f"{live}/intake/")
    shot(page_en, shots, "imports")
    page_en.goto(f"{live}/intake/sheets/control_totals")
    bad = tmp_path / "totals.csv"
    bad.write_text("Figure,Control total,Unit\ncharged,many,\ncolour,,nowhere\n", encoding="utf-8")
    page_en.set_input_files("input[type=file]", bad)
    shot(page_en, shots, "import-file")
    page_en.get_by_role("button", name="Check the file").click()
    page_en.wait_for_selector("text=is not a number")
    shot(page_en, shots, "import-errors")
    with page_en.expect_download() as download:
        page_en.get_by_role("link", name=re.compile("error column")).click()
    assert download.value.suggested_filename.endswith(".xlsx")


def test_the_pages_fit_a_phone(live: str, phone: Any, session_token: str, shots: Path | None) -> None:
    enter(phone, session_token)
    for name in ("", "take-on", "control-totals", "sheets/control_totals", "mappings/iowa-liquor"):
        phone.goto(f"{live}/intake/{name}")
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{name}: {width}"
        shot(phone, shots, f"phone-{name.replace('/', '-') or 'imports'}")
