"""`/healthz`, `/readyz` and `/metrics` for orchestrators; they show no hosts or secrets."""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Request, Response, jsonify, request

from bridge.clock import Clock
from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.core.model.syncs import Secret
from bridge.errors import LedgerError
from bridge.ledger import connection_health, failing_runs, summary
from bridge.ledger.database import Ledger
from bridge.operations.symptoms import ledger_writes
from bridge.operations.trouble import Trouble
from bridge.queue.bell import Bell
from bridge.web.latest_look import LatestLook
from bridge.web.receiver.counters import Counters, labels

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
TROUBLES_EVERY: Final = timedelta(seconds=15)
KEPT_FOR: Final = timedelta(seconds=2)
"""What was found out of a part is the answer for so long."""
WRITES_KEPT_FOR: Final = timedelta(seconds=10)
"""The same, of what is found out by a write."""
STATES: Final = ("ok", "failing", "trying", "paused", "stopped")
_FORWARDED: Final = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")

log = logging.getLogger(__name__)


def blueprint(
    ledger: Ledger,
    doorbell: Bell,
    clock: Clock,
    counters: Counters,
    token: Secret | None = None,
    troubles: Callable[[], Iterable[Trouble]] = tuple,
) -> Blueprint:
    """Return the routes; with `token` other machines may read the metrics.

    `troubles` returns what is wrong, which may take some time to find out.
    """
    looks = _Looks(ledger, doorbell, clock, troubles)
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def live() -> Response:
        if "verbose" not in request.args or not (_is_local(request) or _has_token(request, token)):
            return jsonify(status="ok")
        # Always ok: a vendor's trouble is no reason to restart this process.
        return jsonify(status="ok", **looks.verbose.current())

    @routes.get("/readyz")
    def ready() -> tuple[Response, int]:
        fault = looks.redis.current()
        parts = {
            "ledger": looks.ledger_state(),
            "redis": _up_or_down(fault is None) if fault in {None, Code.REDIS_DOWN} else str(fault),
        }
        if parts["ledger"] != "ok":
            return jsonify(status="down", **parts), 503
        # Without Redis webhooks are still accepted; out of the load balancer they would be lost.
        return jsonify(status="ok" if parts["redis"] == "ok" else "degraded", **parts), 200

    @routes.get("/metrics")
    def metrics() -> tuple[Response, int]:
        if not (_is_local(request) or _has_token(request, token)):
            return jsonify(
                error="send BRIDGE_METRICS_TOKEN as a bearer token, or ask from this machine"
            ), 401
        parts = {
            "ledger": looks.ledger_state() == "ok",
            "redis": looks.redis.current() is None,
        }
        lines = counters.lines() + _gauge("bridge_up", "Whether a part works.", "part", parts)
        if looks.ledger.current():
            lines += looks.figures.current()
        lines += trouble_metrics(looks.troubles.current())
        return Response("\n".join(lines) + "\n", content_type=PLAIN), 200

    return routes


class _Looks:
    """What the routes ask for. Nothing that hangs holds up a thread of the receiver."""

    def __init__(
        self,
        ledger: Ledger,
        doorbell: Bell,
        clock: Clock,
        troubles: Callable[[], Iterable[Trouble]],
    ) -> None:
        self.ledger = LatestLook(
            lambda: _ledger_answers(ledger), lambda _last: False, clock, KEPT_FOR
        )
        # In line behind others a write may take long, and that is no failure.
        self.writes: LatestLook[Code | None] = LatestLook(
            lambda: _write_fault(ledger, clock.now()), lambda last: last, clock, WRITES_KEPT_FOR
        )
        self.redis: LatestLook[Code | None] = LatestLook(
            doorbell.fault, lambda _last: Code.REDIS_DOWN, clock, KEPT_FOR
        )
        self.figures = LatestLook(
            lambda: _ledger_metrics(ledger, clock.now()), lambda _last: [], clock, KEPT_FOR
        )
        self.verbose = LatestLook(
            lambda: _connections_and_runs(ledger, clock.now()),
            lambda _last: {"ledger": "down"},
            clock,
            KEPT_FOR,
        )
        self.troubles = recent_troubles(troubles, clock)

    def ledger_state(self) -> str:
        """Return `ok`, `down`, or the outcome code of why the ledger takes no writes."""
        if not self.ledger.current():
            return "down"
        fault = self.writes.current()
        return "ok" if fault is None else str(fault)


def _write_fault(ledger: Ledger, now: datetime) -> Code | None:
    return next((trouble.code for trouble in ledger_writes(ledger, now)), None)


def _connections_and_runs(ledger: Ledger, now: datetime) -> dict[str, Any]:
    with ledger.read() as tx:
        by_name = connection_health.by_name(tx)
        failing = failing_runs.by_run(tx)
    connections = {
        name: {"state": health.state(now), "why": health.words(now)}
        for name, health in by_name.items()
    }
    runs = [
        {"kind": run.kind, "connection": run.connection, "entity": run.entity, "why": run.why}
        for run in failing.values()
    ]
    return {"connections": connections, "failing_runs": runs}


