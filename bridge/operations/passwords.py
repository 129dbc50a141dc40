"""Passwords as the ledger keeps them: argon2id, with a salt each."""

from __future__ import annotations

import hashlib
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bridge.errors import NotPossible

SHORTEST: Final = 12
"""Characters; there is no other rule, for length is what counts."""
LONGEST: Final = 256

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""About 20 ms and 19 MiB for each attempt."""
_NOBODYS: Final = _HASHER.hash("whoever has no account is answered as slowly")


def hashed(password: str) -> str:
    """Return what is kept of a new password. Raises NotPossible where it is too short or long."""
    check(password)
    return _HASHER.hash(_utf8(password))


def check(password: str) -> None:
    """Raise NotPossible for a new password that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise NotPossible(f"a password has {SHORTEST} to {LONGEST} characters; choose another")


def matches(kept: str | None, password: str) -> bool:
    """Return whether it is the password of which this is kept; None: there is none.

    It takes as long whatever the answer, so that nobody learns by it who has an account.
    """
    try:
        _HASHER.verify(kept or _NOBODYS, _utf8(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def digest(token: str) -> str:
    """Return what is kept of a token, which nobody could guess: session, link."""
    return hashlib.sha256(_utf8(token)).hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
