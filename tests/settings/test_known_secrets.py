"""Every secret that a home declares is known to what takes secrets out of text."""

from __future__ import annotations

import base64
import dataclasses
import io
import logging
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from bridge import wiring
from bridge.core.model.syncs import Secret
from bridge.observability import log
from bridge.scrubber import HIDDEN, Scrubber
from tests.settings.builders import BRIDGE, loaded

PLANTED = {
    "a credential": "k3y+of/one=4711",
    "the webhook's secret": "s1gns/one+0815",
    "the webhook's secret before": "s1gned/one+0814",
    "the other credential": "k3y+of/two=4712",
    "a marker's key": "m4rker/key+of-32-characters-0816",
    "the older marker's key": "m4rker/key+before-that-one-0817",
    "the proxy's password": "pr0xy/p@ss+1",
    "the database's password": "d4tabase/p@ss+2",
    "the database's other password": "ssl/p4ss+3",
    "the password of Redis": "r3dis/p@ss+4",
    "what signs notices": "whsec_bjB0aWNlcyBvZiB0aGUgYnJpZGdlLCAwODE4",
    "what signed notices": "whsec_bjB0aWNlcyBvZiBhIHllYXIgYWdvLCAwODE5",
    "the token in a notice's address": "t0ken-of-hooks/0820",
    "the token for /metrics": "m3trics/t0ken+5",
}
HOME = (
    BRIDGE.replace('["${SECRET}"]', '["${SECRET}", "${OLDER}"]')
    .replace("    team: blue\n", '    team: blue\n    proxy: "http://clerk:${PROXY}@proxy:3128"\n')
    .replace("abc", '"${TWO}"')
    + 'marker_keys: ["${MARKER}", "${MARKER_BEFORE}"]\n'
    + 'database: "postgresql://u:${DATABASE}@h/db?sslpassword=${SSL}"\n'
    + 'redis: "redis://:${REDIS}@h:6379/0"\n'
    + 'notices: {ops: {url: "https://h/${HOOK}", secrets: ["${NOTICES}", "${NOTICES_BEFORE}"]}}\n'
)
VARIABLES = ("KEY", "SECRET", "OLDER", "TWO", "MARKER", "MARKER_BEFORE", "PROXY")
NOTICES = ("NOTICES", "NOTICES_BEFORE", "HOOK")
IN_ADDRESSES = {"PROXY", "DATABASE", "SSL", "REDIS"}


@pytest.fixture(scope="module")
def environ():
    names = (*VARIABLES, "DATABASE", "SSL", "REDIS", *NOTICES, "BRIDGE_METRICS_TOKEN")
    return {
        name: quote(value, safe="") if name in IN_ADDRESSES else value
        for name, value in zip(names, PLANTED.values(), strict=True)
    }


@pytest.fixture(scope="module")
def config(tmp_path_factory, environ):
    return loaded(tmp_path_factory.mktemp("home"), environ, bridge=HOME)


@pytest.mark.parametrize("what", sorted(PLANTED))
def test_each_declared_secret_is_hidden_in_a_log_line(config, environ, what):
    secret, stream = PLANTED[what], io.StringIO()
    log.configure("worker", stream=stream, secrets=wiring.secrets_of(config, environ))
    for said in (secret, quote(secret, safe=""), secret.replace("/", "\\/"), secret[:-2]):
        logging.getLogger("bridge.x").warning("it says %s", said, extra={"records": said})
    assert len(stream.getvalue().splitlines()) == 4
    pieces = {secret[at : at + 6] for at in range(len(secret) - 5)}
    assert not {piece for piece in pieces if piece in stream.getvalue()}


def test_whatever_a_configuration_calls_a_secret_is_known(config, environ):
    scrubber = Scrubber(wiring.secrets_of(config, environ))
    declared = {secret.reveal() for secret in declared_in((config.settings, config.connections))}
    assert len(declared) >= 7
    assert all(map(scrubber.holds, declared))


def declared_in(value):
    """Yield every `Secret` within a value."""
    if isinstance(value, Secret):
        yield value
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from declared_in(getattr(value, each.name))
    elif isinstance(value, Mapping | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from declared_in(each)


def test_a_proxys_password_is_hidden_in_the_form_that_is_sent(config, environ):
    password = PLANTED["the proxy's password"]
    sent = base64.b64encode(f"clerk:{password}".encode()).decode()
    shown = Scrubber(wiring.secrets_of(config, environ)).text(f"got {sent}")
    assert HIDDEN in shown
    assert sent[10:16] not in shown
