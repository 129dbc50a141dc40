"""Imports and live plans name a connection that is not called, and end."""

import pytest

from bridge.cli.import_progress import show_progress
from bridge.ledger import connection_health, run_records
from bridge.operations import imports
from bridge.preview.dry_run import preview
from tests.flow.pair import SYNC, pair
from tests.operations.desks import bridge_of, desk_of


@pytest.fixture
def estate(tmp_path):
    found = pair(tmp_path)
    found.apps["product"].populate(3, 1)
    return found


@pytest.fixture
def imported(estate):
    def go():
        bridge = bridge_of(estate)
        estate.config.syncs[SYNC] = estate.context.syncs[SYNC]
        here = desk_of(estate)
        ids = imports.start_import(here, SYNC)
        steps = imports.follow_import(bridge, here, ids)
        return ids, show_progress(steps, imports.allowed_rates(here), quiet=False)

    return go


def stop(estate, name):
    with estate.ledger.transaction() as tx:
        connection_health.refuse(tx, name, "answered 401", estate.clock.now())


def test_an_import_ends_when_all_that_is_left_waits_for_a_stopped_connection(
    estate, imported, capsys
):
    stop(estate, "product")
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        connection_health.pause(
            tx, "helpdesk", now.replace(second=now.second + 1), "answered 429", now=now
        )  # waited for first
    ids, progress = imported()
    assert (progress.halted, progress.undone) == (["product"], "the listing of product")
    assert capsys.readouterr().err.count("product is stopped, because answered 401") == 1
    with estate.ledger.transaction() as tx:
        assert [run_records.get(tx, str(each)).finished_at is None for each in ids] == [False, True]
        connection_health.resume(tx, "product")
    estate.settle()
    assert len(estate.apps["helpdesk"].tickets()) == 3  # it went on by itself
    assert imported()[1].halted == []


def test_it_ends_as_well_when_what_was_listed_waits_to_be_made_there(estate, imported, capsys):
    with estate.ledger.transaction() as tx:
        connection_health.hold(tx, "helpdesk", "they are moving", estate.clock.now())
    progress = imported()[1]
    assert (progress.halted, progress.undone) == (
        ["helpdesk"],
        "the listing of helpdesk, 3 pieces of work",
    )
    assert (
        "paused until `bridge connection resume helpdesk`, because they are moving"
        in capsys.readouterr().err
    )


def test_a_rest_that_ends_by_itself_is_named_and_waited_for(estate, imported, capsys):
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        connection_health.pause(
            tx, "product", now.replace(second=now.second + 3), "answered 429", now=now
        )
    assert imported()[1].halted == []
    assert (
        "product is paused until 2026-01-05 09:00:03Z, because answered 429"
        in capsys.readouterr().err
    )
    assert len(estate.apps["helpdesk"].tickets()) == 3


def test_a_live_plan_says_why_a_listing_did_not_end(estate):
    stop(estate, "product")
    found = preview(estate.context, estate.ledger, estate.connectors, [SYNC], live=True)
    assert found.stopped == [
        "product: the listing did not end: product is stopped, because answered 401"
    ]
