"""Parameters that orders read."""

from __future__ import annotations

from branches.org.parameters import ParameterSpec, register
from sdm.kernel.errors import N_

register(
    ParameterSpec(
        "order.release_days",
        N_("Days a release stays valid"),
        "int",
        7,
        N_("A released hold is honoured by later steps for so many days unless the release says otherwise"),
        group="sales",
        high=365,
    ),
    ParameterSpec(
        "quotation.valid_days",
        N_("Days a quotation is valid"),
        "int",
        30,
        N_("A new quotation can be ordered for so many days"),
        group="sales",
        low=1,
        high=365,
    ),
)
