"""What a provider says of itself, at its well-known address: where it is asked for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bridge.core.model.outcome_codes import Code
from bridge.core.model.sign_in_provider import OpenIdRefused
from bridge.core.model.values import shown

WELL_KNOWN: Final = "/.well-known/openid-configuration"
LONGEST_ADDRESS: Final = 2000
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"


@dataclass(frozen=True, slots=True)
class ProviderDocument:
    """Where a provider is asked for what."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    """Empty: it has none."""
    secret_in_form: bool
    """The secret is sent in the form, since a header is not taken."""
    names_itself: bool
    """It says in each answer that a browser brings back who it is (RFC 9207)."""


def address_of(issuer: str) -> str:
    """Return where an issuer's document is."""
    return f"{issuer.rstrip('/')}{WELL_KNOWN}"


def read(body: Any, issuer: str) -> ProviderDocument:
    """Read the document of an issuer. Raises OpenIdRefused."""
    if not isinstance(body, Mapping):
        raise _unusable("it is no mapping")
    if body.get("issuer") != issuer:
        raise OpenIdRefused(
            Code.OPENID_SETUP,
            "the provider says that it is another issuer than the one in the files",
            f"it names {shown(body.get('issuer'))}: write just that under `openid.issuer`, if it "
            "is meant",
        )
    methods = body.get("token_endpoint_auth_methods_supported")
    known = methods if isinstance(methods, list) else [BASIC]
    if BASIC not in known and POST not in known:
        raise _unusable("it takes a client's secret neither in a header nor in a form")
    userinfo = "userinfo_endpoint"
    return ProviderDocument(
        authorization=_address(body, "authorization_endpoint", issuer),
        token=_address(body, "token_endpoint", issuer),
        keys=_address(body, "jwks_uri", issuer),
        userinfo=_address(body, userinfo, issuer) if userinfo in body else "",
        secret_in_form=BASIC not in known,
        names_itself=body.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(body: Mapping[str, Any], name: str, issuer: str) -> str:
    given = body.get(name)
    if not isinstance(given, str) or not _is_address(given, plain=issuer.startswith("http://")):
        raise _unusable(f"{name} is no https address")
    return given


def _is_address(given: str, *, plain: bool) -> bool:
    """Return whether something may be called; `plain`: http, on this machine alone, too."""
    try:
        url = urlsplit(given)
        known = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    safe = url.scheme == "https" or (plain and url.scheme == "http" and url.hostname in _LOOPBACK)
    bare = url.username is None and url.password is None and not url.fragment
    fits = len(given) <= LONGEST_ADDRESS and given.isascii() and given.isprintable()
    return known and safe and bare and fits and " " not in given


def _unusable(what: str) -> OpenIdRefused:
    return OpenIdRefused(Code.OPENID_DOWN, "the provider's document cannot be used", what)
