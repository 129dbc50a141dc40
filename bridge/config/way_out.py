"""How a connection reaches its system where the open internet is not the way.

A file of authorities for a server whose certificate is a company's own, and a proxy.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from bridge.core.model.syncs import Proxy, Secret

MAX_FILE_BYTES = 1024 * 1024
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")

PROXY_ALLOWED = "allowed http://host:port, http://user:password@host:port"


def authorities(given: str, home: Path) -> str:
    """Return the certificates, in PEM, of a file or those that `given` itself holds (`${file:…}`).

    Raises ValueError, which says what is wrong; it repeats nothing but a path.
    """
    pasted = "-----BEGIN" in given
    where = "what it holds" if pasted else f"the file {given}"
    text = given if pasted else _read(home / given, given)
    found = "\n".join(_CERTIFICATE.findall(text))
    if not found:
        raise ValueError(f"{where} has no certificate; allowed the path of a file in PEM form")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except ssl.SSLError:
        raise ValueError(
            f"{where} has a certificate that cannot be read; export it again, in PEM form"
        ) from None
    return found


def proxy(given: str) -> Proxy | None:
    """Return the proxy of an address with its port; None when it is none."""
    try:
        url = urlsplit(given)
        known = url.scheme == "http" and bool(url.hostname) and url.port not in {None, 0}
    except ValueError:
        return None
    more = url.path not in {"", "/"} or url.query or url.fragment
    half = (url.username is None) != (url.password is None)
    if not known or more or half or not given.isprintable() or " " in given:
        return None
    return Proxy(Secret(given), _secrets(url))


def _secrets(url: SplitResult) -> tuple[Secret, ...]:
    password = url.password or ""
    return tuple(Secret(each) for each in {password, unquote(password)} if each)


def _read(path: Path, given: str) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise ValueError(f"the file {given} cannot be read: {why}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"the file {given} is larger than 1 MiB")
    return raw.decode("ascii", "replace")
