"""`home` (work places) and `search` (quick search and its results page)."""

from __future__ import annotations

from flask import Blueprint

home = Blueprint("home", __name__, template_folder="templates")
search = Blueprint("search", __name__, url_prefix="/search", template_folder="templates")
