"""What the commands that run as processes share: logging, the end of the parent, and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from bridge import wiring
from bridge.cli.actor import actor
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.screen import say
from bridge.errors import ConfigError, UnknownName
from bridge.home import find_home
from bridge.observability.visible_text import visible
from bridge.operations import desk
from bridge.operations.desk import Desk
from bridge.queue.embedded_valkey import Embedded, socket_for, url_for
from bridge.queue.redis_address import Address
from bridge.supervisor.processes import watch_parent

INTERRUPTED: Final = 130
"""Exit code of a command that Ctrl-C has stopped, as shells have it."""
ACCEPT = click.option(
    "--accept", is_flag=True, help="Start, although `bridge check` finds changed files doubtful."
)


@contextmanager
def working(process: str) -> Iterator[tuple[wiring.Bridge, Desk]]:
    """Open the bridge of this home for a command that does the work itself.

    It works beside the workers, and as well where none runs: an embedded Valkey runs meanwhile, and
    what a command held that was killed is free again. A name that nothing has is wrong usage.
    Raises FilesDiffer when processes run by other files, and ConfigError when Redis is away.
    """
    home = find_home()
    follow_sandbox(home)
    lend_redis(wiring.load_config(home).settings.redis)
    bridge = begin(process, alone=True)
    try:
        _need_redis(bridge)
        bridge.take_over()
        yield bridge, desk.of(bridge, actor())
    except UnknownName as error:
        raise click.UsageError(visible(str(error))) from error
    except KeyboardInterrupt:
        say("stopped; workers go on with what is left, or this command does, given again", err=True)
        raise SystemExit(INTERRUPTED) from None
    finally:
        bridge.leave()
        bridge.close()


def _need_redis(bridge: wiring.Bridge) -> None:
    """Raise ConfigError while Redis is away: without its budget no vendor is called."""
    if not bridge.doorbell.ping():
        ways = "start the one that BRIDGE_REDIS_URL names, or leave that empty"
        raise ConfigError([f"Redis does not answer: {ways}; nothing was done"])


def begin(process: str, *, accept: bool = False, alone: bool = False) -> wiring.Bridge:
    """Set this process up, and return its bridge, which has entered: see `Bridge.enter`.

    Raises ConfigError when Redis does not run.
    """
    # Who gave a command is told of troubles by the command itself.
    level = "error" if alone else "info"
    wiring.configure_logging(process, level=level)
    watch_parent()
    redis_address(wiring.load_config(find_home()).settings.redis)
    bridge = wiring.current()
    # Once more: now it is known which secrets must not be logged.
    wiring.configure_logging(process, bridge.config, level=level)
    bridge.enter(process, accept=accept, alone=alone)
    return bridge


def redis_address(configured: str) -> Address:
    """Return where Redis is. An embedded one must run already: `bridge up`, or `lend_redis`."""
    if configured != "embedded":
        return configured
    home = find_home()
    if not url_for(home):
        why = f"no embedded Valkey runs for {home}"
        ways = "set BRIDGE_REDIS_URL to a Redis of your own, or start `bridge up`"
        raise ConfigError([f"{why}: {ways}"])
    return socket_for(home)


def lend_redis(configured: str) -> None:
    """Run the embedded Valkey until this command ends, unless one runs.

    The limits of what vendors may be called are kept in it.
    """
    home = find_home()
    if configured == "embedded" and not url_for(home):
        click.get_current_context().with_resource(Embedded(socket_for(home).parent))
