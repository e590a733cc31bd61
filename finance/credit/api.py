"""Credit accounts for programs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from branches.org.models import Dealer
from finance.credit import queries, service
from finance.credit import schemas as shape
from finance.credit.models import CreditAccount, CreditLimitChange
from finance.credit.rules import Headroom
from sdm.kernel import api
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.permissions import Permission

blueprint = api.blueprint("credit", __name__)


@api.route(
    blueprint,
    "/credit-accounts",
    permission=Permission.CREDIT_READ,
    query=shape.AccountQuery,
    response=shape.AccountOut,
    summary="Credit accounts",
    paged=True,
)
def list_accounts(query: dict[str, Any]) -> api.Page:
    """Accounts of payers in scope."""
    statement = select(CreditAccount)
    if query["unit_id"] is not None:
        statement = statement.where(CreditAccount.unit_id == query["unit_id"])
    return api.page(statement, query["cursor"], query["limit"], key=CreditAccount.payer_id)


@api.route(
    blueprint,
    "/credit-accounts/<int:payer_id>",
    permission=Permission.CREDIT_READ,
    response=shape.HeadroomOut,
    summary="Limit, exposure and headroom of a payer",
)
def get_account(payer_id: int) -> Headroom:
    """Valid today."""
    if db.session.execute(select(Dealer.id).where(Dealer.id == payer_id)).first() is None:
        raise NotFound("not_found", kind="dealer", id=payer_id)
    return queries.headroom(payer_id)


@api.route(
    blueprint,
    "/credit-accounts/<int:payer_id>/limits",
    methods=["POST"],
    permission=Permission.CREDIT_LIMIT_PROPOSE,
    request=shape.LimitIn,
    response=shape.ChangeOut,
    summary="Propose a limit",
    creates=True,
)
def propose_limit(payer_id: int, body: dict[str, Any]) -> CreditLimitChange:
    """Another person approves it."""
    change_id = service.propose_limit(payer_id=payer_id, **body)
    return db.session.get_one(CreditLimitChange, change_id)
