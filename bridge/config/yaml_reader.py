"""Reads YAML 1.2 with core types only, and records the line of every key and item.

These are refused, each with its line: duplicate keys, anchors and aliases, tags, several documents,
keys that are not single values, numbers that JSON does not have. `on`, `yes`, `12:30` and
`2026-01-01` are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from bridge.config.yaml_words import in_plain_words
from bridge.core.model.values import shown as shown_value
from bridge.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
"""Levels of mappings and lists within one another."""

Where = tuple[Any, ...]
Problem = tuple[str, int, str]
"""File, line, and what is wrong: they sort into reading order."""

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(slots=True)
class Document:
    """A file's data, and the line of every part of it."""

    file: str
    """As shown to people: relative to the home."""
    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)

    def problem(self, where: Iterable[Any], what: str) -> Problem:
        """Return a problem `path: what`, with the line of the nearest part that is in the file."""
        path = tuple(where)
        shown = dotted(path)
        return self.file, self.line(path), f"{shown}: {what}" if shown else what

    def place(self, where: Where) -> str:
        """Return where a part of the file stands: `mappings/switch.yaml:12`."""
        return f"{self.file}:{self.line(where)}"

    def line(self, where: Where) -> int:
        """Return the line of a part, or of the nearest around it that is in the file."""
        nearest = where
        while nearest and nearest not in self.lines:
            nearest = nearest[:-1]
        return self.lines.get(nearest, 1)


def dotted(path: Where) -> str:
    """Return a path the way people write it: `connections.helpdesk.rate_limit[1]`."""
    shown = ""
    for part in path:
        is_item = isinstance(part, int) and not isinstance(part, bool)
        text = f"[{part}]" if is_item else part if isinstance(part, str) else shown_value(part)
        shown += text if text.startswith("[") or not shown else f".{text}"
    return shown


def as_lines(problems: Iterable[Problem]) -> list[str]:
    """Return problems as lines, in reading order, each once."""
    return [f"{file}:{line}: {what}" for file, line, what in sorted(set(problems))]


def load(path: Path, shown: str) -> Document:
    """Read a file. Raises ConfigError, also when the file is missing."""
    return parse(read_text(path, shown), shown)


def read_text(path: Path, shown: str) -> str:
    """Return the text of a file, byte for byte. Raises ConfigError, also when it is missing."""
    if path.is_fifo():  # whoever opens one waits for somebody to write into it
        raise ConfigError([f"{shown}:1: cannot be read: it is no file"])
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{shown}:1: cannot be read: {error.strerror}"]) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError([f"{shown}:1: is larger than {MAX_BYTES >> 20} MiB"])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [f"{shown}:{line}: is not saved as UTF-8; save the file anew with that encoding"]
        ) from error


def parse(text: str, shown: str) -> Document:
    """Parse a text. Raises ConfigError with as many problems as can be found at once."""
    text = text.removeprefix("\ufeff")
    document = Document(shown)
    try:
        loader = _NodeComposer(text)
        node = loader.get_single_node()
    except _Refused as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise ConfigError([f"{shown}:{line}: {error.problem}"]) from error
    except yaml.MarkedYAMLError as error:
        line, what = in_plain_words(error, text)
        raise ConfigError([f"{shown}:{line}: {what}"]) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = "a character that must not stand in these files; take it out"
        raise ConfigError([f"{shown}:{line}: {what}"]) from error
    builder = _Builder(document)
    document.data = builder.value(node, ()) if node is not None else None
    if builder.problems:
        raise ConfigError(as_lines(builder.problems))
    return document


def compose(text: str) -> Node | None:
    """Return the nodes of a text that `parse` takes, with their places in it."""
    return _NodeComposer(text).get_single_node()


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML, but not for configuration."""


class _NodeComposer(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes nodes, without giving them types: the builder does that."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self.depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(
                problem="& and * are not used here: write the value out, or put text in quotes",
                problem_mark=mark,
            )
        if getattr(event, "tag", None) is not None:
            raise _Refused(
                problem=f"{event.tag} is not used here: write the value alone, or quote text",
                problem_mark=mark,
            )
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(
                problem=f"has more than {MAX_DEPTH} lists and tables in one another",
                problem_mark=mark,
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Builder:
    """Turns nodes into plain values, and records their lines."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def value(self, node: Node, path: Where) -> Any:
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: MappingNode, path: Where) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for left, right in node.value:
            line = left.start_mark.line + 1
            if not isinstance(left, ScalarNode):
                self.wrong(line, path, "the name of a row must be a single value")
                continue
            key = self.scalar(left, path)
            if key in made:
                first = self.document.lines[*path, key]
                self.wrong(line, (*path, key), f"stands in line {first} already; take one out")
                continue
            self.document.lines[*path, key] = line
            made[key] = self.value(right, (*path, key))
        return made

    def scalar(self, node: Node, path: Where) -> Any:
        text, line = str(node.value), node.start_mark.line + 1
        if getattr(node, "style", None) is not None:
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _SPECIAL.fullmatch(text):
            self.wrong(line, path, f"{text} is no number here; put text in quotes")
        elif _INT.fullmatch(text) and len(text) < 20:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        elif _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isinf(number) and not _INT.fullmatch(text):
                return number
            self.wrong(line, path, "is too large a number; put it in quotes if it is a name")
        return text

    def wrong(self, line: int, path: Where, what: str) -> None:
        shown = dotted(path)
        self.problems.append((self.document.file, line, f"{shown}: {what}" if shown else what))
