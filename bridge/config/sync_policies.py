"""Reads the policies of a sync's fields, and fills in the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from marshmallow import ValidationError

from bridge.config.schemas import PolicySchema
from bridge.config.yaml_reader import Where
from bridge.core.model.entities import Field
from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import shown

Word = Literal["latest", "owner", "merge", "manual", "first"]
WORDS = get_args(Word)
OTHERS = "*"
"""The name that stands for all fields without a policy of their own."""
_FORMS = "latest, merge, manual, first, {owner: <connection>}"


class PolicyReader:
    """Reads `fields` and `on_link` of a sync; every field of the entity gets a policy."""

    def __init__(
        self,
        known: Mapping[str, Field],
        members: tuple[str, ...],
        mapped: Mapping[str, tuple[str, ...]] | None,
    ) -> None:
        self.known, self.members, self.mapped = known, members, mapped
        self.problems: list[tuple[Where, str]] = []

    def read(self, fields: Any, on_link: Any) -> dict[str, FieldPolicy]:
        """Return the policy of every field."""
        rows, on_link_rows = self.named("fields", fields), self.named("on_link", on_link)
        declared = {name: self.policy(name, row) for name, row in rows.items()}
        on_link_of = {name: self.link(name, given) for name, given in on_link_rows.items()}
        default = declared.get(OTHERS, FieldPolicy())
        policies: dict[str, FieldPolicy] = {}
        for name, field in self.known.items():
            policy = declared.get(name, default)
            is_set = field.kind == "set"
            if is_set and name not in declared and policy.policy == "latest":
                policy = FieldPolicy("merge", to=policy.to)
            default_on_link = "union" if is_set else on_link_of.get(OTHERS, "")
            policies[name] = replace(policy, on_link=on_link_of.get(name, default_on_link))
        return policies

    def wrong(self, where: Where, what: str) -> None:
        """Add a problem."""
        self.problems.append((where, what))

    def named(self, key: str, given: Any) -> Mapping[str, Any]:
        """Check the field names of one of the two tables."""
        if given is None:
            return {}
        allowed = ", ".join(("'*'", *self.known))
        if not isinstance(given, Mapping):
            self.wrong((key,), f"must have rows such as key: value; allowed keys {allowed}")
            return {}
        for name in given:
            if name != OTHERS and name not in self.known:
                self.wrong((key, name), f"no such field; allowed {allowed}")
            elif name != OTHERS and self.mapped is not None and name not in self.mapped:
                mapped = ", ".join(sorted(self.mapped))
                self.wrong((key, name), f"no member maps this field; allowed {mapped}")
        return given

    def policy(self, name: str, row: Any) -> FieldPolicy:
        """Read one policy: a word, or a mapping with an owner or receivers."""
        at: Where = ("fields", name)
        if isinstance(row, str) and row in WORDS and row != "owner":
            return self.fitting(at, name, FieldPolicy(row))  # type: ignore[arg-type]
        if not isinstance(row, Mapping):
            self.wrong(at, f"is {shown(row)}; allowed {_FORMS}")
            return FieldPolicy()
        loaded = self.long_form(at, row)
        if loaded is None:
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

    def long_form(self, at: Where, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Load a policy that is a mapping; None when it has problems."""
        try:
            loaded: dict[str, Any] = PolicySchema().load(row)
        except ValidationError as error:
            for key, whats in error.normalized_messages().items():  # type: ignore[no-untyped-call]
                for what in whats if isinstance(whats, list) else [str(whats)]:
                    self.wrong(at if key == "_schema" else (*at, key), str(what))
            return None
        return loaded

    def members_of(self, at: Where, name: str, owner: str, to: Sequence[str]) -> None:
        """Refuse owners and receivers that are not members, and owners without the field."""
        for key, names in (("owner", [owner] if owner else []), ("to", to)):
            for member in names:
                if member not in self.members:
                    allowed = ", ".join(self.members)
                    self.wrong((*at, key), f"{shown(member)} is no member; allowed {allowed}")
        # An owner that never shows the field would never set it, and all edits would be reverted.
        mapping_it = (self.mapped or {}).get(name, ())
        if mapping_it and owner in self.members and owner not in mapping_it:
            what = f"the mapping of {owner} has no {name}; allowed {', '.join(mapping_it)}"
            self.wrong((*at, "owner"), what)

    def fitting(self, at: Where, name: str, policy: FieldPolicy) -> FieldPolicy:
        """Refuse a policy that does not fit the kind of field."""
        if policy.policy == "merge" and name in self.known and self.known[name].kind != "set":
            allowed = "latest, manual, first, {owner: <connection>}"
            self.wrong(at, f"merge is for sets, element by element; allowed {allowed}")
        return policy

    def link(self, name: str, given: Any) -> str:
        """Read who wins when records are linked for the first time."""
        is_set = name in self.known and self.known[name].kind == "set"
        allowed = [*self.members, "manual", *(["union"] if is_set else [])]
        if isinstance(given, str) and given in allowed:
            return given
        self.wrong(("on_link", name), f"is {shown(given)}; allowed {', '.join(allowed)}")
        return ""
