"""Handles: what a system finds a record by where its id does not serve (a ticket's number).

A link's side keeps that of its record. Of a record that no link knows yet, the work of reading it
holds what the hint said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import BindParameter, bindparam, select

from bridge.core.model.values import Ref
from bridge.ledger import hints
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.tables import side, work


def known(tx: Tx, connection: str, entity: str, ids: Collection[str]) -> dict[str, str]:
    """Return the handles of a connection's records, by id.

    What was read of a record counts before what a hint said.
    """
    keys = [hints.key(Ref(connection, entity, remote_id)) for remote_id in ids]
    found = {row.remote_id: row.handle for row in tx.execute(_OF_WORK, {"names": keys})}
    of_sides = {"of": connection, "kind": entity, "names": list(ids)}
    return found | {row.remote_id: row.handle for row in tx.execute(_OF_SIDES, of_sides)}


class LedgerHandles:
    """The handles of one connection, as a connector asks for them."""

    def __init__(self, ledger: Ledger, connection: str) -> None:
        self._ledger, self._connection = ledger, connection

    def __call__(self, entity: str, ids: Collection[str], /) -> Mapping[str, str]:
        """Return the known ones by id."""
        with self._ledger.read() as tx:
            return known(tx, self._connection, entity, ids)


_NAMES: BindParameter[list[str]] = bindparam("names", expanding=True)
_OF_WORK = select(work.c.remote_id, work.c.handle).where(
    work.c.key.in_(_NAMES), work.c.handle != ""
)
_OF_SIDES = select(side.c.remote_id, side.c.handle).where(
    side.c.connection == bindparam("of"),
    side.c.entity == bindparam("kind"),
    side.c.remote_id.in_(_NAMES),
    side.c.handle != "",
)
