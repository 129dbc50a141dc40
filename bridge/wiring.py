"""The composition root: it builds the parts from a home's configuration, and alone knows all."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from bridge.clock import Clock, SystemClock
from bridge.config import Config
from bridge.config.mapping_texts import Published
from bridge.config.published_mappings import with_mappings
from bridge.connectors import build
from bridge.connectors.contract import Connector
from bridge.engine import earlier_markers, worker_identity
from bridge.engine.call_log import CallLog
from bridge.engine.context import Context
from bridge.engine.worker import Drain, DrainCounts
from bridge.errors import ConfigError, FilesDiffer, LedgerError
from bridge.home import find_home
from bridge.home_configuration import (
    as_called,
    connector_classes,
    context_of,
    load_config,
    newest_of,
    published_in,
    sandbox_accounts,
    secrets_of,
)
from bridge.http.call_record import Keep
from bridge.http.client import Http
from bridge.ledger import refused_webhooks, running_processes
from bridge.ledger.database import Ledger, Tx
from bridge.observability import log
from bridge.openid.late import LateProvider
from bridge.procedures import PROCEDURES
from bridge.queue.doorbell import Doorbell
from bridge.queue.embedded_valkey import socket_for
from bridge.queue.redis_budget import RedisBudget
from bridge.queue.rq_worker import stopping
from bridge.runs import (
    account_metrics,
    adoption,
    older_ledger,
    published_files,
    reconcile,
    retention,
    schedule,
    upkeep,
)

__all__ = [
    "connector_classes",
    "context_of",
    "load_config",
    "published_in",
    "sandbox_accounts",
    "secrets_of",
]

OUTDATED_SECONDS = 1.0
"""A worker that may begin nothing waits so long before it answers the next ring."""
PUBLISHED_MEANWHILE = 20
"""So often mappings may be published while a process starts, before it gives up."""
SEEN_EVERY = timedelta(seconds=10)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Bridge:
    """A bridge that is ready to work: its parts, and what processes and commands ask of them."""

    config: Config
    context: Context
    ledger: Ledger
    doorbell: Doorbell
    connectors: dict[str, Connector]
    clock: Clock
    worker: Drain
    calls: CallLog
    alone: bool = False
    """It works for one command by itself: who typed that needs no news of its start and end."""
    kind: str = ""
    """What it has entered as: `worker`, `web`, `clock`, or a command."""
    refused: str = ""
    """The files in force, if this process cannot take them up; that was told."""
    told: str = ""
    """By which files this process works, as the ledger was told."""
    seen_at: datetime | None = None
    """When the ledger was last told that this process is at work."""
    provider: LateProvider | None = None
    """By which users of the pages sign in; None: it was not built for that."""

    def enter(self, kind: str, *, accept: bool = False, alone: bool = False) -> None:
        """Put the files in force, and count as a running process of that kind until `leave`.

        Raises NotAccepted when they changed in a way that looks like a mistake, unless `accept`
        says that it is meant so. `alone`: a command that works by itself. Raises FilesDiffer, and
        leaves those in force that are, when processes run by others.
        """
        self.kind, self.alone = kind, alone
        self._by_the_newest(lambda: self._has_entered(kind, accept=accept, alone=alone))
        self._tell("started")

    def accept(self, actor: str) -> None:
        """Put the files in force although they changed in a doubtful way; it is written down."""
        self._by_the_newest(lambda: self._has_accepted(actor))

    def _has_accepted(self, actor: str) -> bool:
        with self.ledger.transaction() as tx:
            return self._put_in_force(tx, actor, accept=True)

    def _by_the_newest(self, act: Callable[[], bool]) -> None:
        """Act by the mappings in force, and again while others are published in between."""
        if self.config.from_ledger and not self.config.number:
            # The ledger has none yet: it begins with the home's files.
            self._work_by(Published(1, self.config.files))
        for _ in range(PUBLISHED_MEANWHILE):
            if act():
                return
            self._work_by(self._published())
        raise ConfigError(["mappings are published all the time; nothing was done, try again"])

    def _has_entered(self, kind: str, *, accept: bool, alone: bool) -> bool:
        """Enter, and return True; False, and nothing was done: others were published meanwhile."""
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            running_processes.forget_ended(tx, now, worker_identity.is_alive)
            if alone and (differs := self._differs(tx)):
                raise FilesDiffer([f"{differs}; nothing was done"])
            if not self._put_in_force(tx, kind, accept=accept):
                return False
            if kind == "web" and "web" not in {
                each.kind for each in adoption.running(tx, self.context)
            }:
                refused_webhooks.note_restart(tx, now)
            running_processes.started(tx, self.worker.owner, kind, self.context.revision, now)
        return True

    def _put_in_force(self, tx: Tx, actor: str, *, accept: bool) -> bool:
        """Put these files in force and keep them; False: others were published meanwhile."""
        files, number = self.config.files, self.config.number
        if self.config.from_ledger and not published_files.are_newest(tx, files, number):
            return False
        adoption.take_up(tx, self.context, actor, accept=accept)
        published_files.keep(tx, self.context, files, actor)
        return True

    def enter_beside(self, kind: str) -> None:
        """Count as one more process of that kind until `leave`, by files that are in force."""
        now = self.clock.now()
        self.kind = kind
        with self.ledger.transaction() as tx:
            running_processes.forget_ended(tx, now, worker_identity.is_alive)
            running_processes.started(tx, self.worker.owner, kind, self.context.revision, now)
        self._tell("started")

    def follow(self, *names: str) -> None:
        """Take up the mappings that were published since, where the ledger has them.

        Called between two pieces of work. `names`: as for `note_seen`. What cannot be loaded, as by
        an older version of the bridge, leaves this process by the mappings that it has, until a
        worker goes by the newer ones; `bridge doctor` shows it.
        """
        if not self.config.from_ledger:
            return
        with self.ledger.read() as tx:
            in_force, number = published_files.in_force(tx, self.context)
        # Another revision under the same number: other settings are in force, which take a restart.
        if in_force != self.context.revision and number != self.config.number:
            if in_force != self.refused:
                try:
                    self._work_by(self._published())
                except ConfigError as error:
                    self._refuse(in_force, str(error))
            if in_force == self.refused:
                with self.ledger.read() as tx:
                    published_files.stay(tx, self.context, in_force)
                return
        if self.refused:
            self._refuse("", "")
        if self.told != self.context.revision:
            with self.ledger.transaction() as tx:
                for name in names or (self.worker.owner,):
                    running_processes.took_up(tx, name, self.context.revision)
            self.told = self.context.revision
            logger.info("works by revision %d of the mappings", self.config.number)

    def _refuse(self, in_force: str, error: str) -> None:
        """Note, where `bridge doctor` looks, that published mappings cannot be loaded here."""
        why = f"the mappings that were published cannot be loaded here: {error}" if error else ""
        self.store_start(f"{self.kind} with the newest mappings", why)
        self.refused = in_force
        if why:
            logger.error("%s; this process goes on by revision %d", why, self.config.number)

    def _published(self) -> Published:
        if (newest := newest_of(self.ledger)) is None:
            raise ConfigError(["the ledger has no mappings: `bridge mappings import DIR`"])
        return newest

    def _work_by(self, published: Published) -> None:
        """Work by other mappings from now on. Raises ConfigError, and all is as it was."""
        config = with_mappings(self.config, published, connector_classes())
        self.config = as_called(config)
        self.context = context_of(self.config, self.clock)
        self.worker.work_by(self.context)

    def leave(self) -> None:
        """Count as a running process no longer; without a ledger, its end shows by itself."""
        with contextlib.suppress(LedgerError), self.ledger.transaction() as tx:
            running_processes.ended(tx, self.worker.owner)
        self._tell("stopped")

    def _tell(self, what: str) -> None:
        level = logging.DEBUG if self.alone else logging.INFO
        logger.log(level, what, extra={"owner": self.worker.owner})

    def files_notice(self) -> str:
        """Return in words how the files differ from those in force; empty when they do not."""
        with self.ledger.read() as tx:
            running = self._differs(tx)
            if running or not adoption.is_outdated(tx, self.context):
                return running
        return "the files have changed since the bridge last ran: `bridge check` says what it means"

    def _differs(self, tx: Tx) -> str:
        number = self.config.number if self.config.from_ledger else 0
        return published_files.difference(tx, self.context, number)

    def have_entered(self, pids: Collection[int]) -> bool:
        """Return whether processes of this machine have read the files and begun by them."""
        with self.ledger.read() as tx:
            running = adoption.running(tx, self.context)
        return {worker_identity.process_id(each.id) for each in running}.issuperset(pids)

    def is_outdated(self) -> bool:
        """Return whether other files are in force than this process was started with."""
        with self.ledger.read() as tx:
            return adoption.is_outdated(tx, self.context)

    def drain(self, *, keys: Collection[str] = ()) -> DrainCounts:
        """Answer the doorbell: work on what is due, and ring again if more is.

        `keys`, when not empty: only on the work of these keys.
        """
        self.doorbell.answered()
        was_outdated = self.worker.outdated
        counts = self.worker.run(keys=keys)
        if self.worker.outdated:
            self.follow()
            self.worker.outdated = self.is_outdated()
        if self.worker.outdated:
            if not was_outdated:
                logger.error("other files are in force: this process begins nothing; restart it")
            self.clock.sleep(OUTDATED_SECONDS)  # the next ring is left to others
        elif not self.worker.stopping():
            self.announce()
        return counts

    def note_seen(self, *names: str) -> bool:
        """Note, at most every SEEN_EVERY, that this process is at work; return whether it has.

        Called by the loop whose going round it proves, and never by a thread beside that. `names`:
        of the process that has entered, when this one is a part of it, and of this one if it has.
        """
        now = self.clock.now()
        if self.seen_at is not None and self.seen_at <= now <= self.seen_at + SEEN_EVERY:
            return False
        self.seen_at = now
        return upkeep.note_seen(
            self.ledger, names or (self.worker.owner,), self.context.unknown, now
        )

    def keep_up(self, *names: str) -> bool:
        """Do what `note_seen` does and, whenever that notes something, what `follow` does."""
        if not self.note_seen(*names):
            return False
        with contextlib.suppress(LedgerError):
            self.follow(*names)
        return True

    def announce(self) -> bool:
        """Ring if work is due."""
        with self.ledger.read() as tx:
            due = schedule.due_work(tx, self.clock.now())
        return self.doorbell.ring() if due else False

    def start_due_runs(self) -> list[int]:
        """Start the reconciliations whose time has come, and fetch account metrics now and then.

        Nothing is started once other files are in force.
        """
        self.note_seen()
        with self.ledger.transaction() as tx:
            if adoption.is_outdated(tx, self.context):
                return []
            account_metrics.queue_due_fetches(tx, self.connectors, self.clock.now())
        return schedule.start_due_runs(self.context, self.ledger)

    def start_run(
        self, connection: str, kind: str, *, report: bool = False, accept: bool = False
    ) -> list[int]:
        """Start a reconciliation of a connection now, and return the ids of the runs begun.

        `report`: only look. `accept`: believe the listing, however many known records it lacks.
        """
        with self.ledger.transaction() as tx:
            run_ids = reconcile.start_all(
                tx, self.context, connection, kind, report=report, accept=accept
            )
        self.doorbell.ring()
        return run_ids

    def take_over(self) -> int:
        """Free what dead workers of this machine held, and runs that an older version parked.

        Rings if it was anything, and returns how much.
        """
        freed = upkeep.free_dead_claims(self.ledger, self.clock.now())
        freed += upkeep.free_parked_runs(self.ledger, self.clock.now())
        if freed:
            self.announce()
        return freed

    def store_upkeep(self, duty: str, error: str = "") -> None:
        """Store how one of the clock's duties ended."""
        upkeep.store_outcome(self.ledger, duty, self.clock.now(), error)

    def store_start(self, process: str, trouble: str) -> None:
        """Store why a process cannot be started; without a reason: it is well."""
        now = self.clock.now()
        upkeep.store_outcome(self.ledger, process, now, trouble, kind=upkeep.START)

    def notice_older_ledger(self) -> bool:
        """See whether the ledger was lost or put back; then creates wait until it has caught up."""
        return older_ledger.notice(self.ledger, self.context, self._newest_create_file)

    def note_newest_create(self) -> None:
        """Note how far the ledger has come, outside of it."""
        older_ledger.note(self.ledger, self._newest_create_file)

    @property
    def _newest_create_file(self) -> Path:
        return self.config.home / "var" / older_ledger.FILE

    def check_account(self) -> None:
        """Log an error when a webhook that was accepted is accounted for nowhere."""
        upkeep.check_webhook_account(self.ledger, self.clock.now())

    def follow_clock(self, step: timedelta) -> None:
        """Bring what waits in the ledger along with a clock that was set back by `step`."""
        upkeep.follow_clock(self.ledger, self.clock.now(), step)

    def renew_census(self) -> None:
        """Count again what there is in a large ledger, if that was not done lately."""
        upkeep.renew_census(self.ledger, self.clock.now())

    def prune(self) -> None:
        """Forget what the ledger no longer has to keep."""
        retention.prune(self.ledger, self.clock.now(), self.config.settings.keep_history)

    def prune_calls(self) -> None:
        """Forget calls to vendors that are old, or too many."""
        retention.prune_calls(self.ledger, self.clock.now())

    def close(self) -> None:
        """Keep the last calls, and let go of the ledger's connections."""
        self.calls.close()
        self.ledger.close()


