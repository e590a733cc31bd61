"""Every page of money opens with real documents, does its step, and is closed to a foreign branch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from branches.org.models import Unit
from finance.credit import service as credit_service
from finance.receivables import queries, service
from finance.receivables.models import Invoice, Receipt, ReceivableAdjustment
from finance.receivables.service import AdjustmentInput, BillInput, BillLine, OpeningItem, ReceiptInput
from sdm.kernel import clock
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, finance, inventory, org

D = Decimal


@dataclass(slots=True)
class Books:
    """Ids of what the pages show."""

    net: inventory.Network
    invoice: int
    drafted: int
    submitted: int
    receipt: int
    adjustment: int
    change: int
    shipment: int


@pytest.fixture
def books(session: object) -> Books:
    net = inventory.network(units=2)
    with use_actor(system_actor("test")):
        finance.account(net.dealers[0], "1000")
        deliveries = [
            finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "10", "113")]) for _ in range(4)
        ]
        drafts = [service.apply(BillInput([BillLine(finance.lines_of(one)[0].id)])).id for one in deliveries[:3]]
        for draft in drafts[:2]:
            service.submit(draft)
        service.approve_and_issue(drafts[0], "seen")
        receipt = service.record_receipt(ReceiptInput(net.dealers[0], D(500), clock.today(), reference="BK-9")).id
        service.post_opening([OpeningItem(net.dealers[0], "OLD-1", date(2026, 1, 5), date(2026, 2, 4), D(70))])
        adjustment = service.request_adjustment(
            AdjustmentInput(net.dealers[0], D(-5), "rounding", "cents", clock.today())
        ).id
        change = credit_service.propose_limit(kind="limit", amount=D(5000), reason="season", payer_id=net.dealers[0])
    return Books(net, drafts[0], drafts[2], drafts[1], receipt, adjustment, change, deliveries[3].id)


@pytest.fixture
def browser(books: Books, client: FlaskClient) -> Iterator[FlaskClient]:
    """A finance user of head office."""
    head = db.session.get_one(Unit, books.net.head_office)
    yield auth.signed_in(client, role_="finance", unit=head)


def row(model: Any, key: int) -> Any:
    """A row as it is now."""
    with use_actor(system_actor("test")):
        return db.session.get_one(model, key, populate_existing=True)


def pages_of(books: Books) -> list[str]:
    payer = books.net.dealers[0]
    return [
        f"/invoices/{books.invoice}",
        f"/invoices/{books.drafted}",
        f"/invoices/{books.submitted}",
        f"/invoices/{books.invoice}/print",
        f"/invoices/{books.invoice}/tax",
        f"/receipts/{books.receipt}",
        f"/receivables/accounts/{payer}",
        f"/receivables/statements/{payer}",
        f"/receivables/allocation/{payer}",
        f"/receivables/allocation/{payer}?by=reference",
        f"/receivables/statements/{payer}?part=print",
        f"/receivables/statements/{payer}?part=excel",
        f"/receivables/adjustments/{books.adjustment}",
        f"/credit/{payer}",
        f"/credit/changes/{books.change}",
    ]


LISTS = [
    "/invoices/",
    "/invoices/?state=submitted",
    "/invoices/to-bill",
    "/invoices/margin",
    "/invoices/margin?margin.to=-0.01",
    "/receipts/",
    "/receipts/?unallocated.from=0.01",
    "/receipts/new",
    "/receivables/ageing",
    "/receivables/ageing?by=dealer",
    "/receivables/items",
    "/receivables/items?side=debit",
    "/receivables/allocation",
    "/receivables/allocations",
    "/receivables/adjustments",
    "/receivables/adjustments/new",
    "/credit/",
    "/credit/?headroom.to=-0.01",
    "/credit/changes",
    "/credit/propose",
    "/ledger/",
    "/ledger/trial-balance",
    "/ledger/periods",
    "/ledger/accounts/1122",
]


def test_every_page_opens(books: Books, browser: FlaskClient) -> None:
    broken = {}
    for address in [
        *LISTS,
        *pages_of(books),
        f"/invoices/new?shipment={books.shipment}",
        f"/invoices/new?dealer={books.net.dealers[0]}",
    ]:
        answer = browser.get(address)
        if answer.status_code != 200:
            broken[address] = answer.status_code
    assert broken == {}


@pytest.mark.parametrize("list_page", [a for a in LISTS if not re.search("new|propose|ageing|trial|periods", a)])
def test_lists_export_what_they_show(books: Books, browser: FlaskClient, list_page: str) -> None:
    joint = "&" if "?" in list_page else "?"
    with browser.get(f"{list_page}{joint}export=xlsx") as answer:
        assert answer.status_code == 200
        assert answer.data[:2] == b"PK"


def test_a_foreign_branch_finds_none_of_them(books: Books, client: FlaskClient) -> None:
    foreign = auth.signed_in(client, role_="finance", unit=db.session.get_one(Unit, books.net.units[1]))
    seen = {address: foreign.get(address).status_code for address in pages_of(books)}
    assert set(seen.values()) == {404}
    for address in ("/invoices/", "/receipts/", "/receivables/items", "/credit/", "/ledger/", "/receivables/ageing"):
        text = foreign.get(address).get_data(as_text=True)
        assert "分公司0商贸" not in text and "1,130" not in text, address


def test_the_clerk_of_a_branch_may_not_open_the_ledger(books: Books, client: FlaskClient) -> None:
    clerk = auth.signed_in(client, role_=auth.role_with("invoice:read"), unit=org.branch())
    assert clerk.get("/ledger/").status_code == 403
    assert clerk.get("/receipts/new").status_code == 403


def post(browser: FlaskClient, address: str, **values: object) -> Any:
    return browser.post(address, data={"csrf_token": auth.form_token(browser), **values})


def test_an_application_goes_through_its_pages(books: Books, browser: FlaskClient) -> None:
    answer = post(browser, f"/invoices/new?shipment={books.shipment}", **_quantities(books, "4"))
    number = int(re.findall(r"/invoices/(\d+)", answer.headers["Location"])[0])
    assert post(browser, f"/invoices/{number}/submit").status_code == 303
    assert row(Invoice, number).state == "submitted"
    page = browser.get(f"/invoices/{number}").get_data(as_text=True)
    assert "158%" in page or "应收" in page
    refused = browser.get(
        post(browser, f"/invoices/{number}/examine", decision="issue", reason="mine").headers["Location"]
    )
    assert row(Invoice, number).state == "submitted"
    assert refused.status_code == 200


def _quantities(books: Books, qty: str) -> dict[str, str]:
    with use_actor(system_actor("test")):
        found = queries.billable(shipment_ids=[books.shipment])
    return {f"qty_{line.shipment_line_id}": qty for line in found}


def test_too_much_to_bill_is_told_in_place(books: Books, browser: FlaskClient) -> None:
    answer = post(browser, f"/invoices/new?shipment={books.shipment}", **_quantities(books, "11"))
    assert answer.status_code == 422


def test_the_examiner_issues_on_the_page(books: Books, browser: FlaskClient) -> None:
    post(browser, f"/invoices/{books.submitted}/examine", decision="issue", reason="agreed")
    assert row(Invoice, books.submitted).state == "issued"
    post(browser, f"/invoices/{books.submitted}/reverse", reason="wrong", reversed_on=clock.today().isoformat())
    assert row(Invoice, books.submitted).state == "reversed"


def test_a_receipt_is_entered_once_although_sent_twice(books: Books, browser: FlaskClient) -> None:
    form = {
        "uuid": "0b8f6a52-7a55-4d5c-9a54-0a3f7f5f3a01",
        "dealer_id": books.net.dealers[0],
        "amount": "1,200.50",
        "received_on": clock.today().isoformat(),
        "method": "transfer",
        "reference": "BK-10",
    }
    for _ in range(2):
        assert post(browser, "/receipts/new", **form).status_code == 303
    with use_actor(system_actor("test")):
        assert db.session.query(Receipt).filter_by(reference="BK-10").count() == 1
    assert post(browser, "/receipts/new", **{**form, "uuid": "", "amount": "-1"}).status_code == 422


def test_the_board_allocates_what_was_proposed(books: Books, browser: FlaskClient) -> None:
    payer = books.net.dealers[0]
    page = browser.get(f"/receivables/allocation/{payer}").get_data(as_text=True)
    pairs = dict(re.findall(r'name="(pair_\d+_\d+)"[^>]*?value="([\d.]+)"', page))
    assert pairs
    assert post(browser, f"/receivables/allocation/{payer}", **pairs).status_code == 303
    with use_actor(system_actor("test")):
        assert all(item.open_amount > 0 for item in queries.open_items(payer))
    assert post(browser, f"/receivables/allocation/{payer}", **pairs).status_code == 422


def test_adjustments_and_limits_are_decided_on_their_pages(books: Books, browser: FlaskClient) -> None:
    post(browser, f"/receivables/adjustments/{books.adjustment}/decide", decision="approve")
    assert row(ReceivableAdjustment, books.adjustment).state == "posted"
    post(browser, f"/credit/changes/{books.change}/decide", decision="approve")
    assert "5,000.00" in browser.get(f"/credit/{books.net.dealers[0]}").get_data(as_text=True)


def test_the_printed_invoice_has_tax_numbers_and_the_amount_in_capitals(books: Books, browser: FlaskClient) -> None:
    paper = browser.get(f"/invoices/{books.invoice}/print").get_data(as_text=True)
    assert "壹仟壹佰叁拾元整" in paper


def test_ageing_leads_to_its_items(books: Books, browser: FlaskClient) -> None:
    page = browser.get("/receivables/ageing").get_data(as_text=True)
    links = re.findall(r'href="(/receivables/items[^"]+)"', page)
    assert links
    found = browser.get(links[0].replace("&amp;", "&")).get_data(as_text=True)
    assert "OLD-1" in found


@pytest.mark.parametrize(("locale", "word"), [("zh_CN", "应收账款"), ("en", "Receivable")])
def test_pages_speak_chinese_and_english(books: Books, browser: FlaskClient, locale: str, word: str) -> None:
    browser.set_cookie("sdm_locale", locale)
    assert word in browser.get("/receivables/ageing").get_data(as_text=True)
