"""A receiver with three connections, one for each way of signing, over a real ledger."""

import base64
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.clock import SystemClock
from bridge.connectors import build, signing
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import Connection, Secret, Webhook
from bridge.http.client import Http
from bridge.ledger.database import Ledger
from bridge.queue.doorbell import Doorbell
from bridge.web.app import create_app
from bridge.web.receiver.gateway import Gateway
from bridge.web.receiver.intake import intake_for
from bridge.web.receiver.shared_numbers import shared

KEY = base64.b64encode(b"a key for tests, 32 bytes long..").decode()
OLD = base64.b64encode(b"the key before, 32 bytes long...").decode()
EVENT = '{"event": "ticket.updated", "data": {"id": "tkt_1"}}'
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def connection(name, system, webhook, **fields):
    return Connection(
        name=name,
        system=system,
        mapping=system,
        base_url="http://127.0.0.1:9",
        credentials={"api_key": Secret("k")},
        webhook=webhook,
        options={"project_id": "1"} if system == "posthog" else {},
        **fields,
    )


def connections(**fields):
    secrets = (Secret(KEY), Secret(OLD))
    found = [
        connection(
            "helpdesk",
            "switch",
            Webhook("hmac-sha256", secrets, header="X-Webhook-Signature"),
            **fields,
        ),
        connection("product", "posthog", Webhook("standard-webhooks", secrets), **fields),
        connection(
            "desk", "switch", Webhook("static-header", secrets, header="X-Secret"), **fields
        ),
        connection(
            "timed", "switch", Webhook("hmac-sha256", secrets, timestamp_header="X-Time"), **fields
        ),
        connection("silent", "switch", None, **fields),
    ]
    return {each.name: each for each in found}


@dataclass
class Config:
    connections: dict = field(default_factory=connections)


@dataclass
class Hands:
    """A clock that stands still until it is moved."""

    time: datetime = START
    put_off: list = field(default_factory=list)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)

    def later(self, seconds, act):
        if seconds:
            self.put_off.append((seconds, act))
        else:
            act()


@dataclass
class Rung:
    """A bell that remembers what the ledger held when it rang."""

    ledger: Ledger
    up: bool = True
    code: Code | None = None
    """What is wrong with it although it is up."""
    seen: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    """Who asked what is wrong with it."""
    hangs: threading.Event | None = None
    """It answers nobody before this is set."""

    def ring(self, lane="live"):  # noqa: ARG002
        self.seen.append(len(rows(self.ledger, "work")))
        return self.up

    def answered(self, lane="live"):
        pass

    def ping(self):
        return self.up

    def fault(self):
        self.asked.append(threading.current_thread().name)
        assert self.hangs is None or self.hangs.wait(60)
        return self.code if self.up else Code.REDIS_DOWN


def rows(ledger, table):
    from sqlalchemy import text

    with ledger.read() as tx:
        return [
            dict(row) for row in tx.execute(text(f"select * from {table} order by id")).mappings()
        ]


def connectors(configured, clock):
    return {name: build(each, Http(each, clock=clock)) for name, each in configured.items()}


def signed(configured, name, body, now, delivery="d1"):
    headers = signing.sign(configured[name].webhook, body, now, delivery)
    return {"content-type": "application/json", **headers}


def application():
    """Build the application for the granian of the process tests."""
    ledger = Ledger(os.environ["TEST_LEDGER"])
    config, clock = Config(), SystemClock()
    bell = Doorbell(Path(os.environ["TEST_REDIS"]))
    intake = intake_for(ledger, bell)
    app = create_app(
        config,
        ledger,
        bell,
        clock,
        connectors(config.connections, clock),
        intake=intake,
        limit=64 * 1024,
        numbers=shared(),
    )

    @app.get("/explode")
    def explode():
        raise RuntimeError("a secret detail")

    return Gateway(
        app,
        app.extensions["bridge"]["receiver"],
        limit=64 * 1024,
        bodies=256 * 1024,
        body_timeout=3,
        on_close=intake.close,
    )
