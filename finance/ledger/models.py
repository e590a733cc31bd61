"""The money ledger: entries whose lines sum to zero per unit, legal entity and currency; append-only.

``amount`` is signed: debit positive, credit negative. What crosses units goes through inter-unit lines, which name the
counter-unit and net to zero per pair of units in each entry. Lines of an entry go in with one statement; a statement
trigger with its transition table checks sums, line count, pairs and closed periods.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from finance.ledger.accounts import chart_sql
from sdm.kernel.columns import Amount, Code, Created, Id, Name, Ref, Stamp
from sdm.kernel.db import Base, after_create, append_only
from sdm.kernel.scope import Scoped


class Account(Base):
    """An account of the chart. ``kind``: asset, liability, equity, income, expense."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("kind IN ('asset','liability','equity','income','expense')", name="kind"),)

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Name]
    name_en: Mapped[Name]
    kind: Mapped[Code]
    inter_unit: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)


class Period(Base):
    """A month. Nothing is posted into a closed one."""

    __tablename__ = "period"
    __table_args__ = (CheckConstraint("state IN ('open','closed')", name="state"),)

    code: Mapped[str] = mapped_column(String(7), primary_key=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    state: Mapped[Code] = mapped_column(server_default="open", default="open")
    closed_at: Mapped[Stamp | None]
    closed_by_id: Mapped[Ref | None]


class Entry(Scoped, Base):
    """A posted entry. ``event`` is the step of the document that caused it; a step posts once (unique)."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("uq_entry_document_event", "document_kind", "document_id", "event", unique=True),
        CheckConstraint("line_count >= 2", name="line_count"),
        Index("ix_entry_posted_on", "posted_on"),
    )

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    posted_on: Mapped[date]
    period: Mapped[str] = mapped_column(ForeignKey("period.code"))
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    event: Mapped[Code]
    line_count: Mapped[int] = mapped_column(Integer)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("entry.id"))
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]


class EntryLine(Scoped, Base):
    """One line; ``belongs_period`` differs from the posting period when a correction concerns a closed month."""

    __tablename__ = "entry_line"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_entry_line_account", "account_code", "unit_id", "posted_on"),
        Index("ix_entry_line_dealer", "dealer_id", "account_code"),
    )

    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    line_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    currency: Mapped[str] = mapped_column(String(3))
    account_code: Mapped[str] = mapped_column(ForeignKey("account.code"))
    counter_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"))
    amount: Mapped[Amount]
    posted_on: Mapped[date]
    belongs_period: Mapped[str] = mapped_column(String(7))


append_only(Entry)
append_only(EntryLine)
after_create(Account, chart_sql())
after_create(
    EntryLine,
    """
CREATE FUNCTION entry_line_balanced() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE bad record;
BEGIN
  SELECT entry_id INTO bad FROM added
   GROUP BY entry_id, unit_id, legal_entity_id, currency HAVING sum(amount) <> 0 LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'entry % does not balance', bad.entry_id USING ERRCODE = 'SD010'; END IF;
  SELECT a.entry_id INTO bad FROM (SELECT entry_id, count(*) AS lines FROM added GROUP BY entry_id) a
    JOIN entry e ON e.id = a.entry_id WHERE e.line_count <> a.lines LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % has another number of lines than its header', bad.entry_id USING ERRCODE = 'SD011';
  END IF;
  SELECT entry_id INTO bad FROM added WHERE counter_unit_id IS NOT NULL
   GROUP BY entry_id, least(unit_id, counter_unit_id), greatest(unit_id, counter_unit_id), currency
   HAVING sum(amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % has inter-unit lines that do not net to zero', bad.entry_id USING ERRCODE = 'SD012';
  END IF;
  SELECT e.id, e.period INTO bad FROM (SELECT DISTINCT entry_id FROM added) a JOIN entry e ON e.id = a.entry_id
    JOIN period p ON p.code = e.period
   WHERE p.state = 'closed' OR e.posted_on NOT BETWEEN p.starts_on AND p.ends_on LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'period % is closed or does not hold the posting date', bad.period USING ERRCODE = 'SD020';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entry_line_balanced AFTER INSERT ON entry_line REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION entry_line_balanced();
CREATE FUNCTION entry_has_lines() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM entry_line WHERE entry_id = NEW.id) THEN
    RAISE EXCEPTION 'entry % has no lines', NEW.id USING ERRCODE = 'SD013';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_has_lines AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION entry_has_lines();
""",
)
