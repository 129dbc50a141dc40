"""Large answers leave no trace in a worker's memory: what is freed goes back to the system."""

import platform
import subprocess
import sys

import pytest

READS = """
import os, sys, threading
from bridge.queue.process_memory import Giver, bound_heaps

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if "bound" in sys.argv:
    bound_heaps()
before, kept, together = resident(), [], threading.Barrier(8)

def read():
    together.wait()  # each of them has its own heap, unless told otherwise
    del_first = bytearray(24 << 20)
    del del_first  # from now on the allocator takes blocks of this size from its heaps
    blocks = []
    for _ in range(12):
        blocks.append(bytearray(1 << 20))
        kept.append(bytearray(1000))  # what was found stays, between blocks that do not
    together.wait()

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if "bound" in sys.argv:
    Giver().give_back()
print((resident() - before) >> 20)
"""


def _kept(*arguments: str) -> int:
    """Return the megabytes that stay with a process that has read 96 MB on eight threads."""
    done = subprocess.run(
        [sys.executable, "-c", READS, *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is meant")
def test_what_large_answers_took_goes_back_to_the_system():
    assert _kept("bound") <= 8
    assert _kept() >= 40  # else the system needs none of this, and the line above says nothing


def test_where_the_allocator_has_no_such_functions_nothing_happens(monkeypatch):
    from bridge.queue import process_memory

    monkeypatch.setattr(process_memory.ctypes, "CDLL", lambda _name: object())
    process_memory.bound_heaps()
    process_memory.Giver().give_back()
