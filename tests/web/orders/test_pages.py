"""Pages of orders, quotations, returns and the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from branches.orders import queries, service
from branches.orders.inputs import OrderLineInput, ReturnInput, ReturnLineInput
from branches.orders.models import Quotation, SalesOrder, SalesReturn
from inventory.shipments import service as shipments
from sdm.cases import queries as cases
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth
from tests.factories.orders import Shop, clerk, shop, signed

D = Decimal


@pytest.fixture(autouse=True)
def looking_on() -> Iterator[None]:
    with use_actor(system_actor("test")):
        yield


@pytest.fixture
def made(session) -> Shop:
    return shop()


def browser(client: FlaskClient, made: Shop, role: str = "branch_manager") -> FlaskClient:
    return auth.signed_in(client, auth.user(role, made.branch))


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    with use_actor(None):
        answer = client.get(path)
    assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
    return answer.get_data(as_text=True)


def post(client: FlaskClient, path: str, status: int = 303, **data: object) -> str:
    with use_actor(None):
        answer = auth.post(client, path, {k: str(v) for k, v in data.items()})
    assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
    return answer.headers.get("Location", "") if status == 303 else answer.get_data(as_text=True)


def send(client: FlaskClient, path: str, content: dict, status: int = 200, key: str | None = None) -> dict:
    with use_actor(None):
        headers = {"X-CSRFToken": auth.form_token(client)} | ({"Idempotency-Key": key} if key else {})
        answer = client.post(path, json=content, headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
    return answer.get_json()


def grid(made: Shop, *lines: dict, uuid: str | None = None, **head: object) -> dict:
    head = {"dealer_id": str(made.dealer.id), "warehouse_id": str(made.warehouse.id)} | head
    return {
        "document_id": uuid or str(uuid4()),
        "seq": 1,
        "action": "submit",
        "head": head,
        "lines": [{"key": f"n{index}", **line} for index, line in enumerate(lines)],
    }


def code_of(made: Shop, index: int) -> str:
    return queries.products([made.products[index]])[made.products[index]].code


def test_the_grid_resolves_codes_and_answers_price_stock_and_headroom(client, made):
    browser(client, made, "clerk")
    answer = send(
        client,
        "/orders/quote",
        grid(made, {"product": {"text": code_of(made, 1)}, "qty": "3"}, {"product": {"text": "没有"}, "qty": "x"}),
    )

    first, second = answer["lines"]["n0"], answer["lines"]["n1"]
    assert first["values"]["product"]["id"] == made.products[1]
    assert (first["values"]["price"], first["values"]["amount"], first["values"]["stock"]) == (
        "200.00",
        "600.00",
        "100",
    )
    assert set(second["errors"]) == {"product", "qty"}
    assert {"600.00", "100,000.00", "99,400.00"} <= {fact["value"] for fact in answer["facts"]}


def test_the_grid_offers_the_warehouse_of_the_dealers_branch(client, made):
    browser(client, made, "clerk")
    answer = send(client, "/orders/quote", grid(made, warehouse_id=""))

    assert answer["head"]["warehouse_id"]["id"] == made.warehouse.id


def test_the_grid_warns_of_shortage_and_floor_and_says_what_would_hold(client, session):
    made = shop(stock=2, limit="10", floor="90")
    browser(client, made, "clerk")
    line = {"product": {"id": made.products[0]}, "qty": "5", "price": "80", "reason": "试"}
    answer = send(client, "/orders/quote", grid(made, line))

    assert set(answer["lines"]["n0"]["warnings"]) == {"qty", "price"}
    assert len(answer["holds"]) == 4


def test_an_order_is_submitted_once_however_often_the_grid_sends_it(client, made):
    browser(client, made, "clerk")
    content = grid(made, {"product": {"id": made.products[0]}, "qty": "3"})
    first = send(client, "/orders/submit", content, 201, key=content["document_id"])
    second = send(client, "/orders/submit", content, 201, key=content["document_id"])

    assert first == second
    assert db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).count() == 1
    page(client, first["location"])


def test_a_faulty_submission_marks_its_cells_and_saves_nothing(client, made):
    browser(client, made, "clerk")
    content = grid(made, {"product": {"id": made.products[0]}, "qty": "3", "price": "90"}, {"qty": "1"})
    answer = send(client, "/orders/submit", content, 422)
    assert {fault["pointer"] for fault in answer["errors"]} == {"/lines/1/product"}

    content = grid(made, {"product": {"id": made.products[0]}, "qty": "3", "price": "90"}, dealer_id="999999999")
    answer = send(client, "/orders/submit", content, 422)
    assert "/head/dealer_id" in {fault["pointer"] for fault in answer["errors"]}
    assert db.session.query(SalesOrder).filter_by(dealer_id=made.dealer.id).count() == 0


def test_two_hundred_pasted_lines_are_answered_by_one_request(client, made):
    browser(client, made, "clerk")
    lines = [{"product": {"text": code_of(made, index % 3)}, "qty": "1"} for index in range(200)]
    answer = send(client, "/orders/quote", grid(made, *lines))

    assert len(answer["lines"]) == 200
    assert all(not line["errors"] for line in answer["lines"].values())


def test_an_order_is_changed_in_the_grid(client, made):
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 3))
    line_id = queries.lines_of(order.id)[0].id
    browser(client, made, "clerk")
    assert str(line_id) in page(client, f"/orders/{order.id}/edit")
    content = grid(made, {"product": {"id": made.products[0]}, "qty": "5"})
    content["lines"][0]["key"] = str(line_id)
    send(client, f"/orders/{order.id}/change?version=1", content, 201)

    assert queries.lines_of(order.id)[0].qty == 5
    assert send(client, f"/orders/{order.id}/change?version=1", content, 409)


def test_lists_and_forms_open_for_whoever_may_see_them(client, made):
    with use_actor(clerk(made.branch)):
        made.submit((0, 3))
        made.submit((0, 100_000))
        service.quote(made.order((1, 2)))
    browser(client, made)
    for path in (
        "/orders/",
        "/orders/new",
        "/orders/desk",
        "/quotations/",
        "/returns/",
        "/returns/new",
        "/inbox/",
        "/inbox/all",
        "/inbox/badge",
    ):
        page(client, path)
    for path in ("/orders/?export=xlsx", "/orders/desk?export=csv", "/orders/?state=held"):
        with use_actor(None), client.get(path) as answer:
            assert answer.status_code == 200


def test_the_release_desk_shows_holds_with_their_figures(client, session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        made.submit((0, 3))
    browser(client, made)
    text = page(client, "/orders/desk")

    assert "290.00" in text and "300.00" in text


def test_the_page_of_a_held_order_says_why_and_who_can_release_it(client, session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 3))
    manager = auth.user("branch_finance", made.branch, name="陈经理")
    auth.signed_in(client, manager)
    text = page(client, f"/orders/{order.id}")
    assert "290.00" in text and "陈经理" in text
    hold = queries.open_holds(order.id)[0]
    post(client, f"/orders/{order.id}/release", hold_id=hold.id)

    assert db.session.get(SalesOrder, order.id, populate_existing=True).state == "confirmed"


def test_a_clerk_without_the_right_cannot_release(client, session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 3))
    browser(client, made, "clerk")
    hold = queries.open_holds(order.id)[0]
    post(client, f"/orders/{order.id}/release", 403, hold_id=hold.id)


def test_a_work_item_is_decided_on_its_page(client, session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 3))
    browser(client, made, "branch_finance")
    item = cases.of_subject("sales_order", order.id)[0]
    assert "290.00" in page(client, f"/inbox/{item.id}")
    assert page(client, "/inbox/badge") == "1"
    post(client, f"/inbox/{item.id}/acknowledge")
    post(client, f"/inbox/{item.id}/handle", 422, result="reject")
    post(client, f"/inbox/{item.id}/handle", result="release", comment="可以", amount="290", until="2099-01-01")

    assert db.session.get(SalesOrder, order.id, populate_existing=True).state == "confirmed"
    assert page(client, "/inbox/badge") == ""


def test_many_work_items_are_approved_at_once_with_one_report(client, session):
    made = shop(floor="90")
    line = OrderLineInput(D(1), made.products[0], price=D(80), price_reason="老客户")
    with use_actor(clerk(made.branch)):
        orders = [made.submit(line) for _ in range(3)]
    browser(client, made)
    ids = [cases.of_subject("sales_order", order.id)[0].id for order in orders]
    with use_actor(None):
        token = auth.form_token(client)
        answer = client.post("/inbox/", data={"csrf_token": token, "action": "approve", "ids": ids})
    assert answer.status_code == 200

    states = [db.session.get(SalesOrder, order.id, populate_existing=True).state for order in orders]
    assert states == ["confirmed"] * 3


def test_steps_of_an_order_from_its_page(client, made):
    with use_actor(clerk(made.branch)):
        order, other = made.submit((0, 3)), made.submit((1, 1))
    browser(client, made, "administrator")
    user = auth.user(auth.role_with(*[p for p in ALL_SALES]), made.branch)
    auth.signed_in(client, user)
    page(client, f"/orders/{order.id}")
    location = post(client, f"/orders/{order.id}/pick", uuid=str(uuid4()), version=1)
    page(client, location)
    post(client, f"/orders/{other.id}/cancel", version=1)
    page(client, f"/orders/{other.id}")


ALL_SALES = (
    "order:read", "order:enter", "order:cancel", "shipment:read", "shipment:post", "shipment:sign", "return:read",
    "return:enter", "return:approve", "goods_receipt:post", "dealer:read", "product:read", "supply_price:read",
)  # fmt: skip


def test_a_return_from_request_to_credit_on_its_pages(client, made):
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
    line = shipments.lines_of(shipment.id)[0]
    clerk_user = auth.user(auth.role_with(*ALL_SALES), made.branch)
    auth.signed_in(client, clerk_user)
    assert f"qty-{line.id}" in page(client, f"/returns/new?dealer_id={made.dealer.id}")
    form = {"dealer_id": made.dealer.id, "uuid": uuid4(), "reason_code": "damaged"}
    post(client, "/returns/new", 422, **form, **{f"qty-{line.id}": "11"})
    location = post(client, "/returns/new", **form, **{f"qty-{line.id}": "4"})
    row = db.session.query(SalesReturn).one()
    page(client, location)
    post(client, f"/returns/{row.id}/decide", 403, result="approve")
    auth.signed_in(client, auth.user(auth.role_with(*ALL_SALES), made.branch))
    post(client, f"/returns/{row.id}/decide", result="approve")
    page(client, location)
    return_line = queries.return_lines(row.id)[0]
    post(client, f"/returns/{row.id}/receive", 422, **{f"qty-{return_line.id}": "9"})
    post(client, f"/returns/{row.id}/receive", **{f"qty-{return_line.id}": "4"})
    page(client, location)

    assert db.session.get(SalesReturn, row.id, populate_existing=True).state == "credited"


def test_a_quotation_is_printed_and_ordered(client, made):
    with use_actor(clerk(made.branch)):
        offer = service.quote(made.order(OrderLineInput(D(2), made.products[0])))
    browser(client, made, "clerk")
    page(client, f"/quotations/{offer.id}")
    assert "200.00" in page(client, f"/quotations/{offer.id}/print")
    page(client, post(client, f"/quotations/{offer.id}/order", version=1))

    assert db.session.get(Quotation, offer.id, populate_existing=True).state == "ordered"


def test_nothing_of_another_branch_is_there(client, session):
    made, mine = shop(limit="10"), shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 3))
        offer = service.quote(made.order((0, 1)))
    item = cases.of_subject("sales_order", order.id)[0]
    auth.signed_in(client, auth.user("branch_manager", mine.branch))
    for path in (
        f"/orders/{order.id}",
        f"/orders/{order.id}/edit",
        f"/quotations/{offer.id}",
        f"/quotations/{offer.id}/print",
        f"/inbox/{item.id}",
    ):
        page(client, path, 404)
    assert order.number not in page(client, "/orders/") + page(client, "/orders/desk") + page(client, "/inbox/all")
    hold = queries.open_holds(order.id)[0]
    post(client, f"/orders/{order.id}/release", 404, hold_id=hold.id)


def test_an_administrator_changes_the_approval_route(client, made):
    auth.signed_in(client, auth.user("administrator", made.branch))
    page(client, "/inbox/routes")
    with use_actor(None):
        token = auth.form_token(client)
        data = {
            "csrf_token": token,
            "amount_from": ["1000", ""],
            "permission": ["order:release_amount"] * 2,
            "unit_level": ["branch"] * 2,
        }
        assert client.post("/inbox/routes/sales_order", data=data).status_code == 303
        data["amount_from"] = ["-5", "x"]
        assert client.post("/inbox/routes/sales_order", data=data).status_code == 422

    assert [step.amount_from for step in cases.steps_of("sales_order")] == [D(1000)]
    with use_actor(clerk_without_release(made)):
        assert made.submit((0, 20)).state == "held"


def clerk_without_release(made: Shop):
    from sdm.kernel.actor import Actor
    from sdm.kernel.scope import Scope

    return Actor(7, "店员", frozenset({"order:enter"}), Scope(units=frozenset({made.branch.id})))


def test_a_return_of_another_dealer_is_refused(client, made):
    other = shop()
    with use_actor(clerk()):
        _order, shipment = signed(made, (0, 2))
        line = shipments.lines_of(shipment.id)[0]
        with pytest.raises(Exception, match="return"):
            service.request_return(ReturnInput(other.dealer.id, "damaged", (ReturnLineInput(line.id, D(1)),)))
