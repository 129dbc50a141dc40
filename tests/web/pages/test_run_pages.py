"""Runs in the pages: how far each is, its records, taking one back, and what is held."""

from __future__ import annotations

import re

import pytest

from bridge.ledger import connection_health, drift_findings, parking, run_objects, run_records
from bridge.operations import audit_trail, parked, run_states, undos
from bridge.operations.permissions import Role
from bridge.runs import backfill
from bridge.web.pages import run_pages
from bridge.web.pages.styleguide import HOSTILE
from tests.flow.world import born
from tests.web.pages.conftest import Elements, csrf_of
from tests.web.pages.test_pages import LARGEST, inert, seen


@pytest.fixture
def browser(site):
    return site.browser(Role.MAPPER)


def text_of(browser, path):
    return Elements(browser.get(path).text).text


def begin_import(world):
    with world.ledger.transaction() as tx:
        return backfill.start(tx, "L", "ticket", world.clock.now())


def imported(world, subjects):
    """Import tickets that stand at L; return the run, which has made each at H."""
    for subject in subjects:
        world.systems["L"].add(subject=subject, status="open", priority="high", tags=[])
    run = begin_import(world)
    world.settle()
    return run


def state(site, run):
    return run_states.get(site.desk, run)


def test_no_runs_are_said_with_who_begins_them(browser):
    text = text_of(browser, "/runs")
    assert "No runs yet" in text
    assert "bridge runs" in text


def test_a_run_shows_how_far_it_is_and_each_record_with_its_outcome(world, browser):
    run = imported(world, ["printer one", "printer two"])
    assert "import of L tickets" in text_of(browser, "/runs")
    page = browser.get(f"/runs/{run}").text
    text = Elements(page).text
    assert "listing" in text
    assert "importing" in text
    assert "4 writes, creates among them" in text
    assert "what it made" in text
    made = text_of(browser, f"/runs/{run}?show=made")
    assert made.count("made subject printer") == 2
    assert "patch status new → open done" in text_of(browser, f"/runs/{run}?show=wrote")
    assert "data-living" not in page  # it is over
    (first, _second) = world.links()
    assert f"/tickets/H:{first.sides['H'].remote_id}" in page
    assert f"bridge runs show {run}" in text


def test_an_open_page_fetches_the_progress_alone_and_only_if_it_moved(world, browser):
    world.systems["L"].add(subject="a", status="open", priority="high", tags=[])
    run = begin_import(world)
    assert "data-living" in browser.get(f"/runs/{run}").text
    for path in ("/runs", f"/runs/{run}"):
        first = browser.get(path, headers={"HX-Request": "true"})
        assert "<html" not in first.text
        tag = {"HX-Request": "true", "If-None-Match": first.headers["ETag"]}
        assert browser.get(path, headers=tag).status_code == 304
    world.settle()
    assert browser.get(f"/runs/{run}", headers=tag).status_code == 200


def test_records_are_paged_by_keys_and_filtered_by_outcome(world, browser, monkeypatch):
    monkeypatch.setattr(run_pages, "PAGE_SIZE", 2)
    run = imported(world, [f"printer {number}" for number in range(5)])
    shown, address = [], f"/runs/{run}?show=made&state=done"
    while address:
        page = browser.get(address).text
        shown += re.findall(r"printer \d", page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following and following[1].replace("&amp;", "&")
        assert address is None or {"show=made", "state=done"} <= set(re.split("[?&]", address))
    assert sorted(shown) == [f"printer {number}" for number in range(5)]
    assert "No record fits" in text_of(browser, f"/runs/{run}?show=made&state=not+done")
    assert text_of(browser, f"/runs/{run}?show=nonsense&state=x").count("patch status") == 2


def test_what_a_comparison_found_is_among_its_records(world, site, browser):
    born(world)
    (link,) = world.links()
    world.clock.advance(60)
    world.systems["L"].edit(link.sides["L"].remote_id, priority="low")
    world.clock.advance(60)
    world.reconcile()
    runs = run_states.newest(site.desk)
    found = [run for run in runs if "found" in kinds_of(site, run.id)]
    text = text_of(browser, f"/runs/{found[0].id}?show=found")
    assert "had changed: priority" in text
    assert "was not known" not in text
    page = browser.get("/runs?kind=comparisons").text
    assert f'href="/runs/{found[0].id}"' in page
    assert "No such run" in text_of(browser, "/runs?kind=imports")


def kinds_of(site, run):
    with site.desk.ledger.read() as tx:
        return run_objects.has(tx, int(run))


def test_whatever_stands_in_the_records_is_text_and_pages_stay_small(world, site, browser):
    run = imported(world, [*HOSTILE, *(f"{number} " + "W" * 9_000 for number in range(45))])
    with site.desk.ledger.transaction() as tx:
        rows = [
            {
                "run_id": run,
                "connection": "H",
                "entity": "ticket",
                "remote_id": text * 40,
                "kind": text,
                "fields": [text * 100] * 20,
                "since": None,
                "why": text * 100,
                "found_at": site.desk.now(),
                "healed_at": None,
            }
            for text in HOSTILE
        ]
        drift_findings.add(tx, rows)
    for kind in ("made", "found"):
        page = browser.get(f"/runs/{run}?show={kind}")
        inert(page.text)
        assert len(page.data) < LARGEST
    text = text_of(browser, f"/runs/{run}?show=made")
    assert [each for each in HOSTILE if seen(each)[:60] not in text] == []
    for asked in HOSTILE:
        query = dict.fromkeys(("kind", "before", "show", "state", "after"), asked)
        for path in ("/runs", f"/runs/{run}"):
            answer = browser.get(path, query_string=query)
            assert answer.status_code == 200
            inert(answer.text)


# Acts.


def test_a_run_is_taken_back_just_as_the_look_before_says(world, site, browser):
    run = imported(world, ["one", "two", "three"])
    world.clock.advance(60)
    assert f'href="/runs/{run}/undo"' in browser.get(f"/runs/{run}").text
    look = browser.get(f"/runs/{run}/undo").text
    text = Elements(look).text
    assert "Records that it made 3" in text
    assert f"bridge undo {run}" in text
    assert len(world.systems["H"].ids) == 3
    form = {"csrf_token": csrf_of(look), "delete_created": "yes"}
    assert browser.post(f"/runs/{run}/undo", data={"delete_created": "yes"}).status_code == 400
    done = browser.post(f"/runs/{run}/undo", data=form, follow_redirects=True)
    text = Elements(done.text).text
    assert f"Run {run} is being taken back" in text
    assert f"undo of run {run}" in text
    world.settle()
    assert world.systems["H"].ids == []
    (newest, *_others) = run_states.newest(site.desk)
    assert (newest.kind, newest.state, newest.done, newest.total) == ("undo", "done", 3, 3)
    (act,) = audit_trail.acts(site.desk, limit=9, action="undo")
    assert (act.actor, act.subject) == ("user:the-mapper", f"run {run}")
    again = browser.get(f"/runs/{run}/undo")
    assert again.status_code == 200


def test_what_cannot_be_taken_back_says_why_before_and_when_it_is_asked_for(world, site, browser):
    run = imported(world, ["one"])
    with site.desk.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "moving", site.desk.now())
    look = browser.get(f"/runs/{run}/undo").text
    assert "It cannot be taken back now" in Elements(look).text
    form = {"csrf_token": csrf_of(look)}
    assert browser.post(f"/runs/{run}/undo", data=form).status_code == 409
    empty = begin_import(world)
    with site.desk.ledger.transaction() as tx:
        run_records.finish(tx, empty, site.desk.now())
    assert "Nothing to take back" in text_of(browser, f"/runs/{empty}/undo")
    assert browser.post(f"/runs/{empty}/undo", data=form).status_code == 409


