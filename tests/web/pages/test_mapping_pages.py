"""What is in force and what was published: seen by all, but for whom it names."""

from __future__ import annotations

from bridge.operations.permissions import Role
from tests.web.pages.conftest import Elements
from tests.web.pages.published import home, keys, made_once, mapper, words  # noqa: F401
from tests.web.pages.test_pages import LARGEST, inert

SHORTER = ("max_length: 500", "max_length: 400")


def test_the_files_in_force_are_shown_line_by_line(home, mapper):  # noqa: F811
    page = mapper.get("/mappings")
    assert "Revision 1 is in force" in words(page)
    assert {f"/mappings/files/{name}" for name in home.files} <= {
        attrs.get("href") for tag, attrs in Elements(page.text).found if tag == "a"
    }
    file = mapper.get("/mappings/files/switch.yaml").text
    number = home.files["switch.yaml"].splitlines().index("system: switch") + 1
    assert f'<li id="L{number}" data-line="{number}"><bdi>system: switch</bdi></li>' in file
    assert mapper.get("/mappings/files/nothing.yaml").status_code == 404


def test_whom_a_file_names_a_viewer_does_not_see(home):  # noqa: F811
    home.publish("agents.yaml", ("agents:", "# mary.secret@example.com\nagents:"))
    viewer, operator = home.browser(Role.VIEWER), home.browser(Role.OPERATOR)
    for address in ("/mappings/files/agents.yaml", "/mappings/revisions/2", "/mappings/compare"):
        assert "mary.secret" not in viewer.get(address).text
        assert "mary.secret" in operator.get(address).text


def test_the_matrix_says_what_travels_where(mapper):  # noqa: F811
    page = mapper.get("/mappings/matrix")
    inert(page.text)
    assert "team custom helpdesk" not in words(page)
    assert "team custom" in words(page)
    assert "both ways lossy status" in words(page)
    assert len(page.data) < LARGEST


def test_history_goes_on_by_keys_and_any_two_are_compared(home, mapper):  # noqa: F811
    home.publish("switch.yaml", SHORTER, note="<b>it waits</b>")
    page = mapper.get("/mappings/history")
    inert(page.text)
    assert "<b>it waits</b>" in words(page)
    assert "Revision 1" not in words(mapper.get("/mappings/history?before=1"))
    compared = mapper.get("/mappings/compare?old=1&new=2")
    inert(compared.text)
    assert "max_length: 400" in words(compared)
    assert "They are the same" in words(mapper.get("/mappings/compare?old=2&new=2"))
    assert mapper.get("/mappings/compare?old=1&new=99").status_code == 404
    shown = mapper.get("/mappings/revisions/2")
    inert(shown.text)
    assert "in force" in words(shown)
