"""A tiny bridge is played by hand over the real sandboxes; then one promise at a time is broken."""

import ast
from pathlib import Path

import pytest

import bridge.verify.report as checker
from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.rows_for_judge import gather
from bridge.verify.report import VerifyInput, load, main, verify, write
from tests.sandbox.conftest import standard_webhook
from tests.sandbox.played import POSTHOG, SWITCH


def test_a_clean_run_is_clean(run):
    run.switch.edit(run.here, {"status": "pending", "add_tags": ["VIP"]})
    run.patch_posthog(status="pending", tags=["vip"])
    run.posthog.edit(run.there, {"assignee": {"type": "user", "id": 11}})
    run.patch_switch(assignee_id="usr_1")
    report = run.report()
    assert report.details == {}
    assert report.ok
    assert (report.tickets, report.edits_applied, report.writes) == (2, 2, 4)
    assert report.latency_polled_ms == {"p50": 1000.0, "p95": 1000.0}
    assert report.systems["switch"] == {
        "tickets": 2,
        "mirrored": 2,
        "create": 2,
        "edit": 1,
        "write": 1,
    }
    assert set(report.as_dict()) >= {
        "converged",
        "duplicates",
        "lost_edits",
        "echo_writes",
        "conflicts_open",
        "faults",
    }


def test_a_lost_edit_is_seen_even_when_the_sides_are_equal(run):
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_switch(status="new")
    report = run.report()
    assert (report.converged, report.lost_edits, report.ok) == (True, 1, False)
    assert report.details["lost_edits"][0]["field"] == "status"
    assert report.details["lost_edits"][0]["value"] == "pending"


def test_a_later_human_word_or_a_recorded_conflict_excuses_the_loss(run):
    run.switch.edit(run.here, {"status": "pending"})
    run.posthog.edit(run.there, {"status": "open"})
    run.patch_switch(status="open")
    assert run.report().ok
    run.posthog.edit(run.there, {"status": "resolved"})
    run.patch_posthog(status="open")
    assert run.report().lost_edits == 1
    run.fact(
        "conflict",
        connection="switch",
        id=run.here,
        field="status",
        open=False,
        values=["pending", "open"],
    )
    assert run.report().lost_edits == 1
    run.fact(
        "conflict",
        connection="switch",
        id=run.here,
        field="status",
        open=False,
        values=["resolved", "open"],
    )
    assert run.report().lost_edits == 0


@pytest.mark.parametrize(
    ("named", "lost"), [("usr_5", 0), ("aiko@support.example", 0), ("usr_4", 1)]
)
def test_a_conflict_may_name_a_person_as_the_system_does(run, named, lost):
    run.switch.edit(run.here, {"assignee_id": "usr_5"})
    run.fact(
        "conflict", connection="switch", id=run.here, field="assignee", open=True, values=[named]
    )
    assert run.report().lost_edits == lost


def test_flattening_a_finer_word_is_a_lost_edit(run):
    run.switch.edit(run.here, {"status": "in_progress"})
    run.patch_posthog(status="open")
    assert run.report().ok
    run.patch_switch(status="open")
    assert run.report().lost_edits == 1


@pytest.mark.parametrize(("shown", "lost"), [("closed", 0), ("resolved", 0), ("pending", 1)])
def test_a_word_that_stands_for_several_speaks_against_none_of_them(run, shown, lost):
    run.switch.edit(run.here, {"status": shown})
    run.clock.sleep(1)
    run.posthog.edit(run.there, {"status": "resolved"})
    assert run.report().lost_edits == lost


def test_lost_tags_are_seen_element_by_element(run):
    run.switch.edit(run.here, {"add_tags": ["a"]})
    run.posthog.edit(run.there, {"add_tags": ["b"]})
    run.patch_switch(tags=["b"])
    report = run.report()
    assert [row["field"] for row in report.details["lost_edits"]] == ["tags:a"]


def test_a_humans_tag_that_begins_like_a_marker_is_missed_too(run):
    run.switch.edit(run.here, {"add_tags": ["bridge-outage"]})
    run.patch_posthog(tags=["bridge-outage"])
    assert run.report().ok
    run.patch_switch(tags=[])
    assert run.report().details["lost_edits"][0]["field"] == "tags:bridge-outage"


