"""Which kinds of work there are: those of one record, and those of long jobs.

A test holds them to the table of procedures, so that none can be forgotten.
"""

from __future__ import annotations

from typing import Final

RECORD_KINDS: Final = ("observe", "deliver", "create", "remove")
"""Work that concerns one record."""
RUN_KINDS: Final = ("reconcile", "backfill", "figures", "survey", "remap")
"""Work that is a run: it ends, well or badly, and is never parked."""
JOB_KINDS: Final = (*RUN_KINDS, "undo")
"""Work of long jobs: a dry run starts its own, and a restore ends those of its time."""
