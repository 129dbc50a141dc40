"""The desk: everything that an operator's questions and acts need, and in whose name they are done.

Command line, API and pages open one and hand it to the operations; no operation opens anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge import wiring
from bridge.config import Config
from bridge.connectors.contract import Connector
from bridge.core.model.syncs import Connection, Sync
from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.errors import UnknownName
from bridge.ledger import audit
from bridge.ledger.database import Ledger, Tx
from bridge.queue.bell import Bell
from bridge.runs import schedule

if TYPE_CHECKING:  # few who work at a desk sign anybody in
    from bridge.openid.provider import Provider


@dataclass(frozen=True, slots=True)
class Desk:
    """A bridge as an operator works with it."""

    config: Config
    context: Context
    ledger: Ledger
    connectors: Mapping[str, Connector]
    bell: Bell
    actor: str
    """Who asks and acts, as the audit names them: `local:ana`."""
    budget: Budget
    """The calls that connections allow, which operations only look at."""
    masks: bool = False
    """Whoever sits here does not see personal values: `operations.masking` puts a mark there."""
    provider: Callable[[], Provider | None] = lambda: None
    """Returns the provider by which users of the pages sign in; None: the files name none."""
    files_notice: str = ""
    """How the files differ from those that the bridge runs by, in words."""

    def seen_by(self, actor: str, *, personal: bool) -> Desk:
        """Return this desk for somebody else; `personal`: they may see values of people."""
        hides = self.config.settings.mask_personal and not personal
        return replace(self, actor=actor, masks=hides)

    def now(self) -> datetime:
        """Return the present time."""
        return self.context.clock.now()

    def record_url(self, connection: str, remote_id: str) -> str:
        """Return the address of a ticket's page at the vendor; empty: none is declared."""
        known = self.config.connections.get(connection)
        template = known.ticket_url if known is not None else ""
        if not template or not remote_id.strip("./\\"):
            return ""  # dots alone would lead to another page
        return template.replace("{id}", quote(remote_id, safe=""))

    def connection(self, name: str) -> Connection:
        """Return the connection of this name. Raises UnknownName with those that there are."""
        if name not in self.config.connections:
            allowed = ", ".join(self.config.connections)
            raise UnknownName(f"no connection {name}; allowed: {allowed}")
        return self.config.connections[name]

    def sync(self, name: str) -> Sync:
        """Return the sync of this name. Raises UnknownName with those that there are."""
        if name not in self.config.syncs:
            raise UnknownName(f"no sync {name}; allowed: {', '.join(self.config.syncs)}")
        return self.config.syncs[name]

    @contextmanager
    def acting(
        self, action: str, subject: str, detail: Mapping[str, Any] | None = None
    ) -> Iterator[Tx]:
        """Open one transaction for an act and its line in the audit: both stand, or neither."""
        with self.ledger.transaction() as tx:
            yield tx
            self.write_down(tx, action, subject, detail)

    def write_down(
        self, tx: Tx, action: str, subject: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Put an act of this actor into the audit."""
        audit.add(
            tx, actor=self.actor, action=action, subject=subject, at=self.now(), detail=detail
        )

    def announce(self) -> None:
        """Wake a worker if work is due; without one, the clock will within a second or two."""
        with self.ledger.read() as tx:
            due = schedule.due_work(tx, self.now())
        if due:
            self.bell.ring()


@contextmanager
def opened(
    home: Path,
    actor: str,
    *,
    check_ledger: bool = True,
    revision: int | None = None,
    or_files: bool = False,
) -> Iterator[Desk]:
    """Open the bridge of a home for as long as the block lasts.

    `revision`: with these published mappings, where those in force may not be loaded here.
    `or_files`: with the home's files where they do not fit the settings, which is to be changed.
    Raises ConfigError, and LedgerError unless `check_ledger` is off: `bridge doctor` reports that
    itself.
    """
    bridge = wiring.build_bridge(
        home, check_ledger=check_ledger, revision=revision, or_files=or_files
    )
    try:
        opened = of(bridge, actor)
        yield replace(opened, files_notice=bridge.files_notice()) if check_ledger else opened
    finally:
        bridge.close()


def of(bridge: wiring.Bridge, actor: str) -> Desk:
    """Return a desk over a bridge that is open already."""
    return Desk(
        config=bridge.config,
        context=bridge.context,
        ledger=bridge.ledger,
        connectors=bridge.connectors,
        bell=bridge.doorbell,
        actor=actor,
        budget=bridge.worker.budget,
        provider=bridge.provider or (lambda: None),
    )