def test_an_echo_is_a_write_that_changed_nothing(run):
    run.patch_posthog(status="new")
    report = run.report()
    assert (report.echo_writes, report.ok) == (1, False)
    assert report.details["echo_writes"][0]["sent"] == {"status": "new"}


def test_a_write_that_a_human_forestalled_after_our_read_is_no_echo(run):
    run.to_switch.get(f"{SWITCH}/tickets/{run.here}")
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_switch(status="pending")
    assert run.report().echo_writes == 0
    run.patch_switch(status="pending")
    assert run.report().echo_writes == 0  # it has not been read since
    run.to_switch.get(f"{SWITCH}/tickets/{run.here}")
    run.patch_switch(status="pending")
    assert run.report().echo_writes == 1


def test_another_field_that_a_human_has_changed_excuses_no_echo(run):
    run.to_switch.get(f"{SWITCH}/tickets/{run.here}")
    run.switch.edit(run.here, {"priority": "urgent"})
    run.patch_switch(status="new")
    assert run.report().echo_writes == 1


def test_a_deletion_is_a_later_word_on_the_status_where_the_others_show_it(run):
    run.switch.edit(run.here, {"status": "open"})
    run.patch_posthog(status="open")
    run.posthog.delete(run.there)
    run.patch_switch(status="closed")
    assert run.report().lost_edits == 0
    run.patch_switch(status="pending")
    assert run.report().lost_edits == 1


def test_a_write_that_was_not_honoured_is_told_apart_from_an_echo(run):
    run.posthog.configure({"tags_licensed": False})
    run.patch_posthog(tags=["a"])
    report = run.report()
    assert (report.echo_writes, len(report.details["ignored_writes"])) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "drifted"),
    [
        ({"status": "open"}, ["status"]),
        ({"priority": "critical"}, ["priority"]),
        ({"priority": None}, []),
        ({"tags": ["x"]}, ["tags"]),
        ({"assignee": {"type": "user", "id": 11}}, ["assignee"]),
        ({"assignee": {"type": "role", "id": "r"}}, []),
    ],
)
def test_a_drifted_field_is_named(run, fields, drifted):
    run.patch_posthog(**fields)
    report = run.report()
    assert [row["field"] for row in report.details.get("drifted", [])] == drifted
    assert report.converged == (not drifted)


@pytest.mark.parametrize(
    ("here", "there"), [("pending", "on_hold"), ("closed", "resolved"), ("in_progress", "open")]
)
def test_what_a_system_cannot_say_is_no_drift(run, here, there):
    run.patch_switch(status=here)
    run.patch_posthog(status=there)
    assert run.report().converged


def test_an_open_conflict_and_a_declared_limit_are_no_drift(run):
    run.patch_posthog(status="open", tags=["x"])
    run.fact("conflict", connection="posthog", id=run.there, field="status", open=True)
    report = run.report()
    assert [row["field"] for row in report.details["drifted"]] == ["tags"]
    assert report.conflicts_open == 1
    run.fact("not_carried", connection="switch", id=run.here, field="tags")
    assert run.report().converged


@pytest.mark.parametrize(("left", "declared"), [([], True), ([], False), (["b"], True)])
def test_only_the_last_tag_may_go_unnoticed_and_only_where_that_was_declared(run, left, declared):
    run.patch_switch(tags=["a", "b"])
    run.patch_posthog(tags=["a", "b"])
    run.posthog.edit(run.there, {"tags": left})
    if declared:
        run.fact("not_carried", connection="posthog", id=run.there, field="tags")
    details = run.report().details
    excused = declared and not left
    assert ("withheld_edits" in details, "lost_edits" in details) == (excused, not excused)


