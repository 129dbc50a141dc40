"""A transcript in a document: commands with what they show, typed again into real terminals.

A line `$ command` is typed, as is `name$ command` in a terminal of its own, where it goes on until
`name$ ^C`. Lines that begin with `> ` belong to the command; the others are what is shown, each a
line that must be there again. `...` stands for whatever is left out. Identifiers, times, durations
and ports are others each time; an identifier that is typed later is the one that was shown before.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from bridge import wiring
from bridge.cli import main

PATIENCE = 60.0
"""Seconds after which nobody waits any longer for what is shown."""
LOOKS = {"agents", "audit", "check", "conflicts-list", "doctor", "parked-list"}
LOOKS |= {"plan", "status", "ticket", "tickets", "why"}
"""Commands that change nothing: they are repeated until they show what they should."""
PORTS = 5
_PROMPT = re.compile(r"(\w*)\$ (.*)")
_VARIES = re.compile(
    r"(?P<id>\b(?:tkt_[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})\b|"
    r"\b(?:tkt_|cust_)?[0-9a-f]+…|(?<=\bruns )\d+|(?<=\brun )\d+|(?<=\d, )\d+)"
    r"|(?P<time>\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?Z)?|\d\d:\d\d:\d\dZ)"
    r"|(?P<number>\d+(?:\.\d+)?(?= ms\b| s\b)|(?<=127\.0\.0\.1:)\d+)"
    r"|(?P<gap> +)|(?P<more>\.\.\.)"
)


@dataclass(frozen=True)
class Step:
    """One thing typed."""

    terminal: str
    """Empty: the command ends by itself."""
    command: str
    shown: tuple[str, ...]


def steps(page: str, heading: str) -> list[Step]:
    """Return what is typed in a section of a page, in order."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    found: list[Step] = []
    for line in "".join(blocks).splitlines():
        prompt = _PROMPT.fullmatch(line)
        if prompt:
            found.append(Step(prompt[1], prompt[2], ()))
            continue
        last = found.pop()
        if line.startswith("> "):
            found.append(Step(last.terminal, f"{last.command}\n{line[2:]}", ()))
        else:
            found.append(Step(last.terminal, last.command, (*last.shown, line)))
    return found


def pattern(line: str) -> str:
    """Return what a line that is shown again must match; each identifier is a group."""
    parts, end = [], 0
    for match in _VARIES.finditer(line):
        parts.append(re.escape(line[end : match.start()]))
        parts.append(
            {"id": r"(\S+?)", "time": "[-0-9: ]+Z?", "number": r"[\d.]+", "gap": r"\s+"}.get(
                match.lastgroup or "", ".*"
            )
        )
        end = match.end()
    return "".join([*parts, re.escape(line[end:])]).rstrip() + r"\s*"


