"""Signatures of webhooks: over the raw bytes, checked in constant time, with several live secrets.

Three kinds of scheme: `standard-webhooks` (id, time and body signed), `hmac-…` (the body, with
whatever else the configuration's `signed` says) and `static-header` (a shared secret in a header,
for systems that can do nothing better). The first is https://www.standardwebhooks.com (its
specification, read 2026-11), also under Svix's older names of its headers. A good signature proves
who sent a delivery, never that what it says is true: a delivery is only ever a hint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from bridge import foreign_json
from bridge.connectors.parsing import parse_time, value_at
from bridge.connectors.signed_parts import (
    header_parts,
    shows_time,
    signed_material,
    template_problems,
    written_header,
)
from bridge.core.model.syncs import Secret, Webhook
from bridge.errors import BadSignature, Expired

STANDARD: Final = "standard-webhooks"
STATIC: Final = "static-header"
DIGESTS: Final = {
    "hmac-sha256": hashlib.sha256,
    "hmac-sha512": hashlib.sha512,
    "hmac-sha1": hashlib.sha1,
}
"""SHA-1 is weak, and used only where the configuration names it."""
SCHEMES: Final = (STANDARD, *DIGESTS, STATIC)
ID, STAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""The headers of the standard-webhooks scheme."""
SVIX: Final = {ID: "svix-id", STAMP: "svix-timestamp", SIGNATURE: "svix-signature"}
"""The names that they had before it was a standard."""
DEFAULT_HEADER: Final = {
    **dict.fromkeys(DIGESTS, "x-webhook-signature"),
    STATIC: "x-webhook-secret",
}
MIN_KEY_BYTES = 24
"""Of a standard-webhooks key. Senders refuse shorter ones: here one is a typing error."""
MAX_CANDIDATES = 8
"""Signatures of one header that are compared: a header full of guesses must not cost more.

Each counts once, though it is read as hex and as base64.
"""
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_SAMPLE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000
"""Larger timestamps are in milliseconds: as seconds this one would lie in the year 5138."""


