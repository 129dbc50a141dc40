"""Calls that a sync must never make, and calls that no document describes, are counted."""

import pytest

from bridge.verify.report import VerifyInput, verify
from tests.sandbox.played import POSTHOG, SWITCH


@pytest.mark.provokes
def test_forbidden_calls_and_faults_are_counted(run):
    run.to_posthog.get(f"{POSTHOG}/{run.there}/")
    run.switch.faults.set({"error-before": 1})
    run.patch_switch(status="open")
    report = run.report()
    assert (report.forbidden_calls, report.faults) == (1, {"error-before": 1})


@pytest.mark.parametrize(
    ("note", "edited", "read_since", "counted"),
    [
        ("forbidden in this state: an end of what has ended", True, False, 0),
        ("forbidden in this state: an end of what has ended", True, True, 1),
        ("forbidden in this state: an end of what has ended", False, True, 1),
        ("forbidden: marks it as read", True, False, 1),
    ],
)
def test_what_an_unread_edit_made_forbidden_could_not_be_known(
    run, note, edited, read_since, counted
):
    run.to_switch.get(f"{SWITCH}/tickets/{run.here}")
    run.clock.sleep(1)
    if edited:
        run.switch.edit(run.here, {"status": "resolved"})
        run.clock.sleep(1)
    if read_since:
        run.to_switch.get(f"{SWITCH}/tickets/{run.here}")
    run.patch_switch(status="resolved")
    given = run.input()
    *before, last = sorted(given.journal, key=lambda row: row["seq"])
    journal = [*before, {**last, "note": note}]
    assert verify(VerifyInput(journal, given.finals, given.facts)).forbidden_calls == counted


def test_undocumented_calls_are_counted_unless_a_declared_probe_explains_them(run):
    for page in (1, 2):
        run.to_switch.get(f"{SWITCH}/tickets", params={"page": page, "limit": 5})
    run.patch_switch(subject="Other")  # a probe of the connector's
    report = run.report()
    assert (report.undocumented_calls, report.ok) == (2, False)
    assert report.details["undocumented_calls"] == [
        {"connection": "switch", "call": "GET /tickets: page", "times": 2}
    ]
    given = run.input()
    described = [
        {**row, "probes": ["GET /tickets: page"]} if row.get("system") == "switch" else row
        for row in given.facts
    ]
    judged = verify(VerifyInput(given.journal, given.finals, described))
    assert [row["call"] for row in judged.details["undocumented_calls"]] == [
        "PATCH /tickets/<ticket_id>: subject"
    ]
