"""The mappings' own examples: run by themselves, and made of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config import SandboxAccount, yaml_edit, yaml_reader, yaml_text
from bridge.config.example_trials import mapping_stems, try_examples
from bridge.config.mapping_files import TriedExample
from bridge.connectors import CONNECTORS, connector_class
from bridge.errors import NotPossible, UnknownName
from bridge.operations import mapping_edits, samples
from bridge.operations.desk import Desk
from bridge.operations.mapping_edits import FileEdit
from bridge.operations.samples import Sample
from bridge.workbench.record_preview import mapping_of
from bridge.workbench.recording import recorded


@dataclass(frozen=True, slots=True)
class RecordedExample:
    """An example that was made of a record."""

    record: str
    """The record as people name it: `helpdesk:tkt_1`."""
    entity: str
    file: str
    """Where it belongs: `mappings/switch.yaml`."""
    example: Mapping[str, Any]
    text: str
    """The same as YAML, one item of `examples`."""


def run(home: Path, files: Sequence[str]) -> tuple[list[TriedExample], list[str]]:
    """Run the examples of mapping files, and return them with the problems of the files.

    All files where none is named.
    A file is named as it lies in the home (`mappings/switch.yaml`), by its path, or by its system.
    Raises UnknownName for what is none of the home's mappings.
    """
    known = mapping_stems(home)
    stems = [_stem(name, known) for name in files] or known
    classes = {system: connector_class(system) for system in CONNECTORS}
    return try_examples(home, dict.fromkeys(stems), classes)


def record(desk: Desk, ref: str, entity: str) -> RecordedExample:
    """Read a record at its system and make an example of it, with made-up values.

    Raises UnknownName where there is no such record, NotPossible where it can be no example, and
    the connector's errors.
    """
    return of_sample(desk, samples.live(desk, ref, entity))


def of_sample(desk: Desk, sample: Sample) -> RecordedExample:
    """Make an example of a record that was read."""
    connection, entity = sample.connection, sample.entity
    mapped = mapping_of(desk.context, connection, entity)
    file = f"mappings/{desk.config.connections[connection].mapping}.yaml"
    declared = yaml_reader.load(desk.config.home / file, file).data.get(entity)
    if not isinstance(declared, Mapping):  # what is in force was published from another folder
        raise NotPossible(f"{file} has no {entity}; see `bridge mappings diff`")
    example = recorded(
        sample.data,
        declared,
        mapped,
        desk.context.capabilities[connection][entity],
        desk.context.fields[entity],
    )
    lines = yaml_text.list_item(yaml_text.block(example, yaml_edit.LEVELS_OF_AN_ITEM))
    return RecordedExample(sample.name, entity, file, example, "\n".join(lines))


def add(
    desk: Desk, accounts: Mapping[str, SandboxAccount] | None, made: RecordedExample
) -> TriedExample:
    """Put an example into its mapping's file, behind those that stand there, and run it.

    Raises NotPossible where the file cannot take it; then it is as it was.
    """
    home = desk.config.home
    before = mapping_edits.read(home, made.file)
    where = (made.entity, "examples")
    after = yaml_edit.with_item(before, made.file, where, dict(made.example))
    of, detail = made.file, {"entity": made.entity}
    edit = FileEdit({of: before}, {of: after}, "example recorded", made.record, detail)
    mapping_edits.make(desk, accounts, edit)
    tried, _problems = run(home, [made.file])
    return next(each for each in reversed(tried) if each.entity == made.entity)


def _stem(name: str, known: Sequence[str]) -> str:
    stem = Path(name).name.removesuffix(".yaml")
    if stem not in known:
        allowed = ", ".join(known) or "none, there are no mappings"
        raise UnknownName(f"{name} is no mapping of this home; allowed: {allowed}")
    return stem
