"""The proof of the mappings that the bridge runs by, with what vendors were seen to send."""

from __future__ import annotations

from bridge.home_configuration import proof_of
from bridge.operations import mapping_proof
from bridge.operations.desk import Desk
from bridge.workbench.proof import Proof


def proof_in_force(desk: Desk) -> Proof:
    """Prove the mappings in force. It takes about as long as a start does."""
    with desk.ledger.read() as tx:
        seen = mapping_proof.seen_values(tx)
    return proof_of(desk.config, seen)
