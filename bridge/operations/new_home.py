"""The files of a new home: the shipped ones, cut down to the systems that somebody has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge.config import yaml_reader
from bridge.config.env_file import ENV_FILE
from bridge.config.schema_fields import NAME, NAME_RULE
from bridge.errors import ConfigError
from bridge.home import shipped_files
from bridge.operations.home_recipes import EVERYTHING, HomeRecipe, one_way

SETTINGS: Final = "config/bridge.yaml"
SYNCS: Final = "mappings/syncs.yaml"
AGENTS: Final = "mappings/agents.yaml"
ENV_HEAD: Final = """\
# Values for the references in config/bridge.yaml: NAME=value. Only you can read this file.
# Lines that begin with # have a default: take the # away to change it. The environment comes first.
"""
_HEAD: Final = re.compile(r"(?:#.*\n)+")
_MATCH: Final = re.compile(r"((?:^  #.*\n)*)^  match:.*\n", re.MULTILINE)
_SYSTEM_LINE: Final = re.compile(r"^  ([\w-]+):\n    system: (\w+)", re.MULTILINE)
_REFERENCE: Final = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")
_LIST: Final = re.compile(r"\[([\w, -]+)\]")
_WINNER: Final = re.compile(r'(owner|"\*"): (\w+)')
_PERSON: Final = re.compile(r', (\w+): ("[^"]*"|[^,}]+)')


@dataclass(frozen=True, slots=True)
class ChosenSystem:
    """A connection that the new home is to have."""

    system: str
    name: str

    @property
    def shown(self) -> str:
        """The connection with its system, for people."""
        return f"{self.name} ({self.system})"


def shipped_names() -> dict[str, str]:
    """Return the systems that can be chosen, each with the name that it has unless told so."""
    return {system: name for name, system in _SYSTEM_LINE.findall(shipped_files()[SETTINGS])}


def systems_of(recipe: HomeRecipe) -> list[str]:
    """Return the systems that a recipe connects unless told otherwise."""
    named = shipped_names()
    return [
        system for system in named if not recipe.connections or named[system] in recipe.connections
    ]


def choose(texts: Iterable[str]) -> list[ChosenSystem]:
    """Return what texts such as `switch=helpdesk` or `switch` choose. Raises ConfigError."""
    known, chosen = shipped_names(), list[ChosenSystem]()
    for text in texts:
        system, _, name = text.partition("=")
        if system not in known:
            raise ConfigError([f"there is no system {system!r}; allowed: {', '.join(known)}"])
        chosen.append(ChosenSystem(system, name or known[system]))
    if not chosen:
        raise ConfigError([f"no system was chosen; choose two or more of {', '.join(known)}"])
    _refuse_names([each.name for each in chosen])
    return chosen


def refuse_others(home: Path, chosen: Iterable[ChosenSystem]) -> None:
    """Raise ConfigError when the home's settings exist and lack what was chosen."""
    settings = home / SETTINGS
    if not settings.is_file():
        return
    there = {ChosenSystem(system, name) for name, system in _connections(settings)}
    if lacking := [each for each in chosen if each not in there]:
        has = ", ".join(sorted(each.shown for each in there)) or "no connection"
        no = ", ".join(each.shown for each in lacking)
        ways = f"name another folder, or change {settings} by hand"
        raise ConfigError([f"{home} has {has} already, and no {no}; nothing was changed: {ways}"])


def refuse_other_syncs(home: Path, recipe: HomeRecipe, files: Mapping[str, str]) -> None:
    """Raise ConfigError when the home has syncs already, and not those of the recipe."""
    syncs = home / SYNCS
    if syncs.is_file() and syncs.read_text("utf-8") != files[SYNCS]:
        what = f"{home} has its own {SYNCS} already, so recipe {recipe.name} would change nothing"
        raise ConfigError([f"{what}; nothing was changed: name another folder"])


def _connections(settings: Path) -> list[tuple[str, str]]:
    """Return name and system of each connection in a file that somebody may have edited."""
    data = yaml_reader.parse(settings.read_text(encoding="utf-8"), SETTINGS).data
    found = data.get("connections") if isinstance(data, Mapping) else None
    rows = found.items() if isinstance(found, Mapping) else ()
    return [(str(name), str(row["system"])) for name, row in rows if "system" in (row or {})]


def _refuse_names(names: Sequence[str]) -> None:
    """Raise ConfigError for names that no connection can have, or that would share their keys."""
    first: dict[str, str] = {}
    for name in names:
        if not NAME.fullmatch(name):
            raise ConfigError([f"{name!r} cannot be a connection's name: {NAME_RULE}"])
        if (other := first.setdefault(_prefix(name), name)) != name or names.count(name) > 1:
            raise ConfigError([f"{other} and {name} are too much alike: give each its own name"])


def files_for(chosen: Sequence[ChosenSystem], recipe: HomeRecipe = EVERYTHING) -> dict[str, str]:
    """Return the files of a home that connects these, by path.

    A sync of the recipe is among them if it has two members left. Raises ConfigError when none has.
    """
    shipped, known = shipped_files(), shipped_names()
    names = {
        old: [each.name for each in chosen if each.system == system]
        for system, old in known.items()
    }
    without = {f"mappings/{system}.yaml" for system, old in known.items() if not names[old]}
    files = {path: text for path, text in shipped.items() if path not in without}
    files[SETTINGS] = _settings(shipped[SETTINGS], names)
    files[SYNCS] = _syncs(shipped[SYNCS], names, recipe)
    files[AGENTS] = _PERSON.sub(lambda found: _person(found, names), shipped[AGENTS])
    files[ENV_FILE] = _env(files[SETTINGS])
    return files


