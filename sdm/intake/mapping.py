"""A take-on mapping: which column of somebody else's file means what, as TOML or made on screen. Pure.

A file is recognised by its heading: it is the first of *sales*, *dealers*, *dealer branches*, *products* whose columns it
holds. Sales rows may tell about dealers and products as well (wide layouts). ``docs/operations/take-on.md`` shows all keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sdm.kernel.errors import N_, FieldError, InvalidInput, describe

FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d", "YYYY/MM/DD": "%Y/%m/%d", "MM/DD/YYYY": "%m/%d/%Y", "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y", "YYYYMMDD": "%Y%m%d", "YYYY年MM月DD日": "%Y年%m月%d日",
}  # fmt: skip
SALES_COLUMNS = ("line_id", "invoice", "line", "date", "dealer", "product", "qty", "price", "amount")
DEALER_COLUMNS = ("code", "name", "status", "address", "city", "province", "postcode", "phone", "tax_no", "branch")
PRODUCT_COLUMNS = (
    "code", "name", "category", "brand", "specification", "barcode", "pack", "base_unit", "list_price", "supply_price",
)  # fmt: skip
BRANCH_COLUMNS = ("dealer", "branch")
TAX = ("free", "included", "excluded")
MISSING = ("list", "create")
SIGNS = ("negative", "positive")
ZERO_PRICE = ("adjustment", "return")
BRANCH_RULES = ("dealer", "row")

describe(
    {
        "mapping.toml": N_("The mapping is not valid TOML: %(value)s"),
        "mapping.key": N_("%(value)s is not known here; choose from: %(known)s"),
        "mapping.needs": N_("is missing; %(why)s"),
        "mapping.pattern": N_("%(value)s is not a regular expression: %(why)s"),
        "mapping.text": N_("must be a text"),
    }
)


@dataclass(frozen=True, slots=True)
class Sales:
    """The sales file: columns by meaning, and how to read them."""

    columns: Mapping[str, str]
    dealer: Mapping[str, str]
    product: Mapping[str, str]
    date_format: str = "YYYY-MM-DD"
    line_digits: int = 0
    return_prefixes: tuple[str, ...] = ()
    returns: str = "negative"
    float_tails: tuple[str, ...] = ()
    zero_price_negative: str = "adjustment"
    non_stock: str = ""
    branch_rule: str = "dealer"


@dataclass(frozen=True, slots=True)
class Party:
    """A code with a name."""

    code: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Masters:
    """What to do about dealers, products and branches that are not there yet."""

    dealers: str = "list"
    products: str = "list"
    branches: str = "list"
    region: Party = field(default_factory=Party)
    no_branch: Party = field(default_factory=Party)
    no_dealer: Party = field(default_factory=Party)
    grade: str = "C"
    term_days: int = 30
    category: Party = field(default_factory=lambda: Party("UNSORTED", "未分类"))
    base_unit: str = "件"
    tax_rate: Decimal = Decimal("0.13")
    inactive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping_:
    """A complete, checked mapping."""

    name: str
    title: str
    sales: Sales
    dealers: Mapping[str, str]
    dealer_branches: Mapping[str, str]
    products: Mapping[str, str]
    masters: Masters
    tax: str = "included"
    currency: str = ""
    cut_off: date | None = None
    company: Party = field(default_factory=Party)

    def file_kinds(self) -> list[tuple[str, frozenset[str]]]:
        """Kinds of files with the headings that identify each, sales first."""
        sales = {*self.sales.columns.values(), *self.sales.dealer.values(), *self.sales.product.values()}
        kinds = [("sales", sales), ("dealers", self.dealers.values()), ("products", self.products.values())]
        kinds.append(("dealer_branches", self.dealer_branches.values()))
        return [(kind, frozenset(columns)) for kind, columns in kinds if columns]


def kind_of(mapping: Mapping_, header: Sequence[str]) -> str | None:
    """Which file has this heading; None when the mapping does not know it."""
    names = set(header)
    return next((kind for kind, columns in mapping.file_kinds() if columns <= names), None)


def date_pattern(name: str) -> str:
    """The strptime pattern of a date format."""
    return FORMATS[name]


def parse_dates(texts: Sequence[str], date_format: str) -> dict[str, date | None]:
    """Each distinct text as a date; None where it is none."""
    pattern = FORMATS[date_format]
    found: dict[str, date | None] = {}
    for text in texts:
        try:
            found[text] = datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            found[text] = _serial(text)
    return found


def _serial(text: str) -> date | None:
    """A spreadsheet's day number."""
    if re.fullmatch(r"\d{5}", text) and 20_000 <= int(text) <= 80_000:
        return date(1899, 12, 30) + timedelta(days=int(text))
    return None


# --- reading ----------------------------------------------------------------------------------------------------------


def load(body: str) -> Mapping_:
    """Read a mapping. Raises InvalidInput with every fault, each naming its key."""
    try:
        plain = tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput([FieldError("mapping", "mapping.toml", str(error))]) from error
    return build(plain)


def build(plain: Mapping[str, Any]) -> Mapping_:
    """A mapping from plain data (of TOML or of the page). Raises InvalidInput with every fault."""
    faults: list[FieldError] = []
    _check_keys(plain, "", {f.name for f in fields(Mapping_)}, faults)
    sales = _sales(_table(plain, "sales", faults), faults)
    masters = _masters(_table(plain, "masters", faults), faults)
    result = Mapping_(
        name=str(plain.get("name", "")).strip(),
        title=str(plain.get("title", "")).strip(),
        sales=sales,
        dealers=_columns(_table(plain, "dealers", faults), "dealers", DEALER_COLUMNS, faults),
        dealer_branches=_columns(_table(plain, "dealer_branches", faults), "dealer_branches", BRANCH_COLUMNS, faults),
        products=_columns(_table(plain, "products", faults), "products", PRODUCT_COLUMNS, faults),
        masters=masters,
        tax=_one_of(plain.get("tax", "included"), "tax", TAX, faults),
        currency=str(plain.get("currency", "")),
        cut_off=plain.get("cut_off") if isinstance(plain.get("cut_off"), date) else None,
        company=_party(plain.get("company"), "company", faults),
    )
    if not result.name:
        faults.append(FieldError("name", "mapping.needs", None, {"why": "mappings are kept by name"}))
    if faults:
        raise InvalidInput(faults)
    return result