@dataclass
class Terminals:
    """A user at this machine, whose home and ports are a test's own."""

    home: Path
    environ: Mapping[str, str]
    known: dict[str, str] = field(default_factory=dict)
    """Identifiers: as the page has them -> as they are here."""
    open: dict[str, Terminal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base, self.port = free_ports(PORTS), free_ports(1)

    def close(self) -> None:
        """Stop what still runs."""
        for terminal in self.open.values():
            terminal.stop()

    def play(self, step: Step) -> None:
        """Type one command, and see that all is shown that should be."""
        command = self._here(step.command)
        if command == "^C":
            terminal = self.open.pop(step.terminal)
            terminal.stop()
            self._compare(step, terminal.said)
        elif step.terminal:
            terminal = self.open[step.terminal] = Terminal(command, self.environ)
            self._wait(step, lambda: terminal.said)
        elif self._only_looks(command):
            self._wait(step, lambda: self.typed(command))
        else:
            self._compare(step, self.typed(command))

    def typed(self, command: str) -> list[str]:
        """Return what a command shows that ends by itself."""
        if command.startswith("bridge ") and not set(command) & set("|><\n;&"):
            words = [str(Path(word).expanduser()) for word in shlex.split(command)[1:]]
            wiring.current.cache_clear()
            done = CliRunner().invoke(main, words, prog_name="bridge")
            return done.output.splitlines()
        done = subprocess.run(
            ["bash", "-c", command],
            env=self.environ,
            cwd=self.home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.stdout.splitlines()

    def _here(self, command: str) -> str:
        """Return a command with the identifiers and ports of this time."""
        # All at once: what stands in place of one may be the name of another in the page.
        if self.known:
            longest_first = sorted(self.known, key=len, reverse=True)
            names = "|".join(map(re.escape, longest_first))
            command = re.sub(names, lambda found: self.known[found[0]], command)
        command = re.sub(
            r"127\.0\.0\.1:94(\d\d)",
            lambda found: f"127.0.0.1:{self.base + int(found[1])}",
            command,
        )
        command = command.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        # ScopeAI thinks for no time: else what is mirrored depends on how fast this machine is.
        sandbox = f"bridge sandbox --port-base {self.base} --deployment scopeai.analysis_delay=0"
        command = re.sub(r"^bridge sandbox\b", sandbox, command)
        return re.sub(r"^bridge up\b", f"bridge up --port {self.port}", command)

    @staticmethod
    def _only_looks(command: str) -> bool:
        words = [word for word in command.split()[1:3] if not word.startswith("-")]
        return command.startswith("bridge ") and bool({words[0], "-".join(words)} & LOOKS)

    def _wait(self, step: Step, look: Callable[[], list[str]]) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            said = look()
            try:
                self._compare(step, said)
            except AssertionError as missing:
                if time.monotonic() > until:
                    for name, terminal in self.open.items():
                        missing.add_note("\n".join([f"meanwhile, {name}$ said:", *terminal.said]))
                    raise
                time.sleep(0.1)
            else:
                return

    def _compare(self, step: Step, said: list[str]) -> None:
        bound, left = {}, list(said)
        for line in step.shown:
            if line.strip() == "...":
                continue
            wanted = pattern(line)
            found = next(
                (each for each in left if re.fullmatch(wanted, each.replace(str(self.home), "~"))),
                None,
            )
            assert found is not None, "\n".join(
                [f"{step.terminal}$ {step.command}", f"does not show: {line}", "but:", *said]
            )
            left.remove(found)
            ids = [match[0] for match in _VARIES.finditer(line) if match.lastgroup == "id"]
            here = re.fullmatch(wanted, found.replace(str(self.home), "~"))
            bound |= dict(zip(ids, here.groups(), strict=True)) if here else {}
        self.known |= {
            f"undo {there}" if there.isdigit() else there: f"undo {here}"
            if here.isdigit()
            else here
            for there, here in bound.items()
            if "…" not in there
        }


class Terminal:
    """A command that goes on until it is interrupted."""

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        words = [sys.executable, "-m", *shlex.split(command)]
        self.process = subprocess.Popen(
            words, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.said.append(line.rstrip("\n"))

    def stop(self) -> None:
        """Press Ctrl-C, and wait for the end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        ended = [line for line in self.said if "starting it again" in line]
        assert ended == [], "\n".join(["a process ended by itself:", *self.said])


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody listens on."""
    while True:
        with contextlib.ExitStack() as stack:
            first = _bind(stack, 0)
            try:
                for number in range(1, count):
                    _bind(stack, first + number)
            except OSError:
                continue
            return first


def _bind(stack: contextlib.ExitStack, port: int) -> int:
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", port))
    number: int = listener.getsockname()[1]
    return number


def users(home: Path, root: Path) -> dict[str, str]:
    """Return the environment of somebody whose home is BRIDGE_HOME's parent, and nothing more."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "BRIDGE_HOME": str(home / "bridge"),
        "PYTHONPATH": str(root),
        "COLUMNS": "100",
    }
