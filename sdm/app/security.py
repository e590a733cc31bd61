"""Response headers, the content policy, and the form token on every change."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFProtect

from sdm.kernel.settings import Settings

csrf = CSRFProtect()
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
HSTS = "max-age=31536000; includeSubDomains"


def init_app(app: Flask, settings: Settings) -> None:
    """Install token check and headers."""
    csrf.init_app(app)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.before_request(check_form_token)

    @app.after_request
    def add_headers(response: Response) -> Response:
        return with_headers(response, settings.secure)


def check_form_token() -> None:
    """Every change needs the form token (field `csrf_token` or header `X-CSRFToken`).

    Only API calls that identify themselves with an Authorization header go without: a foreign page cannot send it.
    """
    if request.method in SAFE_METHODS:
        return
    if request.path.startswith("/api/") and request.headers.get("Authorization"):
        return
    if request.endpoint is None:
        return  # no such address: answered with 404 or 405
    csrf.protect()


def csp_nonce() -> str:
    """The random word of this answer that lets a script block of ours run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def content_policy() -> str:
    """Everything from our own origin only; no inline script but with the answer's nonce, no inline style."""
    nonce = f" 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self'{nonce}",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        )
    )


def with_headers(response: Response, secure: bool) -> Response:
    """Add what every answer carries; data is never kept by caches unless the view says otherwise."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    headers.setdefault("Cache-Control", "no-store")
    if secure:
        headers.setdefault("Strict-Transport-Security", HSTS)
    return response
