"""The recipes of docs/mappings.md, carried out step by step as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

from bridge.config import check, yaml_edit, yaml_reader
from bridge.home import shipped_folder
from bridge.workbench.record_preview import preview
from tests.flow.estate import Estate
from tests.flow.test_own_fields import FILES, begun, edit

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mappings.md"
BLOCK = re.compile(r"^( *)```(yaml|json)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(recipe):
    """The blocks of a recipe in their order: YAML as text, JSON as values."""
    text = DOCUMENT.read_text().partition(f"#### Recipe: {recipe}\n")[2]
    text = re.split(r"^#{2,4} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = [(kind, dedent(body)) for _indent, kind, body in BLOCK.findall(text)]
    yaml = [body for kind, body in found if kind == "yaml"]
    return yaml, [json.loads(body) for kind, body in found if kind == "json"]


def added(text, entity, place, lines):
    """A mapping file with lines put at the head of `fields` or `examples` of an entity."""
    head, start, rest = text.partition(f"\n{entity}:\n")
    before, key, after = rest.partition(f"\n  {place}:\n")
    assert start
    assert key
    return f"{head}{start}{before}{key}{indent(lines, '    ')}{after}"


def test_add_a_field_of_your_own(tmp_path):
    (fields, at_switch, at_posthog, example), (set_there, shown, moved, arrived) = blocks(
        "add a field of your own"
    )
    switch, posthog = (
        (shipped_folder("mappings") / f"{name}.yaml").read_text() for name in ("switch", "posthog")
    )
    files = {
        "mappings/fields.yaml": fields,
        "mappings/switch.yaml": added(
            added(switch, "ticket", "fields", at_switch), "ticket", "examples", example
        ),
        "mappings/posthog.yaml": added(posthog, "ticket", "fields", at_posthog),
    }
    estate = Estate(tmp_path, files=FILES | files)
    problems = check(tmp_path, environ={}, sandbox=estate._accounts, connectors=estate.classes)
    assert problems == []
    refs = begun(estate, custom_fields={"order": 17})
    edit(estate, "helpdesk", refs, set_there)
    traits = estate.apps["product"].store.get(refs["product"])["anonymous_traits"]
    assert traits["due_at"] == shown["anonymous_traits"]["due_at"]
    edit(estate, "product", refs, {"anonymous_traits": {**traits, **moved["anonymous_traits"]}})
    kept = estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"]
    assert kept == {"order": 17, **arrived["custom_fields"]}


STEP = re.compile(r"In `(mappings/[^`]+)`,\s+under\s+((?:`[^`]+`,?\s+)+)")
SIGHT = re.compile(r"(shown at|sent to|new at)\s+`(\w+)`", re.IGNORECASE)
NAMES = re.findall(r"^#### Recipe: (.+)$", DOCUMENT.read_text(), re.MULTILINE)
BY_HAND = {"add a field of your own"}
"""Whose test stands above."""


def put(text, place, block):
    """A file in which a row stands in the place of the one of its name, or at the end."""
    (key,) = yaml_reader.parse(block, "block").data
    node = yaml_reader.compose(text)
    for step in place:
        node = next(value for name, value in node.value if name.value == step)
    column = node.value[0][0].start_mark.column
    lines = indent(block.rstrip("\n"), " " * column)
    known = [row for row in node.value if row[0].value == key]
    if not known:
        return yaml_edit._with_lines(
            text, yaml_edit._end_of(text, node), block.rstrip("\n").split("\n"), column
        )
    ((name, value),) = known
    start = text.rfind("\n", 0, name.start_mark.index) + 1
    end = text.find("\n", yaml_edit._end_of(text, value))
    return text[:start] + lines + text[end:]


def steps(recipe):
    """The blocks of a recipe, each with what is said of it: a file and place, or a connection."""
    text = DOCUMENT.read_text().partition(f"#### Recipe: {recipe}\n")[2]
    text = re.split(r"^#{2,4} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found, before = [], 0
    for block in BLOCK.finditer(text):
        said = text[before : block.start()]
        before = block.end()
        if block[2] == "yaml":
            (step,) = STEP.findall(said)
            found.append(("change", (step[0], re.findall(r"`([^`]+)`", step[1])), block[3]))
        else:
            what, connection = SIGHT.findall(said)[-1]
            found.append((what.casefold(), connection, json.loads(block[3])))
    return found


def sent(writings, on):
    """What is sent of a record by key: nothing that is left out, and no empty value."""
    why = "create_why" if on == "on_create" else "update_why"
    return {
        each.key: getattr(each, on)
        for each in writings
        if not getattr(each, why) and getattr(each, on) is not None and each.key
    }


def test_there_are_twelve_recipes_or_more_and_each_has_a_test():
    assert len(NAMES) == len(set(NAMES)) >= 12
    assert set(NAMES) > BY_HAND


@pytest.mark.parametrize("recipe", [name for name in NAMES if name not in BY_HAND])
def test_a_recipe_does_what_it_says(recipe, tmp_path):
    files = {}
    asked = steps(recipe)
    for what, place, block in asked:
        if what == "change":
            file, under = place
            text = files.get(file) or (shipped_folder("mappings").parent / file).read_text()
            files[file] = put(text, under, block)
    assert files
    estate = Estate(tmp_path, files=files)
    problems = check(tmp_path, environ={}, sandbox=estate._accounts, connectors=estate.classes)
    assert problems == []
    previewed, told = None, 0
    for what, connection, values in asked:
        if what == "shown at":
            assert previewed is None or told or not previewed.in_scope
            previewed = preview(estate.context, {}, connection, "ticket", values)
            told = 0
        elif what != "change":
            assert previewed.in_scope
            on = "on_create" if what == "new at" else "on_update"
            found = sent(previewed.writings[connection], on)
            assert values == (found if on == "on_update" else {key: found[key] for key in values})
            told += 1
    assert previewed is not None
    assert told or not previewed.in_scope
