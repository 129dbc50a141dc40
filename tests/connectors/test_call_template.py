"""A request that is put together from what is ready: the same as requests would prepare."""

from __future__ import annotations

import re
import string

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.http.call_template import HEADERS, CallTemplate

BASES = (
    "https://desk.example",
    "https://desk.example/api/v1",
    "https://DESK.example:8443/a/../b/./c",
    "http://127.0.0.1:9400/api/v1",
    "http://[::1]:80/api",
    "https://m\u00fcnchen.example/caf\u00e9",
    "https://desk.example/a%2fb%41/~x",
    "https://clerk:secret@desk.example/api",
    "https://desk.example/api?key=1",
    "https://desk.example/api#part",
    "https://desk.example/a b",
)
paths = st.lists(
    st.text(string.ascii_letters + string.digits + "._~-%/?#:@ \u00e9&=+;\\[]", max_size=8)
    | st.sampled_from([".", "..", "tickets", "%2e", "%41", "%zz", "a:b", "\ud800"]),
    max_size=4,
).map(lambda parts: "/" + "/".join(parts))
plain_values = st.text() | st.integers() | st.booleans() | st.none() | st.floats()
queries = st.none() | st.dictionaries(
    st.text(max_size=5), plain_values | st.lists(st.text(max_size=5), max_size=3), max_size=3
)


def auth(request):
    request.headers["Authorization"] = "Bearer a-key"
    return request


def prepared(base, method, path, params, body):
    """What a session of requests prepares, said as an outcome."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "webhook-sync-bridge", "Accept": "application/json"})
    headers = None if body is None else {"Content-Type": "application/json"}
    asked = requests.Request(
        method, base + path, headers, data=body, params=params or None, auth=auth
    )
    return said(lambda: session.prepare_request(asked))


def said(make):
    try:
        made = make()
    except (requests.RequestException, UnicodeError) as error:
        return type(error)
    return made.method, made.url, made.body, dict(made.headers)


@given(
    base=st.sampled_from(BASES),
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    path=paths,
    params=queries,
    body=st.none() | st.binary(min_size=1),
)
@example(BASES[1], "GET", "/tickets/tkt_5", {"a": "\u00fc b+c&d", "b": [1, "x"], "c": None}, None)
@example(BASES[1], "PATCH", "/tickets/.well-known", None, b"{}")
@example(BASES[1], "GET", "/tickets/../../admin", None, None)
@example(BASES[1], "GET", "/tickets/..", None, None)
@example(BASES[1], "GET", "/tickets/", {"a": "~"}, None)
@example(BASES[1], "GET", "//elsewhere.example/x", None, None)
def test_a_request_is_what_requests_would_send(base, method, path, params, body):
    made = said(lambda: CallTemplate(base).request(method, path, params, body, auth))
    assert made == prepared(base, method, path, params, body)


def test_a_whole_address_and_one_without_credentials_are_prepared_too():
    template = CallTemplate("https://clerk:secret@desk.example/api")
    made = template.request("GET", "https://desk.example/api/x?page=2", None, None, auth)
    assert made.url == "https://desk.example/api/x?page=2"
    alone = template.request("GET", "/x", None, None, None)
    assert alone.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("base", ["", "nowhere", "https://", "https://*.example", "https://[::1"])
def test_an_address_that_is_none_fails_when_it_is_called_and_not_before(base):
    template = CallTemplate(base)
    with pytest.raises((requests.RequestException, UnicodeError)):
        template.request("GET", "/x", None, None, auth)


def test_requests_share_no_headers():
    template = CallTemplate("https://desk.example")
    first = template.request("GET", "/x", None, None, auth)
    first.headers["X-Mine"] = "1"
    second = template.request("GET", "/x", None, None, lambda request: request)
    assert dict(second.headers) == HEADERS
    assert not re.search("mine|authorization", str(second.headers), re.IGNORECASE)


@pytest.mark.parametrize("odd", ["\r\nX-Other: 1", "\n", "\r", "\0", "\x7f"])
def test_a_value_that_would_begin_a_header_of_its_own_is_never_sent(odd):
    def carelessly(request):
        request.headers["Authorization"] = f"Bearer a{odd}b"
        return request

    with pytest.raises(requests.exceptions.InvalidHeader) as refused:
        CallTemplate("https://desk.example").request("GET", "/x", None, None, carelessly)
    assert odd not in str(refused.value)
