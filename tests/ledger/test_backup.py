"""A backup of a ledger of either kind, and back into either kind."""

import os
import resource
import sqlite3
import stat
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bridge.core.model.values import Ref
from bridge.errors import NotPossible
from bridge.ledger import (
    catch_up,
    failing_runs,
    hints,
    ledger_backup,
    links,
    run_records,
    tables,
    work,
)
from bridge.ledger.database import Ledger
from bridge.ledger.work_kinds import RECORD_KINDS
from bridge.procedures import PROCEDURES
from tests.flow.world import World, born
from tests.ledger.helpers import begin_intent, hint

NOW = datetime(2026, 1, 6, 9, 0, tzinfo=UTC)


@pytest.fixture
def world(ledger):
    return World(ledger)


@pytest.fixture
def full(world):
    """A ledger with tickets, people's edits, work that is claimed and a run under way."""
    ledger = world.ledger
    for number in range(3):
        world.systems["L"].add(subject=f"Ticket {number}: naïve ☃", tags=["a", "b"])
    world.reconcile()
    with ledger.transaction() as tx:
        run_records.begin(tx, kind="poll", connection="L", entity="ticket", due=NOW, now=NOW)
        hints.give(tx, Ref("L", "ticket", "9"), NOW)
        assert work.claim(tx, "worker", NOW, NOW + timedelta(minutes=1), limit=1)
    return ledger


def rows(ledger):
    with ledger.read() as tx:
        return {
            table.name: sorted(map(repr, tx.execute(select(table))))
            for table in tables.metadata.sorted_tables
        }


def test_what_was_backed_up_is_what_is_there_afterwards(full, empty_url, tmp_path):
    file, before = tmp_path / "backup", rows(full)
    contents = ledger_backup.write(full, file)
    assert contents.links == 3
    assert contents.rows == sum(map(len, before.values()))
    assert rows(full) == before
    fresh = Ledger(empty_url)
    assert ledger_backup.restore(fresh, file, ["L", "H"], NOW, replace=False).links == 3
    after = rows(fresh)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"work", "run", "catch_up"}
    with fresh.read() as tx:
        assert set(catch_up.by_connection(tx)) == {"L", "H"}
        assert {state.kind for state in catch_up.by_connection(tx).values()} == {"full"}
        assert links.load(tx, links.ids(tx)).keys() == set(links.ids(tx))
        held = select(func.count()).where(tables.work.c.claimed_by.is_not(None))
        assert tx.execute(held).scalar() == 0
        open_runs = select(func.count()).where(tables.run.c.finished_at.is_(None))
        assert tx.execute(open_runs).scalar() == 0
    fresh.close()


def test_a_run_that_a_restore_has_ended_is_no_failure(full, tmp_path):
    file = tmp_path / "backup"
    ledger_backup.write(full, file)
    ledger_backup.restore(full, file, ["L", "H"], NOW, replace=True)
    with full.read() as tx:
        assert run_records.last(tx, kind="poll", connection="L", entity="ticket").error
        assert failing_runs.by_run(tx) == {}


def test_a_restore_ends_the_work_of_every_long_job_and_keeps_that_of_records(full, tmp_path):
    file, others = tmp_path / "backup", PROCEDURES.by_kind.keys() - RECORD_KINDS
    with full.transaction() as tx:
        for kind in (*others, *RECORD_KINDS):
            hint(tx, NOW, kind=kind, key=f"{kind}:1", connection="L", remote_id="9")
    ledger_backup.write(full, file)
    ledger_backup.restore(full, file, ["L", "H"], NOW, replace=True)
    with full.read() as tx:
        left = set(tx.execute(select(tables.work.c.kind)).scalars())
    assert left == set(RECORD_KINDS)


def test_nobody_is_signed_in_by_a_backup(full, tmp_path):
    later = NOW + timedelta(hours=12)
    signed_in = {"digest": "d" * 64, "account": "ana", "ends_at": later}
    with full.transaction() as tx:
        tx.execute(tables.web_session.insert().values(**signed_in, began_at=NOW, address="::1"))
        tx.execute(tables.sign_in_link.insert().values(signed_in))
    ledger_backup.write(full, tmp_path / "backup")
    assert rows(full)["web_session"]
    ledger_backup.restore(full, tmp_path / "backup", ["L", "H"], NOW, replace=True)
    assert (rows(full)["web_session"], rows(full)["sign_in_link"]) == ([], [])


def test_new_rows_are_numbered_after_those_of_the_backup(full, empty_url, tmp_path):
    ledger_backup.write(full, tmp_path / "backup")
    fresh = Ledger(empty_url)
    ledger_backup.restore(fresh, tmp_path / "backup", ["L"], NOW, replace=False)
    with fresh.transaction() as tx:
        newest = catch_up.newest_create(tx)
        link_id = links.ids(tx)[0]
        tx.execute(tables.side.delete().where(tables.side.c.link_id == link_id))
        assert begin_intent(
            tx,
            link_id=link_id,
            connection="L",
            entity="ticket",
            marker="m",
            draft={},
            send_by=NOW,
            now=NOW,
        )
        assert catch_up.newest_create(tx) == newest + 1
    fresh.close()