def verify(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Return if the delivery is authentic and fresh; raise BadSignature or Expired if not.

    Header names are lower-case.
    """
    if webhook.scheme == STANDARD:
        _verify_standard(webhook, headers, body, now)
    elif webhook.scheme in DIGESTS:
        _verify_hmac(webhook, headers, body, now)
    else:
        _verify_static(webhook, headers)
    if webhook.timestamp_path:
        _check_own_time(webhook, body, now)


def sign(webhook: Webhook, body: bytes, now: datetime, delivery_id: str) -> dict[str, str]:
    """Return the headers that a sender would add, signed with the first secret, in lower case."""
    secret = webhook.secrets[0]
    stamp = str(int(now.timestamp()))
    headers = {webhook.delivery.lower(): delivery_id} if webhook.delivery else {}
    if webhook.scheme == STANDARD:
        return headers | standard_headers([secret], body, now, delivery_id)
    if webhook.scheme == STATIC:
        return headers | {header_of(webhook): secret.reveal()}
    if webhook.timestamp_header:
        headers[webhook.timestamp_header.lower()] = stamp
    material = signed_material(webhook, body, stamp.encode(), delivery_id.encode())
    code = _mac(webhook, secret.reveal().encode(), material).hex()
    return headers | {header_of(webhook): written_header(webhook, code, stamp)}


def standard_headers(
    secrets: Iterable[Secret], body: bytes, now: datetime, delivery_id: str
) -> dict[str, str]:
    """Return the headers of the standard-webhooks scheme, with a signature by each secret."""
    stamp = str(int(now.timestamp()))
    material = b".".join((delivery_id.encode(), stamp.encode(), body))
    codes = (
        base64.b64encode(hmac.digest(_standard_key(secret) or b"", material, "sha256")).decode()
        for secret in secrets
    )
    signatures = " ".join(f"v1,{code}" for code in codes)
    return {ID: delivery_id, STAMP: stamp, SIGNATURE: signatures}


def header_of(webhook: Webhook) -> str:
    """Return the lower-case name of the header that holds the signature or the shared secret."""
    return webhook.header.lower() or DEFAULT_HEADER.get(webhook.scheme, SIGNATURE)


def is_signed(webhook: Webhook, headers: Mapping[str, str]) -> bool:
    """Return whether a delivery carries anything that its scheme asks for, right or wrong.

    Whoever sends nothing of it is a stranger, or a vendor to whom nobody has told a secret.
    """
    if webhook.scheme == STANDARD:
        return any(name in headers for pair in SVIX.items() for name in pair)
    return bool(headers.get(header_of(webhook), "").strip())


def signed_id(webhook: Webhook, headers: Mapping[str, str]) -> str:
    """Return the delivery id if it is part of what was signed, else the empty string."""
    if webhook.scheme == STANDARD:
        return _standard_header(headers, ID)
    return headers.get(webhook.delivery.lower(), "") if "{id}" in webhook.signed else ""


def signs_time(webhook: Webhook) -> bool:
    """Return whether a delivery's time is signed, so that an old one cannot be replayed later."""
    return webhook.scheme == STANDARD or bool(webhook.timestamp_path) or shows_time(webhook)


def signed_time(webhook: Webhook, headers: Mapping[str, str]) -> str:
    """Return the time in a delivery's headers, as it was sent; empty if there is none."""
    if webhook.timestamp_header:
        return headers.get(webhook.timestamp_header.lower(), "").strip()
    return header_parts(webhook, headers.get(header_of(webhook), "")).stamp


def webhook_problems(webhook: Webhook) -> list[str]:
    """Return in words why these settings cannot work; empty where they can."""
    problems: list[str] = []
    if not any(secret.reveal() for secret in webhook.secrets):
        problems.append("no secret: nothing could be verified")
    if webhook.scheme == STANDARD:
        for number, secret in enumerate(webhook.secrets, 1):
            key = _standard_key(secret)
            if key is None:
                problems.append(
                    f"secret {number} is not as this scheme has them (whsec_…): copy it anew"
                )
            elif len(key) < MIN_KEY_BYTES:
                problems.append(
                    f"secret {number} has {len(key)} bytes; "
                    f"standard-webhooks wants at least {MIN_KEY_BYTES}"
                )
    if webhook.scheme in DIGESTS:
        problems += template_problems(webhook)
        return problems or _refused_sample(webhook)
    problems += [
        f"{name} means nothing with the scheme {webhook.scheme}; allowed with {', '.join(DIGESTS)}"
        for name in ("timestamp_header", "signed", "signature")
        if getattr(webhook, name)
    ]
    if webhook.timestamp_path and webhook.scheme == STATIC:
        problems.append("timestamp_path means nothing here: static-header signs no body")
    return problems


def _refused_sample(webhook: Webhook) -> list[str]:
    """Return why a delivery that is signed just as declared would be refused; empty: it is not."""
    live = tuple(secret for secret in webhook.secrets if secret.reveal())
    # A sample's body has no time where this vendor's bodies have theirs.
    declared = replace(webhook, secrets=live, timestamp_path="")
    try:
        verify(declared, sign(declared, b"{}", _SAMPLE, "sample"), b"{}", _SAMPLE)
    except (BadSignature, Expired) as error:
        what = (
            f"a delivery signed as declared would be refused: {error}; "
            "header, timestamp_header and delivery must name different headers"
        )
        return [what]
    return []


def _verify_standard(
    webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    delivery, stamp, given = (_standard_header(headers, name) for name in (ID, STAMP, SIGNATURE))
    if not (delivery and stamp and given):
        raise BadSignature(f"missing header: the scheme needs {ID}, {STAMP} and {SIGNATURE}")
    material = b".".join((_bytes(delivery), _bytes(stamp), body))
    keys = (key for secret in webhook.secrets if (key := _standard_key(secret)))
    if not _any_matches(webhook, keys, material, _standard_candidates(given)):
        raise BadSignature("no live secret gives this signature")
    _check_time(webhook, stamp, now)


def _standard_header(headers: Mapping[str, str], name: str) -> str:
    """Return a header of the standard scheme, by its name of today, else by Svix's."""
    # All by one set of names: of two sets one would be unsigned.
    older = SIGNATURE not in headers and SVIX[SIGNATURE] in headers
    return headers.get(SVIX[name] if older else name, "")


def _verify_hmac(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    given = headers.get(header_of(webhook), "").strip()
    if not given:
        raise BadSignature(f"missing header {header_of(webhook)}")
    stamp = signed_time(webhook, headers)
    if shows_time(webhook) and not stamp:
        raise BadSignature(f"missing time in {webhook.timestamp_header or header_of(webhook)}")
    delivery = headers.get(webhook.delivery.lower(), "")
    material = signed_material(webhook, body, _bytes(stamp), _bytes(delivery))
    codes = header_parts(webhook, given).signatures
    decoded = (code for text in codes[:MAX_CANDIDATES] for code in (_hex(text), _base64(text)))
    candidates = [code for code in decoded if code is not None]
    keys = (secret.reveal().encode() for secret in webhook.secrets if secret.reveal())
    if not _any_matches(webhook, keys, material, candidates):
        raise BadSignature("no live secret gives this signature")
    if stamp:
        _check_time(webhook, stamp, now)


def _verify_static(webhook: Webhook, headers: Mapping[str, str]) -> None:
    given = headers.get(header_of(webhook), "").removeprefix("Bearer ")
    if not given:
        raise BadSignature(f"missing header {header_of(webhook)}")
    matched = False
    for secret in webhook.secrets:
        value = secret.reveal().encode()
        # Every secret is compared, whichever matched: the time taken must not tell which are live.
        matched |= bool(value) and hmac.compare_digest(_bytes(given), value)
    if not matched:
        raise BadSignature("no live secret equals this header")


def _standard_candidates(header: str) -> list[bytes]:
    """Return the signatures of version 1 in a header of several (`v1,… v2,…`)."""
    parts = (part.partition(",") for part in header.split())
    decoded = (_base64(code) for version, _, code in parts if version == "v1")
    return [code for code in decoded if code is not None][:MAX_CANDIDATES]


def _check_time(webhook: Webhook, stamp: str, now: datetime) -> None:
    # Only after the signature: an unsigned time proves nothing, and a forger must not learn from
    # the answer which of the two was wrong.
    sent_at = _sent_at(stamp)
    if sent_at is None:
        raise Expired("the signed time is neither a number of seconds since 1970 nor ISO 8601")
    _check_age(webhook, sent_at, now)


def _check_age(webhook: Webhook, sent_at: datetime, now: datetime) -> None:
    age = now - sent_at
    if abs(age) > webhook.tolerance:
        allowed = webhook.tolerance.total_seconds()
        raise Expired(f"signed {age.total_seconds():.0f} s ago; allowed {allowed:.0f} s")


def _check_own_time(webhook: Webhook, body: bytes, now: datetime) -> None:
    """Check the time that a body says of itself, which is signed along with it."""
    try:
        value: Any = value_at(foreign_json.loads(body), webhook.timestamp_path)
    except ValueError:
        value = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value))
    sent_at = _sent_at(value) if isinstance(value, str) else None
    if sent_at is None:
        raise Expired(f"there is no time at {webhook.timestamp_path!r} in the body")
    _check_age(webhook, sent_at, now)


def _sent_at(stamp: str) -> datetime | None:
    """Read a time: seconds or milliseconds since 1970, or ISO 8601; None when it is none."""
    if not stamp.isascii():
        return None
    if not _NUMBER.fullmatch(stamp):
        return parse_time(stamp)
    number = float(stamp)
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return None


def _any_matches(
    webhook: Webhook, keys: Iterator[bytes], material: bytes, candidates: list[bytes]
) -> bool:
    matched = False
    for key in keys:
        expected = _mac(webhook, key, material)
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate)
    return matched


def _mac(webhook: Webhook, key: bytes, material: bytes) -> bytes:
    return hmac.digest(key, material, DIGESTS.get(webhook.scheme, hashlib.sha256))


def _standard_key(secret: Secret) -> bytes | None:
    return _base64(secret.reveal().strip().removeprefix("whsec_")) or None


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _hex(text: str) -> bytes | None:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return None


def _bytes(header: str) -> bytes:
    """Return a header as it came over the wire: WSGI hands it over decoded as Latin-1."""
    return header.encode("latin-1", "replace")
