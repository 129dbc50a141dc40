"""Drafts in the pages: typed, checked, tried, and published just as their effect was shown."""

from __future__ import annotations

import re

import pytest

from bridge.operations import audit_trail, drafts, effect_jobs
from bridge.operations.effect_jobs import EffectJobs
from bridge.operations.permissions import Role
from bridge.web.pages import draft_pages, styleguide
from tests.cli.test_effect import ON_HOLD
from tests.web.pages.conftest import Elements, csrf_of
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
from tests.web.pages.test_pages import LARGEST, inert

READ = "pending: pending, resolved: resolved"
HELD = "pending: on_hold, resolved: resolved"
EDIT = "/mappings/edit/switch.yaml"


@pytest.fixture(autouse=True)
def at_once(request):
    """Look through all tickets within the request that asks for it."""
    for name in ("home", "files_home", "living"):
        if name in request.fixturenames:
            site = request.getfixturevalue(name)
            site.app.extensions[draft_pages.JOBS] = EffectJobs(start=lambda look: look())


def hidden(page):
    """The hidden fields of a page's editor."""
    fields = [attrs for tag, attrs in Elements(page).found if tag == "input"]
    return {each["name"]: each.get("value", "") for each in fields if each.get("type") == "hidden"}


def typed(page):
    """The text in a page's editor, as a browser has it."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1]
    return Elements(f"<p>{found}</p>").words[0]


def begin(browser, *changes, do="look"):
    """Edit a file and store it; give the page that this leads to."""
    page = browser.get(EDIT).text
    text = typed(page)
    if (READ, HELD) in changes:  # as tests/cli/test_effect.py has it, with a proof that holds
        text, changes = text.partition("  examples:")[0], (*changes, *ON_HOLD.items())[1:]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    data = {**hidden(page), "text": text.replace("\n", "\r\n"), "do": do}
    return browser.post(EDIT, data=data, follow_redirects=True)


def number_of(page):
    return int(re.search(r"Draft (\d+)", page.text)[1])


def test_what_is_typed_is_stored_byte_for_byte_and_counts_for_nothing(home, mapper):  # noqa: F811
    before = home.files["switch.yaml"]
    assert typed(mapper.get(EDIT).text) == before
    page = begin(mapper, ("max_length: 500", "max_length: 400"))
    assert "Nothing of it counts yet" in words(page)
    (draft,) = drafts.latest(home.desk)
    changed = before.replace("max_length: 500", "max_length: 400")
    assert draft.changes == {"switch.yaml": changed}
    assert draft.author == "user:the-mapper"
    assert home.files["switch.yaml"] == before
    again = mapper.get(f"{EDIT}?draft={draft.id}").text
    assert typed(again) == draft.changes["switch.yaml"]
    nothing = begin(mapper)
    assert "so nothing was stored" in words(nothing)
    assert len(drafts.latest(home.desk)) == 1


def test_problems_are_named_with_their_line_by_a_check_and_while_typing(home, mapper):  # noqa: F811
    wrong = (READ, "pending: asleep, resolved: resolved")
    page = begin(mapper, wrong, do="check")
    number = next(
        number
        for number, text in enumerate(home.files["switch.yaml"].splitlines(), 1)
        if READ in text
    )
    assert f"mappings/switch.yaml:{number}" in words(page)
    assert "asleep" in words(page)
    data = {**hidden(page.text), "text": home.files["switch.yaml"]}
    while_typing = mapper.post(f"{EDIT}/problems", data=data, headers={"HX-Request": "true"})
    assert "No problems" in words(while_typing)
    assert len(drafts.latest(home.desk)) == 1  # as it was stored, not as it was typed since


def test_just_what_was_shown_is_published_and_its_run_is_watched(living):  # noqa: F811
    mapper = living.browser(Role.MAPPER)  # noqa: F811
    for number, status in enumerate(["open", "pending", "pending"]):
        began = living.estate.apps["helpdesk"].create(
            {"subject": f"Ticket {number}", "customer_email": f"c{number}@example.com"}
        )
        living.estate.apps["helpdesk"].edit(began["id"], {"status": status})
        living.estate.hint("helpdesk", began["id"])
    living.settle()
    draft = number_of(begin(mapper, (READ, HELD)))
    address = f"/mappings/drafts/{draft}"
    page = mapper.get(address)
    assert "Publish" not in [attrs.get("value") for _, attrs in Elements(page.text).found]
    too_early = post(mapper, f"{address}/publish", page.text, note="now")
    assert too_early.status_code == 409
    shown = post(mapper, f"{address}/effect", page.text, do="look")
    assert shown.status_code == 303
    page = mapper.get(address)
    inert(page.text)
    assert "3 looked at 2 concerned 2 written to" in words(page)
    assert "pending → on_hold , 2 records" in words(page)
    unsafe = "override_unsafe" in page.text
    data = {"note": "it waits", **({"override_unsafe": "1"} if unsafe else {})}
    done = post(mapper, f"{address}/publish", page.text, **data)
    assert done.headers["Location"] == "/mappings/revisions/2"
    page = mapper.get("/mappings/revisions/2")
    assert "0 write made of 2" in words(page) or "0 writes made of 2" in words(page)
    assert (living.newest.head.note, living.newest.head.author) == ("it waits", "user:the-mapper")
    living.settle()
    assert "2 writes made of 2" in words(mapper.get("/mappings/revisions/2"))
    product = living.estate.apps["product"].tickets()
    assert sorted(row["status"] for row in product) == ["on_hold", "on_hold", "open"]
    assert drafts.latest(living.desk) == []
    again = post(mapper, f"{address}/publish", page.text, **data)
    assert again.status_code == 404
    (act,) = audit_trail.acts(living.desk, limit=1, action="mappings published")
    assert act.actor == "user:the-mapper"


def test_the_second_of_two_sees_what_the_first_changed_and_loses_nothing(home, mapper):  # noqa: F811
    draft = number_of(begin(mapper, (READ, HELD)))
    address = f"/mappings/drafts/{draft}"
    post(mapper, f"{address}/effect", mapper.get(address).text)
    home.publish("switch.yaml", ("max_length: 500", "max_length: 400"), note="shorter")
    page = mapper.get(address)
    assert "Others have published since revision 2" in words(page)
    late = post(mapper, f"{address}/publish", page.text, note="mine")
    assert late.status_code == 409  # it is not as it was looked at
    post(mapper, f"{address}/effect", page.text)
    page = mapper.get(address)
    assert "Merged in revision 2" in words(page)
    assert post(mapper, f"{address}/publish", page.text, note="mine").status_code == 303
    both = home.files["switch.yaml"]
    assert HELD in both
    assert "max_length: 400" in both


def test_where_both_changed_the_same_nothing_is_published_until_one_decides(home, mapper):  # noqa: F811
    draft = number_of(begin(mapper, ("max_length: 500", "max_length: 300")))
    home.publish("switch.yaml", ("max_length: 500", "max_length: 400"))
    address = f"/mappings/drafts/{draft}"
    post(mapper, f"{address}/effect", mapper.get(address).text)
    page = mapper.get(address)
    assert "yours 300, theirs 400, before 500" in words(page)
    assert post(mapper, f"{address}/bring-in", page.text).status_code == 409
    editor = mapper.get(f"{EDIT}?draft={draft}")
    assert "max_length: 400" in words(editor)  # what the other has done stands beside it
    data = {**hidden(editor.text), "text": typed(editor.text), "brought_in": "2", "do": "look"}
    mapper.post(EDIT, data=data)
    post(mapper, f"{address}/effect", mapper.get(address).text)
    assert post(mapper, f"{address}/publish", mapper.get(address).text).status_code == 303
    assert "max_length: 300" in home.files["switch.yaml"]


def test_of_two_windows_with_one_draft_neither_overwrites_the_other(home, mapper):  # noqa: F811
    draft = number_of(begin(mapper, (READ, HELD)))
    address = f"{EDIT}?draft={draft}"
    first, second = mapper.get(address).text, mapper.get(address).text
    for page, text in ((first, "# the first\n"), (second, "# the second\n")):
        data = {**hidden(page), "text": text + typed(page), "do": "look"}
        answer = mapper.post(EDIT, data=data, follow_redirects=True)
    assert "was stored anew meanwhile" in words(answer)
    texts = [draft.changes["switch.yaml"] for draft in drafts.latest(home.desk)]
    assert sorted(text.splitlines()[0] for text in texts) == ["# the first", "# the second"]


def test_a_session_that_ends_loses_no_typed_text(home, mapper):  # noqa: F811
    page = mapper.get(EDIT).text
    text = typed(page).replace(READ, HELD) + "# <script>alert(1)</script> \u202e\n"
    stranger = home.nobody()
    data = {**hidden(page), "text": text, "do": "check"}
    answer = stranger.post(EDIT, data=data)
    assert answer.status_code == 401
    assert "What you typed is kept" in words(answer)
    inert(answer.text)
    form = hidden(answer.text)
    wrong = stranger.post("/sign-in", data=form | {"name": "the-mapper", "password": "no"})
    assert wrong.status_code == 401
    assert hidden(wrong.text)["kept.text"].replace("\r\n", "\n") == text
    entry = home.browser(Role.MAPPER)  # the same, signed in again
    shown = entry.post(EDIT, data=hidden(page) | {"text": text, "csrf_token": "an old one"})
    assert shown.status_code == 400
    assert typed(shown.text).replace("\r\n", "\n") == text
    inert(shown.text)
    last = {**hidden(shown.text), "text": typed(shown.text)}
    assert entry.post(EDIT, data=last).status_code == 303
    (draft,) = drafts.latest(home.desk)
    assert draft.changes["switch.yaml"] == text


def test_no_other_site_types_for_anybody(home):  # noqa: F811
    data = {"text": "system: theirs", "do": "check"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = home.nobody().post(EDIT, data=data, headers=headers)
        assert answer.status_code == 401
        assert "theirs" not in answer.text
    to = {"kept_to": "//evil.example/mappings/edit/x", "kept.text": "x"}
    page = home.nobody().post("/sign-in", data=to)
    assert "evil.example" not in page.text


def test_a_secret_is_not_stored_and_the_text_stays_in_the_editor(home, mapper):  # noqa: F811
    page = mapper.get(EDIT).text
    text = typed(page) + "# ${HELPDESK_API_KEY}\n"
    answer = mapper.post(EDIT, data={**hidden(page), "text": text})
    assert answer.status_code == 409
    assert "the draft was not stored" in words(answer)
    assert typed(answer.text) == text
    assert drafts.latest(home.desk) == []


def test_what_is_refused_or_stopped_says_so_and_can_be_looked_at_again(home, mapper):  # noqa: F811
    draft = number_of(begin(mapper, (READ, "pending: asleep, resolved: resolved")))
    address = f"/mappings/drafts/{draft}"
    post(mapper, f"{address}/effect", mapper.get(address).text)
    page = mapper.get(address)
    assert "It cannot be published so" in words(page)
    assert "asleep" in words(page)
    waiting = EffectJobs(start=lambda _look: None)
    home.app.extensions[draft_pages.JOBS] = waiting
    post(mapper, f"{address}/effect", page.text)
    part = mapper.get(address, headers={"HX-Request": "true"})
    assert 'hx-trigger="every 1s"' in part.text
    assert "<html" not in part.text
    post(mapper, f"{address}/effect", page.text, do="stop")
    job = waiting.of(home.desk, drafts.get(home.desk, draft))
    job.look(home.desk, dict(home.files), 1)
    assert job.state is effect_jobs.JobState.READY  # there was no ticket at which to stop
    assert post(mapper, f"{address}/discard", page.text).status_code == 303
    assert mapper.get(address).status_code == 404


def test_a_home_with_files_tries_a_draft_and_gives_its_files(files_home):  # noqa: F811
    browser = files_home.browser(Role.MAPPER)
    draft = number_of(begin(browser, (READ, HELD)))
    address = f"/mappings/drafts/{draft}"
    post(browser, f"{address}/effect", browser.get(address).text)
    page = browser.get(address)
    assert "keeps its mappings in files, so pages do not publish" in words(page)
    assert HELD in browser.get(f"{address}/files/switch.yaml").text
    assert post(browser, f"{address}/publish", page.text).status_code == 409


def test_the_newest_records_stand_beside_one_another(living):  # noqa: F811
    mapper = living.browser(Role.MAPPER)  # noqa: F811
    began = living.estate.apps["helpdesk"].create(
        {"subject": styleguide.HOSTILE[0], "customer_email": "c@example.com"}
    )
    living.estate.apps["helpdesk"].edit(began["id"], {"status": "pending"})
    living.estate.hint("helpdesk", began["id"])
    living.settle()
    draft = number_of(begin(mapper, (READ, HELD)))
    address = f"/mappings/drafts/{draft}/preview"
    page = mapper.get(address, query_string={"connection": "helpdesk"})
    inert(page.text)
    assert f"helpdesk:{began['id']} 2 differences" in words(page)
    assert "status pending pending on_hold" in words(page)
    assert len(page.data) < LARGEST
    one = mapper.get(address, query_string={"ref": f"helpdesk:{began['id']}"})
    assert "2 differences" in words(one)
    none = mapper.get(address, query_string={"ref": "helpdesk:nobody"})
    assert "Nothing to compare" in words(none)


FIELD = {
    "entity": "ticket",
    "name": "region",
    "label": "Sales region",
    "kind": "choice",
    "values": "emea, apac",
    "personal": "no",
    "connection1": "helpdesk",
    "path1": "custom_fields.region",
    "words1": "EMEA = emea\nAPAC = apac",
    "connection2": "product",
    "path2": "anonymous_traits.region",
    "words2": "",
    "ways1": "both",
    "ways2": "both",
}


def test_a_field_of_ones_own_by_form_is_a_draft_that_holds(home, mapper):  # noqa: F811
    page = mapper.get("/mappings/new-field")
    inert(page.text)
    wrong = post(mapper, "/mappings/new-field", page.text, **FIELD | {"name": "Status"})
    assert wrong.status_code == 409
    assert "lower-case letters" in words(wrong)
    assert hidden(wrong.text)
    assert 'value="Sales region"' in wrong.text  # what was typed is still there
    made = post(mapper, "/mappings/new-field", page.text, **FIELD)
    assert made.status_code == 303
    page = mapper.get(made.headers["Location"])
    assert "region: {kind: choice, values: [emea, apac], label: Sales region}" in words(page)
    assert "No problems" in words(page)
    post(mapper, f"{made.headers['Location']}/effect", page.text)
    page = mapper.get(made.headers["Location"])
    assert post(mapper, f"{made.headers['Location']}/publish", page.text).status_code == 303
    field = home.desk.context.maps["helpdesk"]["ticket"].fields["region"]
    assert (field.read("EMEA"), field.write("apac"), field.read(None)) == ("emea", "APAC", None)
    assert "region custom" in words(mapper.get("/mappings/matrix"))


NO_FIELDS = [
    ({"values": ""}, "at least one value"),
    ({"path1": "custom fields!"}, "names with dots"),
    ({"words1": "EMEA"}, "such as: EMEA = emea"),
    ({"words1": "EMEA = europe"}, "europe is none of emea, apac"),
    ({"connection2": "helpdesk"}, "named twice"),
    ({"connection1": "", "path1": "", "connection2": "", "path2": ""}, "at least one connection"),
    ({"name": "team"}, "already"),
    ({"path1": "status", "ways1": "read"}, "leave the words out"),
]


def test_what_can_be_no_field_is_said_in_words(home, mapper):  # noqa: F811
    page = mapper.get("/mappings/new-field").text
    answers = [
        (post(mapper, "/mappings/new-field", page, **FIELD | changed), said)
        for changed, said in NO_FIELDS
    ]
    assert [said for answer, said in answers if said not in words(answer)] == []
    assert {answer.status_code for answer, _said in answers} == {409}
    assert drafts.latest(home.desk) == []


def test_who_may_not_change_mappings_gets_nowhere(home):  # noqa: F811
    operator = home.browser(Role.OPERATOR)
    assert "edit" not in words(operator.get("/mappings/files/switch.yaml")).lower().split()
    for address in (EDIT, "/mappings/drafts", "/mappings/drafts/1", "/mappings/new-field"):
        assert operator.get(address).status_code == 403
    token = csrf_of(operator.get("/").text)
    for address in (EDIT, "/mappings/drafts/1/publish", "/mappings/new-field"):
        assert operator.post(address, data={"csrf_token": token}).status_code == 403
