"""Every address says who may use it, every table says how it is kept apart."""

from __future__ import annotations

import pytest
from flask import Flask

from sdm.app import wiring
from sdm.auth import labels
from sdm.auth.rules import ROLE_SEEDS
from sdm.kernel import documents
from sdm.kernel.db import Base
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import scoped_classes

PUBLIC = {
    "app.csrf": "gives a form token, which is worth nothing without the session it belongs to",
    "app.pulse": "says only whether the server is well",
    "app.set_language": "keeps the language on the device, before signing in too",
    "assets.serve": "files of the product itself",
    "auth.sign_in": "whoever signs in is nobody yet",
    "auth.sign_out": "does nothing for nobody",
    "health.healthz": "says only that the process answers",
    "health.metrics": "guards itself: this machine or a token",
    "health.readyz": "says only whether the product is ready",
}
# Addresses for whoever is signed in, without a permission of their own.
SIGNED_IN = {
    "api_auth.me": "his own rights",
    "api_docs.docs_page": "the description of the API names no data",
    "api_docs.openapi": "the description of the API names no data",
    "auth.end_sessions": "his own sessions",
    "auth.password": "his own password",
    "auth.profile": "his own rights",
    "auth.sessions": "his own sessions",
    "auth.switch_unit": "one of his own units",
    "drafts.discard": "his own drafts",
    "drafts.index": "his own drafts",
    "drafts.item": "his own drafts",
    "drafts.remove": "his own drafts",
    "drafts.save": "his own drafts",
    "home.index": "his own first page; each tile asks for its permission",
    "lists.delete_view": "his own views",
    "lists.save_view": "his own views",
    "orders.release": "asks for the permission of the kind of hold",
}

OF_ALL = "belongs to the whole company and is readable by everyone"
LINE = "a part of a scoped row, reached only through it"
LEDGER = "a ledger row of a scoped location or unit, reached only through it; bulk statements take ids in scope"
ACCESS = "users and rights: read before anybody is known; pages narrow to units in scope"
OWNED = "belongs to one person; every statement names him"
MACHINE = "machinery without business data"
UNSCOPED = {
    "unit": OF_ALL,
    "legal_entity": OF_ALL,
    "option_list": OF_ALL,
    "option": OF_ALL,
    "parameter": OF_ALL,
    "dealer_grade": OF_ALL,
    "product": OF_ALL,
    "product_category": OF_ALL,
    "product_pack": OF_ALL,
    "barcode": OF_ALL,
    "supply_price": OF_ALL,
    "discount_authority": OF_ALL,
    "approval_route": OF_ALL,
    "account": OF_ALL,
    "period": OF_ALL,
    "unit_limit": OF_ALL,
    "take_on_mapping": OF_ALL,
    "dealer_contact": LINE,
    "dealer_parent": LINE,
    "deputy": LINE,
    "list_price": LINE,
    "sales_order_line": LINE,
    "order_hold": LINE,
    "sales_return_line": LINE,
    "quotation_line": LINE,
    "shipment_line": LINE,
    "goods_receipt_line": LINE,
    "invoice_line": LINE,
    "tax_invoice_link": LINE,
    "work_item_log": LINE,
    "import_row": LINE,
    "take_on_file": LINE,
    "document_link": LINE,
    "stock_balance": LEDGER,
    "stock_move": LEDGER,
    "stock_value": LEDGER,
    "stock_value_move": LEDGER,
    "bucket_use": LEDGER,
    "app_user": ACCESS,
    "role": ACCESS,
    "role_permission": ACCESS,
    "user_role": ACCESS,
    "user_warehouse": ACCESS,
    "user_session": ACCESS,
    "api_token": ACCESS,
    "sign_in_attempt": ACCESS,
    "access_version": ACCESS,
    "draft": OWNED,
    "saved_view": OWNED,
    "audit_mark": MACHINE,
    "audit_seal": MACHINE,
    "idempotency_key": MACHINE,
    "job_run": MACHINE,
    "number_counter": MACHINE,
    "outbox_delivery": MACHINE,
    "outbox_event": MACHINE,
    "scheduler_lease": MACHINE,
}


def test_every_address_declares_a_permission_or_is_named_as_public(app: Flask) -> None:
    bare, public, own = [], set(), set()
    for rule in app.url_map.iter_rules():
        declared = getattr(app.view_functions[rule.endpoint], "view", None)
        if declared is None:
            bare.append(rule.endpoint)
        elif declared.public:
            public.add(rule.endpoint)
        elif declared.permission is None:
            own.add(rule.endpoint)

    assert not bare
    assert public == set(PUBLIC)
    assert sorted(own - set(SIGNED_IN)) == []


def test_every_permission_of_an_address_is_a_known_one(app: Flask) -> None:
    known = {permission.value for permission in Permission}
    asked = {
        rule.permission
        for function in app.view_functions.values()
        if (rule := getattr(function, "view", None)) and rule.permission
    }

    assert asked <= known


def test_every_table_is_scoped_or_named_with_a_reason() -> None:
    wiring.load()
    scoped = {model.__table__.name for model in scoped_classes()}
    tables = set(Base.metadata.tables)

    assert tables - scoped == set(UNSCOPED)


def test_every_part_of_a_scoped_row_leads_to_one() -> None:
    wiring.load()
    scoped = {model.__table__.name for model in scoped_classes()}
    by_reference = {"document_link"}  # both ends are (kind, id); pages show an end only when it is found in scope

    for name, reason in UNSCOPED.items():
        if reason == LINE and name not in by_reference:
            parents = {key.column.table.name for key in Base.metadata.tables[name].foreign_keys}
            assert parents & (scoped | {"take_on_run"}), name


def test_every_document_kind_has_a_page_with_its_permission(app: Flask) -> None:
    for kind in documents.kinds():
        page = getattr(app.view_functions[kind.endpoint], "view", None)
        assert page is not None, kind.code
        assert page.permission == str(kind.permission), kind.code


def test_every_permission_has_a_label_and_a_role_that_has_it() -> None:
    named = [code for _group, items in labels.GROUPS for code, _label in items]
    given = {permission for seed in ROLE_SEEDS for permission in seed.permissions}

    assert sorted(named) == sorted(set(Permission))
    assert given == set(Permission)


@pytest.mark.parametrize("seed", ROLE_SEEDS, ids=lambda seed: seed.code)
def test_a_delivered_role_that_may_change_a_thing_may_see_it(seed) -> None:
    have = {permission.value for permission in seed.permissions}
    known = {permission.value for permission in Permission}

    for permission in have:
        reading = f"{permission.partition(':')[0]}:read"
        assert reading not in known or reading in have, permission


def test_nobody_delivered_both_records_and_approves_alone() -> None:
    by_code = {seed.code: seed.permissions for seed in ROLE_SEEDS}

    assert Permission.INVOICE_APPROVE not in by_code["clerk"]
    assert Permission.ADJUSTMENT_APPROVE not in by_code["branch_finance"]
    assert Permission.ORDER_ENTER not in by_code["branch_finance"] | by_code["finance"]
    assert not {p for p in by_code["auditor"] if not p.value.endswith((":read", ":use", ":own"))}
