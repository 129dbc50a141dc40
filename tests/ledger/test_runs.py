from datetime import timedelta

from bridge.core.model.values import Ref
from bridge.ledger import (
    drift_findings,
    failing_runs,
    links,
    listings,
    paused_runs,
    run_records,
    run_writes,
    webhook_inbox,
    work,
)
from tests.ledger.helpers import at_once, claim_one, hint, make_link

HOUR = timedelta(hours=1)


def begin(tx, now, **changes):
    fields = {"kind": "full", "connection": "helpdesk", "entity": "ticket", "due": now, "now": now}
    return run_records.begin(tx, **{**fields, **changes})


def test_a_run_that_waits_for_its_connection_is_not_given_up(tx, now):
    first = begin(tx, now)
    hint(tx, now, kind="reconcile", key=f"reconcile:{first}")
    assert begin(tx, now + 5 * HOUR) is None
    row = claim_one(tx, now + 5 * HOUR)
    work.park(tx, row, "w1", "it fails again and again", "Unavailable", now + 5 * HOUR)
    assert begin(tx, now + 5 * HOUR) is not None
    assert "abandoned" in run_records.get(tx, first).error


def test_a_run_of_many_parts_is_not_given_up_while_one_of_them_waits(tx, now):
    first = begin(tx, now, kind="remap")
    hint(tx, now, kind="remap", key=f"{run_writes.part_keys(first)}000001", run_id=first)
    assert begin(tx, now + 5 * HOUR, kind="remap") is None
    paused_runs.drop(tx, first)
    assert begin(tx, now + 5 * HOUR, kind="remap") is not None


def test_what_failed_before_a_run_that_worked_is_over_also_when_the_next_one_fails(tx, now):
    for hours, error in enumerate(("no", "no", "", "again no")):
        at = now + hours * HOUR
        run_records.finish(tx, begin(tx, at), at, error=error)
    failing = failing_runs.of(tx, "full", "helpdesk", "ticket")
    assert (failing.since, failing.why, failing.ended) == (now + 3 * HOUR, "again no", 1)


def test_no_count_is_lost_of_those_who_add_to_a_run_at_once(ledger, now):
    with ledger.transaction() as tx:
        run_id = begin(tx, now)
        run_records.set_figures(tx, run_id, {"planned": 7})
    at_once(ledger, lambda tx, _: run_records.add_to_figures(tx, run_id, {"left alone": 1}))
    with ledger.read() as tx:
        assert run_records.get(tx, run_id).figures == {"planned": 7, "left alone": 8}


def test_only_the_worker_that_holds_the_claim_carries_a_run_on(tx, now):
    hint(tx, now)
    row = claim_one(tx, now, owner="w1")
    assert run_records.extend_claim(tx, row, "w1", {"page": 2}, now + HOUR)
    assert not run_records.extend_claim(tx, row, "w2", {"page": 9}, now + HOUR)
    again = claim_one(tx, now + 2 * HOUR, owner="w2")
    assert again.payload == {"page": 2}
    assert not run_records.extend_claim(tx, row, "w1", {"page": 3}, now + 3 * HOUR)


def test_a_run_that_went_astray_leaves_no_watermark(tx, now):
    for cursor in (1, 2):
        run_id = begin(tx, now, kind="poll")
        run_records.progress(tx, run_id, cursor=cursor, seen=1, hinted=0, now=now)
        run_records.finish(tx, run_id, now)
    run_records.forget_cursor(tx, run_id)
    assert run_records.watermark(tx, "helpdesk", "ticket") == 1


def seen(tx, remote_id="1"):
    return listings.linked_rows(tx, "helpdesk", "ticket", [remote_id, "unknown"])


def test_a_fingerprint_holds_until_the_link_is_taken_and_is_not_kept_while_it_is(tx, now):
    link = make_link(tx, now)
    before = seen(tx)["1"]
    assert before.fingerprint is None
    listings.store(
        tx,
        [listings.RowSighting(before.side_id, "d", before.fence, 5, 0)],
    )
    assert (seen(tx)["1"].fingerprint, seen(tx)["1"].day) == ("d", 5)
    fence = links.lease(tx, link.id, "w", now, now + HOUR)
    assert (seen(tx)["1"].fingerprint, seen(tx)["1"].fence) == (None, None)
    links.release(tx, link.id, "w", fence)
    assert (seen(tx)["1"].fingerprint, seen(tx)["1"].fence) == (None, fence)


