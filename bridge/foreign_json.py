"""JSON as vendors send it: what one odd value would make unreadable is read with that value mended.

A text is cut by a vendor that counts UTF-16 units, a number is NaN, a byte is Latin-1: a strict
parser refuses the whole answer, and with it a hundred records that are well. Here each such thing
alone is replaced, always by the same, so that reading it again shows no change:

- U+FFFD for half of a surrogate pair, a byte that is no UTF-8, and NUL, which no database keeps
- `NO_NUMBER` for NaN and the infinities, which is no value of any field; null would empty it
- a text of the same digits for an integer beyond 64 bits
"""

from __future__ import annotations

import codecs
import json
import math
from typing import Any, Final

import orjson

from bridge.core.model.values import NO_NUMBER

REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands in place of what no text can hold."""
_INTEGERS: Final = range(-(2**63), 2**64)
"""What every JSON library and database can hold as a number."""
_MAX_DIGITS: Final = 20
_LONG_NUMBER: Final = b"0" * 19
"""What every number of so many digits holds once its digits are all noughts: found many times
faster than by a pattern, in every answer that comes."""
_NOUGHTS: Final = bytes.maketrans(b"123456789", b"000000000")
_HANDLER: Final = "bridge.replaced"


def _replaced(error: UnicodeError) -> tuple[bytes, int]:
    """Encode halves of surrogate pairs, the only characters that UTF-8 cannot hold."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return REPLACED.encode() * (error.end - error.start), error.end


codecs.register_error(_HANDLER, _replaced)


def loads(raw: bytes) -> Any:
    """Read JSON. Raises ValueError for what is none even so; the time is linear in its length."""
    # A single byte is found many times faster than several.
    no_nul = b"\\" not in raw or b"\\u0000" not in raw
    if no_nul and _LONG_NUMBER not in raw.translate(_NOUGHTS):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    try:
        return _mended(raw)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def dumps(value: Any) -> bytes:
    """Write JSON that every parser reads, with the same things replaced."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(loads(json.dumps(value).encode()))


def _mended(raw: bytes) -> Any:
    # Without `\\` the escape of a NUL cannot be taken for a backslash and a text.
    plain = raw.replace(b"\\\\", b"\\u005c").replace(b"\\u0000", b"\\ufffd")
    text = plain.decode("utf-8-sig", "replace").replace("\0", REPLACED)
    parsed = json.loads(
        text, strict=False, parse_int=_integer, parse_float=_finite, parse_constant=_no_number
    )
    return orjson.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", _HANDLER))


def _integer(digits: str) -> int | str:
    if len(digits) <= _MAX_DIGITS + 1 and int(digits) in _INTEGERS:
        return int(digits)
    return digits


def _finite(digits: str) -> float | dict[str, str]:
    number = float(digits)
    return number if math.isfinite(number) else NO_NUMBER


def _no_number(_name: str) -> dict[str, str]:
    return NO_NUMBER
