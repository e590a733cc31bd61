"""Pages of the organisation."""

from __future__ import annotations

from flask import Blueprint

from branches.org import picks
from branches.org.views import companies, options, people, settings, units, warehouses

blueprint = Blueprint("org", __name__, url_prefix="/org", template_folder="../templates")
for module in (units, people, warehouses, companies, options, settings):
    module.add_to(blueprint)

__all__ = ["blueprint", "picks"]
