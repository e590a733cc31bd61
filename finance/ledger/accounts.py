"""The chart of accounts: constants used by postings, names in Chinese and English. Pure.

``Kind`` tells the normal side only; balances are signed everywhere (debit positive).
"""

from __future__ import annotations

from dataclasses import dataclass

BANK = "1002"
COLLECTION = "1012"
RECEIVABLE = "1122"
INVENTORY = "1405"
SUPPLY_CLEARING = "2202"
OUTPUT_VAT = "222101"
INTER_UNIT = "3101"
OPENING_EQUITY = "4103"
REVENUE = "6001"
SALES_ALLOWANCE = "6002"
OTHER_INCOME = "6301"
COST = "6401"
SUPPLY_VARIANCE = "6402"
BANK_CHARGES = "6603"
BAD_DEBT = "6701"
ROUNDING = "6711"


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """One account: ``kind`` is asset, liability, equity, income or expense."""

    code: str
    name: str
    name_en: str
    kind: str
    inter_unit: bool = False


CHART: tuple[ChartAccount, ...] = (
    ChartAccount(BANK, "银行存款", "Bank", "asset"),
    ChartAccount(COLLECTION, "销售收入专户", "Dedicated collection account", "asset"),
    ChartAccount(RECEIVABLE, "应收账款", "Accounts receivable", "asset"),
    ChartAccount(INVENTORY, "库存商品", "Inventory", "asset"),
    ChartAccount(SUPPLY_CLEARING, "供货清算", "Supply clearing", "liability"),
    ChartAccount(OUTPUT_VAT, "应交增值税（销项税额）", "Output VAT", "liability"),
    ChartAccount(INTER_UNIT, "内部往来", "Inter-unit account", "asset", inter_unit=True),
    ChartAccount(OPENING_EQUITY, "期初结转", "Opening balance equity", "equity"),
    ChartAccount(REVENUE, "主营业务收入", "Revenue", "income"),
    ChartAccount(SALES_ALLOWANCE, "销售折让", "Sales allowances", "income"),
    ChartAccount(OTHER_INCOME, "营业外收入", "Other income", "income"),
    ChartAccount(COST, "主营业务成本", "Cost of goods sold", "expense"),
    ChartAccount(SUPPLY_VARIANCE, "供价差异", "Supply-price variance", "expense"),
    ChartAccount(BANK_CHARGES, "手续费", "Bank charges", "expense"),
    ChartAccount(BAD_DEBT, "坏账损失", "Bad debts", "expense"),
    ChartAccount(ROUNDING, "尾差", "Rounding differences", "expense"),
)


def chart_sql() -> str:
    """INSERT of the whole chart, run when the table is made; a repeat refreshes the names only."""
    rows = ",\n  ".join(
        f"('{a.code}', '{a.name}', '{a.name_en}', '{a.kind}', {'true' if a.inter_unit else 'false'})" for a in CHART
    )
    return (
        f"INSERT INTO account (code, name, name_en, kind, inter_unit) VALUES\n  {rows}\n"
        "ON CONFLICT (code) DO UPDATE SET name = excluded.name, name_en = excluded.name_en"
    )
