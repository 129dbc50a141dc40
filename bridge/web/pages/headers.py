"""What a browser may do with the pages: nothing inline, nothing from elsewhere, no frames."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

_ALLOWED: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
POLICY: Final = "; ".join(f"{what} {source}" for what, source in _ALLOWED.items())
HEADERS: Final = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000")
"""Where the page came by https, as it always will."""


def harden(app: Flask) -> None:
    """Have every answer carry the headers; what is not static is kept by no cache."""

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in HEADERS:
            answer.headers[name] = value
        if request.is_secure:
            answer.headers.add(*TRANSPORT)
        if request.endpoint != "static":
            answer.headers["Cache-Control"] = "no-store"
        return answer
