"""Rewrites the generated parts of the documents.

They stand between `<!-- generated: NAME -->` and `<!-- end -->`.

`make docs` writes; with `--check` nothing is written, and stale files are named (a test does that).
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from bench import table
from bridge.cli import main as group
from bridge.cli.command_table import COMMANDS
from bridge.config import json_schemas
from bridge.connectors import CONNECTORS, connector_class
from bridge.core.mapping.transform_forms import FORMS
from bridge.core.mapping.transforms import AGENT
from bridge.core.model.capabilities import Door, EntityCapabilities, Writable
from bridge.core.model.entities import BUILT_IN
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.operations.mapping_proof import proved
from bridge.sandbox.deployments import COMMON, usual_options
from bridge.sandbox.registry import sandbox_class, systems
from bridge.supervisor.account_file import placeholder_accounts
from bridge.workbench.carry_matrix import LOSSY, TRIED
from bridge.workbench.carry_matrix import MEANINGS as WAYS

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: ([a-z0-9-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Return every command with its full name, those of groups included."""
    context = click.Context(group, info_name="bridge")
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield name, command
            yield from ((f"{name} {below}", found) for below, found in command.commands.items())
        elif command is not None:
            yield name, command


def cli() -> str:
    """Return the reference of all commands."""
    parts = []
    for name, command in commands():
        context = click.Context(
            command,
            info_name=f"bridge {name}",
            help_option_names=["-h", "--help"],
            max_content_width=100,
            terminal_width=100,
        )
        parts.append(f"## bridge {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def command_list() -> str:
    """Return one line a command."""
    rows = [
        f"| `bridge {name}` | {command.get_short_help_str(200)} |" for name, command in commands()
    ]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows]) + "\n"


def capabilities() -> str:
    """Return what each system can do, as its connector declares it."""
    parts = []
    for system in sorted(CONNECTORS):
        for entity, can in connector_class(system).CAPABILITIES.items():
            parts.append(f"## {system}: {entity}\n\n{matrix(can)}")
    return "\n".join(parts)


