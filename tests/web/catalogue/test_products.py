"""Pages and API of products."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from branches.catalogue import queries
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.permissions import Permission
from tests.factories import auth, catalogue, org

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def browser(client: FlaskClient) -> FlaskClient:
    rights = auth.role_with(Permission.PRODUCT_READ, Permission.PRODUCT_EDIT)
    return auth.signed_in(client, auth.user(rights, org.branch(), locale="en"))


def made(name: str, **values: object) -> object:
    with use_actor(system_actor("tests")):
        return catalogue.product(name, **values)


def typed(**changes: str) -> dict[str, str]:
    with use_actor(system_actor("tests")):
        group = catalogue.category()
    values = {"code": "BCD-9", "name": "三门冰箱", "category_id": str(group.id), "base_unit": "台", "tax_rate": "13"}
    return {**values, "stocked": "1", **changes}


def test_every_page_opens(browser: FlaskClient) -> None:
    row = made("三门冰箱", packs={"箱": 2}, barcodes=["690100"], attributes={"颜色": "白"})
    paths = ["", "new", "tree", "tree/new", f"tree/new?parent_id={row.category_id}", f"tree/{row.category_id}"]
    paths += [f"{row.id}", f"{row.id}/edit", f"?below={row.category_id}"]

    answers = {path: browser.get(f"/products/{path}") for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    assert "690100" in answers[f"{row.id}"].text
    assert "箱=2" in answers[f"{row.id}/edit"].text
    assert "三门冰箱" in answers[f"?below={row.category_id}"].text


def test_a_product_is_entered_changed_and_ended_on_screen(browser: FlaskClient) -> None:
    values = typed(packs="箱=2", barcodes="690100; 690200=箱", attributes="颜色: 白", list_price="3,299.00")

    entered = auth.post(browser, "/products/new", values)
    product_id = int(entered.headers["Location"].rsplit("/", 1)[1])
    changed = auth.post(browser, f"/products/{product_id}/edit", {**values, "name": "四门冰箱", "version": "1"})
    stale = auth.post(browser, f"/products/{product_id}/edit", {**values, "name": "五门冰箱", "version": "1"})
    ended = auth.post(browser, f"/products/{product_id}/ended", {"version": "2"})

    assert [a.status_code for a in (entered, changed, stale, ended)] == [303, 303, 422, 303]
    row = queries.product_page(product_id)
    assert (row.product.name, row.product.status, str(row.product.tax_rate)) == ("四门冰箱", "ended", "0.130000")
    assert row.product.attributes == {"颜色": "白"}
    assert row.barcodes == [("690100", "台"), ("690200", "箱")]


def test_each_wrong_field_is_told_in_its_place(browser: FlaskClient) -> None:
    wrong = typed(tax_rate="abc", packs="箱", attributes="no colon", list_price="-1")

    first = auth.post(browser, "/products/new", wrong)
    second = auth.post(browser, "/products/new", {**wrong, "list_price": ""})

    assert first.status_code == second.status_code == 422
    assert "must not be negative" in first.text
    assert second.text.count('class="field-error" id="f') == 3


def test_the_picker_finds_a_barcode_and_resolve_answers_many_texts_at_once(browser: FlaskClient) -> None:
    row = made("三门冰箱", code="BCD-1", barcodes=["690100"])
    made("双门冰箱", code="BCD-2")
    token = {"X-CSRFToken": auth.form_token(browser)}

    hits = browser.get("/pick/product?q=690100").get_json()["items"]
    answer = browser.post("/products/resolve", json={"codes": ["bcd-1", "smbx", "?"]}, headers=token)

    assert [hit["id"] for hit in hits] == [row.id]
    items = answer.get_json()["items"]
    assert items["bcd-1"]["product"]["id"] == row.id
    assert (items["smbx"]["product"], len(items["smbx"]["candidates"])) == (None, 2)
    assert "?" not in items


def test_more_than_1000_texts_are_refused(browser: FlaskClient) -> None:
    token = {"X-CSRFToken": auth.form_token(browser)}

    answer = browser.post("/products/resolve", json={"codes": ["x"] * 1001}, headers=token)

    assert answer.status_code == 422


def test_a_category_is_entered_moved_and_removed(browser: FlaskClient) -> None:
    auth.post(browser, "/products/tree/new", {"code": "T", "name": "家电", "active": "1"})
    auth.post(browser, "/products/tree/new", {"code": "S", "name": "冰箱", "active": "1"})
    ids = {node.code: node.id for node in queries.category_tree()}

    moved = auth.post(
        browser, f"/products/tree/{ids['S']}", {"code": "S", "name": "冰箱", "parent_id": str(ids["T"]), "active": "1"}
    )
    refused = auth.post(browser, f"/products/tree/{ids['T']}/remove")
    removed = auth.post(browser, f"/products/tree/{ids['S']}/remove")

    assert (moved.status_code, refused.status_code, removed.status_code) == (303, 409, 303)


def test_readers_see_no_buttons_and_cannot_change(client: FlaskClient) -> None:
    row = made("三门冰箱")
    reader = auth.signed_in(client, auth.user(auth.role_with(Permission.PRODUCT_READ), org.branch()))

    assert f"/products/{row.id}/edit" not in reader.get(f"/products/{row.id}").text
    assert reader.get("/products/new").status_code == 403


def test_the_api_enters_changes_lists_and_resolves_products(browser: FlaskClient) -> None:
    token = {"X-CSRFToken": auth.form_token(browser)}
    with use_actor(system_actor("tests")):
        group = catalogue.category()
    body = {
        "code": "API-1", "name": "三门冰箱", "category_id": group.id, "base_unit": "台",
        "packs": [{"name": "箱", "factor": "2"}], "barcodes": [{"code": "690300", "pack": "箱"}],
    }  # fmt: skip

    made_ = browser.post("/api/v1/products", json=body, headers={**token, "Idempotency-Key": "product-key"})
    path = f"/api/v1/products/{made_.get_json()['id']}"
    changed = browser.patch(path, json={"name": "四门冰箱"}, headers={**token, "If-Match": '"1"'})
    ended = browser.put(f"{path}/status", json={"status": "ended"}, headers={**token, "If-Match": '"2"'})
    listed = browser.get(f"/api/v1/products?q=690300&below={group.id}").get_json()["items"]
    resolved = browser.post("/api/v1/products/resolve", json={"codes": ["690300", "?"]}, headers=token).get_json()

    assert made_.status_code == 201
    assert changed.get_json()["barcodes"] == [{"code": "690300", "pack": "箱"}]
    assert (ended.status_code, ended.get_json()["status"]) == (200, "ended")
    assert [item["name"] for item in listed] == ["四门冰箱"]
    assert [r["matched"] for r in resolved] == ["barcode", None]
    assert resolved[0]["product"]["factor"] == "2.000"
