"""Pages of signing in, one's own account, users, roles, the operation log and the system's state."""

from __future__ import annotations

from flask import Blueprint

from sdm.auth.views import account, office, roles, signin, users
from sdm.auth.views.audit import audit_views
from sdm.auth.views.system import system_views

blueprint = Blueprint("auth", __name__, url_prefix="/auth", template_folder="../templates")
for module in (signin, account, users, roles, office):
    module.add_to(blueprint)

__all__ = ["audit_views", "blueprint", "system_views"]
