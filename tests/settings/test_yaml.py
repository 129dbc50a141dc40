from __future__ import annotations

import os

import pytest

from bridge.config.yaml_reader import MAX_BYTES, MAX_DEPTH, load, parse
from bridge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: on", {"a": "on"}),
        ("a: yes\nno: 1", {"a": "yes", "no": 1}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: 010", {"a": 10}),
        ("a: 0o10", {"a": 8}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: -3", {"a": -3}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: .5", {"a": 0.5}),
        ("a: '1'", {"a": "1"}),
        ("a: ~\nb:\nc: null", {"a": None, "b": None, "c": None}),
        ("a: True\nb: false", {"a": True, "b": False}),
        ("null: null\n1: one", {None: None, 1: "one"}),
        ("<<: x", {"<<": "x"}),
        ("a: =", {"a": "="}),
        ("a: [1, [b, {c: d}]]", {"a": [1, ["b", {"c": "d"}]]}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        ("", None),
        ("# nothing", None),
        ("[a]", ["a"]),
        ("ä: ✓", {"ä": "✓"}),
    ],
)
def test_core_types(text, value):
    assert parse(text, "f").data == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: a: stands in line 1 already; take one out"),
        ("x:\n  - {a: 1, a: 2}", "f:2: x[0].a: stands in line 2 already; take one out"),
        ("1: a\ntrue: b", "f:2: true: stands in line 1 already; take one out"),
        ("a: &x 1\nb: 2", ("f:1: & and * are not used here: write the value out, or put text in "
         "quotes")),
        ("a: 1\nb: *x", ("f:2: & and * are not used here: write the value out, or put text in "
         "quotes")),
        ("a: !!python/object:os.system x",
         ("f:1: tag:yaml.org,2002:python/object:os.system is not used here: write the value "
          "alone, or quote text")),
        ("a: !x [1]", "f:1: !x is not used here: write the value alone, or quote text"),
        ("a: .inf", "f:1: a: .inf is no number here; put text in quotes"),
        ("a:\n  - .nan", "f:2: a[0]: .nan is no number here; put text in quotes"),
        ("a: 1e999", "f:1: a: is too large a number; put it in quotes if it is a name"),
        ("a: 123456789012345678901234567890", ("f:1: a: is too large a number; put it in quotes "
                                               "if it is a name")),
        ("[a, b]: c", "f:1: the name of a row must be a single value"),
        ("a: [1,\n", "f:2: a value is missing before this, or a [ or { is not closed"),
        ("a: b: c", ("f:1: a colon too many, or no space after one, here or above: text with a "
                     "colon needs quotes")),
        ("a: 1\n---\nb: 2", "f:2: --- begins a second document; take that line out"),
        ("a: 'b\nc: d\n", "f:1: the quote that begins in this line is not closed"),
        ("a: [1, 2\nb: 3",
         "f:1: the [ of this line is not closed, or a comma or a quote is missing: [a, 'b']"),
        ("a: {b: 1}}", "f:1: a } or ] too many: none is open here"),
        ("a: - b", "f:1: a row that begins with - needs a line of its own"),
        ('a: "\\q"', 'f:1: a \\ within " " means something else: use single quotes'),
        ("a:\n  b: 1\n c: 2",
         ("f:3: the indent fits none of the lines above: rows that belong together begin in one "
          "column")),
        ("a: |x\n  b",
         "f:1: a value cannot begin with | or >; put it in quotes"),
        ("a: '\x07'", "f:1: a character that must not stand in these files; take it out"),
    ],
)  # fmt: skip
def test_refused(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    assert caught.value.problems == [problem]


def test_all_builder_problems_come_at_once():
    with pytest.raises(ConfigError) as caught:
        parse("a: .inf\nb: {c: 1, c: 2}\nd: .nan", "f")
    assert [problem.split(":")[1] for problem in caught.value.problems] == ["1", "2", "3"]


def test_deep_nesting_is_refused_not_followed():
    with pytest.raises(ConfigError, match=f"more than {MAX_DEPTH} lists and tables"):
        parse("a: " + "[" * 5000 + "]" * 5000, "f")


def test_lines_of_keys_and_items():
    document = parse("a:\n  b:\n    - x\n    - y: 1\n", "f")
    assert document.problem(("a", "b", 1, "y"), "no") == ("f", 4, "a.b[1].y: no")
    assert document.problem(("a", "b", 1, "gone", "deeper"), "no") == (
        "f",
        4,
        "a.b[1].gone.deeper: no",
    )
    assert document.problem((), "no") == ("f", 1, "no")


def test_files(tmp_path):
    path = tmp_path / "x.yaml"
    with pytest.raises(ConfigError, match=r"^x:1: cannot be read: No such file or directory$"):
        load(path, "x")
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(
        ConfigError,
        match=r"^x:2: is not saved as UTF-8; save the file anew "
        "with that encoding$",
    ):
        load(path, "x")
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=r"^x:1: is larger than 1 MiB$"):
        load(path, "x")
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert load(path, "x").data == {"a": 1}


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "switch.yaml")
    with pytest.raises(ConfigError, match=r"switch\.yaml:1: cannot be read: it is no file"):
        load(tmp_path / "switch.yaml", "switch.yaml")
