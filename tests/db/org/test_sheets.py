"""Import sheets of the organisation and of dealers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, select

from branches.org import dealers_queries, dealers_sheets, queries, sheets
from branches.org.models import Dealer, Option, Unit
from sdm.kernel import clock, hooks
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden
from sdm.kernel.permissions import Permission
from sdm.kernel.scope_value import Scope
from sdm.kernel.sheets import Applied
from tests.factories import org
from tests.factories.dealers import dealer, grade
from tests.factories.sheets import applied, exported, faults_of, round_trip, rows_of

pytestmark = pytest.mark.usefixtures("session", "_system", "_no_hooks")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


@pytest.fixture
def _no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_hooks", {})


def clerk_of(*units: Unit) -> Actor:
    return Actor(1, "clerk", frozenset(Permission), Scope(frozenset(unit.id for unit in units)))


COMPANY = (
    {"code": "HO", "name": "总部", "kind": "head_office", "parent": None, "legal_entity": "LE"},
    {"code": "B1", "name": "济南分公司", "kind": "branch", "parent": "R1", "legal_entity": None},
    {"code": "R1", "name": "山东大区", "kind": "region", "parent": "HO", "legal_entity": None},
)


def set_up() -> None:
    applied(sheets.ENTITIES, {"code": "LE", "name": "公司", "tax_no": "9137"})
    applied(sheets.UNITS, *COMPANY)


def test_a_company_is_set_up_from_files_whose_rows_refer_to_each_other() -> None:
    set_up()

    people = applied(sheets.PEOPLE, {"code": "P1", "name": "王芳", "unit": "B1", "phone": "139"})
    store = {"code": "W1", "name": "济南仓", "unit": "B1", "keeper": "P1", "lead_days": None}
    stores = applied(sheets.WAREHOUSES, store)
    managed = applied(sheets.UNITS, {"code": "B1", "manager": "P1"})

    branch = queries.unit_by_code("B1")
    assert [node.code for node in queries.chain_up(branch.id)] == ["B1", "R1", "HO"]
    assert (people.created, stores.created, managed) == (1, 1, Applied(changed=1))
    assert [p.name for p in queries.pick_people("wf")] == ["王芳"]
    for sheet in (*sheets.SHEETS,):
        assert round_trip(sheet).created == round_trip(sheet).changed == 0


def test_every_fault_of_units_is_told_with_its_line_and_column() -> None:
    set_up()

    assert faults_of(
        sheets.UNITS,
        {"code": "B2", "name": None, "kind": "branch", "parent": "R1"},
        {"code": "B3", "name": "x", "kind": "office", "parent": "R1"},
        {"code": "B4", "name": "x", "kind": "branch", "parent": "nowhere", "manager": "nobody", "legal_entity": "none"},
        {"code": "H2", "name": "x", "kind": "head_office", "parent": None},
        {"code": "B4", "name": "x", "kind": "branch", "parent": "R1"},
    ) == {
        (2, "name", "sheet.required_new"),
        (3, "parent", "unit.parent_kind"),
        (4, "parent", "sheet.unknown"), (4, "manager", "sheet.unknown"), (4, "legal_entity", "sheet.unknown"),
        (5, "kind", "sheet.head_office"),
        (4, "code", "sheet.twice"), (6, "code", "sheet.twice"),
    }  # fmt: skip
    assert (2, "parent", "sheet.below_itself") in faults_of(sheets.UNITS, {"code": "R1", "parent": "B1"})
    assert faults_of(sheets.UNITS, {"code": "B1", "name": None}) == {(2, "name", "input.required")}


def test_a_missing_column_leaves_and_an_empty_cell_clears() -> None:
    set_up()
    applied(sheets.UNITS, {"code": "B1", "city": "济南", "phone": "0531"})

    applied(sheets.UNITS, {"code": "B1", "city": None})

    row = db.session.execute(select(Unit).where(Unit.code == "B1")).scalar_one()
    assert (row.city, row.phone, row.name) == ("", "0531", "济南分公司")


def test_people_and_warehouses_of_foreign_units_are_refused() -> None:
    mine, other = org.branch(code="MINE"), org.branch(code="OTHER")
    org.person(other, code="FOREIGN")
    org.warehouse(other, code="FW")

    with use_actor(clerk_of(mine)):
        assert faults_of(
            sheets.PEOPLE,
            {"code": "NEW", "name": "x", "unit": "OTHER"},
            {"code": "FOREIGN", "name": "x", "unit": "MINE"},
            {"code": "NEW2", "name": "x", "unit": "NONE"},
        ) == {(2, "unit", "sheet.foreign"), (3, "code", "sheet.foreign"), (4, "unit", "sheet.unknown")}
        assert (2, "code", "sheet.foreign") in faults_of(sheets.WAREHOUSES, {"code": "FW", "name": "x", "unit": "MINE"})
        assert exported(sheets.WAREHOUSES) == []


def test_option_lists_come_with_their_names() -> None:
    rows: list[dict[str, Any]] = [
        {"list": "return_reason", "list_name": "退货原因", "code": "damaged", "name": "破损", "position": 1},
        {"list": "return_reason", "list_name": "退货原因", "code": "wrong", "name": "错发", "position": 2},
    ]

    first, second = applied(sheets.OPTIONS, *rows), applied(sheets.OPTIONS, {**rows[0], "name": "损坏"}, rows[1])

    assert (first, second) == (Applied(created=2), Applied(changed=1, unchanged=1))
    assert [o.name for o in queries.options("return_reason")] == ["损坏", "错发"]
    assert faults_of(sheets.OPTIONS, {"list": "new", "code": "a", "name": None}) == {
        (2, "list_name", "sheet.required_new"), (2, "name", "sheet.required_new")
    }  # fmt: skip
    assert len(exported(sheets.OPTIONS)) == db.session.query(Option).count()


# --- dealers ----------------------------------------------------------------------------------------------------------


def shop(code: str, **changes: Any) -> dict[str, Any]:
    return {"code": code, "name": f"商行{code}", "unit": "MINE", "grade": grade("A").code, **changes}


def test_dealers_are_entered_with_parents_payers_contacts_and_credit_accounts() -> None:
    branch = org.branch(code="MINE")
    opened: list[tuple[int, int]] = []
    hooks.register("dealer.created", lambda *pair: opened.append(pair))

    done = applied(
        dealers_sheets.DEALERS,
        shop("D2", parent="D1", payer="D1", contact_name="李四", contact_phone="13800000000"),
        shop("D1", parent=None, payer=None, contact_name=None, contact_phone=None),
    )

    rows = dealers_queries.dealers_by_code(["D1", "D2"])
    first, second = rows["D1"], rows["D2"]
    assert done == Applied(created=2)
    assert (second.parent_dealer_id, second.payer_id, first.payer_id) == (first.id, first.id, None)
    assert sorted(opened) == sorted([(first.id, branch.id), (second.id, branch.id)])
    assert [d.id for d in dealers_queries.pick("13800000000")] == [second.id]
    assert [d.id for d in dealers_queries.pick("shd2")] == [second.id]
    assert dealers_queries.parents_on(rules_first_day())[second.id] == first.id
    assert round_trip(dealers_sheets.DEALERS) == Applied(unchanged=2)
    assert round_trip(dealers_sheets.CONTACTS) == Applied(unchanged=1)
    assert round_trip(dealers_sheets.GRADES).changed == 0


def rules_first_day() -> Any:
    return dealers_sheets.rules.FIRST_DAY


def test_a_changed_parent_keeps_the_history() -> None:
    org.branch(code="MINE")
    applied(dealers_sheets.DEALERS, shop("D1", parent=None), shop("D2", parent="D1"), shop("D3", parent=None))
    ids = {code: row.id for code, row in dealers_queries.dealers_by_code(["D1", "D2", "D3"]).items()}

    applied(dealers_sheets.DEALERS, {"code": "D2", "parent": "D3"})

    assert dealers_queries.parents_on(rules_first_day())[ids["D2"]] == ids["D1"]
    assert dealers_queries.parents_on(clock.today())[ids["D2"]] == ids["D3"]


def test_every_fault_of_dealers_is_told() -> None:
    branch = org.branch(code="MINE")
    org.branch(code="OTHER")
    payer = dealer(branch.id, code="PAYER")
    dealer(branch.id, code="CHILD", payer_id=payer.id)
    dealer(branch.id, code="GONE", merged_into_id=payer.id)

    assert faults_of(
        dealers_sheets.DEALERS,
        shop("N1", name=None, unit=None),
        shop("N2", parent="nobody", payer="CHILD", manager="nobody"),
        shop("N3", settlement_mode="prepaid", term_days=30),
        shop("N4", term_days=-1, credit_limit=Decimal(-5)),
        {"code": "PAYER", "parent": "CHILD"},
        {"code": "CHILD", "parent": "PAYER"},
        {"code": "GONE", "name": "x"},
        shop("N5", credit_limit=Decimal(5)),
    ) == {
        (2, "name", "sheet.required_new"), (2, "unit", "sheet.required_new"),
        (3, "parent", "sheet.unknown"), (3, "payer", "dealer.payer_pays_other"), (3, "manager", "sheet.unknown"),
        (4, "term_days", "dealer.term_prepaid"),
        (5, "term_days", "input.range"), (5, "credit_limit", "sheet.negative"),
        (6, "parent", "dealer.parent_loop"), (7, "parent", "dealer.parent_loop"),
        (8, "code", "dealer.merged"),
        (9, "credit_limit", "sheet.no_limits"),
    }  # fmt: skip


def test_credit_limits_go_to_who_keeps_them_and_need_their_permission() -> None:
    branch = org.branch(code="MINE")
    given: list[dict[int, Any]] = []
    hooks.register("dealer.limits", given.append)
    hooks.register("dealer.limits_of", lambda ids: dict.fromkeys(ids, Decimal(7)))

    applied(dealers_sheets.DEALERS, shop("D1", credit_limit=Decimal("1000.00")))
    dealer_id = dealers_queries.dealers_by_code(["D1"])["D1"].id
    without = Actor(1, "c", frozenset(Permission) - {Permission.CREDIT_LIMIT_APPROVE}, Scope(frozenset({branch.id})))

    assert given == [{dealer_id: Decimal("1000.00")}]
    assert faults_of(dealers_sheets.DEALERS, shop("D2", payer="D1", credit_limit=Decimal(5))) == {
        (2, "credit_limit", "sheet.limit_of_payer")
    }
    assert [row["credit_limit"] for row in exported(dealers_sheets.DEALERS)] == [Decimal(7)]
    with use_actor(without), pytest.raises(Forbidden):
        dealers_sheets.DEALERS.apply(rows_of(shop("D1", credit_limit=Decimal(1))))


def test_foreign_dealers_can_neither_be_changed_nor_seen_nor_named_as_parent() -> None:
    mine, other = org.branch(code="MINE"), org.branch(code="OTHER")
    dealer(other.id, code="FOREIGN", name="秘密")
    applied(dealers_sheets.DEALERS, shop("OWN"))

    with use_actor(clerk_of(mine)):
        assert faults_of(dealers_sheets.DEALERS, shop("FOREIGN")) == {(2, "code", "sheet.foreign")}
        assert faults_of(dealers_sheets.DEALERS, shop("NEW", parent="FOREIGN"), shop("N", unit="OTHER")) == {
            (2, "parent", "sheet.unknown"), (3, "unit", "sheet.foreign")
        }  # fmt: skip
        assert [row["code"] for row in exported(dealers_sheets.DEALERS)] == ["OWN"]
        assert (2, "dealer", "sheet.unknown") in faults_of(dealers_sheets.CONTACTS, {"dealer": "FOREIGN", "name": "x"})


def test_a_batch_of_200_dealers_takes_as_many_statements_as_one_of_2() -> None:
    org.branch(code="MINE")
    grade("A")

    def statements(count: int, prefix: str) -> int:
        rows = rows_of(*(shop(f"{prefix}{n}", parent=None, payer=None, contact_name="王") for n in range(count)))
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            sent.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        assert dealers_sheets.DEALERS.check(rows) == []
        dealers_sheets.DEALERS.apply(rows)
        event.remove(db.engine, "before_cursor_execute", note)
        return len(sent)

    statements(1, "WARM")
    assert statements(200, "B") == statements(2, "A")
    assert db.session.query(Dealer).count() == 203


def test_imported_dealers_have_their_credit_account_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from finance.credit.models import CreditAccount
    from sdm.app import wiring

    branch = org.branch(code="MINE")
    wiring._load_hooks()

    applied(dealers_sheets.DEALERS, shop("D1", credit_limit=Decimal("5000.00")), shop("D2", credit_limit=None))
    applied(dealers_sheets.DEALERS, {"code": "D1", "credit_limit": Decimal("6000.00")})

    rows = {row.payer_id: (row.unit_id, row.limit_amount) for row in db.session.query(CreditAccount)}
    ids = {code: row.id for code, row in dealers_queries.dealers_by_code(["D1", "D2"]).items()}
    assert rows == {ids["D1"]: (branch.id, Decimal("6000.00")), ids["D2"]: (branch.id, Decimal("0.00"))}
    assert {row["code"]: row["credit_limit"] for row in exported(dealers_sheets.DEALERS)} == {
        "D1": Decimal("6000.00"), "D2": Decimal("0.00")
    }  # fmt: skip
