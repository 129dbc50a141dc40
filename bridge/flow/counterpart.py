"""Looking for a record's counterpart at a system, before one is made there.

By the sync's match rules (rule F10); and where the ledger is new or was put back, by what else may
tell, so that nothing is made twice that it has forgotten (copies.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from bridge.connectors.contract import Draft, Intent
from bridge.core.merge.identity import Judgement, Life, Sameness
from bridge.core.merge.making import state_made
from bridge.core.model.state import Link, Note
from bridge.core.model.values import Canonical, Ref, Unreadable
from bridge.core.planning.creation import CreatePlan
from bridge.engine.context import Context, Task
from bridge.engine.effects import Steps, search_vendor, transact
from bridge.flow import catching_up, copies, parents, read_anew, target_survey
from bridge.flow.commit import later, save_and_park, the_link
from bridge.flow.match import AMBIGUOUS, in_doubt, is_approved, join, life_of, sameness
from bridge.flow.match_keys import is_match, match_keys
from bridge.flow.target_survey import SurveyQuestion
from bridge.ledger import hints, links, matching, run_records, stray_copies, work
from bridge.ledger.database import Tx


def may_be_copied(tx: Tx, context: Context, task: Task) -> bool:
    """Put a create off where a copy may be there that the ledger does not know; True if it is.

    Where nothing will ever tell, a human decides.
    """
    link, connection, now = the_link(task), task.row.connection, context.clock.now()
    if connection in link.sides:
        return False
    if copies.is_awaited(tx, context, link, connection, now):
        later(tx, task, now + copies.WAIT)
        return True
    twins = {} if is_approved(task) else copies.doubtful_twins(tx, context, link, connection)
    if not twins:
        return False
    why = in_doubt("this ticket", twins)
    note = Note("ambiguous", connection, "", {"why": why})
    save_and_park(tx, task, note, why, AMBIGUOUS, now)
    return True


@dataclass(frozen=True, slots=True)
class Search:
    """Whether to look for a counterpart at the system itself before one is made."""

    needed: bool
    spared_until: datetime | None = None
    """So long an import's survey says that there is none."""


@dataclass(frozen=True, slots=True)
class ToBeMade:
    """A record that is to be made on a connection for a link."""

    context: Context
    link: Link
    connection: str
    lane: str
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the ledger says of a record that is to be made."""

    in_doubt: bool
    """A copy may be there that the ledger does not know: see `may_be_copied`."""
    is_late: bool
    """It may be older than the ledger. What is a copy of what shows then only when both are in the
    ledger: it is asked again once the link is stored."""
    search: Search
    is_limited: bool
    """Its import may make so many records and no more."""


def prospects(tx: Tx, asked: Sequence[ToBeMade]) -> list[Prospect]:
    """Return what the ledger says of records that are to be made."""
    context = asked[0].context
    unsure = {
        name
        for name in {each.connection for each in asked}
        if catching_up.is_behind(tx, context, name) or stray_copies.any_at(tx, name)
    }
    twins = [
        (each.link.id, each.link.sync, key[:2])
        for each in asked
        for key in copies.twin_keys(tx, each.link)
    ]
    with_twins = matching.with_known_keys(tx, twins)
    run_ids = {each.run_id for each in asked if each.run_id is not None}
    limited = {run_id for run_id in run_ids if run_records.is_limited(tx, run_id)}
    return [
        Prospect(
            each.connection in unsure or each.link.id in with_twins,
            is_late(tx, each),
            search,
            each.run_id in limited,
        )
        for each, search in zip(asked, searches(tx, context, asked), strict=True)
    ]


def is_late(tx: Tx, to_be_made: ToBeMade) -> bool:
    """Return whether a ticket may be older than what the ledger knows of its connections."""
    link, made = to_be_made.link, state_made(to_be_made.link)
    there = (to_be_made.connection, *link.live())
    return any(catching_up.is_late(tx, name, made) for name in there)


def searches(tx: Tx, context: Context, asked: Sequence[ToBeMade]) -> list[Search]:
    """Return whether to look for counterparts at the system itself before they are made.

    By match rules, or because the ledger may have forgotten them.
    """
    found: dict[int, Search] = {}
    questions: dict[int, SurveyQuestion] = {}
    for place, each in enumerate(asked):
        sync, made = context.syncs[each.link.sync], state_made(each.link)
        ours = match_keys(sync, copies.canonical_state(each.link), made)
        if not sync.match:
            found[place] = Search(catching_up.is_late(tx, each.connection, made))
        elif not ours:  # no record could match
            found[place] = Search(needed=False)
        else:
            entity = each.link.entity
            questions[place] = SurveyQuestion(each.connection, entity, each.lane, ours)
    spared = target_survey.ruled_out_until(tx, context, list(questions.values()))
    for place, until in zip(questions, spared, strict=True):
        found[place] = Search(until is None, until)
    return [found[place] for place in range(len(asked))]


def already_there(context: Context, task: Task, planned: CreatePlan) -> Steps[bool]:
    """Adopt a record that the sync's match rules say is the same thing (rule F10).

    True when that has dealt with the work.
    """
    link, connection = the_link(task), task.row.connection
    sync = context.syncs[link.sync]
    draft = Draft(link.entity, planned.values, "")
    records = yield from search_vendor(
        connection, lambda c: c.find(Intent(draft, None)), task.deadline(context, connection)
    )
    entity_map = context.maps[connection][link.entity]
    ours = match_keys(sync, copies.canonical_state(link), state_made(link))
    found: dict[Ref, RecordThatMatches] = {}
    for record in records:
        values = entity_map.canonical(record.data)
        life = life_of(record, values)
        fits = not sync.match or is_match(sync, ours, match_keys(sync, values, life.made))
        if record.marker is None and fits:
            found[record.ref] = RecordThatMatches(values, life)
    return bool(found) and (yield from transact(lambda tx: join_match(tx, context, task, found)))


@dataclass(frozen=True, slots=True)
class RecordThatMatches:
    """A record at the system that the match rules say may be the ticket's."""

    values: Mapping[str, Canonical | Unreadable]
    life: Life


