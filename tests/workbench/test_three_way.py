"""Two admins at once: what each has changed is in the result, or the place is named with both."""

import copy
import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import yaml_reader
from bridge.errors import ConfigError
from bridge.workbench.three_way import MAX_BYTES, NOT_THERE, merge, merge_file

BASE = """\
# What Switch says.
system: switch
ticket:
  fields:
    subject: title        # as it is
    # Our words for theirs.
    status:
      path: status
      read:
        new: open
        done: closed
    priority: {path: priority, read: {1: low, 2: high}}
  examples:
    - given: {title: a}
      canonical: {subject: a}
"""


def parse(text, name="switch.yaml"):
    return yaml_reader.parse(text, name).data


def merged(ours, theirs, base=BASE):
    text, clashes = merge_file("switch.yaml", base, ours, theirs, parse)
    assert not clashes
    return text


def changed(*changes, text=BASE):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_what_lies_apart_is_brought_together_and_all_else_stays_byte_for_byte():
    ours = changed(("new: open", "new: pending   # since May"))
    theirs = changed(("2: high", "2: urgent"), ("# as it is", "# as they write it"))
    assert merged(ours, theirs) == changed(
        ("new: open", "new: pending   # since May"),
        ("2: high", "2: urgent"),
        ("# as it is", "# as they write it"),
    )


def test_neighbouring_lines_are_two_places():
    ours = changed(("new: open", "new: pending # ours"))
    theirs = changed(("done: closed", "done: solved # theirs"))
    read = parse(merged(ours, theirs))["ticket"]["fields"]["status"]["read"]
    assert read == {"new": "pending", "done": "solved"}
    assert "# ours" in merged(ours, theirs)
    assert "# theirs" in merged(ours, theirs)


def test_two_values_in_one_line_are_two_places():
    text = merged(changed(("1: low", "1: normal")), changed(("2: high", "2: urgent")))
    priority = parse(text)["ticket"]["fields"]["priority"]
    assert priority["read"] == {1: "normal", 2: "urgent"}
    for comment in ("# What Switch says.", "# as it is", "# Our words for theirs."):
        assert comment in text


def test_both_may_add_a_row_at_the_end_of_one_table():
    end = "        done: closed\n"
    ours = changed((end, f"{end}        # Ours, since May.\n        held: on_hold\n"))
    theirs = changed((end, f"{end}        gone: closed   # theirs\n"))
    text = merged(ours, theirs)
    read = parse(text)["ticket"]["fields"]["status"]["read"]
    assert read == {"new": "open", "done": "closed", "held": "on_hold", "gone": "closed"}
    assert "# Ours, since May." in text
    assert "# theirs" in text


def test_a_row_in_a_line_may_go_while_another_comes_with_its_comment():
    ours = changed(("{1: low, 2: high}", "{2: high}"))
    theirs = changed(("{1: low, 2: high}}", "{1: low, 2: high, 3: urgent}}  # three"))
    text = merged(ours, theirs)
    assert parse(text)["ticket"]["fields"]["priority"]["read"] == {2: "high", 3: "urgent"}
    assert "# three" in text


def test_one_place_with_two_values_is_named_with_both():
    ours, theirs = changed(("new: open", "new: pending")), changed(("new: open", "new: closed"))
    _text, (clash,) = merge_file("switch.yaml", BASE, ours, theirs, parse)
    assert clash.path == ("ticket", "fields", "status", "read", "new")
    assert (clash.base, clash.ours, clash.theirs) == ("open", "pending", "closed")


def test_a_table_that_one_removes_and_the_other_fills_is_named():
    ours = changed(("    priority: {path: priority, read: {1: low, 2: high}}\n", ""))
    theirs = changed(("2: high", "2: urgent"))
    _text, (clash,) = merge_file("switch.yaml", BASE, ours, theirs, parse)
    assert clash.path == ("ticket", "fields", "priority")
    assert clash.ours == NOT_THERE
    assert clash.theirs["read"] == {1: "low", 2: "urgent"}


def test_the_same_change_by_both_is_no_clash():
    both = changed(("new: open", "new: pending"))
    assert merged(both, changed(("2: high", "2: low"), text=both)).count("new: pending") == 1


def test_true_and_one_are_two_values():
    base, ours, theirs = "a: 0\n", "a: 1\n", "a: true\n"
    _text, (clash,) = merge_file("x.yaml", base, ours, theirs, parse)
    assert (clash.ours, clash.theirs) == (1, True)


def test_ends_of_lines_stay_as_ours_are():
    ours = changed(("new: open", "new: pending")).replace("\n", "\r\n")
    text = merged(ours, changed(("2: high", "2: urgent")), BASE.replace("\n", "\r\n"))
    assert text == changed(("new: open", "new: pending"), ("2: high", "2: urgent")).replace(
        "\n", "\r\n"
    )


