"""The documents name every key that the files may have, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.config.schemas import (
    BridgeSchema,
    ConnectionSchema,
    ExampleSchema,
    GuardSchema,
    MemberSchema,
    NoticeSchema,
    SyncSchema,
    WebhookSchema,
)
from bridge.config.sync_policies import WORDS
from bridge.config.yaml_reader import parse
from bridge.core.mapping.field_declaration import FIELD_KEYS
from bridge.core.mapping.read_helpers import HELPERS
from bridge.core.mapping.transform_forms import FORMS
from bridge.core.mapping.transforms import AGENT

DOCS = Path(__file__).resolve().parents[2] / "docs"


def keys(schema):
    return {each.data_key or name for name, each in schema().fields.items()}


def tables(name):
    """The first words in code of each table's rows."""
    found = re.findall(r"(?m)(?:^\|.*\n)+", (DOCS / name).read_text())
    return [set(re.findall(r"(?m)^\| `\{?([\w-]+)", table)) for table in found]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("mappings.md", set(FIELD_KEYS)),
        ("mappings.md", {*FORMS, AGENT}),
        ("mappings.md", set(HELPERS)),
        ("mappings.md", set(WORDS)),
        ("mappings.md", keys(ExampleSchema)),
        ("mappings.md", keys(SyncSchema)),
        ("mappings.md", keys(MemberSchema)),
        ("mappings.md", keys(GuardSchema)),
        ("configuration.md", keys(BridgeSchema)),
        ("configuration.md", keys(ConnectionSchema)),
        ("configuration.md", keys(WebhookSchema)),
        ("configuration.md", keys(NoticeSchema)),
    ],
)
def test_a_table_has_exactly_these_keys(document, expected):
    assert expected in tables(document)


@pytest.mark.parametrize("document", ["mappings.md", "configuration.md"])
def test_the_examples_are_yaml_that_is_read_here(document):
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / document).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert isinstance(parse(block, document).data, dict | list)
