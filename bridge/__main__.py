"""`python -m bridge`, for where the `bridge` command is not on the path."""

from __future__ import annotations

from bridge.cli import main

main(prog_name="bridge")
