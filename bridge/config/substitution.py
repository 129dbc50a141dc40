"""Fills in references in config/bridge.yaml: `${NAME}`, `${NAME:-default}` and `${file:PATH}`.

This happens after parsing, so a value is always text, also if it looks like a number or contains a
colon. Problems name the variable, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.config.yaml_reader import Document, Problem, Where

MAX_FILE_BYTES = 64 * 1024
WHERE_SET = ".env, or in the environment"
"""How the message ends that a variable has no value."""
_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fill(document: Document, environ: Mapping[str, str], home: Path) -> tuple[Any, list[Problem]]:
    """Return the document's data with all references filled in, and the problems of references."""
    problems: list[Problem] = []

    def filled(value: Any, path: Where) -> Any:
        if isinstance(value, dict):
            return {key: filled(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item, (*path, number)) for number, item in enumerate(value)]
        return text(value, path) if isinstance(value, str) and "$" in value else value

    def text(value: str, path: Where) -> str:
        def resolved(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            if not reference[0].endswith("}"):
                what = "a reference that begins with ${ has no closing }"
                problems.append(document.problem(path, what))
                return reference[0]
            value, problem = _resolve(reference[1], environ, home)
            if problem:
                problems.append(document.problem(path, problem))
            # An unresolved reference stays as it is, so that the rest of the file is still checked.
            return reference[0] if problem else value

        return _REFERENCE.sub(resolved, value)

    return filled(document.data, ()), problems


def is_lacking(problem: str) -> bool:
    """Return whether a problem is that a variable has no value."""
    return problem.endswith(WHERE_SET)


def references(value: Any) -> list[str]:
    """Return what the references in a value name, in order: a variable, or `file:PATH`."""
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in references(item)]
    matches = _REFERENCE.finditer(value) if isinstance(value, str) else ()
    return [match[1].partition(":-")[0] for match in matches if match[1]]


def _resolve(reference: str, environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    """Return the value of a reference, and the problem if there is none."""
    if reference.startswith("file:"):
        return _from_file(reference.removeprefix("file:"), home)
    name, separator, default = reference.partition(":-")
    if not _NAME.fullmatch(name):
        return "", "a reference is not understood; allowed ${NAME}, ${NAME:-default}, ${file:PATH}"
    if environ.get(name):
        return environ[name], ""
    if separator:
        return default, ""
    lacking = "empty" if name in environ else "not set"
    return "", f"{name} is {lacking}; allowed a line {name}=… in {WHERE_SET}"


def _from_file(given: str, home: Path) -> tuple[str, str]:
    path = home / Path(given)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        text = raw.decode().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return "", f"the file {given} cannot be read: {why}"
    if not text or len(raw) > MAX_FILE_BYTES:
        return "", f"the file {given} {'is larger than 64 KiB' if text else 'is empty'}"
    return text, ""
