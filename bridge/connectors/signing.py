"""How deliveries are signed and checked: over the raw bytes, in constant time, with several live secrets.

Three schemes: `standard-webhooks` (id, time and body signed), `hmac-sha256` (the body, or time and
body) and `static-header` (a shared secret in a header, for systems that can do nothing better). A
good signature proves who sent a delivery, never that what it says is true: a delivery is only ever
a hint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from bridge.core.model.syncs import Secret, Webhook
from bridge.errors import BadSignature, Expired

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""The headers of the standard-webhooks scheme."""
DEFAULT_HEADER = {"hmac-sha256": "x-webhook-signature", "static-header": "x-webhook-secret"}
MINIMUM_KEY = 24
"""Bytes of a standard-webhooks key; senders refuse shorter ones, so a shorter one here is a typing error."""
_MILLISECONDS_FROM = 100_000_000_000
"""Larger timestamps are in milliseconds: as seconds this one would lie in the year 5138."""


def verify(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Return if the delivery is authentic and fresh; raise BadSignature or Expired. Header names are lower-case."""
    if webhook.scheme == "standard-webhooks":
        _verify_standard(webhook, headers, body, now)
    elif webhook.scheme == "hmac-sha256":
        _verify_hmac(webhook, headers, body, now)
    else:
        _verify_static(webhook, headers)


def sign(webhook: Webhook, body: bytes, now: datetime, delivery_id: str) -> dict[str, str]:
    """Give the headers that a sender would add, signed with the first secret. Names are lower-case."""
    secret = webhook.secrets[0]
    stamp = str(int(now.timestamp()))
    headers = {webhook.delivery.lower(): delivery_id} if webhook.delivery else {}
    if webhook.scheme == "standard-webhooks":
        material = b".".join((delivery_id.encode(), stamp.encode(), body))
        code = base64.b64encode(_mac(_standard_key(secret) or b"", material)).decode()
        return headers | {ID: delivery_id, TIMESTAMP: stamp, SIGNATURE: f"v1,{code}"}
    if webhook.scheme == "static-header":
        return headers | {header_of(webhook): secret.reveal()}
    if webhook.timestamp_header:
        headers[webhook.timestamp_header.lower()] = stamp
        body = stamp.encode() + b"." + body
    return headers | {header_of(webhook): _mac(secret.reveal().encode(), body).hex()}


def header_of(webhook: Webhook) -> str:
    """Give the lower-case name of the header that holds the signature or the shared secret."""
    return webhook.header.lower() or DEFAULT_HEADER.get(webhook.scheme, SIGNATURE)


def signed_id(webhook: Webhook, headers: Mapping[str, str]) -> str:
    """Give the delivery id if it is part of what was signed, else the empty string."""
    return headers.get(ID, "") if webhook.scheme == "standard-webhooks" else ""


def signs_time(webhook: Webhook) -> bool:
    """Tell whether a delivery's time is signed, so that an old one cannot be replayed later."""
    return webhook.scheme == "standard-webhooks" or (
        webhook.scheme == "hmac-sha256" and bool(webhook.timestamp_header)
    )


def problems(webhook: Webhook) -> list[str]:
    """Say in words why these settings cannot work; empty: they can. For the check of the configuration."""
    found = (
        []
        if any(secret.reveal() for secret in webhook.secrets)
        else ["no secret: nothing could be verified"]
    )
    if webhook.scheme == "standard-webhooks":
        for number, secret in enumerate(webhook.secrets, 1):
            key = _standard_key(secret)
            if key is None:
                found.append(f"secret {number} is not base64 (with or without the prefix whsec_)")
            elif len(key) < MINIMUM_KEY:
                found.append(
                    f"secret {number} has {len(key)} bytes; standard-webhooks wants at least {MINIMUM_KEY}"
                )
    if webhook.timestamp_header and webhook.scheme != "hmac-sha256":
        found.append(
            f"timestamp_header means nothing with the scheme {webhook.scheme}; allowed with hmac-sha256"
        )
    return found


def _verify_standard(
    webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    delivery, stamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (delivery and stamp and given):
        raise BadSignature(f"missing header: the scheme needs {ID}, {TIMESTAMP} and {SIGNATURE}")
    codes = [
        code
        for version, _, code in (part.partition(",") for part in given.split())
        if version == "v1"
    ]
    material = b".".join((_bytes(delivery), _bytes(stamp), body))
    keys = (key for secret in webhook.secrets if (key := _standard_key(secret)))
    if not _any_matches(
        keys, material, [decoded for code in codes if (decoded := _base64(code)) is not None]
    ):
        raise BadSignature("no live secret gives this signature")
    _check_time(webhook, stamp, now)


def _verify_hmac(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    given = headers.get(header_of(webhook), "").strip()
    if not given:
        raise BadSignature(f"missing header {header_of(webhook)}")
    stamp = ""
    if webhook.timestamp_header:
        stamp = headers.get(webhook.timestamp_header.lower(), "").strip()
        if not stamp:
            raise BadSignature(f"missing header {webhook.timestamp_header.lower()}")
        body = _bytes(stamp) + b"." + body
    code = given.removeprefix("sha256=")
    candidates = [decoded for decoded in (_hex(code), _base64(code)) if decoded is not None]
    keys = (secret.reveal().encode() for secret in webhook.secrets if secret.reveal())
    if not _any_matches(keys, body, candidates):
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
        # Every secret is compared, whichever matched: the time taken says nothing about which are
        # live.
        matched |= bool(value) and hmac.compare_digest(_bytes(given), value)
    if not matched:
        raise BadSignature("no live secret equals this header")


def _check_time(webhook: Webhook, stamp: str, now: datetime) -> None:
    # Only after the signature: an unsigned time proves nothing, and the answer must not tell them
    # apart for forgers.
    try:
        number = int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else None
        sent = (
            None
            if number is None
            else number / 1000
            if number >= _MILLISECONDS_FROM
            else float(number)
        )
        age = None if sent is None else now - datetime.fromtimestamp(sent, UTC)
    except (OverflowError, ValueError):
        age = None
    if age is None:
        raise Expired("the signed timestamp is not a number of seconds since 1970")
    if abs(age) > webhook.tolerance:
        raise Expired(
            f"signed {age.total_seconds():.0f} s ago; allowed {webhook.tolerance.total_seconds():.0f} s"
        )


def _any_matches(keys: Iterator[bytes], material: bytes, candidates: list[bytes]) -> bool:
    matched = False
    for key in keys:
        expected = _mac(key, material)
        for candidate in candidates[
            :8
        ]:  # a header full of guesses must not cost more than a few comparisons
            matched |= hmac.compare_digest(expected, candidate)
    return matched


def _mac(key: bytes, material: bytes) -> bytes:
    return hmac.digest(key, material, hashlib.sha256)


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
    """Give a header back as it came over the wire: WSGI hands it over decoded as Latin-1."""
    return header.encode("latin-1", "replace")
