"""Who is told what: what each endpoint asked for, nothing of a person, and after a restore."""

from __future__ import annotations

import json
from datetime import timedelta

from bridge.core.model.notice_types import NOTICE_CONTENT, NoticeType
from bridge.ledger import connection_health, notice_outbox
from bridge.ledger.ledger_backup import restore, write
from tests.notices.desk import MINUTE, Teller, endpoint, park, scope
from tests.notices.test_happenings import dispute, ended


def test_an_endpoint_is_told_of_what_it_asked_for(embedded, clock):
    embedded.scope = scope(
        endpoint("all"),
        endpoint("stops", events=("connection.*",)),
        endpoint("only-h", connections=frozenset({"H"})),
        endpoint("people", syncs=frozenset({"people"})),
        endpoint("nothing", events=("notice.test",)),
    )
    dispute(embedded.ledger, clock.now(), "link-1", L="l1", H="h1")
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        connection_health.refuse(tx, "H", "", clock.now())
    assert len(embedded.tell()) == 3
    got = {
        name: sorted(row.kind for row in embedded.sendings(name))
        for name in embedded.scope.endpoints
    }
    assert got == {
        "all": ["conflict.opened", "connection.stopped", "work.parked"],
        "stops": ["connection.stopped"],
        "only-h": ["conflict.opened", "connection.stopped"],
        "people": ["work.parked"],
        "nothing": [],
    }


def test_without_an_endpoint_nothing_is_looked_at_and_the_first_hears_of_what_stands(
    embedded, clock
):
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    with_one, embedded.scope = embedded.scope, scope()
    embedded.scope = type(with_one)({}, {}, {}, frozenset(), "")
    assert embedded.tell() == embedded.tell(lasting=True) == []
    embedded.scope = with_one
    assert len(embedded.tell()) == 1


def test_an_endpoint_that_is_taken_out_takes_along_what_waits_for_it(embedded, clock):
    embedded.scope = scope(endpoint(), endpoint("other"))
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    embedded.tell()
    embedded.scope = scope(endpoint("other"))
    embedded.tell()
    assert embedded.sendings() == []
    assert len(embedded.sendings("other")) == 1


def test_a_notice_tells_nothing_of_a_person_and_no_text_of_a_vendors(embedded, clock):
    dispute(embedded.ledger, clock.now(), "link-1", L="l1", H="h1")
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        connection_health.refuse(tx, "L", "L: 401 for ana@example.com", clock.now())
    embedded.tell()
    ended(embedded.ledger, clock.now() + MINUTE, "full", "ana@example.com is refused")
    clock.advance(120)
    embedded.tell()
    written = json.dumps([row.data for row in embedded.notices()])
    assert len(embedded.notices()) == 4
    assert "ana" not in written.lower()


def test_content_has_just_the_keys_that_are_described(embedded, clock):
    dispute(embedded.ledger, clock.now(), "link-1", L="l1", H="h1")
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        connection_health.refuse(tx, "L", "", clock.now())
    for kind, data in embedded.tell():
        described = NOTICE_CONTENT[NoticeType(kind)].__dataclass_fields__
        assert data.keys() == described.keys()


def test_a_ledger_that_was_put_back_tells_the_present(tmp_path, embedded, clock):
    """What stood in the backup was told then; what is otherwise now is told."""
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        connection_health.refuse(tx, "L", "", clock.now())
    embedded.tell()
    write(embedded.ledger, tmp_path / "backup")
    with embedded.ledger.transaction() as tx:
        connection_health.resume(tx, "L")
        park(tx, clock.now(), 2)
    clock.advance(600)
    assert sorted(kind for kind, _ in embedded.tell()) == ["connection.recovered", "work.parked"]
    restore(embedded.ledger, tmp_path / "backup", ["L", "H"], clock.now(), replace=True)
    again = Teller(embedded.ledger, clock)
    assert again.tell() == []  # it is as the backup says, of which was told
    assert [row.state for row in again.sendings()] == ["waiting", "waiting"]
    with embedded.ledger.transaction() as tx:
        connection_health.resume(tx, "L")
    assert [kind for kind, _ in again.tell()] == ["connection.recovered"]


def test_old_notices_are_forgotten_with_their_sendings(embedded, clock):
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    embedded.tell()
    clock.advance(3600)
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 2, cause="NotFound")
    embedded.tell()
    with embedded.ledger.transaction() as tx:
        assert notice_outbox.prune(tx, clock.now() - timedelta(minutes=5), 100) == 1
    assert [row.data["code"] for row in embedded.notices()] == ["BRG-WRITE-MISSING"]
    assert len(embedded.sendings()) == 1
