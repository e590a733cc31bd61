"""*Unsafe assets*: goods and money far away are controlled: limits, missing goods, debts past due, and who decided what."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text

from branches.orders import queries as order_queries
from branches.orders import service as orders
from finance.credit import queries as credit
from finance.receivables import queries
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden, IllegalTransition
from tests import proof
from tests.scenarios import month

D = Decimal
APRIL = date(2026, 4, 20)


@pytest.fixture
def story(app: Flask, session: object) -> month.Month:
    return month.beginning(app)


def test_goods_over_the_limit_do_not_leave_until_somebody_entitled_says_so(story: month.Month) -> None:
    month.first_order(story)
    month.held_order(story)
    order = story.ref("large")
    hold = order_queries.open_holds
    with story.on(date(2026, 3, 9), "storekeeper"), pytest.raises(IllegalTransition):
        orders.pick(order.id)
    with story.on(date(2026, 3, 9), "clerk"):
        [open_hold] = hold(order.id)
        assert open_hold.figures == {
            "limit": "5000.00",
            "exposure": "1900.00",
            "amount": "6000.00",
            "excess": "2900.00",
        }
        with pytest.raises(Forbidden):
            orders.release_hold(open_hold.id, "我自己放行")
    with story.on(date(2026, 3, 9), "branch_manager"), pytest.raises(Forbidden):
        orders.release_hold(open_hold.id, "我放行")

    month.released_order(story)
    with story.on(date(2026, 3, 15), "finance"):
        assert credit.headroom(story.shop.dealer.payer).exposure == D(7900)
    released = db.session.execute(
        text("SELECT released_amount, released_until, decided_by_id, reason FROM order_hold WHERE order_id = :o"),
        {"o": order.id},
    ).one()
    assert (released.released_amount, released.decided_by_id) == (D("2900.00"), story.people["finance"].id)
    with story.looking(date(2026, 3, 15), "auditor") as client:
        assert "老客户，下周付款" in client.get(f"/orders/{order.id}").get_data(as_text=True)


def test_a_missing_unit_is_a_claim_and_not_forgotten(story: month.Month) -> None:
    month.first_order(story)
    claims = db.session.execute(
        text(
            "SELECT sum(b.on_hand) FROM stock_balance b JOIN location l ON l.id = b.location_id"
            " WHERE l.kind = 'claims' AND l.unit_id = :u"
        ),
        {"u": story.shop.branch.id},
    ).scalar_one()
    assert claims == 1
    with story.looking(date(2026, 3, 6), "branch_manager") as client:
        assert client.get("/stock/").status_code == client.get("/stock/bridge").status_code == 200
    assert proof.faults() == []


def test_debts_past_due_are_aged_and_hold_the_next_order(story: month.Month) -> None:
    for chapter in (month.first_order, month.held_order, month.released_order, month.red_letter, month.payment):
        chapter(story)
    with story.on(APRIL, "finance"):
        aged = queries.ageing(APRIL, by="dealer")
    assert (aged.total.not_due, aged.total.bands[0], sum(aged.total.bands[1:])) == (0, D(4900), 0)
    with story.on(APRIL, "clerk"):
        order = story.shop.submit((2, 1))
        assert order.state == "held"
        assert {hold.kind for hold in order_queries.open_holds(order.id)} >= {"overdue"}
    with story.looking(APRIL, "finance") as client:
        page = client.get("/receivables/ageing?as_of=2026-04-20").get_data(as_text=True)
        inbox = client.get("/inbox/").get_data(as_text=True)
    assert "4,900.00" in page
    assert order.number in inbox


def test_who_did_what_is_written_with_name_and_moment(story: month.Month) -> None:
    month.first_order(story)
    month.held_order(story)
    month.released_order(story)
    month.red_letter(story)
    rows = db.session.execute(
        text(
            "SELECT kind, action, actor_id FROM audit_row WHERE kind IN ('sales_order', 'shipment', 'invoice') ORDER BY id"
        )
    ).all()
    done = {(row.kind, row.action): row.actor_id for row in rows}
    people = {name: row.id for name, row in story.people.items()}
    assert done[("sales_order", "submit")] == people["clerk"]
    assert done[("shipment", "send_out")] == people["storekeeper"]
    assert done[("sales_order", "release:credit")] == people["finance"]
    assert done[("invoice", "reverse")] == people["finance"]
