"""Fills references in: `${NAME}`, `${NAME:-default}` and `${file:PATH}`. In config/bridge.yaml only, after parsing.

What is filled in is always text, and never read as YAML: a key that looks like a number or holds a
colon stays a key. Problems name the variable, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.config.yaml_reader import Document, Problem, Where

LARGEST_FILE = 64 * 1024
_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fill(document: Document, environ: Mapping[str, str], home: Path) -> tuple[Any, list[Problem]]:
    """Give the document's data with every reference filled in, and what is wrong with references."""
    problems: list[Problem] = []

    def filled(value: Any, path: Where) -> Any:
        if isinstance(value, dict):
            return {key: filled(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item, (*path, number)) for number, item in enumerate(value)]
        return text(value, path) if isinstance(value, str) and "$" in value else value

    def text(value: str, path: Where) -> str:
        def one(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            if not found[0].endswith("}"):
                problems.append(
                    document.problem(path, "a reference that begins with ${ has no closing }")
                )
                return found[0]
            got, wrong = _resolve(found[1], environ, home)
            if wrong:
                problems.append(document.problem(path, wrong))
            # What cannot be filled in stays as it is, so that everything else in the file is still
            # looked at.
            return found[0] if wrong else got

        return _REFERENCE.sub(one, value)

    return filled(document.data, ()), problems


def references(value: Any) -> list[str]:
    """Give what the references in a value name, in their order: a variable, or `file:PATH`. Nothing else of it."""
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in references(item)]
    found = _REFERENCE.finditer(value) if isinstance(value, str) else ()
    return [each[1].partition(":-")[0] for each in found if each[1]]


def _resolve(reference: str, environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    if reference.startswith("file:"):
        return _from_file(reference.removeprefix("file:"), home)
    name, separator, default = reference.partition(":-")
    if not _NAME.fullmatch(name):
        return "", "a reference is not understood; allowed ${NAME}, ${NAME:-default}, ${file:PATH}"
    if environ.get(name):
        return environ[name], ""
    if separator:
        return default, ""
    return "", f"the environment variable {name} is {'empty' if name in environ else 'not set'}"


def _from_file(given: str, home: Path) -> tuple[str, str]:
    path = home / Path(given)
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
        text = raw.decode().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return "", f"the file {given} cannot be read: {why}"
    if not text or len(raw) > LARGEST_FILE:
        return "", f"the file {given} {'is larger than 64 KiB' if text else 'is empty'}"
    return text, ""
