"""The recipes of docs/mappings.md, carried out step by step as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent, indent

from bridge.config import check
from bridge.home import shipped_folder
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
