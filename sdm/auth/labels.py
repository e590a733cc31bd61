"""What permissions and roles are called, grouped as on the page of a role."""

from __future__ import annotations

from typing import Any

from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission as P

WORK_PLACE_LABELS: dict[str, Any] = {
    "clerk": _l("Sales clerk"),
    "storekeeper": _l("Storekeeper"),
    "branch_manager": _l("Branch manager"),
    "finance": _l("Finance"),
    "executive": _l("Executive"),
    "administrator": _l("Administrator"),
}

GROUPS: tuple[tuple[Any, tuple[tuple[P, Any], ...]], ...] = (
    (
        _l("Sales"),
        (
            (P.ORDER_READ, _l("See orders")),
            (P.ORDER_ENTER, _l("Enter and change orders")),
            (P.ORDER_CONFIRM, _l("Confirm orders")),
            (P.ORDER_CANCEL, _l("Cancel orders")),
            (P.ORDER_RELEASE_CREDIT, _l("Release orders held for credit")),
            (P.ORDER_RELEASE_PRICE, _l("Release orders held for price")),
            (P.ORDER_RELEASE_AMOUNT, _l("Release orders held for their amount")),
            (P.ORDER_RELEASE_SHORTAGE, _l("Release orders held for shortage")),
            (P.RETURN_READ, _l("See returns")),
            (P.RETURN_ENTER, _l("Request returns")),
            (P.RETURN_APPROVE, _l("Approve returns")),
            (P.QUOTATION_READ, _l("See quotations")),
            (P.QUOTATION_ENTER, _l("Enter quotations")),
        ),
    ),
    (
        _l("Goods"),
        (
            (P.STOCK_READ, _l("See stock")),
            (P.GOODS_RECEIPT_READ, _l("See goods receipts")),
            (P.GOODS_RECEIPT_POST, _l("Post goods receipts")),
            (P.SHIPMENT_READ, _l("See shipments")),
            (P.SHIPMENT_POST, _l("Pick and send shipments")),
            (P.SHIPMENT_SIGN, _l("Record signatures")),
            (P.CHANNEL_READ, _l("See stock at dealers")),
        ),
    ),
    (
        _l("Money"),
        (
            (P.INVOICE_READ, _l("See invoices")),
            (P.INVOICE_APPLY, _l("Apply for invoices")),
            (P.INVOICE_APPROVE, _l("Approve and issue invoices")),
            (P.INVOICE_REVERSE, _l("Reverse invoices")),
            (P.TAX_INVOICE_RECORD, _l("Record tax invoices")),
            (P.RECEIPT_READ, _l("See receipts")),
            (P.RECEIPT_ENTER, _l("Enter receipts")),
            (P.RECEIPT_REVERSE, _l("Reverse receipts")),
            (P.ALLOCATION_ENTER, _l("Allocate receipts")),
            (P.RECEIVABLE_READ, _l("See receivables")),
            (P.ADJUSTMENT_ENTER, _l("Request adjustments")),
            (P.ADJUSTMENT_APPROVE, _l("Approve adjustments")),
            (P.CREDIT_READ, _l("See credit")),
            (P.CREDIT_LIMIT_PROPOSE, _l("Propose credit limits")),
            (P.CREDIT_LIMIT_APPROVE, _l("Approve credit limits")),
            (P.LEDGER_READ, _l("See the ledger")),
            (P.PERIOD_CLOSE, _l("Close periods")),
        ),
    ),
    (
        _l("Dealers, products, prices"),
        (
            (P.DEALER_READ, _l("See dealers")),
            (P.DEALER_EDIT, _l("Edit dealers")),
            (P.DEALER_BLOCK, _l("Block dealers")),
            (P.PRODUCT_READ, _l("See products")),
            (P.PRODUCT_EDIT, _l("Edit products")),
            (P.PRICE_READ, _l("See prices")),
            (P.PRICE_EDIT, _l("Edit prices")),
            (P.SUPPLY_PRICE_READ, _l("See supply prices and margin")),
            (P.SUPPLY_PRICE_EDIT, _l("Edit supply prices")),
        ),
    ),
    (
        _l("Work"),
        (
            (P.CASE_READ, _l("See the inbox")),
            (P.CASE_HANDLE, _l("Decide on work items")),
            (P.SEARCH, _l("Search")),
            (P.COCKPIT_READ, _l("See key figures")),
        ),
    ),
    (
        _l("Base"),
        (
            (P.ORG_READ, _l("See the organisation")),
            (P.ORG_EDIT, _l("Edit the organisation")),
            (P.WAREHOUSE_EDIT, _l("Edit warehouses")),
            (P.OPTION_EDIT, _l("Edit option lists")),
            (P.PARAMETER_EDIT, _l("Set parameters")),
            (P.USER_READ, _l("See users")),
            (P.USER_EDIT, _l("Edit users")),
            (P.ROLE_EDIT, _l("Edit roles")),
            (P.ROUTE_EDIT, _l("Edit approval routes")),
            (P.IMPORT_RUN, _l("Import lists")),
            (P.TAKE_ON_RUN, _l("Take on earlier documents")),
            (P.CONTROL_TOTALS, _l("Check control totals")),
            (P.AUDIT_READ, _l("See the operation log")),
            (P.SYSTEM_READ, _l("See the system's state")),
            (P.API_TOKEN, _l("Make API tokens for oneself")),
        ),
    ),
)


def groups() -> list[tuple[Any, list[tuple[str, Any]]]]:
    """(group, [(permission, label)]) of all permissions; one without a label shows its code."""
    named = {permission for _group, items in GROUPS for permission, _label in items}
    rest = [(p.value, p.value) for p in P if p not in named]
    found = [(group, [(p.value, label) for p, label in items]) for group, items in GROUPS]
    return [*found, (_l("Other"), rest)] if rest else found


def label(permission: str) -> Any:
    """What a permission is called."""
    return next((text for _group, items in groups() for code, text in items if code == permission), permission)
