"""A value more that a field reads, in whichever tables it has; no other byte changes."""

import pytest

from bridge.config.value_row_edit import with_reading
from bridge.config.yaml_reader import parse
from bridge.errors import NotPossible

WORDS = ("new", "closed")
OWN = "read: {new: new, closed: closed, null: null, Gone: closed}"
WHERE = ("ticket", "fields", "state")


def mapped(declared):
    return f"ticket:\n  fields:\n    state: {declared}   # why\n    subject: subject\n"


@pytest.mark.parametrize(
    ("declared", "theirs", "ours", "after"),
    [
        # Two of theirs mean one of ours by now: what was sent so far is still sent.
        (
            "{path: s, read: {N: new, C: closed}}", "Gone", "closed",
            "{path: s, read: {N: new, C: closed, Gone: closed}, write: {new: N, closed: C}}",
        ),
        ("{path: s, read: {N: new}}", "C", "closed", "{path: s, read: {N: new, C: closed}}"),
        (
            "{path: s, read: {N: new, C: closed}, write: {new: N, closed: C}}", "Gone", "closed",
            "{path: s, read: {N: new, C: closed, Gone: closed}, write: {new: N, closed: C}}",
        ),
        ("{path: s, write: {new: N, closed: C}}", "Gone", "closed",
         "{path: s, write: {new: N, closed: C}, read: {N: new, C: closed, Gone: closed}}"),
        ("{path: s, values: {new: N, closed: C}}", "Gone", "closed",
         "{path: s, values: {new: N, closed: [C, Gone]}}"),
        ("{path: s, values: {new: [N, M]}}", "X", "new", "{path: s, values: {new: [N, M, X]}}"),
        ("{path: s, values: {new: N}}", None, None, "{path: s, values: {new: N, null: null}}"),
        (
            "s", "Gone", "closed",
            f"{{path: s, {OWN}, write: {{new: new, closed: closed, null: null}}}}",
        ),
        (
            "{path: s, not_carried: [new]}", "Gone", "closed",
            f"{{path: s, not_carried: [new], {OWN}, write: {{closed: closed, null: null}}}}",
        ),
    ],
)  # fmt: skip
def test_a_field_reads_one_value_more(declared, theirs, ours, after):
    text, added = with_reading(mapped(declared), "f", WHERE, theirs, ours, WORDS)
    assert text == mapped(after)
    assert added


def test_tables_with_rows_on_lines_of_their_own_get_theirs_there():
    text = mapped("\n      path: s\n      read:\n        N: new\n")
    made, added = with_reading(text, "f", WHERE, "M", "new", WORDS)
    state = parse(made, "f").data["ticket"]["fields"]["state"]
    assert state == {"path": "s", "read": {"N": "new", "M": "new"}, "write": {"new": "N"}}
    assert added == {"read": "{M: new}", "write": "{new: N}"}


@pytest.mark.parametrize(
    ("declared", "words"),
    [("{read: a.b}", WORDS), ("{read: 'a || b', write: a}", WORDS), ("s", ()), ("{path: s}", ())],
)
def test_what_can_have_no_table_is_left_to_a_human(declared, words):
    with pytest.raises(NotPossible, match="state has no table"):
        with_reading(mapped(declared), "f", WHERE, "Gone", "closed", words)


def test_a_list_is_in_no_table():
    with pytest.raises(NotPossible, match="can be in no table"):
        with_reading(mapped("s"), "f", WHERE, ["a"], "closed", WORDS)
