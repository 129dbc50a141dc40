"""Names by which connections were known: another one since, or in the files no more.

Vendors go on sending webhooks there until somebody tells them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from bridge.ledger import configurations
from bridge.ledger.database import Tx
from bridge.ledger.tables import audit

RENAMED: Final = "connection rename"
"""The action by which the audit tells of a renamed connection."""


def former_names(tx: Tx) -> dict[str, str]:
    """Return by former name of a connection the one that it has now; empty: it retired."""
    in_force = configurations.newest(tx)
    found = dict.fromkeys(in_force.detail.get("retired", ()) if in_force is not None else (), "")
    renames = select(audit.c.subject, audit.c.detail).where(audit.c.action == RENAMED)
    for new, detail in tx.execute(renames.order_by(audit.c.id)).all():
        old = detail["old"]
        found = {name: new if now == old else now for name, now in found.items() if name != new}
        found[old] = new
    return found