def matrix(can: EntityCapabilities) -> str:
    """Return one system's table."""
    yes = {True: "yes", False: "no"}
    rows = [
        (f"Creates: {can.creates}. Deletes: {can.deletes}. Dates its changes: {yes[can.dated]}."),
        (
            f"Lists everything: {yes[can.complete]}. Read at once: {can.read_batch}. "
            f"Settles in: {can.settle:g} s."
        ),
        "",
        "| written as | on create | on update | can be cleared | notes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, key in can.writable.items():
        rows.append(
            f"| `{name}` | {yes[key.on_create]} | {key.on_update} | {yes[key.clears]} | "
            f"{notes(key)} |"
        )
    for place, door in can.doors.items():
        key = door.writable
        found = [*door_notes(door), *([notes(key)] if notes(key) else [])]
        rows.append(
            f"| `{place}.<name>` | {yes[key.on_create]} | {key.on_update} | {yes[key.clears]} | "
            f"{'; '.join(found)} |"
        )
    return "\n".join(rows) + "\n"


def door_notes(door: Door) -> list[str]:
    """Return what is to be known of a door."""
    reserved = ", ".join(f"`{name}`" for name in sorted(door.reserved))
    return ["fields of your own", *([f"not {reserved}"] if reserved else [])]


def notes(key: Writable) -> str:
    """Return what is unusual about a key."""
    found = []
    if not key.removes:
        found.append("nothing can be removed")
    if not key.empty_trusted:
        found.append("an empty one is not believed")
    if key.max_length is not None:
        found.append(f"at most {key.max_length} characters")
    if key.forward:
        found.append("only forwards: " + ", ".join(str(value) for value in key.forward))
    if key.required:
        found.append("required")
    return "; ".join(found)


def outcomes() -> str:
    """Return a section for each outcome code."""
    return "\n".join(
        f"## {code}\n\n**{meaning.title[0].upper()}{meaning.title[1:]}.** {meaning.happened}\n\n"
        f"*For tickets:* {meaning.tickets}\n\n"
        f"*To do:* {meaning.do[0].upper()}{meaning.do[1:]}{'' if meaning.do[-1] in '.?' else '.'}\n"
        for code, meaning in MEANINGS.items()
    )


def fields() -> str:
    """Return the canonical fields."""
    rows = ["| entity | field | kind | meaning |", "| --- | --- | --- | --- |"]
    for entity, named in BUILT_IN.items():
        rows += [
            f"| {entity} | `{name}` | {field.kind} | {field.meaning} |"
            for name, field in named.items()
        ]
    return "\n".join(rows) + "\n"


def transforms() -> str:
    """Return what a mapping may name under `as`."""
    rows = ["| name | for | may be given | does |", "| --- | --- | --- | --- |"]
    for name, form in FORMS.items():
        kinds = ", ".join(form.kinds)
        rows.append(f"| `{name}` | {kinds} | {form.given} | {form.does} |")
        if name == "tags":
            given = '`{groups: "role:"}`: what begins so is a group, never a person'
            rows.append(f"| `{AGENT}` | agent | {given} | looked up in `agents.yaml` |")
    return "\n".join(rows) + "\n"


def carried() -> str:
    """Return what travels where by the shipped files, a table for each sync."""
    parts: list[str] = []
    rows = proved(ROOT, placeholder_accounts()).proof.matrix
    for sync in dict.fromkeys(row.sync for row in rows):
        of_sync = [row for row in rows if row.sync == sync]
        members = [cell.connection for cell in of_sync[0].cells]
        lines = [f"| {sync} | {' | '.join(members)} |", f"| --- |{' --- |' * len(members)}"]
        for row in of_sync:
            name = f"`{row.field}`{' (custom)' if row.custom else ''}"
            lines.append(f"| {name} | {' | '.join(cell.words for cell in row.cells)} |")
        parts.append("\n".join(lines))
    words = {"-" if way == "not carried" else way: said for way, said in WAYS.items()}
    words |= {"lossy": LOSSY, "tried": TRIED, "custom": "a field of one's own"}
    meanings = [f"| {word} | {said} |" for word, said in words.items()]
    parts.append("\n".join(["| word | means |", "| --- | --- |", *meanings]))
    return "\n\n".join(parts) + "\n"


def options() -> str:
    """Return what only one system's connections may be told."""
    rows = ["| system | option | meaning |", "| --- | --- | --- |"]
    for system in sorted(CONNECTORS):
        known = connector_class(system)
        for name, meaning in known.OPTIONS.items():
            required = " (required)" if name in known.REQUIRED_OPTIONS else ""
            rows.append(f"| {system} | `{name}`{required} | {meaning} |")
    return "\n".join(rows) + "\n"


def deployments() -> str:
    """Return the options of the sandboxes: how deployments of each vendor's differ."""
    rows = [
        "| system | option | usual | what `random` draws |",
        "| --- | --- | --- | --- |",
    ]
    for system in systems():
        vendor = sandbox_class(system)
        for name, usual in usual_options(vendor.OPTIONS).items():
            if name == "statuses" or (name in COMMON and name not in vendor.DEPLOYMENTS):
                continue
            others = dict.fromkeys(vendor.DEPLOYMENTS.get(name, ()))
            drawn = ", ".join(f"`{shown(value)}`" for value in others if value != usual)
            rows.append(f"| {system} | `{name}` | `{shown(usual)}` | {drawn} |")
    return "\n".join(rows) + "\n"


def shown(value: object) -> str:
    """Return an option's value as it is written."""
    return value if isinstance(value, str) and value else json.dumps(value)


READING_ORDER = (
    "core",
    "core/model",
    "core/mapping",
    "core/merge",
    "core/planning",
    "flow",
    "engine",
    "runs",
    "notices",
    "preview",
    "workbench",
    "connectors",
    "http",
    "openid",
    "ledger",
    "queue",
    "config",
    "operations",
    "web",
    "web/receiver",
    "web/pages",
    "web/api",
    "cli",
    "supervisor",
    "sandbox",
    "verify",
    "simulate",
    "observability",
)
"""The rooms of `bridge/`, in the order in which they are best entered. A test: all are here."""


TOP_MODULES = (
    *("procedures", "wiring", "home_configuration", "receiver_loop", "admin_loop"),
    *("clock_loop", "clock", "home", "foreign_json", "scrubber", "errors"),
)
"""The modules at the top of `bridge/`, in the order of the README. A test: all are here."""


def rooms() -> str:
    """Return a row a room and a top module: the first line of its docstring."""
    rows = ["| room or module | what it is |", "| --- | --- |"]
    for room in READING_ORDER:
        said = first_line(ROOT / "bridge" / room / "__init__.py")
        rows.append(f"| [`bridge/{room}/`](bridge/{room}/) | {said} |")
    for name in TOP_MODULES:
        said = first_line(ROOT / "bridge" / f"{name}.py")
        rows.append(f"| [`bridge/{name}.py`](bridge/{name}.py) | {said} |")
    return "\n".join(rows) + "\n"


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


RULES = range(1, 23)


def defenders(rule: int) -> str:
    """Return the tests named after a merge rule, as links to their files."""
    name = re.compile(rf"^\s*def test_f{rule:02}_(\w+)\(", re.MULTILINE)
    rows = [
        f"- [{found.replace('_', ' ')}](../{path.relative_to(ROOT)})"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for found in name.findall(path.read_text())
    ]
    return "\n".join(rows) + "\n"


def measured(*, aims: bool) -> str:
    """Return the newest figures that were kept, beside those before: with a target, or without."""
    day = table.days()[-1]
    figures = [
        each for each in table.kept(day)["figures"] if aims == (each.get("limit") is not None)
    ]
    return table.table(figures, day, table.before(day))


PARTS: dict[str, Callable[[], str]] = {
    "rooms": rooms,
    **{f"rule-{rule}": partial(defenders, rule) for rule in RULES},
    "cli": cli,
    "commands": command_list,
    "capabilities": capabilities,
    "carried": carried,
    "fields": fields,
    "transforms": transforms,
    "outcomes": outcomes,
    "options": options,
    "deployments": deployments,
    "measured": partial(measured, aims=True),
    "measured-beside": partial(measured, aims=False),
}


def rewritten(text: str) -> str:
    """Return a document with its generated parts as they should be."""
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[4]}", text)


def documents() -> list[Path]:
    """Return every document."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def file_schemas() -> dict[Path, str]:
    """Return the JSON Schemas that a home is made with, by their file."""
    classes = {system: connector_class(system) for system in CONNECTORS}
    return {
        ROOT / json_schemas.FOLDER / f"{name}.json": json_schemas.as_text(schema)
        for name, schema in json_schemas.schemas(classes).items()
    }


def main(arguments: list[str]) -> int:
    """Rewrite, or with `--check` name what is stale."""
    stale = []
    fresh = {path: rewritten(path.read_text()) for path in documents()} | file_schemas()
    for path, new in fresh.items():
        if not path.exists() or path.read_text() != new:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(new)
    for path in stale:
        print(f"{'stale' if '--check' in arguments else 'rewrote'} {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
