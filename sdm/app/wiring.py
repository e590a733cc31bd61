"""What belongs to the product, as plain lists of `module:attribute`. Packages are named here and nowhere else.

`import_models()` makes all tables known; `load()` fills the registries of the lower layers once per process;
`blueprints()` and `cli_groups()` give the application and the command line their parts.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

# Modules whose import declares tables.
MODELS: list[str] = [
    "sdm.kernel.audit",
    "sdm.kernel.documents",
    "sdm.kernel.drafts",
    "sdm.kernel.idempotency",
    "sdm.kernel.jobs",
    "sdm.kernel.listing",
    "sdm.kernel.numbering",
    "sdm.kernel.outbox",
    "branches.org.models",
    "branches.catalogue.models",
    "branches.pricing.models",
    "branches.orders.models",
    "sdm.auth.models",
    "sdm.cases.models",
    "inventory.stock.models",
    "inventory.receipts.models",
    "inventory.shipments.models",
    "inventory.channel.models",
    "finance.ledger.models",
    "finance.credit.models",
    "finance.receivables.models",
    "sdm.intake.models",
]

# Blueprints of pages and of the API (their own URL prefix is part of the blueprint).
BLUEPRINTS: list[str] = [
    "sdm.intake.views:views",
    "sdm.kernel.picks:blueprint",
    "sdm.auth.views:blueprint",
    "sdm.auth.views:audit_views",
    "sdm.auth.views:system_views",
    "branches.org.views:blueprint",
    "branches.org.dealers_views:blueprint",
    "branches.catalogue.views:blueprint",
    "branches.pricing.views:blueprint",
    "inventory.receipts.views:blueprint",
    "inventory.shipments.views:blueprint",
    "inventory.channel.views:blueprint",
    "inventory.overview.views:blueprint",
    "sdm.cases.views:blueprint",
    "branches.orders.views:orders",
    "branches.orders.views:quotations",
    "branches.orders.views:returns",
    "finance.receivables.views:invoices",
    "finance.receivables.views:receipts",
    "finance.receivables.views:receivables",
    "finance.credit.views:blueprint",
    "finance.ledger.views:blueprint",
    "sdm.cockpit.views:home",
    "sdm.cockpit.views:search",
    "sdm.cockpit.dealer_tabs:blueprint",
]
API_BLUEPRINTS: list[str] = [
    "sdm.kernel.api:docs",
    "branches.org.api:bp",
    "sdm.auth.api:bp",
    "branches.org.dealers_api:blueprint",
    "branches.catalogue.api:blueprint",
    "branches.pricing.api:blueprint",
    "inventory.receipts.api:blueprint",
    "inventory.shipments.api:blueprint",
    "inventory.overview.api:blueprint",
    "branches.orders.api:orders",
    "branches.orders.api:returns",
    "branches.orders.api:quotations",
    "finance.receivables.api:invoices",
    "finance.receivables.api:receipts",
    "finance.receivables.api:receivables",
    "finance.credit.api:blueprint",
]

# click commands or groups below `sdm`.
CLI_GROUPS: list[str] = [
    "sdm.auth.cli:user",
    "sdm.intake.cli:import_sheet",
    "sdm.intake.cli:take_on_files",
]

# Tuples of JobSpec, Reader, Check, DocumentKind; each is registered with the function beside its list in REGISTRARS.
JOBS: list[str] = [
    "sdm.app.housekeeping:JOBS",
    "branches.org.dealers_jobs:JOBS",
    "sdm.auth.jobs:JOBS",
    "inventory.stock.jobs:JOBS",
    "branches.orders.jobs:JOBS",
]
EVENT_READERS: list[str] = [
    "branches.orders.kinds:EVENT_READERS",
]
CHECKS: list[str] = [
    "sdm.app.housekeeping:CHECKS",
    "inventory.stock.checks:CHECKS",
    "inventory.channel.checks:CHECKS",
    "inventory.receipts.checks:CHECKS",
    "inventory.shipments.checks:CHECKS",
    "branches.orders.checks:CHECKS",
    "finance.checks:CHECKS",
]
DOCUMENT_KINDS: list[str] = [
    "inventory.receipts.views:KINDS",
    "inventory.shipments.views:KINDS",
    "branches.orders.kinds:DOCUMENT_KINDS",
    "finance.kinds:DOCUMENT_KINDS",
]
SHEETS: list[str] = [
    "branches.org.sheets:SHEETS",
    "sdm.auth.sheets:SHEETS",
    "branches.org.dealers_sheets:SHEETS",
    "branches.catalogue.sheets:SHEETS",
    "branches.pricing.sheets:SHEETS",
    "inventory.receipts.sheets:SHEETS",
    "sdm.intake.sheets:SHEETS",
    "finance.sheets:SHEETS",
    "branches.orders.sheets:SHEETS",
]
CASE_KINDS: list[str] = [
    "branches.orders.kinds:CASE_KINDS",
    "finance.kinds:CASE_KINDS",
]

# (hook name, "module:function"): calls from a lower layer to a higher one in the same transaction.
HOOKS: list[tuple[str, str]] = [
    ("goods_receipt.posted", "finance.ledger.goods:received"),
    ("goods_receipt.reversed", "finance.ledger.goods:taken_back"),
    ("dealer.created", "finance.hooks:dealer_created"),
    ("dealer.created_many", "finance.hooks:dealers_created"),
    ("dealer.limits", "finance.hooks:dealer_limits"),
    ("dealer.limits_of", "finance.hooks:dealer_limits_of"),
    ("dealer.moved", "finance.hooks:dealer_moved"),
    ("dealer.moved", "inventory.channel.hooks:moved"),
    ("dealer.obstacles", "branches.orders.facts:obstacles"),
    ("dealer.obstacles", "inventory.shipments.hooks:obstacles"),
    ("dealer.obstacles", "finance.hooks:dealer_obstacles"),
    ("dealer.holdings", "inventory.channel.hooks:holdings"),
    ("invoice.lines_issued", "branches.orders.service:on_lines_issued"),
    ("invoice.order_facts", "branches.orders.facts:of_lines"),
    ("receipt.order", "branches.orders.facts:of_receipt"),
    ("shipment.send_out", "branches.orders.kinds:on_send_out"),
    ("shipment.sign", "branches.orders.kinds:on_sign"),
    ("shipment.cancel", "branches.orders.kinds:on_cancel"),
]

# "module:function" called with the Flask application once, after the extensions are ready.
SETUP: list[str] = ["sdm.kernel.api:init_app", "sdm.auth.identity:init_app", "sdm.intake.demo:announce"]

# "module:function": what every installation starts with, run after every migration in this order, in one transaction.
# Each makes only what was never there: what administrators changed or removed stays as it is.
SEEDS: list[str] = [
    "finance.ledger.service:ensure_chart",
    "sdm.auth.service:ensure_roles",
    "sdm.cases.service:ensure_routes",
    "branches.org.seeds:ensure_channels",
    "branches.org.seeds:ensure_grade",
    "branches.orders.seeds:ensure_return_reasons",
    "finance.receivables.seeds:ensure_payment_methods",
]

REGISTRARS: list[tuple[list[str], str]] = [
    (JOBS, "sdm.kernel.jobs:register"),
    (EVENT_READERS, "sdm.app.wiring:register_readers"),
    (CHECKS, "sdm.kernel.checks:register"),
    (DOCUMENT_KINDS, "sdm.app.wiring:register_document_kinds"),
    (SHEETS, "sdm.intake.registry:register"),
    (CASE_KINDS, "sdm.cases.registry:register"),
]

_loaded = False


def resolve(name: str) -> Any:
    """The object behind `module:attribute`. ImportError or AttributeError when it does not exist."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def import_models() -> None:
    """Import every module with tables."""
    for module in MODELS:
        importlib.import_module(module)


def load() -> None:
    """Fill the registries once per process."""
    global _loaded
    if _loaded:
        return
    import_models()
    for names, registrar in REGISTRARS:
        register: Callable[[Iterable[Any]], None] | None = resolve(registrar) if names else None
        for name in names:
            if register is not None:
                register(resolve(name))
    _load_hooks()
    _loaded = True


def _load_hooks() -> None:
    from sdm.kernel import hooks

    for name, function in HOOKS:
        hooks.register(name, resolve(function))


def register_readers(readers: Iterable[Any]) -> None:
    """Readers of outbox events."""
    from sdm.kernel import outbox

    for reader in readers:
        outbox.register(reader)


def register_document_kinds(kinds: Iterable[Any]) -> None:
    """Kinds of documents with their address and permission."""
    from sdm.kernel import documents

    for kind in kinds:
        documents.register_kind(kind)


def blueprints() -> list[Any]:
    """All blueprints, pages first."""
    return [resolve(name) for name in (*BLUEPRINTS, *API_BLUEPRINTS)]


def cli_groups() -> list[Any]:
    """All click commands below `sdm`."""
    return [resolve(name) for name in CLI_GROUPS]
