"""What changed files mean for the tickets that the ledger knows, in words and numbers.

Compared are two descriptions of configurations, each plain data without any secret: what was in
force, and what is about to be. An account is told by its place and a salted digest of its key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.connectors.account_place import comparable
from bridge.core.model.capabilities import Support
from bridge.core.model.counting import counted
from bridge.core.model.entities import BUILT_IN
from bridge.core.model.syncs import Connection, Sync
from bridge.engine.context import Context
from bridge.runs import moved_tickets
from bridge.runs.moved_tickets import Member

Description = Mapping[str, Any]
"""Of a configuration: `salt`, `connections`, `syncs`, and the `retired` connections' accounts."""


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """One thing that is not as it was."""

    text: str
    doubtful: bool = False
    """It looks like a mistake that makes tickets a second time, or loses them: ask first."""


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """How much the ledger knows."""

    sides: Mapping[tuple[str, str], int]
    """Live records by sync and connection."""
    tickets: Mapping[str, int]
    """Links by sync."""
    entities: Mapping[str, str]
    """What the links of a sync are of."""

    def of(self, connection: str) -> int:
        """Return how many records of a connection are known."""
        return sum(count for (_sync, name), count in self.sides.items() if name == connection)

    def of_entity(self, connection: str, entity: str) -> int:
        """Return how many records of a connection and an entity are known."""
        of_member = (connection, entity)
        return sum(count for (_, member), count in self.by_member.items() if member == of_member)

    @property
    def connections(self) -> set[str]:
        """Return the connections of which any record is known."""
        return {name for (_sync, name), count in self.sides.items() if count}

    @property
    def by_member(self) -> dict[tuple[str, Member], int]:
        """Return how many records the tickets of a sync hold of a connection and an entity."""
        return {
            (sync, (name, self.entities[sync])): count
            for (sync, name), count in self.sides.items()
            if count
        }


def describe(
    context: Context, before: Description, salt: str, is_known: Callable[[str], bool]
) -> Description:
    """Describe the configuration of a context; accounts that retire with records stay known.

    `is_known`: whether any record of a connection is.
    """
    connections = {
        name: {
            "system": connection.system,
            "place": connection.place,
            "key": _key_digest(connection, salt),
            "fields": _declared_fields(context, name),
        }
        for name, connection in context.connections.items()
    }
    were = {**before.get("retired", {}), **before.get("connections", {})}
    return {
        "salt": salt,
        "connections": connections,
        "syncs": {
            sync.name: {
                "entity": sync.entity,
                "members": {name: str(member.create) for name, member in sync.members.items()},
                "rules": _rules(sync),
            }
            for sync in context.syncs.values()
        },
        "own_fields": {
            entity: sorted(fields.keys() - BUILT_IN[entity].keys())
            for entity, fields in context.fields.items()
        },
        "retired": {
            name: account
            for name, account in were.items()
            if name not in connections and is_known(name)
        },
    }


def _key_digest(connection: Connection, salt: str) -> str:
    keys = [f"{name}={key.reveal()}" for name, key in sorted(connection.credentials.items())]
    return hmac.new(salt.encode(), "\0".join(keys).encode(), hashlib.sha256).hexdigest()


def _rules(sync: Sync) -> dict[str, str]:
    """Return a digest of each rule of a sync, by the words of its file."""
    rules: dict[str, object] = {
        "precedence": sync.precedence,
        "match": (sync.match, sync.match_age),
        "delete": sync.delete,
        "leave_scope": sync.leave_scope,
        "guard": sync.guard,
    }
    rules |= {f"fields.{name}": policy for name, policy in sync.policies.items()}
    return {name: hashlib.sha256(repr(rule).encode()).hexdigest() for name, rule in rules.items()}


