"""Pages of imports, take-on, mappings and control totals."""

from __future__ import annotations

from flask import Blueprint

from sdm.intake.views import control_totals, imports, mappings, take_on
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, nav, register_states

views = Blueprint("intake", __name__, url_prefix="/intake", template_folder="../templates")
for module in (imports, take_on, mappings, control_totals):
    module.add_to(views)

nav.register(NavItem("master", _l("Import and export"), "intake.index", Permission.IMPORT_RUN, "upload", 80))
nav.register(NavItem("master", _l("Take-on"), "intake.take_on_index", Permission.TAKE_ON_RUN, "database", 85))
nav.register(NavItem("master", _l("Control totals"), "intake.control_totals", Permission.CONTROL_TOTALS, "checks", 90))
register_states("import_run", {
    "faulty": (_l("With errors"), "bad"), "checked": (_l("Checked"), "info"), "applying": (_l("Being applied"), "warn"),
    "done": (_l("Applied"), "good"),
})  # fmt: skip
register_states("take_on_run", {
    "new": (_l("Files received"), "neutral"), "faulty": (_l("With errors"), "bad"), "checked": (_l("Checked"), "info"),
    "posting": (_l("Being posted"), "warn"), "done": (_l("Posted"), "good"),
})  # fmt: skip
