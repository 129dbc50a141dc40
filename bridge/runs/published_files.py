"""The mappings' files beside the configuration in force: kept whole, and taken up while running."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.engine.context import MAPPING_REVISION, Context
from bridge.ledger import configurations, mapping_revisions
from bridge.ledger.database import Tx
from bridge.runs import adoption


def are_newest(tx: Tx, files: Mapping[str, str], number: int) -> bool:
    """Return whether files with this number are those published last, or would be the first.

    Until the transaction ends, nobody else publishes.
    """
    configurations.lock(tx)
    head = mapping_revisions.head(tx, mapping_revisions.newest_number(tx))
    if head is None:
        return number == 1
    return (head.number, head.checksum) == (number, mapping_revisions.checksum(files))


def keep(tx: Tx, context: Context, files: Mapping[str, str], actor: str) -> None:
    """Keep files that were put in force, unless they are the newest that is kept.

    The context is told their number: what is written by it has that.
    """
    configurations.lock(tx)
    head = mapping_revisions.head(tx, mapping_revisions.newest_number(tx))
    if head is None or head.checksum != mapping_revisions.checksum(files):
        now, state = context.clock.now(), mapping_revisions.FROM_FILES
        head = mapping_revisions.add(tx, files, author=actor, now=now, state=state).head
    context.taken_in[MAPPING_REVISION] = head.number


def in_force(tx: Tx, context: Context) -> tuple[str, int]:
    """Return the revision of the files in force, and the number of the mappings that they are.

    Where nothing is in force yet, the revision is the context's own.
    """
    revision = configurations.newest_revision(tx) or context.revision
    return revision, mapping_revisions.newest_number(tx)


def stay(tx: Tx, context: Context, in_force: str) -> None:
    """Let a process go on that cannot load the files in force, as long as no worker goes by them.

    Two that go by different files would write one value in turn.
    """
    workers = [each for each in adoption.running(tx, context) if each.kind == "worker"]
    alone = all(each.revision != in_force for each in workers)
    context.taken_in[adoption.STAYS] = in_force if alone else ""


def difference(tx: Tx, context: Context, number: int) -> str:
    """Return since when processes run by other files than the context's; empty when none do.

    `number`: of the published mappings that the context has; 0: they are the home's files.
    """
    others = adoption.outdated_processes(tx, context)
    if not others:
        return ""
    since = min(each.started_at for each in others)
    kinds = ", ".join(sorted({each.kind for each in others}))
    if number and not adoption.is_outdated(tx, context):
        return (
            f"revision {number} of the mappings is not taken up by all that runs ({kinds}); that "
            "takes some seconds. If it lasts, `bridge doctor` says why"
        )
    return (
        f"the files differ from those that the bridge runs by ({kinds}, started "
        f"{since:%Y-%m-%d %H:%M:%SZ}): restart it, so that all of it works by the same"
    )
