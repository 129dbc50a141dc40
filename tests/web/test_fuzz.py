"""Whatever comes in, parsers and loaders return a result or raise a declared error."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.clock import SystemClock
from bridge.config import yaml_reader
from bridge.connectors import CONNECTORS, build, connector_class, signing
from bridge.connectors.contract import Parsed
from bridge.core.model.syncs import Connection, Secret, Webhook
from bridge.errors import BadSignature, ConfigError, Expired, Malformed
from bridge.http.client import Http
from bridge.http.clock_skew import http_date
from bridge.scrubber import Scrubber
from bridge.web.receiver import body
from tests.web.receiver import KEY

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPTIONS = {
    "project_id": "1",
    "statuses": ["pending", "ongoing", "completed"],
    "service_user": "4f0c0000-0000-4000-8000-000000000001",
    "team": "t",
}

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["event", "data", "id", "ticket", "ticket.updated", "entity", "\x00", "­"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5)
)


def outcome(act, *errors):
    """Return the result, or the message of a declared error; anything else fails the test."""
    try:
        return act(), ""
    except errors as error:
        return None, str(error) or "(no words)"


def connector(system):
    kind = connector_class(system)
    wanted = {
        name: value
        for name, value in OPTIONS.items()
        if name in kind.OPTIONS or name in kind.REQUIRED_OPTIONS
    }
    secrets = {name: Secret("k") for name in kind.CREDENTIALS}
    made = Connection("c", system, system, "http://127.0.0.1:9", secrets, options=wanted)
    return build(made, Http(made, clock=SystemClock()))


def shaped(system):
    """Objects that nearly look like the system's own webhooks."""
    events = sorted({*connector_class(system).EVENTS, *connector_class(system).IGNORED})
    event = st.sampled_from(events) | JSON if events else JSON
    keys = st.sampled_from(
        ["event", "type", "event_type", "data", "id", "entity", "ticket", "properties", "visitor"]
    )
    return st.dictionaries(keys | TEXTS, event | JSON, max_size=6)


@pytest.mark.parametrize("system", sorted(CONNECTORS))
@settings(max_examples=150)
@given(data=st.data())
def test_no_webhook_makes_a_connector_fail(system, data):
    found = data.draw(shaped(system) | st.dictionaries(TEXTS, JSON, max_size=5))
    headers = data.draw(
        st.dictionaries(
            st.sampled_from(["x-webhook-event", "x-webhook-delivery", "webhook-id"]), TEXTS
        )
    )
    parsed, said = outcome(lambda: connector(system).parse(headers, found), Malformed)
    assert said != "(no words)"
    if not said:
        assert isinstance(parsed, Parsed)


@settings(max_examples=400)
@given(st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_an_object_or_malformed(raw):
    found, said = outcome(lambda: body.parse(raw), Malformed)
    assert said != "(no words)"
    if not said:
        assert isinstance(found, dict)
        json.dumps(found, allow_nan=False).encode()


@settings(max_examples=200)
@given(st.binary(max_size=3000))
def test_what_is_kept_of_a_body_can_be_stored_and_shown(raw):
    kept = body.scrub(raw, Scrubber())
    kept.encode()
    assert not any(ord(letter) < 32 and letter not in "\t\n\r" for letter in kept)


WEBHOOKS = [
    Webhook("standard-webhooks", (Secret(KEY),)),
    Webhook("hmac-sha256", (Secret("s" * 16),), header="X-Sig"),
    Webhook("hmac-sha256", (Secret("s" * 16),), header="X-Sig", timestamp_header="X-Time"),
    Webhook("static-header", (Secret("s" * 16),), header="X-Sig"),
]
NAMES = st.sampled_from(["x-sig", "x-time", "webhook-id", "webhook-timestamp", "webhook-signature"])


@pytest.mark.parametrize("number", range(len(WEBHOOKS)))
@settings(max_examples=200)
@given(
    headers=st.dictionaries(NAMES, TEXTS | st.text(alphabet="v1,abc=0123456789 ", max_size=80)),
    raw=st.binary(max_size=60),
)
def test_no_headers_pass_for_a_signature_or_break_the_check(number, headers, raw):
    with pytest.raises((BadSignature, Expired)):
        signing.verify(WEBHOOKS[number], headers, raw, NOW)


@pytest.mark.parametrize("number", range(len(WEBHOOKS) - 1))
@settings(max_examples=100)
@given(raw=st.binary(min_size=1, max_size=60), at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_breaks_a_signature(number, raw, at, flip):
    headers = {
        name.lower(): value for name, value in signing.sign(WEBHOOKS[number], raw, NOW, "d").items()
    }
    signing.verify(WEBHOOKS[number], headers, raw, NOW)
    index = at % len(raw)
    changed = raw[:index] + bytes([raw[index] ^ flip]) + raw[index + 1 :]
    with pytest.raises(BadSignature):
        signing.verify(WEBHOOKS[number], headers, changed, NOW)


YAML = st.text(
    alphabet="abc:-# \n\t'\"[]{}&*!|>%@`?,.0123456789~<\x85\u2028é", max_size=120
) | JSON.map(json.dumps)


@settings(max_examples=400)
@given(YAML)
def test_a_file_of_configuration_is_read_or_named_with_its_line(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    _found, said = outcome(lambda: yaml_reader.load(file, "fuzz.yaml"), ConfigError)
    assert not said or all(line.startswith("fuzz.yaml") for line in said.splitlines()[:1])


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_a_date_of_a_vendors_is_a_date_or_nothing(text):
    found = http_date(text)
    assert found is None or found.tzinfo is not None
