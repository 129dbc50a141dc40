"""The closed table of transforms: what each does, and the laws that all of them keep."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping import rich_text
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import MappingError, compile_field
from bridge.core.mapping.rich_text import MAX_DEPTH, MAX_MARKDOWN_CHARS, MAX_MARKUP_CHARS, MAX_TAGS
from bridge.core.mapping.transform_forms import FORMS
from bridge.core.merge.equality import agrees
from bridge.core.model.entities import Field
from bridge.core.model.state import FieldState, SideField
from bridge.core.model.values import NotCarried, Unreadable, same_json
from tests.core.test_own_kinds import JSON

KIND = {name: form.kinds[0] for name, form in FORMS.items()}
GIVEN = {
    "html": [None, "text", "markdown"],
    "prefix": ["[Bridge] "],
    "suffix": [" (sent by Bridge)"],
    "email": [None, {"fold": ["plus", "dots"]}],
    "datetime": [None, {"assume": "-05:30"}],
    "date": [None, "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "YYYYMMDD"],
    "number": [None, "text", "comma-text"],
    "tags": [
        None,
        {"under": "CRM/"},
        {"table": {"Rechnung": "billing", "VIP": "vip"}, "allow": ["billing", "vip", "\u02bcn"]},
        {"case": "upper"},
        {"case": "title", "under": "#x"},
    ],
}
CASES = [
    (name, given) for name in FORMS if KIND[name] != "parent" for given in GIVEN.get(name, [None])
]


def form(name, given=None):
    steps = {name: given} if given is not None else name
    field = Field("own", KIND[name])
    return compile_field(field, {"path": "own", "as": steps}, AgentTable()).map


def texts(*steps):
    return compile_field(Field("own", "text"), {"path": "own", "as": list(steps)}, AgentTable()).map


def wrong(steps, kind="text"):
    with pytest.raises(MappingError) as caught:
        compile_field(Field("own", kind), {"path": "own", "as": steps}, AgentTable())
    return [what for _where, what in caught.value.problems]


# --- laws -----------------------------------------------------------------------------------------

PIECES = (
    "<p>|</p>|<br>|<b>|</b>|<i>|<ul><li>|</li>|</ul>|<a href='https://x.io'>|</a>|&nbsp;|&lt;|"
    "<pre>|</pre>|\n|\n\n|  |* |- |1. |# |> |`|```|_|**|[a](b)|\\|@mary|\u2060|~~~|==|    x"
)
MARKUP = st.lists(
    st.text(max_size=8) | st.sampled_from(tuple(re.split("[|]", PIECES))), max_size=12
)
MARKUP = MARKUP.map("".join)
VALUES = {
    "text": MARKUP,
    "number": st.integers() | st.floats() | st.floats().map(str) | st.from_regex(r"-?\d+[.,]\d+"),
    "datetime": st.integers() | st.floats() | st.datetimes().map(str),
    "date": st.dates().map(lambda day: day.strftime("%d.%m.%Y")) | st.dates().map(str),
    "set": st.text(max_size=12) | st.sampled_from(["crm/a", "RECHNUNG", "vip", "#X y"]),
    "email": st.sampled_from(["A.b+c@gmail.com", "x+y@x.io", "+@x.io", "...@gmail.com"]),
}


@pytest.mark.parametrize(("name", "given"), CASES, ids=str)
@given(data=st.data())
def test_reading_and_writing_are_total_and_come_to_rest(name, given, data):
    """What is written reads as something that is written the same way: nothing goes to and fro."""
    mapped = form(name, given)
    value = mapped.read(data.draw(JSON | VALUES.get(KIND[name], JSON)))
    if isinstance(value, Unreadable):
        assert value.why
        return
    raw = mapped.write(value) if value is not None else None
    if isinstance(raw, NotCarried):
        assert name == "tags"
        return
    again = mapped.read(raw)
    assert not isinstance(again, Unreadable)
    if given != "markdown":  # see the next but one
        assert same_json(again, value) or name.startswith("unix")
    entry, state = SideField(), FieldState(value=value, rev=1)
    assert KIND[name] == "set" or agrees(mapped, entry, raw, state)
    assert same_json(mapped.write(again), raw) or given == "markdown"


@given(
    st.lists(st.sampled_from(["Ask", "the", "team", "2", "see", "note"]), min_size=1, max_size=4)
)
def test_markdown_made_of_plain_html_comes_back_as_it_was(words):
    text = " ".join(words)
    parts = {
        f"<p>{text}</p>": text,
        f"<h2>{text}</h2>": f"## {text}",
        f"<p><b>{text}</b></p>": f"**{text}**",
        f"<ul><li>{text}</li><li>b</li></ul>": f"- {text}\n- b",
        f"<blockquote><p>{text}</p></blockquote>": f"> {text}",
        f'<p><a href="https://x.io">{text}</a></p>': f"[{text}](https://x.io)",
    }
    mapped = form("html", "markdown")
    for html, markdown in parts.items():
        assert mapped.read(html) == markdown
        assert mapped.read(mapped.write(markdown)) == markdown


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("![the error](https://x.io/1.png)", '<p><a href="https://x.io/1.png">the error</a></p>'),
        ("![](https://x.io/1.png)", '<p><a href="https://x.io/1.png">https://x.io/1.png</a></p>'),
    ],
)
def test_an_image_in_markdown_is_not_lost_in_html_that_has_none(markdown, html):
    assert rich_text.html_of_markdown(markdown) == html
    assert "x.io/1.png" in rich_text.markdown_of_html(html)


@given(MARKUP)
def test_plain_text_is_shown_as_it_is_by_whoever_takes_html_or_markdown(text):
    canonical = rich_text.text_of_html(text)
    if not isinstance(canonical, str):
        return
    assert rich_text.text_of_html(rich_text.html_of_text(canonical)) == canonical
    assert rich_text.text_of_markdown(rich_text.markdown_of_text(canonical)) == canonical


@given(MARKUP)
def test_html_that_is_written_has_no_tags_but_ours(text):
    for written in (rich_text.html_of_text(text), rich_text.html_of_markdown(text)):
        tags = set(re.findall(r"<\s*/?\s*([a-zA-Z][a-zA-Z0-9]*)", written))
        assert tags <= {*rich_text._IN_MARKDOWN}
        assert "javascript:" not in written.lower() or "<a" not in written


@given(st.text(), st.integers(1, 40))
def test_a_text_that_is_cut_shows_it_and_keeps_to_its_length(text, length):
    mapped = compile_field(
        Field("own", "text"),
        {"path": "own", "max_length": length + 1, "cut_mark": "…"},
        AgentTable(),
    ).map
    written = mapped.write(text)
    assert len(written) <= length + 1
    assert written == text if len(text) <= length + 1 else written.endswith("…")


# --- what each does -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "raw", "value"),
    [
        ("html", None, "<p>Hello <b>Ann</b>,</p><p>see<br>below</p>", "Hello Ann,\n\nsee\nbelow"),
        ("html", None, "<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("html", None, '<a href="https://x.io/a">here</a>', "here (https://x.io/a)"),
        ("html", None, '<a href="https://x.io">https://x.io</a>', "https://x.io"),
        ("html", None, "<style>p{}</style><script>alert(1)</script>Hi", "Hi"),
        ("html", None, "<p> </p>", None),
        ("html", None, "a &lt; b &amp; c", "a < b & c"),
        ("html", None, '<a href="javascript:alert(1)">x</a>', "x"),
        ("html", "markdown", "<b>Ann</b><pre>x  y</pre>", "**Ann**\n\n```\nx  y\n```"),
        ("markdown", None, "*a* [b](https://x.io)\n\n- c\n- d", "a b (https://x.io)\n\n- c\n- d"),
        ("markdown", None, "<script>x</script>", "<script>x</script>"),
        ("folded", None, " e\u0301t\u00e9 \r\n x\u200b \n", "\u00e9t\u00e9\n x"),
        ("folded", None, " \r\n\u200b", None),
        ("prefix", "[B] ", "[B] Hi", "Hi"),
        ("prefix", "[B] ", "Hi", "Hi"),
        ("prefix", "[B] ", "[B] ", None),
        ("suffix", " --", "Hi --", "Hi"),
        ("quiet-mentions", None, "ask @\u2060mary", "ask @mary"),
        ("email", {"fold": ["plus"]}, "Ana+news@X.io", "ana@x.io"),
        ("email", {"fold": ["dots"]}, "a.n.a@GoogleMail.com", "ana@gmail.com"),
        ("email", {"fold": ["dots"]}, "a.n.a@x.io", "a.n.a@x.io"),
        ("email", {"fold": ["plus"]}, "+news@x.io", "+news@x.io"),
        ("datetime", None, "2018-07-05T11:55:09.000+01:00", "2018-07-05T10:55:09.000000+00:00"),
        ("datetime", None, "2018-04-17T14:43:44.000Z", "2018-04-17T14:43:44.000000+00:00"),
        ("datetime", None, "2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000000+00:00"),
        ("datetime", {"assume": "+01:00"}, "2025-01-15 10:30", "2025-01-15T09:30:00.000000+00:00"),
        ("datetime", {"assume": "+01:00"}, "2025-01-15T10:30Z", "2025-01-15T10:30:00.000000+00:00"),
        ("unix-seconds", None, 1502607600, "2017-08-13T07:00:00.000000+00:00"),
        ("unix-seconds", None, 1502607600.25, "2017-08-13T07:00:00.250000+00:00"),
        ("unix-milliseconds", None, 1502607600250, "2017-08-13T07:00:00.250000+00:00"),
        ("date", "DD.MM.YYYY", "01.03.2026", "2026-03-01"),
        ("date", "MM/DD/YYYY", "12/31/2026", "2026-12-31"),
        ("number", "text", "12.50", 12.5),
        ("number", "text", " -3 ", -3),
        ("number", "comma-text", "12,5", 12.5),
        ("tags", {"under": "CRM/"}, "crm/Billing", "billing"),
        ("tags", {"table": {"Rechnung": "billing"}}, "RECHNUNG", "billing"),
        ("tags", {"table": {"Rechnung": "billing"}}, "other", "other"),
    ],
)  # fmt: skip
def test_reading(name, given, raw, value):
    assert same_json(form(name, given).read(raw), value)


@pytest.mark.parametrize(
    ("name", "given", "value", "raw"),
    [
        ("html", None, "a <b>\n\nx\ny", "<p>a &lt;b&gt;</p><p>x<br>y</p>"),
        ("html", "markdown", "**a** <b>", "<p><strong>a</strong> &lt;b&gt;</p>"),
        ("markdown", None, "1. *a*\n# b", "1\\. \\*a\\*\\\n\\# b"),
        ("quiet-mentions", None, "ask @mary, a@x.io @ 5", "ask @\u2060mary, a@\u2060x.io @ 5"),
        ("unix-seconds", None, "2017-08-13T07:00:00.250000+00:00", 1502607600),
        ("unix-milliseconds", None, "1969-12-31T23:59:59.500000+00:00", -500),
        ("date", "YYYYMMDD", "0812-03-01", "08120301"),
        ("number", "text", 1e-07, "0.0000001"),
        ("number", "comma-text", 12.5, "12,5"),
        ("tags", {"under": "CRM/", "case": "title"}, "a b", "CRM/A B"),
        ("tags", {"table": {"Rechnung": "billing"}, "case": "upper"}, "billing", "Rechnung"),
        ("tags", {"case": "upper"}, "\u0131", "\u0131"),
    ],
)
def test_writing(name, given, value, raw):
    assert same_json(form(name, given).write(value), raw)


@pytest.mark.parametrize(
    ("name", "given", "raw", "why"),
    [
        ("unix-seconds", None, 1502607600250, "is it in another unit?"),
        ("unix-seconds", None, "1502607600", "is no number of seconds"),
        ("unix-seconds", None, float("nan"), "outside the calendar"),
        ("unix-seconds", None, -(10**30), "outside the calendar"),
        ("unix-seconds", None, True, "is no number of seconds"),
        ("date", "DD.MM.YYYY", "31.02.2026", "is no date of the form DD.MM.YYYY"),
        ("number", "text", "1e5", "is no text of a number such as 12.5"),
        ("number", "text", "1,5", "is no text of a number such as 12.5"),
        ("number", "comma-text", "1.000,5", "is no text of a number such as 12,5"),
        ("number", "text", "9" * 17, "is no text of a number"),
        ("tags", {"under": "crm/"}, "vip", "does not begin with crm/: it is left alone"),
        ("tags", {"allow": ["a"]}, "vip", "none of those allowed: it is left alone"),
        ("html", None, 3, "3 is no text"),
        ("folded", None, ["x"], "is no text"),
    ],
)
def test_what_cannot_be_read_is_named(name, given, raw, why):
    value = form(name, given).read(raw)
    assert isinstance(value, Unreadable)
    assert why in value.why


def test_a_tag_that_is_not_exchanged_is_not_carried():
    assert isinstance(form("tags", {"allow": ["a"]}).write("b"), NotCarried)


def test_text_may_have_several_that_work_one_after_the_other():
    mapped = texts("html", {"prefix": "[B] "}, "quiet-mentions")
    assert mapped.read("<p>[B] ask @\u2060mary</p>") == "ask @mary"
    assert mapped.write("ask @mary") == "<p>[B] ask @\u2060mary</p>"
    assert mapped.read("<p>[B] </p>") == "[B]"
    assert isinstance(mapped.read(3), Unreadable)
    assert mapped.read(None) is None


@pytest.mark.parametrize(
    ("raw", "lost"),
    [
        ("<p>Hi</p>", ""),
        ("<p><b>Hi</b> <img src=x><IMG></p><table></table>", "2 images, a table, formatting"),
        (3, ""),
    ],
)
def test_what_is_lost_is_told(raw, lost):
    assert form("html").loses(raw) == lost


def test_markdown_keeps_more_than_text():
    assert form("html", "markdown").loses("<p><b>Hi</b></p>") == ""
    assert form("html", "markdown").loses("<p><u>Hi</u></p>") == "formatting"
    assert form("markdown").loses("**Hi**") == "formatting"
    assert form("text").loses is None


# --- what may be given ----------------------------------------------------------------------------


ONE_LINE = "allowed one line of text, at most 100 characters"
FORMS_OF_DAYS = "YYYY-MM-DD, DD.MM.YYYY, DD/MM/YYYY, MM/DD/YYYY, YYYYMMDD"
TWO_WORDS = "allowed a table of theirs: ours, at most 1000, ours in lower case"
ALSO_CUT = "allowed a number of characters above 0, or {at: 120, mark: …}"
BOTH = "works both ways, and prefix, min_salience, separator are for what is only read"
BEGIN = "allowed what the tags begin with there, such as crm/"


@pytest.mark.parametrize(
    ("kind", "steps", "what"),
    [
        ("text", {"html": "rich"}, "html is given 'rich'; allowed text, markdown"),
        ("text", {"folded": True}, "folded takes no argument"),
        ("text", {"prefix": ""}, f"prefix is given ''; {ONE_LINE}"),
        ("text", "prefix", f"prefix is given null; {ONE_LINE}"),
        ("datetime", {"datetime": 1}, 'datetime is given 1; allowed {assume: "+01:00"}'),
        ("date", {"date": "D.M.Y"}, f"date is given 'D.M.Y'; allowed {FORMS_OF_DAYS}"),
        ("number", {"number": "x"}, "number is given 'x'; allowed number, text, comma-text"),
        ("email", {"email": "plus"}, "email is given 'plus'; allowed {fold: [plus, dots]}"),
        ("datetime", ["unix-seconds", "datetime"], "unix-seconds must be the last of the list"),
        ("text", ["html", "first-line"], "html must be the last of the list"),
        ("text", ["text"] * 9, "is one of more than 8; allowed at most so many"),
        ("set", {"tags": {"under": "#"}}, f"tags.under: is '#'; {BEGIN}"),
        ("set", {"tags": {"table": {"a": "B"}}}, f"tags.table: is {{'a': 'B'}}; {TWO_WORDS}"),
        (
            "set",
            {"tags": {"table": {"a": "x", "A": "y"}}},
            "tags.table.A: stands for x already, in another spelling",
        ),
        ("set", {"tags": {"case": "lower"}}, "tags.case: is 'lower'; allowed upper, title"),
        ("set", {"tags": {"prefix": "s:", "allow": ["a"]}}, f"tags.allow: {BOTH}"),
        (
            "text",
            {"cut": {"at": 1, "mark": "…"}},
            f"cut is given {{'at': 1, 'mark': '…'}}; {ALSO_CUT}",
        ),
    ],
)
def test_what_cannot_be_given(kind, steps, what):
    assert what in wrong(steps, kind)


# --- groups of values -----------------------------------------------------------------------------

STATUS = Field("own", "choice", ("open", "closed"))


def grouped(values, **more):
    return compile_field(STATUS, {"path": "own", "values": values, **more}, AgentTable()).map


def test_a_group_reads_as_one_and_the_first_is_written_unless_another_is_shown():
    mapped = grouped({"open": ["new", "in_progress", 3], "closed": "done"})
    assert [mapped.read(raw) for raw in ("new", "in_progress", 3, "done")] == ["open"] * 3 + [
        "closed"
    ]
    assert (mapped.write("open"), mapped.write("closed")) == ("new", "done")
    assert isinstance(mapped.read(True), Unreadable)
    state = FieldState(value="open", rev=1)
    assert agrees(mapped, SideField(shadow="in_progress"), "in_progress", state)


@pytest.mark.parametrize(
    ("values", "more", "where", "what"),
    [
        ([], {}, ("values",), "must be a table of ours: theirs, or ours: [theirs, …]"),
        ({"open": []}, {}, ("values", "open"), "is an empty list; allowed one of theirs or more"),
        ({"half": "x"}, {}, ("values", "half"), "'half' is no own; allowed open, closed, null"),
        ({"open": [["x"]]}, {}, ("values", "open"), "is ['x']; allowed a single value"),
        (
            {"open": "x", "closed": "x"},
            {},
            ("values", "closed"),
            "'x' stands in the row of 'open' already",
        ),
        (
            {"open": "x"},
            {"read": {"x": "open"}},
            ("values",),
            "is both tables in one; allowed beside path, without the two",
        ),
    ],
)
def test_what_is_no_group(values, more, where, what):
    with pytest.raises(MappingError) as caught:
        grouped(values, **more)
    assert (where, what) in caught.value.problems


# --- hostile input at the declared limits ---------------------------------------------------------

HOSTILE = {
    "nested": "<div>" * MAX_TAGS,
    "bold": "<b>" * MAX_TAGS,
    "unlike": "".join(f"<b class=c{n}>" for n in range(MAX_TAGS // 2)) + "<p>x" * (MAX_TAGS // 2),
    "comments": "<!--" * MAX_TAGS,
    "links": "<a href=https://x.io>" * MAX_TAGS,
    "lists": "<ul><li>" * (MAX_TAGS // 2),
    "ampersands": "&" * MAX_MARKUP_CHARS,
    "attributes": "<a " + "b " * 49_000,
    "brackets": "[" * MAX_MARKDOWN_CHARS,
    "stars": "*a_ " * (MAX_MARKDOWN_CHARS // 4),
    "quotes": "> " * (MAX_MARKDOWN_CHARS // 2),
    "backticks": "`a" * (MAX_MARKDOWN_CHARS // 2),
    "dashes": "- " * (MAX_MARKDOWN_CHARS // 2),
    "links of markdown": "[a](" * (MAX_MARKDOWN_CHARS // 4),
    "spaces": " " * MAX_MARKUP_CHARS,
    "surrogates": "\ud800" * 1_000,
    "lines": "\n" * MAX_MARKUP_CHARS,
    "joiners": "\u2060" * MAX_MARKUP_CHARS,
    "mentions": "@a" * 50_000,
}


@pytest.mark.parametrize("name", ["html", "markdown", "folded", "quiet-mentions"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_at_the_limit_takes_long_or_is_written_without_end(name, text):
    for argument in GIVEN.get(name, [None]):
        mapped = form(name, argument)
        value = mapped.read(text)
        if isinstance(value, str):
            assert len(value) <= 10 * MAX_MARKUP_CHARS
            assert isinstance(mapped.write(value), str | NotCarried)
        if mapped.loses is not None:
            assert isinstance(mapped.loses(text), str)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (MAX_MARKUP_CHARS + 1), "at most 100,000 are allowed"),
        ("<b>" * (MAX_TAGS + 1), "at most 5,000 are allowed"),
    ],
)
def test_above_the_limit_nothing_is_parsed(text, why):
    for argument in ("text", "markdown"):
        assert why in form("html", argument).read(text).why


def test_markdown_above_its_limit_is_neither_read_nor_made_into_html():
    text = "x" * (MAX_MARKDOWN_CHARS + 1)
    assert "at most 30,000 are allowed" in form("markdown").read(text).why
    assert isinstance(form("html", "markdown").write(text), NotCarried)
    assert form("markdown").loses(text) == ""


def test_markdown_is_not_made_of_what_is_nested_too_deeply():
    assert str(MAX_DEPTH) in form("html", "markdown").read("<ul><li>" * MAX_DEPTH).why


def test_the_last_moment_and_the_first():
    mapped = form("unix-seconds")
    for at in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        value = at.isoformat(timespec="microseconds")
        assert mapped.read(mapped.write(value)) == value
