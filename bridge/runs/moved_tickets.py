"""Finds out which sync's tickets stand under another name in new files, by the records they hold.

Of its sync a ticket knows only the name. Where files give that name to another sync, the tickets
would be mirrored with strangers, so they have to be renamed with it. A connection's records of one
entity belong to one sync; that is what tells where the tickets of an old one are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

Member = tuple[str, str]
"""A connection and an entity."""
Members = Mapping[str, Collection[Member]]
"""By sync, what the files say."""
Records = Mapping[tuple[str, Member], int]
"""How many records the tickets of a sync hold of a member."""


def strangers(were: Members, now: Members, records: Records) -> dict[tuple[str, str], list[Member]]:
    """Return by the sync that holds more of its records, and the one that it joins, each member."""
    found: dict[tuple[str, str], list[Member]] = {}
    for (old, member), count in sorted(records.items()):
        for new, members in now.items():
            joins = member in members and member not in were.get(new, ())
            if joins and old != new and count > records.get((new, member), 0):
                found.setdefault((old, new), []).append(member)
    return found


def moves(now: Members, records: Records) -> dict[str, str]:
    """Return by sync the name of the one that has most of its tickets' records, if it is another.

    No two get the same, and a sync that has as many under its own name stays.
    """
    held = _held(now, records)
    most: dict[str, int] = {}
    for (old, _new), count in held.items():
        most[old] = max(count, most.get(old, 0))
    found = {old: new for (old, new), count in held.items() if old == new and count == most[old]}
    for old, new in sorted(held, key=lambda pair: (-held[pair], pair)):
        if old not in found and new not in found.values():
            found[old] = new
    return {old: new for old, new in found.items() if old != new}


def _held(now: Members, records: Records) -> Counter[tuple[str, str]]:
    """Count the records that the tickets of one sync hold of members of one."""
    member_of = {member: new for new, members in now.items() for member in members}
    held: Counter[tuple[str, str]] = Counter()
    for (old, member), count in records.items():
        if member in member_of:
            held[old, member_of[member]] += count
    return held


def with_those_in_the_way(of: Collection[str], found: Mapping[str, str]) -> dict[str, str]:
    """Return the moves of these syncs, and those that have to free a name for them."""
    wanted: dict[str, str] = {}
    left = sorted((old for old in of if old in found), reverse=True)
    while left:
        old = left.pop()
        if old not in wanted:
            wanted[old] = found[old]
            left += [found[old]] if found[old] in found else []
    return wanted


def steps(
    wanted: Mapping[str, str], occupied: Collection[str], names: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield the renames that make these moves, each to a name that no tickets have by then.

    Where syncs exchange their names, and where tickets whose members have gone stand in the way
    (`occupied`: names that have tickets), it goes by a third name, which is none of `names`.
    """

    def third(name: str) -> str:
        aside = f"{name}-aside"
        while aside in names:
            aside += "-"
        return aside

    left = dict(wanted)
    yield from (
        (new, third(new)) for new in wanted.values() if new in occupied and new not in wanted
    )
    while left:
        old = next((old for old, new in left.items() if new not in left), None)
        if old is None:  # they stand in a ring
            old = next(iter(left))
            left[third(old)] = left.pop(old)
            yield old, third(old)
        else:
            yield old, left.pop(old)
