"""Static files under an address that carries their version, so that a second visit needs no request at all."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, abort, request, url_for

STATIC = Path(__file__).resolve().parent.parent / "static"
FOREVER = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
TEXTUAL = {*TYPES, ".json", ".txt", ".webmanifest"}
TWIN_FLOOR_BYTES = 1024


@lru_cache(maxsize=1)
def version() -> str:
    """Twelve hex digits of the names and contents of all static files, as they were when first asked."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file() and path.suffix != ".gz":
            digest.update(path.relative_to(STATIC).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def asset(name: str) -> str:
    """Address of a static file, e.g. `asset('js/app.js')`; modules import each other relatively within a version."""
    return url_for("assets.serve", stamp=version(), name=name)


def _inside(name: str) -> Path:
    """The file of a name, or 404 when absent or outside the static folder."""
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file() or path.name.startswith("."):
        abort(404)
    return path


@lru_cache(maxsize=256)
def _body(path: Path, _changed_ns: int, compressed: bool) -> bytes:
    """Contents of a file, or its compressed twin; compressed once per process where the build left none."""
    twin = path.with_name(f"{path.name}.gz")
    if not compressed:
        return path.read_bytes()
    return twin.read_bytes() if twin.is_file() else gzip.compress(path.read_bytes(), 6, mtime=0)


def _serve(stamp: str, name: str) -> Response:
    """One static file, compressed where the client takes it; kept for ever under its own version only."""
    path = _inside(name)
    textual = path.suffix in TEXTUAL
    stat = path.stat()
    compressed = textual and stat.st_size >= TWIN_FLOOR_BYTES and request.accept_encodings["gzip"] > 0
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    response = Response(_body(path, stat.st_mtime_ns, compressed), mimetype=kind)
    response.headers["Cache-Control"] = FOREVER if stamp == version() else "no-cache"
    if textual:
        response.headers["Vary"] = "Accept-Encoding"
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{stat.st_mtime_ns:x}{'-gz' if compressed else ''}")
    response.make_conditional(request)
    return response


def blueprint() -> Blueprint:
    """The blueprint `assets` with its one public endpoint `assets.serve`."""
    result = Blueprint("assets", __name__)
    result.add_url_rule("/assets/<stamp>/<path:name>", "serve", _serve)
    return result
