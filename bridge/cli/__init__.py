"""The `bridge` command: finds the command, the home, and the words for what went wrong."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from bridge import __version__
from bridge.cli.screen import say
from bridge.errors import BridgeError, ConfigError, FilesDiffer, LedgerError, NotAccepted
from bridge.home import find_home

COMMANDS: Final = {
    "init": "bridge.cli.init:command",
    "check": "bridge.cli.check:command",
    "up": "bridge.cli.up:command",
    "demo": "bridge.cli.demo:command",
    "simulate": "bridge.cli.simulate:command",
    "sandbox": "bridge.cli.sandbox:command",
    "web": "bridge.cli.daemons:web",
    "worker": "bridge.cli.daemons:worker",
    "clock": "bridge.cli.daemons:clock",
    "db": "bridge.cli.db:group",
    "backup": "bridge.cli.backup:command",
    "restore": "bridge.cli.backup:restore",
    "status": "bridge.cli.status:command",
    "tickets": "bridge.cli.tickets:command",
    "ticket": "bridge.cli.ticket:command",
    "mappings": "bridge.cli.mappings:group",
    "values": "bridge.cli.values:group",
    "agents": "bridge.cli.agents:command",
    "plan": "bridge.cli.plan:command",
    "apply": "bridge.cli.apply:command",
    "backfill": "bridge.cli.backfill:command",
    "undo": "bridge.cli.undo:command",
    "link": "bridge.cli.link:group",
    "reconcile": "bridge.cli.reconcile:command",
    "drift": "bridge.cli.drift:command",
    "doctor": "bridge.cli.doctor:command",
    "why": "bridge.cli.why:command",
    "inbox": "bridge.cli.inbox:group",
    "parked": "bridge.cli.parked:group",
    "conflicts": "bridge.cli.conflicts:group",
    "connection": "bridge.cli.connection:group",
    "sync": "bridge.cli.sync:group",
    "action": "bridge.cli.action:command",
    "forget": "bridge.cli.forget:command",
    "audit": "bridge.cli.audit:command",
}
"""Name -> where it is, imported when it is called: `bridge --help` needs no database driver."""


class Commands(click.Group):
    """Finds commands by name, and turns the bridge's own errors into a message and an exit code."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def invoke(self, context: click.Context) -> Any:
        """Run, and say what went wrong; 2 when it is the configuration or the ledger."""
        try:
            return super().invoke(context)
        except ConfigError as error:
            _explain(error)
            for problem in error.problems:
                say(problem, err=True)
            context.exit(2)
        except LedgerError as error:
            say(f"Error: {error}", err=True)
            context.exit(2)
        except BridgeError as error:
            say(f"Error: {error}", err=True)
            context.exit(1)
        except BrokenPipeError:
            # `bridge ticket … | head`: nobody reads on. Python would complain once more at its own
            # end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            context.exit(1)


def _explain(error: ConfigError) -> None:
    from bridge.cli.running_sandbox import say_if_sandbox_stopped  # noqa: PLC0415 - as commands are

    if not isinstance(error, NotAccepted | FilesDiffer):
        with contextlib.suppress(BridgeError):
            say_if_sandbox_stopped(find_home())


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="bridge")
@click.option(
    "--home",
    "given",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with config/, mappings/ and var/. "
    "[default: $BRIDGE_HOME, else the checkout, else ~/.bridge]",
)
def main(given: Path | None) -> None:
    """Keep tickets in step between support systems."""
    if given is not None:
        # Jobs and child processes find the home by this name too.
        os.environ["BRIDGE_HOME"] = str(find_home(given))
