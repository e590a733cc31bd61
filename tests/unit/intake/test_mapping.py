"""A mapping says every fault at once, recognises files by their heading, and comes back from its own TOML."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from sdm.intake import mapping as mappings
from sdm.intake import toml
from sdm.intake.service import mappings as kept
from sdm.kernel.errors import InvalidInput


@pytest.mark.parametrize("name", ["iowa-liquor", "iowa-liquor-wide", "online-retail"])
def test_delivered_mappings_are_valid_and_carry_their_name(name: str) -> None:
    assert mappings.load(kept.delivered()[name]).name == name


def test_files_are_recognised_by_their_headings() -> None:
    mapping = mappings.load(kept.delivered()["iowa-liquor"])
    sales = ["Invoice/Item Number", "Date", "Store Number", "Item Number", "Bottles Sold", "Sale (Dollars)"]
    assert mappings.kind_of(mapping, sales) == "sales"
    assert mappings.kind_of(mapping, ["Store", "County", "Basis"]) == "dealer_branches"
    assert mappings.kind_of(mapping, ["a", "b"]) is None


def test_all_faults_of_a_mapping_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        mappings.build({
            "colour": 1, "tax": "some", "sales": {"columns": {"qty": "Q", "who": "W"}, "non_stock": "(", "returns": "up"},
        })  # fmt: skip
    fields = {fault.field for fault in error.value.errors}
    assert {
        "colour", "tax", "name", "sales.non_stock", "sales.returns", "sales.columns.who", "sales.columns.date",
        "sales.columns.dealer", "sales.columns.product", "sales.columns.amount", "sales.columns.invoice",
    } <= fields  # fmt: skip
    assert all(fault.text != fault.code for fault in error.value.errors)


def test_broken_toml_is_told() -> None:
    with pytest.raises(InvalidInput):
        mappings.load("name = ")


def test_dates_by_format_and_as_day_numbers() -> None:
    found = mappings.parse_dates(["09/04/2018", "43347", "31/31/2018", ""], "MM/DD/YYYY")
    assert found == {"09/04/2018": date(2018, 9, 4), "43347": date(2018, 9, 4), "31/31/2018": None, "": None}


def test_plain_data_comes_back_from_its_toml() -> None:
    plain = {
        "name": 'a "quoted" name', "tax": "free", "sales": {"line_digits": 5, "return_prefixes": ["R", "C\\"],
        "columns": {"date": "Date (UTC)", "qty": "数量"}}, "masters": {"no_dealer": {"code": "X", "name": "散客"}},
    }  # fmt: skip
    assert tomllib.loads(toml.dump(plain)) == plain
