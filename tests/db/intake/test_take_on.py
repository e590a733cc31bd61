"""Take-on: what the files say arrives in all ledgers to the cent, once; what cannot be taken on is told; doctor is clean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from branches.catalogue.models import Product
from branches.org.models import Dealer, Unit
from finance.credit.models import CreditAccount
from finance.ledger import accounts
from finance.ledger.models import EntryLine
from finance.receivables.models import Invoice, InvoiceLine, OpenItem
from inventory.channel.models import BucketUse, StockBucket
from inventory.stock.models import StockBalance, StockMove
from sdm.app import wiring
from sdm.intake.models import TakeOnBatch
from sdm.intake.service import mappings, posting, take_on
from sdm.intake.service.sources import Source, from_bytes
from sdm.kernel import checks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.audit import AuditRow
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput, PeriodClosed

SLICE = Path(__file__).parents[2] / "data" / "online-retail" / "slice.csv"
HEAD = ["Invoice/Item Number", "Date", "Store Number", "Item Number", "Bottles Sold", "Sale (Dollars)"]
WIDE = [
    "invoice_item_number", "date", "store_number", "store_name", "address", "city", "zip_code", "county",
    "category_name", "vendor_name", "item_number", "item_description", "pack", "bottle_volume_ml", "state_bottle_cost",
    "state_bottle_retail", "bottles_sold", "sale_dollars",
]  # fmt: skip


@pytest.fixture
def world(committing_db: Flask) -> Iterator[Flask]:
    wiring.load()
    with committing_db.app_context(), use_actor(system_actor("test")):
        yield committing_db


def table(header: list[str], *rows: list[Any]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerows([header, *rows])
    return target.getvalue().encode()


def stores(*rows: list[Any]) -> Source:
    header = ["Store", "Name", "Store Status", "Address", "City", "State", "Zip Code"]
    return from_bytes("stores.csv", table(header, *rows))


def counties(*rows: list[Any]) -> Source:
    return from_bytes("store-county.csv", table(["Store", "County", "Basis"], *rows))


def products(*codes: str) -> Source:
    header = [
        "Item Number", "Category Name", "Item Description", "Vendor Name", "Bottle Volume (ml)", "Pack", "UPC",
        "State Bottle Cost", "State Bottle Retail",
    ]  # fmt: skip
    return from_bytes("products.csv", table(header, *[
        [code, "VODKA" if code < "2" else "RUM", f"BOTTLE {code}", "VENDOR  INC", 750, 12, "", "6.25", "9.38"]
        for code in codes
    ]))  # fmt: skip


def sales(*rows: list[Any], name: str = "sales.csv", header: list[str] = HEAD) -> Source:
    return from_bytes(name, table(header, *rows))


MASTERS = (
    stores(
        ["1", "A STORE", "A", "1 ROAD", "AMES", "IA", "50010"], ["2", "B STORE", "I", "2 ROAD", "ADEL", "IA", "50003"]
    ),
    counties(["1", "BLACK HAWK", "store"], ["2", "", ""]),
    products("100", "200"),
)
LINES = sales(
    ["INV-00000100001", "2022-07-01", "1", "100", 12, "112.56"],
    ["INV-00000100002", "2022-07-01", "1", "200", 6, "56.28"],
    ["INV-00000200001", "2022-07-05", "2", "100", 4, "37.52"],
    ["INV-00000300001", "2022-08-02", "1", "100", 2, "18.76"],
    ["RINV-00000400001", "2022-08-03", "1", "100", -13, "-121.94"],
    ["RINV-00000500001", "2022-07-03", "2", "200", -3, "-28.14"],
    ["RINV-00000500002", "2022-07-03", "2", "100", 1, "9.38"],
)


def body(name: str = "iowa-liquor") -> str:
    return mappings.delivered()[name]


def one(statement: Any) -> Any:
    return db.session.execute(statement).scalar()


def clean_books() -> list[str]:
    return [
        f"{check.code}: {o.error or o.offenders}" for check in checks.registered() if not (o := checks.run(check)).ok
    ]


def test_lines_arrive_in_every_ledger(world: Flask) -> None:
    outcome = take_on.run(body(), [*MASTERS, LINES])
    assert (outcome.state, outcome.report["lines"]) == ("done", 7)
    assert one(select(func.sum(Invoice.gross))) == Decimal("84.42")
    assert one(select(func.sum(Invoice.gross)).where(Invoice.invoice_kind == "red")) == Decimal("-150.08")
    assert one(select(func.sum(OpenItem.open_amount))) == Decimal("84.42")
    assert one(select(func.sum(CreditAccount.items))) == Decimal("84.42")
    receivable = select(func.sum(EntryLine.amount)).where(EntryLine.account_code == accounts.RECEIVABLE)
    assert one(receivable) == Decimal("84.42")
    assert one(select(func.count()).select_from(InvoiceLine)) == 7
    assert one(select(func.count()).select_from(Invoice).where(~Invoice.taken_on)) == 0
    assert one(select(func.count()).select_from(TakeOnBatch)) == 1
    assert one(select(func.count()).select_from(AuditRow).where(AuditRow.action == "batch")) == 1
    assert clean_books() == []


def test_dealers_stand_in_their_counties_and_masters_come_from_the_files(world: Flask) -> None:
    take_on.run(body(), [*MASTERS, LINES])
    rows = db.session.execute(
        select(Dealer.code, Dealer.status, Unit.code, Unit.kind).join(Unit, Unit.id == Dealer.unit_id)
    )
    assert sorted(map(tuple, rows)) == [
        ("1", "active", "BLACK-HAWK", "branch"),
        ("2", "inactive", "UNMAPPED", "branch"),
    ]
    assert one(select(Product.list_price).where(Product.code == "100")) == Decimal("9.3800")


def test_legal_numbers_are_gapless_in_the_order_of_dates(world: Flask) -> None:
    take_on.run(body(), [*MASTERS, LINES])
    rows = db.session.execute(select(Invoice.legal_number, Invoice.invoiced_on).order_by(Invoice.legal_number)).all()
    assert [number[-2:] for number, _ in rows] == ["01", "02", "03", "04", "05", "06"]
    assert [day for _, day in rows] == sorted(day for _, day in rows)


def test_returns_eat_the_first_deliveries_and_lacking_goods_get_an_opening_bucket(world: Flask) -> None:
    take_on.run(body(), [*MASTERS, LINES])
    uses = db.session.execute(
        select(StockBucket.received_on, StockBucket.source_kind, BucketUse.qty, BucketUse.used_on)
        .join(BucketUse, BucketUse.bucket_id == StockBucket.id).order_by(BucketUse.used_on, StockBucket.received_on)
    ).all()  # fmt: skip
    assert [tuple(row) for row in uses] == [
        (date(2022, 7, 3), "take_on_run", Decimal(3), date(2022, 7, 3)),
        (date(2022, 7, 1), "shipment", Decimal(12), date(2022, 8, 3)),
        (date(2022, 8, 2), "shipment", Decimal(1), date(2022, 8, 3)),
    ]
    assert one(select(func.sum(StockBucket.remaining_qty))) == Decimal(12)


def test_a_return_does_not_eat_a_delivery_that_came_after_it(world: Flask) -> None:
    lines = sales(
        ["RINV-00000100001", "2022-07-02", "1", "100", -5, "-46.90"],
        ["INV-00000200001", "2022-07-03", "1", "100", 5, "46.90"],
    )
    take_on.run(body(), [*MASTERS, lines])
    assert one(select(StockBucket.remaining_qty).where(StockBucket.source_kind == "shipment")) == Decimal(5)
    assert clean_books() == []


def test_the_same_files_twice_change_nothing(world: Flask) -> None:
    first = take_on.run(body(), [*MASTERS, LINES])
    before = one(select(func.count()).select_from(StockMove))
    again = take_on.run(body(), [*reversed(MASTERS), LINES])
    assert (again.run_id, again.state) == (first.run_id, "done")
    assert one(select(func.count()).select_from(StockMove)) == before


def test_lines_of_another_file_that_were_taken_on_before_are_left_out(world: Flask) -> None:
    take_on.run(body(), [*MASTERS, LINES])
    more = sales(
        ["INV-00000100002", "2022-07-01", "1", "200", 6, "56.28"],
        ["INV-00000100003", "2022-07-01", "1", "200", 1, "9.38"],
        name="more.csv",
    )
    take_on.run(body(), [more])
    assert one(select(func.sum(Invoice.gross))) == Decimal("93.80")
    assert one(select(func.count()).select_from(InvoiceLine)) == 8
    assert clean_books() == []


def test_both_layouts_come_to_the_same(world: Flask) -> None:
    def wide(line: str, day: str, store: str, item: str, qty: int, amount: str) -> list[Any]:
        county = "Black Hawk" if store == "1" else ""
        return [line, day, store, f"STORE {store}", "1 ROAD", "AMES", "50010", county, "VODKA", "V", item, f"B {item}", 12,
                750, "6.25", "9.38", qty, amount]  # fmt: skip

    lines = sales(
        wide("INV-00000100001", "07/01/2022", "1", "100", 12, "$1,112.56"),
        wide("INV-00000200001", "07/05/2022", "2", "100", 4, "37.52"),
        header=WIDE,
    )
    outcome = take_on.run(body("iowa-liquor-wide"), [lines])
    assert outcome.state == "done"
    assert one(select(func.sum(Invoice.gross))) == Decimal("1150.08")
    assert set(db.session.execute(select(Unit.code).where(Unit.kind == "branch")).scalars()) == {
        "BLACK-HAWK",
        "UNMAPPED",
    }
    assert clean_books() == []


def test_the_shipped_slice_of_online_retail_agrees_to_the_cent(world: Flask) -> None:
    outcome = take_on.run(body("online-retail"), [from_bytes("slice.csv", SLICE.read_bytes())])
    assert (outcome.state, outcome.report["lines"]) == ("done", 1506)
    assert one(select(func.sum(Invoice.gross)).where(Invoice.gross > 0)) == Decimal("206157.91")
    assert one(select(func.sum(Invoice.gross)).where(Invoice.gross < 0)) == Decimal("-253989.41")
    assert one(select(func.sum(OpenItem.open_amount))) == Decimal("-47831.50")
    assert one(select(func.count()).select_from(StockMove).where(StockMove.reason == "take_on_adjustment")) == 60
    assert one(select(func.count()).select_from(Dealer).where(Dealer.collective)) >= 1
    assert not one(select(Product.stocked).where(Product.code == "POST"))
    assert clean_books() == []


def test_a_dry_run_posts_and_makes_nothing(world: Flask) -> None:
    outcome = take_on.run(body(), [*MASTERS, LINES], dry_run=True)
    assert outcome.state == "checked"
    assert outcome.report["create"] == {"branches": 2, "dealers": 2, "products": 2}
    assert [month["month"] for month in outcome.report["months"]] == ["2022-07", "2022-08"]
    assert one(select(func.count()).select_from(Invoice)) == one(select(func.count()).select_from(Dealer)) == 0
    left = db.session.execute(text("SELECT count(*) FROM pg_class WHERE relname ~ '^take_on_(raw|line|row)_'")).scalar()
    assert left == 0


def test_every_fault_is_told_and_nothing_is_posted(world: Flask) -> None:
    listed = (
        body().replace('dealers = "create"', 'dealers = "list"').replace('products = "create"', 'products = "list"')
    )
    lines = sales(
        ["INV-00000100001", "2022-13-01", "1", "100", 12, "112.56"],
        ["INV-00000100002", "2022-07-01", "1", "100", "many", "56.28"],
        ["INV-0000020000X", "2022-07-05", "2", "100", 4, "37.52"],
        ["INV-00000300001", "2022-08-02", "", "100", 2, "18.76"],
        ["INV-00000300002", "2022-08-02", "9", "", 2, "18.76"],
        ["INV-00000300003", "2022-08-02", "9", "900", 0, "0"],
        ["INV-00000300004", "2022-08-02", "9", "900", 1, ""],
        ["INV-00000300005", "2122-08-02", "9", "900", 1, "1"],
        ["INV-00000300006", "2022-08-02", "9", "900", 1, "1"],
        ["INV-00000300007", "2022-08-02", "9", "900", 1, "1"],
        ["INV-00000300007", "2022-08-02", "9", "900", 1, "1"],
    )
    outcome = take_on.run(listed, [lines])
    codes = {fault["code"]: fault["count"] for fault in outcome.report["faults"]}
    assert outcome.state == "faulty"
    assert codes == {
        "date": 1, "qty": 2, "line": 1, "dealer": 1, "product": 1, "amount": 1, "future": 1, "doubled": 2,
        "missing_dealer": 3, "missing_product": 3,
    }  # fmt: skip
    assert {fault["code"]: fault["places"] for fault in outcome.report["faults"]}["date"] == ["sales.csv:2"]
    assert one(select(func.count()).select_from(Invoice)) == 0
    assert all(take_on.fault_text(code) != f"take_on.fault.{code}" for code in codes)


def test_after_the_cut_off_nothing_is_taken_on(world: Flask) -> None:
    limited = "cut_off = 2022-08-01\n" + body()
    outcome = take_on.run(limited, [*MASTERS, LINES])
    assert {fault["code"]: fault["count"] for fault in outcome.report["faults"]} == {"cut_off": 2}


def test_a_broken_off_run_goes_on_where_it_stopped(world: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_on, "BATCH_LINES", 2)
    real, posted = posting.post_next, []

    def breaks(run_id: int) -> int:
        if len(posted) == 2:
            raise ConnectionError("the line is down")
        posted.append(real(run_id))
        return posted[-1]

    monkeypatch.setattr(posting, "post_next", breaks)
    with pytest.raises(ConnectionError):
        take_on.run(body(), [*MASTERS, LINES])
    assert clean_books() == [], "half a run is whole documents"
    monkeypatch.setattr(posting, "post_next", real)
    outcome = take_on.run(body(), [*MASTERS, LINES])
    assert (outcome.state, outcome.batches_done) == ("done", outcome.batches)
    assert outcome.batches > 2
    assert one(select(func.sum(Invoice.gross))) == Decimal("84.42")
    assert clean_books() == []


def test_a_crash_that_empties_the_working_tables_is_noticed(world: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_on, "BATCH_LINES", 2)
    run_id = take_on.start(body(), [*MASTERS, LINES])
    take_on.prepare(run_id, [*MASTERS, LINES], dry_run=False, report=lambda *_: None)
    posting.post_next(run_id)
    db.session.execute(text(f"TRUNCATE take_on_row_{run_id}"))
    db.session.commit()
    assert take_on.run(body(), [*MASTERS, LINES]).state == "done"
    assert one(select(func.sum(Invoice.gross))) == Decimal("84.42")
    assert clean_books() == []


def test_a_closed_period_takes_nothing(world: Flask) -> None:
    db.session.execute(
        text(
            "INSERT INTO period (code, starts_on, ends_on, state) VALUES ('2022-08', '2022-08-01', '2022-08-31', 'closed')"
        )
    )
    db.session.commit()
    with pytest.raises(PeriodClosed):
        take_on.run(body(), [*MASTERS, LINES])
    assert one(select(func.count()).select_from(StockBalance)) == 0


def test_vat_is_taken_out_of_amounts_or_added_to_them(world: Flask) -> None:
    taxed = body().replace("tax_rate = 0", "tax_rate = 0.13")
    take_on.run(taxed.replace('tax = "free"', 'tax = "included"'), [*MASTERS, LINES])
    sums = db.session.execute(
        select(func.sum(InvoiceLine.gross), func.sum(InvoiceLine.net), func.sum(InvoiceLine.vat))
    ).one()
    assert sums[0] == Decimal("84.42") == sums[1] + sums[2]
    vat = one(select(func.sum(EntryLine.amount)).where(EntryLine.account_code == accounts.OUTPUT_VAT))
    assert vat == -sums[2] != 0
    assert clean_books() == []


def test_amounts_without_vat_get_it_on_top(world: Flask) -> None:
    taxed = body().replace("tax_rate = 0", "tax_rate = 0.13").replace('tax = "free"', 'tax = "excluded"')
    take_on.run(taxed, [*MASTERS, sales(["INV-00000100001", "2022-07-01", "1", "100", 1, "100.00"])])
    assert tuple(db.session.execute(select(Invoice.gross, Invoice.net, Invoice.vat)).one()) == (
        Decimal("113.00"), Decimal("100.00"), Decimal("13.00"),
    )  # fmt: skip


def test_files_nobody_knows_and_rows_that_do_not_fit_are_refused(world: Flask) -> None:
    with pytest.raises(InvalidInput) as error:
        take_on.run(body(), [from_bytes("x.csv", b"a,b\n1,2\n")])
    assert error.value.errors[0].code == "take_on.unknown_file"
    with pytest.raises(InvalidInput) as error:
        take_on.run(body(), [*MASTERS, from_bytes("s.csv", LINES.open().read() + b"only,three,cells\n")])
    assert error.value.errors[0].code == "take_on.broken_row"


def test_gb18030_and_gzip_and_excel_are_taken_on(world: Flask) -> None:
    import gzip

    from tests.unit.intake.test_files import book

    chinese = table(HEAD, ["INV-00000700001", "2022-07-01", "甲店", "100", 1, "5.00"]).decode().encode("gb18030")
    take_on.run(body(), [from_bytes("a.csv", chinese)])
    packed = gzip.compress(table(HEAD, ["INV-00000800001", "2022-07-01", "甲店", "100", 1, "6.00"]))
    take_on.run(body(), [from_bytes("a.csv.gz", packed)])
    excel = book(tuple(HEAD), ("INV-00000900001", date(2022, 7, 1), "甲店", "100", 1, 7.5))
    take_on.run(body(), [from_bytes("a.xlsx", excel)])
    assert one(select(func.sum(Invoice.gross))) == Decimal("18.50")
    assert one(select(Dealer.name)) == "甲店"
