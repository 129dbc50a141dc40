"""What is written down of a call: enough to see what happened, and never a credential."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from dataclasses import asdict, replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import requests
import responses

from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import Secret
from bridge.core.model.vendor_call import BY_HAND, VendorCall
from bridge.errors import RemoteError
from bridge.http import call_record
from bridge.http.call_purpose import Calling, CallPurpose
from bridge.http.client import Http
from tests.connectors.bench import KEY, StillClock, connection

BASE = "https://desk.example/api/v1"
NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
WHO = "ana.garcia@example.com"


def auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {KEY}"
    return request


class Caller:
    """Calls, and remembers what was written down."""

    def __init__(self, **options):
        self.calls: list[VendorCall] = []
        account = replace(connection("switch"), base_url=BASE, **options)
        self.http = Http(account, clock=StillClock(NOW), keep=self.calls.append)

    def __call__(self, method, path, *, write=False, **options):
        with contextlib.suppress(RemoteError):
            self.http.request(method, path, write=write, auth=auth, **options)
        return self.calls[-1]


@pytest.fixture
def vendor():
    with responses.RequestsMock() as stub:
        yield stub


@pytest.fixture
def call():
    return Caller()


def test_a_call_is_written_down_with_why_it_was_made(call, vendor):
    vendor.post(
        f"{BASE}/tickets/t1/notes", json={"id": "n1"}, status=201, headers={"X-Request-Id": "req-7"}
    )
    with Calling(CallPurpose("deliver", "link-1", 2)):
        made = call("POST", "/tickets/t1/notes", write=True, json={"text": "hello"})
    assert (made.at, made.connection, made.why, made.link_id, made.attempt) == (
        *(NOW, "my-switch", "deliver", "link-1", 2),
    )
    assert (made.method, made.path, made.status, made.code) == (
        "POST",
        "/tickets/t1/notes",
        201,
        "",
    )
    assert (made.sent_bytes, made.received_bytes) == (
        len(b'{"text":"hello"}'),
        len(b'{"id": "n1"}'),
    )
    assert (made.request_id, made.retry_after, made.kept) == ("req-7", None, None)
    assert (made.sent, made.answered) == ({"text": "text of 5"}, {"id": "text of 2"})
    vendor.get(f"{BASE}/tickets", json=[])
    assert call("GET", "/tickets").why == BY_HAND


@pytest.mark.parametrize(
    ("status", "write", "code"),
    [
        (400, False, Code.CONNECTION_FAILING),
        (400, True, Code.WRITE_REFUSED),
        (401, False, Code.KEY),
        (403, True, Code.KEY),
        (404, False, Code.GONE),
        (404, True, Code.WRITE_MISSING),
        (409, True, Code.WRITE_EXISTS),
        (429, False, Code.CONNECTION_PAUSED),
        (500, False, Code.CONNECTION_FAILING),
        (500, True, Code.WRITE_UNKNOWN),
    ],
)
def test_what_failed_has_its_code_and_the_words_of_the_error(call, vendor, status, write, code):
    method = "POST" if write else "GET"
    vendor.add(method, f"{BASE}/x", status=status, json={"error": f"no, {KEY} of {WHO}"},
               headers={"Retry-After": "7"})  # fmt: skip
    made = call(method, "/x", write=write)
    assert (made.status, made.code) == (status, code)
    assert f"answered {status}" in made.error
    assert made.answered == {"error": f"text of {len(f'no, {KEY} of {WHO}')}"}
    assert made.retry_after == 7.0


def test_a_call_without_an_answer_is_written_down_too(call, vendor):
    vendor.get(f"{BASE}/x", body=requests.ConnectionError("reset"))
    made = call("GET", "/x")
    assert (made.status, made.code, made.received_bytes) == (None, Code.CONNECTION_FAILING, 0)
    assert "the connection failed" in made.error


def test_no_secret_is_written_down_wherever_it_stands(vendor):
    coded = b64encode(f"user:{KEY}".encode()).decode()
    for keeps in (False, True):
        call = Caller(keep_bodies=keeps)
        forms = (KEY, quote(KEY), KEY[:-3], coded, json.dumps(KEY), KEY.upper())
        for number, form in enumerate(forms):
            vendor.post(
                f"{BASE}/people/{quote(form, safe='')}/{number}",
                status=400 if number % 2 else 200,
                json={form: form, "list": [{"key": form}], "api_key": "not-ours-but-a-secret-1234"},
                headers={
                    "X-Request-Id": form.strip('"'), "Set-Cookie": f"session={form}",
                    "Retry-After": form,
                },
            )  # fmt: skip
            made = call(
                "POST",
                f"/people/{quote(form, safe='')}/{number}",
                write=True,
                params={"token": form, form: "1", "status": form.lower()},
                json={form: form, "deep": {form: [form]}},
            )
            told = json.dumps(asdict(made), default=str).casefold()
            assert KEY[:-3].casefold() not in told
            assert coded.casefold() not in told
            assert "not-ours-but-a-secret" not in told
            assert (made.kept is not None) == keeps


def test_nothing_that_may_tell_of_a_person_is_written_down_unless_bodies_are_kept(vendor):
    address = f"/people/{quote(WHO)}/tickets"
    asked = {
        *("limit", "page", "status", "since", "email", "q", "phone"),
    }
    params = {
        "limit": 50, "page": 2, "status": "open,closed", "since": "2026-11-01T00:00:00Z",
        "email": WHO, "q": "Ana García", "phone": "+34600111222", "id": "34600111222333",
    }  # fmt: skip
    said = {"customer": {"email": WHO, "name": "Ana García"}, WHO: 1, "Ana García": [1]}
    for keeps in (False, True):
        call = Caller(keep_bodies=keeps)
        vendor.get(f"{BASE}{address}", json=said)
        made = call("GET", address, params=params)
        bare = json.dumps(asdict(replace(made, kept=None)), default=str, ensure_ascii=False)
        for word in ("Ana", "ana.garcia", "example.com", "600111222", "Garc"):
            assert word not in bare
        assert made.path.startswith("/people/•••/tickets?limit=50&page=2&status=open,closed&")
        assert "since=2026-11-01T00:00:00Z" in made.path
        assert all(f"{name}=" in made.path for name in asked)
        assert made.answered["customer.email"] == f"text of {len(WHO)}"
        if keeps:
            assert WHO in made.kept.answered
            assert "Ana" in made.kept.path


def test_an_address_that_a_vendor_gave_for_its_next_page_is_shown_below_the_base(call, vendor):
    vendor.get(f"{BASE}/tickets", json=[])
    made = call("GET", f"{BASE}/tickets?cursor=YW5hQGV4YW1wbGUuY29t&limit=5")
    assert made.path == "/tickets?cursor=•••(20)&limit=5"


def test_a_body_is_kept_no_further_than_its_limit(vendor):
    call = Caller(keep_bodies=True)
    vendor.post(f"{BASE}/x", json={"text": "a" * 100_000})
    made = call("POST", "/x", write=True, json={"text": "b" * 100_000})
    assert len(made.kept.sent) == len(made.kept.answered) == call_record.MAX_KEPT_CHARS
    assert (made.sent, made.answered) == (
        {"text": "text of 100000"},
        {"text": "text of 100000"},
    )


def test_a_large_body_has_a_small_shape(call, vendor):
    deep = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}
    rows = {f"field_{number}": "x" for number in range(500)}
    vendor.get(f"{BASE}/x", json={"rows": [rows] * 30, "deep": deep})
    made = call("GET", "/x")
    assert made.answered["rows"] == "list of 30"
    assert len(made.answered) <= 62
    assert made.answered["…"] == "more"
    vendor.get(f"{BASE}/y", json={"deep": deep, "no": None, "yes": True, "count": 1, "none": []})
    made = call("GET", "/y")
    assert made.answered["deep.a.a.a.a.a"] == "row of 1"
    assert (made.answered["no"], made.answered["yes"], made.answered["count"]) == (
        *("null", "true or false", "number"),
    )
    assert made.answered["none"] == "list of 0"


def test_of_very_many_calls_in_a_second_the_rest_is_written_down_without_shapes(
    call, vendor, monkeypatch
):
    monkeypatch.setattr(call_record, "MOST_SHAPES", 2)
    vendor.get(f"{BASE}/x", json={"a": "b"})
    vendor.get(f"{BASE}/bad", json={"a": "b"}, status=400)
    for _ in range(4):
        call("GET", "/x")
    call("GET", "/bad")
    with_shape = [made.answered == {"a": "text of 1"} for made in call.calls]
    assert with_shape == [True, True, False, False, True]


@pytest.mark.parametrize("key", [KEY, "abcd", "phx_0123456789abcdef", "a-key-of-words-alone"])
def test_a_plain_path_that_holds_a_secret_or_a_piece_of_one_is_seen(vendor, key):
    call = Caller(credentials={"api_key": Secret(key)})
    for shown in (key, f"x{key}", f"xx{key}yy", f"xxx{key}", key.upper()):
        path = f"/tickets/{shown}"
        vendor.get(f"{BASE}{path}", json=[])
        assert key not in call("GET", path).path.lower()
        vendor.get(f"{BASE}/t/12/notes.json", json=[])
        assert call("GET", "/t/12/notes.json").path == "/t/12/notes.json"
