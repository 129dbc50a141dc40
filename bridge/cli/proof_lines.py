"""Prints what a proof of the mappings found, and the table of what travels where."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bridge.cli.screen import Screen, say
from bridge.core.model.counting import counted
from bridge.workbench.carry_matrix import LOSSY, MEANINGS, TRIED, MatrixRow
from bridge.workbench.proof import Proof
from bridge.workbench.proof_findings import ProofFinding


def print_proof(proof: Proof, *, notes: bool) -> None:
    """Print the findings, the gravest first; `notes`: those too that need nothing done."""
    for finding in proof.findings:
        if notes or finding.severity != "note":
            _print_finding(finding)
    if proof.left_out:
        say(f"and {counted(proof.left_out, 'more')}; mend these first", err=True)
    refused, warned = len(proof.refused), len(proof.warnings)
    say(f"{refused} refused, {counted(warned, 'warning')}, {counted(len(proof.notes), 'note')}")


def _print_finding(finding: ProofFinding) -> None:
    say(f"{finding.severity:<8} {finding.at}  {finding.path}", bold=finding.severity == "refused")
    say(f"    {finding.what}")
    if finding.example:
        say(f"    for example: {finding.example}")
    if finding.proposed:
        say(f"    try: {finding.proposed}")


def print_matrix(rows: Sequence[MatrixRow]) -> None:
    """Print what travels where, a table for each sync."""
    screen = Screen()
    by_sync: dict[str, list[MatrixRow]] = {}
    for row in rows:
        by_sync.setdefault(row.sync, []).append(row)
    for name, of_sync in by_sync.items():
        say("")
        say(f"{name} ({of_sync[0].entity})", bold=True)
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("field", *(cell.connection for cell in of_sync[0].cells)):
            table.add_column(Text(column), overflow="fold")
        for row in of_sync:
            field = f"{row.field} (custom)" if row.custom else row.field
            table.add_row(Text(field), *(Text(cell.words) for cell in row.cells))
        screen.print(table)
    if rows:
        _print_words(rows)


def _print_words(rows: Sequence[MatrixRow]) -> None:
    """Say what the words of the tables mean, those that stand in them."""
    cells = [cell for row in rows for cell in row.cells]
    said = {cell.way for cell in cells}
    custom = any(row.custom for row in rows)
    say("")
    for way, meaning in MEANINGS.items():
        if way in said:
            say(f"{'-' if way == 'not carried' else way}: {meaning}")
    for word, meaning, there in (
        ("lossy", LOSSY, any(cell.lossy for cell in cells)),
        ("tried", TRIED, any(cell.tried for cell in cells)),
        ("custom", "a field of one's own, of mappings/fields.yaml", custom),
    ):
        if there:
            say(f"{word}: {meaning}")
