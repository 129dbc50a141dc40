"""One more row in a mapping of a file, and no other byte changed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.config.yaml_edit import with_item, with_listed, with_row
from bridge.config.yaml_reader import parse
from bridge.errors import ConfigError, NotPossible

FLOW = "# head\nticket:\n  read: {new: new,   open: open}   # theirs: ours\n  # tail\n"
BLOCK = (
    "ticket:\n  read:\n    new: new      # as they say\n    open: open\n\n  # tail\n  write: {}\n"
)
READ = ("ticket", "read")
SCALARS = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
    | st.integers(-(10**9), 10**9)
    | st.booleans()
    | st.none()
)


def test_a_row_in_braces_goes_before_the_last_of_them():
    assert with_row(FLOW, "f", READ, "archived", "closed") == FLOW.replace(
        "open: open}", "open: open, archived: closed}"
    )


def test_a_row_of_its_own_line_goes_below_the_last_of_them():
    assert with_row(BLOCK, "f", READ, "on hold", None) == BLOCK.replace(
        "    open: open\n", "    open: open\n    on hold: null\n"
    )


def test_the_last_line_of_a_file_may_lack_its_end():
    text = "read:\n  a: b"
    assert with_row(text, "f", ("read",), "c", "d") == "read:\n  a: b\n  c: d"


def test_a_row_ends_as_the_other_lines_do():
    text = BLOCK.replace("\n", "\r\n")
    changed = with_row(text, "f", READ, "on hold", None)
    assert changed == text.replace("open: open\r\n", "open: open\r\n    on hold: null\r\n")


@pytest.mark.parametrize("key", [["a"], {"a": 1}])
def test_what_can_be_no_key_is_refused(key):
    with pytest.raises(NotPossible, match="can be in no table"):
        with_row(FLOW, "f", READ, key, "closed")


@pytest.mark.parametrize("text", [FLOW, BLOCK])
@given(key=SCALARS, value=SCALARS)
@example(key="null", value="true")
@example(key="12", value="1e3")
@example(key="- a", value="#x")
@example(key="a: b", value="{}")
@example(key="~", value="\u2028")
@example(key="\U0001f600", value="\x85")
def test_what_is_added_is_read_back_and_all_else_is_there(text, key, value):
    before = parse(text, "f").data
    if key in before["ticket"]["read"]:
        return
    try:
        changed = with_row(text, "f", READ, key, value)
    except (NotPossible, ConfigError):
        return  # a character that YAML cannot hold: nothing was touched
    wanted = before["ticket"]["read"] | {key: value}
    assert parse(changed, "f").data == before | {"ticket": before["ticket"] | {"read": wanted}}
    added = len(changed) - len(text)
    start = next(
        (n for n, pair in enumerate(zip(text, changed, strict=False)) if len(set(pair)) > 1),
        len(text),
    )
    assert changed[:start] + changed[start + added :] == text


@pytest.mark.parametrize(
    ("where", "key", "said"),
    [
        (READ, "new", "f:3: ticket.read.new stands there already"),
        (("ticket", "write"), "new", "has no rows"),
        (("customer", "read"), "new", "has no rows"),
    ],
)
def test_what_cannot_be_added_is_said(where, key, said):
    with pytest.raises(NotPossible, match=said):
        with_row(FLOW, "f", where, key, "closed")


ITEM = {"given": {"id": "tkt_9", "custom": {"a": [1, "x: y"]}}, "canonical": {"status": "open"}}
ADDED = """\
    - given:
        id: tkt_9
        custom: {a: [1, "x: y"]}
      canonical:
        status: open
"""
IN_ONE_LINE = '{given: {id: tkt_9, custom: {a: [1, "x: y"]}}, canonical: {status: open}}'
HEAD = "# head\nticket:\n  id: id      # theirs\n"
TAIL = "\n# of the next\nmessage: {id: id}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "  examples:\n    - {given: {}}   # one\n",
            "  examples:\n    - {given: {}}   # one\n" + ADDED,
        ),
        ("  examples: []\n", "  examples:\n" + ADDED),
        ("  examples:\n", "  examples:\n" + ADDED),
        ("", "  examples:\n" + ADDED),
        (
            "  examples:\n  - given:\n      text: |\n        two\n        lines\n",
            "  examples:\n  - given:\n      text: |\n        two\n        lines\n"
            + ADDED.replace("    ", "  ", 1).replace("\n  ", "\n"),
        ),
        (
            "  examples: [{given: {}}]   # one\n",
            f"  examples: [{{given: {{}}}}, {IN_ONE_LINE}]   # one\n",
        ),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_item_goes_to_the_end_of_its_list_and_no_other_byte_changes(before, after, line_end):
    text, expected = ((HEAD + part + TAIL).replace("\n", line_end) for part in (before, after))
    changed = with_item(text, "f", ("ticket", "examples"), ITEM)
    assert changed == expected
    assert parse(changed, "f").data["ticket"]["examples"][-1] == ITEM


@pytest.mark.parametrize("there", ["  examples: many\n", "  examples: {a: 1}\n"])
def test_where_there_is_no_list_none_is_made(there):
    with pytest.raises(NotPossible, match="has no list"):
        with_item(HEAD + there + TAIL, "f", ("ticket", "examples"), ITEM)
    with pytest.raises(NotPossible, match="has no list"):
        with_item(HEAD, "f", ("session", "examples"), ITEM)


@given(
    values=st.lists(
        SCALARS
        | st.lists(SCALARS)
        | st.dictionaries(st.sampled_from(["a", "null", "b c", "1"]), SCALARS)
    ),
    key=st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
def test_whatever_an_item_holds_is_read_as_the_same(values, key):
    item = {"given": {"all": values, key: 1}}
    changed = with_item(HEAD + TAIL, "f", ("ticket", "examples"), item)
    assert parse(changed, "f").data["ticket"]["examples"] == [item]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a]   # theirs", "[a, z]   # theirs"),
        ("[a, ]", "[a, z]"),
        ("[]", "[z]"),
        ("[a,\n    b\n  ]", "[a,\n    b, z]"),
    ],
)
def test_one_more_of_a_list_stands_last_in_its_brackets(before, after):
    text = "ticket:\n  also_sends: {}\n  id: id\n"
    changed = with_listed(text.format(before), "f", ("ticket", "also_sends"), "z")
    assert changed == text.format(after)


@pytest.mark.parametrize("there", ["[a, # one\n    b # two\n  ]", "[# none\n  ]", "\n  - a", "a"])
def test_a_list_that_cannot_be_added_to_is_left_to_a_human(there):
    with pytest.raises(NotPossible, match="f:2: z has to be added by hand"):
        with_listed(f"ticket:\n  also_sends: {there}\n", "f", ("ticket", "also_sends"), "z")
