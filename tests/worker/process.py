"""A worker process whose bridge does as it is told: `python -m tests.worker.process URL JOURNAL`.

The journal's folder holds the orders, one file each: `fail` makes the next drain raise, `hang`
makes it wait for ever.
"""

import sys
import time
import types
from pathlib import Path

from bridge.queue.rq_worker import run_worker, stopping


class ObedientBridge:
    def __init__(self, journal: Path) -> None:
        self.journal = journal

    def note(self, line: str) -> None:
        with self.journal.open("a") as file:
            file.write(line + "\n")

    def ordered(self, order: str) -> bool:
        path = self.journal.parent / order
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def drain(self) -> None:
        if self.ordered("fail"):
            self.note("failing")
            raise RuntimeError("as ordered")
        if self.ordered("hang"):
            self.note("hanging")
            while True:
                time.sleep(0.1)
        if self.ordered("until-told"):
            self.note("working")
            stopping.wait()
            time.sleep(0.2)
        self.note("drained")

    def start_run(self, connection: str, kind: str) -> None:
        self.note(f"run {connection} {kind}")


if __name__ == "__main__":
    obedient = ObedientBridge(Path(sys.argv[2]))
    wiring = types.ModuleType(
        "bridge.wiring"
    )  # the composition root is what a process chooses for itself
    wiring.current = lambda: obedient
    sys.modules["bridge.wiring"] = wiring
    import bridge

    bridge.wiring = wiring
    run_worker(sys.argv[1])
