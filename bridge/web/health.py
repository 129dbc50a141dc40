"""`/healthz`, `/readyz` and `/metrics`: for orchestrators. They name parts, never hosts, addresses or secrets."""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from flask import Blueprint, Request, Response, jsonify, request

from bridge.clock import Clock
from bridge.core.model.syncs import Secret
from bridge.ledger import connection_health as healths
from bridge.ledger import summary
from bridge.ledger.database import Ledger
from bridge.queue import Bell
from bridge.web.receiver.counters import Counters, labels

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
STATES: Final = ("ok", "failing", "trying", "paused", "stopped")
_FORWARDED: Final = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")

log = logging.getLogger(__name__)


def blueprint(
    ledger: Ledger, doorbell: Bell, clock: Clock, counters: Counters, token: Secret | None = None
) -> Blueprint:
    """Give the routes; `token` opens the metrics to others than this machine."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def live() -> Response:
        if "verbose" not in request.args or not (_is_local(request) or _has_token(request, token)):
            return jsonify(status="ok")
        now = clock.now()
        with ledger.read() as tx:
            found = healths.by_name(tx)
        told = {
            name: {"state": each.state(now), "why": each.words(now)} for name, each in found.items()
        }
        # The process lives all the same: whoever restarts it for a vendor's trouble makes two
        # troubles of one.
        return jsonify(status="ok", connections=told)

    @routes.get("/readyz")
    def ready() -> tuple[Response, int]:
        parts = {"ledger": _word(_ledger_answers(ledger)), "redis": _word(doorbell.ping())}
        if parts["ledger"] == "down":
            return jsonify(status="down", **parts), 503
        # Without Redis webhooks are still taken and kept: leaving the balancer now would lose them
        # instead.
        return jsonify(status="ok" if parts["redis"] == "ok" else "degraded", **parts), 200

    @routes.get("/metrics")
    def metrics() -> tuple[Response, int]:
        if not (_is_local(request) or _has_token(request, token)):
            return jsonify(
                error="send BRIDGE_METRICS_TOKEN as a bearer token, or ask from this machine"
            ), 401
        parts = {"ledger": _ledger_answers(ledger), "redis": doorbell.ping()}
        lines = counters.lines() + _gauge("bridge_up", "Whether a part answers.", "part", parts)
        if parts["ledger"]:
            lines += _figures(ledger, clock.now())
        return Response("\n".join(lines) + "\n", content_type=PLAIN), 200

    return routes


def _figures(ledger: Ledger, now: datetime) -> list[str]:
    with ledger.read() as tx:
        found = summary.summary(tx, now)
    backlog = dict(found.backlog)
    oldest = backlog.pop("oldest_due", None)
    waited = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    refused = {name: health.refused_at is not None for name, health in found.health.items()}
    states = [
        (name, word, health.state(now) == word)
        for name, health in found.health.items()
        for word in STATES
    ]
    settled = found.account.verdicts | {"in flight": found.account.in_flight}
    parked: Counter[str] = Counter()
    for group in found.parked:
        parked[group.cause] += group.count
    return [
        *_gauge("bridge_work", "Outstanding pieces of work, by state.", "state", backlog),
        *_gauge(
            "bridge_work_oldest_seconds",
            "How long the oldest due piece of work has waited.",
            "",
            {"": waited},
        ),
        *_gauge("bridge_inbox", "Webhooks in the inbox, by verdict.", "verdict", found.inbox),
        *_gauge(
            "bridge_records", "Records that are linked, by connection.", "connection", found.sides
        ),
        *_gauge(
            "bridge_conflicts_open",
            "Conflicts that wait for an admin.",
            "",
            {"": found.conflicts_open},
        ),
        *_gauge(
            "bridge_attempts_open",
            "Writes whose outcome is not known yet.",
            "",
            {"": found.attempts_open},
        ),
        *_gauge(
            "bridge_connection_refused",
            "Connections stopped until an admin resumes them.",
            "connection",
            refused,
        ),
        *_family(
            "bridge_connection_state",
            "How a connection is that ever had trouble; 1 for the one state that it is in.",
            [({"connection": name, "state": word}, float(is_it)) for name, word, is_it in states],
        ),
        *_gauge(
            "bridge_webhooks_accepted",
            "Webhooks ever accepted, each once.",
            "",
            {"": found.account.accepted},
        ),
        *_gauge(
            "bridge_webhooks_settled",
            "What became of every webhook ever accepted.",
            "verdict",
            settled,
        ),
        *_gauge(
            "bridge_webhooks_missing",
            "Accepted webhooks without account: 0.",
            "",
            {"": found.account.missing},
        ),
        *_gauge("bridge_work_lane", "Outstanding pieces of work, by lane.", "lane", found.lanes),
        *_gauge("bridge_work_parked", "Work that was set aside, by cause.", "cause", parked),
        *_family(
            "bridge_figure",
            "What a connection tells of itself.",
            [
                ({"connection": each.connection, "name": each.name}, each.value)
                for each in found.figures
            ],
        ),
    ]


def _family(
    name: str, meaning: str, samples: Sequence[tuple[Mapping[str, str], float]]
) -> list[str]:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    return lines + [f"{name}{labels(**named)} {value:g}" for named, value in samples]


def _gauge(name: str, meaning: str, label: str, values: Mapping[str, float]) -> list[str]:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    return lines + [
        f"{name}{labels(**{label: key}) if label else ''} {float(values[key]):g}"
        for key in sorted(values)
    ]


def _word(up: bool) -> str:
    return "ok" if up else "down"


def _ledger_answers(ledger: Ledger) -> bool:
    try:
        ledger.check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the ledger is not ready
        log.warning("the ledger is not ready: %s", type(error).__name__)
        return False
    return True


def _is_local(given: Request) -> bool:
    """Tell whether a request came from this machine itself, and not through a proxy that runs on it."""
    forwarded = any(given.headers.get(name) for name in _FORWARDED)
    return not forwarded and given.remote_addr in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def _has_token(given: Request, token: Secret | None) -> bool:
    value = token.reveal().encode() if token else b""
    said = (
        given.headers.get("Authorization", "").removeprefix("Bearer ").encode("latin-1", "replace")
    )
    return bool(value) and hmac.compare_digest(said, value)
