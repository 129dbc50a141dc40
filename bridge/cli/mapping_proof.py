"""`bridge mappings check`: the proof of the mappings, and what travels where."""

from __future__ import annotations

from dataclasses import asdict

import click

from bridge.cli.proof_lines import print_matrix, print_proof
from bridge.cli.running_sandbox import accounts_of, follow_sandbox
from bridge.cli.screen import say_json
from bridge.home import find_home
from bridge.operations import mapping_proof
from bridge.operations.mapping_proof import ProvedHome


@click.command("check")
@click.option(
    "--sandbox", is_flag=True, help="As if every connection led to its sandbox; needs no keys."
)
@click.option("--matrix", is_flag=True, help="Only the table of what travels where.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(sandbox: bool, matrix: bool, as_json: bool) -> None:
    """Prove the mappings: that no value is lost on its way, and that each rule can work.

    Each finding has its line, an example and, where there is one, a line that mends it. What is
    refused would lose values silently; 1 when something is. The table shows what travels where.
    """
    home = find_home()
    if not sandbox:
        follow_sandbox(home)
    proved = mapping_proof.proved(home, accounts_of(home, sandbox=sandbox))
    if as_json:
        say_json(_as_json(proved))
    else:
        if not matrix:
            print_proof(proved.proof, notes=True)
        print_matrix(proved.proof.matrix)
    if proved.proof.refused:
        raise SystemExit(1)


def _as_json(proved: ProvedHome) -> dict[str, object]:
    proof = proved.proof
    return {
        "ok": not proof.refused,
        "findings": [asdict(finding) for finding in proof.findings],
        "left_out": proof.left_out,
        "ledger_seen": proved.ledger_seen,
        "matrix": [asdict(row) for row in proof.matrix],
    }
