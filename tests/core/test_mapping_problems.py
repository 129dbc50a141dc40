"""Declarations of mappings that cannot be compiled: each problem is named, with its place."""

import pytest

from bridge.core.mapping.compiler import MappingError, compile_entity
from bridge.core.mapping.field_declaration import FIELD_KEYS
from tests.core.test_mapping import NOBODY, STATUS, wrong

KEYS = ", ".join(FIELD_KEYS)
STATUSES = "new, open, pending, on_hold, resolved, closed, null"
SHAPES = "first-non-empty, template, first-line, cut"
TEXTS = f"text, folded, html, markdown, prefix, suffix, quiet-mentions, {SHAPES}"


@pytest.mark.parametrize(
    ("name", "declared", "problems"),
    [
        (
            "subject",
            3,
            [("", f"must be a path, or have rows such as key: value; allowed keys {KEYS}")],
        ),
        ("subject", {"pth": "a", "path": "a"}, [("pth", f"unknown key; allowed {KEYS}")]),
        (
            "subject",
            {"write": "a"},
            [
                (
                    "read",
                    (
                        "nothing says where the value is read; "
                        "allowed path, or read with an expression"
                    ),
                )
            ],
        ),
        (
            "subject",
            {"path": "a || b"},
            [
                (
                    "path",
                    (
                        "is 'a || b'; allowed a plain path such as status or custom_fields.team "
                        "(use read for an expression)"
                    ),
                )
            ],
        ),
        (
            "subject",
            {"path": "a", "read": "b"},
            [
                (
                    "read",
                    "path says already where the value is read; allowed a value table beside path",
                )
            ],
        ),
        (
            "subject",
            {"path": "a", "write": "b"},
            [
                (
                    "write",
                    "path says already where the value is sent; allowed a value table beside path",
                )
            ],
        ),
        (
            "subject",
            {"read": "a", "write": "b[0]"},
            [
                (
                    "write",
                    (
                        "is 'b[0]'; allowed a plain path such as status or custom_fields.team, "
                        "or a value table"
                    ),
                )
            ],
        ),
        (
            "status",
            {"read": "a", "write": {"new": "x"}},
            [("write", "a table says what is sent, not where; add path")],
        ),
        (
            "status",
            {"path": "a", "read": {"x": "opne"}},
            [("read.x", f"'opne' is no status; allowed {STATUSES}")],
        ),
        (
            "status",
            {"path": "a", "read": {}},
            [("read", "is an empty table; allowed one row or more")],
        ),
        (
            "status",
            {"path": "a", "write": {"new": ["x"]}},
            [("write.new", "is ['x']; allowed a single value")],
        ),
        (
            "status",
            {**STATUS, "not_carried": ["new", "odd"]},
            [
                ("not_carried.1", f"'odd' is no status; allowed {STATUSES}"),
                ("write.new", "is declared as not carried as well; leave one of the two out"),
            ],
        ),
        (
            "tags",
            {"path": "a", "read": {"x": "y"}},
            [("read", "a set takes no value table; allowed a path, with `as`")],
        ),
        (
            "tags",
            {"path": "a", "as": {"cut": 3}},
            [("as", "cut does not work on a set; allowed tags")],
        ),
        (
            "subject",
            {"path": "a", "as": "agent"},
            [("as", f"agent does not work on subject; allowed {TEXTS}")],
        ),
        (
            "subject",
            {"path": "a", "as": "os.system"},
            [("as", f"os.system is no transform for subject; allowed {TEXTS}")],
        ),
        (
            "subject",
            {"path": "a", "as": {"cut": 0}},
            [
                (
                    "as",
                    "cut is given 0; allowed a number of characters above 0, or {at: 120, mark: …}",
                )
            ],
        ),
        (
            "subject",
            {"path": "a", "as": ["text", "first-line"]},
            [("as.1", "text must be the last of the list")],
        ),
        (
            "subject",
            {"path": "a", "as": "first-non-empty"},
            [
                (
                    "as",
                    (
                        "first-non-empty takes several paths; "
                        "allowed first of all, with a list under read"
                    ),
                )
            ],
        ),
        (
            "subject",
            {"read": ["a", "b"]},
            [("read", "is a list; allowed with `as: first-non-empty` or `as: {template: …}`")],
        ),
        (
            "subject",
            {"read": ["a"], "as": {"template": "none"}},
            [
                (
                    "as",
                    "template has no placeholder in 'none'; allowed {1} for the first path, {2}, …",
                )
            ],
        ),
        (
            "assignee",
            {"path": "a", "as": {"agent": {"group": "x"}}},
            [("as", "agent is given {'group': 'x'}; allowed {groups: prefix}")],
        ),
        (
            "status",
            {**STATUS, "as": "text"},
            [
                (
                    "as",
                    (
                        "text does not work on status; "
                        f"allowed value tables under read and write, {SHAPES}"
                    ),
                )
            ],
        ),
        (
            "subject",
            {"path": "a", "only_on": "never"},
            [("only_on", "is 'never'; allowed create, update")],
        ),
        (
            "subject",
            {"read": "a", "only_on": "create"},
            [("only_on", "means nothing here: the field is only read; add path or write")],
        ),
        (
            "subject",
            {"path": "a", "max_length": 0},
            [("max_length", "is 0; allowed a number of characters, without quotes, on a text")],
        ),
        (
            "subject",
            {"path": "a", "unless_null": "yes"},
            [("unless_null", "is 'yes'; allowed true, false")],
        ),
        (
            "priority",
            {"path": "a", "default": "some"},
            [("default", "'some' is no priority; allowed low, normal, high, urgent, null")],
        ),
    ],
)
def test_invalid_declarations(name, declared, problems):
    assert wrong(name, declared) == problems


def test_an_entity_reports_everything_at_once():
    with pytest.raises(MappingError) as caught:
        compile_entity(
            "ticket", {"version": 3, "fields": {"subjct": "a", "tags": 1}, "extra": 1}, NOBODY
        )
    assert [".".join(map(str, where)) for where, _what in caught.value.problems] == [
        "extra",
        "fields.subjct",
        "fields.tags",
        "version",
        "id",
    ]
