"""A year of billed sales through the take-on statements, and the money that came in for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import select

from branches.org import queries as org
from finance.ledger import accounts
from finance.receivables import rules as receivables
from sdm.intake.demo import goods
from sdm.intake.models import TakeOnRun
from sdm.intake.service import posting
from sdm.intake.statements import demo, post, stage
from sdm.kernel import clock
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.locks import Rank, reach
from sdm.kernel.money import CENT, round_amount

DAYS = 365
LAST_DAY = 2
BATCH_LINES = 8_000
DIGEST = "demo-history"
MAPPING = "demo"
GRADE_RATE = {"A": Decimal("0.92"), "B": Decimal("0.96"), "C": Decimal(1)}
GRADE_BILLS = {"A": 2.6, "B": 1.7, "C": 1.1}
BAD_PAYERS = (13, 4)  # of each branch the 4th, the 17th … dealer pays late
STOPPED = (39, 4)  # and of these every third has stopped


@command(None)
def stage_rows() -> int:
    """Write the lines of all history into the working table of a take-on run; returns the run's id."""
    found = db.session.execute(select(TakeOnRun).where(TakeOnRun.digest == DIGEST)).scalar_one_or_none()
    if found is not None:
        return int(found.id)
    run = TakeOnRun(
        unit_id=org.head_office().id, digest=DIGEST, mapping_name=MAPPING, mapping_body='name = "demo"',
        file_names=["旧系统销售明细.csv"], state="posting", report={}, created_by="demo",
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    rows = stage.row_table(run.id)
    db.session.execute(stage.drop([rows]))
    db.session.execute(demo.create_rows(rows))
    run.batches, lines = _copy(rows, list(_lines()))
    run.report = {"lines": lines}
    db.session.execute(stage.index_rows(rows))
    db.session.execute(stage.analyse(rows))
    return int(run.id)


def _copy(rows: str, documents: list[list[tuple[Any, ...]]]) -> tuple[int, int]:
    """Copy documents in batches; returns how many batches and lines."""
    connection: Any = db.session.connection().connection.dbapi_connection
    batch = count = doc_no = 0
    with connection.cursor() as cursor, cursor.copy(demo.copy_rows(rows)) as copy:
        for lines in documents:
            doc_no += 1
            for line in lines:
                copy.write_row((batch, doc_no, *line))
            count += len(lines)
            batch = count // BATCH_LINES
    return batch + 1, count


def _lines() -> Iterator[list[tuple[Any, ...]]]:
    """Documents in the order of their dates: (kind, number, line, date, dealer, unit, product, qty, price, amount)."""
    random, today = Random(20_260_202), clock.today()  # noqa: S311 - the same on every load
    dealers = db.session.execute(demo.DEALERS).all()
    products = db.session.execute(demo.PRODUCTS, {"today": today}).all()
    last: dict[int, list[tuple[Any, ...]]] = {}
    serial = 0
    for back in range(DAYS, LAST_DAY, -1):
        day = today - timedelta(days=back)
        weights = _season(products, day)
        for dealer in dealers:
            if random.random() < GRADE_BILLS[dealer.grade_code] / 30 * _week(day):
                serial += 1
                lines = _sale(random, dealer, products, weights, day, serial)
                last[dealer.id] = lines
                yield lines
            elif dealer.id in last and random.random() < 0.0012:
                serial += 1
                yield [_taken_back(last.pop(dealer.id)[0], day, serial)]


def _week(day: date) -> float:
    """Little happens on Sundays."""
    return 0.2 if day.weekday() == 6 else 1.15


def _season(products: Any, day: date) -> list[float]:
    seasons = {family.code: family.season for family in goods.FAMILIES}
    return [2.5 if day.month in seasons.get(product.family, ()) else 1.0 for product in products]


def _sale(random: Random, dealer: Any, products: Any, weights: list[float], day: date, serial: int) -> list[Any]:
    chosen = random.choices(products, weights, k=random.randint(2, 6))
    lines = []
    for number, product in enumerate({product.id: product for product in chosen}.values(), start=1):
        qty = Decimal(random.choice((1, 2, 2, 3, 4, 5, 6, 8, 10, 12)))
        price = (product.list_price * GRADE_RATE[dealer.grade_code]).quantize(CENT)
        lines.append(("s", f"YL{day:%y}{serial:06d}", number, day, dealer.id, dealer.unit_id, product.id, qty, price,
                      round_amount(qty * price)))  # fmt: skip
    return lines


def _taken_back(line: tuple[Any, ...], day: date, serial: int) -> tuple[Any, ...]:
    _kind, _number, _line, _day, dealer, unit, product, _qty, price, _amount = line
    return ("r", f"TH{day:%y}{serial:06d}", 1, day, dealer, unit, product, Decimal(1), price, price)


@command(None)
def post_next(run_id: int) -> tuple[int, int]:
    """Post one batch; (done, all)."""
    run = db.session.get(TakeOnRun, run_id, populate_existing=True, with_for_update=True)
    assert run is not None
    if run.batches_done < run.batches:
        posting.post_batch(run, stage.row_table(run_id), run.batches_done, "included")
        run.batches_done += 1
        if run.batches_done == run.batches:
            run.state, run.finished_at = "done", clock.now()
            db.session.execute(stage.drop([stage.row_table(run_id)]))
    return run.batches_done, run.batches


# --- money ------------------------------------------------------------------------------------------------------------


@command(None)
def receive() -> None:
    """What was paid of the history, as receipts with their allocations; then the credit limits that fit."""
    execute = db.session.execute
    if not execute(select(TakeOnRun.id).where(TakeOnRun.digest == DIGEST)).scalar():
        return
    plan = list(_payments(execute(demo.OWED).all(), clock.today()))
    execute(demo.PLAN)
    connection: Any = db.session.connection().connection.dbapi_connection
    with connection.cursor() as cursor, cursor.copy(demo.COPY_PLAN) as copy:
        for row in plan:
            copy.write_row(row)
    execute(demo.RECEIVED)
    execute(demo.PERIODS)
    execute(demo.RECEIPTS)
    reach(Rank.CREDIT)
    execute(demo.CREDIT)
    execute(demo.LIMITS)
    execute(demo.LIMIT_CHANGES)
    execute(demo.UNIT_LIMITS)
    reach(Rank.OPEN_ITEM)
    execute(demo.RECEIPT_ITEMS)
    execute(demo.SETTLED)
    execute(demo.ALLOCATIONS)
    execute(demo.ENTRIES)
    execute(demo.ENTRY_LINES, {"collection": accounts.COLLECTION, "receivable": accounts.RECEIVABLE})
    reach(Rank.COUNTER)
    _number()


def _payments(items: Any, today: date) -> Iterator[tuple[int, int, date, Decimal]]:
    """(receipt, item, day, amount): most pay in time, some late or in part, a few stopped; one receipt a payer and week."""
    random = Random(20_260_303)  # noqa: S311 - the same on every load
    receipts: dict[tuple[int, int, date], int] = {}
    for item in items:
        paid_on, amount = _paid(random, item)
        if paid_on is None or paid_on > today:
            continue
        week = min(today, max(paid_on + timedelta(days=4 - paid_on.weekday()), item.dated_on))
        number = receipts.setdefault((item.payer_id, item.unit_id, week), len(receipts) + 1)
        yield number, item.id, week, amount


def pays_late(place: int) -> bool:
    """Whether the dealer at this place of its branch is a bad payer."""
    return place % BAD_PAYERS[0] == BAD_PAYERS[1]


def _paid(random: Random, item: Any) -> tuple[date | None, Decimal]:
    if item.settlement_mode == "prepaid":
        return item.dated_on, item.open_amount
    if not pays_late(item.place):
        return item.due_on - timedelta(days=random.randint(5, 12)), item.open_amount
    if item.place % STOPPED[0] == STOPPED[1] and random.random() < 0.6:
        return None, item.open_amount
    share = Decimal(random.choice((100, 100, 100, 50))) / 100
    return item.due_on + timedelta(days=random.randint(3, 75)), round_amount(item.open_amount * share)


def _number() -> None:
    for row in db.session.execute(demo.SERIES).all():
        series = receivables.receipt_series(row.legal_entity_id, date(row.year, 1, 1))
        last = db.session.execute(post.DRAW, {"series": series, "count": row.count}).scalar_one()
        prefix = receivables.legal_number(series, 0)[:-8]
        db.session.execute(demo.NUMBER, {
            "prefix": prefix, "before": last - row.count, "entity": row.legal_entity_id, "year": row.year,
        })  # fmt: skip
