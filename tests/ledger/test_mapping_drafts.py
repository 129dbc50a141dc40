"""Drafts of mappings: nobody overwrites what they have not seen, and what is old is forgotten."""

from datetime import UTC, datetime, timedelta

from bridge.ledger import mapping_drafts

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
TEXT = {"switch.yaml": "system: switch\r\n# \u202e \x00 é\n", "zaia.yaml": None}


def added(tx, at=NOW):
    return mapping_drafts.add(
        tx, TEXT, author="user:ana", base=3, replaces=False, note="why", now=at
    )


def test_a_draft_is_kept_byte_for_byte_and_stored_by_who_saw_its_latest_version(ledger):
    with ledger.transaction() as tx:
        first = added(tx)
    with ledger.read() as tx:
        assert mapping_drafts.get(tx, first.id) == first
        assert mapping_drafts.get(tx, first.id + 1) is None
        assert mapping_drafts.get(tx, 1 << 40) is None
    later = {"author": "user:ben", "base": 4, "note": "why", "now": NOW + timedelta(hours=1)}
    with ledger.transaction() as tx:
        assert mapping_drafts.store(tx, first.id, 1, {"switch.yaml": "his"}, **later)
        assert not mapping_drafts.store(tx, first.id, 1, {"switch.yaml": "hers"}, **later)
    with ledger.read() as tx:
        (found,) = mapping_drafts.newest(tx, 9)
    assert (found.changes, found.version, found.author) == ({"switch.yaml": "his"}, 2, "user:ben")
    assert (found.base, found.made_at, found.changed_at) == (4, NOW, later["now"])


def test_what_nobody_has_touched_is_forgotten(ledger):
    with ledger.transaction() as tx:
        old, new = added(tx), added(tx, NOW + timedelta(days=2))
        mapping_drafts.prune(tx, NOW + timedelta(days=1))
        assert [draft.id for draft in mapping_drafts.newest(tx, 9)] == [new.id]
        assert mapping_drafts.count(tx) == 1
        assert not mapping_drafts.drop(tx, old.id)
        assert mapping_drafts.drop(tx, new.id)
