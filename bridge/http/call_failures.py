"""What a failed call means, in words for people: from the errors of sockets, TLS and libraries."""

from __future__ import annotations

import http.client
import re
import socket
import ssl

import requests
import urllib3

from bridge.http.bounded_sockets import HandshakeTimeout
from bridge.http.call_bounds import TooMuch

UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)
"""Raised before anything is sent, for what no request can hold."""
FAILED = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    http.client.HTTPException,
)
"""Raised where the transport failed."""

_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_CERTIFICATES = {
    9: "it is not valid yet; compare this machine's clock with the server's",
    10: "it has expired; whoever runs the server must renew it",
    62: "it is made out to another name; correct base_url",
    64: "it is made out to another address; correct base_url",
}
"""OpenSSL's number of what is wrong with a certificate -> that, and what to do."""


class Failure:
    """Why a call failed, down to the first cause: requests wraps what urllib3 wraps of a socket."""

    def __init__(self, error: BaseException, *, authorities: bool = False) -> None:
        """Look into an error. `authorities`: the connection names its own."""
        self.causes = _causes(error)
        self._authorities = authorities

    @property
    def unsent(self) -> bool:
        """Return whether it proves that no byte of the request was sent to the vendor."""
        kinds = (
            requests.ConnectTimeout,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ProxyError,
            ConnectionRefusedError,
            ssl.SSLCertVerificationError,
            HandshakeTimeout,
        )
        return any(isinstance(cause, kinds) for cause in self.causes)

    def words(self, seconds: float) -> str:
        """Return what happened and, where somebody can do something, what to do."""
        for words in (self._too_much(), self._certificate(), self._proxy()):
            if words:
                return words
        if self._is_late():
            return f"no answer within {seconds:g} s"
        return f"the connection failed: {self._other()}"

    def words_of_broken_answer(self, seconds: float) -> str:
        """Return why an answer whose head had come is not whole."""
        if too_much := self._too_much():
            return too_much
        return f"no full answer within {seconds:g} s" if self._is_late() else "the answer broke off"

    def _too_much(self) -> str:
        return next((str(cause) for cause in self.causes if isinstance(cause, TooMuch)), "")

    def _certificate(self) -> str:
        for cause in self.causes:
            if not isinstance(cause, ssl.SSLCertVerificationError):
                continue
            if cause.verify_code in _UNKNOWN_AUTHORITY:
                why = (
                    "it comes from none of the authorities in the file under `ca`; correct the file"
                    if self._authorities
                    else "it comes from an authority that is not known here; "
                    "name the file of that authority under `ca` of the connection"
                )
            else:
                why = _CERTIFICATES.get(cause.verify_code, str(cause.verify_message))
            return f"certificate not trusted: {why}"
        return ""

    def _proxy(self) -> str:
        if not any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in self.causes):
            return ""
        answered = next(
            (match for each in self.causes if (match := _TUNNEL.search(str(each)))), None
        )
        if answered is None:
            return "the proxy cannot be reached; correct `proxy`, or ask whoever runs it"
        if answered[1] == "407":
            return "the proxy refuses the user or the password; correct `proxy`"
        return f"the proxy answered {answered[1]} and lets no call through; ask whoever runs it"

    def _is_late(self) -> bool:
        # A refused connection is a kind of timeout to urllib3, and is none.
        refused = urllib3.exceptions.NewConnectionError
        late = requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError
        return any(
            isinstance(cause, late) for cause in self.causes if not isinstance(cause, refused)
        )

    def _other(self) -> str:
        for kind, words in _KINDS:
            if any(isinstance(cause, kind) for cause in self.causes):
                return words
        return "it was cut off"


_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name of the host is not known; correct base_url"),
    (
        ConnectionRefusedError,
        "nobody answers at that address; correct base_url, or see that the server runs",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "that address cannot be reached; correct base_url, or see to this machine's network",
    ),
    (
        ssl.SSLError,
        "TLS did not come about; is it https in base_url, and does the server speak it?",
    ),
    (http.client.RemoteDisconnected, "it was closed without an answer"),
    (http.client.HTTPException, "the answer is no HTTP"),
)
"""Kinds of other failures, the first that fits counts."""


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and what is below it, down to the first cause."""
    causes = [error]
    while True:
        last = causes[-1]
        reasons = [getattr(last, "reason", None), *last.args, last.__cause__, last.__context__]
        below = (
            reason
            for reason in reasons
            if isinstance(reason, BaseException) and reason not in causes
        )
        cause = next(below, None)
        if cause is None:
            return causes
        causes.append(cause)
