import json
from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy

from bridge.core.model.syncs import Secret
from bridge.ledger import audit, refused_webhooks
from bridge.ledger.database import Ledger
from bridge.scrubber import Scrubber
from bridge.web.app import create_app
from bridge.web.receiver.body import scrub
from tests.web.conftest import Receiver
from tests.web.receiver import EVENT, KEY, START, connections, signed


@pytest.mark.parametrize("name", ["helpdesk", "desk", "timed"])
def test_a_webhook_is_written_down_with_its_work_before_the_bell_rings(receiver, name):
    answer = receiver.post(name)
    assert answer.status_code == 202
    [row] = receiver.inbox()
    assert answer.json == {"id": str(row["id"]), "status": "accepted"}
    assert (row["connection"], row["event"], row["entity"], row["remote_id"], row["verdict"]) == (
        name,
        "ticket.updated",
        "ticket",
        "tkt_1",
        "pending",
    )
    assert [key for key, _ in receiver.work()] == [f"observe:{name}:ticket:tkt_1"]
    assert receiver.bell.seen == [1]  # the work was in the ledger when the bell rang


def test_a_duplicate_raises_the_work_again(receiver):
    first = receiver.post()
    before = receiver.work()
    second = receiver.post()
    assert (second.status_code, second.json) == (
        200,
        {"id": first.json["id"], "status": "duplicate"},
    )
    assert len(receiver.inbox()) == 1
    [(key, generation)] = receiver.work()
    assert key == before[0][0]
    assert generation > before[0][1]
    assert len(receiver.bell.seen) == 2


def test_an_unsigned_repetition_is_a_new_delivery_after_five_minutes(receiver):
    receiver.post()
    receiver.clock.sleep(301)
    assert receiver.post().status_code == 202


def test_a_signed_id_makes_the_delivery_whatever_the_time(receiver):
    body = json.dumps(
        {"event": {"event": "$conversation_ticket_created", "properties": {"ticket_id": "x"}}}
    )
    first = receiver.post("product", body, delivery="msg_1")
    receiver.clock.sleep(250)
    assert first.status_code == 202
    assert receiver.post("product", body, delivery="msg_1").status_code == 200
    assert receiver.post("product", body, delivery="msg_2").status_code == 202


@pytest.mark.parametrize("name", ["helpdesk", "product", "desk", "timed"])
def test_every_connection_takes_the_generic_hint(receiver, name):
    answer = receiver.post(name, '{"entity": "ticket", "id": "abc"}')
    assert answer.status_code == 202
    assert [key for key, _ in receiver.work()] == [f"observe:{name}:ticket:abc"]


