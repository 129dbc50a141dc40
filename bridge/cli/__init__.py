"""The `bridge` command: finds the command, the home, and the words for what went wrong."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from bridge import __version__
from bridge.cli.command_table import COMMANDS, LINES
from bridge.cli.screen import say
from bridge.errors import BridgeError, ConfigError, FilesDiffer, LedgerError, NotAccepted
from bridge.home import find_home


class Commands(click.Group):
    """Finds commands by name, and turns the bridge's own errors into a message and an exit code."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, LINES[name]) for name in COMMANDS])

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
