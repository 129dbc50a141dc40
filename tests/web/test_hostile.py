"""Attackers: none gets anything into the ledger, a secret out of it, or a 5xx."""

import base64
import gzip
import http.client
import json
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from bridge.connectors import signing
from bridge.ledger.tables import metadata
from bridge.web.receiver.gateway import BODY_TIMEOUT_SECONDS
from bridge.web.serve import HEADER_TIMEOUT_MS
from tests.web.receiver import EVENT, KEY, OLD, connections, rows, signed
from tests.web.server import Server

NAMES = ("helpdesk", "product", "desk", "timed")
RAW = EVENT.encode()


def headers(name, raw=RAW, now=None, delivery="d1"):
    return signed(connections(), name, raw, now or datetime.now(UTC), delivery)


def signature_header(name):
    return signing.header_of(connections()[name].webhook)


# --- signatures, through the application
# ---------------------------------------------------------------------------


def forged(name):
    """Ways of not having the secret, for each scheme."""
    good, header = headers(name), signature_header(name)
    value = next(found for key, found in good.items() if key.lower() == header)
    without = {key: found for key, found in good.items() if key.lower() != header}
    yield "missing", without
    yield "empty", without | {header: ""}
    yield "blank", without | {header: " "}
    yield "cut", without | {header: value[:-2]}
    yield "doubled", without | {header: value + value}
    yield (
        "of another body",
        without | {header: _value(name, b'{"event": "ticket.updated", "data": {"id": "x"}}')},
    )
    yield "of nothing", without | {header: _value(name, b"")}
    yield (
        "many guesses",
        without
        | {
            header: " ".join(f"v1,{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(200))
        },
    )
    yield "null", without | {header: "null"}
    yield "unicode", without | {header: "\u0661" * 64}
    yield "other scheme", without | {header: "v1,AAAA"}
    yield "very long", without | {header: "a" * 7000}
    yield "the body as the signature", without | {header: EVENT}


def _value(name, raw):
    made = headers(name, raw)
    value = next(found for key, found in made.items() if key.lower() == signature_header(name))
    return value if connections()[name].webhook.scheme != "static-header" else "x" + value


@pytest.mark.parametrize("name", NAMES)
def test_no_forged_signature_leaves_anything_behind(receiver, name):
    for what, given in forged(name):
        answer = receiver.client.post(
            f"/webhooks/{name}", data=RAW, headers={**given, "content-type": "application/json"}
        )
        assert answer.status_code == 401, what
        assert answer.json == {"error": "the signature is missing, wrong or too old"}, what
    assert receiver.inbox() == []
    assert receiver.work() == []


@pytest.mark.parametrize("name", ["product", "timed"])
@pytest.mark.parametrize("shift", [-86400, -3600, 3600, 86400 * 400])
def test_an_old_or_a_future_time_is_refused_though_well_signed(receiver, name, shift):
    then = receiver.clock.now() + timedelta(seconds=shift)
    answer = receiver.client.post(f"/webhooks/{name}", data=RAW, headers=headers(name, now=then))
    assert answer.status_code == 401
    assert receiver.inbox() == []


@pytest.mark.parametrize("name", ["product", "timed"])
@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "0",
        "-1",
        "1e99",
        "99999999999999999999",
        "NaN",
        "2026-11-22",
        "\u0661\u0662",
        " 1",
        "1 ",
    ],
)
def test_a_time_that_is_none_is_refused(receiver, name, stamp):
    given = headers(name, now=receiver.clock.now())
    key = connections()[name].webhook.timestamp_header.lower() or "webhook-timestamp"
    given = {held: value for held, value in given.items() if held.lower() != key} | {key: stamp}
    assert receiver.client.post(f"/webhooks/{name}", data=RAW, headers=given).status_code == 401
    assert receiver.inbox() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_is_one_row_however_often_it_comes(receiver, name):
    for _ in range(20):
        assert receiver.post(name).status_code in {200, 202}
    assert [row["deliveries"] for row in receiver.inbox()] == [20]
    assert len(receiver.work()) <= 1


def test_the_signature_of_one_connection_opens_no_other(receiver):
    for name in NAMES:
        given = headers(name, now=receiver.clock.now())
        for other in NAMES:
            if connections()[other].webhook.scheme == connections()[name].webhook.scheme:
                continue
            assert (
                receiver.client.post(f"/webhooks/{other}", data=RAW, headers=given).status_code
                == 401
            )
    assert receiver.inbox() == []