def test_only_its_owner_can_read_a_backup_and_none_is_overwritten(full, tmp_path):
    file = tmp_path / "backup"
    ledger_backup.write(full, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_bytes()
    with pytest.raises(NotPossible, match="is there already"):
        ledger_backup.write(full, file)
    assert file.read_bytes() == kept
    assert sorted(
        each.name
        for each in tmp_path.iterdir()
        if "backup" in each.name or each.name.startswith(".")
    ) == ["backup"]


def test_a_backup_is_of_one_moment_while_others_write(full, tmp_path, monkeypatch):
    """A ticket is added between two tables: it is in none of them."""
    original, done = ledger_backup.table_rows._copy, []

    def with_an_edit(source, target, table):
        count = original(source, target, table)
        if table is tables.link and not done:
            done.append(True)
            world = World(full)
            world.systems["L"].add(subject="Meanwhile")
            with full.transaction() as tx:
                hints.give(tx, Ref("L", "ticket", "77"), NOW)
        return count

    monkeypatch.setattr(ledger_backup.table_rows, "_copy", with_an_edit)
    ledger_backup.write(full, tmp_path / "backup")
    opened = sqlite3.connect(tmp_path / "backup")
    found = opened.execute("SELECT count(*) FROM work WHERE remote_id = '77'").fetchone()
    opened.close()
    assert done
    assert found == (0,)


def test_a_living_ledger_is_not_replaced_unless_told(world, full, tmp_path):
    file = tmp_path / "backup"
    ledger_backup.write(full, file)
    born_later = world.systems["L"].add(subject="After the backup")
    world.hint("L", born_later)
    world.settle()
    before = rows(full)
    with pytest.raises(NotPossible, match=r"holds 4 links, which would be lost.*--replace"):
        ledger_backup.restore(full, file, ["L"], NOW, replace=False)
    assert rows(full) == before
    assert ledger_backup.restore(full, file, ["L"], NOW, replace=True).links == 3
    with full.read() as tx:
        assert len(links.ids(tx)) == 3


@pytest.mark.parametrize("kind", ["missing", "text", "another", "cut", "overwritten"])
def test_what_is_no_backup_changes_nothing(full, tmp_path, kind):
    file, good = tmp_path / "backup", tmp_path / "good"
    ledger_backup.write(full, good)
    if kind == "text":
        file.write_text("hello")
    elif kind == "another":
        opened = sqlite3.connect(file)
        opened.execute("CREATE TABLE x (y)")
        opened.commit()
        opened.close()
    elif kind == "cut":
        file.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    elif kind == "overwritten":
        data = bytearray(good.read_bytes())
        data[4096 : 4096 * 9] = bytes(4096 * 8)
        file.write_bytes(data)
    before = rows(full)
    with pytest.raises(NotPossible, match=r"cannot be read|no backup|no ledger|is damaged"):
        ledger_backup.restore(full, file, ["L"], NOW, replace=True)
    assert rows(full) == before


@contextmanager
def room_for(size):
    """Let no file grow beyond so many bytes: to a program that is what a full disk is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_backup_for_which_there_is_no_room_is_told_of_by_the_name_asked_for(full, tmp_path):
    file = tmp_path / "backup"
    with room_for(100_000), pytest.raises(NotPossible) as told:
        ledger_backup.write(full, file)
    assert f"the backup {file} cannot be used" in str(told.value)
    assert ".bridge-" not in str(told.value)
    assert not file.exists()
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".bridge-")] == []


def test_a_restore_for_which_there_is_no_room_changes_nothing(full, tmp_path):
    file = tmp_path / "backup"
    ledger_backup.write(full, file)
    before = rows(full)
    with room_for(100_000), pytest.raises(NotPossible, match=f"{file} cannot be copied"):
        ledger_backup.restore(full, file, ["L"], NOW, replace=True)
    assert rows(full) == before


def test_a_backup_of_a_newer_version_is_told_of_by_its_name(full, tmp_path):
    file = tmp_path / "backup"
    ledger_backup.write(full, file)
    opened = sqlite3.connect(file)
    opened.execute("UPDATE alembic_version SET version_num = 'later'")
    opened.commit()
    opened.close()
    with pytest.raises(NotPossible, match=f"the backup {file} was written by a newer version"):
        ledger_backup.restore(full, file, ["L"], NOW, replace=True)


def test_the_folder_that_a_ledger_is_made_in_is_its_owners_alone(tmp_path):
    before = os.umask(0o022)
    try:
        ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
        ledger.upgrade()
    finally:
        os.umask(before)
    ledger.close()
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_a_plain_copy_of_a_ledger_at_rest_can_be_restored_too(sqlite_ledger, empty_url, tmp_path):
    world = World(sqlite_ledger)
    born(world)
    sqlite_ledger.close()
    (tmp_path / "copy.db").write_bytes((tmp_path / "ledger.db").read_bytes())
    fresh = Ledger(empty_url)
    assert ledger_backup.restore(fresh, tmp_path / "copy.db", ["L"], NOW, replace=False).links == 1
    fresh.close()
