"""Compiles mappings/syncs.yaml: which connections mirror what, and the policy of each field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathError

from bridge.config.one_account import Classes
from bridge.config.schema_fields import NAME, NAME_RULE, duration
from bridge.config.schemas import SyncSchema, load
from bridge.config.sync_policies import PolicyReader
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.core.mapping.checks import not_sent
from bridge.core.mapping.paths import BadPath, compile_expression, compile_path
from bridge.core.mapping.tag_options import tag_problems
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.entities import BUILT_IN, ENTITIES, FieldTable
from bridge.core.model.syncs import MATCH_AGE, Connection, Guard, MatchTerm, Member, Sync
from bridge.core.model.values import shown

NOT_MATCHED = ("set", "parent", "json")
"""Kinds of field that say nothing of two records being one."""
TERM = re.compile(r"([a-z][a-z0-9_]*)\s*(?:±|\+-|\+/-)\s*(\S+)")
"""A time that two records need not have in common to the second: `created_at ± 2m`."""
CREATE = "true, false, when-supported"


@dataclass(slots=True)
class KnownNames:
    """The names that a sync may refer to."""

    connections: Mapping[str, Connection]
    names: tuple[str, ...] | None
    """Every connection of config/bridge.yaml, also those with problems; None: not known."""
    connectors: Classes
    mapped: Mapping[str, Mapping[str, Iterable[str]]]
    """Connection -> entity -> the fields of its mapping."""
    fields: FieldTable = field(default_factory=lambda: BUILT_IN)
    """The fields that there are."""
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    """(Connection, entity) -> the sync that uses it."""


def compile_syncs(document: Document, known: KnownNames) -> tuple[dict[str, Sync], list[Problem]]:
    """Compile all syncs of the file."""
    if not isinstance(document.data, Mapping) or not document.data:
        return {}, [document.problem((), "must have at least one sync, its rows below its name")]
    syncs: dict[str, Sync] = {}
    problems: list[Problem] = []
    for name, row in document.data.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            problems.append(document.problem((name,), f"is no name; allowed {NAME_RULE}"))
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
    """Compiles one sync, and collects its problems."""

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
            self.known.fields[entity],
            (*members, *self.missed(members)),
            self.mapped(members, entity),
        )
        sync = Sync(
            name=self.name,
            entity=entity,
            members=members,
            policies=policies.read(row.get("fields_"), row.get("on_link")),
            precedence=precedence,
            match=self.match(entity),
            match_age=row.get("match_age", MATCH_AGE),
            delete=row.get("delete", "ignore"),
            leave_scope=row.get("leave_scope", "keep"),
            guard=_guard(row.get("guard", {})),
        )
        self.problems += policies.problems
        self.check_ends(sync)
        return sync

    def check_ends(self, sync: Sync) -> None:
        """Check what is to become of records that are deleted, or leave the sync's scope."""
        if "status" not in BUILT_IN[sync.entity]:
            for key, given, allowed in (
                ("delete", sync.delete, "ignore"),
                ("leave_scope", sync.leave_scope, "keep, detach"),
            ):
                if given in ("close", "delete"):
                    what = f"is {given!r}, and a {sync.entity} has no status; allowed {allowed}"
                    self.wrong((key,), what)
        for name, member in sync.members.items():
            system, capability = self.capability(name, sync.entity)
            never = capability is not None and capability.deletes is Support.NO
            if member.allow_delete and never:
                at: Where = ("members", name, "allow_delete")
                self.wrong(at, f"{system} cannot delete a {sync.entity}; allowed false")
        may_delete = any(member.allow_delete for member in sync.members.values())
        if sync.delete == "delete" and not may_delete:
            what = "is 'delete', and no member has `allow_delete: true`; allowed ignore, close"
            self.wrong(("delete",), what)

    def capability(self, name: str, entity: str) -> tuple[str, EntityCapabilities | None]:
        """Return a connection's system, and what it can do with an entity; None: not known."""
        connection = self.known.connections.get(name)
        if connection is None:
            return "", None
        system = connection.system
        return system, self.known.connectors[system].CAPABILITIES.get(entity)

    def missed(self, members: Iterable[str]) -> tuple[str, ...]:
        """Return the connections that a misspelt member may mean: one typo, one problem."""
        names = self.known.names or ()
        return (
            tuple(name for name in names if name not in members)
            if set(members) - set(names)
            else ()
        )

    def mapped(self, members: Iterable[str], entity: str) -> dict[str, tuple[str, ...]] | None:
        """Return the members that map each field; None when a broken mapping hides them."""
        if any(name not in self.known.mapped for name in members):
            return None
        maps = {name: self.known.mapped[name].get(entity, ()) for name in members}
        mapped = {field for fields in maps.values() for field in fields}
        return {
            field: tuple(name for name, fields in maps.items() if field in fields)
            for field in mapped
        }

    def member(self, name: str, row: Mapping[str, Any], entity: str) -> Member:
        at: Where = ("members", name)
        if self.known.names is not None and name not in self.known.names:
            allowed = ", ".join(sorted(self.known.names))
            self.wrong(at, f"is no connection of config/bridge.yaml; allowed {allowed}")
        elif self.known.taken.setdefault((name, entity), self.name) != self.name:
            other = self.known.taken[name, entity]
            what = f"is in the sync {other} already; allowed one sync for a connection's {entity}s"
            self.wrong(at, what)
        elif name in self.known.mapped and entity not in self.known.mapped[name]:
            file = f"mappings/{self.known.connections[name].mapping}.yaml"
            self.wrong(at, f"{file} has no {entity}; add it there, or leave the member out")
        only, only_names = None, frozenset[str]()
        if "only_" in row:
            only, only_names = self.only(name, row["only_"], entity)
        return Member(
            connection=name,
            create=self.create(name, row.get("create", False), entity),
            only=only,
            only_names=only_names,
            allow_delete=row.get("allow_delete", False),
            options={"tags": row["tags"]}
            if "tags" in row and self.tags(name, row["tags"], entity)
            else {},
        )

    def tags(self, name: str, given: Any, entity: str) -> bool:
        """Return whether a member's options for its tags fit; they replace the mapping's."""
        at: Where = ("members", name, "tags")
        problems = tag_problems(given)
        for where, what in problems:
            self.wrong((*at, *where), what)
        if name in self.known.mapped and "tags" not in self.known.mapped[name].get(entity, ()):
            what = f"the mapping of {name} reads no tags of a {entity}; leave it out"
            self.wrong(at, f"means nothing here: {what}")
            return False
        return not problems

    def create(self, name: str, given: Any, entity: str) -> Support:
        at: Where = ("members", name, "create")
        system, capability = self.capability(name, entity)
        if given is False:
            return Support.NO
        if given is not True and given != "when-supported":
            self.wrong(at, f"is {shown(given)}; allowed {CREATE}")
        elif given is True and capability is not None and capability.creates is Support.NO:
            self.wrong(at, f"{system} cannot create a {entity}; allowed false, when-supported")
        elif given is True:
            return Support.YES
        return Support.PROBED if capability is None else capability.creates

    def only(
        self, name: str, source: str, entity: str
    ) -> tuple[Callable[[Mapping[str, Any]], bool] | None, frozenset[str]]:
        """Compile a filter; return it, and the names that it looks at.

        Unknown names are refused: they would be null, and all might pass.
        """
        at: Where = ("members", name, "only")
        try:
            roots = compile_path(source).roots
            compiled = compile_expression(source)
        except BadPath as error:
            self.wrong(at, str(error))
            return None, frozenset()
        system, capability = self.capability(name, entity)
        if capability is not None:
            for root in sorted(roots - capability.readable - {"@"}):
                what = not_sent(system, root, capability)
                self.wrong(at, f"{what}; text to compare with stands in single quotes")

        def inside(record: Mapping[str, Any]) -> bool:
            try:
                return bool(compiled.search(record))
            except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):
                # The filter compares what this record's types do not allow: it does not match.
                return False

        return inside, roots

    def precedence(self, members: Mapping[str, Member]) -> tuple[str, ...]:
        given = self.row.get("precedence", ())
        for number, name in enumerate(given):
            if name not in (*members, *self.missed(members)):
                what = f"{shown(name)} is no member; allowed {', '.join(members)}"
                self.wrong(("precedence", number), what)
            elif name in given[:number]:
                self.wrong(("precedence", number), f"{shown(name)} stands here twice")
        return (*given, *(name for name in members if name not in given))

    def match(self, entity: str) -> tuple[tuple[MatchTerm, ...], ...]:
        given = self.row.get("match", [])
        if not isinstance(given, list) or not all(
            isinstance(rule, list) and rule for rule in given
        ):
            what = "must be a list of lists of fields, such as [[customer, subject]]"
            self.wrong(("match",), what)
            return ()
        rules = []
        for number, rule in enumerate(given):
            terms = [
                self.term(entity, term, ("match", number, place)) for place, term in enumerate(rule)
            ]
            if all(term is not None and term.within is not None for term in terms):
                what = "has only a window of time; allowed with a field that must be equal"
                self.wrong(("match", number), what)
            rules.append(tuple(term for term in terms if term is not None))
        return tuple(rules)

    def term(self, entity: str, given: Any, at: Where) -> MatchTerm | None:
        window = TERM.fullmatch(given) if isinstance(given, str) else None
        name = window[1] if window else given
        fields = self.known.fields[entity]
        matchable = [name for name in fields if fields[name].kind not in NOT_MATCHED]
        if not isinstance(name, str) or name not in matchable:
            allowed = ", ".join(matchable)
            self.wrong(at, f"is {shown(given)}; allowed {allowed}, or created_at ± 2m")
            return None
        if window is None:
            return MatchTerm(name)
        within = duration(window[2])
        if within is None or fields[name].kind != "datetime":
            what = "allowed a time with a duration, such as created_at ± 2m"
            self.wrong(at, f"is {shown(given)}; {what}")
            return None
        return MatchTerm(name, within)


def _guard(row: Mapping[str, Any]) -> Guard:
    default = Guard()
    return Guard(
        share=row.get("destructive", default.share),
        minimum=row.get("min", default.minimum),
        flips=row.get("flips", default.flips),
        flip_window=row.get("flip_window", default.flip_window),
    )
