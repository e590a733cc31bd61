"""Margin per sale (FI-23): revenue, cost at supply price and margin of every invoiced line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.catalogue.models import Product
from branches.org.models import Dealer, Unit
from finance.receivables.models import Invoice, InvoiceLine
from finance.receivables.views.invoices import blueprint
from sdm.kernel.frame import NavItem, nav, url_or_none
from sdm.kernel.i18n import _l
from sdm.kernel.listing import Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import view


def _margin_select() -> Select[Any]:
    return (
        select(InvoiceLine)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .join(Dealer, Dealer.id == Invoice.dealer_id)
        .join(Unit, Unit.id == Invoice.unit_id)
        .join(Product, Product.id == InvoiceLine.product_id)
        .where(Invoice.state.in_(["issued", "reversed"]))
    )


def _margin_list() -> ListSpec:
    margin = InvoiceLine.net - InvoiceLine.cost
    return ListSpec(
        name="margin",
        title=_l("Margin per sale"),
        select=_margin_select,
        id=InvoiceLine.id,
        default_sort="-invoiced_on",
        search=(Invoice.legal_number, Product.code, Product.name, Dealer.name),
        card_title="invoice",
        note=_l("Cost at the supply price of the invoice date, without VAT"),
        columns=(
            Column(
                "invoice",
                _l("Invoice number"),
                func.coalesce(Invoice.legal_number, Invoice.number),
                "code",
                link=lambda row: url_or_none("invoices.show", id=row.invoice_id),
            ),
            Column("invoiced_on", _l("Invoice date"), Invoice.invoiced_on, "date", filter="date-range"),
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Invoice.unit_id),
            Column(
                "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Invoice.dealer_id
            ),
            Column("code", _l("Code"), Product.code, "code", filter="text"),
            Column("product", _l("Product"), Product.name, filter="picker", picker="product", filter_expr=Product.id),
            Column("qty", _l("Quantity"), InvoiceLine.qty, "quantity", total=True),
            Column("net", _l("Revenue, net"), InvoiceLine.net, "amount", total=True),
            Column("cost", _l("Cost at supply price"), InvoiceLine.cost, "amount", total=True),
            Column("margin", _l("Gross margin"), margin, "amount", total=True, filter="number-range"),
            Column("rate", _l("Margin rate"), margin / func.nullif(InvoiceLine.net, 0), "percent", sortable=False),
        ),
        extra={"invoice_id": Invoice.id},
        presets=(Preset(_l("Sold at a loss"), "margin.to=-0.01"),),
        empty=_l("Nothing is invoiced yet."),
    )


@blueprint.get("/margin")
@view(Permission.SUPPLY_PRICE_READ)
def margin() -> AnyResponse | str:
    """Revenue, cost at supply price and margin of every invoiced line."""
    return render_list(_margin_list())


nav.register(
    NavItem("money", _l("Margin per sale"), "invoices.margin", Permission.SUPPLY_PRICE_READ, "percentage", order=60)
)
