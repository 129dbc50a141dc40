"""Names for workers by which another on the same machine can tell that one is dead, beyond doubt.

A process id alone proves nothing: it is used again, and means something else in another container.
So a name says which boot of which kernel, which namespace of process ids, and when the process
began.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def name(salt: str) -> str:
    """Return this process's name.

    On systems without /proc it proves nothing, and no worker is ever called dead.
    """
    return ":".join([socket.gethostname(), _here(), str(os.getpid()), _began(os.getpid()), salt])


def is_dead(owner: str) -> bool:
    """Return whether the process of that name has certainly ended.

    False whenever that cannot be known.
    """
    return is_alive(owner) is False


def is_alive(owner: str) -> bool | None:
    """Return whether the process of that name runs; None: it cannot be known from here."""
    _host, here, pid, began, *_salt = [*owner.split(":"), "", "", "", ""]
    if not here or here != _here() or not pid.isdecimal() or not began:
        return None
    return _began(int(pid)) == began


def process_id(owner: str) -> int:
    """Return the id of the process of that name, as its machine has it; 0: the name has none."""
    _host, _here, pid, *_ = [*owner.split(":"), "", "", ""]
    return int(pid) if pid.isdecimal() else 0


def _here() -> str:
    """Return the boot and the namespace in which process ids are valid; empty if not known."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:13]}.{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """Return when a process began, in the kernel's ticks.

    Empty when there is none; a zombie counts as none.
    """
    try:
        state, *rest = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in {"Z", "X"} else rest[18]
