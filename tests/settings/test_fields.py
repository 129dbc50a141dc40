"""mappings/fields.yaml: what can be declared, and every problem of the file at once."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from bridge.config import check, load
from bridge.config.fields_file import KEYS, KINDS, MAX_FIELDS, MAX_VALUES
from bridge.core.model.capabilities import Door, Writable
from bridge.core.model.entities import BUILT_IN
from bridge.errors import ConfigError
from tests.settings.builders import CONNECTORS, DESK, ENVIRON, Desk, checked, home

FILE = "mappings/fields.yaml"


def with_fields(path, text, **files):
    home(path, **files)
    (path / FILE).write_text(text)
    return path


def problems(path, text, **files):
    with pytest.raises(ConfigError) as caught:
        load(with_fields(path, text, **files), environ=ENVIRON, connectors=CONNECTORS)
    return [line.removeprefix(f"{FILE}:") for line in caught.value.problems]


def fields(path, text, **files):
    loaded = load(with_fields(path, text, **files), environ=ENVIRON, connectors=CONNECTORS)
    return loaded.fields


def test_what_is_declared_stands_behind_the_built_in_fields(tmp_path):
    text = """\
ticket:
  team: {kind: choice, values: [billing, product], label: Team}
  due_at: {kind: datetime}
  order_no: {kind: text, personal: false}
customer:
"""
    found = fields(tmp_path, text)
    assert list(found["ticket"])[-3:] == ["team", "due_at", "order_no"]
    assert found["customer"] == BUILT_IN["customer"]
    team, due_at, order_no = (found["ticket"][name] for name in ("team", "due_at", "order_no"))
    assert (team.kind, team.choices, team.meaning) == ("choice", ("billing", "product"), "Team")
    assert due_at.meaning == "due at"
    assert [each.personal for each in (team, due_at, order_no)] == [False, True, False]


@pytest.mark.parametrize("text", ["", "ticket:\n", "{}", "# nothing yet\n"])
def test_a_file_may_declare_nothing(tmp_path, text):
    assert fields(tmp_path, text) == BUILT_IN


def test_no_file_declares_nothing(tmp_path):
    assert load(home(tmp_path), environ=ENVIRON, connectors=CONNECTORS).fields is BUILT_IN


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("choice", "boolean")])
def test_what_a_field_holds_is_personal_unless_it_is_known_not_to_be(tmp_path, kind):
    declared = fields(tmp_path, f"ticket: {{a: {{kind: {kind}}}}}")["ticket"]["a"]
    assert declared.personal


NO_NAME = (
    "is no name of a field; allowed lower-case letters, digits and _, "
    "beginning with a letter, at most 40"
)
KIND_LIST = ", ".join(KINDS)
KEY_LIST = ", ".join(KEYS)
NO_VALUES = "must be a list of the values that a choice can have, at least one"
ONE_VALUE = "allowed text of at most 100 characters, in quotes if need be"
LINE = "allowed one line of text, at most 80 characters"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[team]",
            "must have rows such as key: value; allowed keys ticket, customer, message, session",
        ),
        ("tickets: {}", "tickets: unknown key; allowed ticket, customer, message, session"),
        ("ticket: [team]", "ticket: must have a row for each field, such as team: {kind: text}"),
        ("ticket: {1: {kind: text}}", f"ticket[1]: {NO_NAME}"),
    ],
)
def test_what_no_file_of_fields_is(tmp_path, text, expected):
    assert problems(tmp_path, text) == [f"1: {expected}"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("a: choice", f"a: must have rows such as key: value; allowed keys {KEY_LIST}"),
        ("Team: {kind: text}", f"Team: {NO_NAME}"),
        ("a-b: {kind: text}", f"a-b: {NO_NAME}"),
        ("status: {kind: text}", "status: is a built-in field of a ticket; allowed any other name"),
        ("email: {kind: url}", "email: is a built-in field of a customer; allowed any other name"),
        ("a: {}", f"a.kind: is missing; allowed {KIND_LIST}"),
        ("a: {kind: parent}", f"a.kind: is 'parent'; allowed {KIND_LIST}"),
        ("a: {kind: [text]}", f"a.kind: is ['text']; allowed {KIND_LIST}"),
        ("a: {kind: text, lable: A}", f"a.lable: unknown key; allowed {KEY_LIST}"),
        (
            "a: {kind: url, values: [x]}",
            "a.values: means nothing here: a url has no list of values",
        ),
        ("a: {kind: choice}", f"a.values: {NO_VALUES}"),
        ("a: {kind: choice, values: []}", f"a.values: {NO_VALUES}"),
        ("a: {kind: choice, values: [1]}", f"a.values[0]: is 1; {ONE_VALUE}"),
        ("a: {kind: choice, values: [' y']}", f"a.values[0]: is ' y'; {ONE_VALUE}"),
        ("a: {kind: choice, values: [null]}", f"a.values[0]: is null; {ONE_VALUE}"),
        ("a: {kind: choice, values: [x, x]}", "a.values[1]: 'x' stands here twice"),
        ("a: {kind: text, label: ''}", f"a.label: is ''; {LINE}"),
        ("a: {kind: text, personal: maybe}", "a.personal: is 'maybe'; allowed true, false"),
        (
            "owner: {kind: text}",
            "owner: means something else in these files; allowed any other name",
        ),
    ],
)
def test_what_cannot_be_declared(tmp_path, declared, expected):
    assert problems(tmp_path, f"ticket: {{{declared}}}") == [f"1: ticket.{expected}"]


def test_every_problem_is_named_at_once_with_its_line(tmp_path):
    ticket = "ticket:\n  a: {kind: x}\n  subject: {kind: text}\n"
    found = problems(tmp_path, f"{ticket}customer:\n  b: {{kind: text, label: 1}}\n")
    assert [line.partition(":")[0] for line in found] == ["2", "3", "5"]


def test_fields_and_values_are_bounded(tmp_path):
    rows = "\n".join(f"  f{number}: {{kind: text}}" for number in range(MAX_FIELDS + 1))
    assert f"1: ticket: declares {MAX_FIELDS + 1} fields; allowed at most {MAX_FIELDS}" in problems(
        tmp_path, f"ticket:\n{rows}\n"
    )
    values = ", ".join(f"v{number}" for number in range(MAX_VALUES + 1))
    (one,) = problems(tmp_path, f"ticket: {{a: {{kind: choice, values: [{values}]}}}}")
    assert one == f"1: ticket.a.values: has {MAX_VALUES + 1} values; allowed at most {MAX_VALUES}"


MAPPED = DESK + "    team: {read: title}\n"


def test_a_mapping_of_a_field_that_is_not_declared_says_where_to_declare_it(tmp_path):
    (one,) = [line for line in checked(tmp_path, desk=MAPPED) if "team" in line]
    assert one.endswith("or one that mappings/fields.yaml declares")
    with_fields(tmp_path, "ticket: {team: {kind: text}}", desk=MAPPED)
    assert check(tmp_path, environ=ENVIRON, connectors=CONNECTORS) == []


POLICIES = """\
both:
  entity: ticket
  members: {one: {create: true}, two: {}}
  match: [[team], [customer, due_at2 ± 2m]]
  fields: {team: {owner: one}}
  on_link: {team: one}
