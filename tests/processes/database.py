"""A PostgreSQL server for one test, which can be stopped and started again with its data.

Run as a program it is the keeper: a process without threads, which does what standard input says
and ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tests import postgres

ROOT = Path(__file__).resolve().parents[2]
HOW = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""PostgreSQL's ways to stop: in order, or at once, with a recovery at the next start."""
FROZEN = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}


class Database:
    """The server as a test sees it."""

    def __init__(self) -> None:
        self.home = postgres.new_folder()
        self.url = f"postgresql+psycopg://bridge@/postgres?host={quote(str(self.home))}"

    def __enter__(self) -> Self:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self.home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._heard("up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper.communicate()  # its input ends: it stops the server and ends
        shutil.rmtree(self.home, ignore_errors=True)

    def stop(self, how: str) -> None:
        """Stop it; returns when it is down."""
        self._say(how)
        self._heard("down")

    def start(self) -> None:
        """Start it again; returns when it answers."""
        self._say("start")
        self._heard("up")

    def freeze(self) -> None:
        """Stop all its processes where they stand: it takes calls, and answers nothing."""
        self._say("freeze")
        self._heard("frozen")

    def thaw(self) -> None:
        """Let them go on."""
        self._say("thaw")
        self._heard("up")

    def _say(self, word: str) -> None:
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()

    def _heard(self, wanted: str) -> None:
        heard = self._keeper.stdout.readline().strip()
        if heard != wanted:
            logs = "\n".join(path.read_text() for path in self.home.glob("*.log"))
            raise RuntimeError(f"PostgreSQL is not {wanted} but {heard or 'gone'}:\n{logs}")


def keep(home: Path) -> None:
    programs, user = postgres.prepare(home)
    server = postgres.serve(home, programs, user)
    _tell("up")
    for line in sys.stdin:
        word = line.strip()
        if word in HOW:
            server.send_signal(HOW[word])
            server.wait()
            _tell("down")
        elif word in FROZEN:
            _signal_all(server.pid, FROZEN[word])
            _tell("frozen" if word == "freeze" else "up")
        elif word == "start":
            server = postgres.serve(home, programs, user)
            _tell("up")
    _signal_all(server.pid, signal.SIGCONT)
    server.send_signal(signal.SIGQUIT)
    server.wait()


def _signal_all(server: int, number: int) -> None:
    """Signal a server and the processes that it has started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server)], capture_output=True, text=True, check=True
    )
    for pid in (server, *map(int, listed.stdout.split())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