def test_more_than_a_page_takes_back_at_once_is_left_to_the_command(world, browser, monkeypatch):
    monkeypatch.setattr(undos, "MOST_AT_ONCE", 1)
    run = imported(world, ["one", "two"])
    look = browser.get(f"/runs/{run}/undo").text
    assert "That is more than a page does at once" in Elements(look).text
    form = {"csrf_token": csrf_of(look)}
    assert browser.post(f"/runs/{run}/undo", data=form).status_code == 409


def test_a_run_is_paused_and_goes_on(world, site, browser):
    world.systems["L"].add(subject="a", status="open", priority="high", tags=[])
    run = begin_import(world)
    for act, said, after in (("pause", "is paused", "paused"), ("resume", "goes on", "under way")):
        look = browser.get(f"/runs/{run}/{act}").text
        form = {"csrf_token": csrf_of(look)}
        done = browser.post(f"/runs/{run}/{act}", data=form, follow_redirects=True)
        assert f"Run {run} {said}" in Elements(done.text).text
        assert state(site, run).state == after
    assert browser.get(f"/runs/{run}/resume").status_code == 409
    assert browser.get(f"/runs/{run}/explode").status_code == 404
    assert browser.get("/runs/99999/pause").status_code == 404
    assert browser.get(f"/runs/{2**70}").status_code == 404


def test_an_operator_sees_runs_and_no_way_to_take_one_back(world, site):
    run = imported(world, ["one"])
    page = site.browser(Role.OPERATOR).get(f"/runs/{run}").text
    assert f"/runs/{run}/undo" not in page


@pytest.fixture
def held(site):
    """Three writes that are held as unsafe."""
    with site.desk.ledger.transaction() as tx:
        for number in range(3):
            parking.set_aside(
                tx,
                kind="deliver",
                key=f"deliver:{number}",
                connection="H",
                entity="ticket",
                link_id=f"link-{number}",
                payload={},
                why=f"{HOSTILE[0]} {number}",
                cause="unsafe",
                now=site.desk.now(),
            )
    return site


def test_what_is_held_is_let_through_just_as_the_look_before_says(held, monkeypatch):
    monkeypatch.setattr(run_pages, "SHOWN_HELD", 2)
    browser = held.browser(Role.MAPPER)
    listed = browser.get("/runs").text
    assert "3 writes to H" in Elements(listed).text
    look = browser.get("/runs/held/H").text
    inert(look)
    text = Elements(look).text
    assert "Let 2 writes through" in text
    assert "1 more" in text
    assert "bridge apply --held H" in text
    numbers = re.search(r'name="numbers" value="([^"]+)"', look)[1]
    form = {"csrf_token": csrf_of(look), "numbers": numbers}
    done = browser.post("/runs/held/H", data=form, follow_redirects=True)
    assert "2 writes to H let through, once" in Elements(done.text).text
    assert [str(row.id) in numbers.split() for row in parked.rows(held.desk)] == [False]
    assert browser.post("/runs/held/H", data=form).status_code == 409
    assert browser.get("/runs/held/nobody").status_code == 404
    (act,) = audit_trail.acts(held.desk, limit=9, action="apply")
    assert (act.actor, act.action, act.subject) == ("user:the-mapper", "apply held", "H")


def test_a_viewer_sees_what_is_held_and_no_way_to_let_it_through(held):
    page = held.browser(Role.VIEWER).get("/runs/held/H").text
    assert "<form" not in page.split("<main")[1]
    assert "Nothing is held" in text_of(held.browser(Role.VIEWER), "/runs/held/L")
