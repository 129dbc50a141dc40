"""Going back in the pages: as a draft, or with what was written, but for what humans did since."""

from __future__ import annotations

import pytest

from bridge.operations import drafts, revisions
from bridge.operations.effect_jobs import EffectJobs
from bridge.operations.permissions import Role
from bridge.operations.undo_jobs import UndoJobs
from bridge.operations.undos import _left as left_of
from bridge.web.pages import draft_pages, rollback_pages
from tests.web.pages.published import (  # noqa: F401
    files_home,
    home,
    keys,
    living,
    made_once,
    mapper,
    post,
    words,
)
from tests.web.pages.test_draft_pages import HELD, READ, begin, number_of
from tests.web.pages.test_pages import inert


@pytest.fixture
def published(living):  # noqa: F811
    """Three tickets, of which two were written to by the run of revision 2."""

    def work_off(desk, run_id):
        living.settle()
        return left_of(desk.ledger, run_id)[0]

    living.app.extensions[draft_pages.JOBS] = EffectJobs(start=lambda look: look())
    living.app.extensions[rollback_pages.UNDOS] = UndoJobs(lambda run: run(), work_off)
    for number, status in enumerate(["open", "pending", "pending"]):
        began = living.estate.apps["helpdesk"].create(
            {"subject": f"Ticket {number}", "customer_email": f"c{number}@example.com"}
        )
        living.estate.apps["helpdesk"].edit(began["id"], {"status": status})
        living.estate.hint("helpdesk", began["id"])
    living.settle()
    browser = living.browser(Role.MAPPER)
    address = f"/mappings/drafts/{number_of(begin(browser, (READ, HELD)))}"
    post(browser, f"{address}/effect", browser.get(address).text)
    page = browser.get(address).text
    post(browser, f"{address}/publish", page, override_unsafe="1")
    living.settle()
    assert statuses(living) == ["on_hold", "on_hold", "open"]
    return living


def statuses(site):
    return sorted(row["status"] for row in site.estate.apps["product"].tickets())


def test_what_was_written_is_taken_back_but_for_what_somebody_did_since(published):
    held = next(
        row for row in published.estate.apps["product"].tickets() if row["status"] == "on_hold"
    )
    published.estate.apps["product"].edit(held["id"], {"status": "resolved"})
    browser = published.browser(Role.MAPPER)
    look = browser.get("/mappings/rollback/1")
    inert(look.text)
    assert "run" in words(look)
    assert "revision 2 : 2 writes" in words(look)
    done = post(browser, "/mappings/rollback/1", look.text, do="undo", override_unsafe="1")
    assert done.status_code == 303
    page = browser.get("/mappings/rollback/1")
    inert(page.text)
    assert "done Begun by user:the-mapper" in words(page)
    assert "1 ticket taken back, 1 of 1 run through. Revision 3 is in force" in words(page)
    assert f"product:{held['id']} status" in words(page)
    assert published.newest.head.note == "back to revision 1"
    assert published.files == dict(revisions.get(published.desk, 1).files)
    published.settle()
    assert statuses(published) == ["open", "pending", "resolved"]


def test_the_files_alone_become_a_draft_like_any_other(home, mapper):  # noqa: F811
    home.app.extensions[draft_pages.JOBS] = EffectJobs(start=lambda look: look())
    first = home.files
    home.publish("switch.yaml", ("max_length: 500", "max_length: 400"))
    look = mapper.get("/mappings/rollback/1").text
    made = post(mapper, "/mappings/rollback/1", look, do="draft")
    home.publish("posthog.yaml", ("system: posthog", "# theirs\nsystem: posthog"))
    address = made.headers["Location"]
    post(mapper, f"{address}/effect", mapper.get(address).text)
    page = mapper.get(address)
    assert "Others have published" not in words(page)  # it takes the place of whatever there is
    assert post(mapper, f"{address}/publish", page.text).status_code == 303
    assert home.files["switch.yaml"] == first["switch.yaml"]
    assert drafts.latest(home.desk) == []
    same = post(mapper, "/mappings/rollback/4", look, do="draft")
    assert same.status_code == 409
    assert mapper.get("/mappings/rollback/99").status_code == 404


def test_one_way_back_at_a_time_and_none_where_files_count(home, files_home, mapper):  # noqa: F811
    home.app.extensions[rollback_pages.UNDOS] = UndoJobs(lambda _run: None)
    home.publish("switch.yaml", ("max_length: 500", "max_length: 400"))
    look = mapper.get("/mappings/rollback/1").text
    assert post(mapper, "/mappings/rollback/1", look, do="undo").status_code == 303
    part = mapper.get("/mappings/rollback/1", headers={"HX-Request": "true"}).text
    assert 'hx-trigger="every 1s"' in part
    again = post(mapper, "/mappings/rollback/1", look, do="undo")
    assert again.status_code == 409
    assert "user:the-mapper goes back to revision 1 just now" in words(again)
    browser = files_home.browser(Role.MAPPER)
    page = browser.get("/mappings/rollback/1").text
    assert "keeps its mappings in files" in page
    token = browser.get("/mappings").text
    assert post(browser, "/mappings/rollback/1", token, do="undo").status_code == 409
