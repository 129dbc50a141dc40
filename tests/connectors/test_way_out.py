"""The way out: a server whose certificate is a company's own, and a proxy; both are real here."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from bridge.clock import SystemClock
from bridge.config import way_out
from bridge.errors import NotSent, Unavailable, UnknownOutcome
from bridge.http.client import Http
from tests.connectors.bench import KEY, connection

PASSWORD = "pr0xy/p@ssword"
OPEN_PROXY = "http://127.0.0.1:{port}"
CLOSED_PROXY = "http://clerk:pr0xy%2Fp%40ssword@127.0.0.1:{port}"


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Desk(BaseHTTPRequestHandler):
    """A help desk that remembers with which headers it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(dict(self.headers))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_arguments):
        pass


class Proxy(Desk):
    """A proxy that tunnels and forwards to one desk, for whoever has the password if it has one."""

    def do_CONNECT(self):
        self.server.asked.append(f"CONNECT {self.path}")
        if not self.admits():
            return
        with socket.create_connection(self.server.desk) as desk:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(desk, self.connection))
            back.start()
            pump(self.connection, desk)
            back.join()
        self.close_connection = True

    def do_GET(self):
        self.server.asked.append(f"{self.command} {self.path}")
        if self.admits():
            super().do_GET()

    do_POST = do_GET  # noqa: N815 - http.server's names

    def admits(self):
        wanted = self.server.wants
        if not wanted or self.headers.get("Proxy-Authorization") == wanted:
            return True
        self.send_response(self.server.refusal)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with suppress(OSError):
            end.shutdown(how)


@pytest.fixture(scope="module")
def company():
    return trustme.CA()


@pytest.fixture
def desk(company):
    with secured(company.issue_cert("127.0.0.1")) as server:
        yield server