def test_files_that_only_one_has_touched_are_taken_as_they_are():
    base = {"a.yaml": "a", "b.yaml": "b", "gone.yaml": "g", "theirs gone.yaml": "t"}
    ours = {"a.yaml": "a: ours", "b.yaml": "b", "new.yaml": "n", "theirs gone.yaml": "t"}
    theirs = {"a.yaml": "a", "b.yaml": "b: theirs", "gone.yaml": "g", "other.yaml": "o"}
    found = merge(base, ours, theirs, parse)
    assert not found.clashes
    assert found.files == {
        "a.yaml": "a: ours",
        "b.yaml": "b: theirs",
        "new.yaml": "n",
        "other.yaml": "o",
    }


def test_a_file_that_one_removes_and_the_other_changes_is_a_clash():
    found = merge({"a.yaml": "a: 1"}, {}, {"a.yaml": "a: 2"}, parse)
    (clash,) = found.clashes
    assert (clash.file, clash.path, clash.ours, clash.theirs) == (
        "a.yaml",
        (),
        NOT_THERE,
        "(changed)",
    )


def test_a_new_file_of_both_is_brought_together():
    found = merge({}, {"a.yaml": "a: 1\n"}, {"a.yaml": "b: 2\n"}, parse)
    assert not found.clashes
    assert parse(found.files["a.yaml"]) == {"a": 1, "b": 2}


def test_a_file_beyond_the_limit_is_a_clash_as_a_whole():
    large = "a: " + "x" * MAX_BYTES + "\n"
    _text, (clash,) = merge_file("x.yaml", large, f"{large}b: 1\n", f"{large}c: 1\n", parse)
    assert "are brought together" in clash.why


KEYS = st.sampled_from(["open", "a b", "path", "read", "1", "true", "on", "#x", "k-2", "é"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 99),
    st.sampled_from(["x", "a # b", "no", "2026-01-01", "12:30", "", "- y", "'q'", "ü\n z "]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, min_size=1, max_size=4)
    ),
    max_leaves=14,
)
FILES = st.dictionaries(KEYS, TREES, min_size=1, max_size=5)


def written(data, comments, depth=0, flow=2):
    """Write data as people do: blocks outside, braces inside, a comment behind many a line."""
    lines = []
    for key, value in data.items():
        indent, name = "  " * depth, json.dumps(key, ensure_ascii=False)
        if isinstance(value, dict) and value and depth < flow:
            lines.append(f"{indent}{name}:{next(comments, '')}")
            lines += written(value, comments, depth + 1, flow).splitlines()
        else:
            lines.append(
                f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}{next(comments, '')}"
            )
    return "\n".join(lines) + "\n"


def paths(data, at=()):
    """Give the path of every value that a change may touch, once each."""
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*at, key))
        else:
            yield (*at, key)


def with_values(data, changes):
    """Return the data with values put in at paths; _GONE takes the value away."""
    made = copy.deepcopy(data)
    for path, value in changes.items():
        rows = made
        for step in path[:-1]:
            rows = rows[step]
        rows[path[-1]] = value
    return made


def comments_of(prefix, places):
    """Give comments for some of the lines, each of which is there only once."""
    return iter(
        [f"  # {prefix} {number}" if wanted else "" for number, wanted in enumerate(places)]
    )


@settings(max_examples=150)
@given(data=FILES, choose=st.data())
def test_disjoint_edits_come_together_with_every_comment(data, choose):
    places = choose.draw(st.lists(st.booleans(), max_size=20))
    all_paths = list(paths(data))
    owner = {path: choose.draw(st.sampled_from(["ours", "theirs", ""])) for path in all_paths}
    edits = {path: choose.draw(SCALARS) for path in all_paths if owner[path]}
    mine = {path: value for path, value in edits.items() if owner[path] == "ours"}
    other = {path: value for path, value in edits.items() if owner[path] == "theirs"}
    mine[("ours alone",)] = choose.draw(TREES)
    base = written(data, comments_of("line", places))
    ours = written(with_values(data, mine), comments_of("line", places))
    theirs = written(with_values(data, other), comments_of("line", places))
    text, clashes = merge_file("x.yaml", base, ours, theirs, parse)
    if [each.why for each in clashes] == [
        "the changes are too close to one another to keep all comments"
    ]:
        return  # it is refused, and nothing is lost
    assert not clashes
    assert parse(text) == with_values(data, {**mine, **other})
    for number, there in enumerate(places):
        if there and f"# line {number}\n" in base:
            assert f"# line {number}" in text


@settings(max_examples=150)
@given(texts=st.lists(st.one_of(st.text(max_size=60), FILES.map(str)), min_size=3, max_size=3))
def test_no_text_makes_it_crash(texts):
    base, ours, theirs = texts
    try:
        found = merge({"x.yaml": base}, {"x.yaml": ours}, {"x.yaml": theirs}, parse)
    except ConfigError:
        return  # what cannot be read is refused with its line
    if not found.clashes and len(set(texts)) == len(texts):  # both have changed it
        parse(found.files["x.yaml"])


