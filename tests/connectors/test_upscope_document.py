"""What Upscope's document prints, read and asked for as printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bridge.connectors.upscope.capabilities import SESSION_FIELDS, VISITOR_FIELDS
from bridge.errors import Unauthorised
from tests.connectors.bench import FIXTURES
from tests.connectors.upscope_bench import PRIVATE, ROOT, document, saying


def test_the_documents_visitor_is_read():
    connector, _ = saying(document("visitor"))
    (record,) = connector.read("customer", ["ABCD1234"]).values()
    assert record.data["identities"] == ["Joe Smith"]
    assert record.data["email"] is None
    assert record.data["tags"] == ["#customer"]
    assert record.data["last_seen_at"] == "2018-04-17T14:43:44Z"
    assert set(record.data) == set(VISITOR_FIELDS.split())
    assert not [word for word in PRIVATE if word in json.dumps(record.data)]


def test_the_documents_session_is_read():
    connector, _ = saying(document("visitor"))
    (record,) = connector.read("session", ["ABCD1234/1"]).values()
    assert set(record.data) == set(SESSION_FIELDS.split())
    assert record.data["started_at"] == "2018-07-05T10:53:38Z"
    assert record.data["ended_at"] == "2018-07-05T10:55:09Z"
    assert record.data["agent_names"] == "Joe Smith"
    assert (record.data["length_seconds"], record.data["unique_id"]) == (91, "123")
    assert record.changed_before >= datetime(2018, 7, 5, 10, 55, 9, tzinfo=UTC)
    assert not [word for word in PRIVATE if word in json.dumps(record.data)]


def test_the_documents_list_and_usage_are_read():
    connector, _ = saying(document("list"))
    (row,) = connector.scan("customer", None).records
    assert (row.ref.id, dict(row.data), row.partial) == ("1234", {"short_id": "1234"}, True)
    connector, _ = saying(document("usage"))
    assert connector.account_metrics() == {
        "visitors_online": 100,
        "visitors_24h": 1000,
        "visitors_30d": 40000,
        "agents_today": 5,
        "agents_30d": 20,
        "sessions_now": 3,
        "sessions_today": 30,
        "sessions_30d": 100,
        "session_seconds_today": 400,
        "session_seconds_30d": 10000,
    }


def test_the_documents_watch_url_is_asked_for_as_printed():
    connector, sent = saying(document("watch_url"))
    link = connector.perform_action(
        "watch_url",
        {
            "visitor": "ABCD1234",
            "agent.id": "123",
            "agent.name": "Joe Smith",
            "branding.naked": "true",
            "branding.no_bottom_bar": "false",
            "branding.retry_url": "https://your-website.com/admin/screenshare/XYZ",
        },
    )
    assert link == "https://o.upscope.io?xyz"
    ((method, path, body),) = sent
    assert (method, path) == ("POST", "/v1.1/visitors/ABCD1234/watch_url.json?")
    assert json.loads(body) == document("watch_url_sent")


def test_the_documents_401_is_explained():
    connector, _ = saying(document("401"), 401)
    with pytest.raises(Unauthorised, match="does not know the API key; copy a new one"):
        connector.ping()


def test_every_fixture_is_used():
    text = "".join(
        path.read_text() for path in (ROOT / "tests" / "connectors").glob("test_upscope*.py")
    )
    for path in (FIXTURES / "upscope").glob("*.json"):
        if path.stem == "api_endpoints":  # test_documented_calls looks at these
            continue
        assert f'document("{path.stem.removeprefix("api_")}")' in text
