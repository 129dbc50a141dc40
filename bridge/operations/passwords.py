"""Passwords as the ledger keeps them: argon2id, with a salt each."""

from __future__ import annotations

import hashlib
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bridge.errors import NotPossible

SHORTEST: Final = 15
"""Characters, as NIST SP 800-63B asks where nothing else is asked for; of what kind is free."""
LONGEST: Final = 256
FEWEST: Final = 6
"""Different characters that have to be left of a password without what everybody tries first."""
PERIODS: Final = 4
"""So many characters that come again at the end are chance."""
COMMON: Final = (
    *("correcthorsebatterystaple", "administrator", "password", "passw0rd", "p@ssw0rd", "passwort"),
    *(
        "kennwort",
        "changeme",
        "letmein",
        "iloveyou",
        "welcome",
        "willkommen",
        "trustno1",
        "default",
    ),
    *("sunshine", "princess", "football", "baseball", "superman", "batman", "starwars", "whatever"),
    *("monkey", "dragon", "master", "shadow", "secret", "hello", "admin", "operator", "viewer"),
    # What this is all about: whoever guesses knows it, too.
    *("webhook", "helpdesk", "support", "tickets", "ticket", "bridge", "sync", "mapper"),
)
"""Words that are worth nothing in a password; the longer ones first."""
_ROWS: Final = (
    *("01234567890", "abcdefghijklmnopqrstuvwxyz"),
    *("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "azertyuiop"),
    *("1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p"),
)
"""Of a keyboard and of the alphabet; a run along one of them is worth its first character."""
_RUNS: Final = frozenset(
    way[at : at + 3] for row in _ROWS for way in (row, row[::-1]) for at in range(len(row) - 2)
)

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""About 20 ms and 19 MiB for each attempt."""
_NOBODYS: Final = _HASHER.hash("whoever has no account is answered as slowly")


def hashed(password: str, name: str = "") -> str:
    """Return what is kept of a new password of a user. Raises NotPossible as `check` does."""
    check(password, name)
    return _HASHER.hash(_utf8(password))


def check(password: str, name: str = "") -> None:
    """Raise NotPossible for a new password that is too short, too long or soon guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise NotPossible(f"a password has {SHORTEST} to {LONGEST} characters; choose another")
    if _is_soon_guessed(password.casefold(), name.casefold()):
        raise NotPossible(
            "this password is soon guessed: it repeats itself, or is mostly a row of keys, the "
            "user's name or a word that everybody tries; choose another"
        )


def _is_soon_guessed(text: str, name: str) -> bool:
    if any(text[at:] == text[:-at] for at in range(1, min(SHORTEST, len(text) - PERIODS))):
        return True  # it is a shorter one again and again
    for word in (name, *COMMON):
        text = text.replace(word, "") if len(word) > 2 else text
    left = {
        char
        for at, char in enumerate(text)
        if text[at - 1 : at + 2] not in _RUNS
        and text[max(0, at - 2) : at + 1] not in _RUNS
        and char != text[at - 1 : at]
    }
    return len(left) < FEWEST


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
