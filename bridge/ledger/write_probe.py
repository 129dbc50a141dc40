"""Whether the ledger takes writes, found out by one: a full disk shows at a commit, and only there.

What is written is one number, the same row each time.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from datetime import datetime
from threading import Thread
from typing import Final

from bridge.ledger.database import Contended, Ledger, Unreachable, insert
from bridge.ledger.tables import tally

PATIENCE_SECONDS: Final = 30.0
_NAME: Final = "probe"


def try_a_write(ledger: Ledger, now: datetime, patience: float = PATIENCE_SECONDS) -> None:
    """Write something tiny. Raises LedgerError when that is refused, or takes too long."""
    ended: Future[None] = Future()

    def write() -> None:
        try:
            with contextlib.suppress(Contended):  # others write: so it takes writes
                _write(ledger, now)
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            ended.set_exception(error)
        else:
            ended.set_result(None)

    # Who stands still with the ledger's lock in hand may make it wait for ever.
    Thread(target=write, name="write probe", daemon=True).start()
    try:
        ended.result(patience)
    except TimeoutError:
        raise Unreachable(
            f"the ledger at {ledger.shown} has taken no write for {patience:g} s: its database "
            "hangs, or a process of the bridge does while it writes"
        ) from None


def _write(ledger: Ledger, now: datetime) -> None:
    value = int(now.timestamp()) % 2**31
    with ledger.transaction() as tx:
        statement = insert(tx, tally).values(name=_NAME, value=value)
        tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