# --- bodies, well signed: whoever has the secret can still send rubbish
# ---------------------------------------------

RUBBISH = {
    "nothing": b"",
    "blank": b"   ",
    "not json": b"hello",
    "null": b"null",
    "a list": b"[]",
    "a number": b"12",
    "half": b'{"event": "ticket.upd',
    "two": b'{"event": 1}{"event": 2}',
    "trailing": b'{"event": "x"} x',
    "nan": b'{"event": NaN}',
    "infinity": b'{"event": -Infinity}',
    "bad utf-8": b'{"event": "ticket.updated", "data": {"id": "\xff\xfe"}}',
    "utf-16": EVENT.encode("utf-16"),
    "half a byte order mark": b"\xef\xbb" + RAW,
    "lone surrogate": b'{"event": "ticket.updated", "data": {"id": "\\ud800"}}',
    "nul": b'{"event": "ticket.updated", "data": {"id": "a\\u0000b"}}',
    "deep list": b'{"event": "ticket.updated", "data": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep object": b'{"a":' * 300 + b"1" + b"}" * 300,
    "single quotes": b"{'event': 'ticket.updated'}",
    "comment": b'{"event": "ticket.updated" /* */}',
    "long id": b'{"event": "ticket.updated", "data": {"id": "' + b"a" * 1500 + b'"}}',
    "id a list": b'{"event": "ticket.updated", "data": {"id": ["a"]}}',
    "id an object": b'{"event": "ticket.updated", "data": {"id": {"$ne": null}}}',
    "id true": b'{"event": "ticket.updated", "data": {"id": true}}',
    "id a huge number": b'{"event": "ticket.updated", "data": {"id": ' + b"9" * 1000 + b"}}",
    "id with a line break": b'{"event": "ticket.updated", "data": {"id": "a\\r\\nSet-Cookie: x"}}',
    "event a list": b'{"event": ["ticket.updated"], "data": {"id": "a"}}',
    "proto": b'{"__proto__": {"x": 1}, "event": "ticket.updated"}',
}


@pytest.mark.parametrize("what", RUBBISH)
@pytest.mark.parametrize("name", ["helpdesk", "product"])
def test_authentic_rubbish_is_quarantined_or_ignored_and_never_an_error(receiver, name, what):
    answer = receiver.post(name, RUBBISH[what])
    assert answer.status_code in {200, 202}, answer.text
    (row,) = receiver.inbox()
    assert row["verdict"] in {"quarantined", "ignored"}, what
    assert row["why"]
    assert receiver.work() == []


# --- the server itself
# ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory, redis):
    found = Server(tmp_path_factory.mktemp("home"), redis)
    yield found
    found.kill()
    found.ledger.close()


def lines(given):
    return [f"{name}: {value}" for name, value in given.items()]


def request(*more, raw=RAW, given=None):
    text = [
        "POST /webhooks/helpdesk HTTP/1.1",
        "Host: x",
        *lines(given or headers("helpdesk", raw)),
        *more,
        "",
        "",
    ]
    return "\r\n".join(text).encode()


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.processes
@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "GZIP"]
)
def test_a_compressed_body_is_refused_unread(server, encoding):
    bomb = (
        gzip.compress(b"0" * 50_000_000)
        if "gzip" in encoding.lower()
        else zlib.compress(b"0" * 1_000_000)
    )
    before = rows(server.ledger, "inbox")
    given = headers("helpdesk", bomb) | {"content-encoding": encoding}
    assert server.ask("POST", "/webhooks/helpdesk", bomb, given)[0] == 415
    assert rows(server.ledger, "inbox") == before


@pytest.mark.processes
def test_headers_twice_are_never_accepted_on_the_strength_of_one_of_them(server):
    header = signature_header("helpdesk")
    good = headers("helpdesk")
    value = next(found for key, found in good.items() if key.lower() == header)
    rest = {key: found for key, found in good.items() if key.lower() != header}
    before = rows(server.ledger, "inbox")
    for pair in ((value, "0" * 64), ("0" * 64, value), (value, value)):
        twice = [f"{header}: {each}" for each in pair]
        answer = server.raw(
            request(*twice, f"Content-Length: {len(RAW)}", "Connection: close", given=rest) + RAW
        )
        assert status(answer) in {400, 401}, answer[:200]
    assert rows(server.ledger, "inbox") == before


