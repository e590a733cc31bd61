"""Input is refused with all faults at once, each naming field, value and remedy."""

from decimal import Decimal

import pytest
from marshmallow import fields

from sdm.kernel.errors import TEXTS, InvalidInput, RuleViolation
from sdm.kernel.schema import AmountField, BaseSchema, QtyField, load, positive


class LineSchema(BaseSchema):
    """A line."""

    product = fields.Integer(required=True)
    qty = QtyField(required=True, validate=positive)


class OrderSchema(BaseSchema):
    """An order."""

    day = fields.Date(required=True)
    amount = AmountField()
    lines = fields.List(fields.Nested(LineSchema), required=True)


def faults(data):
    with pytest.raises(InvalidInput) as caught:
        load(OrderSchema(), data)
    return {fault.field: fault for fault in caught.value.errors}


def test_all_faults_are_named_at_once():
    found = faults(
        {
            "day": "21.11.2026",
            "amount": "1.234",
            "extra": 1,
            "lines": [{"product": 1, "qty": "2"}, {"product": "x", "qty": "-1"}],
        }
    )

    assert {place: fault.code for place, fault in found.items()} == {
        "day": "input.date",
        "amount": "input.decimals",
        "extra": "input.unknown_field",
        "lines.1.product": "input.number",
        "lines.1.qty": "input.positive",
    }
    assert "21.11.2026" in found["day"].text and "2026-11-21" in found["day"].text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "abc", ""])
def test_hostile_numbers_are_refused(value):
    assert faults({"day": "2026-11-21", "lines": [], "amount": value})["amount"].code in {"input.number", "input.range"}


def test_thousands_separators_are_understood():
    assert load(OrderSchema(), {"day": "2026-11-21", "amount": "1,234.50", "lines": []})["amount"] == Decimal("1234.50")


def test_every_error_text_can_be_filled_without_details():
    for code in TEXTS:
        assert isinstance(RuleViolation(code).text, str)
