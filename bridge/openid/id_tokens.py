"""What a provider says of somebody: an id_token, believed when all of it is as it must be.

The key decides which algorithms a signature may have, never the token: so none is not one, and a
public key is no secret of an HMAC.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from authlib.oidc.core.claims import CodeIDToken
from joserfc import jwk, jws
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidClaimError, JoseError

from bridge import foreign_json
from bridge.core.model.outcome_codes import Code
from bridge.core.model.sign_in_provider import OpenIdRefused
from bridge.http.provider_calls import LARGEST

LEEWAY: Final = 60
"""Seconds by which the clocks may be apart."""
MOST_KEYS: Final = 100
LONGEST_SUBJECT: Final = 255
LARGEST_HEADER: Final = 8 * 1024
RSA_BYTES: Final = range(256, 1025)
"""Of a modulus: 2048 bits at least; a key of more than 8192 bits would be work for nothing."""
LONGEST_EXPONENT: Final = 8
"""Characters of one, encoded."""
RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
NEW: Final = ("iat", "nbf")
"""Claims that are wrong where the provider's clock is ahead."""


class UnknownKey(Exception):
    """The token is signed by a key that is not among those that are known."""


class _Registry(jws.JWSRegistry):
    max_header_length = LARGEST_HEADER
    max_payload_length = LARGEST
    max_signature_length = 8 * 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of a provider, and the algorithms of the signatures that it may verify."""

    name: str | None
    algorithms: tuple[str, ...]
    key: Any


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id_token has to say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str
    now: datetime


def read_keys(body: Any) -> list[SigningKey]:
    """Return the keys that may sign; others, and those that cannot be read, are left out."""
    rows = body.get("keys") if isinstance(body, Mapping) else None
    if not isinstance(rows, list):
        raise OpenIdRefused(Code.OPENID_DOWN, "the provider's keys cannot be read")
    keys = (_key(row) for row in rows[:MOST_KEYS] if isinstance(row, Mapping))
    return [key for key in keys if key is not None]


def claims_of(token: Any, keys: Sequence[SigningKey], expected: Expected) -> dict[str, Any]:
    """Return what an id_token says. Raises OpenIdRefused, UnknownKey."""
    if not isinstance(token, str) or token.count(".") != 2 or not token.isascii():
        raise _wrong("there is none, or none that is signed")
    name, algorithm = _header(token)
    key = _chosen(keys, name, algorithm)
    registry = _Registry(algorithms=[algorithm], strict_check_header=False)
    try:
        payload = jws.deserialize_compact(token, key.key, [algorithm], registry).payload
        claims = foreign_json.loads(payload or b"")
    except (JoseError, ValueError, TypeError):
        raise _wrong("its signature does not fit, or it is no JSON") from None
    if not isinstance(claims, dict):
        raise _wrong("it is no mapping")
    _check(claims, algorithm, expected)
    return claims


def _check(claims: dict[str, Any], algorithm: str, expected: Expected) -> None:
    wanted = {"iss": expected.issuer, "aud": expected.client_id}
    options: dict[str, Any] = {
        name: {"essential": True, "value": value} for name, value in wanted.items()
    }
    options |= {name: {"essential": True} for name in ("sub", "exp", "iat")}
    about = {
        "nonce": expected.nonce,
        "client_id": expected.client_id,
        "access_token": expected.access_token,
    }
    try:
        CodeIDToken(claims, {"alg": algorithm}, options, about).validate(
            int(expected.now.timestamp()), LEEWAY
        )
    except ExpiredTokenError:
        raise _clocks("it is too old already as it comes") from None
    except ClaimError as error:
        if isinstance(error, InvalidClaimError) and error.claim in NEW:
            raise _clocks("it comes from the future") from None
        raise _wrong(f"{error.claim} is not as it must be") from None
    except (TypeError, ValueError, AttributeError):
        raise _wrong("a claim has a form that it cannot have") from None
    subject = claims["sub"]
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise _wrong("sub is not as it must be")


def _header(token: str) -> tuple[str | None, str]:
    """Return which key a token names, and which algorithm; neither is believed for that."""
    encoded = token.partition(".")[0]
    try:
        header = foreign_json.loads(_decoded(encoded)) if len(encoded) <= LARGEST_HEADER else None
    except ValueError:
        header = None
    name = header.get("kid") if isinstance(header, dict) else None
    algorithm = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(algorithm, str) or not (name is None or isinstance(name, str)):
        raise _wrong("its head cannot be read")
    return name, algorithm


def _chosen(keys: Sequence[SigningKey], name: str | None, algorithm: str) -> SigningKey:
    """Return the key that a token has to be signed by."""
    named = [key for key in keys if name in {None, key.name}]
    if not named:
        raise UnknownKey
    fitting = [key for key in named if algorithm in key.algorithms]
    if len(fitting) != 1:
        many = "several keys may have signed it" if fitting else "no key signs in that way"
        raise _wrong(many)
    return fitting[0]


def _key(row: Mapping[str, Any]) -> SigningKey | None:
    name, only = row.get("kid"), row.get("alg")
    uses, kind = row.get("use", "sig"), row.get("kty")
    if uses != "sig" or not (name is None or isinstance(name, str)):
        return None
    algorithms: tuple[str, ...]
    if kind == "RSA":
        algorithms = RSA if _has_good_size(row) else ()
    else:
        algorithms = CURVES.get(str(row.get("crv")), ()) if kind == "EC" else ()
    algorithms = tuple(each for each in algorithms if only in {None, each})
    if not algorithms:
        return None
    public = {part: row[part] for part in ("kty", "n", "e", "crv", "x", "y") if part in row}
    try:
        key = jwk.import_key(public)
        key.get_op_key("verify")  # it is read as late as that
    except (JoseError, ValueError, TypeError):
        return None
    return SigningKey(name, algorithms, key)


def _has_good_size(row: Mapping[str, Any]) -> bool:
    modulus, exponent = row.get("n"), row.get("e")
    if not isinstance(modulus, str) or not isinstance(exponent, str):
        return False
    try:
        size = len(_decoded(modulus).lstrip(b"\0"))
    except ValueError:
        return False
    return size in RSA_BYTES and len(exponent) <= LONGEST_EXPONENT


def _decoded(encoded: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None


def _wrong(hint: str) -> OpenIdRefused:
    return OpenIdRefused(
        Code.OPENID_TOKEN,
        "what the provider says of you is not signed and made out as it must be",
        f"the id_token: {hint}",
    )


def _clocks(hint: str) -> OpenIdRefused:
    return OpenIdRefused(
        Code.OPENID_CLOCK,
        "the clocks of the bridge and of the provider are apart",
        f"the id_token: {hint}; more than {LEEWAY} s",
    )
