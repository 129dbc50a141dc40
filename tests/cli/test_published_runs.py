"""A published change and the run that brings the tickets to it: both, or neither."""

import json
import os
import signal
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import event

from bridge.config.mapping_texts import read_folder
from bridge.ledger import mapping_revisions, run_records, work
from bridge.ledger.database import Ledger
from bridge.operations import revisions
from bridge.operations.desk import opened
from bridge.operations.mapping_runs import CarryingOut
from bridge.runs import remapping
from tests.cli.conftest import KEYS
from tests.cli.test_effect import ON_HOLD, change
from tests.cli.test_files_differ import NOWHERE
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate

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
        return run_records.of_kind(tx, remapping.RUN, 100)


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
    with pytest.raises(AssertionError, match="nothing was published: the tickets are still gone"):
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
