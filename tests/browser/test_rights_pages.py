"""The administrator's pages in a real browser: sign in, open an office, take a permission away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sdm.kernel.db import db
from tests.factories import auth, org

SHOTS = os.environ.get("SDM_TEST_SHOTS")


@pytest.fixture
def company(live_app: Flask) -> dict[str, Any]:
    """A head office with two branches, an administrator and the delivered roles."""
    with live_app.app_context():
        head = org.head_office(name="昆仑电器", name_en="Kunlun Appliances")
        region = org.region(head, name="华东大区", name_en="East")
        branch = org.branch(region, name="宁波分公司", name_en="Ningbo branch")
        org.office(branch, name="北仑办事处", name_en="Beilun office")
        org.warehouse(branch, name="宁波仓库")
        manager = org.person(branch, name="王芳", job_title="经理")
        branch.manager_id = manager.id
        org.save(branch)
        admin = auth.user("administrator", head, name="管理员")
        clerk = auth.role("clerk")
        found = {"login": admin.login, "branch": branch.id, "role": clerk.id, "admin": admin.id}
        db.session.remove()
    return found


def shot(page: Any, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def sign_in(page: Any, live: str, login: str) -> None:
    page.goto(f"{live}/org/units")
    shot(page, f"sign-in-{page.viewport_size['width']}")
    page.fill("#username", login)
    page.fill("#password", auth.PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url("**/org/units")


def walk(page: Any, live: str, company: dict[str, Any], language: str) -> None:
    paths = {
        "units": "/org/units",
        "unit": f"/org/units/{company['branch']}",
        "roles": "/auth/roles",
        "role": f"/auth/roles/{company['role']}",
        "user": f"/auth/users/{company['admin']}",
        "users": "/auth/users",
        "parameters": "/org/parameters",
        "parameter": "/org/parameters/order.reservation_days",
        "audit": "/audit",
        "system": "/system",
        "tokens": "/auth/tokens",
        "office": f"/auth/offices/new?parent_id={company['branch']}",
        "api": "/api/docs",
        "people": "/org/people",
        "me": "/auth/me",
    }
    for name, path in paths.items():
        page.goto(live + path)
        assert page.locator("h1").count() == 1
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"] + 1, f"{path} is {width} px wide"
        shot(page, f"{name}-{language}-{page.viewport_size['width']}")


def test_the_administrators_pages_fit_in_chinese(page_zh: Any, live: str, company: dict[str, Any]) -> None:
    sign_in(page_zh, live, company["login"])
    walk(page_zh, live, company, "zh")


def test_the_administrators_pages_fit_in_english(page_en: Any, live: str, company: dict[str, Any]) -> None:
    sign_in(page_en, live, company["login"])
    walk(page_en, live, company, "en")


def test_the_administrators_pages_fit_on_a_phone(phone: Any, live: str, company: dict[str, Any]) -> None:
    sign_in(phone, live, company["login"])
    walk(phone, live, company, "zh")


def test_an_office_is_opened_with_pickers_and_shows_first_passwords(
    page_zh: Any, live: str, company: dict[str, Any]
) -> None:
    sign_in(page_zh, live, company["login"])
    page_zh.goto(f"{live}/auth/offices/new?parent_id={company['branch']}")
    page_zh.fill("[name=code]", "OF-XS")
    page_zh.fill("[name=name]", "象山办事处")
    page_zh.fill("[name=warehouse_name]", "象山仓库")
    page_zh.fill("[name=order_limit]", "50000")
    page_zh.locator("[name=person_names]").first.fill("赵敏")
    page_zh.locator("[name=person_logins]").first.fill("zhaomin")
    page_zh.locator("[name=person_roles]").first.select_option(str(company["role"]))
    page_zh.click(".form-actions .btn-primary")

    page_zh.wait_for_selector("code.secret")
    assert "zhaomin" in page_zh.inner_text("table")