def _ledger_metrics(ledger: Ledger, now: datetime) -> list[str]:
    with ledger.read() as tx:
        status = summary.summary(tx, now)
        failing = failing_runs.by_run(tx)
    backlog = dict(status.backlog)
    oldest = backlog.pop("oldest_due", None)
    waited = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    refused = {name: health.refused_at is not None for name, health in status.health.items()}
    states = [
        (name, word, health.state(now) == word)
        for name, health in status.health.items()
        for word in STATES
    ]
    settled = status.account.verdicts | {"in flight": status.account.in_flight}
    parked: Counter[Code] = Counter()
    for group in status.parked:
        parked[group.code] += group.count
    return [
        *_gauge("bridge_work", "Outstanding pieces of work, by state.", "state", backlog),
        *_gauge(
            "bridge_work_oldest_seconds",
            "How long the oldest due piece of work has waited.",
            "",
            {"": waited},
        ),
        *_gauge("bridge_inbox", "Webhooks in the inbox, by verdict.", "verdict", status.inbox),
        *_gauge(
            "bridge_records", "Records that are linked, by connection.", "connection", status.sides
        ),
        *_gauge(
            "bridge_conflicts_open",
            "Conflicts that wait for an admin.",
            "",
            {"": status.conflicts_open},
        ),
        *_gauge(
            "bridge_attempts_open",
            "Writes whose outcome is not known yet.",
            "",
            {"": status.attempts_open},
        ),
        *_gauge(
            "bridge_connection_refused",
            "Connections stopped until an admin resumes them.",
            "connection",
            refused,
        ),
        *_metric(
            "bridge_connection_state",
            "How a connection is that ever had trouble; 1 for the one state that it is in.",
            [({"connection": name, "state": word}, float(is_it)) for name, word, is_it in states],
        ),
        *_metric(
            "bridge_run_failing_seconds",
            "For how long the runs of a kind have failed; absent when the last one worked.",
            [
                (
                    {"kind": run.kind, "connection": run.connection, "entity": run.entity},
                    max(0.0, (now - run.since).total_seconds()),
                )
                for run in failing.values()
            ],
        ),
        *_gauge(
            "bridge_webhooks_accepted",
            "Webhooks ever accepted, each once.",
            "",
            {"": status.account.accepted},
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
            {"": status.account.missing},
        ),
        *_gauge("bridge_work_lane", "Outstanding pieces of work, by lane.", "lane", status.lanes),
        *_metric(
            "bridge_work_parked",
            "Work that was set aside, by cause.",
            [
                ({"cause": MEANINGS[code].title, "code": code}, float(number))
                for code, number in sorted(parked.items())
            ],
        ),
        *_metric(
            "bridge_figure",
            "What a connection tells of itself.",
            [
                ({"connection": each.connection, "name": each.name}, each.value)
                for each in status.account_metrics
            ],
        ),
    ]


def recent_troubles(
    look: Callable[[], Iterable[Trouble]], clock: Clock
) -> LatestLook[list[Trouble]]:
    """Return what finds out what is wrong, at most every TROUBLES_EVERY, however often asked."""
    return LatestLook(lambda: list(look()), lambda last: last or [], clock, TROUBLES_EVERY)


def trouble_metrics(troubles: Iterable[Trouble]) -> list[str]:
    """Return what is wrong, counted, in Prometheus' text format."""
    counted = Counter(
        (trouble.code, trouble.connection) for trouble in troubles if not trouble.note
    )
    return _metric(
        "bridge_troubles",
        "What `bridge doctor` finds wrong, by outcome code; none: all is well.",
        [
            ({"code": code, "connection": connection}, float(number))
            for (code, connection), number in sorted(counted.items())
        ],
    )


def _metric(
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


def _up_or_down(up: bool) -> str:
    return "ok" if up else "down"


def _ledger_answers(ledger: Ledger) -> bool:
    try:
        ledger.check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the ledger is not ready
        # A driver's own text may show the address, and a password in it.
        why = str(error) if isinstance(error, LedgerError) else "its database does not answer"
        log.warning("the ledger is not ready: %s; see `bridge doctor`", why)
        return False
    return True


def _is_local(given: Request) -> bool:
    """Return whether a request came from this machine, and not through a proxy on it."""
    forwarded = any(given.headers.get(name) for name in _FORWARDED)
    return not forwarded and given.remote_addr in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def _has_token(given: Request, token: Secret | None) -> bool:
    value = token.reveal().encode() if token else b""
    header = given.headers.get("Authorization", "")
    sent = header.removeprefix("Bearer ").encode("latin-1", "replace")
    return bool(value) and hmac.compare_digest(sent, value)
