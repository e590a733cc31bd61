"""Dealers: entering, changing, blocking, moving, merging, finding."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from branches.org import dealers_queries as queries
from branches.org import dealers_rules as rules
from branches.org import dealers_service as service
from branches.org.models import Dealer, DealerContact, Unit
from sdm.kernel import audit, clock, hooks
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, IllegalTransition, InvalidInput, NotFound, StaleVersion
from sdm.kernel.permissions import Permission
from sdm.kernel.scope_value import Scope
from tests.factories import org
from tests.factories.dealers import dealer, grade

pytestmark = pytest.mark.usefixtures("session", "_system", "_no_hooks")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


@pytest.fixture
def _no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_hooks", {})


def clerk_of(*units: Unit) -> Actor:
    permissions = frozenset({Permission.DEALER_EDIT, Permission.DEALER_READ})
    return Actor(1, "clerk", permissions, Scope(frozenset(unit.id for unit in units)))


def values(unit_id: int, **changes: Any) -> dict[str, Any]:
    return {"name": "济南和平家电商行", "unit_id": unit_id, "grade_code": grade("A").code, "term_days": 30, **changes}


def codes_of(raised: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {fault.field: fault.code for fault in raised.value.errors}


def test_a_new_dealer_gets_a_number_initials_its_place_in_the_channel_and_a_credit_account() -> None:
    opened: list[tuple[int, int]] = []
    hooks.register("dealer.created", lambda dealer_id, unit_id: opened.append((dealer_id, unit_id)))
    branch = org.branch()

    dealer_id = service.create_dealer(values(branch.id), contacts=[{"name": "王芳", "phone": "139 0531 8888"}])

    row = queries.dealer(dealer_id)
    assert row.code == f"D{dealer_id:06d}"
    assert "jnhpjdsh" in row.pinyin.split()
    assert opened == [(dealer_id, branch.id)]
    assert queries.parents_on(date(1999, 1, 1)) == {dealer_id: None}
    assert [d.id for d in queries.pick("13905318888")] == [dealer_id]
    assert [d.id for d in queries.pick("王芳")] == [dealer_id]
    assert [action for _at, _who, action, _changes in audit.history("dealer", dealer_id)] == ["created"]


def test_all_faults_of_a_new_dealer_are_told_at_once() -> None:
    branch = org.branch()
    dealer(branch.id, code="D1")
    wrong = {
        "code": "D1",
        "name": "",
        "grade_code": "none",
        "settlement_mode": "prepaid",
        "term_days": 30,
        "manager_id": -1,
        "payer_id": -1,
    }

    with pytest.raises(InvalidInput) as raised:
        service.create_dealer(values(branch.id, **wrong), parent_id=-2)

    assert codes_of(raised) == {
        "code": "exists",
        "name": "input.required",
        "grade_code": "input.unknown",
        "term_days": "dealer.term_prepaid",
        "manager_id": "input.unknown",
        "payer_id": "input.unknown",
        "parent_dealer_id": "input.unknown",
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "济南（和平）家电"}, "name"),
        ({"name": "别的名字", "tax_no": "91370100X"}, "tax_no"),
        ({"name": "别的名字", "phone": "0531 8888 1234"}, "phone"),
    ],
)
def test_a_similar_name_equal_tax_number_or_phone_shows_the_existing_dealer(changes: dict[str, str], why: str) -> None:
    branch = org.branch()
    known = dealer(branch.id, "济南和平家电商行", tax_no="91370100X", phone="053188881234")

    with pytest.raises(Conflict) as raised:
        service.create_dealer(values(branch.id, **changes))

    assert raised.value.code == rules.SIMILAR
    assert [(s["id"], s["why"]) for s in raised.value.details["similar"]] == [(known.id, why)]
    assert service.create_dealer(values(branch.id, **changes), another_one=True)


def test_another_town_is_no_double() -> None:
    branch = org.branch()
    dealer(branch.id, "青岛海天家电有限公司")

    assert service.create_dealer(values(branch.id, name="济南和平家电有限公司"))


def test_a_tax_number_known_to_another_branch_names_the_branch_and_nothing_else() -> None:
    mine, other = org.branch(), org.branch(name="青岛分公司")
    dealer(other.id, "秘密商行", tax_no="91370200Y")

    with use_actor(clerk_of(mine)), pytest.raises(Conflict) as raised:
        service.create_dealer(values(mine.id, tax_no="91370200Y"))

    assert raised.value.details == {"unit": "青岛分公司"}


def test_a_dealer_cannot_be_entered_for_a_foreign_unit_nor_moved_there() -> None:
    mine, other = org.branch(), org.branch()
    own = dealer(mine.id)

    with use_actor(clerk_of(mine)):
        with pytest.raises(InvalidInput) as raised:
            service.create_dealer(values(other.id))
        with pytest.raises(InvalidInput):
            service.change_dealer(own.id, None, {"unit_id": other.id})

    assert codes_of(raised) == {"unit_id": "input.unknown"}


def test_a_foreign_dealer_looks_absent() -> None:
    mine, other = org.branch(), org.branch()
    foreign = dealer(other.id)

    with use_actor(clerk_of(mine)):
        for call in (
            lambda: queries.dealer(foreign.id),
            lambda: service.change_dealer(foreign.id, None, {"name": "x"}),
            lambda: service.save_contact(foreign.id, None, {"name": "x"}),
            lambda: service.move_dealer(foreign.id, None, clock.today()),
        ):
            with pytest.raises(NotFound):
                call()


def test_a_change_is_audited_with_old_and_new_value_and_found_under_the_new_name() -> None:
    row = dealer(org.branch().id, "旧名")

    version = service.change_dealer(row.id, row.version, {"name": "新名商行", "term_days": 60})

    changes = audit.history("dealer", row.id)[-1][3]
    assert changes["name"] == ["旧名", "新名商行"]
    assert version == 2
    assert [d.id for d in queries.pick("xmsh")] == [row.id]


def test_a_stale_version_is_refused() -> None:
    row = dealer(org.branch().id)

    with pytest.raises(StaleVersion):
        service.change_dealer(row.id, row.version + 1, {"name": "x"})


def test_a_payer_pays_for_itself_and_somebody_who_pays_for_others_has_no_payer() -> None:
    branch = org.branch()
    payer, child, other = dealer(branch.id), dealer(branch.id), dealer(branch.id)
    service.change_dealer(child.id, None, {"payer_id": payer.id})

    with pytest.raises(InvalidInput) as chained:
        service.change_dealer(other.id, None, {"payer_id": child.id})
    with pytest.raises(InvalidInput) as paying:
        service.change_dealer(payer.id, None, {"payer_id": other.id})

    assert codes_of(chained) == {"payer_id": rules.PAYER_PAYS_OTHER}
    assert codes_of(paying) == {"payer_id": rules.PAYER_HAS_PAYERS}


def test_a_block_needs_a_reason_and_can_be_lifted() -> None:
    row = dealer(org.branch().id)

    with pytest.raises(InvalidInput):
        service.block_dealer(row.id, " ")
    service.block_dealer(row.id, "bad cheque")
    assert (row.status, row.block_reason) == ("blocked", "bad cheque")
    with pytest.raises(IllegalTransition):
        service.block_dealer(row.id, "again")
    service.unblock_dealer(row.id)
    assert (row.status, row.block_reason) == ("active", "")


def test_an_inactive_dealer_is_off_the_pick_lists() -> None:
    row = dealer(org.branch().id, "关门商行")

    service.deactivate_dealer(row.id)

    assert queries.pick("关门") == []
    assert [d.id for d in queries.pick("关门", inactive=True)] == [row.id]


def test_moving_a_sub_dealer_keeps_history_and_changes_totals_from_that_date() -> None:
    branch = org.branch()
    north, south = dealer(branch.id), dealer(branch.id)
    sub = service.create_dealer(values(branch.id), parent_id=north.id)
    day = clock.today() - timedelta(days=10)

    service.move_dealer(sub, south.id, day)

    assert sub in queries.channel_below(north.id, day - timedelta(days=1))
    assert sub not in queries.channel_below(north.id, day)
    assert sub in queries.channel_below(south.id, day)
    assert queries.dealer(sub).parent_dealer_id == south.id
    assert [(m.parent_id, m.valid_from, m.valid_to) for m in queries.moves(sub)] == [
        (south.id, day, None),
        (north.id, None, day - timedelta(days=1)),
    ]


def test_a_move_of_a_later_day_takes_effect_on_that_day() -> None:
    branch = org.branch()
    north, sub = dealer(branch.id), service.create_dealer(values(branch.id))
    service.move_dealer(sub, north.id, clock.today() + timedelta(days=1))
    before = queries.dealer(sub).parent_dealer_id
    waiting = service.apply_due_parents()

    assert (before, waiting) == (None, 0)
    assert queries.due_parents(clock.today() + timedelta(days=1)) == [(sub, north.id)]


def test_a_move_cannot_lie_before_the_last_one_nor_make_a_loop() -> None:
    branch = org.branch()
    top = service.create_dealer(values(branch.id))
    sub = service.create_dealer(values(branch.id, name="别的"), parent_id=top)
    service.move_dealer(sub, top, clock.today())

    with pytest.raises(InvalidInput) as early:
        service.move_dealer(sub, None, clock.today() - timedelta(days=1))
    with pytest.raises(InvalidInput) as loop:
        service.move_dealer(top, sub, clock.today())

    assert codes_of(early) == {"valid_from": rules.PARENT_EARLIER}
    assert codes_of(loop) == {"parent_dealer_id": rules.PARENT_LOOP}


def test_a_merged_double_is_found_on_the_page_of_the_dealer_that_stays() -> None:
    branch = org.branch()
    stays, double = dealer(branch.id, "和平家电"), service.create_dealer(values(branch.id, name="平和电器"))
    child = service.create_dealer(values(branch.id, name="小店"), parent_id=double)
    service.save_contact(double, None, {"name": "李四", "phone": "13800000000"})
    merged: list[tuple[int, int]] = []
    hooks.register("dealer.merged", lambda source, target: merged.append((source, target)))

    service.merge_dealers(double, stays.id, "same shop")

    assert merged == [(double, stays.id)]
    assert queries.family_ids(stays.id) == {stays.id, double}
    assert [d.id for d in queries.pick("平和电器")] == [stays.id]
    assert [c.name for c in queries.contacts(stays.id)] == ["李四"]
    assert queries.parents_on()[child] == stays.id
    assert queries.dealer_page(double).merged_into.id == stays.id
    assert [d.id for d in queries.dealer_page(stays.id).doubles] == [double]
    with pytest.raises(Conflict):
        service.change_dealer(double, None, {"name": "x"})


def test_a_double_with_open_business_of_another_unit_or_collective_is_not_merged() -> None:
    branch = org.branch()
    stays, double, cash = dealer(branch.id), dealer(branch.id), dealer(branch.id, collective=True)
    foreign = dealer(org.branch().id)
    hooks.register("dealer.obstacles", lambda dealer_id: ["open items"] if dealer_id == double.id else [])

    for source, target, code in (
        (double, stays, rules.MERGE_OPEN),
        (foreign, stays, rules.MERGE_UNIT),
        (cash, stays, rules.MERGE_COLLECTIVE),
        (stays, stays, rules.MERGE_SELF),
    ):
        with pytest.raises(InvalidInput) as raised:
            service.merge_dealers(source.id, target.id)
        assert code in {fault.code for fault in raised.value.errors}
    assert db.session.execute(select(Dealer.id).where(Dealer.merged_into_id.isnot(None))).all() == []


def test_contacts_are_changed_and_removed_only_through_their_dealer() -> None:
    branch = org.branch()
    first, second = dealer(branch.id), dealer(branch.id)
    contact = service.save_contact(first.id, None, {"name": "王", "phone": "1"})

    with pytest.raises(NotFound):
        service.save_contact(second.id, contact, {"name": "x"})
    with pytest.raises(NotFound):
        service.remove_contact(second.id, contact)
    service.save_contact(first.id, contact, {"name": "王芳"})
    assert db.session.get(DealerContact, contact).phone == "1"
    service.remove_contact(first.id, contact)
    assert queries.contacts(first.id) == []


def test_a_grade_in_use_stays_and_an_unused_one_can_be_removed() -> None:
    dealer(org.branch().id, grade_code="S")
    service.save_grade("T", {"name": "特级", "rank": 1}, is_new=True)

    with pytest.raises(InvalidInput):
        service.save_grade("T", {"name": "again"}, is_new=True)
    with pytest.raises(Conflict):
        service.remove_grade("S")
    service.remove_grade("T")
    assert "T" not in {g.code for g in queries.grades()}
