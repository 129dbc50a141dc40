"""Plans as operations: what has changed since the last one, what is written, what is held."""

from dataclasses import replace

import pytest

from bridge.cli.plan_lines import print_plan
from bridge.errors import UnknownName
from bridge.ledger import audit, work
from bridge.operations import plans
from bridge.runs import reconcile
from tests.flow.pair import SYNC, pair
from tests.operations.desks import bridge_of, desk_of


@pytest.fixture
def estate(tmp_path):
    found = pair(tmp_path)
    found.apps["product"].populate(3, 1)
    return found


@pytest.fixture
def bridge(estate):
    bridge = bridge_of(estate)
    estate.config.syncs[SYNC] = estate.context.syncs[SYNC]
    return bridge, desk_of(estate)


def test_a_plan_is_shown_compared_with_the_last_one_and_carried_out(
    estate, bridge, tmp_path, capsys
):
    planned = plans.make_plan(*bridge, SYNC, live=True)
    assert plans.changes_since_last(tmp_path, SYNC, planned) is None
    plans.remember(tmp_path, SYNC, planned)
    assert plans.changes_since_last(tmp_path, SYNC, planned) == []
    print_plan(planned, [], 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "helpdesk: 3 creates, 2 updates, 0 deletes"
    assert "    and 1 more of this kind" in lines
    assert lines[-1].startswith("calls: helpdesk ")

    smaller = replace(planned, writes=planned.writes[1:])
    changes = plans.changes_since_last(tmp_path, SYNC, smaller)
    assert [change.partition(":")[0] for change in changes] == ["gone"]
    applied = plans.carry_out(*bridge, SYNC, planned, override_unsafe=False)
    assert (applied.done, applied.left, applied.errors) == (5, 0, [])
    assert len(estate.apps["helpdesk"].tickets()) == 3
    with estate.ledger.read() as tx:
        (act,) = audit.recent(tx)
    assert (act["actor"], act["action"], act["subject"]) == ("local:me", "apply", SYNC)


def test_what_a_killed_apply_had_begun_is_carried_out_by_the_next(estate, bridge):
    planned = plans.make_plan(*bridge, SYNC, live=True)
    with estate.ledger.transaction() as tx:  # and it died
        reconcile.start_syncs(tx, estate.context, [SYNC])
    applied = plans.carry_out(*bridge, SYNC, planned, override_unsafe=False)
    assert (applied.done, applied.left, len(applied.runs)) == (5, 0, 2)


def test_an_unknown_sync_or_connection_is_named(bridge):
    with pytest.raises(UnknownName, match="no sync nothing; allowed: "):
        plans.make_plan(*bridge, "nothing", live=False)
    with pytest.raises(UnknownName, match="no connection nobody; allowed: "):
        plans.held_writes(bridge[1], "nobody")


def test_what_is_held_on_a_connection_is_let_through_once(estate, bridge):
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        for name in ("helpdesk", "product"):
            work.enqueue(
                tx, kind="deliver", key=name, connection=name, entity="ticket", due_at=now, now=now
            )
        for claimed in work.claim(tx, "me", now, now, 5):
            work.park(tx, claimed, "me", "12 of 20 closed", "unsafe", now)
    (held,) = plans.held_writes(bridge[1], "helpdesk")
    assert (held.subject, held.why) == ("helpdesk", "12 of 20 closed")
    assert plans.release_held(bridge[1], "helpdesk", [held]) == 1
    assert plans.held_writes(bridge[1], "helpdesk") == []
    assert len(plans.held_writes(bridge[1])) == 1
