"""Column types, so that an amount is an amount everywhere."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Numeric, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import mapped_column

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Ref = Annotated[int, mapped_column(BigInteger)]
Amount = Annotated[Decimal, mapped_column(Numeric(18, 2))]
Price = Annotated[Decimal, mapped_column(Numeric(18, 4))]
Qty = Annotated[Decimal, mapped_column(Numeric(18, 3))]
Rate = Annotated[Decimal, mapped_column(Numeric(9, 6))]
Code = Annotated[str, mapped_column(String(64))]
Name = Annotated[str, mapped_column(String(200))]
Long = Annotated[str, mapped_column(Text)]
Stamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
Uuid = Annotated[UUID, mapped_column(PgUUID(as_uuid=True))]