def test_an_edit_of_what_a_side_never_shows_is_no_word_and_excuses_no_other(run):
    run.switch.edit(run.here, {"tags": ["a"]})
    run.posthog.edit(run.there, {"tags": ["a", "b"]})
    run.fact("not_carried", connection="posthog", id=run.there, field="tags")
    details = run.report().details
    assert {row["field"] for row in details["lost_edits"]} == {"tags:b"}
    run.fact("never_read", connection="posthog", id=run.there, field="tags")
    details = run.report().details
    assert "lost_edits" not in details
    assert [row["field"] for row in details["unread_edits"]] == ["tags:a", "tags:b"]
    run.patch_switch(tags=[])  # what somebody wrote where it is read counts as ever
    assert {row["field"] for row in run.report().details["lost_edits"]} == {"tags:a"}


def test_a_record_without_its_counterpart_has_not_converged(run):
    lonely = run.switch.create({"subject": "Alone", "customer_email": "cid@example.com"})["id"]
    report = run.report()
    assert report.details["unlinked"] == [{"ref": ["switch", lonely], "missing_at": ["posthog"]}]
    assert not report.converged
    run.fact("connection", name="posthog", system="posthog", creates=False)
    assert run.report().converged


def test_without_any_bridge_nothing_converges(switch, posthog):
    switch.populate(3, 1)
    posthog.populate(3, 2)
    report = verify(VerifyInput(*gather([switch, posthog])))
    assert (report.converged, len(report.details["unlinked"]), report.tickets) == (False, 6, 6)


def test_a_vanished_record_is_drift_unless_a_human_deleted_it(run):
    run.to_posthog.delete(f"{POSTHOG}/{run.there}/")
    assert run.report().details["drifted"][0]["why"] == "the record is gone"
    run.switch.delete(run.here)
    assert run.report().converged


def test_conflicting_edits_are_those_that_could_not_see_each_other(run):
    run.switch.edit(run.here, {"status": "pending"})
    run.posthog.edit(run.there, {"status": "open"})
    assert run.report().conflicting_edits == 2
    run.patch_switch(status="open")
    run.switch.edit(run.here, {"status": "resolved"})
    run.patch_posthog(status="resolved")
    assert run.report().conflicting_edits == 2


def test_a_removal_before_a_side_of_its_own_history_showed_its_tags_is_settled_by_their_meeting(
    run,
):
    here = run.switch.create(
        {"subject": "Two", "customer_email": "cy@example.com", "tags": ["beta"]}
    )["id"]
    there = run.posthog.create({"anonymous_traits": {"email": "cy@example.com"}, "tags": ["beta"]})[
        "id"
    ]
    links = run.facts
    met = run.clock.now()
    run.clock.sleep(5)
    run.switch.edit(here, {"remove_tags": ["beta"]})
    run.clock.sleep(5)
    later = {"connection": "posthog", "field": "tags", "at": run.clock.now().isoformat()}
    known = {"kind": "link", "refs": {"switch": here, "posthog": there}, "met": met.isoformat()}
    run.facts = [*links, known]
    assert run.report().lost_edits == 1
    run.facts = [*links, known | {"met_later": [later]}]
    assert run.report().lost_edits == 0


def test_a_counterpart_of_ours_has_a_history_once_the_ledger_that_knew_it_is_lost(run):
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_switch(status="new")  # what on_link made of it
    run.clock.sleep(5)
    (mine,) = [row for row in run.facts if run.there in row.get("refs", {}).values()]
    mine["met"] = run.clock.now().isoformat()
    assert run.report().lost_edits == 1
    run.fact("known", connection="posthog", id=run.there)
    report = run.report()
    assert (report.lost_edits, len(report.details["before_they_met"])) == (0, 1)


@pytest.mark.parametrize(("lag", "kind"), [(0.0, "lost_edits"), (1.0, "window_edits")])
def test_what_a_lagging_listing_could_not_show_yet_is_overwritten_by_no_fault_of_the_bridges(
    run, lag, kind
):
    run.clock.sleep(5)
    run.posthog.configure({"list_lag": lag})
    run.posthog.edit(run.there, {"status": "pending"})
    run.clock.sleep(0.5)
    run.to_posthog.get(f"{POSTHOG}/")
    run.patch_posthog(status="new")
    assert list(run.report().details) == [kind]