def _prefix(name: str) -> str:
    """Return the beginning of the environment variables of a connection."""
    return re.sub(r"\W", "_", name).upper() + "_"


def _settings(text: str, names: Mapping[str, Sequence[str]]) -> str:
    head, marker, rest = text.partition("connections:\n")
    blocks = []
    for block in rest.rstrip("\n").split("\n\n"):
        old = block.split(":")[0].strip()
        for new in names[old]:
            own = re.sub(rf"\b{_prefix(old)}", _prefix(new), block)
            own = own.replace(f"/webhooks/{old}", f"/webhooks/{new}")
            blocks.append(own.replace(f"  {old}:", f"  {new}:", 1))
    return head + marker + "\n\n".join(blocks) + "\n"


def _syncs(text: str, names: Mapping[str, Sequence[str]], recipe: HomeRecipe) -> str:
    head, found = _HEAD.match(text), list[str]()
    start = head.end() if head else 0
    for block in text[start:].rstrip("\n").split("\n\n"):
        (name,) = yaml_reader.parse(block, SYNCS).data
        if not recipe.syncs or name in recipe.syncs:
            found.append(_sync(block, names, recipe.only_to))
    blocks = [block for block in found if block]
    if not blocks:
        raise ConfigError(
            ["nothing can be mirrored between these systems: choose one more that has tickets"]
        )
    return text[:start] + "\n\n".join(blocks) + "\n"


def _sync(block: str, names: Mapping[str, Sequence[str]], only_to: str) -> str:
    """Return a sync with the members that were chosen; empty when it would mirror nothing.

    `only_to`: the shipped member that alone is written to, or else the first of the precedence.
    """
    (sync,) = yaml_reader.parse(block, SYNCS).data.values()
    members = {old: options for old, options in sync["members"].items() if names[old]}
    among_themselves = any(
        len(names[old]) > 1 and options.get("create") for old, options in members.items()
    )
    if len(members) < 2 and not among_themselves:
        return ""
    ranked = sync.get("precedence", list(members))
    first = names[next(old for old in ranked if names[old])][0]
    lines: list[str] = []
    for line in _with_match(block, sync, members, names).split("\n"):
        indent, key = len(line) - len(line.lstrip()), line.strip().partition(":")[0]
        if indent == 4 and key in names:
            lines += [line.replace(key, new, 1) for new in names[key]]
        elif line.lstrip().startswith("#"):
            lines.append(line)
        else:
            code = _LIST.sub(lambda found: _listed(found, names), line)
            lines.append(_WINNER.sub(lambda found: _winner(found, names, first), code))
    made = "\n".join(lines)
    return one_way(made, next(iter(names[only_to]), first)) if only_to else made


def _with_match(
    block: str,
    sync: Mapping[str, Any],
    members: Iterable[str],
    names: Mapping[str, Sequence[str]],
) -> str:
    """Return a sync without the rules by which no two of its members' records can be the same."""
    shows = Counter[str]()
    systems = {name: system for system, name in shipped_names().items()}
    for old in members:
        file = f"mappings/{systems[old]}.yaml"
        fields = yaml_reader.parse(shipped_files()[file], file).data[sync["entity"]]["fields"]
        shows.update({field: len(names[old]) for field in fields})
    rules = sync.get("match", [])
    kept = [rule for rule in rules if all(shows[term.split()[0]] > 1 for term in rule)]
    if len(kept) == len(rules):
        return block
    written = ", ".join(f"[{', '.join(rule)}]" for rule in kept)
    line = f"  match: [{written}]\n" if kept else ""
    return _MATCH.sub(lambda found: (found[1] if kept else "") + line, block)


def _listed(found: re.Match[str], names: Mapping[str, Sequence[str]]) -> str:
    """Return a list of connections with those that were chosen, and any other list as it is."""
    items = found[1].split(", ")
    if not names.keys() >= set(items):
        return found[0]
    return f"[{', '.join(new for old in items for new in names[old])}]"


def _winner(found: re.Match[str], names: Mapping[str, Sequence[str]], first: str) -> str:
    """Return whose values stand; the first of the precedence in place of who was not chosen."""
    if found[2] not in names:
        return found[0]
    return f"{found[1]}: {next(iter(names[found[2]]), first)}"


def _person(found: re.Match[str], names: Mapping[str, Sequence[str]]) -> str:
    """Return somebody's name at each connection that was chosen."""
    if found[1] not in names:
        return found[0]
    return "".join(f", {new}: {found[2]}" for new in names[found[1]])


def _env(settings: str) -> str:
    """Return a `.env` with every name that the settings refer to, those with a default as notes."""
    head, _marker, connections = settings.partition("connections:\n")
    parts = [ENV_HEAD, _variables(head)]
    for block in connections.rstrip("\n").split("\n\n"):
        found = _SYSTEM_LINE.match(block)
        parts.append(f"# {found[1]} ({found[2]})\n{_variables(block)}" if found else "")
    return "\n".join(parts)


def _variables(block: str) -> str:
    lines = []
    for line in block.split("\n"):
        code = line.partition(" #")[0] if not line.startswith("#") else ""
        for name, default in _REFERENCE.findall(code):
            optional = f"{{{name}:-" in code
            lines.append(f"# {name}={default}\n" if optional else f"{name}=\n")
    return "".join(lines)