@pytest.mark.processes
@pytest.mark.parametrize(
    "trick",
    [
        ("Transfer-Encoding: chunked", f"Content-Length: {len(RAW)}"),
        (f"Content-Length: {len(RAW)}", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, identity", f"Content-Length: {len(RAW)}"),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: xchunked",),
        (f"Content-Length: +{len(RAW)}",),
        (f"Content-Length: {len(RAW)}, {len(RAW)}",),
        (f"Content-Length: 0x{len(RAW):x}",),
    ],
)
def test_a_request_whose_length_can_be_read_two_ways_smuggles_nothing(server, trick):
    smuggled = b"POST /webhooks/helpdesk HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    answer = server.raw(request(*trick) + RAW + smuggled)
    assert answer.count(b"HTTP/1.1 202") <= 1
    assert b"Traceback" not in answer
    assert status(answer) < 500
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.processes
def test_a_header_cannot_be_broken_into_two(server):
    given = headers("helpdesk") | {"x-webhook-delivery": "a"}
    raw = request(f"Content-Length: {len(RAW)}", "Connection: close", given=given) + RAW
    broken = raw.replace(b"x-webhook-delivery: a", b"x-webhook-delivery: a\rx-injected: b")
    answer = server.raw(broken)
    assert b"x-injected" not in answer.lower()
    assert status(answer) < 500
    for row in rows(server.ledger, "inbox"):
        assert "\r" not in json.dumps(row["headers"])
        assert "injected" not in str(row["headers"])


@pytest.mark.processes
@pytest.mark.timeout(90)
def test_a_body_that_trickles_is_cut_off_at_the_declared_time(server):
    assert (BODY_TIMEOUT_SECONDS, HEADER_TIMEOUT_MS) == (10.0, 5_000)  # what the documents promise
    caller = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    caller.putrequest("POST", "/webhooks/helpdesk")
    for name, value in headers("helpdesk").items():
        caller.putheader(name, value)
    caller.putheader("Content-Length", "1000")
    caller.endheaders()
    began = time.monotonic()
    closed = False
    while time.monotonic() - began < 60:
        try:
            caller.send(b" ")
        except OSError:
            closed = True
            break
        time.sleep(0.5)
    caller.close()
    assert closed, "the server took one byte a moment for a minute"


PATHS = (
    "/healthz",
    "/healthz?verbose",
    "/readyz",
    "/metrics",
    "/",
    "/webhooks/nobody",
    f"/webhooks/{KEY}",
)


@pytest.mark.processes
def test_no_answer_no_log_and_no_row_shows_a_secret(server):
    """Each scheme's secret is in the request: as its signature, and in bodies that are kept."""
    said = []
    for name in NAMES:
        for _what, given in forged(name):
            if any("\u0661" in value for value in given.values()):
                continue  # http.client cannot even send it
            said.append(
                server.ask(
                    "POST", f"/webhooks/{name}", RAW, given | {"content-type": "application/json"}
                )[1].decode()
            )
        for body in (
            RAW,
            f'{{"secret": "{KEY}", "x": '.encode(),
            f'{{"note": "so {OLD} it"}} {{}}'.encode(),
        ):
            status_, answer = server.ask(
                "POST", f"/webhooks/{name}", body, headers(name, body, delivery=f"d{len(said)}")
            )
            assert status_ in {200, 202}
            said.append(answer.decode())
    said += [server.ask("GET", path)[1].decode() for path in PATHS]
    said.append(server.output())
    kept = [row["body"] for row in rows(server.ledger, "inbox") if row["verdict"] == "quarantined"]
    assert len(kept) >= 2 * len(NAMES)
    with server.ledger.read() as tx:
        for table in metadata.sorted_tables:
            said += [str(row) for row in tx.execute(table.select()).mappings()]
    assert len(said) > 60
    for secret in (KEY, OLD):
        assert [each for each in said if secret in each] == []
    for row in rows(server.ledger, "inbox"):
        assert not any(signature_header(name) in str(row["headers"]).lower() for name in NAMES)
