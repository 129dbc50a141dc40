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
    """Give this process's name; on systems without /proc it proves nothing, and nobody is ever called dead."""
    return ":".join([socket.gethostname(), _here(), str(os.getpid()), _began(os.getpid()), salt])


def is_dead(owner: str) -> bool:
    """Tell whether the process of that name has certainly ended; False whenever that cannot be known."""
    _host, here, pid, began, *_salt = [*owner.split(":"), "", "", "", ""]
    if not here or here != _here() or not pid.isdecimal() or not began:
        return False
    return _began(int(pid)) != began


def _here() -> str:
    """Name the boot and the namespace in which process ids mean what they mean; empty if that is not known."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:13]}.{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """Give when a process began, in the kernel's ticks; empty when there is none (a zombie is none)."""
    try:
        state, *rest = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in {"Z", "X"} else rest[18]
