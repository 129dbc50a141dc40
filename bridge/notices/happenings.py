"""What happened, found in the ledger and written into the outbox of notices.

Everything is told by what the ledger shows now, not by what somebody reported: what is set aside,
in conflict, stopped or waiting is told once while it lasts, and what was over before anybody looked
is not told at all. The mark that something was told is stored in the transaction of its notice. So
whatever dies in between costs a second, and neither loses a notice nor repeats it.

A thousand of a kind are one notice: what has one cause is counted, and the next notice of that
cause comes no earlier than QUIET after the one before.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from bridge.config import Config
from bridge.core.model.notice_types import (
    BehindNotice,
    CaughtUpNotice,
    ConflictNotice,
    DriftNotice,
    NoticeEndpoint,
    NoticeType,
    ParkedNotice,
    RecoveredNotice,
    RunNotice,
    StoppedNotice,
    UnknownValueNotice,
)
from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.ledger import connection_health, notice_outbox, notice_sources, unread_values
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.notice_sources import WaitingTickets
from bridge.ledger.run_records import PUT_BACK, STOPPED, RunRow
from bridge.ledger.unread_values import UnreadValue
from bridge.runs import account_metrics, upkeep

QUIET: Final = timedelta(minutes=5)
"""For so long after a notice the next one with the same cause is collected."""
BEHIND_AFTER: Final = timedelta(minutes=15)
"""A ticket that has waited for longer is told of."""
FAILING_AFTER: Final = timedelta(minutes=1)
"""A connection to which calls fail for so long is told of."""
UNTOLD_RUNS: Final = frozenset({"poll", account_metrics.KIND, upkeep.KIND, upkeep.START})
"""Runs that begin by themselves all the time: only that they fail is told."""
_WELL: Final = "ok"


@dataclass(frozen=True, slots=True)
class TellScope:
    """What may be told, and to whom, as the files say."""

    endpoints: Mapping[str, NoticeEndpoint]
    members: Mapping[str, frozenset[str]]
    """Sync -> its connections."""
    fields: Mapping[tuple[str, str], Collection[str]]
    """Connection and entity -> the fields that its mapping names."""
    connections: frozenset[str]
    pages_url: str


def scope_of(config: Config) -> TellScope:
    """Return what the files say of notices."""
    by_provider = config.settings.openid
    pages_url = config.settings.pages_url or (by_provider.pages if by_provider else "")
    return TellScope(
        endpoints=config.settings.notices,
        members={name: frozenset(sync.members) for name, sync in config.syncs.items()},
        fields={
            (name, entity): mapped.fields
            for name, by_entity in config.maps.items()
            for entity, mapped in by_entity.items()
        },
        connections=frozenset(config.connections),
        pages_url=pages_url,
    )


class Happenings:
    """Looks into the ledger and writes notices; `scope` is asked at each look."""

    def __init__(
        self, ledger: Ledger, now: Callable[[], datetime], scope: Callable[[], TellScope]
    ) -> None:
        self._ledger, self._now, self._scope = ledger, now, scope
        self._declared: dict[str, str] | None = None

    def tell(self) -> int:
        """Tell what was set aside, is in conflict, has ended or was stopped; how many notices."""
        scope = self._scope()
        self._declare(scope)
        if not scope.endpoints:
            return 0
        with self._ledger.read() as tx:
            health = connection_health.by_name(tx)
            told = notice_outbox.told(tx, NoticeType.STOPPED)
            differs = list(_changed_health(scope, health, told, self._now()))
            if not differs and not notice_sources.any_untold(tx):
                return 0
        return self._in_turn(
            scope, [_parked_work, _open_conflicts, _ended_runs, _stopped_connections]
        )

    def tell_what_lasts(self) -> int:
        """Tell which tickets wait for long and which values are unknown; how many notices.

        It looks at more than `tell`, and is done more rarely.
        """
        scope = self._scope()
        self._declare(scope)
        if not scope.endpoints:
            return 0
        with self._ledger.read() as tx:  # it may take a while, in which others write
            waiting = notice_sources.waiting_tickets(tx, self._now(), BEHIND_AFTER)
            values = unread_values.unread_values(tx)
            told = [notice_outbox.told(tx, kind) for kind in (NoticeType.BEHIND, NoticeType.VALUE)]
        if not any((waiting, values, *told)):
            return 0
        return self._in_turn(
            scope,
            [
                lambda telling: _waiting_tickets(telling, waiting),
                lambda telling: _unknown_values(telling, values),
            ],
        )

    def _in_turn(self, scope: TellScope, tellers: list[Callable[[_Telling], None]]) -> int:
        with self._ledger.transaction() as tx:
            notice_outbox.take_turn(tx)
            telling = _Telling(tx, scope, self._now())
            for teller in tellers:
                teller(telling)
        return telling.count

    def _declare(self, scope: TellScope) -> None:
        """Have the ledger know the endpoints of the files, whenever those have changed."""
        addresses = {
            name: hashlib.sha256(each.url.reveal().encode()).hexdigest()
            for name, each in scope.endpoints.items()
        }
        if addresses != self._declared:
            with self._ledger.transaction() as tx:
                notice_outbox.declare(tx, addresses, self._now())
            self._declared = addresses


class _Telling:
    """One transaction in which notices are written."""

    def __init__(self, tx: Tx, scope: TellScope, now: datetime) -> None:
        self.tx, self.scope, self.now = tx, scope, now
        self.count = 0

    def add(self, kind: NoticeType, content: Any, connection: str = "", *, sync: str = "") -> None:
        """Write a notice for whoever wants it; about a connection, or about a sync."""
        scope = self.scope
        about = {connection} if connection else scope.members.get(sync, frozenset())
        syncs = (
            {sync}
            if sync
            else {name for name, members in scope.members.items() if connection in members}
        )
        wanted_by = [
            name for name, each in scope.endpoints.items() if each.wants(kind, about, syncs)
        ]
        if wanted_by:
            data = for_json(asdict(content))
            notice_outbox.add(
                self.tx, secrets.token_hex(16), kind, connection, data, wanted_by, self.now
            )
            self.count += 1

    def loud(self, kind: NoticeType) -> Callable[[tuple[str, str]], bool]:
        """Return what says whether a cause may have a notice again."""
        told = notice_outbox.told(self.tx, kind)

        def may(cause: tuple[str, str]) -> bool:
            _state, at = told.get(cause, ("", None))
            return at is None or not timedelta(0) <= self.now - at < QUIET

        return may

    def note(self, kind: NoticeType, connection: str, subject: str, state: str = "") -> None:
        """Note that something was told."""
        notice_outbox.tell(self.tx, kind, connection, subject, state, self.now)

    def page(self, *parts: str, query: str = "") -> str | None:
        """Return the address of a page; None where nobody has said where the pages are."""
        if not self.scope.pages_url:
            return None
        path = "/".join(quote(part, safe="") for part in parts)
        return f"{self.scope.pages_url}/{path}" + (f"?{query}" if query else "")


def for_json(value: Any) -> Any:
    """Return content as a notice's body has it: times in UTC, as text."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {name: for_json(item) for name, item in value.items()}
    return [for_json(item) for item in value] if isinstance(value, list) else value


