"""The policies of a sync's fields: what is declared for each, with the defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from marshmallow import ValidationError

from bridge.config.schemas import PolicySchema
from bridge.config.yaml_reader import Where
from bridge.core.mapping.transforms import shown
from bridge.core.model.entities import ENTITIES
from bridge.core.model.syncs import FieldPolicy

Word = Literal["latest", "owner", "merge", "manual", "first"]
WORDS = get_args(Word)
REST = "*"
_FORMS = "latest, merge, manual, first, {owner: <connection>}"


class PolicyReader:
    """Reads `fields` and `on_link`. Every field of the entity gets a policy."""

    def __init__(
        self, entity: str, members: tuple[str, ...], mapped: Mapping[str, tuple[str, ...]] | None
    ) -> None:
        self.known, self.members, self.mapped = ENTITIES[entity], members, mapped
        self.problems: list[tuple[Where, str]] = []

    def read(self, fields: Any, on_link: Any) -> dict[str, FieldPolicy]:
        """Give the policy of every field."""
        declared, links = self.named("fields", fields), self.named("on_link", on_link)
        found = {name: self.policy(name, row) for name, row in declared.items()}
        rest = found.get(REST, FieldPolicy())
        made: dict[str, FieldPolicy] = {}
        linked = {name: self.link(name, given) for name, given in links.items()}
        for name, field in self.known.items():
            policy = found.get(name, rest)
            is_set = field.kind == "set"
            if is_set and name not in found and policy.policy == "latest":
                policy = FieldPolicy("merge", to=policy.to)
            usual = "union" if is_set else linked.get(REST, "")
            made[name] = FieldPolicy(
                policy=policy.policy,
                owner=policy.owner,
                revert=policy.revert,
                to=policy.to,
                on_link=linked.get(name, usual),
            )
        return made

    def wrong(self, where: Where, what: str) -> None:
        """Note a problem."""
        self.problems.append((where, what))

    def named(self, key: str, given: Any) -> Mapping[str, Any]:
        """Check the field names of one of the two tables."""
        if given is None:
            return {}
        allowed = ", ".join(("'*'", *self.known))
        if not isinstance(given, Mapping):
            self.wrong((key,), f"must be a mapping; allowed keys {allowed}")
            return {}
        for name in given:
            if name != REST and name not in self.known:
                self.wrong((key, name), f"no such field; allowed {allowed}")
            elif name != REST and self.mapped is not None and name not in self.mapped:
                self.wrong(
                    (key, name),
                    f"no member maps this field; allowed {', '.join(sorted(self.mapped))}",
                )
        return given

    def policy(self, name: str, row: Any) -> FieldPolicy:
        """Read one policy: a word, or a mapping with an owner or receivers."""
        at: Where = ("fields", name)
        if isinstance(row, str) and row in WORDS and row != "owner":
            return self.fitting(at, name, FieldPolicy(row))  # type: ignore[arg-type]
        if not isinstance(row, Mapping):
            self.wrong(at, f"is {shown(row)}; allowed {_FORMS}")
            return FieldPolicy()
        try:
            loaded = PolicySchema().load(row)
        except ValidationError as error:
            for key, whats in error.normalized_messages().items():  # type: ignore[no-untyped-call]
                for what in whats if isinstance(whats, list) else [str(whats)]:
                    self.wrong(at if key == "_schema" else (*at, key), str(what))
            return FieldPolicy()
        owner, to = loaded.get("owner", ""), loaded.get("to")
        word: Word = loaded.get("policy", "owner" if owner else "latest")
        if (word == "owner") != bool(owner):
            what = "needs an owner" if word == "owner" else f"is {word}, which has no owner"
            self.wrong((*at, "policy"), f"{what}; allowed {_FORMS}")
        self.members_of(at, name, owner, to or [])
        return self.fitting(
            at, name, FieldPolicy(word, owner, revert=loaded.get("revert", True), to=to)
        )

    def members_of(self, at: Where, name: str, owner: str, to: Sequence[str]) -> None:
        """Refuse an owner and receivers that are no members, and an owner whose mapping lacks the field."""
        for key, names in (("owner", [owner] if owner else []), ("to", to)):
            for each in names:
                if each not in self.members:
                    self.wrong(
                        (*at, key), f"{shown(each)} is no member; allowed {', '.join(self.members)}"
                    )
        # What an owner never shows would stay as it is for ever, and everybody's edits be put back.
        able = (self.mapped or {}).get(name, ())
        if able and owner in self.members and owner not in able:
            self.wrong(
                (*at, "owner"), f"the mapping of {owner} has no {name}; allowed {', '.join(able)}"
            )

    def fitting(self, at: Where, name: str, policy: FieldPolicy) -> FieldPolicy:
        """Refuse a policy that does not fit the kind of field."""
        if policy.policy == "merge" and name in self.known and self.known[name].kind != "set":
            self.wrong(
                at,
                "merge is for sets, element by element; allowed latest, manual, first, {owner: <connection>}",
            )
        return policy

    def link(self, name: str, given: Any) -> str:
        """Read who wins at first contact."""
        is_set = name in self.known and self.known[name].kind == "set"
        allowed = [*self.members, "manual", *(["union"] if is_set else [])]
        if isinstance(given, str) and given in allowed:
            return given
        self.wrong(("on_link", name), f"is {shown(given)}; allowed {', '.join(allowed)}")
        return ""
