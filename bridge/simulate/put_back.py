"""The ledger is put back from a backup, or lost altogether: the vendors know more than it does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bridge.ledger import catch_up, ledger_backup, renaming, table_rows, webhook_inbox
from bridge.ledger.database import Tx
from bridge.operations.evidence import all_links, conflicts
from bridge.runs import adoption
from bridge.runs.older_ledger import WHY_OLDER
from bridge.simulate.stage import KeptLedger, Stage

FILE: Final = "ledger.backup"


def keep(stage: Stage) -> None:
    """Let an operator back the ledger up."""
    with tempfile.TemporaryDirectory(prefix="bridge-simulate-") as made:
        ledger_backup.write(stage.ledger, Path(made) / FILE)
        stage.kept = KeptLedger((Path(made) / FILE).read_bytes(), dict(stage.known_as))


def put_back(stage: Stage) -> None:
    """Let the newest backup be put in place of the ledger; without one, let the ledger be empty.

    What was recorded and is lost by that was recorded all the same: the judge is told.
    """
    with stage.ledger.read() as tx:
        stage.lost_facts += [*conflicts(stage.context, tx), *_known(stage, tx)]
    names, now = stage.context.connections, stage.clock.now()
    if stage.kept is not None:
        with tempfile.TemporaryDirectory(prefix="bridge-simulate-") as made:
            file = Path(made) / FILE
            file.write_bytes(stage.kept.content)
            ledger_backup.restore(stage.ledger, file, names, now, replace=True)
        _rename_again(stage, stage.kept)
    else:
        with stage.ledger.transaction() as tx:
            table_rows.clear(tx)
            catch_up.begin(tx, sorted(names), "poll", WHY_OLDER, now)
    with stage.ledger.read() as tx:
        stage.accepted = webhook_inbox.account(tx).accepted
    for line in stage.lines.values():
        line.forget_refusals()
    stage.start(stage.context, stage.called)


def _known(stage: Stage, tx: Tx) -> Iterator[dict[str, Any]]:
    """Yield a fact for each record that the ledger has in a link, or has had made, by its account.

    Of what was made it need not have heard: it had written down that it asks for it.
    """
    known = {
        (stage.account(name), side.remote_id)
        for link in all_links(stage.context, tx)
        for name, side in link.sides.items()
    }
    for account, app in stage.apps.items():
        made = (each for each in app.journal.since() if each.kind == "create")
        known |= {(account, each.id) for each in made if each.actor == "bridge"}
    for account, remote_id in sorted(known):
        yield {"kind": "known", "connection": account, "id": remote_id}


def _rename_again(stage: Stage, kept: KeptLedger) -> None:
    """Let an operator rename what the files call otherwise by now."""
    with stage.ledger.transaction() as tx:
        for account, old in kept.known_as.items():
            new = stage.known_as[account]
            if new != old and renaming.is_known(tx, old):
                renaming.rename_connection(tx, old, new)
                adoption.rename(tx, stage.context, "admin", "connections", old, new)
