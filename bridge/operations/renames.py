"""Another name for a connection or a sync, in the ledger: the files say it already, or soon will.

Renamed in the files alone, all that is known under the old name would rest, and be made again under
the new one. The acts below are done with the bridge stopped, and each in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model.counting import counted
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import configurations, renaming
from bridge.ledger.database import Tx
from bridge.ledger.former_names import RENAMED
from bridge.operations.desk import Desk
from bridge.runs import adoption


def rename_connection(desk: Desk, old: str, new: str) -> Mapping[str, int]:
    """Give everything that is known of connection OLD to NEW; how much that was, by table.

    Raises UnknownName when nothing is known of OLD, NotPossible when NEW has records of its own or
    while the bridge runs.
    """
    with desk.acting(RENAMED, new, {"old": old}) as tx:
        _refuse_while_running(tx, desk)
        if not renaming.is_known(tx, old):
            known = ", ".join(sorted(adoption.count_known(tx).connections)) or "none"
            raise UnknownName(f"nothing of {old} is known; connections with records: {known}")
        count = renaming.count_records(tx, new)
        if old == new or count:
            known = counted(count, f"record of {new} is known", f"records of {new} are known")
            owned = "it is the same name" if old == new else known
            raise NotPossible(
                f"{owned}: two connections cannot be made one. Take {new} out of the files, or "
                "give it a name that nothing has"
            )
        counts = renaming.rename_connection(tx, old, new)
        adoption.rename(tx, desk.context, desk.actor, "connections", old, new)
    return counts


def rename_sync(desk: Desk, old: str, new: str) -> Mapping[str, int]:
    """Give all tickets of sync OLD to NEW; how much that was, by table.

    Raises UnknownName when OLD has no tickets, NotPossible when NEW has some or while the bridge
    runs.
    """
    with desk.acting("sync rename", new, {"old": old}) as tx:
        _refuse_while_running(tx, desk)
        tickets = configurations.count_tickets(tx)
        if not tickets.get(old):
            known = ", ".join(sorted(tickets)) or "none"
            raise UnknownName(f"{old} has no tickets; syncs with tickets: {known}")
        if tickets.get(new):
            raise NotPossible(
                f"{new} has {counted(tickets[new], 'ticket')}: two syncs cannot be made one"
            )
        counts = renaming.rename_sync(tx, old, new)
        adoption.rename(tx, desk.context, desk.actor, "syncs", old, new)
    return counts


def _refuse_while_running(tx: Tx, desk: Desk) -> None:
    running = adoption.running(tx, desk.context)
    if running:
        kinds = ", ".join(sorted({each.kind for each in running}))
        raise NotPossible(f"the bridge is running ({kinds}): stop it, rename, then start it again")
