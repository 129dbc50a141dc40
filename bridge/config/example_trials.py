"""Runs the examples of a home's mapping files by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bridge.config import NOT_SYSTEMS, HomeLoader, yaml_reader
from bridge.config.mapping_files import TriedExample, tried_examples
from bridge.config.one_account import Classes


def mapping_stems(home: Path) -> list[str]:
    """Return the names of a home's mapping files, without `.yaml`."""
    stems = (file.stem for file in sorted((home / "mappings").glob("*.yaml")))
    return [stem for stem in stems if stem not in NOT_SYSTEMS]


def try_examples(
    home: Path, stems: Iterable[str], connectors: Classes
) -> tuple[list[TriedExample], list[str]]:
    """Run the examples of these mapping files alone; also return the problems of the files.

    The other files of the home, but for mappings/fields.yaml, are not looked at.
    """
    loader = HomeLoader(home, {}, {}, connectors)
    loader.fields = loader.known_fields()
    for stem in stems:
        loader.compile_alone(stem)
    tried = [
        each
        for name, document in loader.documents.items()
        if name not in loader.broken
        for each in tried_examples(document, loader.systems[name], connectors, loader.fields)
    ]
    return tried, yaml_reader.as_lines(loader.problems)
