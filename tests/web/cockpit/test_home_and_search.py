"""Work places by role, the search, and the tabs of the dealer's page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from branches.orders import service
from finance.receivables import service as receivables
from finance.receivables.models import Invoice
from sdm.auth.models import UserRole
from sdm.cockpit import figures, places
from sdm.cockpit import search as finder
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, catalogue, dealers, org
from tests.factories.orders import Shop, clerk, shipped, shop, signed


@pytest.fixture(autouse=True)
def looking_on() -> Iterator[None]:
    with use_actor(system_actor("test")):
        yield


@pytest.fixture
def made(session) -> Shop:
    return shop(limit="2000")


def get(client: FlaskClient, path: str, status: int = 200) -> str:
    with use_actor(None):
        answer = client.get(path)
    assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
    return answer.get_data(as_text=True)


def busy_day(made: Shop) -> None:
    """Something in every corner: a held order, a picked, a sent, a signed and a billed one, money received."""
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
        draft = receivables.apply_deliveries([shipment.id])[0]
        receivables.submit(draft.id)
        made.submit((0, 500))
        service.pick(made.submit((0, 1)).id)
        service.quote(made.order((0, 1)))
    with use_actor(clerk(user_id=900)):
        receivables.approve_and_issue(draft.id)
        receivables.record_receipt(receivables.ReceiptInput(made.dealer.id, Decimal(300), clock.today()))


ROLES = ["clerk", "storekeeper", "branch_manager", "finance", "executive", "administrator"]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_first_page_with_at_most_nine_tiles_that_open_their_lists(client, made, role):
    busy_day(made)
    user = auth.user(role, made.branch)
    auth.signed_in(client, user)
    text = get(client, "/")

    with client.application.test_request_context(), auth.acting(user=user):
        found = places.tiles(role)
    assert 3 <= len(found) <= 9
    assert text.count('<section class="tile') == len(found)
    for tile in found:
        assert tile["url"], tile["label"]
        get(client, tile["url"])


def figures_of(client: FlaskClient, made: Shop, *names: str, **values) -> dict[str, figures.Read]:
    with client.application.test_request_context(), auth.acting("executive", made.branch, **values):
        return {read.figure.name: read for read in figures.read(names)}


def test_figures_are_those_of_the_documents(client, made):
    busy_day(made)
    found = figures_of(
        client, made, "sales_today", "sales_month", "collected_month", "receivable", "overdue", "in_transit",
        "orders_held", "to_ship", "stock_value", "unmatched",
    )  # fmt: skip

    told = {name: (read.value, read.also, read.before) for name, read in found.items()}
    assert told["sales_today"] == (Decimal(1000), Decimal(1), None)
    assert told["sales_month"] == (Decimal(1000), None, Decimal(0))
    assert told["collected_month"] == (Decimal(300), None, Decimal(0))
    assert told["receivable"] == (Decimal(700), None, None)
    assert told["overdue"] == (Decimal(0), Decimal(0), None)
    assert told["orders_held"][:2] == (Decimal(1), Decimal(50_000))
    assert told["to_ship"][0] == told["unmatched"][0] == 1
    assert told["stock_value"][0] == 90 * 60 + 100 * 120 + 100 * 180


@pytest.mark.parametrize("name", ["sales_month", "collected_month", "receivable", "stock_value", "in_transit_amount"])
def test_the_list_behind_an_amount_adds_up_to_it(client, made, name):
    busy_day(made)
    with use_actor(clerk(made.branch)):
        shipped(made, (1, 2))
    user = auth.user("executive", made.branch)
    auth.signed_in(client, user)
    with client.application.test_request_context(), auth.acting(user=user):
        read = figures.read([name])[0]
        url = places._address(read.figure, read.days)

    assert read.value > 0
    assert f">{read.value:,.2f}<" in get(client, url)


@pytest.mark.parametrize("role", ["clerk", "executive", "finance", "branch_manager"])
def test_figures_hold_nothing_of_another_branch(client, made, role):
    busy_day(made)
    other = shop()
    with client.application.test_request_context(), auth.acting(role, other.branch):
        found = {read.figure.name: read.value for read in figures.read(places.PLACES[role])}

    assert {name for name, value in found.items() if value} <= {"stock_value"}


def test_figures_of_somebody_bound_to_his_dealers_are_of_these_alone(client, made):
    busy_day(made)
    person = org.person(made.branch)
    found = figures_of(client, made, "receivable", "sales_month", own_dealers=True, person_id=person.id)

    assert [read.value for read in found.values()] == [0, 0]


def test_the_first_page_needs_few_statements(client, made):
    busy_day(made)
    auth.signed_in(client, auth.user("executive", made.branch))
    get(client, "/")
    seen: list[str] = []
    listen = lambda conn, cursor, statement, *rest: seen.append(statement)  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    get(client, "/")
    event.remove(db.engine, "before_cursor_execute", listen)

    assert len([s for s in seen if not s.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]) <= 12, seen


def test_an_empty_company_is_told_what_to_do_first(client, session):
    auth.signed_in(client, auth.user("administrator", org.head_office()))
    text = get(client, "/?place=clerk")

    assert text.count('<section class="tile') == len(places.STEPS)
    assert "/org/units" in text
    assert "下一步" in text


def test_somebody_with_two_roles_reaches_both_work_places(client, made):
    user = auth.user("clerk", made.branch)
    org.save(UserRole(user_id=user.id, role_id=auth.role("storekeeper").id, unit_id=made.branch.id))
    org.touch()
    auth.signed_in(client, user)

    assert "/?place=storekeeper" in get(client, "/")
    assert "<h1>仓库管理员</h1>" in get(client, "/?place=storekeeper")
    assert "<h1>仓库管理员</h1>" not in get(client, "/?place=executive")


def quick(client: FlaskClient, text: str) -> list[str]:
    with use_actor(None):
        reply = client.get("/search/quick", query_string={"q": text})
    assert reply.status_code == 200, reply.get_data(as_text=True)[:1500]
    answer = reply.get_json()
    return [hit["label"] for group in answer["groups"] for hit in group["hits"]]


def test_search_finds_documents_dealers_and_products_by_part_of_number_name_and_initials(client, made):
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 1))
    auth.signed_in(client, auth.user("clerk", made.branch))
    digits = order.number.removeprefix("SO").lstrip("0")

    assert order.number in quick(client, order.number)
    assert order.number in quick(client, order.number.lower())
    assert order.number in quick(client, digits)
    assert order.number in quick(client, f"so{digits}")
    assert made.dealer.name in quick(client, made.dealer.name[:2])
    assert made.dealer.name in quick(client, made.dealer.code[-3:])
    assert "冰箱0" in quick(client, "bx")
    assert "冰箱0" in get(client, "/search/?q=冰箱")


def test_search_finds_what_other_books_and_the_bank_call_it(client, made):
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 1), external_number="PO-7781")
        _order, shipment = signed(made, (0, 2))
        draft = receivables.apply_deliveries([shipment.id])[0]
        receivables.submit(draft.id)
    with use_actor(clerk(user_id=900)):
        invoice = receivables.approve_and_issue(draft.id)
        receipt = receivables.record_receipt(
            receivables.ReceiptInput(made.dealer.id, Decimal(30), clock.today(), reference="ICBC-5521")
        )
    legal = db.session.get_one(Invoice, invoice.id).legal_number
    auth.signed_in(client, auth.user("branch_manager", made.branch))

    assert order.number in quick(client, "po-7781")
    assert invoice.number in quick(client, legal)
    assert invoice.number in quick(client, legal[:9].lower())
    assert invoice.number in quick(client, f"{legal.rpartition('-')[0]}-{int(legal.rpartition('-')[2])}")
    assert receipt.number in quick(client, "ICBC-5521")
    assert order.number in quick(client, order.number[:8])
    auth.signed_in(client, auth.user("branch_manager", shop().branch))
    for text in ("PO-7781", legal, "ICBC-5521", shipment.number):
        assert not {order.number, invoice.number, receipt.number, shipment.number} & set(quick(client, text))


def test_search_finds_dealers_by_phone_and_tax_digits_products_by_barcode_and_pages_by_name(client, made):
    dealer = dealers.dealer(made.branch.id, "长江电器行", phone="021-6655 4433", tax_no="913100007777")
    product = catalogue.product("节能冰柜", barcodes=("6912345678901",))
    auth.signed_in(client, auth.user("clerk", made.branch))

    assert quick(client, "66554433") == quick(client, "0000777") == [dealer.name]
    assert quick(client, "6912345678901") == [product.name]
    assert "账龄" in quick(client, "账龄")
    assert "订单" not in " ".join(quick(client, "用户"))


def test_the_very_code_comes_first_however_many_match(client, made):
    with use_actor(system_actor("test")):
        for number in range(5):
            dealers.dealer(made.branch.id, f"七星商行{number}", code=f"QX1{number}")
        exact = dealers.dealer(made.branch.id, "远在天边的一家七星商行", code="QX1")
    auth.signed_in(client, auth.user("clerk", made.branch))

    assert quick(client, "qx1")[0] == exact.name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "CANDIDATES", 2)
        assert quick(client, "qx1")[0] == exact.name


def test_search_shows_nothing_of_another_branch(client, made):
    other = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 1))
    auth.signed_in(client, auth.user("clerk", other.branch))

    assert order.number not in quick(client, order.number)
    assert made.dealer.name not in quick(client, made.dealer.name)


@pytest.mark.parametrize("text", ["", "%", "_", "\\", "'", "a" * 500, "<script>", "1" * 40, "SO-", "９９"])
def test_search_takes_any_text(client, made, text):
    auth.signed_in(client, auth.user("clerk", made.branch))

    quick(client, text)


def test_the_dealers_page_shows_orders_deliveries_stock_receivable_and_exposure(client, made):
    busy_day(made)
    auth.signed_in(client, auth.user("branch_manager", made.branch))
    text = get(client, f"/dealers/{made.dealer.id}")
    for tab in ("orders", "deliveries", "stock", "receivable", "exposure", "returns"):
        assert f"/dealers/{made.dealer.id}/tabs/{tab}" in text
        get(client, f"/dealers/{made.dealer.id}/tabs/{tab}")
    auth.signed_in(client, auth.user("branch_manager", shop().branch))
    for tab in ("orders", "deliveries", "stock", "receivable", "exposure", "returns"):
        get(client, f"/dealers/{made.dealer.id}/tabs/{tab}", 404)