def test_absent_is_what_was_known_before_and_not_seen_by_this_run(tx, now):
    for number in range(5):
        make_link(tx, now, f"link{number}", helpdesk=str(number))
    make_link(tx, now + 2 * HOUR, "young", helpdesk="young")
    known = listings.linked_rows(tx, "helpdesk", "ticket", [str(number) for number in range(5)])
    listings.store(
        tx,
        [listings.RowSighting(known[each].side_id, None, 0, 1, 7) for each in "012"],
    )
    listings.mark_seen(tx, [known["0"].side_id], 8)
    # Seeing it in a poll (run 0) says nothing about the full run.
    listings.store(tx, [listings.RowSighting(known["1"].side_id, "x", 0, 1, 0)])
    asked = ("helpdesk", "ticket", 7, now + HOUR)
    assert [row.remote_id for row in listings.unseen(tx, *asked)] == ["0", "3", "4"]
    assert listings.count_unseen(tx, *asked) == 3
    assert listings.count_known(tx, *asked[:2], asked[3]) == 5


def finding(tx, run_id, now, **changes):
    fields = {
        "run_id": run_id, "connection": "helpdesk", "entity": "ticket", "remote_id": "1",
        "kind": "changed",
        "fields": ["status"], "since": now - HOUR, "why": drift_findings.UNEXPLAINED,
        "found_at": now,
    }  # fmt: skip
    drift_findings.add(tx, [{**fields, **changes}])


def webhook(tx, at, verdict, why=""):
    webhook_inbox.accept(
        tx, connection="helpdesk", delivery_key=str(at), received_at=at, headers={}, projection={},
            digest="",
        event="e", entity="ticket", remote_id="1", verdict=verdict, why=why,
    )  # fmt: skip


def why(tx, run_id, **options):
    drift_findings.explain(tx, run_id, **{"webhooks": True, **options})
    return [each.why for each in drift_findings.recent(tx, runs=[run_id])]


def test_the_newest_webhook_since_the_record_was_right_explains_a_miss(tx, now):
    webhook(tx, now - 2 * HOUR, "ignored", "too early to count")
    finding(tx, 1, now)
    assert why(tx, 1) == [drift_findings.SILENT]
    webhook(tx, now - HOUR / 2, "ignored", "not wanted")
    finding(tx, 2, now)
    assert why(tx, 2) == ["a webhook came and was dropped as ignored: not wanted"]
    webhook(tx, now - HOUR / 4, "applied")
    webhook(tx, now + HOUR, "out of scope", "after it was found")
    finding(tx, 3, now)
    assert why(tx, 3) == ["a webhook came and was read; what changed after it had none"]
    finding(tx, 4, now)
    assert "no webhooks" in why(tx, 4, webhooks=False)[0]
    finding(tx, 5, now, why="parked: x")
    assert why(tx, 5) == ["parked: x"]


def test_what_a_systems_webhooks_never_tell_of_is_no_miss(tx, now):
    finding(tx, 1, now, entity="customer", kind="new", since=None)
    assert why(tx, 1) == [drift_findings.SILENT]  # nothing came at all
    webhook(tx, now - HOUR, "applied")
    finding(tx, 2, now, entity="customer", kind="new", since=None, remote_id="2")
    assert why(tx, 2) == [drift_findings.UNTOLD]
    assert [drift_findings.counts(tx, run)["missed"] for run in (1, 2)] == [0, 0]


def test_a_finding_is_healed_when_the_record_was_read_and_nothing_waits(tx, now):
    link = make_link(tx, now)
    finding(tx, 1, now)
    assert drift_findings.mark_healed(tx) == 0
    fence = links.lease(tx, link.id, "w", now, now + HOUR)
    link.sides["helpdesk"].read_at = now + HOUR / 2
    links.save(tx, link, "w", fence, now + HOUR / 2)
    hint(tx, now, kind="deliver", key="deliver:x", link_id=link.id)
    assert drift_findings.mark_healed(tx) == 0
    assert drift_findings.count_healing(tx, [1]) == 1
    work.finish(tx, claim_one(tx, now), "w1", now)
    assert drift_findings.count_healing(tx, [1]) == 0
    assert drift_findings.mark_healed(tx) == 1
    assert drift_findings.recent(tx, runs=[1])[0].healed_at == now + HOUR / 2
    assert drift_findings.counts(tx, 1) == {"found": 1, "missed": 0, "healed": 1}
    assert links.of_refs(tx, [Ref("helpdesk", "ticket", "1")])


def test_rates_count_by_day_and_source_and_old_findings_are_forgotten(tx, now):
    for days, reason in (
        (0, drift_findings.SILENT),
        (0, "parked: x"),
        (1, drift_findings.SILENT),
        (40, drift_findings.SILENT),
    ):
        finding(tx, 1, now - timedelta(days=days), why=reason)
    rates = drift_findings.rates(tx, now - timedelta(days=7))
    assert [(each.found, each.missed) for each in rates] == [(1, 1), (2, 1)]
    assert drift_findings.rates(tx, now - timedelta(days=7), "desk") == []
    assert drift_findings.prune(tx, now - timedelta(days=30)) == 1