def _parked_work(telling: _Telling) -> None:
    tx, may = telling.tx, telling.loud(NoticeType.PARKED)
    for connection, code in notice_sources.parked_groups(tx):
        if not may((connection, code)):
            continue
        if (found := notice_sources.tell_parked(tx, connection, code)) is None:
            continue
        content = ParkedNotice(
            code=code,
            meaning=MEANINGS[code].title,
            do=MEANINGS[code].do,
            connection=connection,
            count=found.count,
            waiting=notice_sources.count_parked(tx, connection, code),
            since=found.since,
            tickets=found.tickets,
            page=telling.page("problems"),
        )
        telling.add(NoticeType.PARKED, content, connection)
        telling.note(NoticeType.PARKED, connection, code)


def _open_conflicts(telling: _Telling) -> None:
    tx, may = telling.tx, telling.loud(NoticeType.CONFLICT)
    for sync, field in notice_sources.conflict_groups(tx):
        cause = f"{sync} {field}"
        if not may(("", cause)):
            continue
        if (found := notice_sources.tell_conflicts(tx, sync, field)) is None:
            continue
        content = ConflictNotice(
            code=Code.CONFLICT,
            sync=sync,
            field=field,
            count=found.count,
            waiting=notice_sources.count_conflicts(tx, sync, field),
            since=found.since,
            tickets=found.tickets,
            page=telling.page("conflicts"),
        )
        telling.add(NoticeType.CONFLICT, content, sync=sync)
        telling.note(NoticeType.CONFLICT, "", cause)


def _ended_runs(telling: _Telling) -> None:
    tx = telling.tx
    begun = min(each.since for each in notice_outbox.endpoints(tx).values())
    for run in notice_sources.tell_runs(tx):
        if run.finished_at is None or run.finished_at < begun:
            continue  # it ended before there was anybody to tell
        outcome, code = _outcome(run)
        failed = outcome == "failed"
        if run.error == PUT_BACK or (failed and notice_sources.failed_before(tx, run)):
            continue
        if failed or run.kind not in UNTOLD_RUNS:
            content = RunNotice(
                run=str(run.id),
                kind=run.kind,
                connection=run.connection,
                entity=run.entity,
                outcome=outcome,
                code=code,
                started_at=run.started_at,
                finished_at=run.finished_at,
                seen=run.seen,
                page=telling.page("runs", str(run.id)),
            )
            kind = NoticeType.RUN_FAILED if failed else NoticeType.RUN_FINISHED
            telling.add(kind, content, run.connection)
        _drift_of(telling, run)


def _outcome(run: RunRow) -> tuple[str, str]:
    if not run.error:
        return "done", ""
    if run.error == STOPPED:
        return "stopped", ""
    return "failed", Code.PROCESS_DOWN if run.kind == upkeep.START else Code.RUN_FAILS