def join_match(
    tx: Tx,
    context: Context,
    task: Task,
    found: Mapping[Ref, RecordThatMatches],
) -> bool:
    """Join the one match that belongs to no link yet; False when there is none.

    A match of which only a human can say whether it is one parks the create. One that is newer
    than what is known of the ticket puts it off until that has been read anew.
    """
    connection, now = task.row.connection, context.clock.now()
    link, taken = the_link(task), links.of_refs(tx, list(found))
    sync = context.syncs[link.sync]
    untaken = {
        ref: sameness(tx, sync, link, connection, match.values, match.life)
        for ref, match in found.items()
        if ref not in taken
    }
    free = [ref for ref, (verdict, _why) in untaken.items() if verdict is Sameness.SAME]
    unread = unread_for(context, task, {ref: found[ref].life for ref in free})
    if unread:
        again_at = read_anew.wait_for(tx, context, task, chain(*unread.values()))
        if again_at is not None:
            later(tx, task, again_at)
            return True
        free = [ref for ref in free if ref not in unread]
    doubtful = doubts(untaken, unread)
    if not free:
        if not doubtful or is_approved(task):
            return False
        why = in_doubt("this ticket", doubtful)
        note = Note("ambiguous", connection, "", {"why": why})
        save_and_park(tx, task, note, why, AMBIGUOUS, now)
        return True
    return join_free(tx, context, task, free)


def join_free(tx: Tx, context: Context, task: Task, free: list[Ref]) -> bool:
    """Join the one record that is free; where several are, park the create."""
    link, connection, now = the_link(task), task.row.connection, context.clock.now()
    if len(free) > 1:
        named = ", ".join(str(ref) for ref in free)
        why = f"{len(free)} records of {connection} match equally well: {named}"
        note = Note("ambiguous", connection, "", {"why": why})
        save_and_park(tx, task, note, why, AMBIGUOUS, now)
        return True
    if not join(tx, context.syncs[link.sync], free[0], link.id, [], now):
        later(tx, task, context.soon())
        return True
    parents.queue_children(tx, context, link, connection, now)
    row, due_at = task.row, task.follow_up_due(now)
    hints.give(tx, free[0], now, lane=row.lane, due_at=due_at, run_id=row.run_id)
    work.finish(tx, row, task.owner, now)
    task.give_back(tx)
    return True


def unread_for(context: Context, task: Task, lives: Mapping[Ref, Life]) -> dict[Ref, list[Ref]]:
    """Return the records for which too little is known of the link, with what is to be read."""
    link = the_link(task)
    unread = {ref: read_anew.unread(context, task, link, life) for ref, life in lives.items()}
    return {ref: sides for ref, sides in unread.items() if sides}


def doubts(matches: Mapping[Ref, Judgement], unread: Mapping[Ref, list[Ref]]) -> dict[str, str]:
    """Return the matches of which only a human can say whether they are one, with the reason."""
    why = {ref: why for ref, (verdict, why) in matches.items() if verdict is Sameness.DOUBTFUL}
    why |= {ref: read_anew.why_unread(sides) for ref, sides in unread.items()}
    return {str(ref): reason for ref, reason in why.items()}
