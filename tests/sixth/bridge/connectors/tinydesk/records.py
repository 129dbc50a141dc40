"""From Tinydesk's items to records: the ref, which is our marker, is taken out."""

from __future__ import annotations

from bridge.connectors.contract import Record
from bridge.connectors.parsing import Row, row_id
from bridge.core.model.values import Ref
from bridge.http.caller import Answer
from tests.sixth.bridge.connectors.tinydesk.capabilities import TICKET


def record(connection: str, row: Row, answer: Answer) -> Record:
    """Return a record of an item."""
    data = {name: value for name, value in row.items() if name != "ref"}
    ref = Ref(connection, TICKET, row_id(row))
    return Record(ref, data, answer.sent_at, marker=row.get("ref"), clocks=answer.clocks)
