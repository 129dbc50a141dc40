"""The way to a vendor: sockets that keep the bounds of the call that uses them.

urllib3 and http.client give each single wait a timeout, so that an answer of which a byte comes now
and then never ends. These sockets are told before every operation how much of the call is left:
looking up the name, connecting, TLS, sending, and each read of status line, headers and body.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from typing import Any, cast

import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from bridge.http.call_bounds import running
from bridge.http.kept_connections import KeptConnections, KeptTlsConnections

_Address = tuple[int, int, int, str, Any]


class HandshakeTimeout(TimeoutError):
    """TLS did not come about in time, so nothing of the request was sent."""


class _BoundedSocket(socket.socket):
    """A socket that waits no longer than the call that uses it."""

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        running().arm(self)
        return running().count(super().recv_into(*arguments, **options))

    def sendall(self, *arguments: Any, **options: Any) -> None:
        running().arm(self)
        super().sendall(*arguments, **options)


class _BoundedTlsSocket(ssl.SSLSocket):
    """The same under TLS."""

    def do_handshake(self, block: bool = False) -> None:
        running().arm(self)
        try:
            super().do_handshake(block)
        except TimeoutError as error:
            raise HandshakeTimeout from error

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        running().arm(self)
        return running().count(super().recv_into(*arguments, **options))

    def send(self, *arguments: Any, **options: Any) -> int:
        running().arm(self)  # `sendall` sends by this, in parts
        return super().send(*arguments, **options)


class _BoundedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _opened(self)


class _BoundedTlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _opened(self)


class _BoundedPool(KeptConnections):
    ConnectionCls = _BoundedConnection


class _BoundedTlsPool(KeptTlsConnections):
    ConnectionCls = _BoundedTlsConnection


class BoundedAdapter(HTTPAdapter):
    """Sends requests through bounded sockets, and trusts the certificates of its own authorities.

    Nothing that a caller or the environment says switches the verification of certificates off.
    """

    def __init__(self, *, connections: int, authorities: str = "") -> None:
        """Keep so many connections. `authorities` (PEM) are trusted in place of the public ones."""
        self._context = create_urllib3_context()
        self._context.sslsocket_class = _BoundedTlsSocket
        if authorities:
            self._context.load_verify_locations(cadata=authorities)
        else:
            self._context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        self._latest: tuple[str, Any] = "", None
        """Where the last call went, and the pool that it was made from."""
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools, of bounded connections."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        """Make the pools of connections that lead through a proxy, bounded as well."""
        manager = super().proxy_manager_for(proxy, **options, ssl_context=self._context)
        return cast("urllib3.ProxyManager", _bound(manager))

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool for a request: nearly always the one of the call before."""
        origin, pool = self._latest
        url = request.url or ""
        if origin and not proxies and url.startswith(origin) and pool.pool is not None:
            return pool
        found = super().get_connection_with_tls_context(request, verify, proxies, cert)
        self._latest = "/".join([*url.split("/", 3)[:3], ""]), found
        return found

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Return what is asked for: the path, but for a proxy that is told all of it."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Return an answer as requests shows it; no cookie is taken out of it."""
        response = Response()
        response.status_code, response.raw = resp.status, resp
        response.headers = CaseInsensitiveDict(resp.headers)
        response.request, response.url = req, req.url or ""
        return response

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Verify by the adapter's own context, whatever is asked for."""
        conn.cert_reqs = "CERT_REQUIRED"

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: Any,  # noqa: ARG002 - never switched off
        cert: Any = None,  # noqa: ARG002 - nor is there a certificate of our own
    ) -> Any:
        """Return what a pool is found by: where the request goes, always verified."""
        return super().build_connection_pool_key_attributes(request, verify=True)


def _bound(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _BoundedPool, "https": _BoundedTlsPool}
    return manager


def _opened(connection: HTTPConnection) -> socket.socket:
    """Return a connected socket; fails by urllib3's own errors, as its own connections do."""
    host, port = connection.host, connection.port
    try:
        return _connected(host, port, connection)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"no connection to {host} in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection: {error}") from error


def _connected(host: str, port: int, connection: HTTPConnection) -> socket.socket:
    addresses = _looked_up(host, port)
    failed: OSError = socket.gaierror(f"no address of {host} is known")
    for number, (family, kind, protocol, _name, address) in enumerate(addresses):
        sock = _BoundedSocket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            # One address that is silent leaves the others their share of the time.
            sock.settimeout(running().left() / (len(addresses) - number))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed


def _looked_up(host: str, port: int) -> list[_Address]:
    """Return the addresses of a host.

    Looking up a name cannot be broken off. So it is left to a thread of its own, which the resolver
    ends in its own time, and this call goes on when its time is over.
    """
    found: queue.SimpleQueue[list[_Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(cast("list[_Address]", socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        addresses = found.get(timeout=running().left())
    except queue.Empty:
        raise TimeoutError(f"the address of {host} was not found in time") from None
    if isinstance(addresses, Exception):
        raise addresses
    return addresses