@contextmanager
def secured(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with serving(Desk) as server:
        server.asked = []
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
        yield server


@pytest.fixture
def proxy(desk):
    with serving(Proxy) as server:
        server.asked, server.wants, server.refusal = [], "", 407
        server.desk = desk.server_address
        yield server


@pytest.fixture
def pem(company):
    return company.cert_pem.bytes().decode()


@contextmanager
def calling(server, scheme="https", **fields) -> Iterator[Http]:
    where = connection(
        "switch", base_url=f"{scheme}://127.0.0.1:{server.server_port}", timeout=5, **fields
    )
    http = Http(where, clock=SystemClock())
    yield http
    http.close()


def auth(request):
    request.headers["Authorization"] = f"Bearer {KEY}"
    return request


def ask(http, *, write=False):
    return http.request("POST" if write else "GET", "/x", write=write, auth=auth).body


def test_a_certificate_of_the_companys_own_is_trusted_where_it_is_named(desk, pem):
    with calling(desk, authorities=pem) as http:
        assert ask(http) == {}
        assert ask(http, write=True) == {}
    assert [each["Authorization"] for each in desk.asked] == [f"Bearer {KEY}"] * 2


def test_else_nothing_is_sent_and_it_says_what_to_do(desk):
    with calling(desk) as http:
        with pytest.raises(Unavailable, match=r"certificate not trusted: .*`ca` of the connection"):
            ask(http)
        with pytest.raises(NotSent, match="certificate not trusted"):
            ask(http, write=True)
    assert desk.asked == []


def test_another_authority_is_not_trusted(desk):
    other = trustme.CA().cert_pem.bytes().decode()
    with (
        calling(desk, authorities=other) as http,
        pytest.raises(Unavailable, match=r"certificate not trusted: .*none of the authorities"),
    ):
        ask(http)
    assert desk.asked == []


def test_a_certificate_made_out_to_another_is_not_trusted(company, pem):
    with (
        secured(company.issue_cert("helpdesk.intern.example")) as server,
        calling(server, authorities=pem) as http,
        pytest.raises(Unavailable, match="certificate not trusted: it is made out to another"),
    ):
        ask(http)


def test_an_expired_certificate_is_not_trusted(company, pem):
    old = company.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    with (
        secured(old) as server,
        calling(server, authorities=pem) as http,
        pytest.raises(Unavailable, match="certificate not trusted: it has expired"),
    ):
        ask(http)


def test_nothing_in_the_environment_changes_whom_the_bridge_trusts_or_asks(
    desk, proxy, pem, monkeypatch, tmp_path
):
    company = tmp_path / "company.pem"
    company.write_text(pem)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password other\n")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(company))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, OPEN_PROXY.format(port=proxy.server_port))
    monkeypatch.setenv("NETRC", str(netrc))
    with calling(desk) as http, pytest.raises(Unavailable, match="certificate not trusted"):
        ask(http)
    with calling(desk, authorities=pem) as http:
        ask(http)
    assert proxy.asked == []
    assert [each["Authorization"] for each in desk.asked] == [f"Bearer {KEY}"]


def test_verification_cannot_be_switched_off_by_whoever_calls(desk):
    with calling(desk) as http:
        http._adapter.send = partial(http._adapter.send, verify=False)
        with pytest.raises(Unavailable, match="certificate not trusted"):
            ask(http)
    assert desk.asked == []


def test_no_old_tls_is_spoken(desk, pem):
    with calling(desk, authorities=pem) as http:
        context = http._adapter._context
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
        weak = ("NULL", "RC4", "DES", "EXP", "MD5", "anon", "ADH")
        names = [each["name"] for each in context.get_ciphers()]
        assert not [name for name in names if any(word in name for word in weak)]


def test_calls_lead_through_the_proxy_and_the_key_is_for_the_desk_alone(desk, proxy, pem):
    address = way_out.proxy(OPEN_PROXY.format(port=proxy.server_port))
    with calling(desk, authorities=pem, proxy=address) as http:
        assert [ask(http), ask(http)] == [{}, {}]
    assert proxy.asked == [f"CONNECT 127.0.0.1:{desk.server_port}"]
    assert len(desk.asked) == 2
    assert "Proxy-Authorization" not in desk.asked[0]


def test_a_proxy_may_want_a_user_and_a_password(desk, proxy, pem):
    proxy.wants = "Basic " + base64.b64encode(f"clerk:{PASSWORD}".encode()).decode()
    address = way_out.proxy(CLOSED_PROXY.format(port=proxy.server_port))
    with calling(desk, authorities=pem, proxy=address) as http:
        assert ask(http) == {}
    with calling(desk, scheme="http", proxy=address) as http:
        assert ask(http) == {}
    assert proxy.asked[1] == f"GET http://127.0.0.1:{desk.server_port}/x"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_says_so_without_the_password(desk, proxy, scheme):
    proxy.wants = "Basic other"
    address = way_out.proxy(CLOSED_PROXY.format(port=proxy.server_port))
    with calling(desk, scheme=scheme, proxy=address) as http:
        for write, kind in ((False, Unavailable), (True, NotSent)):
            with pytest.raises(kind, match="the proxy refuses the user or the password") as error:
                ask(http, write=write)
            assert PASSWORD not in str(error.value)
    assert desk.asked == []


def test_a_proxy_that_lets_nothing_through_or_is_not_there_says_so(desk, proxy):
    proxy.wants, proxy.refusal = "Basic other", 503
    for address, said in (
        (OPEN_PROXY.format(port=proxy.server_port), "the proxy answered 503"),
        ("http://127.0.0.1:1", "the proxy cannot be reached"),
    ):
        with (
            calling(desk, proxy=way_out.proxy(address)) as http,
            pytest.raises(NotSent, match=said),
        ):
            ask(http, write=True)


def test_what_a_proxy_says_shows_no_form_of_its_password():
    address = way_out.proxy(CLOSED_PROXY.format(port=1))
    where = replace(connection("switch"), proxy=address)
    sent = base64.b64encode(f"clerk:{PASSWORD}".encode()).decode()
    http = Http(where, clock=SystemClock())
    text = f"{sent} {PASSWORD} clerk:{PASSWORD} clerk:pr0xy%2Fp%40ssword {address}{where}"
    assert not {PASSWORD, sent, "pr0xy"} & set(http._scrub(text).split())
    assert "pr0xy" not in http._scrub(text)
    assert "pr0xy" not in repr(where)
    http.close()


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted():
    with serving(Desk) as plain:
        plain.asked = []
        plain.handle_error = lambda *_: None
        with (
            calling(plain) as http,
            pytest.raises(Unavailable, match=r"TLS did not come about|closed without an answer"),
        ):
            ask(http)


@pytest.mark.parametrize("write", [False, True])
def test_an_answer_that_drips_under_tls_ends_with_the_call_too(desk, pem, write, monkeypatch):
    over = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(200):
            handler.wfile.write(b"X: a\r\n")
            if over.wait(0.05):
                return

    with calling(desk, authorities=pem) as http:
        ask(http)  # it is connected before: what is late before that was not sent
        monkeypatch.setattr(Desk, "do_GET", drip)
        monkeypatch.setattr(Desk, "do_POST", drip)
        http.connection = replace(http.connection, timeout=1.0)
        with pytest.raises(UnknownOutcome if write else Unavailable, match=r"within 1 s"):
            ask(http, write=write)
    over.set()


BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "has no certificate"),
        (b"\x30\x82\x01\x0a\x02\x82\x01\x01\x00", "has no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "has no certificate"),
        (f"{BEGIN}\nAAAA\n{END}\n".encode(), "cannot be read; export it again"),
        (b" " * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_without_certificates_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "company.pem").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        way_out.authorities("company.pem", tmp_path)


def test_certificates_are_taken_from_a_file_or_from_what_a_reference_brought(tmp_path, pem):
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (tmp_path / "company.pem").write_text(f"The authority:\n{key}{pem}")
    found = way_out.authorities("company.pem", tmp_path)
    assert found == way_out.authorities(pem, Path("/nowhere"))
    assert "PRIVATE" not in found


@pytest.mark.parametrize(
    "given",
    [
        *("", "proxy", "proxy:3128", "https://proxy:3128", "socks5://proxy:3128", "http://proxy"),
        *("http://proxy:0", "http://proxy:99999", "http://:3128", "http://proxy:3128/path"),
        *("http://proxy:3128?a=b", "http://user@proxy:3128", "http://a b:3128", "http://p\n:3128"),
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused(given):
    assert way_out.proxy(given) is None
