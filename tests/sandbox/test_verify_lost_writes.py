"""A human who does just what a write did of which no answer came: nobody can tell them apart."""


def test_a_human_who_sets_what_a_lost_write_had_carried_cannot_be_told_from_it(run):
    run.posthog.edit(run.there, {"status": "resolved"})
    run.patch_posthog(status="new")
    (mine,) = [row for row in run.facts if run.there in row["refs"].values()]
    assert run.report().lost_edits == 1
    mine["landed"] = [{"connection": "posthog", "field": "status", "value": "resolved"}]
    assert (run.report().lost_edits, len(run.report().details["unseen_edits"])) == (0, 1)
    run.patch_posthog(status="resolved")
    run.patch_posthog(status="new")
    assert run.report().lost_edits == 1


def test_neither_can_who_chooses_the_person_whom_a_lost_write_had_carried(run):
    run.switch.edit(run.here, {"assignee_id": "usr_1"})
    run.patch_switch(assignee_id="usr_2")
    (mine,) = [row for row in run.facts if run.here in row.get("refs", {}).values()]
    assert run.report().lost_edits == 1
    mine["landed"] = [{"connection": "switch", "field": "assignee", "value": "usr_1"}]
    assert (run.report().lost_edits, len(run.report().details["unseen_edits"])) == (0, 1)
    run.patch_switch(assignee_id="usr_1")
    run.patch_switch(assignee_id="usr_2")
    assert run.report().lost_edits == 1
