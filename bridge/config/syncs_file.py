"""mappings/syncs.yaml: which connections mirror what, and how each field is settled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathError

from bridge.config.schema_fields import NAME, duration
from bridge.config.schemas import SyncSchema, load
from bridge.config.settings import Classes
from bridge.config.sync_policies import PolicyReader
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.core.mapping.checks import not_sent
from bridge.core.mapping.paths import BadPath, compile_expression, compile_path
from bridge.core.mapping.tag_options import tag_problems
from bridge.core.mapping.transforms import shown
from bridge.core.model.capabilities import Support
from bridge.core.model.entities import ENTITIES
from bridge.core.model.syncs import Connection, Guard, MatchTerm, Member, Sync

_TERM = re.compile(r"([a-z_]+)\s*(?:±|\+-|\+/-)\s*(\S+)")
CREATE = "true, false, when-supported"


@dataclass(slots=True)
class KnownNames:
    """What a sync may refer to."""

    connections: Mapping[str, Connection]
    names: tuple[str, ...] | None
    """Every connection of config/bridge.yaml, also those that have problems of their own; None: not known."""
    connectors: Classes
    mapped: Mapping[str, Mapping[str, Iterable[str]]]
    """Connection -> entity -> fields that its mapping has."""
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    """(Connection, entity) -> the sync that has it."""


def compile_syncs(document: Document, known: KnownNames) -> tuple[dict[str, Sync], list[Problem]]:
    """Read all syncs of the file."""
    if not isinstance(document.data, Mapping) or not document.data:
        return {}, [document.problem((), "must be a mapping of at least one sync by name")]
    syncs: dict[str, Sync] = {}
    problems: list[Problem] = []
    for name, row in document.data.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            what = (
                "is no name; allowed lower-case letters, digits, - and _, beginning with a letter"
            )
            problems.append(document.problem((name,), what))
            continue
        loaded, wrong = load(SyncSchema(), row, document, (name,))
        problems += wrong
        if wrong:
            continue
        reader = _SyncReader(name, loaded, known)
        made = reader.sync()
        problems += [document.problem((name, *where), what) for where, what in reader.problems]
        if made is not None and not reader.problems:
            syncs[name] = made
    return syncs, problems


class _SyncReader:
    """One sync in the making."""

    def __init__(self, name: str, row: Mapping[str, Any], known: KnownNames) -> None:
        self.name, self.row, self.known = name, row, known
        self.problems: list[tuple[Where, str]] = []

    def wrong(self, where: Where, what: str) -> None:
        self.problems.append((where, what))

    def sync(self) -> Sync | None:
        row, entity = self.row, self.row["entity"]
        if entity not in ENTITIES:
            self.wrong(("entity",), f"is {shown(entity)}; allowed {', '.join(ENTITIES)}")
            return None
        members = {name: self.member(name, given, entity) for name, given in row["members"].items()}
        if len(members) < 2:
            self.wrong(("members",), "names one connection; allowed two or more")
        precedence = self.precedence(members)
        policies = PolicyReader(
            entity, (*members, *self.missed(members)), self.mapped(members, entity)
        )
        made = Sync(
            name=self.name,
            entity=entity,
            members=members,
            policies=policies.read(row.get("fields_"), row.get("on_link")),
            precedence=precedence,
            match=self.match(entity),
            delete=row.get("delete", "ignore"),
            leave_scope=row.get("leave_scope", "keep"),
            guard=_guard(row.get("guard", {})),
        )
        self.problems += policies.problems
        self.ends(made)
        return made

    def ends(self, sync: Sync) -> None:
        """Look at what becomes of records that are deleted, or leave the scope."""
        if "status" not in ENTITIES[sync.entity]:
            for key, given, allowed in (
                ("delete", sync.delete, "ignore"),
                ("leave_scope", sync.leave_scope, "keep, detach"),
            ):
                if given in ("close", "delete"):
                    self.wrong(
                        (key,),
                        f"is {given!r}, and a {sync.entity} has no status; allowed {allowed}",
                    )
        for name, member in sync.members.items():
            connection = self.known.connections.get(name)
            able = (
                self.known.connectors[connection.system].CAPABILITIES.get(sync.entity)
                if connection
                else None
            )
            if (
                member.allow_delete
                and able is not None
                and not able.deletes
                and connection is not None
            ):
                at: Where = ("members", name, "allow_delete")
                self.wrong(at, f"{connection.system} cannot delete a {sync.entity}; allowed false")
        if sync.delete == "delete" and not any(
            member.allow_delete for member in sync.members.values()
        ):
            self.wrong(
                ("delete",),
                "is 'delete', and no member has `allow_delete: true`; allowed ignore, close",
            )

    def missed(self, members: Iterable[str]) -> tuple[str, ...]:
        """Give the connections that a misspelt member may have meant: to name one elsewhere is no second problem."""
        names = self.known.names or ()
        return (
            tuple(name for name in names if name not in members)
            if set(members) - set(names)
            else ()
        )

    def mapped(self, members: Iterable[str], entity: str) -> dict[str, tuple[str, ...]] | None:
        """Give for each field the members that map it; None where a broken mapping hides them."""
        if any(name not in self.known.mapped for name in members):
            return None
        maps = {name: self.known.mapped[name].get(entity, ()) for name in members}
        every = {each for fields in maps.values() for each in fields}
        return {
            each: tuple(name for name, fields in maps.items() if each in fields) for each in every
        }

    def member(self, name: str, row: Mapping[str, Any], entity: str) -> Member:
        at: Where = ("members", name)
        if self.known.names is not None and name not in self.known.names:
            allowed = ", ".join(sorted(self.known.names))
            self.wrong(at, f"is no connection of config/bridge.yaml; allowed {allowed}")
        elif self.known.taken.setdefault((name, entity), self.name) != self.name:
            self.wrong(
                at,
                f"is in {self.known.taken[name, entity]} already; allowed one sync for a connection's {entity}s",
            )
        elif name in self.known.mapped and entity not in self.known.mapped[name]:
            self.wrong(
                at, f"has no {entity} in its mapping; add it to mappings/, or leave the member out"
            )
        return Member(
            connection=name,
            create=self.create(name, row.get("create", False), entity),
            only=self.only(name, row["only_"], entity) if "only_" in row else None,
            allow_delete=row.get("allow_delete", False),
            options={"tags": row["tags"]}
            if "tags" in row and self.tags(name, row["tags"], entity)
            else {},
        )

    def tags(self, name: str, given: Any, entity: str) -> bool:
        """Look at a member's options for its tags; they take the place of the mapping's."""
        at: Where = ("members", name, "tags")
        problems = tag_problems(given)
        for where, what in problems:
            self.wrong((*at, *where), what)
        if name in self.known.mapped and "tags" not in self.known.mapped[name].get(entity, ()):
            self.wrong(
                at,
                f"means nothing here: the mapping of {name} reads no tags of a {entity}; leave it out",
            )
            return False
        return not problems

    def create(self, name: str, given: Any, entity: str) -> Support:
        at: Where = ("members", name, "create")
        connection = self.known.connections.get(name)
        able = (
            self.known.connectors[connection.system].CAPABILITIES.get(entity)
            if connection
            else None
        )
        if given is False:
            return Support.NO
        if given is not True and given != "when-supported":
            self.wrong(at, f"is {shown(given)}; allowed {CREATE}")
        elif (
            given is True
            and connection is not None
            and able is not None
            and able.creates is Support.NO
        ):
            self.wrong(
                at, f"{connection.system} cannot create a {entity}; allowed false, when-supported"
            )
        elif given is True:
            return Support.YES
        return (
            able.creates
            if able is not None and able.creates is not Support.PROBED
            else Support.PROBED
        )

    def only(
        self, name: str, source: str, entity: str
    ) -> Callable[[Mapping[str, Any]], bool] | None:
        """Compile a filter. A name that is never sent would be null everywhere, and a filter might let all pass."""
        at: Where = ("members", name, "only")
        try:
            roots = compile_path(source).roots
            compiled = compile_expression(source)
        except BadPath as error:
            self.wrong(at, str(error))
            return None
        connection = self.known.connections.get(name)
        able = (
            self.known.connectors[connection.system].CAPABILITIES.get(entity)
            if connection
            else None
        )
        if connection is not None and able is not None:
            for root in sorted(roots - able.readable - {"@"}):
                self.wrong(at, not_sent(connection.system, root, able))

        def inside(record: Mapping[str, Any]) -> bool:
            try:
                return bool(compiled.search(record))
            except (JMESPathError, TypeError, ValueError):
                # A comparison that this record's types do not allow is not a yes.
                return False

        return inside

    def precedence(self, members: Mapping[str, Member]) -> tuple[str, ...]:
        given = self.row.get("precedence", ())
        for number, name in enumerate(given):
            if name not in (*members, *self.missed(members)):
                self.wrong(
                    ("precedence", number),
                    f"{shown(name)} is no member; allowed {', '.join(members)}",
                )
            elif name in given[:number]:
                self.wrong(("precedence", number), f"{shown(name)} stands here twice")
        return (*given, *(name for name in members if name not in given))

    def match(self, entity: str) -> tuple[tuple[MatchTerm, ...], ...]:
        given = self.row.get("match", [])
        if not isinstance(given, list) or not all(
            isinstance(rule, list) and rule for rule in given
        ):
            self.wrong(
                ("match",), "must be a list of lists of fields, such as [[customer, subject]]"
            )
            return ()
        rules = []
        for number, rule in enumerate(given):
            terms = [
                self.term(entity, term, ("match", number, place)) for place, term in enumerate(rule)
            ]
            if all(term is not None and term.within is not None for term in terms):
                self.wrong(
                    ("match", number),
                    "has only a window of time; allowed with a field that must be equal",
                )
            rules.append(tuple(term for term in terms if term is not None))
        return tuple(rules)

    def term(self, entity: str, given: Any, at: Where) -> MatchTerm | None:
        found = _TERM.fullmatch(given) if isinstance(given, str) else None
        name = found[1] if found else given
        fields = ENTITIES[entity]
        if (
            not isinstance(name, str)
            or name not in fields
            or fields[name].kind in ("set", "parent")
        ):
            allowed = ", ".join(
                each for each in fields if fields[each].kind not in ("set", "parent")
            )
            self.wrong(at, f"is {shown(given)}; allowed {allowed}, or created_at ± 2m")
            return None
        if found is None:
            return MatchTerm(name)
        within = duration(found[2])
        if within is None or fields[name].kind != "datetime":
            self.wrong(
                at, f"is {shown(given)}; allowed a time with a duration, such as created_at ± 2m"
            )
            return None
        return MatchTerm(name, within)


def _guard(row: Mapping[str, Any]) -> Guard:
    usual = Guard()
    return Guard(
        share=row.get("destructive", usual.share),
        minimum=row.get("min", usual.minimum),
        flips=row.get("flips", usual.flips),
        flip_window=row.get("flip_window", usual.flip_window),
    )
