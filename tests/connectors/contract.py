"""What every connector must keep, as one class to subclass: see `ConnectorContract`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from bridge.connectors.contract import Draft, Intent, Record
from bridge.core.model.capabilities import Support
from bridge.core.model.clocks import NOT_LEARNT
from bridge.core.model.values import Ref
from bridge.errors import (
    Malformed,
    RateLimited,
    RemoteError,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from tests.connectors.bench import KEY, ROOT, Bench, a_marker


class ConnectorContract:
    """Subclass it, name it Test…, and give `system` and a `bench` fixture (a `Bench`).

    A subclass sets to None what its system has no occasion for, and says why. What a connector
    makes nothing of is tried all the same where it can be: then it must be refused.
    """

    system: str
    entity = "ticket"
    """The entity that is looked at."""
    root = ROOT
    """Below it are the system's fixtures and its page: for a made-up system its own folder."""

    def fixtures(self) -> dict[str, dict[str, Any]]:
        folder = self.root / "tests" / "fixtures" / self.system
        return {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in folder.glob("*.json")
            if not path.stem.startswith("api_")
        }

    # Webhooks

    def test_every_event_has_a_fixture_and_every_fixture_an_event(self, bench):
        known = {name.lstrip("$") for name in bench.connector.EVENTS}
        assert set(self.fixtures()) == known

    def test_parse_gives_hints_is_pure_and_repeats(self, bench):
        before = bench.side_effects()
        for name, fixture in self.fixtures().items():
            body = json.dumps(fixture["body"])
            parsed = bench.connector.parse(fixture["headers"], json.loads(body))
            assert [each.id for each in parsed.hints] == [str(fixture["id"])], name
            assert {each.entity for each in parsed.hints} == {bench.connector.EVENTS[parsed.event]}
            assert parsed.ignored == ""
            assert parsed.delivery
            again = json.loads(body)
            assert bench.connector.parse(fixture["headers"], again) == parsed
            assert again == fixture["body"]
            assert "@" not in json.dumps(parsed.projection)
        assert bench.side_effects() == before

    def test_other_events_are_ignored_by_name(self, bench):
        for fixture in self.fixtures().values():
            body = json.dumps(fixture["body"]).replace(
                json.dumps(fixture["event"]), '"no.such.event"'
            )
            parsed = bench.connector.parse(fixture["headers"], json.loads(body))
            assert (parsed.hints, parsed.ignored) == ((), "unknown event no.such.event")
            for name in bench.connector.IGNORED:
                body = json.dumps(fixture["body"]).replace(
                    json.dumps(fixture["event"]), json.dumps(name)
                )
                parsed = bench.connector.parse(fixture["headers"], json.loads(body))
                assert parsed.hints == ()
                assert name in parsed.ignored

    def test_an_event_without_an_id_is_malformed(self, bench):
        for fixture in self.fixtures().values():
            for bad in (None, "", True, {}, " x", "x" * 300, 1.5):
                body = json.dumps(fixture["body"]).replace(
                    json.dumps(fixture["id"]), json.dumps(bad)
                )
                with pytest.raises(Malformed, match="id"):
                    bench.connector.parse(fixture["headers"], json.loads(body))

    @pytest.mark.parametrize(
        "body", [None, [], "x", 7, {}, {"event": None}, {"entity": "ticket"}, {"id": "1"}]
    )
    def test_what_is_no_event_is_malformed(self, bench, body):
        with pytest.raises(Malformed):
            bench.connector.parse({}, body)

    def test_the_generic_hint_works_everywhere(self, bench):
        parsed = bench.connector.parse({}, {"entity": self.entity, "id": "t-1"})
        assert [(hint.entity, hint.id) for hint in parsed.hints] == [(self.entity, "t-1")]
        with pytest.raises(Malformed, match=f"allowed: .*{self.entity}"):
            bench.connector.parse({}, {"entity": "invoice", "id": "t-1"})

    # Reading

    def test_reads_what_is_there_and_says_what_is_not(self, bench):
        first, gone = bench.add(2)
        bench.remove(gone)
        before = bench.side_effects()
        found = self.read(bench, [first, gone])
        assert found[first] is not None
        assert found[first].ref == Ref(bench.connector.connection.name, self.entity, first)
        assert found[gone] is None
        assert found[first].partial is False
        assert found[first].data.keys() >= bench.shows
        assert bench.side_effects() == before

    def test_a_change_is_dated_not_before_it_was_made_and_aware(self, bench):
        (remote_id,) = bench.add(1)
        record = self.read(bench, [remote_id])[remote_id]
        assert record is not None
        assert record.read_at.tzinfo is not None
        assert record.clocks != NOT_LEARNT
        assert record.changed_before is None or record.changed_before.tzinfo is not None

    def test_changed_misses_nothing_among_ties(self, bench):
        ids = set(bench.add(230))
        bench.wait(30)
        ids |= set(bench.add(5))
        seen, cursor = self.poll(bench, None)
        assert ids <= set(seen)
        assert cursor is not None

    def test_changed_goes_on_from_its_watermark(self, bench):
        ids = bench.add(7)
        _, cursor = self.poll(bench, None)
        bench.wait(3600)
        fresh = bench.add(3)
        bench.touch(ids[2])
        seen, cursor = self.poll(bench, cursor)
        assert {*fresh, ids[2]} <= set(seen)
        bench.wait(3600)
        bench.touch(ids[4])
        seen, _ = self.poll(bench, cursor)
        assert ids[4] in seen
        assert ids[0] not in seen or not bench.connector.CAPABILITIES[self.entity].dated

    def test_changed_looks_back_a_little(self, bench):
        ids = bench.add(3)
        bench.wait(60)
        _, cursor = self.poll(bench, None)
        seen, _ = self.poll(bench, cursor)
        assert set(ids) <= set(seen)

    def test_changed_gives_rows_that_move_while_it_runs(self, bench):
        ids = []
        for _ in range(15):
            ids += bench.add(10)
            bench.wait(3)
        page = bench.connector.changed(self.entity, None)
        last = page.records[-1].ref.id
        for remote_id in [*ids[:4], last, *ids[-4:]]:
            bench.touch(remote_id)
        bench.remove(ids[0])
        seen, _ = self.poll(bench, json.loads(json.dumps(page.cursor)))
        assert set(ids[1:]) <= {record.ref.id for record in page.records} | set(seen)
        assert {*ids[1:4], last} <= set(seen)

    def test_scan_lists_everything_while_rows_come_go_and_move(self, bench):
        ids = []
        for _ in range(15):
            ids += bench.add(10)
            bench.wait(3)
        ids += bench.add(150)
        seen: set[str] = set()
        cursor, gone = None, iter(ids[:30])
        for turn in range(100):
            page = bench.connector.scan(self.entity, cursor)
            seen |= {record.ref.id for record in page.records}
            cursor = json.loads(json.dumps(page.cursor))
            if cursor is None:
                break
            if turn == 0:
                for _ in range(30):
                    bench.remove(next(gone))
                bench.touch(ids[40])
        assert cursor is None
        assert set(ids[30:]) <= seen

    def test_an_empty_vendor_lists_nothing(self, bench):
        seen, cursor = self.poll(bench, None)
        assert seen == {}
        bench.wait(60)
        (made,) = bench.add(1)
        assert made in self.poll(bench, cursor)[0]

    # Writing

    def test_declared_fields_round_trip(self, bench):
        capabilities = bench.connector.CAPABILITIES[self.entity]
        wanted = bench.values()
        declared = {key for verb in capabilities.verbs for key in verb.writes}
        assert {
            key for key in declared if capabilities.writable[key].on_update is not Support.NO
        } == set(wanted)
        for verb in capabilities.verbs:
            for key in verb.writes:
                (remote_id,) = bench.add(1)
                ref = Ref(bench.connector.connection.name, self.entity, remote_id)
                bench.connector.update(ref, verb.name, {key: wanted[key]})
                record = self.read(bench, [remote_id])[remote_id]
                assert record is not None
                assert bench.shown(record.data, key) == wanted[key], key

    def test_undeclared_writes_raise(self, bench):
        (remote_id,) = bench.add(1)
        ref = Ref(bench.connector.connection.name, self.entity, remote_id)
        before = bench.side_effects()
        for verb, values in (
            ("patch", {"created_at": "x"}),
            ("explode", {"status": "open"}),
            ("patch", {}),
        ):
            with pytest.raises(Unsupported):
                bench.connector.update(ref, verb, values)
        with pytest.raises(Unsupported):
            bench.connector.create(Draft(self.entity, {"created_at": "x"}, "m-1"))
        with pytest.raises(Unsupported):
            bench.connector.create(Draft("invoice", {}, "m-1"))
        assert bench.side_effects() == before

    def test_a_create_shows_its_values_and_hides_its_marker(self, bench):
        draft = bench.draft(a_marker(bench.connector, 1))
        record = bench.connector.create(draft)
        assert record is not None
        read = self.read(bench, [record.ref.id])[record.ref.id]
        assert read is not None
        assert (record.marker, read.marker) == (draft.marker, draft.marker)
        assert draft.marker not in json.dumps(read.data)
        for key, value in draft.values.items():
            assert bench.shown(read.data, key) == value, key

    def test_a_create_is_found_by_its_marker_and_by_its_nature(self, bench):
        bench.add(3)
        draft = bench.draft("m-0001")
        made = bench.connector.create(draft)
        assert made is not None
        now = made.read_at
        assert [each.ref for each in bench.connector.find(Intent(draft, now))] == [made.ref]
        other = bench.draft("m-0002")
        assert bench.connector.find(Intent(other, now)) == []
        assert bench.connector.find(Intent(other, None)) == []

    def test_delete_is_done_when_it_is_gone(self, bench):
        (remote_id,) = bench.add(1)
        ref = Ref(bench.connector.connection.name, self.entity, remote_id)
        if bench.connector.CAPABILITIES[self.entity].deletes is Support.NO:
            with pytest.raises(Unsupported):
                bench.connector.delete(ref)
            assert self.read(bench, [remote_id])[remote_id] is not None
            return
        bench.connector.delete(ref)
        bench.connector.delete(ref)
        assert self.read(bench, [remote_id]) == {remote_id: None}

    def test_ping_and_probe_change_nothing(self, bench):
        bench.add(3)
        before = bench.side_effects()
        assert bench.connector.ping()
        assert isinstance(bench.connector.probe(), dict)
        assert bench.side_effects() == before

    # Failing

    @pytest.mark.parametrize(
        ("fault", "reading", "writing"),
        [
            ("429", RateLimited, RateLimited),
            ("500", Unavailable, UnknownOutcome),
            ("503", Unavailable, UnknownOutcome),
            ("timeout", Unavailable, UnknownOutcome),
            ("reset", Unavailable, UnknownOutcome),
            ("html", Unavailable, UnknownOutcome),
            ("huge", Unavailable, UnknownOutcome),
        ],
    )
    def test_failures_have_their_error_and_show_no_secret(self, bench, fault, reading, writing):
        (remote_id,) = bench.add(1)
        ref = Ref(bench.connector.connection.name, self.entity, remote_id)
        connector = bench.connector
        calls = [
            (reading, lambda: connector.read(self.entity, [remote_id])),
            (reading, lambda: connector.changed(self.entity, None)),
            (reading, lambda: connector.scan(self.entity, None)),
            (reading, connector.ping),
            (reading, connector.probe),
        ]
        capabilities = connector.CAPABILITIES[self.entity]
        if capabilities.verbs:
            calls.append((writing, lambda: connector.update(ref, *bench.change)))
        if capabilities.creates is not Support.NO:
            calls.append((writing, lambda: connector.create(bench.draft("m-1"))))
        if capabilities.deletes is not Support.NO or self.entity in connector.ERASES:
            calls.append((writing, lambda: connector.delete(ref)))
        for expected, call in calls:
            bench.faulty.next, bench.faulty.calls = [fault], []
            with pytest.raises(expected) as error:
                call()
            assert isinstance(error.value, RemoteError)
            assert KEY not in str(error.value)
            assert KEY not in repr(error.value)
            assert len(bench.faulty.calls) == 1  # nothing is repeated in here
            bench.wait(3)  # as Retry-After says
            if fault not in {"timeout", "reset"}:
                assert error.value.request_id == "req-99"

    @pytest.mark.parametrize("fault", ["timeout-after", "reset-after", "502-after", "html-after"])
    def test_a_create_of_unknown_fate_is_found_again(self, bench, fault):
        bench.add(3)
        draft = bench.draft("m-0042")
        sent_at = self.read_time(bench)
        bench.faulty.next = [fault]
        with pytest.raises(UnknownOutcome):
            bench.connector.create(draft)
        found = bench.connector.find(Intent(draft, sent_at))
        assert [record.marker for record in found] == ["m-0042"]

    # How the cases read

    def read(self, bench: Bench, ids: list[str]) -> dict[str, Record | None]:
        batch = bench.connector.CAPABILITIES[self.entity].read_batch
        found: dict[str, Record | None] = {}
        for start in range(0, len(ids), batch):
            found |= bench.connector.read(self.entity, ids[start : start + batch])
        return found

    def read_time(self, bench: Bench) -> datetime:
        (some,) = bench.add(1)
        record = self.read(bench, [some])[some]
        assert record is not None
        return record.read_at

    def poll(self, bench: Bench, cursor: Any) -> tuple[dict[str, Record], Any]:
        seen: dict[str, Record] = {}
        for _ in range(200):
            page = bench.connector.changed(self.entity, cursor)
            cursor = json.loads(json.dumps(page.cursor))
            if not page.records:
                return seen, cursor
            seen |= {record.ref.id: record for record in page.records}
        raise AssertionError("the poll does not end")
