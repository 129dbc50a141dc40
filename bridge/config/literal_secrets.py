"""Warns of secrets that are written out in config/bridge.yaml, and says how to move them out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.config.yaml_reader import Document, Problem, Where


def literal_secrets(document: Document) -> list[Problem]:
    """Return a warning, with its line, for each secret that is no reference."""
    return [
        document.problem(
            where,
            "a secret is written out here, for everybody who can read this file; put it into the "
            f"environment and write ${{{variable}}}, or into a file and write ${{file:PATH}}",
        )
        for where, variable, value in _secrets(document.data)
        if value and "${" not in str(value)
    ]


def _secrets(data: Any) -> Iterator[tuple[Where, str, Any]]:
    """Yield the place of each secret, the name of a variable that suits it, and its value."""
    for key in ("database", "redis"):
        url = _mapping(data).get(key)
        if _has_password(url):
            yield (key,), f"BRIDGE_{key.upper()}_URL", url
    if given := _mapping(_mapping(data).get("openid")).get("client_secret"):
        yield ("openid", "client_secret"), "OPENID_CLIENT_SECRET", given
    for name, row in _mapping(_mapping(data).get("connections")).items():
        prefix = str(name).upper().replace("-", "_")
        proxy = _mapping(row).get("proxy")
        if _has_password(proxy):
            yield ("connections", name, "proxy"), f"{prefix}_PROXY", proxy
        for key, value in _mapping(_mapping(row).get("credentials")).items():
            place = ("connections", name, "credentials", key)
            yield place, f"{prefix}_{str(key).upper()}", value
        given = _mapping(_mapping(row).get("webhook")).get("secrets")
        for number, value in enumerate(given if isinstance(given, list) else ()):
            yield (
                ("connections", name, "webhook", "secrets", number),
                f"{prefix}_WEBHOOK_SECRET",
                value,
            )


def _has_password(url: Any) -> bool:
    """Return whether an address seems to hold a user's password."""
    user, at, _host = str(url).partition("://")[2].rpartition("@")
    return bool(at) and ":" in user


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
