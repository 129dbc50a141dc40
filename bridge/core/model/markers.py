"""Markers: what the bridge plants in a record that it makes, so that it is known again.

A marker says what the record is a copy of, and proves itself: 12 characters of a hash of the
original's ref, 8 check characters under a key of this installation, and 8 that tell one create
from the next. So a ledger that was lost, or put back from a backup, recognises our copies and
joins them to their originals; and a tag or trait of a human's is never taken for a marker, nor can
one be forged by whoever does not have the key.

The key is made of the connection's credentials, which outlive the ledger and are the same on every
machine (docs/decisions/0010-markers-that-prove-themselves.md). Markers of earlier versions prove
nothing: they are ours where the ledger has their create on record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cache

from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref

ORIGINAL_CHARS = 12
SHORT_ORIGINAL_CHARS = 6
"""As much of an original's key as a number has room for."""
_CHECK_CHARS = 8
_UNIQUE_CHARS = 8
_MARKER = re.compile(r"[a-z2-7]{20}[a-z0-9]{8}")
EARLIER_MARKER_CHARS = 20
_EARLIER_MARKER = re.compile(rf"[0-9a-f]{{{EARLIER_MARKER_CHARS}}}")
FORM = f"(?:{_MARKER.pattern}|{_EARLIER_MARKER.pattern})"
"""What markers of all versions look like, for whoever has no key to tell them from forged ones."""

# A number that stands for a marker, for systems that take no text: below 2**53, as JSON's readers
# need, with a bit that no counted id has.
_NUMBER_BIT = 1 << 51
_NUMBER_CHECK_BITS = 21
_NUMBER = re.compile(r"[0-9]{16}")

_ROUNDS = 100_000
"""Of stretching a key, for eight characters of what it signs are seen by everybody."""


def original_key(ref: Ref) -> str:
    """Return the text by which a marker names its original."""
    named = f"{ref.connection}\0{ref.entity}\0{ref.id}"
    return _base32(hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest(), ORIGINAL_CHARS)


class Markers:
    """The markers of one connection: how they are made, and which are ours."""

    def __init__(
        self,
        secrets: Iterable[str],
        *,
        is_on_record: Callable[[str], bool] = lambda _marker: False,
        expected: str = "",
    ) -> None:
        self._secrets = tuple(secrets)
        self._is_on_record = is_on_record
        self._expected = expected

    @classmethod
    def of(cls, connection: Connection) -> Markers:
        """Return the markers of a connection: the first key signs, each of them recognises."""
        if connection.marker_keys:
            return cls(secret.reveal() for secret in connection.marker_keys)
        credentials = sorted(connection.credentials.items())
        return cls(["\0".join(f"{name}\0{secret.reveal()}" for name, secret in credentials)])

    def with_record(self, is_on_record: Callable[[str], bool]) -> Markers:
        """Return these markers with a ledger to ask about markers of earlier versions."""
        return Markers(self._secrets, is_on_record=is_on_record, expected=self._expected)

    def expecting(self, marker: str) -> Markers:
        """Return these markers and one that we have just planted, or are looking for."""
        return Markers(self._secrets, is_on_record=self._is_on_record, expected=marker)

    def plant(self, original: Ref, unique: str) -> str:
        """Return a new marker for a copy of a record; `unique`: letters and digits."""
        said = original_key(original)
        own = unique[:_UNIQUE_CHARS].rjust(_UNIQUE_CHARS, "0")
        return f"{said}{self._check(self._secrets[0], said + own)}{own}"

    def has(self, marker: object) -> bool:
        """Return whether a text is one of our markers."""
        if not isinstance(marker, str) or not marker:
            return False
        if marker == self._expected or self.original(marker):
            return True
        return _EARLIER_MARKER.fullmatch(marker) is not None and self._is_on_record(marker)

    def original(self, marker: str | None) -> str:
        """Return the key of what a record with this marker is a copy of, or the key's beginning.

        Empty: the marker does not say, or it is none of ours.
        """
        if marker is None:
            return ""
        if _MARKER.fullmatch(marker):
            said, check = marker[:ORIGINAL_CHARS], marker[ORIGINAL_CHARS : ORIGINAL_CHARS + 8]
            signed = said + marker[-_UNIQUE_CHARS:]
            made = (self._check(secret, signed) for secret in self._secrets)
            return said if check in made else ""
        if _NUMBER.fullmatch(marker):
            return self._original_of_number(int(marker))
        return ""

    def number(self, marker: str) -> int:
        """Return the number that stands for a marker where a system takes no text.

        That of a marker that names an original can be read back; the creates for one original share
        it.
        """
        if not self.original(marker):
            digest = hashlib.sha256(f"bridge {marker}".encode()).digest()
            return _NUMBER_BIT | (int.from_bytes(digest[:8]) & (_NUMBER_BIT - 1))
        said = marker[:SHORT_ORIGINAL_CHARS]
        check = self._number_check(self._secrets[0], said)
        return _NUMBER_BIT | (_from_base32(said) << _NUMBER_CHECK_BITS) | check

    def _original_of_number(self, number: int) -> str:
        if number & _NUMBER_BIT == 0 or number >= _NUMBER_BIT << 1:
            return ""
        said = _to_base32((number & (_NUMBER_BIT - 1)) >> _NUMBER_CHECK_BITS, SHORT_ORIGINAL_CHARS)
        check = number & ((1 << _NUMBER_CHECK_BITS) - 1)
        ours = any(check == self._number_check(secret, said) for secret in self._secrets)
        return said if ours else ""

    @staticmethod
    def _check(secret: str, signed: str) -> str:
        digest = _signature(secret, f"marker {signed}")
        return _base32(digest, _CHECK_CHARS)

    @staticmethod
    def _number_check(secret: str, said: str) -> int:
        digest = _signature(secret, f"number {said}")
        return int.from_bytes(digest[:4]) >> (32 - _NUMBER_CHECK_BITS)


@cache
def _key(secret: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), b"bridge marker", _ROUNDS)


def _signature(secret: str, text: str) -> bytes:
    return hashlib.blake2b(text.encode(), key=_key(secret), digest_size=32).digest()


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def _base32(digest: bytes, length: int) -> str:
    """Return the first characters of a digest, five bits each."""
    return _to_base32(int.from_bytes(digest) >> 8 * len(digest) - 5 * length, length)


def _from_base32(text: str) -> int:
    number = 0
    for char in text:
        number = number * 32 + _ALPHABET.index(char)
    return number


def _to_base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))