@pytest.mark.parametrize("name", ["helpdesk", "product", "desk", "timed"])
def test_what_is_not_signed_leaves_nothing_but_a_counter(receiver, name):
    answer = receiver.client.post(
        f"/webhooks/{name}", data=EVENT, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 401
    assert receiver.inbox() == receiver.work() == receiver.bell.seen == []
    assert receiver.count(name, "unsigned") == 1


def test_a_body_that_was_changed_on_the_way_is_refused(receiver):
    given = signed(receiver.config.connections, "helpdesk", EVENT.encode(), START)
    answer = receiver.client.post(
        "/webhooks/helpdesk", data=EVENT.replace("tkt_1", "tkt_2"), headers=given
    )
    assert answer.status_code == 401


def test_expired_and_forged_get_the_same_answer(receiver):
    given = signed(receiver.config.connections, "timed", EVENT.encode(), START - timedelta(hours=1))
    old = receiver.client.post("/webhooks/timed", data=EVENT, headers=given)
    forged = receiver.client.post("/webhooks/timed", data=EVENT, headers=given | {"x-time": "1"})
    assert (old.status_code, old.data) == (forged.status_code, forged.data) == (401, old.data)
    assert receiver.count("timed", "Expired") == receiver.count("timed", "BadSignature") == 1


@pytest.mark.parametrize(
    "name", ["nobody", "silent", "helpdesk%00", "..%2f..", "HELPDESK", "é", "a" * 5000]
)
def test_an_unknown_connection_is_told_nothing(receiver, name):
    answer = receiver.client.post(
        f"/webhooks/{name}", data=EVENT, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 404
    assert answer.is_json
    assert receiver.inbox() == []


def test_strangers_do_not_make_the_counters_grow(receiver):
    for number in range(20):
        receiver.client.post(
            f"/webhooks/x{number}", data="{}", headers={"content-type": "application/json"}
        )
    shown = receiver.client.get("/metrics").text
    assert shown.count("bridge_webhooks_refused_total{") == 1
    labels = 'connection="",reason="UnknownConnection",code="BRG-HOOK-UNKNOWN"'
    assert f"bridge_webhooks_refused_total{{{labels}}} 20" in shown


def test_refusals_at_a_name_that_the_ledger_knew_are_counted_by_it(tmp_path):
    path = tmp_path / "bridge.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.upgrade()
    with ledger.transaction() as tx:
        detail = {"old": "before"}
        audit.add(
            tx, actor="me", action="connection rename", subject="desk", at=START, detail=detail
        )
    ledger.close()
    receiver = Receiver(path)
    for name in ("before", "silent", "made-up"):
        receiver.client.post(f"/webhooks/{name}", data="{}")
    ((_seconds, write),) = receiver.clock.put_off
    write()
    with receiver.ledger.read() as tx:
        counted = refused_webhooks.current(tx, receiver.clock.now())
    assert sorted(row.connection for row in counted) == ["", "before", "silent"]
    receiver.ledger.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
        {"content-encoding": "gzip"},
        {"content-encoding": "identity, gzip"},
    ],
)
def test_other_media_are_refused(receiver, headers):
    assert receiver.post(headers=headers).status_code == 415
    assert receiver.inbox() == []


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/cloudevents+json"]
)
def test_the_ways_of_saying_json(receiver, media):
    assert receiver.post(headers={"content-type": media}).status_code == 202


def test_the_limit_is_exact(receiver):
    fits = EVENT + " " * (2048 - len(EVENT))
    assert receiver.post(body=fits).status_code == 202
    assert receiver.post(body=fits + " ").status_code == 413


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("null", "not an object"),
        ("[]", "not an object"),
        ('"text"', "not an object"),
        ("{'event': 1}", "not JSON"),
        ('{"event": NaN}', "event name"),
        ('{"event": Infinity}', "event name"),
        (b'{"event": "\xff"}', "event name"),
        (b"\xef\xbb\xbf{}", "event name"),
        (EVENT.encode("utf-16"), "not JSON"),
        (b'{"event": "a\x00b"}', "event name"),
        ('{"event": "\\ud800"}', "event name"),
        (
            '{"event": "ticket.updated", "data": ' + '{"a":' * 200 + "1" + "}" * 200 + "}",
            "nested deeper",
        ),
        ('{"a":' * 300 + "1" + "}" * 300, "nested deeper"),
        ("[" * 2000, "not JSON"),
        ('{"event": "ticket.updated", "data": {"id": ' + "9" * 500 + "}}", None),
        ('{"event": "ticket.updated", "data": {"id": null}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": true}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": 1.5}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": {"$ne": 1}}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": "a\\u0000b"}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": "a\\nb"}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": ""}}', "record id"),
        ('{"event": "ticket.updated", "data": {"id": "' + "x" * 201 + '"}}', "record id"),
        ('{"event": "ticket.updated", "data": [1]}', "record id"),
        ('{"event": "ticket.updated"}', "record id"),
        ('{"event": {"a": 1}, "data": {"id": "1"}}', "event name"),
        ('{"event": "\\u0000", "data": {"id": "1"}}', "event name"),
        ('{"entity": "secrets", "id": "1"}', "entity is 'secrets'"),
        ('{"entity": "ticket", "id": []}', "record id"),
    ],
)
def test_what_is_authentic_but_senseless_is_put_into_quarantine(receiver, body, said):
    answer = receiver.post(body=body)
    assert (answer.status_code, answer.json["status"]) == (202, "quarantined")
    [row] = receiver.inbox()
    assert row["verdict"] == "quarantined"
    assert said is None or said in row["why"]
    assert row["body"] is not None
    assert receiver.work() == receiver.bell.seen == []


