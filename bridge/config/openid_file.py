"""Compiles `openid` of config/bridge.yaml: how users of the pages sign in by a provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from marshmallow import missing

from bridge.config import way_out
from bridge.config.schemas import NO_ROLE, OpenIdSchema
from bridge.config.substitution import fill
from bridge.config.yaml_reader import Document, Problem
from bridge.core.model.roles import Role
from bridge.core.model.sign_in_provider import OpenIdSettings
from bridge.core.model.syncs import Secret
from bridge.core.model.values import shown

KEY: Final = "openid"
LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
LONGEST_LABEL: Final = 60
NEEDED: Final = "openid"
"""The scope without which a provider says nothing of anybody."""
_NEEDED_KEYS: Final = frozenset(("issuer", "client_id", "client_secret", "pages"))
_WELL_KNOWN: Final = "/.well-known/"
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_ADDRESS: Final = "allowed https://host/path, without user, password or query"


def compile_openid(
    row: Mapping[str, Any] | None, document: Document, home: Path, problems: list[Problem]
) -> OpenIdSettings | None:
    """Return how users sign in by a provider; None: they do not, or a problem was added."""
    if row is None:
        return None
    known = {name: each.load_default for name, each in OpenIdSchema().fields.items()}
    # What is wrong in itself was said, and is as if it were not there; the rest is still checked.
    row = {name: value for name, value in known.items() if value is not missing} | dict(row)
    written = document.data[KEY] if isinstance(document.data[KEY], Mapping) else {}
    wrong = [*_addresses(row), *_words(row, written)]
    trusted, proxy = "", way_out.proxy(row.get("proxy", ""))
    try:
        trusted = way_out.authorities(row["ca"], home) if "ca" in row else ""
    except ValueError as error:
        wrong.append(("ca", str(error)))
    if "proxy" in row and proxy is None:
        wrong.append(("proxy", f"is no address of a proxy; {way_out.PROXY_ALLOWED}"))
    problems += [document.problem((KEY, key), what) for key, what in wrong]
    if wrong or not row.keys() >= _NEEDED_KEYS:
        return None
    default = row.get("default_role", NO_ROLE)
    return OpenIdSettings(
        issuer=row["issuer"],
        client_id=row["client_id"],
        client_secret=Secret(row["client_secret"]),
        pages=row["pages"].rstrip("/"),
        label=row["label"],
        scopes=row["scopes"],
        groups_claim=row["groups_claim"],
        roles=row.get("roles", {}),
        default_role=None if default == NO_ROLE else Role(default),
        authorities=trusted,
        proxy=proxy,
    )


def leave_out_if_lacking(document: Document, environ: Mapping[str, str], home: Path) -> None:
    """Leave it out where a reference of it has no value: in a sandbox nobody need sign in by it."""
    data = document.data if isinstance(document.data, dict) else {}
    if fill(Document(document.file, {KEY: data.get(KEY)}), environ, home)[1]:
        document.data = {key: value for key, value in data.items() if key != KEY}


def _addresses(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(row.keys() & {"issuer", "pages"}):
        url = _split(row[key])
        if url is None:
            yield key, f"is no address; {_ADDRESS}"
        elif url.scheme == "http" and url.hostname not in LOOPBACK:
            yield key, "is http, by which anybody on the way could sign in; allowed https"
    if _WELL_KNOWN in row.get("issuer", ""):
        yield "issuer", f"is the address of a document; allowed what stands before {_WELL_KNOWN}"


def _words(row: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    label, scopes = row["label"], row["scopes"]
    if len(label) > LONGEST_LABEL or not label.isprintable():
        yield "label", f"is too long; allowed {LONGEST_LABEL} characters in one line"
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            yield "scopes", f"{shown(scope)} is no scope; allowed one word each"
    if NEEDED not in scopes:
        yield "scopes", f"lacks {NEEDED}, without which the provider says nothing of anybody"
    default = written.get("default_role", NO_ROLE)
    if "roles" not in written and default == NO_ROLE:
        yield "roles", "is missing, so nobody could sign in; allowed rows such as leads: operator"


def _split(given: str) -> SplitResult | None:
    """Parse an address; None when nobody can be sent there."""
    try:
        url = urlsplit(given)
        known = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    more = url.username is not None or url.password is not None or url.query or url.fragment
    fits = given.isascii() and given.isprintable() and " " not in given
    return url if known and fits and not more else None
