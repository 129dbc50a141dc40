"""`bridge mappings`: try the mappings on records, publish them, and go back."""

from __future__ import annotations

from dataclasses import asdict
from typing import BinaryIO

import click

from bridge.cli import mapping_examples, mapping_proof, mapping_schema
from bridge.cli.effect import effect
from bridge.cli.mapping_apply import apply
from bridge.cli.mapping_rollback import rollback
from bridge.cli.operator import at_desk
from bridge.cli.preview_lines import print_preview
from bridge.cli.revision_history import diff, export, history
from bridge.cli.revisions import import_folder, publish
from bridge.cli.screen import say_rows
from bridge.errors import UnknownName
from bridge.operations import samples
from bridge.operations.desk import Desk
from bridge.operations.samples import Sample


@click.group("mappings")
def group() -> None:
    """See what the mappings make of records, publish them, and go back."""


group.add_command(mapping_proof.command)
group.add_command(mapping_examples.test)
group.add_command(mapping_examples.record)
group.add_command(mapping_schema.schema)
group.add_command(effect)
group.add_command(apply)


@group.command("preview")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--connection", help="Whose record it is, or whose newest are tried.")
@click.option("--entity", default="ticket", show_default=True)
@click.option("--ref", help="Read the record CONNECTION:ID at its system.")
@click.option("--inbox", "webhook", type=int, help="Read the record that this webhook told of.")
@click.option(
    "--newest", type=click.IntRange(1, 200), help="Read so many of the newest known records."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a record.")
def preview(
    file: BinaryIO | None,
    connection: str | None,
    entity: str,
    ref: str | None,
    webhook: int | None,
    newest: int | None,
    as_json: bool,
) -> None:
    """Show what a record reads as, and what each other system would be sent, line by line.

    FILE has one record as the system's API shows it, as JSON; `-` is standard input. Nothing is
    written anywhere.
    """
    asked = [each for each in (file, ref, webhook, newest) if each is not None]
    if len(asked) != 1:
        raise click.UsageError("give one of FILE, --ref, --inbox and --newest")
    if connection is None and (file or newest):
        raise click.UsageError("say with --connection whose record it is")
    with at_desk() as desk:
        found = _samples(desk, file, connection or "", entity, ref, webhook, newest)
        previews = [(sample, samples.tried(desk, sample)) for sample in found]
    if as_json:
        say_rows({"record": sample.name} | asdict(made) for sample, made in previews)
        return
    for sample, made in previews:
        print_preview(sample, made)


def _samples(
    desk: Desk,
    file: BinaryIO | None,
    connection: str,
    entity: str,
    ref: str | None,
    webhook: int | None,
    newest: int | None,
) -> list[Sample]:
    if file is not None:
        return [samples.given(file.name, file.read(samples.MAX_BYTES + 1), connection, entity)]
    if ref is not None:
        return [samples.live(desk, ref, entity)]
    if webhook is not None:
        return [samples.of_webhook(desk, webhook)]
    found = samples.newest(desk, connection, entity, newest or 1)
    if not found:
        raise UnknownName(f"no {entity} of {connection} is known yet")
    return found


for _command in (publish, history, diff, rollback, export, import_folder):
    group.add_command(_command)
