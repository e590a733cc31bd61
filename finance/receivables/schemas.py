"""Shapes of requests and answers about invoices, receipts, open items, allocation, ageing."""

from __future__ import annotations

from marshmallow import fields, validate

from sdm.kernel.api import PageQuery, RefSchema
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, RateField, positive

_text = validate.Length(max=200, error="input.length")
_long = validate.Length(max=2000, error="input.length")
INVOICE_STATES = ("drafted", "submitted", "rejected", "approved", "issued", "reversed")


class BillLineIn(BaseSchema):
    """Units of a delivered line to bill; without ``qty`` all that can be billed."""

    shipment_line_id = fields.Integer(required=True, strict=True)
    qty = QtyField(load_default=None, allow_none=True, validate=positive)


class InvoiceIn(BaseSchema):
    """An application for one invoice; ``submit`` hands it to the examiner at once."""

    uuid = fields.UUID()
    lines = fields.List(fields.Nested(BillLineIn), required=True, validate=validate.Length(min=1))
    note = fields.String(load_default="", validate=_long)
    submit = fields.Boolean(load_default=False)


class ReasonIn(BaseSchema):
    """Why something is approved, rejected or reversed."""

    reason = fields.String(load_default="", validate=_text)


class ReverseIn(BaseSchema):
    """Why and when a document is reversed; today without a day."""

    reason = fields.String(required=True, validate=_text)
    reversed_on = fields.Date(load_default=None, allow_none=True)


class ReverseReceiptIn(ReverseIn):
    """The same for a receipt; ``undo_allocations`` undoes what it settles."""

    undo_allocations = fields.Boolean(load_default=False)


class IssueIn(BaseSchema):
    """Date of the invoice; today without one."""

    invoiced_on = fields.Date(load_default=None, allow_none=True)


class InvoiceQuery(PageQuery):
    """Filters of the list of invoices."""

    state = fields.String(load_default=None, validate=validate.OneOf(INVOICE_STATES, error="input.choice"))
    dealer_id = fields.Integer(load_default=None)


class InvoiceOut(RefSchema):
    """An invoice without lines; red ones have negative amounts."""

    invoice_kind = fields.String()
    legal_number = fields.String(allow_none=True)
    external_number = fields.String()
    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    invoiced_on = fields.Date(allow_none=True)
    due_on = fields.Date(allow_none=True)
    gross = AmountField()
    net = AmountField()
    vat = AmountField()
    currency = fields.String()
    original_id = fields.Integer(allow_none=True)
    return_id = fields.Integer(allow_none=True)
    reason = fields.String()


class InvoiceLineOut(BaseSchema):
    """A billed line."""

    line_no = fields.Integer()
    product_id = fields.Integer()
    code = fields.String()
    name = fields.String()
    qty = QtyField()
    price = PriceField()
    gross = AmountField()
    net = AmountField()
    vat = AmountField()
    tax_rate = RateField()
    credited_qty = QtyField()
    shipment_id = fields.Integer(allow_none=True)


class InvoiceFullOut(InvoiceOut):
    """An invoice with lines and the warnings of its examination."""

    warnings = fields.List(fields.Dict())
    lines = fields.List(fields.Nested(InvoiceLineOut))


class BillableQuery(BaseSchema):
    """Whose deliveries."""

    dealer_id = fields.Integer(load_default=None)
    unit_id = fields.Integer(load_default=None)


class BillableOut(BaseSchema):
    """A delivered line with something left to bill."""

    shipment_line_id = fields.Integer()
    shipment_id = fields.Integer()
    shipment = fields.String()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    product_id = fields.Integer()
    qty = QtyField()
    invoiced = QtyField()
    billable = QtyField()
    price = PriceField()


class ReceiptIn(BaseSchema):
    """Money received; ``order_id`` earmarks it for a prepaid order."""

    uuid = fields.UUID()
    dealer_id = fields.Integer(required=True)
    amount = AmountField(required=True, validate=positive)
    received_on = fields.Date(required=True)
    method = fields.String(load_default="transfer", validate=validate.Length(max=64, error="input.length"))
    bank_account = fields.String(load_default="", validate=_text)
    reference = fields.String(load_default="", validate=_text)
    note = fields.String(load_default="", validate=_long)
    order_id = fields.Integer(load_default=None, allow_none=True)


class ReceiptQuery(PageQuery):
    """Filters of the list of receipts."""

    state = fields.String(load_default=None, validate=validate.OneOf(["recorded", "reversed"], error="input.choice"))
    payer_id = fields.Integer(load_default=None)


class ReceiptOut(RefSchema):
    """A receipt."""

    legal_number = fields.String()
    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    amount = AmountField()
    received_on = fields.Date()
    method = fields.String()
    bank_account = fields.String()
    reference = fields.String()
    order_id = fields.Integer(allow_none=True)
    note = fields.String()


class ItemQuery(PageQuery):
    """Filters of open items."""

    payer_id = fields.Integer(load_default=None)


class ItemOut(BaseSchema):
    """What a payer owes (amount > 0) or is owed."""

    id = fields.Integer()
    kind = fields.String()
    document_kind = fields.String()
    document_id = fields.Integer()
    number = fields.String()
    unit_id = fields.Integer()
    payer_id = fields.Integer()
    dated_on = fields.Date()
    due_on = fields.Date()
    amount = AmountField()
    open_amount = AmountField()


class MatchIn(BaseSchema):
    """``amount`` > 0 of a debit item settled by a credit item."""

    debit_item_id = fields.Integer(required=True)
    credit_item_id = fields.Integer(required=True)
    amount = AmountField(required=True, validate=positive)


class AllocateIn(BaseSchema):
    """Matches of one day, or ``payer_id`` and ``by`` for automatic ones."""

    matches = fields.List(fields.Nested(MatchIn), load_default=list)
    allocated_on = fields.Date(load_default=None, allow_none=True)
    payer_id = fields.Integer(load_default=None, allow_none=True)
    by = fields.String(load_default="oldest", validate=validate.OneOf(["oldest", "reference"], error="input.choice"))


class AllocatedOut(BaseSchema):
    """Ids of the allocations made."""

    ids = fields.List(fields.Integer())


class AllocationOut(BaseSchema):
    """One allocation; negative amounts undo an earlier one."""

    id = fields.Integer()
    payer_id = fields.Integer()
    debit_item_id = fields.Integer()
    credit_item_id = fields.Integer()
    amount = AmountField()
    allocated_on = fields.Date()
    automatic = fields.Boolean()
    reverses_id = fields.Integer(allow_none=True)


class AgeingQuery(BaseSchema):
    """As of which day, by unit or dealer."""

    as_of = fields.Date(load_default=None)
    by = fields.String(load_default="unit", validate=validate.OneOf(["unit", "dealer"], error="input.choice"))
    unit_id = fields.Integer(load_default=None)


class AgeingRowOut(BaseSchema):
    """Amounts by band, upper bounds as in ``bounds``; the last band is open."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    not_due = AmountField()
    bands = fields.List(AmountField())
    credits = AmountField()
    total = AmountField()


class AgeingOut(BaseSchema):
    """Ageing as of a day."""

    as_of = fields.Date()
    by = fields.String()
    bounds = fields.List(fields.Integer())
    rows = fields.List(fields.Nested(AgeingRowOut))
    total = fields.Nested(AgeingRowOut)
