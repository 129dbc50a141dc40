"""The judge on a field of one's own, which each system keeps in an object among others."""

from tests.sandbox.played import Run


def traits(run: Run, **more):
    return {**run.posthog.store.get(run.there)["anonymous_traits"], **more}


def arrive(run: Run, team):
    return run.patch_posthog(anonymous_traits=traits(run, support_team=team))


def test_a_team_that_travels_is_clean(run):
    run.switch.edit(run.here, {"custom_fields": {"team": "Infrastructure"}})
    arrive(run, "infra")
    run.posthog.edit(run.there, {"anonymous_traits": {"support_team": "billing"}})
    run.patch_switch(custom_fields={"team": "Billing"})
    report = run.report()
    assert report.details == {}
    assert (report.edits_applied, report.writes) == (2, 4)
    assert report.latency_polled_ms == {"p50": 1000.0, "p95": 1000.0}


def test_a_team_that_does_not_arrive_is_a_drift_and_a_lost_edit(run):
    run.switch.edit(run.here, {"custom_fields": {"team": "Billing"}})
    report = run.report()
    assert (report.converged, report.lost_edits) == (False, 1)
    (lost,) = report.details["lost_edits"]
    assert (lost["field"], lost["value"]) == ("team", "billing")
    assert report.details["drifted"][0]["field"] == "team"


def test_a_team_that_is_overwritten_is_a_lost_edit_though_the_sides_agree(run):
    run.switch.edit(run.here, {"custom_fields": {"team": "Billing"}})
    arrive(run, "billing")
    run.patch_switch(custom_fields={"team": "Product"})
    arrive(run, "product")
    report = run.report()
    assert (report.converged, report.lost_edits) == (True, 1)


def test_a_team_that_somebody_takes_back_has_to_go_everywhere(run):
    run.switch.edit(run.here, {"custom_fields": {"team": "Billing"}})
    arrive(run, "billing")
    run.switch.edit(run.here, {"custom_fields": {"team": None}})
    assert not run.report().converged
    arrive(run, None)
    assert run.report().ok


def test_an_edit_of_something_else_in_the_same_object_is_no_edit_of_the_team(run):
    run.switch.edit(run.here, {"custom_fields": {"order": 17}})
    run.posthog.edit(run.there, {"anonymous_traits": {"name": "Ann"}})
    report = run.report()
    assert (report.edits_applied, report.ok) == (0, True)


def test_people_set_one_name_and_leave_what_stands_beside_it(run):
    before = traits(run)
    run.switch.edit(run.here, {"custom_fields": {"order": 17}})
    run.switch.edit(run.here, {"custom_fields": {"team": "Billing"}})
    run.posthog.edit(run.there, {"anonymous_traits": {"support_team": "billing"}})
    assert run.switch.store.get(run.here)["custom_fields"] == {"order": 17, "team": "Billing"}
    assert traits(run) == {**before, "support_team": "billing"}


def test_a_team_that_its_record_holds_as_no_object_is_none(run):
    run.posthog.store.get(run.there)["anonymous_traits"] = "text"
    assert run.report().details.get("lost_edits", []) == []
