"""One canonical form for numbers, web addresses and free JSON; what has none is unreadable.

Each function takes any JSON value but null, never raises, and reads its own result as itself. The
time taken is linear in the value, which is bounded.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bridge.core.model.limits import size_of, why_too_large
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import NO_NUMBER, Canonical, Raw, Unreadable, shown

LARGEST_WHOLE: Final = 2**53
"""Beyond it JSON's readers do not agree on which number is meant."""
NUMBERS: Final = (int, float)
MAX_URL_CHARS: Final = 2_000
_NUMBER: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,400})?")
_SCHEMES: Final = frozenset({"http", "https"})
_ORDINARY_URL: Final = re.compile(r"(https?://[A-Za-z0-9.-]++)((?:[/?#][!-~]*+)?)")
"""An address of ASCII letters alone, without a port: nearly all are so. The host, and the rest."""
_UP_TO_PATH: Final = re.compile(r"[^/?#]*")
_NOT_IN_HOST: Final = frozenset('[]:\\<>"^`{|}%')
_MAX_PORT: Final = 65_535
_MAX_PORT_DIGITS: Final = 5


def number_of(raw: Raw) -> Canonical | Unreadable:
    """Return a number; one without a fraction is whole, however it is written."""
    if not isinstance(raw, NUMBERS) or isinstance(raw, bool):
        return Unreadable(f"{shown(raw)} is no number")
    if not -LARGEST_WHOLE <= raw <= LARGEST_WHOLE:  # which NaN is not, either
        why = "is larger than numbers can be exchanged exactly; map it as text"
        return Unreadable(f"{shown(raw)} {why}", Code.READ_LIMIT)
    return int(raw) if raw == int(raw) else raw


def number_of_text(raw: Raw, point: str) -> Canonical | Unreadable:
    """Return the number that a text shows, with this sign before its fraction."""
    text = raw.strip() if isinstance(raw, str) else ""
    if not _NUMBER.fullmatch(text.replace(point, ".", 1)) or (point != "." and "." in text):
        return Unreadable(f"{shown(raw)} is no text of a number such as 12{point}5")
    text = text.replace(point, ".", 1)
    return number_of(float(text) if "." in text else int(text))


def text_of_number(value: Canonical, point: str) -> Raw:
    """Return a number as text, with this sign before its fraction and never with an exponent."""
    text = str(value) if isinstance(value, int) else f"{Decimal(repr(value)):f}"
    return text.replace(".", point)


def url_of(raw: Raw) -> Canonical | Unreadable:
    """Return a web address, scheme and host in lower case; None for blank text.

    No other schemes are taken, nor what holds a name and a password: others would see them.
    """
    text = raw.strip() if isinstance(raw, str) else shown(raw)
    if not text:
        return None
    if len(text) > MAX_URL_CHARS:
        why = f"has {len(text):,} characters, at most {MAX_URL_CHARS:,} are allowed"
        return Unreadable(f"the address {shown(raw)} {why}", Code.READ_LIMIT)
    if ordinary := _ORDINARY_URL.fullmatch(text):
        return ordinary[1].lower() + ordinary[2]
    scheme, _, rest = text.partition("://")
    place = _UP_TO_PATH.match(rest)
    given = place[0] if place is not None else ""
    authority = given.lower()  # which may be longer, as of İ
    if scheme.lower() in _SCHEMES and "@" in authority:
        return Unreadable("a web address with a name or password in it is not exchanged")
    is_line = isinstance(raw, str) and text.isprintable() and " " not in text
    if scheme.lower() not in _SCHEMES or not is_line or not _is_authority(authority):
        return Unreadable(f"{shown(raw)} is no web address such as https://host/path")
    return f"{scheme.lower()}://{authority}{rest[len(given) :]}"


def _is_authority(text: str) -> bool:
    """Return whether a text is a host, with or without a port."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "443"
    is_address = host.startswith("[") and host.endswith("]") and len(host) > len("[]")
    is_host = bool(host) and not set(host) & _NOT_IN_HOST
    is_port = port.isascii() and port.isdigit() and 0 < len(port) <= _MAX_PORT_DIGITS
    return (is_address or is_host) and is_port and 0 < int(port) <= _MAX_PORT


def json_of(raw: Raw) -> Canonical | Unreadable:
    """Return any JSON value as text: names in order, no space, whole numbers without a fraction."""
    size = size_of(raw)
    if why := why_too_large(raw, size, is_set=False):
        return Unreadable(why, Code.READ_LIMIT)
    try:
        return json_text(raw)
    except ValueError as error:
        return Unreadable(str(error))


def json_text(value: Any) -> str:
    """Return the one text of a JSON value. Raises ValueError where it holds no JSON."""
    return json.dumps(
        _ordered(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def json_value(text: Canonical) -> Raw:
    """Return the value of which `json_of` made the text."""
    return json.loads(text)


def _ordered(value: Any) -> Any:
    if value == NO_NUMBER:
        raise ValueError("it holds a number that JSON does not have (NaN or infinity)")
    if isinstance(value, Mapping):
        return {str(name): _ordered(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and abs(value) <= LARGEST_WHOLE:
        return int(value) if value == int(value) else value
    return value