def _drift_of(telling: _Telling, run: RunRow) -> None:
    """Tell what a comparison found; of a poll only where a webhook had to tell of it before."""
    count, missed = notice_sources.count_drift(telling.tx, run.id)
    if not (missed if run.kind == "poll" else count):
        return
    content = DriftNotice(
        run=str(run.id),
        kind=run.kind,
        connection=run.connection,
        entity=run.entity,
        count=count,
        missed=missed,
        page=telling.page("drift", query=f"run={run.id}"),
    )
    telling.add(NoticeType.DRIFT, content, run.connection)


def _stopped_connections(telling: _Telling) -> None:
    health = connection_health.by_name(telling.tx)
    told = notice_outbox.told(telling.tx, NoticeType.STOPPED)
    changes = list(_changed_health(telling.scope, health, told, telling.now))
    for connection, state, code in changes:
        page = telling.page("connections", connection)
        if code is None:
            recovered = RecoveredNotice(connection, page)
            telling.add(NoticeType.RECOVERED, recovered, connection)
        else:
            content = StoppedNotice(
                connection=connection,
                state=state,
                code=code,
                meaning=MEANINGS[code].title,
                do=MEANINGS[code].do,
                since=_since(health[connection], telling.now),
                page=page,
            )
            telling.add(NoticeType.STOPPED, content, connection)
        telling.note(NoticeType.STOPPED, connection, "", state)


def _changed_health(
    scope: TellScope,
    health: Mapping[str, Health],
    told: Mapping[tuple[str, str], tuple[str, datetime]],
    now: datetime,
) -> Iterator[tuple[str, str, Code | None]]:
    """Yield the connections that are not as was told last, with their state and its code."""
    for connection in sorted(scope.connections):
        last, _at = told.get((connection, ""), (_WELL, now))
        of_it = health.get(connection)
        state, code = (_WELL, None) if of_it is None else _state(of_it, now)
        if state == _WELL and of_it is not None and of_it.opened:
            continue  # it fails for a moment, or is being tried again
        if state != last:
            yield connection, state, code


def _state(health: Health, now: datetime) -> tuple[str, Code | None]:
    if health.held_at is not None:
        return "paused", Code.CONNECTION_HELD
    if health.refused_at is not None:
        return "stopped", Code.KEY
    if health.opened and now - _since(health, now) >= FAILING_AFTER:
        return "failing", Code.CONNECTION_FAILING
    return _WELL, None


def _since(health: Health, now: datetime) -> datetime:
    return health.held_at or health.refused_at or health.since or now


def _waiting_tickets(telling: _Telling, waiting: Mapping[str, WaitingTickets]) -> None:
    """Tell once of each connection at which tickets wait for long, and once that none does."""
    told = notice_outbox.told(telling.tx, NoticeType.BEHIND)
    for connection in sorted(waiting.keys() & telling.scope.connections):
        if (connection, "") in told:
            continue
        found = waiting[connection]
        content = BehindNotice(
            connection=connection,
            count=found.count,
            since=found.since,
            longer_than=int(BEHIND_AFTER.total_seconds()),
            tickets=found.tickets,
            page=telling.page("tickets", query="state=behind"),
        )
        telling.add(NoticeType.BEHIND, content, connection)
        telling.note(NoticeType.BEHIND, connection, "", "behind")
    over = [key for key in told if key[0] not in waiting]
    for connection, _subject in over:
        content_over = CaughtUpNotice(connection, telling.page("connections", connection))
        telling.add(NoticeType.CAUGHT_UP, content_over, connection)
    notice_outbox.untell(telling.tx, NoticeType.BEHIND, over)


def _unknown_values(telling: _Telling, shown: list[UnreadValue]) -> None:
    """Tell once of each value that no mapping can read, all of a field's together."""
    tx, fields = telling.tx, telling.scope.fields
    told, may = notice_outbox.told(tx, NoticeType.VALUE), telling.loud(NoticeType.VALUE)
    found = [each for each in shown if each.field in fields.get((each.connection, each.entity), ())]
    keys = {(each.connection, _value_key(each)) for each in found}
    fresh: dict[tuple[str, str, str], list[UnreadValue]] = {}
    for each in found:
        if (each.connection, _value_key(each)) not in told:
            fresh.setdefault((each.connection, each.entity, each.field), []).append(each)
    for (connection, entity, field), values in fresh.items():
        cause = f"{entity}.{field}"
        if not may((connection, cause)):
            continue
        content = UnknownValueNotice(
            code=Code.READ_VALUE,
            connection=connection,
            entity=entity,
            field=field,
            values=len(values),
            records=sum(each.records for each in values),
            page=telling.page("values"),
        )
        telling.add(NoticeType.VALUE, content, connection)
        telling.note(NoticeType.VALUE, connection, cause)
        for value in values:
            telling.note(NoticeType.VALUE, connection, _value_key(value), "unknown")
    over = [key for key, (state, _at) in told.items() if state and key not in keys]
    notice_outbox.untell(tx, NoticeType.VALUE, over)


def _value_key(value: UnreadValue) -> str:
    """Return what a value is known by; the value itself is nothing for this table."""
    shown = hashlib.blake2b(repr(value.value).encode(), digest_size=12).hexdigest()
    return f"{value.entity}.{value.field} {shown}"
