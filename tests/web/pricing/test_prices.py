"""Pages, entry grids and API of prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from branches.pricing import queries
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.permissions import Permission
from tests.factories import auth, catalogue, org, pricing
from tests.factories.dealers import dealer

D = Decimal
pytestmark = pytest.mark.usefixtures("session", "head")
RIGHTS = (
    Permission.PRICE_READ, Permission.PRICE_EDIT, Permission.SUPPLY_PRICE_READ, Permission.SUPPLY_PRICE_EDIT,
    Permission.PRODUCT_READ, Permission.DEALER_READ,
)  # fmt: skip


@pytest.fixture
def head(app: object, session: object) -> Any:
    return org.head_office()


@pytest.fixture
def browser(client: FlaskClient, head: Any) -> FlaskClient:
    return auth.signed_in(client, auth.user(auth.role_with(*RIGHTS), head, locale="en"))


class World:
    """A dealer, two products, a list for everyone."""

    def __init__(self) -> None:
        with use_actor(system_actor("tests")):
            self.branch = org.branch()
            self.dealer = dealer(self.branch.id, "和平家电")
            self.product = catalogue.product("三门冰箱", code="P-1")
            self.other = catalogue.product("洗衣机", code="P-2")
            self.list = pricing.price_list(name="全国价目表", code="ALL")
            pricing.price(self.list, self.product.id, "113", floor="100")
            pricing.supply_price(self.product.id, "60")


@pytest.fixture
def world(session: object) -> World:
    return World()


def send(browser: FlaskClient, path: str, body: object, method: str = "POST", **headers: str) -> Any:
    headers["X-CSRFToken"] = auth.form_token(browser)
    return browser.open(path, method=method, json=body, headers=headers)


def test_every_page_opens(browser: FlaskClient, world: World) -> None:
    list_id, product_id = world.list.id, world.product.id
    paths = [
        "", "new", f"{list_id}", f"{list_id}/edit", "entries", f"entries?list={list_id}&state=current", "supply",
        "enter", f"enter?list_id={list_id}", "supply/enter", f"of-product/{product_id}", "authority", "check",
        f"supply/of-product/{product_id}", f"of-dealer/{world.dealer.id}",
        f"check?dealer_id={world.dealer.id}&product_id={product_id}&qty=2",
    ]  # fmt: skip

    answers = {path: browser.get(f"/prices/{path}") for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    assert "全国价目表" in answers[paths[-1]].text
    assert "226.00" in answers[paths[-1]].text
    assert "三门冰箱" in answers[paths[5]].text
    assert "Prices" in browser.get(f"/products/{product_id}").text
    assert f"/prices/of-dealer/{world.dealer.id}" in browser.get(f"/dealers/{world.dealer.id}").text


def test_a_list_is_made_and_changed_on_screen(browser: FlaskClient, world: World) -> None:
    wrong = auth.post(browser, "/prices/new", {"code": "ALL", "name": "", "target": "dealer"})
    made = auth.post(
        browser, "/prices/new",
        {"code": "D1", "name": "专用", "target": "dealer", "dealer_id": str(world.dealer.id), "active": "1"},
    )  # fmt: skip
    path = made.headers["Location"]
    changed = auth.post(
        browser, f"{path}/edit",
        {"code": "D1", "name": "专用2", "target": "dealer", "dealer_id": str(world.dealer.id), "version": "1"},
    )  # fmt: skip

    assert (wrong.status_code, made.status_code, changed.status_code) == (422, 303, 303)
    with use_actor(system_actor("tests")):
        row = queries.price_list(int(path.rsplit("/", 1)[1]))
    assert (row.name, row.active, row.version) == ("专用2", False, 2)


def grid_of(world: World, *lines: dict[str, Any], **head: Any) -> dict[str, Any]:
    return {
        "document_id": "6f7b1a52-0d1c-4f4e-9d7a-000000000001",
        "head": {"list_id": str(world.list.id), "valid_from": "", **head},
        "lines": [{"key": f"k{n}", **line} for n, line in enumerate(lines)],
    }


def test_the_grid_answers_products_prices_and_margin_of_all_lines_at_once(browser: FlaskClient, world: World) -> None:
    body = grid_of(
        world, {"product": {"text": "p-1"}, "price": "113"}, {"product": {"text": "?"}, "price": "x"}, {},
        {"product": {"id": world.other.id}, "price": "-1", "valid_from": "tomorrow"},
    )  # fmt: skip

    answer = send(browser, "/prices/enter/quote", body).get_json()

    first, second, empty, last = (answer["lines"][f"k{n}"] for n in range(4))
    assert first["values"]["product"]["id"] == world.product.id
    shown = [first["values"][name] for name in ("now", "supply_price", "margin")]
    assert shown == ["113", "60", "40.0%"]
    assert set(second["errors"]) == {"product", "price"}
    assert empty == {"values": {}, "errors": {}}
    assert set(last["errors"]) == {"price", "valid_from"}


def test_the_grid_enters_prices_once_although_it_is_sent_twice(browser: FlaskClient, world: World) -> None:
    start = (clock.today() + timedelta(days=1)).isoformat()
    body = grid_of(world, {"product": {"text": "P-1"}, "price": "99.5", "floor_price": "90"}, {}, valid_from=start)
    key = {"Idempotency-Key": body["document_id"]}

    first = send(browser, "/prices/enter/submit", body, **key)
    second = send(browser, "/prices/enter/submit", body, **key)

    assert (first.status_code, second.status_code) == (201, 201)
    with use_actor(system_actor("tests")):
        found = queries.prices_of_product(world.product.id)
    assert [(row.price, row.valid.lower.isoformat()) for row in found] == [(D("99.5"), start), (D("113"), "2020-01-01")]


def test_faults_of_a_submit_point_at_their_cells(browser: FlaskClient, world: World) -> None:
    body = grid_of(
        world, {}, {"product": {"text": "P-1"}, "price": "1", "floor_price": "2"},
        {"product": {"text": "P-1"}, "price": "1", "valid_from": "2021-01-01"},
    )  # fmt: skip
    past = grid_of(world, {}, {"product": {"text": "P-1"}, "price": "1", "valid_from": "2021-01-01"})

    first, second = (send(browser, "/prices/enter/submit", found).get_json() for found in (body, past))
    nothing = send(browser, "/prices/enter/submit", {"head": {}, "lines": []}).get_json()

    assert [fault["pointer"] for fault in first["errors"]] == ["/lines/1/floor_price"]
    assert [fault["pointer"] for fault in second["errors"]] == ["/lines/1/valid_from"]
    assert [fault["pointer"] for fault in nothing["errors"]] == ["/head/list_id", "/lines"]


def test_200_pasted_lines_are_quoted_with_a_constant_number_of_statements(browser: FlaskClient, world: World) -> None:
    from sqlalchemy import event

    from sdm.kernel.db import db

    def statements(count: int) -> int:
        body = grid_of(world, *({"product": {"text": "P-1"}, "price": "1"} for _ in range(count)))
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            sent.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        assert send(browser, "/prices/enter/quote", body).status_code == 200
        event.remove(db.engine, "before_cursor_execute", note)
        return len(sent)

    statements(1)
    assert statements(200) == statements(2)


def test_supply_prices_are_entered_in_their_grid(browser: FlaskClient, world: World) -> None:
    body = {"head": {}, "lines": [{"key": "a", "product": {"text": "P-2"}, "price": "70", "valid_from": "2026-01-01"}]}

    quoted = send(browser, "/prices/supply/enter/quote", body)
    done = send(browser, "/prices/supply/enter/submit", body)

    assert (quoted.status_code, done.status_code) == (200, 201)
    assert queries.supply_prices([world.other.id], clock.today()) == {world.other.id: D(70)}


def test_authority_is_typed_in_percent(browser: FlaskClient) -> None:
    auth.role("clerk")

    wrong = auth.post(browser, "/prices/authority", {"rate_clerk": "x"})
    done = auth.post(browser, "/prices/authority", {"rate_clerk": "5"})

    assert (wrong.status_code, done.status_code) == (422, 303)
    assert queries.authorities() == {"clerk": D("0.05")}
    assert 'value="5"' in browser.get("/prices/authority").text


def test_a_clerk_of_a_branch_sees_neither_supply_prices_nor_the_prices_of_foreign_dealers(
    client: FlaskClient, world: World
) -> None:
    with use_actor(system_actor("tests")):
        foreign = dealer(org.branch().id, "外地商行")
        secret = pricing.price_list("dealer", dealer_id=foreign.id, name="秘密价")
        pricing.price(secret, world.product.id, "1.2345")
    rights = [Permission.PRICE_READ, Permission.PRICE_EDIT, Permission.DEALER_READ, Permission.PRODUCT_READ]
    clerk = auth.signed_in(client, auth.user(auth.role_with(*rights), world.branch))

    for path in ("", "entries", f"of-product/{world.product.id}"):
        assert "秘密价" not in clerk.get(f"/prices/{path}").text, path
    for path in (f"{secret.id}", f"{secret.id}/edit", f"enter?list_id={secret.id}", f"of-dealer/{foreign.id}"):
        assert clerk.get(f"/prices/{path}").status_code == 404, path
    for path in ("supply", "supply/enter", f"supply/of-product/{world.product.id}"):
        assert clerk.get(f"/prices/{path}").status_code == 403, path
    check = {"dealer_id": foreign.id, "product_id": world.product.id}
    assert clerk.get("/prices/check", query_string=check).status_code == 404
    quoted = send(clerk, "/prices/enter/quote", grid_of(world, {"product": {"text": "P-1"}, "price": "100"}))
    assert "supply_price" not in quoted.get_json()["lines"]["k0"]["values"]
    entered = send(clerk, "/prices/enter/submit", grid_of(world, {"product": {"text": "P-1"}, "price": "100"}))
    assert (entered.status_code, entered.get_json()["errors"][0]["pointer"]) == (422, "/head/list_id")
    assert clerk.get(f"/api/v1/price-lists/{secret.id}/prices").status_code == 404
    own = {"dealer_id": world.dealer.id, "lines": [{"product_id": world.product.id, "qty": "1"}]}
    line = send(clerk, "/api/v1/prices/quote", own).get_json()[0]
    assert not {"supply_price", "margin", "margin_rate"} & set(line["explanation"])


def test_the_api_makes_a_list_enters_reads_ends_and_quotes_prices(browser: FlaskClient, world: World) -> None:
    made = send(
        browser, "/api/v1/price-lists", {"code": "A", "name": "A", "target": "grade", "grade_code": "A"},
        **{"Idempotency-Key": "price-list-1"},
    )  # fmt: skip
    path = f"/api/v1/price-lists/{made.get_json()['id']}"
    today = clock.today().isoformat()
    entries = {"entries": [{"product_id": world.product.id, "price": "105.5", "valid_from": today}]}
    first = send(browser, f"{path}/prices", entries, **{"Idempotency-Key": "price-key-1"})
    again = send(browser, f"{path}/prices", entries, **{"Idempotency-Key": "price-key-1"})
    listed = browser.get(f"{path}/prices?on={today}").get_json()["items"]
    body = {"dealer_id": world.dealer.id, "lines": [{"product_id": world.product.id, "qty": "2"}]}
    quoted = send(browser, "/api/v1/prices/quote", body).get_json()
    ended = send(browser, f"/api/v1/prices/{listed[0]['id']}/end", {"last_day": today})

    assert (made.status_code, first.status_code, ended.status_code) == (201, 201, 204)
    assert first.get_json() == again.get_json() == {"added": 1, "closed": 0, "removed": 0, "unchanged": 0}
    assert [(item["price"], item["valid_from"], item["valid_to"]) for item in listed] == [("105.5000", today, None)]
    assert (quoted[0]["amount"], quoted[0]["explanation"]["why"]) == ("211.00", "grade")


def test_the_api_names_every_faulty_entry(browser: FlaskClient, world: World) -> None:
    entries = [
        {"product_id": -1, "price": "x", "valid_from": "never"},
        {"product_id": world.product.id, "price": "1", "valid_from": "2020-06-01"},
    ]

    answer = send(
        browser, f"/api/v1/price-lists/{world.list.id}/prices", {"entries": entries},
        **{"Idempotency-Key": "price-key-2"},
    )  # fmt: skip

    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == 3
