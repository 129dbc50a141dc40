"""Addresses of the database and of Redis: what is wrong with one, and what in it is secret.

A password with a raw `@`, `/`, `#` or `?` makes an address that two readers read differently: a
part of the password becomes a host, and hosts are shown. Such an address is refused before anybody
reads it, and no message repeats any of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

WAY_OUT: Final = (
    "write each such character of the password in percent form (@ %40, / %2F, # %23, ? %3F, % %25, "
    "a space %20), or give the password as ?password=… in the same form"
)
_UNCLEAR: Final = re.compile(r"[@/#?\\]")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECRET_KEYS: Final = ("pass", "secret", "token", "key")
"""In the name of a query's key: its value is secret."""


def url_problem(given: str) -> str:
    """Return what is wrong with an address `scheme://…`, without any of it; empty: nothing."""
    rest = given.partition("://")[2]
    user_part, at, _host = rest.rpartition("@")
    if (at and _UNCLEAR.search(user_part)) or "#" in rest:
        return f"cannot be read in one way only: @, /, # or ? stand in it unescaped; {WAY_OUT}"
    if not given.isprintable() or " " in given:
        return f"has a space or an invisible character in it; {WAY_OUT}"
    if _BAD_PERCENT.search(rest):
        return f"has a % that begins no percent form in it; {WAY_OUT}"
    try:
        port = urlsplit(given).port
    except ValueError:
        return f"has no port from 1 to 65535 where one should be; is a : meant otherwise? {WAY_OUT}"
    return "has port 0; allowed 1 to 65535" if port == 0 else ""


def url_secrets(given: str) -> Iterator[str]:
    """Yield what of an address must never be shown: passwords, as written and as meant."""
    try:
        url = urlsplit(given)
    except ValueError:
        return
    if url.password:
        yield from {url.password, unquote(url.password)}
    for key, value in parse_qsl(url.query):
        if value and any(word in key.lower() for word in _SECRET_KEYS):
            yield value
