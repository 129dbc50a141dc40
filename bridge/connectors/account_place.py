"""Tells whether two addresses are one account's, however they are spelt. Nothing is called so."""

from __future__ import annotations

import ipaddress
import posixpath
import re
import string
from typing import Final
from urllib.parse import urlsplit

_UNRESERVED: Final = frozenset(string.ascii_letters + string.digits + "-._~")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def comparable(place: str) -> str:
    """Return a place in the one spelling of all that mean the same (RFC 3986, section 6).

    A place is an address, and after a space what names the account there, which stays as it is.
    """
    address, space, named = place.partition(" ")
    try:
        url = urlsplit(address)
        host, port = _host(url.hostname or ""), url.port
    except ValueError:
        return place
    shown_port = "" if port in (None, _DEFAULT_PORTS.get(url.scheme)) else f":{port}"
    return f"{url.scheme}://{host}{shown_port}{_path(url.path)}{space}{named}"


def _host(given: str) -> str:
    """Return a host's name as it is looked up; this machine has one name."""
    host = given.rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "127.0.0.1" if host == "localhost" else _ascii(host)
    address = getattr(address, "ipv4_mapped", None) or address
    return "127.0.0.1" if address == ipaddress.ip_address("::1") else str(address)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _path(given: str) -> str:
    """Return a path without dots, doubled slashes, and escapes of what needs none."""
    plain = re.sub("%([0-9a-fA-F]{2})", _unescaped, given)
    return posixpath.normpath(f"/{plain.lstrip('/')}").rstrip("/")


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()