def connect(config: Config, clock: Clock, keep: Keep | None = None) -> dict[str, Connector]:
    """Build the connector of every connection; nobody is called by that.

    `keep` is handed each call, but those of connections with `calls: false`.
    """
    return {
        name: build(each, Http(each, clock=clock, keep=keep if each.calls else None))
        for name, each in config.connections.items()
    }


def build_bridge(
    home: Path | None = None,
    *,
    told_to_stop: Callable[[], bool] = lambda: False,
    check_ledger: bool = True,
    revision: int | None = None,
    or_files: bool = False,
) -> Bridge:
    """Build the bridge for a home, with real time, a real ledger and a real doorbell.

    Raises LedgerError when the ledger is not of this version; without `check_ledger`, whoever uses
    it meets that. `revision` and `or_files`: as `load_config` has them.
    """
    home = home or find_home()
    config = load_config(home, need_ledger=check_ledger, revision=revision, or_files=or_files)
    clock = SystemClock()
    ledger = Ledger(config.settings.database)
    calls = CallLog(ledger)
    connectors = connect(config, clock, calls.add)
    context = context_of(config, clock)
    redis_url = socket_for(home) if config.settings.redis == "embedded" else config.settings.redis
    if check_ledger:
        ledger.check()
    earlier_markers.recognise(connectors, ledger)
    owner = worker_identity.name(uuid.uuid4().hex[:6])
    worker = Drain(
        context,
        ledger,
        connectors,
        RedisBudget(redis_url),
        owner,
        PROCEDURES,
        stopping=told_to_stop,
    )
    bridge = Bridge(config, context, ledger, Doorbell(redis_url), connectors, clock, worker, calls)
    worker.beat = bridge.note_seen
    bridge.provider = LateProvider(config.settings.openid, clock)
    return bridge


def configure_logging(process: str, config: Config | None = None, *, level: str = "info") -> None:
    """Log as the environment asks, else from this level on.

    A configuration's secrets are taken out of every line.
    """
    log.configure(
        process,
        form=os.environ.get("BRIDGE_LOG", "text"),
        level=os.environ.get("BRIDGE_LOG_LEVEL", level),
        secrets=secrets_of(config, os.environ) if config else (),
    )


@cache
def current() -> Bridge:
    """Return this process's bridge: jobs are called by name and have no other way to it."""
    return build_bridge(told_to_stop=stopping.is_set)
