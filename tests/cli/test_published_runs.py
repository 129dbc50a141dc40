"""A published change and the run that brings the tickets to it: both, or neither."""

import json
import os
import signal
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import event

from bridge.cli import mapping_undo
from bridge.config.mapping_texts import read_folder
from bridge.ledger import erasure, mapping_revisions, run_records, work
from bridge.ledger import tables as tables_of_ledger
from bridge.ledger.database import Ledger
from bridge.operations import mapping_rollback, revisions, undos
from bridge.operations.desk import opened
from bridge.operations.mapping_runs import CarryingOut
from bridge.runs import remapping
from tests.cli.conftest import KEYS
from tests.cli.test_effect import ON_HOLD, change
from tests.cli.test_files_differ import NOWHERE
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.operations.desks import bridge_of, desk_of

STATUSES = ("open", "pending", "open", "pending")


@pytest.fixture
def estate(tmp_path, monkeypatch):
    """Four tickets on both sides, two of them pending, in a home whose mappings are published."""
    for name, value in {**KEYS, **NOWHERE}.items():
        monkeypatch.setenv(name, value)
    made = Estate.on_disk(tmp_path / "home", files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    settings = made.folder / "config" / "bridge.yaml"
    settings.write_text(f"mappings: ledger\n{settings.read_text()}")
    made.command("mappings", "publish", "--yes", "--note", "the first")
    for number, status in enumerate(STATUSES):
        began = made.apps["helpdesk"].create(
            {"subject": f"Ticket {number}", "customer_email": f"c{number}@example.com"}
        )
        made.apps["helpdesk"].edit(began["id"], {"status": status})
        made.hint("helpdesk", began["id"])
    yield made
    made.ledger.close()


def in_force(estate):
    """The files in force, for this estate to run by."""
    with estate.ledger.read() as tx:
        found = mapping_revisions.newest(tx)
    estate.start({f"mappings/{name}": text for name, text in found.files.items()})
    return found


def shown(estate):
    return Counter(row["status"] for row in estate.apps["product"].tickets())


def writes_of(estate):
    """How often the bridge has written to each system."""
    return Counter(
        name for name in estate.apps for _each in estate.journal(name, "write", "create", "delete")
    )


def mapping_runs_of(ledger):
    with ledger.read() as tx:
        return run_records.recent(tx, 100, kinds=[remapping.RUN])


def publish(estate, *words):
    said = estate.command("mappings", *words, "--yes", "--override-unsafe", "--json")
    return json.loads(said.splitlines()[-1])


def test_what_was_confirmed_is_written_once_it_is_published(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    before = writes_of(estate)
    told = publish(estate, "publish")
    assert (told["revision"], told["effect"]["written"]) == (2, 2)
    (run,) = mapping_runs_of(estate.ledger)
    assert (run.id, run.figures["planned"], run.figures["mapping_revision"]) == (told["run"], 2, 2)
    assert writes_of(estate) == before
    assert f"{run.id}" in estate.command("status")
    in_force(estate)
    estate.settle()
    assert shown(estate) == {"open": 2, "on_hold": 2}
    assert writes_of(estate) - before == {"product": 2}
    (audited,) = [
        json.loads(line)
        for line in estate.command("audit", "--json").splitlines()
        if json.loads(line)["subject"] == "revision 2"
    ]
    assert audited["detail"]["run"] == run.id


def test_without_its_effect_a_change_leaves_each_ticket_until_somebody_touches_it(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    told = publish(estate, "publish", "--no-effect")
    assert (told["revision"], told["run"], told["effect"]) == (2, None, None)
    in_force(estate)
    estate.settle()
    assert shown(estate) == {"open": 2, "pending": 2}


def test_the_second_waits_until_the_first_is_through(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    publish(estate, "publish")
    with pytest.raises(
        AssertionError, match=r"nothing was published: run \d+ .*--no-effect publishes"
    ):
        publish(estate, "rollback", "1")
    assert in_force(estate).number == 2
    estate.settle()
    assert publish(estate, "rollback", "1")["revision"] == 3


def test_a_publish_that_is_killed_anywhere_has_happened_with_its_run_or_not_at_all(estate):
    """Killed for good, before each statement of it and after the last, and then done."""
    folder, url = estate.folder, f"sqlite:///{estate.folder}/var/bridge.db"
    change(folder / "mappings", "switch.yaml", ON_HOLD)
    with opened(folder, "local:ana", or_files=True) as desk:
        made = revisions.draft(desk, read_folder(folder / "mappings"), parent=1)
        with revisions.planned(desk, made) as plan:
            for statement in range(1, 100):
                pid = os.fork()
                if not pid:
                    _publish_and_die(desk, made, plan, url, statement)
                _pid, status = os.waitpid(pid, 0)
                killed = os.WIFSIGNALED(status)
                with desk.ledger.read() as tx:
                    newest, ours = mapping_revisions.newest_number(tx), mapping_runs_of(desk.ledger)
                    parts = work.next_due(tx, desk.now()) is not None
                happened = (2, [2], True) if not killed else (1, [], False)
                revisions_of_runs = [run.figures["mapping_revision"] for run in ours]
                assert (newest, revisions_of_runs, parts) == happened, statement
                if not killed:
                    break
    assert statement > 5


def _publish_and_die(desk, made, plan, url, statement):
    left = statement

    def count(*_arguments):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        ledger = Ledger(url)
        event.listen(ledger.engine, "before_cursor_execute", count)
        event.listen(ledger.engine, "commit", count)
        carrying_out = CarryingOut(plan, override_unsafe=True)
        revisions.publish(replace(desk, ledger=ledger), made, carrying_out=carrying_out)
    finally:
        os._exit(0)


def tables(estate):
    return {
        name: {row["id"]: row["status"] for row in estate.apps[name].tickets()}
        for name in ("helpdesk", "product")
    }


def undo(estate, number):
    """Go back to a revision as the command does, with this estate in place of workers."""
    desk, work_off = desk_of(estate), partial(undos.work_off, bridge_of(estate))
    return [
        mapping_rollback.take_back(desk, run.id, work_off)
        for run in mapping_rollback.runs_since(desk, number)
    ]


@pytest.mark.parametrize("through", [True, False], ids=["afterwards", "meanwhile"])
def test_what_was_written_for_a_change_is_taken_back_but_for_what_humans_changed(estate, through):
    before = tables(estate)
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    told = publish(estate, "publish")
    in_force(estate)
    if through:
        estate.settle()
    pending = sorted(key for key, status in before["product"].items() if status == "pending")
    estate.apps["product"].edit(pending[0], {"status": "resolved"})
    estate.hint("product", pending[0])
    (taken,) = undo(estate, 1)
    assert taken.run == told["run"]
    assert [(each.ref, each.field, each.by) for each in taken.kept] == (
        [(f"product:{pending[0]}", "status", "product")] if through else []
    )
    files = mapping_folder(estate, 1)
    publish(estate, "import", files)
    in_force(estate)
    mapping_rollback.let_go_on(desk_of(estate), [taken])
    estate.settle()
    theirs = estate.refs("product", pending[0])["helpdesk"]
    expected = {name: dict(table) for name, table in before.items()}
    expected["product"][pending[0]] = "resolved"
    expected["helpdesk"][theirs] = tables(estate)["helpdesk"][theirs]
    assert tables(estate) == expected
    assert expected["helpdesk"][theirs] != before["helpdesk"][theirs]
    assert not any(link.paused for link in estate.links())


def test_what_is_left_is_named_before_anything_is_taken_back(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    run = publish(estate, "publish")["run"]
    in_force(estate)
    estate.settle()
    edited, other = sorted(
        key for key, row in tables(estate)["product"].items() if row == "on_hold"
    )
    estate.apps["product"].edit(edited, {"status": "resolved"})
    estate.hint("product", edited)
    estate.settle()
    said = estate.command("mappings", "rollback", "1", "--undo", "--dry-run")
    assert "1 ticket will be taken back, 1 left as it is\n" in said
    assert f"  product:{edited}  status: status changed there since (set last at product" in said
    assert "besides" not in said
    (told,) = estate.command("mappings", "rollback", "1", "--undo", "--dry-run", "--json").split(
        "\n"
    )[:-1]
    told = json.loads(told)
    assert told["undo"]["runs"] == [{"run": run, "revision": 2}]
    assert told["undo"]["tickets"] == 1
    (left,) = told["undo"]["left"]
    assert (left["ref"], left["field"], left["by"]) == (f"product:{edited}", "status", "product")
    assert (told["follows"], told["run"], told["effect"]["writes"]) == (2, None, [])
    assert [each["file"] for each in told["differences"]] == ["switch.yaml"]
    with opened(estate.folder, "local:ana") as desk:
        made = revisions.draft(desk, revisions.get(desk, 1).files)
        with mapping_rollback.forecast(desk, 1, made, lambda _seen: None) as foretold:
            assert mapping_undo.question(foretold) == "Take back 1 ticket, publish this?"
    foretold = mapping_rollback.foretell(desk_of(estate), 1)
    (theirs,) = [x.id for x in estate.links() if x.sides["product"].remote_id == other]
    assert foretold.back == {theirs: {("product", "status")}}
    (taken,) = undo(estate, 1)
    assert (list(foretold.back), foretold.kept) == (taken.tickets, taken.kept)


def test_a_run_that_has_written_nothing_is_not_named_as_taken_back(estate):
    change(estate.folder / "mappings", "switch.yaml", {"max_length: 500": "max_length: 400"})
    said = estate.command("mappings", "publish", "--yes")
    assert "nothing is to be written for it" in said
    assert "run " not in said
    in_force(estate)
    estate.settle()
    (run,) = mapping_runs_of(estate.ledger)
    assert run.finished_at is not None
    said = estate.command("mappings", "rollback", "1", "--undo", "--dry-run")
    assert "nothing was written since that could be taken back" in said
    assert "run " not in said
    (taken,) = undo(estate, 1)
    assert (taken.tickets, taken.kept) == ([], [])
    with estate.ledger.read() as tx:
        assert run_records.recent(tx, 10, kinds=["undo"]) == []


def test_it_is_said_how_what_is_not_known_is_read_once_it_is_published(estate):
    change(estate.folder / "mappings", "posthog.yaml", {"traits.support_team": "traits.group"})
    said = estate.command("mappings", "publish", "--yes")
    assert "not known until read: team of product" in said
    assert "`bridge mappings apply --read --since 1` reads it" in said


def test_what_was_taken_back_is_not_named_once_more(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    publish(estate, "publish")
    in_force(estate)
    estate.settle()
    assert [len(each.tickets) for each in undo(estate, 1)] == [2]
    assert [(each.tickets, each.kept) for each in undo(estate, 1)] == [([], [])]
    said = estate.command("mappings", "rollback", "1", "--undo", "--dry-run")
    assert "nothing was written since that could be taken back" in said
    assert "run " not in said


def test_a_run_that_has_written_nothing_yet_is_ended_and_said_so(estate):
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    run = publish(estate, "publish")["run"]
    said = estate.command("mappings", "rollback", "1", "--undo", "--dry-run")
    assert f"run {run}, for revision 2, has written nothing yet, and is ended\n" in said


def mapping_folder(estate, number):
    folder = estate.folder / f"revision{number}"
    estate.command("mappings", "export", str(folder), "--revision", str(number))
    return str(folder)


def test_a_run_that_is_not_through_ends_before_it_is_taken_back(estate):
    before = tables(estate)
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    publish(estate, "publish")
    (taken,) = undo(estate, 1)
    assert (taken.tickets, taken.kept) == ([], [])
    (run,) = mapping_runs_of(estate.ledger)
    assert (run.error, run.finished_at is None) == (run_records.STOPPED, False)
    estate.settle()
    assert tables(estate) == before


def test_nothing_that_was_confirmed_or_read_of_a_person_outlives_their_erasure(estate):
    """A run waits for workers, with the digests and the values that it is to write."""
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    publish(estate, "publish")
    theirs = next(
        link for link in estate.links() if link.state["customer"].value == "c1@example.com"
    )
    with estate.ledger.transaction() as tx:
        (part,) = tx.execute(tables_of_ledger.work.select()).all()
        fresh = {theirs.id: {"product": {"team": "c1@example.com"}}, "another": {}}
        held = {"claimed_by": "somebody", "claimed_until": datetime(2100, 1, 1, tzinfo=UTC)}
        tx.execute(
            tables_of_ledger.work.update().values(payload=part.payload | {"fresh": fresh}, **held)
        )
        erasure.erase(tx, "c1@example.com", estate.clock.now(), estate.config.fields)
        (part,) = tx.execute(tables_of_ledger.work.select()).all()
    assert theirs.id not in part.payload["links"]
    assert len(part.payload["links"]) == 1
    assert part.payload["fresh"] == {"another": {}}
    assert part.claimed_by is None
