"""What vendors sign, and how they write it down, as the configuration's templates declare it.

`signed: "{timestamp}.{body}"` says over which bytes the signature is made. `signature:
"t={timestamp},v1={signature}"` says how the header is written that holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Final

from bridge.core.model.syncs import Webhook

BODY, TIMESTAMP, DELIVERY, SIGNED = "{body}", "{timestamp}", "{id}", "{signature}"
_SEPARATORS: Final = re.compile("[,;]")
"""Between the parts of a header; neither stands in a signature or a time."""
MAX_HEADER_PARTS: Final = 16
"""Of one header; what comes after them is not looked at."""
_PREFIX: Final = {"hmac-sha256": "sha256=", "hmac-sha512": "sha512=", "hmac-sha1": "sha1="}


@dataclass(frozen=True, slots=True)
class HeaderParts:
    """What a signature's header holds, not decoded yet."""

    signatures: list[str]
    stamp: str = ""


def signed_material(webhook: Webhook, body: bytes, stamp: bytes, delivery: bytes) -> bytes:
    """Return the bytes over which the signature is made."""
    values = {"body": body, "timestamp": stamp, "id": delivery}
    return b"".join(
        text.encode() + (values[name] if name else b"")
        for text, name in _parts(_signed_template(webhook))
    )


def header_parts(webhook: Webhook, header: str) -> HeaderParts:
    """Take a signature's header apart; several signatures may stand in it."""
    if not webhook.signature:
        return HeaderParts([header.strip().removeprefix(_PREFIX[webhook.scheme])])
    names = dict(_named(webhook))
    found: dict[str, list[str]] = {}
    for part in _SEPARATORS.split(header, MAX_HEADER_PARTS)[:MAX_HEADER_PARTS]:
        name, equals, value = part.strip().partition("=")
        # Without a name the value is all there is, and an equals sign in it is base64's.
        held = names.get(f"{name}=") if equals else None
        if held is not None:
            found.setdefault(held, []).append(value.strip())
        elif "" in names:
            found.setdefault(names[""], []).append(part.strip())
    return HeaderParts(found.get(SIGNED, []), next(iter(found.get(TIMESTAMP, [])), ""))


def written_header(webhook: Webhook, code: str, stamp: str) -> str:
    """Return a signature's header as the vendor writes it."""
    template = webhook.signature or SIGNED
    return template.replace(TIMESTAMP, stamp).replace(SIGNED, code)


def shows_time(webhook: Webhook) -> bool:
    """Return whether a delivery's headers hold the time that is signed."""
    return bool(webhook.timestamp_header) or TIMESTAMP in webhook.signature


def template_problems(webhook: Webhook) -> list[str]:
    """Return in words what is wrong with the templates; empty: they can be used."""
    try:
        holders = [name for _text, name in _parts(_signed_template(webhook)) if name]
        written = [name for _text, name in _parts(webhook.signature or SIGNED) if name]
    except ValueError as error:
        return [f"signed and signature: {error}; write a brace that is meant as one twice"]
    timed = shows_time(webhook)
    checks = (
        (
            set(holders) - {"body", "timestamp", "id"},
            "signed has an unknown placeholder; allowed {body}, {timestamp}, {id}",
        ),
        (holders.count("body") != 1, "signed must hold {body} once: else the body proves nothing"),
        (
            "timestamp" in holders and not timed,
            "signed holds {timestamp}: give timestamp_header, or {timestamp} in signature",
        ),
        (
            timed and "timestamp" not in holders,
            "the time is not signed, so it proves nothing; put {timestamp} into signed",
        ),
        (
            "id" in holders and not webhook.delivery,
            "signed holds {id}, and nothing says where it stands; give its header as delivery",
        ),
        (
            written.count("signature") != 1 or set(written) - {"signature", "timestamp"},
            "signature must hold {signature} once, and besides it at most {timestamp}",
        ),
        (
            len(_named(webhook)) != len({name for name, _held in _named(webhook)}),
            "signature must name its parts differently, as in t={timestamp},v1={signature}",
        ),
    )
    return [what for wrong, what in checks if wrong] or _unreadable(webhook)


def _unreadable(webhook: Webhook) -> list[str]:
    """Return what is wrong with a signature's header that cannot be taken apart as it is written.

    Each form of a signature is tried, as base64's equals signs look like those of a name.
    """
    stamp = "1700000000" if TIMESTAMP in webhook.signature else ""
    codes = ("0f" * 32, "Zm9v+/8=")
    if all(
        header_parts(webhook, written_header(webhook, code, stamp)) == HeaderParts([code], stamp)
        for code in codes
    ):
        return []
    what = (
        "signature cannot be read back; allowed are parts between commas or semicolons, each a "
        "placeholder alone or name=placeholder, as in t={timestamp};h1={signature}"
    )
    return [what]


def _signed_template(webhook: Webhook) -> str:
    """Return what is signed: as declared, else the usual."""
    if webhook.signed:
        return webhook.signed
    return f"{TIMESTAMP}.{BODY}" if shows_time(webhook) else BODY


def _named(webhook: Webhook) -> list[tuple[str, str]]:
    """Return each part of a header's template: its name with `=` (empty: none), what it holds."""
    return [
        (part.strip().partition(held)[0], held)
        for part in _SEPARATORS.split(webhook.signature)
        for held in (TIMESTAMP, SIGNED)
        if held in part
    ]


@cache
def _parts(template: str) -> list[tuple[str, str]]:
    """Return a template as texts, each with the placeholder that follows. Raises ValueError."""
    parts = list(Formatter().parse(template))
    if any(form or conversion for _text, _name, form, conversion in parts):
        raise ValueError("a placeholder is a name alone")
    return [(text, name or "") for text, name, _form, _conversion in parts]