"""


def test_policies_and_match_rules_take_it_like_any_other(tmp_path):
    text = "ticket: {team: {kind: text}, due_at2: {kind: datetime}, all: {kind: json}}"
    mapped = MAPPED.replace("{read: title}", "{read: title}\n    due_at2: {read: made}")
    loaded = load(
        with_fields(tmp_path, text, desk=mapped, syncs=POLICIES),
        environ=ENVIRON,
        connectors=CONNECTORS,
    )
    sync = loaded.syncs["both"]
    assert (sync.policies["team"].owner, sync.policies["team"].on_link) == ("one", "one")
    assert [term.field for rule in sync.match for term in rule] == ["team", "customer", "due_at2"]
    (one,) = problems(tmp_path, text, desk=mapped, syncs=POLICIES.replace("[team]", "[all]"))
    assert "is 'all'; allowed" in one
    assert "all," not in one.partition("allowed")[2]


def test_another_declaration_is_another_reading(tmp_path):
    def revision(values):
        text = f"ticket: {{team: {{kind: choice, values: {values}}}}}"
        path = with_fields(tmp_path, text, desk=MAPPED)
        loaded = load(path, environ=ENVIRON, connectors=CONNECTORS)
        return loaded.maps["one"]["ticket"].fields["team"].revision, loaded.revision

    assert revision("[a, b]") == revision("[a, b]")
    assert revision("[a, b]")[0] != revision("[a, c]")[0]
    assert revision("[a, b]")[1] != revision("[a, c]")[1]


class Boxed(Desk):
    """A system with a box that takes text under any name but one."""

    CAPABILITIES: ClassVar = {
        "ticket": replace(
            Desk.CAPABILITIES["ticket"],
            readable=Desk.CAPABILITIES["ticket"].readable | {"box"},
            doors={"box": Door("patch", Writable(), takes=("text",), reserved=frozenset({"ours"}))},
        )
    }


OWN = "ticket: {team: {kind: choice, values: [a, b]}, size: {kind: number}, meta: {kind: json}}"
KEYS_OF_DESK = "bot, labels, level, owner, state, title, box.<name>"


@pytest.mark.parametrize(
    ("mapped", "expected"),
    [
        ("team: box.team", []),
        ("team: {path: box.team, read: {x: a, y: b}}", []),
        ("size: {path: box.size, as: {number: text}}", []),
        ("size: box.size", ["size.path: number cannot be kept there by desk; allowed text"]),
        ("team: {path: box.team, read: {1: a, y: b}}", [
            "team.path: number cannot be kept there by desk; allowed text"]),
        ("meta: box.meta", [
            "meta.path: boolean, list, number, object cannot be kept there by desk; allowed text"]),
        ("team: box.ours", [f"team: desk cannot write 'box.ours'; allowed {KEYS_OF_DESK} (or"]),
        ("team: box.a.b", [f"team: desk cannot write 'box.a.b'; allowed {KEYS_OF_DESK} (or"]),
        ("team: {read: mail, write: mail}", [
            f"team: desk cannot write 'mail'; allowed {KEYS_OF_DESK} (or"]),
        ("team: {read: box.team, write: box.other}", []),
        ("team: {read: 'box.team || box.squad'}", []),
        ("team: crate.team", [
            "team: desk cannot write 'crate.team'", "team: desk sends no 'crate'"]),
    ],
)  # fmt: skip
def test_a_mapping_writes_through_doors_alone_and_what_fits_there(tmp_path, mapped, expected):
    path = with_fields(tmp_path, OWN, desk=f"{DESK}    {mapped}\n")
    found = check(path, environ=ENVIRON, connectors={**CONNECTORS, "desk": Boxed})
    ours = [line.partition("ticket.fields.")[2] for line in found]
    assert len(ours) == len(expected)
    for line, start in zip(ours, expected, strict=True):
        assert line.startswith(start)