def _declared_fields(context: Context, connection: str) -> dict[str, dict[str, str]]:
    """Return by entity and field how the mapping reads it, whoever is in the directory."""
    return {
        entity: {
            name: field_map.revision.partition("/")[0]
            for name, field_map in entity_map.fields.items()
        }
        for entity, entity_map in context.maps.get(connection, {}).items()
    }


def changes(
    before: Description, after: Description, known: KnownRecords
) -> list[ConfigurationChange]:
    """Return what the new configuration changes; what is doubtful comes first."""
    found = [
        *_accounts(before, after, known),
        *_syncs(before, after, known),
        *_exchanged(before, after, known),
        *_mappings(before, after, known),
        *_own_fields(before, after, known),
    ]
    return sorted(found, key=lambda change: not change.doubtful)


def _accounts(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[ConfigurationChange]:
    """Tell of connections that are gone, and that lead to another account."""
    were: Mapping[str, Any] = before.get("connections", {})
    now: Mapping[str, Any] = after["connections"]
    renamed = list(_renamed(before, after, known))
    yield from (change for _old, _new, change in renamed)
    for name in sorted(were.keys() - now.keys() - {old for old, _new, _change in renamed}):
        yield ConfigurationChange(f"`{name}` is gone: {_sides(known.of(name))} retire")
    for name in (name for name in now if name in were and known.of(name)):
        yield from _moved(name, were[name], now[name], known.of(name))


def _renamed(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[tuple[str, str, ConfigurationChange]]:
    """Tell which connections that are gone may be which new ones under another name."""
    were: Mapping[str, Any] = before.get("connections", {})
    accounts: Mapping[str, Any] = {**before.get("retired", {}), **were}
    now: Mapping[str, Any] = after["connections"]
    fresh = [
        name
        for name in now
        if not known.of(name) and (name not in were or _joined(name, before, after))
    ]
    for old in sorted(known.connections - now.keys()):
        for new in fresh:
            if alike := _how_alike(accounts.get(old), now[new]):
                text = (
                    f"`{new}` is new and `{old}` gone {alike}: `bridge connection rename {old} "
                    f"{new}` keeps its {_records(known.of(old))}; else each is made again"
                )
                yield old, new, ConfigurationChange(text, doubtful=True)


def _joined(name: str, before: Description, after: Description) -> set[str]:
    """Return the syncs that a connection becomes a member of."""
    were: Mapping[str, Any] = before.get("syncs", {})
    return {
        sync
        for sync, now in after["syncs"].items()
        if name in now["members"] and name not in were.get(sync, {}).get("members", {})
    }


def _exchanged(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[ConfigurationChange]:
    """Tell which members of a sync give way to another that may be the same account."""
    now: Mapping[str, Any] = after["connections"]
    for new in now:
        for sync in sorted(_joined(new, before, after)):
            held = {name for (its, name), count in known.sides.items() if its == sync and count}
            if new in held:
                continue
            for old in sorted(held & now.keys() - after["syncs"][sync]["members"].keys()):
                if alike := _how_alike(now[old], now[new]):
                    count = known.sides[sync, old]
                    yield ConfigurationChange(
                        f"`{new}` takes the place of `{old}` in {sync} {alike}: its "
                        f"{_records(count)} retire, and are made again. Give `{old}` the new key "
                        "or address instead, or accept it if it is meant so",
                        doubtful=True,
                    )


def _moved(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], count: int
) -> Iterator[ConfigurationChange]:
    """Tell of a connection that has kept its name and leads elsewhere."""
    if not _same_place(old, new):
        yield ConfigurationChange(
            f"`{name}` leads to another account, {new['place']} in place of {old['place']}: its "
            f"{_records(count)} are not known there. Give the new account a connection of its own, "
            "or accept it if the records moved too",
            doubtful=True,
        )
    elif new["key"] != old["key"]:
        yield ConfigurationChange(f"`{name}` has another key for {new['place']}")


def _same_place(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old["system"] == new["system"] and comparable(old["place"]) == comparable(new["place"])


def _how_alike(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """Return in words why two connections may be one account; empty if they cannot."""
    if old is None:
        return "(its account was never noted, so it may be the same)"
    if _same_place(old, new):
        return "with the same account" if old["key"] == new["key"] else "at the same address"
    # A key leads to one account at every address, unless another part of it is named beside.
    named = [place.partition(" ")[2] for place in (old["place"], new["place"])]
    if (old["system"], old["key"], named[0]) == (new["system"], new["key"], named[1]):
        return "with the same key at another address"
    return ""


def _syncs(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[ConfigurationChange]:
    were: Mapping[str, Any] = before.get("syncs", {})
    now: Mapping[str, Any] = after["syncs"]
    strangers = moved_tickets.strangers(_members_in(were), _members_in(now), known.by_member)
    moves = moved_tickets.moves(_members_in(now), known.by_member)
    moves = moved_tickets.with_those_in_the_way({old for old, _new in strangers}, moves)
    if moves:
        yield _under_other_names(moves, now, known)
    for (old, new), members in strangers.items():
        if moves.get(old) != new:
            yield _taken_over(old, new, [name for name, _entity in members], known)
    renamed = {(old, new) for old, new, _change in _renamed(before, after, known)}
    for name in sorted(known.tickets.keys() & now.keys() - moves.keys() - set(moves.values())):
        yield from _replaced(name, were.get(name, {}), now[name], known, renamed)
    for old in sorted(known.tickets.keys() & were.keys() - now.keys() - moves.keys()):
        yield ConfigurationChange(f"`{old}` is gone: its {_tickets(known.tickets[old])} rest")
    # More is said of these than who has left and joined.
    told = before.get("connections", {}).keys() - after["connections"].keys()
    told |= {new for _old, new in renamed}
    for name in (name for name in now if name in were):
        yield from _members(name, _without(told, were[name]), _without(told, now[name]), known)
        yield from _other_rules(name, were[name], now[name])


def _members_in(syncs: Mapping[str, Any]) -> dict[str, set[Member]]:
    return {
        name: {(member, sync["entity"]) for member in sync["members"]}
        for name, sync in syncs.items()
    }


def _under_other_names(
    moves: Mapping[str, str], now: Mapping[str, Any], known: KnownRecords
) -> ConfigurationChange:
    """Tell of tickets whose sync has another name now."""
    names = known.tickets.keys() | now.keys()
    renames = [
        f"`bridge sync rename {old} {new}`"
        for old, new in moved_tickets.steps(moves, known.tickets.keys(), names)
    ]
    (first, its), *others = moves.items()
    whose = "".join(f", those of `{old}` to `{new}`" for old, new in others)
    keep = "keeps its" if len(renames) == 1 else "keep their"
    count = _tickets(sum(known.tickets[old] for old in moves))
    return ConfigurationChange(
        f"by their records the tickets of `{first}` belong to `{its}`{whose}: "
        f"{', then '.join(renames)} {keep} {count}; "
        "else they rest, or are mirrored with strangers",
        doubtful=True,
    )


def _taken_over(
    old: str, new: str, members: Sequence[str], known: KnownRecords
) -> ConfigurationChange:
    """Tell of members that come from one sync to another, and leave their tickets behind."""
    count = sum(known.sides[old, name] for name in members)
    named = ", ".join(f"`{name}`" for name in members)
    return ConfigurationChange(
        f"from {old} to {new} go {named}: {_sides(count)} retire, and records are made there "
        f"beside them. Leave them in {old}, or accept it if it is meant so",
        doubtful=True,
    )


def _replaced(
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    known: KnownRecords,
    renamed: Collection[tuple[str, str]],
) -> Iterator[ConfigurationChange]:
    """Tell of a sync that has none of the members any more that its tickets have."""
    held = {member for sync, member in known.by_member if sync == name}
    were = held.union(*_members_in({name: before} if before else {}).values())
    now = _members_in({name: after})[name]
    kept = now & were or any((old, new) in renamed for old, _ in were for new, _ in now)
    if held and not kept:
        count = known.tickets[name]
        yield ConfigurationChange(
            f"`{name}` has other members than its {_tickets(count)} have records of: all of those "
            "retire, and are made again at the new ones. Give the new sync a name of its own, or "
            "accept it if it is meant so",
            doubtful=True,
        )


def _without(told: Collection[str], sync: Mapping[str, Any]) -> dict[str, str]:
    return {name: create for name, create in sync["members"].items() if name not in told}


def _members(
    sync: str,
    were: Mapping[str, str],
    now: Mapping[str, str],
    known: KnownRecords,
) -> Iterator[ConfigurationChange]:
    """Tell who has left and joined."""
    for name in (name for name in were if name not in now):
        count = known.sides.get((sync, name), 0)
        yield ConfigurationChange(f"`{name}` leaves {sync}: {_sides(count)} retire")
    for name, create in now.items():
        count = known.sides.get((sync, name), 0)
        lacking = max(0, known.tickets.get(sync, 0) - count)
        makes = create != str(Support.NO)
        if name not in were and count:
            yield ConfigurationChange(f"`{name}` is back in {sync}: {_sides(count)} go on")
        elif name not in were:
            made = f"up to {_records(lacking)} are made there"
            made = made if makes and lacking else "nothing is made there"
            yield ConfigurationChange(f"`{name}` joins {sync}: {made}")
        elif makes and were[name] == str(Support.NO):
            yield ConfigurationChange(
                f"`create` is on for `{name}` in {sync}: up to {_records(lacking)} are made there"
            )
        elif not makes and were[name] != str(Support.NO):
            yield ConfigurationChange(
                f"`create` is off for `{name}` in {sync}: {_tickets(lacking)} get no record there"
            )


def _other_rules(
    sync: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[ConfigurationChange]:
    """Tell which rules differ; nothing where members do, who stand in most of them."""
    were, now = before.get("rules"), after["rules"]  # versions before have not noted them
    if were is not None and before["members"].keys() == after["members"].keys():
        names = [name for name in now if name in were and now[name] != were[name]]
        if names:
            yield ConfigurationChange(
                f"the rules of {sync} are others in {', '.join(names)}: what is edited from now on "
                "is settled by them"
            )


def _mappings(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[ConfigurationChange]:
    were: Mapping[str, Any] = before.get("connections", {})
    for name, account in after["connections"].items():
        if name not in were or not known.of(name):
            continue
        for entity, fields in account["fields"].items():
            old = were[name]["fields"].get(entity, {})
            names = sorted(each for each in {*old, *fields} if old.get(each) != fields.get(each))
            if names:
                count = known.of_entity(name, entity)
                yield ConfigurationChange(
                    f"the mapping of `{name}` is another in {entity} {', '.join(names)}: "
                    f"{counted(count, f'{entity} is', f'{entity}s are')} read anew; "
                    "`bridge plan` shows what follows"
                )


def _own_fields(
    before: Description, after: Description, known: KnownRecords
) -> Iterator[ConfigurationChange]:
    for entity, were in before.get("own_fields", {}).items():
        gone = [name for name in were if name not in after["own_fields"].get(entity, ())]
        syncs = [sync for sync, of in known.entities.items() if of == entity]
        if gone and any(known.tickets.get(sync) for sync in syncs):
            yield ConfigurationChange(
                f"{', '.join(gone)} of a {entity} {'is' if len(gone) == 1 else 'are'} declared no "
                "more in mappings/fields.yaml: what the ledger has of it stays, and travels no more"
            )


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def _sides(count: int) -> str:
    return f"{count} side{'' if count == 1 else 's'}"


def _tickets(count: int) -> str:
    return f"{count} ticket{'' if count == 1 else 's'}"