@pytest.mark.parametrize(
    "odd",
    [
        rb'"subject": "Ticket 1 \ud83d"',
        rb'"subject": "Ticket 1 \ude00"',
        b'"subject": "Ticket\t1"',
        b'"subject": "Ticket\x0b1"',
        b'"subject": "caf\xe9"',
        b'"score": NaN',
        b'"score": -Infinity',
        b'"score": 1180591620717411303424',
        b'"id": "0"',
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_a_hint_is_taken_where_its_id_can_be_read(receiver, odd, mark):
    body = mark + b'{"event": "ticket.updated", "data": {' + odd + b', "id": "t1"}}'
    answer = receiver.post(body=body)
    assert (answer.status_code, answer.json["status"]) == (202, "accepted")
    assert [key for key, _generation in receiver.work()] == ["observe:helpdesk:ticket:t1"]


@pytest.mark.parametrize("odd", [rb"\ud83d", rb"\u0000", b"caf\xe9", b"\t", b".", b".."])
def test_an_id_that_cannot_be_read_is_no_hint(receiver, odd):
    receiver.post(body=b'{"event": "ticket.updated", "data": {"id": "' + odd + b'"}}')
    [row] = receiver.inbox()
    assert row["verdict"] == "quarantined"
    assert "record id" in row["why"]
    assert receiver.work() == []


def test_an_unknown_event_is_recorded_and_ignored(receiver):
    answer = receiver.post(body='{"event": "article.exploded", "data": {"id": "1"}}')
    assert (answer.status_code, answer.json["status"]) == (202, "ignored")
    [row] = receiver.inbox()
    assert (row["verdict"], row["event"]) == ("ignored", "article.exploded")
    assert "article.exploded" in row["why"]
    assert receiver.work() == receiver.bell.seen == []


def test_a_quarantined_body_is_kept_in_part_and_without_secrets(receiver):
    receiver.post(body='{"token": "tok_123456789", "from": "mary@example.com", "x": "' + "y" * 1500)
    [row] = receiver.inbox()
    assert "tok_123456789" not in row["body"]
    assert "mary@example.com" not in row["body"]
    assert "yyyy" in row["body"]


def test_long_quarantined_bodies_are_cut():
    assert len(scrub(b"x" * 100_000, Scrubber())) == 8192
    assert "\x00" not in scrub(b"a\x00b\xff\x1b[31m", Scrubber())


def test_a_secret_is_known_before_the_body_is_cut():
    kept = scrub(
        b"x" * 8180 + b"the-long-secret" + b"x" * 100, Scrubber([Secret("the-long-secret")])
    )
    assert "the-" not in kept


def test_bodies_are_kept_only_where_that_was_asked_for(tmp_path):
    for name, keep in (("a", False), ("b", True)):
        receiver = Receiver(tmp_path / name, keep_bodies=keep)
        receiver.post()
        assert [row["body"] is not None for row in receiver.inbox()] == [keep]
        receiver.ledger.close()


def test_the_inbox_holds_no_credential(receiver):
    given = {
        "authorization": "Bearer very-secret",
        "cookie": "session=very-secret",
        "x-api-key": "very-secret",
        "user-agent": "Switch/1\x7f",
        "x-webhook-delivery": "dlv_1",
    }
    for name in ("helpdesk", "product", "desk", "timed"):
        receiver.post(name, '{"entity": "ticket", "id": "1"}', headers=given)
    stored = json.dumps(receiver.inbox(), default=str)
    assert "very-secret" not in stored
    assert KEY not in stored
    assert "v1," not in stored
    kept = receiver.inbox()[0]["headers"]
    assert "dlv_1" in kept
    assert "Switch/1" in kept
    assert "signature" not in kept


def test_any_live_secret_is_accepted(receiver):
    import dataclasses

    old = {
        name: dataclasses.replace(
            each, webhook=dataclasses.replace(each.webhook, secrets=each.webhook.secrets[1:])
        )
        for name, each in connections().items()
        if each.webhook
    }
    for name in old:
        raw = b'{"entity": "ticket", "id": "1"}'
        given = signed(old, name, raw, START)
        assert receiver.client.post(f"/webhooks/{name}", data=raw, headers=given).status_code == 202


def test_without_a_ledger_nothing_is_acknowledged(receiver):
    from sqlalchemy import text

    with receiver.ledger.transaction() as tx:
        tx.execute(text("alter table work rename to gone"))
    answer = receiver.post()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert receiver.inbox() == receiver.bell.seen == []  # the inbox row went back with the rest
    with receiver.ledger.transaction() as tx:
        tx.execute(text("alter table gone rename to work"))
    assert receiver.post().status_code == 202


def test_without_redis_webhooks_are_still_taken(receiver):
    receiver.bell.up = False
    assert receiver.post().status_code == 202


def test_a_connector_that_breaks_is_our_fault_and_not_the_senders(tmp_path, caplog):
    receiver = Receiver(tmp_path / "bridge.db")

    class Broken:
        NAME, SIGNING = "broken", None

        def parse(self, *_):
            raise KeyError("personal detail")

    configured = receiver.config
    app = create_app(
        configured,
        receiver.ledger,
        receiver.bell,
        receiver.clock,
        dict.fromkeys(configured.connections, Broken()),
    )
    given = signed(configured.connections, "helpdesk", EVENT.encode(), START)
    answer = app.test_client().post("/webhooks/helpdesk", data=EVENT, headers=given)
    assert (answer.status_code, answer.json["status"]) == (202, "quarantined")
    assert "please report what its log says" in receiver.inbox()[0]["why"]
    assert "KeyError" not in receiver.inbox()[0]["why"]
    assert "personal detail" not in receiver.inbox()[0]["why"]
    assert "cannot read a webhook" in caplog.text
    receiver.ledger.close()


def test_no_answer_is_a_page_to_anybody(receiver):
    for path in ("/webhooks/helpdesk", "/healthz", "/metrics", "/nowhere"):
        answer = receiver.client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/webhooks/helpdesk", 405),
        ("get", "/nothing", 404),
        ("post", "/webhooks/", 404),
        ("put", "/healthz", 405),
    ],
)
def test_every_answer_is_json(receiver, method, path, status):
    answer = getattr(receiver.client, method)(path)
    assert answer.status_code == status
    assert answer.is_json
    assert "error" in answer.json


