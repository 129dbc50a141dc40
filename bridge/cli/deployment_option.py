"""Reads `--deployment`: how the sandboxes' deployments differ from the usual ones."""

from __future__ import annotations

import click

from bridge.sandbox.deployments import Deployment, parse
from bridge.sandbox.registry import sandbox_class, systems


def parse_deployment(text: str, seed: int) -> Deployment:
    """Return what was asked for, or drawn by the seed. Raises UsageError, saying what there is."""
    if not text:
        return {}
    try:
        return parse(text, [sandbox_class(system) for system in systems()], seed)
    except ValueError as error:
        raise click.UsageError(f"--deployment: {error}") from error
