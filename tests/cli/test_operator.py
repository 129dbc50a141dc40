"""An operator's verbs: each does what it says to the ledger, and stands in the audit."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from bridge.core.model.outcome_codes import CAUSES, of_cause
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.ledger import (
    audit,
    conflict_log,
    connection_health,
    links,
    parking,
    run_records,
    timeline,
    webhook_inbox,
    work,
)
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2096, 5, 1, tzinfo=UTC)


class Home:
    def __init__(self, run, path):
        self._run, self.path = run, path
        run("init", str(path))
        self("db", "upgrade")
        self.ledger = Ledger(f"sqlite:///{path / 'var' / 'bridge.db'}")

    def __call__(self, *words, code=0):
        done = self._run("--home", str(self.path), *words, environ=KEYS)
        assert code in {None, done.exit_code}, done.output
        return done.output

    def json(self, *words):
        return [
            json.loads(line)
            for line in self(*words, "--json").splitlines()
            if not line.startswith("(")
        ]

    def park(self, key="d", why="too many removals", cause="unsafe", connection="helpdesk", **more):
        with self.ledger.transaction() as tx:
            fields = {
                "kind": "deliver",
                "connection": connection,
                "entity": "ticket",
                "due_at": NOW,
                "now": NOW,
            }
            work.enqueue(tx, key=key, **fields, **more)
            (row,) = work.claim(tx, "me", NOW, NOW + timedelta(minutes=1), 5)
            work.park(tx, row, "me", why, cause, NOW)
        return row.id

    def audited(self):
        with self.ledger.read() as tx:
            return [(entry["action"], entry["subject"]) for entry in audit.recent(tx)]

    def due(self):
        with self.ledger.transaction() as tx:
            return work.claim(
                tx, "me", datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=1), 50
            )

    def ticket(self, **candidates):
        link = Link("l1", "support-tickets", "ticket")
        state = link.state.setdefault("status", FieldState())
        state.value, state.rev, state.set_by = "open", 3, "helpdesk"
        for name, shown in candidates.items():
            link.sides[name] = Side(
                name, f"r-{name}", {"status": SideField(shadow=shown, map_rev="x", level=3)}
            )
        if len(set(candidates.values())) > 1:
            state.candidates, state.why_open = dict(candidates), "both were edited"
        with self.ledger.transaction() as tx:
            assert links.create(tx, link, NOW)
            conflict_log.record(tx, link, [], NOW)
            timeline.add(
                tx,
                "l1",
                NOW,
                [Note("changed", "helpdesk", "status", {"value": "open", "before": "new"})],
            )


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path)
    yield made
    made.ledger.close()


# --- parked


def test_parked_work_is_grouped_by_cause_with_examples_and_a_way_out(home):
    for number in range(7):
        home.park(
            f"observe:helpdesk:ticket:{number}", "answered 422", "Refused", remote_id=str(number)
        )
    home.park("x", "held", "unsafe", "product")
    groups = home.json("parked", "list")
    assert [(group["code"], group["connection"], group["count"]) for group in groups] == [
        ("BRG-WRITE-REFUSED", "helpdesk", 7),
        ("BRG-WRITE-UNSAFE", "product", 1),
    ]
    assert groups[0]["cause"] == groups[0]["samples"][0]["cause"] == "the vendor refuses the write"
    assert len(groups[0]["samples"]) == parking.SAMPLES
    assert all(group["what_to_do"] for group in groups)
    shown = home("parked", "list")
    assert "7  the vendor refuses the write  on helpdesk" in shown
    assert "--approve" in shown
    assert len(home.json("parked", "list", "--rows")) == 8
    assert len(home.json("parked", "list", "--cause", "BRG-WRITE-UNSAFE")) == 1
    assert len(home.json("parked", "list", "--cause", "unsafe")) == 1
    assert "parked now: BRG-WRITE-REFUSED, BRG-WRITE-UNSAFE" in home(
        "parked", "list", "--cause", "BRG-NONE", code=2
    )


@pytest.mark.parametrize("error", [*CAUSES, "KeyError"])
def test_nobody_is_shown_the_name_of_an_exception(home, error):
    home.park("d1", "answered 422", error)
    commands = [["parked", "list"], ["parked", "list", "--rows"], ["status"], ["doctor"]]
    shown = [home(*words, *more, code=None) for words in commands for more in ([], ["--json"])]
    assert all(of_cause(error) in text for text in shown if error != "creation budget")
    assert not [text for text in shown if re.search(rf"\b{error}\b", text) and error[0].isupper()]


def test_work_has_been_parked_since_it_was_first_however_often_it_is_tried(home):
    number = home.park("d1", cause="Refused")
    (first,) = home.json("parked", "list")
    home("parked", "retry", str(number))
    with home.ledger.transaction() as tx:
        (row,) = work.claim(tx, "me", LATER, LATER + timedelta(minutes=1), 5)
        work.park(tx, row, "me", "answered 422", "Lacking", LATER)
    (again,) = home.json("parked", "list")
    assert again["newest"] > first["newest"]
    assert again["oldest"] == first["oldest"] == again["samples"][0]["since"]


def test_held_work_is_let_through_by_an_audited_approval(home):
    number = home.park()
    home("parked", "retry", str(number), "--approve")
    (freed,) = home.due()
    assert (freed.payload, freed.lane) == ({"approved": True}, "operator")
    assert home.audited() == [("parked retry", str(number))]


@pytest.mark.parametrize(
    "named",
    [
        ["d1", "d2"],
        ["Refused"],
        ["--cause", "Refused"],
        ["BRG-WRITE-REFUSED"],
        ["--cause", "brg-write-refused"],
    ],
)
def test_rows_are_named_by_key_or_cause(home, named):
    home.park("d1", cause="Refused")
    home.park("d2", cause="Refused")
    home.park("d3", cause="unsafe")
    home("parked", "retry", *named)
    assert {row.key for row in home.due()} == {"d1", "d2"}


def test_all_frees_or_discards_all(home):
    home.park("d1", cause="Refused")
    home.park("d2")
    assert "2 freed" in home("parked", "retry", "--all")
    home.park("d4")
    assert "1 thrown away" in home("parked", "discard", "--all")
    assert home("parked", "list") == "nothing is parked\n"
    assert [action for action, _subject in home.audited()] == ["parked discard", "parked retry"]


def test_a_name_that_means_nothing_changes_nothing(home):
    home.park("d1")
    assert "nobody" in home("parked", "retry", "d1", "nobody", code=1)
    home("parked", "retry", code=2)
    home("parked", "discard", code=2)
    assert len(home.json("parked", "list", "--rows")) == 1
    assert home.audited() == []


# --- connections


def test_a_refused_connection_is_resumed(home):
    with home.ledger.transaction() as tx:
        connection_health.refuse(tx, "helpdesk", "answered 401", NOW)
    home("connection", "resume", "helpdesk")
    with home.ledger.read() as tx:
        assert connection_health.closed(tx, NOW) == set()
    assert "helpdesk, product" in home("connection", "pause", "nobody", code=2)


def test_a_paused_connection_stays_paused_whatever_its_calls_say(home):
    home("connection", "pause", "helpdesk", "--why", "they are moving")
    with home.ledger.transaction() as tx:
        connection_health.worked(tx, "helpdesk")
        connection_health.pause(tx, "helpdesk", NOW, "429", now=NOW)
        assert connection_health.closed(tx, NOW + timedelta(days=400)) == {"helpdesk"}
    (row,) = [
        row
        for row in json.loads(home("status", "--json"))["connections"]
        if row["connection"] == "helpdesk"
    ]
    assert row["health"] == "paused"
    assert "they are moving" in row["why"]
    home("connection", "resume", "helpdesk")
    with home.ledger.read() as tx:
        assert connection_health.get(tx, "helpdesk").state(NOW) == "ok"
    assert [action for action, _ in home.audited()] == ["connection resume", "connection pause"]


# --- inbox


def accept(home, key, verdict="pending", remote_id="1", **more):
    with home.ledger.transaction() as tx:
        row_id, _new = webhook_inbox.accept(
            tx,
            connection="helpdesk",
            delivery_key=key,
            received_at=NOW,
            headers={},
            projection={},
            digest="d",
            event="ticket.updated",
            entity="ticket" if remote_id else None,
            remote_id=remote_id,
            verdict=verdict,
            **more,
        )
    return row_id


def test_webhooks_are_listed_with_their_account_and_shown_whole(home):
    first = accept(home, "a")
    accept(home, "b", "quarantined", None, why="not strict JSON", body="{")
    shown = home("inbox", "list")
    assert "2 accepted = 1 not understood + 1 in flight" in shown
    assert [row["verdict"] for row in home.json("inbox", "list")] == ["quarantined", "pending"]
    assert [row["id"] for row in home.json("inbox", "list", "--verdict", "pending")] == [first]
    assert home.json("inbox", "list", "--connection", "product") == []
    assert "ticket.updated" in home("inbox", "show", str(first))
    assert home.json("inbox", "show", str(first))[0]["delivery_key"] == "a"
    home("inbox", "show", "99", code=2)


@pytest.mark.parametrize(
    ("option", "word", "allowed"),
    [
        ("--verdict", "nonsense", "out of scope"),
        ("--connection", "nope", "no connection nope; allowed: helpdesk"),
    ],
)
def test_a_filter_that_can_match_nothing_is_wrong_usage(home, option, word, allowed):
    assert allowed in " ".join(home("inbox", "list", option, word, code=2).split())


def test_a_webhook_is_reprocessed_by_reading_its_record_not_by_believing_it(home):
    first = accept(home, "a", "no-op")
    home("inbox", "reprocess", str(first))
    (row,) = home.due()
    assert (row.kind, row.remote_id, row.lane, row.payload) == ("observe", "1", "operator", None)
    nameless = accept(home, "b", "quarantined", None)
    assert "names no record" in home("inbox", "reprocess", str(first), str(nameless), code=1)
    assert home.due() == []
    assert home.audited() == [("inbox reprocess", str(first))]


# --- conflicts


def test_conflicts_are_listed_with_what_each_side_says(home):
    home.ticket(helpdesk="open", product="resolved")
    (row,) = home.json("conflicts", "list")
    assert (row["ref"], row["field"], row["candidates"]) == (
        "helpdesk:r-helpdesk",
        "status",
        {"helpdesk": "open", "product": "resolved"},
    )
    assert "helpdesk:r-helpdesk  status" in home("conflicts", "list")


@pytest.mark.parametrize(
    ("words", "value"),
    [(["--take", "product"], "resolved"), (["pending"], "pending"), (["closed"], "closed")],
)
def test_a_conflict_is_decided_and_the_writes_that_follow_are_queued(home, words, value):
    home.ticket(helpdesk="open", product="resolved")
    home("conflicts", "resolve", "helpdesk:r-helpdesk", "status", *words)
    with home.ledger.read() as tx:
        link = links.load(tx, ["l1"])["l1"]
        assert conflict_log.list_open(tx) == []
        assert conflict_log.of_link(tx, "l1")[0]["resolution"].endswith("decided")
        assert "resolved" in {line.kind for line in timeline.timeline(tx, "l1")}
    assert (
        link.state["status"].value,
        link.state["status"].rev,
        link.state["status"].candidates,
    ) == (value, 4, None)
    assert home.audited() == [("conflict resolved", "l1 status")]
    assert home("conflicts", "list") == "no conflict is open\n"


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["status", "on fire"], "allowed: new, open", 1),
        (["status", "--take", "desk"], "helpdesk, product", 1),
        (["priority", "high"], "allowed: status", 1),
        (["status"], "--take CONNECTION", 2),
        (["status", "open", "--take", "product"], "--take CONNECTION", 2),
    ],
)
def test_a_decision_that_does_not_fit_is_refused_with_what_would(home, words, message, code):
    home.ticket(helpdesk="open", product="resolved")
    assert message in home("conflicts", "resolve", "l1", *words, code=code)
    assert len(home.json("conflicts", "list")) == 1
    assert home.audited() == []


def test_the_status_adds_up_and_shows_a_pause_as_what_it_is(home):
    accept(home, "a", "echo")
    home.park("d1", cause="Refused")
    now = datetime.now(UTC)
    with home.ledger.transaction() as tx:
        for number in range(connection_health.BREAKER_FAILURES):
            connection_health.failed(tx, "product", "answered 502", now, item=str(number))
    given = json.loads(home("status", "--json"))
    assert given["account"] == {
        "accepted": 1,
        "verdicts": {"echo": 1},
        "in_flight": 0,
        "balanced": True,
        "missing": 0,
    }
    assert [group["code"] for group in given["parked"]] == ["BRG-WRITE-REFUSED"]
    product = next(row for row in given["connections"] if row["connection"] == "product")
    assert product["health"] in {"paused", "trying"}
    assert "because answered 502" in product["why"]
    shown = home("status")
    assert "1 accepted = 1 of our own writes + 0 in flight" in shown


def test_what_was_never_called_is_not_said_to_be_well(home):
    def health():
        rows = json.loads(home("status", "--json"))["connections"]
        return {row["connection"]: row["health"] for row in rows if row["health"] != "never called"}

    assert health() == {}
    with home.ledger.transaction() as tx:
        for name, error in (("helpdesk", ""), ("desk", "abandoned: no progress for an hour")):
            run_records.finish(
                tx,
                run_records.begin(
                    tx, kind="poll", connection=name, entity="ticket", due=NOW, now=NOW
                ),
                NOW,
                error=error,
            )
    home.ticket(product="open")
    assert health() == {"helpdesk": "ok", "product": "ok"}
    assert "never" in home("status")


def test_the_status_says_what_ran_last_and_when_the_next_one_is_due(home):
    now = datetime.now(UTC)
    with home.ledger.transaction() as tx:
        ended = run_records.begin(
            tx, kind="poll", connection="helpdesk", entity="ticket", due=now, now=now
        )
        run_records.finish(tx, ended, now)
        run_records.begin(tx, kind="poll", connection="product", entity="ticket", due=now, now=now)
    given = json.loads(home("status", "--json"))
    schedule = {(row["connection"], row["entity"], row["kind"]): row for row in given["schedule"]}
    mine, its = schedule["helpdesk", "ticket", "poll"], schedule["product", "ticket", "poll"]
    assert (
        now + timedelta(minutes=4)
        < datetime.fromisoformat(mine["next"])
        < now + timedelta(minutes=6)
    )
    assert mine["last"]["run"] == str(ended)
    assert (its["next"], its["waits"]) == (None, "under way")
    helpdesk = next(row for row in given["connections"] if row["connection"] == "helpdesk")
    assert helpdesk["next_full"]
    assert "next full" in home("status")


# --- tickets, audit


def test_tickets_are_listed_and_found(home):
    home.ticket(helpdesk="open", product="open")
    shown = home("tickets")
    assert "helpdesk:r-helpdesk, product:r-product" in " ".join(shown.split())
    (row,) = home.json("tickets", "--state", "in step")
    assert row["records"] == {"helpdesk": "r-helpdesk", "product": "r-product"}
    assert home("tickets", "--state", "conflict").strip() == "no ticket fits"
    assert "'in step'" in home("tickets", "--state", "fine", code=2)


def test_the_audit_is_listed_newest_first_and_filtered(home):
    home.ticket(helpdesk="open", product="open")
    home("link", "pause", "l1", "--yes")
    home("link", "resume", "l1", "--yes")
    home("connection", "pause", "helpdesk", "--why", "a move")
    assert [act["action"] for act in home.json("audit")] == [
        "connection pause",
        "link resume",
        "link pause",
    ]
    assert [act["subject"] for act in home.json("audit", "--action", "connection")] == ["helpdesk"]
    (newest,) = home.json("audit", "--limit", "1")
    assert newest["actor"].startswith("local:")
    assert len(home.json("audit", "--before", str(newest["id"]))) == 2
    assert len(home.json("audit", "--by", newest["actor"], "--about", "l1")) == 2
    assert "a move" in home("audit", "--limit", "1")
    assert home("audit", "--by", "nobody").strip() == "nothing of this kind was done"


def test_what_cannot_be_done_is_told_as_an_error_like_wrong_usage(run, tmp_path):
    home = Home(run, tmp_path / "told")
    assert "Error: " in home("inbox", "show", "99", code=2)
    assert home("parked", "retry", "no-such-name", code=1).startswith("Error: not parked")
    home.ticket(helpdesk="open")
    home("link", "pause", "l1", "--yes")
    assert "\nError: l1 is paused already" in home("link", "pause", "l1", "--yes", code=1)
    home.ledger.close()
