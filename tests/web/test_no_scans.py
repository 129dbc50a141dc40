"""Each page and endpoint is asked for, and no statement that it runs goes through a big table.

The plan is asked for on few rows: SQLite then takes an index wherever one fits, and so does
PostgreSQL where it is told to.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event, select, update

from bench.addresses import AskedSite
from bench.estate import Estate, make_home
from bench.furnishing import Sizes, furnish
from bridge import wiring
from bridge.core.model.state import Link, Side
from bridge.errors import UnknownName
from bridge.ledger import census, links, tables
from bridge.operations import desk as desks
from bridge.operations import find

NOWHERE = "http://127.0.0.1:9"
BIG = {
    *("link", "side", "work", "attempt", "create_intent", "inbox", "journal", "conflict", "drift"),
    *("sighting", "match_key", "unmapped", "person", "audit", "survey", "surveyed_key"),
    "vendor_call",
}
"""Tables that grow with the tickets or with the time."""
OF_FEW = {
    *("ix_link_paused", "ix_side_unread", "ix_side_tombstone", "ix_inbox_pending"),
    *("ix_work_parked_cause", "ix_drift_open"),
    *("uq_attempt_open", "uq_create_intent_open", "uq_conflict_open"),
}
"""Indexes of the few rows that wait for something."""
EXCEPTED = {
    r"count\(\*\).* FROM work .*GROUP BY": "the backlog is counted, which is all that there is",
    r"min\(work.due_at\).* FROM work .*GROUP BY": "and so is for how long it waits",
    r"FROM drift WHERE drift.found_at >=": "so many days are counted, by an index of their times",
    r"FROM unmapped\s+LIMIT": "it ends after so many rows, whatever they are",
}
"""Statements that may, and why."""
SMALL = Sizes(events=300, parked=20, conflicts=10, unread=10, acts=10, drafts=2)


@dataclass
class Statements:
    """All that a ledger was asked, each once, with its parameters and what it was asked for."""

    ledger: object
    asked: str = ""
    found: dict = field(default_factory=dict)

    def __enter__(self):
        event.listen(self.ledger.engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_error):
        event.remove(self.ledger.engine, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement, parameters, _context, many):
        if not many and re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", statement):
            self.found.setdefault(statement, (parameters, self.asked))

    def scans(self):
        """Return which of them go through a big table, how, and what had asked."""
        wrong = []
        with self.ledger.read() as tx:
            for statement, (parameters, asked) in self.found.items():
                in_line = " ".join(statement.split())
                if not any(re.search(shape, in_line) for shape in EXCEPTED):
                    found = PLANS[tx.dialect.name](tx, statement, parameters)
                    wrong += [f"{asked}: {how}\n{statement}" for how in found]
        return wrong


def of_sqlite(tx, statement, parameters):
    plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    details = [row.detail for row in plan]
    # Without a condition or an order of its own, a limit ends it at the first rows.
    ends = re.search(r"\bLIMIT\b", statement) and not re.search(r"\bWHERE\b", statement)
    if ends and not any("TEMP B-TREE FOR ORDER" in detail for detail in details):
        return
    named = {alias: table for table, alias in re.findall(r"\b(\w+) AS (\w+)", statement)}
    for detail in details:
        scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", detail)
        if scan and named.get(scan[1], scan[1]) in BIG and scan[2] not in OF_FEW:
            yield detail


def of_postgresql(tx, statement, parameters):
    """Yield nothing if it can do without: few rows are rather sorted than found in their order."""
    tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
    found = []
    for sort in ("off", "on"):
        tx.exec_driver_sql(f"SET LOCAL enable_sort = {sort}")
        plan = tx.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
        found.append(list(_of_node(plan[0]["Plan"], ends=False)))
    return found[1] if all(found) else []


def _of_node(node, *, ends):
    kind, table = node["Node Type"], node.get("Relation Name")
    entered = {"Index Cond", "Recheck Cond"} & node.keys() or node.get("Index Name") in OF_FEW
    if table in BIG and not entered and not (ends and "Filter" not in node):
        yield f"{kind} of {table} by {node.get('Index Name')} {node.get('Filter', '')}"
    for part in node.get("Plans", ()):
        yield from _of_node(part, ends=kind == "Limit" or (ends and kind == "Nested Loop"))


PLANS = {"sqlite": of_sqlite, "postgresql": of_postgresql}


@pytest.fixture
def asked(tmp_path, ledger_url):
    """A furnished bridge, large by the numbers of its rows, whose clock has counted them."""
    folder = tmp_path / "home"
    make_home(folder, NOWHERE, NOWHERE, database=ledger_url)
    estate = Estate(folder, ledger_url)
    estate.populate(60)
    bridge = wiring.build_bridge(folder)
    bridge.enter("test")
    desk = desks.of(bridge, "local:me")
    furnish(estate.ledger, desk, SMALL)
    with bridge.ledger.transaction() as tx:
        newest = Link("0", "tickets", "ticket", sides={"left": Side("left", "last")})
        assert links.create(tx, newest, desk.now())
        for table in (tables.side, tables.inbox):
            newest = select(table.c.id).order_by(table.c.id.desc()).limit(1).scalar_subquery()
            tx.execute(update(table).where(table.c.id == newest).values(id=10 * census.LARGE))
    bridge.renew_census()
    yield AskedSite(desk)
    bridge.close()
    estate.ledger.close()


def test_no_page_and_no_endpoint_goes_through_a_big_table(asked):
    """Nor does whoever names a ticket, by an id or the beginning of one."""
    record, link = asked.names["record"], asked.names["ref"]
    begins = record[:-1]
    refs = [record, f"left:{record}", begins, f"left:{begins}", link[:30], "no-such-id", "%_%_"]
    with Statements(asked.desk.ledger) as statements:
        for question in asked.questions():
            statements.asked = question.address
            answer = asked.get(question)
            assert answer.status_code == 200, f"{question.address}: {answer.text[-400:]}"
        with asked.desk.ledger.read() as tx:
            for ref in refs:
                statements.asked = ref
                with suppress(UnknownName):
                    find.the_one(tx, ref)
    assert len(statements.found) > 100
    wrong = statements.scans()
    assert not wrong, "\n\n".join(wrong)


def test_a_scan_is_seen(ledger):
    side = tables.side.c
    with Statements(ledger, "a question") as statements, ledger.read() as tx:
        tx.execute(select(side.id).where(side.version == "1"))
        tx.execute(select(side.id).where(side.version == "1").limit(5))
        tx.execute(select(side.id).where(side.remote_id == "1"))
        tx.execute(select(side.id).order_by(side.id.desc()).limit(5))
    assert len(statements.scans()) == 2
