"""Revisions of the mappings: each whole, none lost, and numbered one after another."""

import itertools

import pytest

from bridge.core.model.state import Attempt
from bridge.errors import NotPossible
from bridge.ledger import attempts, intents, ledger_copy, mapping_revisions
from bridge.ledger.intents import NewIntent
from bridge.ledger.mapping_revisions import MAX_BYTES, MAX_FILES
from tests.ledger.helpers import LONG, at_once, make_link

FILES = {
    "switch.yaml": "# ours\r\nsystem: switch\r\n",
    "syncs.yaml": "\ufefftickets: {}  # \N{SNOWMAN}\n\n",
    "agents.yaml": "",
}


def test_nothing_is_in_force_before_the_first(ledger):
    with ledger.read() as tx:
        assert mapping_revisions.newest(tx) is None
        assert mapping_revisions.newest_number(tx) == 0
        assert mapping_revisions.get(tx, 1) is None
        assert mapping_revisions.head(tx, 1) is None
        assert mapping_revisions.head(tx, 1 << 40) is None
        assert mapping_revisions.get(tx, -(1 << 40)) is None
        assert mapping_revisions.list_all(tx) == []


def test_files_come_back_byte_for_byte(ledger, now):
    with ledger.transaction() as tx:
        added = mapping_revisions.add(
            tx, FILES, author="local:ana", now=now, note="first", proof={"problems": []}
        )
    with ledger.read() as tx:
        found = mapping_revisions.newest(tx)
        assert found == added
        assert found.files == FILES
        assert found.head.parent is None
        assert found.head == mapping_revisions.head(tx, 1)
        assert found.head.checksum == mapping_revisions.checksum(dict(reversed(FILES.items())))


def test_each_names_the_one_before_and_all_are_listed_in_pages(ledger, now):
    for number in range(5):
        with ledger.transaction() as tx:
            mapping_revisions.add(tx, {"a.yaml": str(number)}, author="a", now=now)
    with ledger.read() as tx:
        newest = mapping_revisions.list_all(tx, 3)
        older = mapping_revisions.list_all(tx, 3, before=newest[-1].number)
        assert [each.number for each in [*newest, *older]] == [5, 4, 3, 2, 1]
        assert [each.parent for each in [*newest, *older]] == [4, 3, 2, 1, None]
        assert mapping_revisions.get(tx, 2).files == {"a.yaml": "1"}


def test_many_that_publish_at_once_come_one_after_another(ledger, now):
    def publish(tx, number):
        return mapping_revisions.add(tx, {"a.yaml": str(number)}, author=str(number), now=now)

    added = sorted(at_once(ledger, publish), key=lambda each: each.number)
    assert [each.number for each in added] == list(range(1, 9))
    assert all(b.head.parent == a.number for a, b in itertools.pairwise(added))
    with ledger.read() as tx:
        for each in added:
            assert mapping_revisions.get(tx, each.number).files == each.files


def test_what_is_rolled_back_leaves_no_gap(ledger, now):
    def publish_and_die():
        with ledger.transaction() as tx:
            mapping_revisions.add(tx, FILES, author="a", now=now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        publish_and_die()
    with ledger.transaction() as tx:
        assert mapping_revisions.add(tx, FILES, author="a", now=now).number == 1


@pytest.mark.parametrize(
    "files",
    [
        {f"{number}.yaml": "" for number in range(MAX_FILES + 1)},
        {"a.yaml": "é" * (MAX_BYTES // 2), "b.yaml": "x"},
    ],
    ids=["too many", "too large"],
)
def test_a_revision_is_bounded(ledger, now, files):
    with pytest.raises(NotPossible, match="a revision holds"), ledger.transaction() as tx:
        mapping_revisions.add(tx, files, author="a", now=now)
    with ledger.read() as tx:
        assert mapping_revisions.newest_number(tx) == 0


def test_an_effect_may_be_told_later(ledger, now):
    with ledger.transaction() as tx:
        mapping_revisions.add(tx, FILES, author="a", now=now)
        mapping_revisions.note_effect(tx, 1, {"tickets": 12})
    with ledger.read() as tx:
        assert mapping_revisions.head(tx, 1).effect == {"tickets": 12}


def test_a_write_keeps_the_revision_that_it_was_decided_by(ledger, now):
    with ledger.transaction() as tx:
        link = make_link(tx, now, helpdesk="1")
        side = link.sides["helpdesk"]
        side.attempt = Attempt("x", "update", {}, {}, {}, {}, now)
        attempts.begin(tx, [attempts.new("a", side, now, mapping_revision=7)])
        intents.begin_all(
            tx,
            [NewIntent("a", "product", "ticket", "m", {}, now + LONG, now, mapping_revision=7)],
        )
    with ledger.read() as tx:
        (written,) = attempts.history(tx, "a")
        assert written["mapping_revision"] == 7


def test_a_dry_run_has_no_use_for_them(ledger, now):
    with ledger.transaction() as tx:
        mapping_revisions.add(tx, FILES, author="a", now=now)
    copy = ledger_copy.begin(ledger, live=True)
    with copy.read() as tx:
        assert mapping_revisions.newest_number(tx) == 0
    copy.close()