@pytest.mark.parametrize(
    "text",
    [
        "a: {" * 39 + "}" * 39,
        "? - a\n: b\n",
        "a: &x 1\nb: *x\n",
        "<<: {a: 1}\nb: 2\n",
        "a: |\n  # no comment\n  x\n",
        "0o17: a\n1.0: b\n.5: c\n",
        "2026-01-01: day\n12:30: time\n",
        "k: 1\n" * 500,
        "".join(f"k{number}: {number}\n" for number in range(3000)),
        "\ufeffa: 1\n",
        "!!python/object:os.system a: 1\n",
        "- a\n- b\n",
        "just text\n",
        "",
    ],
)
def test_odd_yaml_is_merged_or_refused(text):
    for ours, theirs in (
        (f"{text}z: 1\n", f"{text}y: 1\n"),
        (f"{text}y: 2\n", f"{text}y: 2\nz: 3\n"),
    ):
        try:
            found = merge({"x.yaml": text}, {"x.yaml": ours}, {"x.yaml": theirs}, parse)
        except ConfigError:
            continue
        if not found.clashes:
            both = {**parse(ours), **parse(theirs)}
            assert parse(found.files["x.yaml"]) == both


def test_a_file_that_is_written_anew_has_null_as_the_word():
    base = changed(("canonical: {subject: a}", "canonical: {subject: a, team: null}"))
    ours = changed(("2: high}", "2: high, 3: low}"), text=base)
    theirs = changed(("2: high}", "2: urgent}"), text=base)
    assert merged(ours, theirs, base) == changed(("2: high}", "2: urgent, 3: low}"), text=base)


ROWS = """\
ticket:
  # of a
  a: 1   # beside a
  b: 2
  # of c
  c: 3   # beside c

  # of d
  d: 4
  # tail
other: x   # end
"""


def test_no_comment_stands_there_twice_when_both_change_the_row_below_a_new_one():
    both = ("c: 3", "c: 9")
    theirs = changed(both, ("  c: 9", "  t: new   # theirs\n  c: 9"), text=ROWS)
    text = merged(changed(both, text=ROWS), theirs, ROWS)
    assert parse(text)["ticket"] == {"a": 1, "b": 2, "c": 9, "d": 4, "t": "new"}
    assert [text.count(each) for each in ("# of c", "# beside c", "# theirs", "# tail")] == [1] * 4


def test_a_comment_that_one_has_taken_out_does_not_come_back_with_a_row_of_the_other():
    ours = changed(("  # of c\n  c: 3", "  c: 9"), text=ROWS)
    theirs = changed(("  c: 3", "  # theirs\n  t: new\n  c: 3"), text=ROWS)
    text = merged(ours, theirs, ROWS)
    assert "# of c" not in text
    assert "  # theirs\n  t: new\n" in text


EDITS = st.lists(
    st.tuples(st.integers(1, 10), st.sampled_from(("value", "beside", "above", "row", "gone"))),
    max_size=3,
)


def edited(lines, edits, who):
    lines = list(lines)
    for number, (wanted, kind) in enumerate(edits):
        at = min(wanted, len(lines) - 1)
        key, colon, rest = lines[at].partition(": ")
        is_row = bool(colon) and not key.strip().startswith("#")
        if kind == "value" and is_row:
            lines[at] = f"{key}: {who}{number}{rest[1:]}"
        elif kind == "beside" and is_row:
            lines[at] = f"{key}: {rest.partition(' ')[0]}   # {who} beside {number}"
        elif kind == "above" and is_row:
            lines.insert(at, f"  # {who} above {number}")
        elif kind == "row" and is_row and key.startswith("  "):
            lines[at:at] = [f"  # {who} of {number}", f"  {who}{number}: new   # {who} by {number}"]
        elif kind == "gone":
            del lines[at]
    return lines


@given(both=EDITS, ours=EDITS, theirs=EDITS)
def test_each_comment_stands_there_as_often_as_the_two_have_written_it(both, ours, theirs):
    """They edit neighbours, and have made some changes alike."""
    common = edited(ROWS.splitlines(), both, "both")
    made = ("\n".join(edited(common, *each)) + "\n" for each in ((ours, "o"), (theirs, "t")))
    one, other = made
    try:
        parse(one), parse(other)
    except ConfigError:
        return
    text, clashes = merge_file("f", ROWS, one, other, parse)
    if clashes:
        return
    counts = [Counter(re.findall(r"#.*", each)) for each in (ROWS, one, other, text)]
    for comment in set().union(*counts):
        base, mine, others, found = (count[comment] for count in counts)
        most = max(0, mine + others - base)
        assert min(most, max(mine, others)) <= found <= most, comment
