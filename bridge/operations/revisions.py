"""Revisions of the mappings: publishing files, what was published, and going back to it.

What is published is checked whole, told of by its difference, and put in force in one transaction
with its line in the audit. Whoever began with an older revision than the one in force has the
others' changes merged into theirs (`workbench.three_way`), or is told where both changed the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from bridge import wiring
from bridge.config import Config, yaml_reader
from bridge.config.mapping_texts import FOLDER, Published
from bridge.config.published_mappings import check_mappings, with_mappings
from bridge.config.yaml_reader import dotted
from bridge.core.model.values import shown
from bridge.engine.context import Context
from bridge.errors import ConfigError, NotAccepted, NotPossible, UnknownName
from bridge.home_configuration import proof_of
from bridge.ledger import configurations, mapping_revisions
from bridge.ledger.database import Tx
from bridge.ledger.mapping_revisions import MappingRevision, RevisionHead
from bridge.operations import mapping_proof, mapping_runs, mapping_trials
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference, differences
from bridge.operations.mapping_effect import Look, Read, Take
from bridge.operations.mapping_runs import CarryingOut, EffectPlan
from bridge.runs import adoption
from bridge.runs.configuration_changes import ConfigurationChange, KnownRecords
from bridge.workbench import three_way
from bridge.workbench.effect_summary import EffectSummary
from bridge.workbench.three_way import Clash

__all__ = [
    "Overtaken",
    "RevisionDraft",
    "RevisionHead",
    "draft",
    "draft_as_json",
    "get",
    "history",
    "merged",
    "planned",
    "publish",
    "refuse_files",
]


class Overtaken(NotPossible):
    """Others published first, so that what was confirmed is not what would be written."""

    def __init__(self, made: RevisionDraft) -> None:
        super().__init__(
            f"others published meanwhile (revision {made.follows} is in force), and nothing was "
            "done: see what would be written now, and confirm that"
        )
        self.draft = made
        """The draft that takes the place of the one that was overtaken."""


MAX_WARNINGS: Final = 100
"""So many of them are kept with a revision."""
TRIES: Final = 20
"""So often others may publish while one revision is checked, before it is given up."""


@dataclass(frozen=True, slots=True)
class RevisionDraft:
    """Files that are fit to be published, and what that means."""

    given: Mapping[str, str] = field(repr=False)
    """As they were handed in."""
    made_from: int | None
    """The revision that they were said to be made from; None: they take the place of any."""
    parent: int
    """The revision that they were made from; 0: none was published."""
    follows: int
    """The revision in force, after which they come; 0: there is none."""
    files: Mapping[str, str] = field(repr=False)
    """With the changes of others since."""
    merged: Sequence[RevisionHead]
    """The revisions whose changes were merged in, the oldest first."""
    differences: Sequence[FileDifference]
    """From the revision in force; none: there is nothing to publish."""
    warnings: Sequence[str]
    """What the proof found that is allowed, and deserves a look."""
    changes: Sequence[ConfigurationChange]
    """What they mean for the tickets that the bridge knows."""
    context: Context = field(repr=False)
    config: Config = field(repr=False)
    known: KnownRecords = field(repr=False)
    """What was counted for that."""


def draft(
    desk: Desk, files: Mapping[str, str], *, parent: int | None = None, accept: bool = False
) -> RevisionDraft:
    """Check files and see what it would mean to publish them. Nothing is changed by that.

    `parent`: the revision that they were made from, 0 where there was none; None: the one in force,
    whichever that is, so that nothing is merged. Raises ConfigError with all problems of the files,
    NotAccepted when they change something in a doubtful way, unless `accept` says that it is meant
    so, NotPossible where others have changed the same, and where config/bridge.yaml is not as it
    was started with.
    """
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest(tx)
    follows = newest.number if newest is not None else 0
    made_from, parent = parent, follows if parent is None else parent
    whole, merged = _merged(desk, files, parent, newest)
    config, context, warnings = _compiled(desk, Published(follows + 1, whole))
    with desk.ledger.read() as tx:
        _refuse_other_settings(tx, desk, newest)
        known = adoption.count_known(tx)
        found = adoption.compare(tx, context, known)
    doubtful = [change.text for change in found if change.doubtful]
    if doubtful and not accept:
        raise NotAccepted(doubtful)
    return RevisionDraft(
        given=files,
        made_from=made_from,
        parent=parent,
        follows=follows,
        files=config.files,
        merged=merged,
        differences=differences(newest.files if newest is not None else {}, whole),
        warnings=warnings,
        changes=found,
        context=context,
        config=config,
        known=known,
    )


def publish(
    desk: Desk,
    made: RevisionDraft,
    *,
    note: str = "",
    accept: bool = False,
    carrying_out: CarryingOut | None = None,
    act: str = "mappings published",
) -> tuple[MappingRevision, RevisionDraft]:
    """Put a draft in force; return the revision, and the draft as it was in the end.

    `carrying_out`: what was confirmed to be written for the draft. It begins with the revision, in
    one transaction, and what it comes to is kept there, but for anybody's values. Raises Overtaken
    where something was published since the draft was made. None: each ticket stays as it is until
    somebody touches it, and a draft that was overtaken gives way to one that has the others'
    changes, too. Raises also what `refuse_files`, `draft` and `mapping_runs.start` raise.
    """
    refuse_files(desk)
    for _ in range(TRIES):
        with desk.ledger.transaction() as tx:
            revision = _stored(tx, desk, made, note, carrying_out, act, accept=accept)
        if revision is not None:
            desk.bell.ring()
            return revision, made
        made = draft(desk, made.given, parent=made.made_from, accept=accept)
        if carrying_out is not None:
            raise Overtaken(made)
    raise NotPossible("others publish all the time; nothing was changed, try again")


def draft_as_json(
    made: RevisionDraft, revision: int | None, effect: EffectSummary | None
) -> dict[str, Any]:
    """Return what programs are told of a draft; `revision`: that it became, None: none."""
    return {
        "revision": revision,
        "follows": made.follows,
        "made_from": made.parent,
        "merged": [each.number for each in made.merged],
        "differences": [asdict(each) for each in made.differences],
        "warnings": list(made.warnings),
        "changes": [asdict(each) for each in made.changes],
        "effect": effect.as_data() if effect is not None else None,
    }


@contextmanager
def planned(
    desk: Desk,
    made: RevisionDraft,
    look: Look = lambda _seen: None,
    *,
    take: Take = lambda _effect: None,
    read: Read | None = None,
) -> Iterator[EffectPlan | None]:
    """Plan what a draft would write, from what the ledger knows, and what `read` reads besides.

    It looks at all tickets, of which `look` hears: that may take a minute for each 100,000. `take`
    is handed each of which anything is another than before. None:
    the mappings in force do not fit the settings any more, so there is nothing to compare with.
    """
    try:
        old = mapping_trials.in_force(desk)
    except ConfigError:
        yield None
        return
    new = mapping_trials.context_of(desk, made.config)
    with mapping_runs.planned(desk.ledger, old, new, take=take, look=look, read=read) as plan:
        yield plan


def refuse_files(desk: Desk) -> None:
    """Raise NotPossible in a home that keeps its mappings in files."""
    if not desk.config.from_ledger:
        raise NotPossible(
            "this home takes its mappings from its files: a restart puts them in force. "
            "`mappings: ledger` in config/bridge.yaml lets them be published"
        )


def get(desk: Desk, number: int | None = None) -> MappingRevision:
    """Return a revision; None: the newest. Raises UnknownName with those that there are."""
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest_number(tx)
        found = mapping_revisions.get(tx, newest if number is None else number)
    if found is None:
        there = f"there are 1 to {newest}" if newest else "nothing was ever put in force"
        raise UnknownName(
            f"no revision {'' if number is None else number} of the mappings; {there}"
        )
    return found


def merged(desk: Desk, files: Mapping[str, str], parent: int) -> dict[str, str]:
    """Return files that were made from a revision with what was published since.

    Raises NotPossible where both have changed the same, UnknownName without such a revision.
    """
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest(tx)
    return _merged(desk, files, parent, newest)[0]


def history(desk: Desk, limit: int, before: int | None = None) -> list[RevisionHead]:
    """Return the newest revisions, the newest first; those before a number, if one is given."""
    with desk.ledger.read() as tx:
        return mapping_revisions.list_all(tx, limit, before=before)


def _stored(
    tx: Tx,
    desk: Desk,
    made: RevisionDraft,
    note: str,
    carrying_out: CarryingOut | None,
    act: str,
    *,
    accept: bool,
) -> MappingRevision | None:
    """Store a draft as the revision in force; None, and nothing is stored: another one came."""
    configurations.lock(tx)
    if mapping_revisions.newest_number(tx) != made.follows:
        return None
    changes = [change.text for change in made.changes]
    revision = mapping_revisions.add(
        tx,
        made.files,
        author=desk.actor,
        now=desk.now(),
        note=note,
        proof={"warnings": list(made.warnings[:MAX_WARNINGS]), "changes": changes},
        effect=carrying_out.told if carrying_out is not None else None,
    )
    adoption.take_up(tx, made.context, desk.actor, accept=accept, known=made.known)
    detail: dict[str, Any] = {
        "note": note,
        "files": [each.file for each in made.differences],
        "made_from": made.parent,
        "merged": [each.number for each in made.merged],
    }
    if carrying_out is not None:
        carrying_out.begin(tx)
        detail["run"] = carrying_out.run or None
    desk.write_down(tx, act, f"revision {revision.number}", detail)
    return revision


def _merged(
    desk: Desk, files: Mapping[str, str], parent: int, newest: MappingRevision | None
) -> tuple[dict[str, str], list[RevisionHead]]:
    """Return the files with what was published since, and which revisions that were."""
    if newest is None or newest.number == parent:
        return dict(files), []
    base = get(desk, parent).files if parent else {}
    found = three_way.merge(base, files, newest.files, _data)
    with desk.ledger.read() as tx:
        since = mapping_revisions.list_all(tx, max(1, newest.number - parent))
    since = [each for each in reversed(since) if each.number > parent]
    if found.clashes:
        raise NotPossible(_in_words(found.clashes, parent, since))
    return found.files, since


def _data(text: str, name: str) -> Any:
    return yaml_reader.parse(text, f"{FOLDER}/{name}").data


def _in_words(clashes: Sequence[Clash], parent: int, since: Sequence[RevisionHead]) -> str:
    whose = ", ".join(f"{each.number} by {each.author}" for each in since)
    places = "; ".join(_clash_in_words(clash) for clash in clashes)
    return (
        f"your files were made from revision {parent}, and since then there was {whose}. "
        f"Both of you changed {places}. Nothing was published: `bridge mappings export DIR` gives "
        "the files in force, for your changes to be made in"
    )


def _clash_in_words(clash: Clash) -> str:
    at = f"{FOLDER}/{clash.file}{f' {dotted(clash.path)}' if clash.path else ''}"
    if clash.why:
        return f"{at}: {clash.why}"
    yours, theirs, was = (_value(each) for each in (clash.ours, clash.theirs, clash.base))
    return f"{at}: yours {yours}, theirs {theirs}, before {was}"


def _value(value: Any) -> str:
    return value if value == three_way.NOT_THERE else shown(value)


def _compiled(desk: Desk, published: Published) -> tuple[Config, Context, list[str]]:
    """Check, compile and prove mappings; the third are warnings. Raises ConfigError."""
    classes = wiring.connector_classes()
    problems = check_mappings(desk.config, published, classes)
    if problems:
        raise ConfigError(problems)
    config = with_mappings(desk.config, published, classes)
    with desk.ledger.read() as tx:
        proof = proof_of(config, mapping_proof.seen_values(tx))
    if proof.refused:
        raise ConfigError([finding.line for finding in proof.refused])
    context = wiring.context_of(config, desk.context.clock)
    return config, context, [finding.line for finding in proof.warnings]


def _refuse_other_settings(tx: Tx, desk: Desk, newest: MappingRevision | None) -> None:
    """Raise NotPossible where processes run by another config/bridge.yaml than there is now.

    Mappings published with that could be taken up by none of them.
    """
    if not adoption.running(tx, desk.context) or newest is None or not desk.config.from_ledger:
        return
    if mapping_revisions.newest_number(tx) != newest.number:
        return  # others have published meanwhile, so that this draft will be made again
    context = desk.context
    if newest.number != desk.config.number:
        published = Published(newest.number, newest.files)
        try:
            config = with_mappings(desk.config, published, wiring.connector_classes())
        except ConfigError:
            return  # what is in force cannot be loaded here: to go back from that must be possible
        context = replace(context, revision=config.revision)
    if adoption.is_outdated(tx, context):
        raise NotPossible(
            "config/bridge.yaml is not as it was when the bridge started: restart the bridge, "
            "then publish"
        )