def _table(plain: Mapping[str, Any], key: str, faults: list[FieldError]) -> Mapping[str, Any]:
    value = plain.get(key, {})
    if not isinstance(value, Mapping):
        faults.append(FieldError(key, "mapping.key", str(value)[:80], {"known": "a table"}))
        return {}
    return value


def _check_keys(plain: Mapping[str, Any], path: str, known: set[str], faults: list[FieldError]) -> None:
    for key in plain:
        if key not in known:
            faults.append(FieldError(f"{path}{key}", "mapping.key", key, {"known": ", ".join(sorted(known))}))


def _columns(plain: Mapping[str, Any], path: str, known: tuple[str, ...], faults: list[FieldError]) -> dict[str, str]:
    _check_keys(plain, f"{path}.", set(known), faults)
    found = {}
    for key, heading in plain.items():
        if not isinstance(heading, str) or not heading.strip():
            faults.append(FieldError(f"{path}.{key}", "mapping.text"))
        else:
            found[key] = " ".join(heading.split())
    return found


def _one_of(value: Any, path: str, known: tuple[str, ...], faults: list[FieldError]) -> str:
    if value not in known:
        faults.append(FieldError(path, "mapping.key", str(value)[:80], {"known": ", ".join(known)}))
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),) if value else ()


def _party(value: Any, path: str, faults: list[FieldError]) -> Party:
    if value is None:
        return Party()
    if not isinstance(value, Mapping) or not value.get("code"):
        faults.append(FieldError(path, "mapping.needs", None, {"why": "write { code = …, name = … }"}))
        return Party()
    return Party(str(value["code"]), str(value.get("name") or value["code"]))


def _sales(plain: Mapping[str, Any], faults: list[FieldError]) -> Sales:
    _check_keys(plain, "sales.", {f.name for f in fields(Sales)}, faults)
    columns = _columns(_table(plain, "columns", faults), "sales.columns", SALES_COLUMNS, faults)
    _need_columns(columns, plain, faults)
    pattern = str(plain.get("non_stock", ""))
    try:
        re.compile(pattern)
    except re.error as error:
        faults.append(FieldError("sales.non_stock", "mapping.pattern", pattern, {"why": str(error)}))
    return Sales(
        columns=columns,
        dealer=_columns(_table(plain, "dealer", faults), "sales.dealer", DEALER_COLUMNS, faults),
        product=_columns(_table(plain, "product", faults), "sales.product", PRODUCT_COLUMNS, faults),
        date_format=_one_of(plain.get("date_format", "YYYY-MM-DD"), "sales.date_format", tuple(FORMATS), faults),
        line_digits=int(plain.get("line_digits", 0)),
        return_prefixes=_texts(plain.get("return_prefixes")),
        returns=_one_of(plain.get("returns", "negative"), "sales.returns", SIGNS, faults),
        float_tails=_texts(plain.get("float_tails")),
        zero_price_negative=_one_of(
            plain.get("zero_price_negative", "adjustment"), "sales.zero_price_negative", ZERO_PRICE, faults
        ),
        non_stock=pattern,
        branch_rule=_one_of(plain.get("branch_rule", "dealer"), "sales.branch_rule", BRANCH_RULES, faults),
    )


def _need_columns(columns: Mapping[str, str], plain: Mapping[str, Any], faults: list[FieldError]) -> None:
    for key in ("date", "dealer", "product", "qty"):
        if key not in columns:
            faults.append(FieldError(f"sales.columns.{key}", "mapping.needs", None, {"why": "every line needs it"}))
    if not {"price", "amount"} & columns.keys():
        faults.append(FieldError("sales.columns.amount", "mapping.needs", None, {"why": "give amount or price"}))
    if not {"line_id", "invoice"} & columns.keys():
        faults.append(FieldError("sales.columns.invoice", "mapping.needs", None, {"why": "give invoice or line_id"}))
    digits = plain.get("line_digits", 0)
    if not isinstance(digits, int) or not 0 <= digits <= 9 or ("line_id" in columns and not digits):
        why = "how many last characters of line_id are the line number (1 to 9)"
        faults.append(FieldError("sales.line_digits", "mapping.needs", digits, {"why": why}))


def _masters(plain: Mapping[str, Any], faults: list[FieldError]) -> Masters:
    _check_keys(plain, "masters.", {f.name for f in fields(Masters)}, faults)
    default = Masters()
    parties = {
        key: _party(plain[key], f"masters.{key}", faults)
        for key in ("region", "no_branch", "no_dealer", "category")
        if key in plain
    }
    return Masters(
        dealers=_one_of(plain.get("dealers", "list"), "masters.dealers", MISSING, faults),
        products=_one_of(plain.get("products", "list"), "masters.products", MISSING, faults),
        branches=_one_of(plain.get("branches", "list"), "masters.branches", MISSING, faults),
        grade=str(plain.get("grade", default.grade)),
        term_days=int(plain.get("term_days", default.term_days)),
        base_unit=str(plain.get("base_unit", default.base_unit)),
        tax_rate=Decimal(str(plain.get("tax_rate", default.tax_rate))),
        inactive=_texts(plain.get("inactive")),
        **parties,
    )
