"""Values that no mapping can read, and fields that none knows: seen by all, taken in by mappers."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.core.mapping.unknown_fields import FIELD, Sighting
from bridge.core.mapping.value_shapes import ValueShape
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, Link, Side, SideField
from bridge.ledger import links, unknown_parts
from bridge.operations import audit_trail
from bridge.operations.permissions import Role
from bridge.web.pages import styleguide
from tests.web.pages.published import (  # noqa: F401
    files_home,
    home,
    keys,
    made_once,
    mapper,
    post,
    words,
)
from tests.web.pages.test_pages import LARGEST, inert, seen

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCEPT = {"connection": "helpdesk", "entity": "ticket", "field": "status"}


def shows(home, value, remote_id="tkt_1"):  # noqa: F811
    """Somebody's ticket shows a status that no mapping can read."""
    field = SideField(
        shadow="open", map_rev="r", level=1, seen_at=NOW, unreadable="no reading", shown=value,
        unreadable_code=Code.READ_VALUE,
    )  # fmt: skip
    link = Link(
        f"l-{remote_id}", "tickets", "ticket", {"status": FieldState("open", 1, "helpdesk")}
    )
    link.sides["helpdesk"] = Side("helpdesk", remote_id, {"status": field})
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)


def has_field(home, name, *values):  # noqa: F811
    """Records of the help desk show a field that no file knows."""
    shape = ValueShape()
    for number, value in enumerate(values):
        shape.add(name, value, f"r{number}")
    with home.ledger.transaction() as tx:
        place = ("helpdesk", "ticket", FIELD, name, "")
        unknown_parts.store(tx, [(place, Sighting(len(values), NOW, NOW, shape))])


def test_a_value_is_taken_in_just_as_its_preview_said(home, mapper):  # noqa: F811
    shows(home, "archived")
    before = home.files["switch.yaml"]
    assert "1 waits helpdesk status of tickets archived" in words(mapper.get("/values"))
    asked = ACCEPT | {"value": "archived", "ours": "closed"}
    look = mapper.get("/values/accept", query_string=asked)
    assert "archived: closed" in words(look)
    assert "Publish it" in words(look)
    assert home.files["switch.yaml"] == before
    draft = post(mapper, "/values/accept", look.text, **asked, do="draft")
    assert "archived: closed" in words(mapper.get(draft.headers["Location"]))
    assert home.files["switch.yaml"] == before
    done = post(mapper, "/values/accept", look.text, **asked)
    assert done.status_code == 303
    assert home.files["switch.yaml"] == before.replace(
        "closed: closed}\n      write", "closed: closed, archived: closed}\n      write", 1
    )
    assert "status of helpdesk reads 'archived': 'closed' now. Revision 2 is in force" in words(
        mapper.get("/values")
    )
    (act,) = audit_trail.acts(home.desk, limit=9, action="value accepted")
    assert act.actor == "user:the-mapper"


def test_a_home_with_files_says_so_and_writes_the_file(files_home):  # noqa: F811
    shows(files_home, "archived")
    mapper = files_home.browser(Role.MAPPER)  # noqa: F811
    asked = ACCEPT | {"value": "archived", "ours": "closed"}
    look = mapper.get("/values/accept", query_string=asked)
    assert "This home keeps its mappings in files" in words(look)
    assert "Write it into the file" in words(look)
    assert post(mapper, "/values/accept", look.text, **asked).status_code == 303
    file = files_home.folder / "mappings" / "switch.yaml"
    assert "closed: closed, archived: closed}" in file.read_text()
    assert "Restart the bridge for it to count" in words(mapper.get("/values"))


def test_what_would_not_hold_is_said_before_and_cannot_be_accepted(home, mapper):  # noqa: F811
    shows(home, "archived")
    asked = ACCEPT | {"value": "archived", "ours": "asleep"}
    look = mapper.get("/values/accept", query_string=asked)
    assert look.status_code == 404
    assert "allowed: new, open" in words(look)
    page = mapper.get("/values").text
    assert post(mapper, "/values/accept", page, **asked).status_code == 404
    assert home.newest.number == 1


def test_a_field_is_mirrored_and_another_left_out(home, mapper):  # noqa: F811
    has_field(home, "custom_fields.region", "emea", "emea", "emea", "apac")
    has_field(home, "custom_fields.legacy", 1, 2)
    page = mapper.get("/values")
    assert "4 times helpdesk tickets show custom_fields.region text: emea" in words(page)
    field = {"connection": "helpdesk", "entity": "ticket", "field": "custom_fields.legacy"}
    assert post(mapper, "/values/dismiss", page.text, **field).status_code == 303
    assert "legacy of helpdesk is listed no more" in words(mapper.get("/values"))
    asked = field | {"field": "custom_fields.region", "name": "area"}
    look = mapper.get("/values/accept", query_string=asked)
    assert "area: custom_fields.region" in words(look)
    assert "product" in words(look)  # where it does not travel to yet
    assert post(mapper, "/values/accept", look.text, **asked).status_code == 303
    assert "area: {kind: text}" in home.files["fields.yaml"]
    assert "area: custom_fields.region" in home.files["switch.yaml"]


def test_a_viewer_looks_and_finds_no_way_to_act(home):  # noqa: F811
    shows(home, "archived")
    has_field(home, "custom_fields.region", "emea", "emea")
    viewer = home.browser(Role.VIEWER)
    page = viewer.get("/values").text
    assert "archived" in page
    assert '<form class="inline"' not in page
    assert viewer.get("/values/accept", query_string=ACCEPT).status_code == 403


def test_whatever_a_vendor_shows_is_text_and_the_page_stays_small(home, mapper):  # noqa: F811
    for number, text in enumerate(styleguide.HOSTILE):
        shows(home, text, f"tkt_{number}")
        has_field(home, "custom_fields." + text.replace(".", "")[:50], 1)
    page = mapper.get("/values")
    inert(page.text)
    told = [text for text in styleguide.HOSTILE if seen(text) in words(page)]
    assert len(told) > 4  # of the others their shape alone is told, for it may tell of a person
    for text in styleguide.HOSTILE:
        asked = ACCEPT | {"value": text, "ours": "closed"}
        look = mapper.get("/values/accept", query_string=asked)
        assert look.status_code in (200, 404)  # what no form can send is given as JSON
        inert(look.text)
    for number in range(250):
        shows(home, f"{'w' * 200}{number}", f"tkt_9{number}")
    page = mapper.get("/values")
    assert len(page.data) < LARGEST
    assert "choose a connection" in words(page)
