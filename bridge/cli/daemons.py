"""`bridge web`, `worker` and `clock`: the processes of a deployment, one each."""

from __future__ import annotations

import contextlib
import signal
import threading

import click

from bridge.cli.process import ACCEPT, begin, redis_address
from bridge.clock_loop import run_clock
from bridge.errors import LedgerError
from bridge.home import find_home
from bridge.operations import desk, doctor
from bridge.operations.trouble_log import TroubleLog
from bridge.queue.process_memory import bound_heaps, keep_loaded
from bridge.queue.rq_worker import run_worker
from bridge.supervisor.activity_log import ActivityLog
from bridge.wiring import load_config


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
@click.option(
    "--processes",
    default=0,
    type=click.IntRange(0, 64),
    envvar="BRIDGE_WEB_PROCESSES",
    help="Processes that take webhooks. [default: 1 on SQLite, else one for each core, up to 4]",
)
@ACCEPT
def web(host: str, port: int, processes: int, accept: bool) -> None:
    """Take webhooks in, and answer /healthz, /readyz and /metrics."""
    from bridge.receiver_loop import processes_for, run_receiver  # noqa: PLC0415 - for this alone

    processes = processes_for(processes, load_config(find_home()).settings.database)
    bridge = begin("web", accept=accept)
    bridge.close()
    run_receiver(host, port, bridge.worker.owner, processes)
    bridge.leave()
    bridge.close()


@click.command()
@ACCEPT
def worker(accept: bool) -> None:
    """Work: observe, merge, deliver, reconcile. Start as many as you like, on as many machines."""
    bound_heaps()
    bridge = begin("worker", accept=accept)
    bridge.take_over()  # it may be here because another was killed
    bridge.notice_older_ledger()
    keep_loaded()
    began = bridge.clock.now()
    watch = TroubleLog(lambda: doctor.examine_for_clock(desk.of(bridge, "worker"), began))

    def beat() -> None:
        with contextlib.suppress(LedgerError):
            if bridge.keep_up():
                watch.update()

    run_worker(redis_address(bridge.config.settings.redis), beat=beat)
    bridge.leave()
    bridge.close()


@click.command()
@ACCEPT
def clock(accept: bool) -> None:
    """Announce what is due and start scheduled reconciliations. A second clock does no harm."""
    bridge = begin("clock", accept=accept)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    bridge.notice_older_ledger()
    watch = TroubleLog(lambda: doctor.examine(desk.of(bridge, "clock")))
    run_clock(bridge, stop, watch.update, ActivityLog(bridge.ledger).update)
    bridge.leave()
    bridge.close()
