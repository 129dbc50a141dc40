"""`bridge web`, `worker`, `clock` and `db`: the processes of a deployment, one each."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from datetime import timedelta
from typing import Final

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.errors import BridgeError, ConfigError
from bridge.ledger.database import Ledger
from bridge.observability import log
from bridge.queue import Address, Embedded, keep_loaded, run_worker, socket_for, url_for
from bridge.supervisor.processes import watch_parent

TICK: Final = 1.0
RUNS_EVERY: Final = timedelta(seconds=5)
PRUNE_EVERY: Final = timedelta(hours=1)
ACCOUNT_EVERY: Final = timedelta(minutes=1)

logger = logging.getLogger("bridge.cli")


def redis_address(configured: str) -> Address:
    """Give where Redis is. The embedded one must run already (`bridge up`, or see `lend_redis`)."""
    if configured != "embedded":
        return configured
    home = homes.find_home()
    if not url_for(home):
        raise ConfigError(
            [
                f"no embedded Valkey runs for {home}: set BRIDGE_REDIS_URL to a Redis of your own, or start `bridge up`"
            ]
        )
    return socket_for(home)


def lend_redis(configured: str) -> None:
    """Let the embedded Valkey run until this command ends, unless it runs: who calls vendors needs their budgets."""
    home = homes.find_home()
    if configured == "embedded" and not url_for(home):
        click.get_current_context().with_resource(Embedded(socket_for(home).parent))


def begin(process: str) -> wiring.Engine:
    """Set up a process: logging, the watch over its parent, and the engine."""
    logging_for(process)
    watch_parent()
    config = wiring.load_config(homes.find_home())
    redis_address(config.settings.redis)
    engine = wiring.current()
    logging_for(process, engine)
    return engine


def logging_for(process: str, engine: wiring.Engine | None = None) -> None:
    """Log as the environment asks; with an engine, its secrets are known and taken out."""
    secrets = []
    for connection in engine.config.connections.values() if engine else ():
        secrets += [
            *connection.credentials.values(),
            *(connection.webhook.secrets if connection.webhook else ()),
        ]
    log.configure(
        process,
        form=os.environ.get("BRIDGE_LOG", "text"),
        level=os.environ.get("BRIDGE_LOG_LEVEL", "info"),
        secrets=secrets,
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
def web(host: str, port: int) -> None:
    """Take webhooks in, and answer /healthz, /readyz and /metrics."""
    from bridge.web.serve import check_port, serve  # noqa: PLC0415 - the server is loaded where it serves

    begin("web").close()
    check_port(host, port)
    # The server's own processes build their engines themselves: connections must not be shared over
    # a fork.
    wiring.current.cache_clear()
    serve(host, port)


@click.command()
def worker() -> None:
    """Work: observe, merge, deliver, reconcile. Start as many as you like, on as many machines."""
    engine = begin("worker")
    engine.take_over()  # it may be here because another was killed
    keep_loaded()
    run_worker(redis_address(engine.config.settings.redis))
    engine.close()


@click.command()
def clock() -> None:
    """Announce what is due and start scheduled reconciliations. A second clock does no harm."""
    engine = begin("clock")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_clock(engine, stop)
    engine.close()


def run_clock(engine: wiring.Engine, stop: threading.Event) -> None:
    """Tick until told to stop. An outage of the ledger is waited for: the next tick finds all that was due."""
    next_runs = next_prune = next_account = engine.clock.now()
    down = False
    while not stop.is_set():
        now = engine.clock.now()
        try:
            if now >= next_runs:
                engine.start_due_runs()
                next_runs = now + RUNS_EVERY
            if now >= next_prune:
                engine.prune()
                next_prune = now + PRUNE_EVERY
            if now >= next_account:
                engine.check_account()
                next_account = now + ACCOUNT_EVERY
            engine.announce()
            down = False
        except BridgeError as error:
            if not down:
                logger.warning("the clock waits: %s", error)
            down = True
        stop.wait(TICK)


@click.group()
def db() -> None:
    """Look after the ledger."""


@db.command()
def upgrade() -> None:
    """Bring the ledger's tables to this version. Safe to run again, and from several machines at once."""
    ledger = _ledger()
    ledger.upgrade()
    click.echo(f"{ledger.shown}: at revision {ledger.revision()[0]}")


@db.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def db_status(as_json: bool) -> None:
    """Say at which revision the ledger is; 1 when it is not this version's."""
    follow_sandbox(homes.find_home())
    ledger = _ledger()
    has, needs = ledger.revision() if ledger_exists(ledger) else ("", "head")
    if as_json:
        click.echo(json.dumps({"ledger": ledger.shown, "revision": has, "needed": needs}))
    else:
        click.echo(f"{ledger.shown}: at {has or 'no revision'}, needs {needs}")
    if has != needs:
        click.echo("run `bridge db upgrade`", err=True)
        raise SystemExit(1)


def _ledger() -> Ledger:
    home = homes.find_home()
    config = wiring.load_config(home)
    if config.settings.database.startswith("sqlite"):
        homes.var(home)
    return Ledger(config.settings.database)


def ledger_exists(ledger: Ledger) -> bool:
    """Say whether asking would not make an empty file."""
    name = ledger.url.database
    return ledger.url.get_backend_name() != "sqlite" or bool(name and os.path.exists(name))  # noqa: PTH110
