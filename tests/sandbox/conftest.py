import itertools
from datetime import UTC, datetime, timedelta

import pytest
import requests

from bridge.core.model.syncs import Secret, Webhook
from bridge.sandbox.posthog import PostHogSandbox
from bridge.sandbox.switch import SwitchSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.sandbox.played import Run


@pytest.fixture
def may_be_told():
    """These tests call the sandboxes themselves, and try what no connector may."""
    return lambda call: ": undocumented: " in call


class VirtualClock:
    """Time that passes only when told."""

    def __init__(self):
        self.time = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def sequence():
    return itertools.count(1)


@pytest.fixture
def switch(clock, sequence):
    return SwitchSandbox(clock, 1, sequence=sequence)


@pytest.fixture
def posthog(clock, sequence):
    return PostHogSandbox(clock, 2, sequence=sequence)


def session_for(app, clock=None):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", WSGIAdapter(app, clock))
    session.headers["Authorization"] = f"Bearer {app.api_key}"
    return session


@pytest.fixture
def to_switch(switch, clock):
    return session_for(switch, clock)


@pytest.fixture
def to_posthog(posthog, clock):
    return session_for(posthog, clock)


def hmac_webhook():
    return Webhook("hmac-sha256", (Secret("switch-secret"),), header="X-Webhook-Signature")


def standard_webhook():
    return Webhook("standard-webhooks", (Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),))


@pytest.fixture
def run(switch, posthog, to_switch, to_posthog, clock):
    return Run(switch, posthog, to_switch, to_posthog, clock)