@pytest.mark.parametrize(
    "said",
    [KEY, KEY[:-3] + "...", quote(KEY, safe=""), KEY.replace("=", "\\u003d"), KEY.lower()],
)
@pytest.mark.parametrize("name", ["helpdesk", "product", "desk", "timed"])
def test_neither_ledger_nor_log_holds_our_secret_wherever_a_webhook_says_it(
    tmp_path, caplog, name, said
):
    receiver = Receiver(tmp_path / "bridge.db", keep_bodies=True)
    caplog.set_level("DEBUG")
    kept = ("user-agent", "x-webhook-event", "x-webhook-delivery", "svix-id")
    bodies = [
        f'{{"event": "{said}", "data": {{"id": "tkt_1"}}}}',
        f'{{"event": "ticket.updated", "id": "{said}", "data": {{"id": "{said}"}}}}',
        f'{{"event": {{"event": "{said}", "uuid": "{said}"}}, "{said}": "{said}"}}',
        f'{{"entity": "{said}", "id": "1"}}',
        f'["{said}"]',
        f"{said} no JSON",
    ]
    for number, text in enumerate(bodies):
        delivery = f"{number}{said}"  # product signs it
        answer = receiver.post(name, text, delivery=delivery, headers=dict.fromkeys(kept, said))
        assert answer.status_code == 202
        assert not pieces(KEY) & pieces(answer.text)
    with receiver.ledger.read() as tx:
        tables = tx.execute(sqlalchemy.text("select name from sqlite_master where type = 'table'"))
        written = {table: str(rows_of(tx, table)) for (table,) in tables.all()}
    assert len(receiver.inbox()) == len(bodies)
    for place, content in (written | {"log": caplog.text}).items():
        assert not pieces(KEY) & pieces(content), place
    receiver.ledger.close()


def rows_of(tx, table):
    return tx.execute(sqlalchemy.text(f"select * from {table}")).all()


def pieces(text):
    """Return all that is eight characters long, in lower case."""
    return {text[at : at + 8].lower() for at in range(len(text) - 7)}
