"""The Upscope connector against the sandbox of its API, and the traps of that API one by one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.config.mapping_files import compile_mapping, run_examples
from bridge.config.yaml_reader import load
from bridge.connectors import build, connector_class
from bridge.connectors.upscope.capabilities import VISITOR_FIELDS
from bridge.core.mapping.agent_table import AgentTable
from bridge.errors import ConfigError, RateLimited, Refused, Unavailable
from bridge.http.client import Http
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented
from tests.connectors.upscope_bench import PRIVATE, ROOT, UpscopeBench, document, poll, saying


@pytest.fixture
def bench():
    made = UpscopeBench()
    yield made
    made.http.close()


class TestUpscope(ConnectorContract):
    system = "upscope"
    entity = "customer"

    # Nothing is made there.
    test_a_create_shows_its_values_and_hides_its_marker = None
    test_a_create_is_found_by_its_marker_and_by_its_nature = None
    test_a_create_of_unknown_fate_is_found_again = None
    # Only an operator deletes: test_upscope_operators.py.
    test_delete_is_done_when_it_is_gone = None

    def test_changed_gives_rows_that_move_while_it_runs(self, bench):
        """Nothing moves within one answer; the next poll gives who comes back after it.

        On a busy website somebody always does: a poll that waited for quiet would never end.
        """
        ids = bench.add(10)
        page = bench.connector.changed("customer", None)
        assert {record.ref.id for record in page.records} == set(ids)
        for remote_id in ids[:4]:
            bench.touch(remote_id)
        bench.remove(ids[0])
        rest, cursor = self.poll(bench, json.loads(json.dumps(page.cursor)))
        assert rest == {}
        seen, _ = self.poll(bench, cursor)
        assert set(ids[1:4]) <= set(seen)


# The mapping


def test_the_mapping_compiles_is_proved_and_keeps_its_examples():
    path = ROOT / "mappings" / "upscope.yaml"
    read = load(path, "mappings/upscope.yaml")
    made, problems = compile_mapping(
        read, "upscope", AgentTable({}), {"upscope": connector_class("upscope")}
    )
    assert problems == []
    assert set(made) == {"customer", "session"}
    assert run_examples(read, "upscope", {"upscope": connector_class("upscope")}) == []


# Who it is


@pytest.mark.parametrize(
    ("identities", "email"),
    [
        (["Joe", " Joe@Example.com "], "joe@example.com"),
        (["joe@example.com", "JOE@EXAMPLE.COM"], "joe@example.com"),
        (["joe@example.com", "jim@example.com"], None),
        (["mail joe@example.com please"], None),
        (["joe@example.com jim@example.com"], None),
        (["@", "joe@", None, 7], None),
        (None, None),
        ("joe@example.com", None),
    ],
)
def test_an_address_counts_only_exactly_and_alone(identities, email):
    visitor = document("visitor")["visitor"] | {"identities": identities}
    connector, _ = saying({"visitor": visitor})
    assert connector.read("customer", ["ABCD1234"])["ABCD1234"].data["email"] == email


def test_later_versions_are_read_too():
    visitor = document("visitor")["visitor"] | {
        "email": "joe@example.com",
        "call_name": "secret room",
    }
    visitor["added_at"] = visitor.pop("first_seen_at")
    connector, _ = saying({"status": "ok", "visitor": visitor})
    (record,) = connector.read("customer", ["ABCD1234"]).values()
    assert record.data["first_seen_at"] == "2018-03-16T15:25:59Z"
    assert record.data["email"] == "joe@example.com"
    assert "call_name" not in record.data


@pytest.mark.provokes
def test_a_wrong_base_url_deletes_nobody(bench):
    visitor = bench.visit("joe@example.com")
    settings = replace(bench.settings, base_url="https://upscope.example/v9")
    connector = build(
        settings, Http(settings, clock=bench.clock, adapter=WSGIAdapter(bench.box, bench.clock))
    )
    for call in (
        lambda: connector.read("customer", [visitor]),
        lambda: connector.read("session", [f"{visitor}/1"]),
        lambda: connector.changed("customer", None),
        lambda: connector.delete(bench.ref(visitor)),
    ):
        with pytest.raises(Unavailable, match="check base_url"):
            call()


@pytest.mark.parametrize("odd", ["", "../usage", "a/b", "x" * 65, "ab cd", "abc.json?x="])
def test_ids_that_upscope_never_gave_are_not_asked_for(bench, odd):
    assert bench.connector.read("customer", [odd]) == {odd: None}
    assert bench.connector.read("session", [odd]) == {odd: None}
    with pytest.raises(Refused):
        bench.connector.delete(bench.ref(odd))
    assert bench.calls() == []


@pytest.mark.parametrize("visitor", [None, [], {}, {"short_id": "OTHER"}, {"short_id": 7}])
def test_another_answer_than_was_asked_for_is_no_reading(visitor):
    connector, _ = saying({"status": "ok", "visitor": visitor})
    with pytest.raises(Unavailable, match="another thing"):
        connector.read("customer", ["ABCD1234"])


# The listing


def test_a_truncated_listing_is_declared_to_be_no_evidence(bench):
    bench.box.configure({"listed": 3})
    bench.add(5)
    assert len(bench.connector.scan("customer", None).records) == 3
    assert not any(can.complete for can in bench.connector.CAPABILITIES.values())


def test_a_list_row_is_partial_and_as_clean_as_a_visitor(bench):
    bench.shared("joe@example.com")
    (row,) = bench.connector.changed("customer", None).records
    assert row.partial
    assert set(row.data) == set(VISITOR_FIELDS.split())
    assert not [word for word in PRIVATE if word in json.dumps(row.data)]


def test_times_are_compared_as_times(bench):
    """12:30+01:00 is before 12:00Z, though it is the greater text."""
    early = bench.visit(last_seen_at="2026-11-23T12:30:00.000+01:00")
    late = bench.visit(last_seen_at="2026-11-23T12:00:00.000Z")
    seen, cursor = poll(bench, "customer")
    assert set(seen) == {early, late}
    assert set(poll(bench, "customer", cursor)[0]) == {late}


# Sessions


def test_a_session_is_given_once_it_is_over(bench):
    visitor = bench.visit("joe@example.com")
    number = bench.box.start(visitor)
    key = f"{visitor}/{number}"
    assert bench.connector.read("session", [key]) == {key: None}
    seen, cursor = poll(bench, "session")
    assert seen == {}
    bench.wait(90)
    bench.box.finish(visitor, number)
    seen, _ = poll(bench, "session", cursor)
    assert set(seen) == {key}
    assert seen[key].data["email"] == "joe@example.com"
    assert seen[key].changed_before >= bench.clock.now()


def test_a_session_that_outlasts_the_last_visit_is_not_missed(bench):
    visitor = bench.visit()
    number = bench.box.start(visitor)
    _, cursor = poll(bench, "session")
    for _ in range(5):
        bench.wait(600)
        bench.add(1)  # the watermark moves on
        _, cursor = poll(bench, "session", cursor)
    row = bench.box.others["customer"].get(visitor)
    bench.box.finish(visitor, number)
    over = bench.box.others["customer"].get(visitor)
    bench.box.others["customer"].put({**over, "last_seen_at": row["last_seen_at"]})
    assert set(poll(bench, "session", cursor)[0]) == {f"{visitor}/{number}"}


def test_only_visitors_seen_since_the_watermark_are_looked_at(bench):
    for _ in range(4):
        bench.shared()
    bench.wait(3600)
    visitor, key = bench.shared()
    _, cursor = poll(bench, "session")
    before = len(bench.calls())
    assert set(poll(bench, "session", cursor)[0]) == {key}
    assert bench.calls()[before:] == [
        ("GET", "/v1.1/list.json"),
        ("GET", f"/v1.1/visitors/{visitor}.json"),
    ]


def test_a_long_poll_gives_every_session_in_pages(bench):
    keys = {bench.shared()[1] for _ in range(130)}
    bench.add(60)
    first = bench.connector.changed("session", None)
    assert len(first.records) == 50
    assert set(poll(bench, "session")[0]) == keys
    seen, cursor = set(), None
    for _ in range(100):
        page = bench.connector.scan("session", cursor)
        seen |= {record.ref.id for record in page.records}
        cursor = json.loads(json.dumps(page.cursor))
        if cursor is None:
            break
    assert seen == keys


@pytest.mark.parametrize("fault", ["429", "500"])
def test_what_a_failing_poll_has_seen_is_kept(bench, fault):
    keys = [bench.shared()[1] for _ in range(5)]
    bench.faulty.next = ["", "", "", fault]
    page = bench.connector.changed("session", None)
    assert len(page.records) == 2
    bench.wait(3)  # as Retry-After says
    bench.faulty.next = [fault]
    with pytest.raises((RateLimited, Unavailable)):
        bench.connector.changed("session", page.cursor)
    bench.wait(3)
    rest, _ = poll(bench, "session", page.cursor)
    assert {record.ref.id for record in page.records} | set(rest) == set(keys)


def test_slow_looks_end_with_the_calls_time_and_go_on_next_time(bench):
    visitors = [bench.visit() for _ in range(4)]
    number = bench.box.start(visitors[0])
    bench.box.finish(visitors[0], number)
    order = [each for each in visitors if each != visitors[0]]
    inner = bench.faulty.send

    def slow(request, *args, **kwargs):
        bench.clock.sleep(bench.settings.timeout + 1)
        return inner(request, *args, **kwargs)

    bench.faulty.send = slow
    seen, cursor = {}, None
    for _ in range(len(order) + 2):
        page = bench.connector.changed("session", cursor)
        seen |= {record.ref.id: record for record in page.records}
        cursor = page.cursor
    assert set(seen) == {f"{visitors[0]}/{number}"}


def test_a_session_no_longer_recent_is_not_shown_and_not_an_error(bench):
    visitor, key = bench.shared()
    bench.box.configure({"recent": 0})
    assert bench.connector.read("session", [key]) == {key: None}
    bench.remove(visitor)
    assert bench.connector.read("session", [key]) == {key: None}


def test_old_sessions_can_be_left_where_they_are(bench):
    bench.shared()
    bench.wait(60)
    since = bench.clock.now()
    visitor, key = bench.shared()
    settings = replace(bench.settings, options={"sessions_since": since.isoformat()})
    bench.connector = build(settings, Http(settings, clock=bench.clock, adapter=bench.faulty))
    assert set(poll(bench, "session")[0]) == {key}
    assert [record.ref.id for record in bench.connector.scan("session", None).records] == [key]
    number = bench.box.start(visitor)
    assert set(poll(bench, "session")[0]) == {key}
    bench.box.finish(visitor, number)
    assert set(poll(bench, "session")[0]) == {key, f"{visitor}/{number}"}
    odd = replace(bench.settings, options={"sessions_since": "last week"})
    with pytest.raises(ConfigError, match="sessions_since is 'last week'"):
        build(odd, bench.http)


@pytest.mark.provokes
def test_documented_calls():
    bench = UpscopeBench()
    connector = bench.connector
    visitor = bench.visit("ana@example.com")
    assert connector.account_metrics()
    connector.scan("customer", None)
    assert connector.read("customer", [visitor])[visitor] is not None
    connector.perform_action(
        "watch_url", {"visitor": visitor, "agent.id": "12", "agent.name": "Mary"}
    )
    connector.delete(bench.ref(visitor))
    called = {
        f"{method} {below(url, '/v1.1').replace(visitor, '{id}')}"
        for method, url in bench.faulty.calls
    }
    assert called == documented("upscope")
    assert bench.notes() == ["forbidden: a visitor deleted"]
    bench.http.close()
