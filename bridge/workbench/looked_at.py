"""What the rules of a mapping look at in a record: names, and values that are told apart.

Only that is known to be no personal data: it stands in the mapping's file, or in the connector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.core.mapping.paths import BadPath, Path, compile_path, words_of
from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.mapping.value_tables import Table, typed_key
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.entities import Field

ANYWHERE: Final = "@"
"""Of a rule that looks at the whole record."""
MIN_PIECE_CHARS: Final = 2
_USUAL_NAMES: Final = frozenset(
    {"id", "name", "email", "phone", "type", "value", "label", "salience"}
)
"""Names that tell of nobody; a scored tag has the last of them, and the mapping looks at it."""
_TEXTS_OF_TRANSFORMS: Final = ("prefix", "suffix")
_PLAIN_TAG: Final = TRANSFORMS["tags"].read


@dataclass(frozen=True, slots=True)
class ToldApart:
    """What is told apart below one top-level name of a record."""

    values: Table
    """Whole values, with anything behind them."""
    tags: frozenset[str]
    """Texts that are the same in another case, or behind a `#`."""
    pieces: tuple[str, ...]
    """What is looked for within a text, the longest first."""

    def keeps(self, value: Any) -> bool:
        """Return whether a value is one that the mapping, or the connector, knows."""
        if isinstance(value, str) and _PLAIN_TAG(value) in self.tags:
            return True
        return self.values.get(value)[0]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a mapping of one entity looks at."""

    names: frozenset[str]
    """Names in a record that stand in the mapping, or that the connector knows."""
    rules: Mapping[str, ToldApart]
    """By top-level name; ANYWHERE: for every name."""

    def below(self, name: str) -> ToldApart:
        """Return what is told apart below a top-level name."""
        here = [self.rules[each] for each in (name, ANYWHERE) if each in self.rules]
        values, tags, pieces = Table(), set[str](), set[str]()
        for each in here:
            values.rows |= each.values.rows
            tags |= each.tags
            pieces.update(each.pieces)
        return ToldApart(values, frozenset(tags), _longest_first(pieces))


def looked_at(
    declared: Mapping[str, Any], able: EntityCapabilities, known: Mapping[str, Field]
) -> LookedAt:
    """Return what an entity's mapping, as its file has it and as it compiles, looks at.

    `known`: the fields that there are.
    """
    names = {*able.readable, *_USUAL_NAMES}
    found: dict[str, tuple[Table, set[str], set[str]]] = {}

    def keep(
        root: str, values: Iterable[Any] = (), tags: Iterable[str] = (), pieces: Iterable[str] = ()
    ) -> None:
        known = found.setdefault(root, (Table(), set(), set()))
        for value in values:
            if isinstance(value, str | int | float | bool):
                known[0].rows[typed_key(value)] = True
        known[1].update(tags)
        known[2].update(each for each in pieces if len(each) >= MIN_PIECE_CHARS)

    for root, values in able.values.items():
        keep(root, values)
    for key in ("id", "version"):
        if isinstance(declared.get(key), str):
            names.update(declared[key].split("."))
    for name, row in declared["fields"].items():
        # Where a choice has no table, the system uses our own words.
        theirs = _theirs(row) or known[name].choices
        for path in _paths(row):
            in_path, literals = words_of(path)
            names |= in_path
            pieces = [*_texts(literals), *_given(row)]
            for root in path.roots:
                keep(root, [*literals, *theirs], _tags(row), pieces)
    rules = {
        root: ToldApart(values, frozenset(tags), _longest_first(pieces))
        for root, (values, tags, pieces) in found.items()
    }
    return LookedAt(frozenset(names), rules)


def _longest_first(pieces: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(pieces, key=lambda piece: (-len(piece), piece)))


def _texts(values: Iterable[Any]) -> Iterator[str]:
    yield from (value for value in values if isinstance(value, str))


def _paths(row: Any) -> Iterator[Path]:
    """Yield the paths that a field reads."""
    given = row if isinstance(row, str) else row.get("read", row.get("path"))
    if isinstance(given, Mapping):
        given = row.get("path")
    for source in given if isinstance(given, list) else [given]:
        try:
            yield compile_path(source)
        except BadPath:
            continue  # it does not compile, so nobody reads by it


def _theirs(row: Any) -> list[Any]:
    """Return the values of theirs in a field's tables."""
    if isinstance(row, str):
        return []
    found: list[Any] = []
    if isinstance(row.get("read"), Mapping):
        found += row["read"]
    if isinstance(row.get("write"), Mapping):
        found += row["write"].values()
    for theirs in row["values"].values() if isinstance(row.get("values"), Mapping) else ():
        found += theirs if isinstance(theirs, list) else [theirs]
    return found


def _steps(row: Any) -> Iterator[tuple[str, Any]]:
    """Yield what stands under a field's `as`: each name with what it is given."""
    given = row.get("as") if isinstance(row, Mapping) else None
    for step in given if isinstance(given, list) else [given]:
        if isinstance(step, Mapping):
            yield from step.items()


def _tags(row: Any) -> Iterator[str]:
    """Yield the tags that a field's mapping names, in our spelling."""
    for name, argument in _steps(row):
        if name == "tags" and isinstance(argument, Mapping):
            for theirs in (*argument.get("table", ()), *argument.get("allow", ())):
                plain = _PLAIN_TAG(theirs)
                if isinstance(plain, str):
                    yield plain


def _given(row: Any) -> Iterator[str]:
    """Yield the texts that a field's transforms look for."""
    for name, argument in _steps(row):
        if name in _TEXTS_OF_TRANSFORMS and isinstance(argument, str):
            yield argument
        elif isinstance(argument, Mapping):
            for key in ("groups", "under", "separator", "mark"):
                texts = argument.get(key)
                yield from _texts(texts if isinstance(texts, list) else [texts])