@pytest.mark.parametrize(("lag", "echoes"), [(0.0, 1), (1.0, 0)])
def test_what_a_lagging_listing_could_not_show_yet_may_be_written_once_more(run, lag, echoes):
    run.clock.sleep(5)
    run.posthog.configure({"list_lag": lag})
    run.posthog.edit(run.there, {"status": "pending"})
    run.clock.sleep(0.5)
    run.to_posthog.get(f"{POSTHOG}/")
    run.patch_posthog(status="pending")
    assert run.report().echo_writes == echoes


def test_latency_ignores_writes_after_the_value_was_superseded(run):
    run.switch.edit(run.here, {"status": "open"})
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_posthog(status="pending")
    run.clock.sleep(100)
    run.switch.edit(run.here, {"status": "open"})
    run.patch_posthog(status="open")
    assert run.report().latency_polled_ms == {"p50": 1000.0, "p95": 1000.0}


def test_what_a_webhook_told_of_is_timed_apart_from_what_only_a_poll_finds(run):
    run.posthog.outbox.target = WebhookTarget("http://bridge.test/w", standard_webhook())
    run.posthog.edit(run.there, {"status": "pending"})
    run.patch_switch(status="pending")
    run.posthog.edit(run.there, {"add_tags": ["vip"]})  # no event tells of tags
    run.clock.sleep(6)
    run.patch_switch(tags=["vip"])
    report = run.report()
    assert report.latency_ms == {"p50": 1000.0, "p95": 1000.0}
    assert report.latency_polled_ms == {"p50": 7000.0, "p95": 7000.0}


def test_the_input_survives_its_files_and_anybody_can_check_them(run, tmp_path, capsys):
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_posthog(status="pending")
    write(tmp_path / "good", run.input())
    assert verify(load(tmp_path / "good")) == run.report()
    assert main([str(tmp_path / "good")]) == 0
    run.patch_posthog(status="pending")
    write(tmp_path / "bad", run.input())
    assert main([str(tmp_path / "bad")]) == 1
    assert '"echo_writes": 1' in capsys.readouterr().out


def test_connections_keep_their_own_names(clock, sequence):
    from bridge.sandbox.switch import SwitchSandbox

    helpdesk = SwitchSandbox(clock, 1, name="helpdesk", sequence=sequence)
    ticket = helpdesk.create({"subject": "One"})["id"]
    report = verify(
        VerifyInput(*gather([helpdesk], [{"kind": "link", "refs": {"helpdesk": ticket}}]))
    )
    assert (report.converged, list(report.systems)) == (True, ["helpdesk"])


def test_evidence_that_does_not_say_how_to_read_a_system_is_refused(run):
    given = run.input()
    facts = [row for row in given.facts if row["kind"] != "system"]
    with pytest.raises(ValueError, match="no row of the kind 'system' for posthog, switch"):
        verify(VerifyInput(given.journal, given.finals, facts))


def test_the_checker_imports_nothing_of_what_it_checks():
    for path in Path(checker.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[1] for name in imported if name.startswith("bridge")} <= {"verify"}


@pytest.mark.parametrize(("looked", "kind"), [(False, "unseen_edits"), (True, "lost_edits")])
def test_a_value_that_went_and_came_back_counts_as_lost_only_if_a_read_could_show_it(
    run, looked, kind
):
    run.posthog.edit(run.there, {"status": "open"})
    if looked:
        run.to_posthog.get(f"{POSTHOG}/?ids={run.there}")
    run.posthog.edit(run.there, {"status": "new"})
    run.switch.edit(run.here, {"status": "pending"})
    run.patch_posthog(status="pending")
    run.posthog.edit(run.there, {"status": "open"})
    if looked:
        run.to_posthog.get(f"{POSTHOG}/?ids={run.there}")
    run.posthog.edit(run.there, {"status": "pending"})
    run.clock.sleep(60)
    run.patch_posthog(status="resolved")
    run.patch_switch(status="resolved")
    assert list(run.report().details) == [kind]


def test_what_cannot_be_judged_is_no_success(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 2
    assert main([]) == 2
    told = capsys.readouterr().err
    assert "cannot be judged" in told
    assert "bridge demo --journals" in told
