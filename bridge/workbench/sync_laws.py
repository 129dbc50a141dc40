"""Laws of syncs: match rules and policies that can work, and no record copied round in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bridge.core.mapping.agent_table import LEAVE, UNASSIGN
from bridge.core.mapping.transforms import AGENT
from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import MatchTerm, Sync
from bridge.workbench.carriers import Carrier, some
from bridge.workbench.proof_findings import ProofFinding, ProofSubject, Severity, of_sync

TWO: Final = 2
"""Members that must show a field, so that it can say of two records that they are one."""
MAX_PEOPLE: Final = 1_000
"""Rows of agents.yaml that are looked at for one field."""


def check_match(
    subject: ProofSubject, sync: Sync, by_field: Mapping[str, Sequence[Carrier]]
) -> Iterator[ProofFinding]:
    """Yield match rules by which nothing is ever found, and a sync that needs one and has none."""
    for number, rule in enumerate(sync.match):
        why, field = _why_never(rule, sync.match[:number], by_field)
        if why:
            at = subject.places.in_syncs(sync.name, "match", number)
            yield of_sync(sync, "unreachable", "warning", at, why, field=field)
    if not sync.match:
        yield from _made_twice(subject, sync, by_field)


def _why_never(
    rule: Sequence[MatchTerm],
    before: Sequence[Sequence[MatchTerm]],
    by_field: Mapping[str, Sequence[Carrier]],
) -> tuple[str, str]:
    """Return why a rule never finds what no other found, and the field that it is about."""
    for term in rule:
        showing = [each.connection for each in by_field.get(term.field, ())]
        if len(showing) < TWO:
            who = f"only {showing[0]} shows" if showing else "no member shows"
            what = f"{who} {term.field}, so no two records are ever the same by this rule"
            return what, term.field
    wider = next((each for each in before if _covers(each, rule)), None)
    if wider is None:
        return "", ""
    return f"does nothing: whatever it finds, [{_rule_words(wider)}] has found before", ""


def _made_twice(
    subject: ProofSubject, sync: Sync, by_field: Mapping[str, Sequence[Carrier]]
) -> Iterator[ProofFinding]:
    """Yield that what several members have would be made again, for nothing says it is the same."""
    able = {each: subject.capabilities.get(each, {}).get(sync.entity) for each in sync.members}
    begins = [each for each, can in able.items() if can is not None and can.originates]
    makes = [
        each
        for each in begins
        if (can := able[each]) is not None
        and Support.NO not in (sync.members[each].create, can.creates)
    ]
    if len(begins) > 1 and makes:
        what = (
            f"nothing says which {sync.entity}s are the same: what {some(begins)} each have "
            f"already would be made once more at {some(makes)}"
        )
        at = subject.places.in_syncs(sync.name)
        keys = [
            name for name in ("customer", "email", "subject") if len(by_field.get(name, ())) > 1
        ]
        proposed = f"match: [[{', '.join(keys)}]]" if keys else "match: [[…]]"
        yield of_sync(sync, "no-match", "warning", at, what, begins, proposed=proposed)


def _covers(wide: Sequence[MatchTerm], narrow: Sequence[MatchTerm]) -> bool:
    """Return whether whatever the narrow rule finds, the wide one finds, too."""
    of_narrow = {term.field: term for term in narrow}
    for term in wide:
        other = of_narrow.get(term.field)
        if other is None:
            return False
        if term.within is not None and (other.within is None or other.within > term.within):
            return other.within is None
        if term.within is None and other.within is not None:
            return False
    return True


def _rule_words(rule: Sequence[MatchTerm]) -> str:
    return ", ".join(
        term.field if term.within is None else f"{term.field} ± {term.within.total_seconds():g}s"
        for term in rule
    )


def check_policy(
    subject: ProofSubject, sync: Sync, carriers: Sequence[Carrier]
) -> Iterator[ProofFinding]:
    """Yield what a field's policy asks for and can never happen."""
    name, policy = carriers[0].field.name, carriers[0].policy
    mapping_it = {each.connection: each for each in carriers}
    at = subject.places.in_syncs(sync.name, "fields", name)
    declared = subject.places.says(sync.name, "fields", name)
    for member in (policy.to or ()) if declared else ():
        there = mapping_it.get(member)
        if there is None or there.map.write_key is None:
            what = f"{name} is to be sent to {member}, whose mapping "
            what += "has no such field" if there is None else "only reads it"
            yield of_sync(sync, "policy", "warning", at, what, [member], field=name)
    if policy.on_link in sync.members and policy.on_link not in mapping_it and len(carriers) > 1:
        where = subject.places.in_syncs(sync.name, "on_link", name)
        if subject.places.says(sync.name, "on_link", name):
            what = f"{policy.on_link} is to win where two records meet, and shows no {name}"
            others = list(mapping_it)
            yield of_sync(
                sync, "policy", "warning", where, what, [policy.on_link], field=name,
                proposed=f"{name}: {others[0]}",
            )  # fmt: skip


def check_people(subject: ProofSubject, carriers: Sequence[Carrier]) -> Iterator[ProofFinding]:
    """Yield people whom a mapping names and agents.yaml does not know, or has no name for."""
    if carriers[0].field.kind != AGENT:
        return
    everybody = {email for table in subject.people.values() for email in table.people}
    for carrier in carriers:
        default, table = carrier.declared.parts.default, subject.people.get(carrier.connection)
        if default is not None and default not in everybody:
            what = f"{default} is in no row of agents.yaml: nobody would be in charge elsewhere"
            yield carrier.finding(
                "people", "refused", carrier.at(subject, "default"), what,
                proposed=f"- {{email: {default}, …}} in mappings/agents.yaml",
            )  # fmt: skip
        if table is None or not carrier.writes:
            continue
        lacking = sorted(everybody - table.people.keys())[:MAX_PEOPLE]
        if lacking:
            nobody = len(lacking) == len(everybody)
            who = "no row of agents.yaml has" if nobody else f"the rows of {some(lacking)} have no"
            what = (
                f"{who} a name for {carrier.connection}"
                if nobody
                else (f"{who} name for {carrier.connection}")
            )
            what += ": who is in charge there is left as it is, until a record shows their address"
            severity: Severity = "warning" if nobody else "note"
            yield carrier.finding(
                "people", severity, subject.places.in_agents("agents"), what,
                proposed=f"{carrier.connection}: … in the row of {lacking[0]}",
            )  # fmt: skip
        stand_in = table.unmapped
        if stand_in not in (LEAVE, UNASSIGN) and stand_in not in table.people:
            what = f"strangers become {stand_in}, who has no name at {carrier.connection}"
            yield carrier.finding(
                "people", "warning", subject.places.in_agents("unmapped"), what,
                proposed=f"{carrier.connection}: … in the row of {stand_in}",
            )  # fmt: skip


def check_accounts(subject: ProofSubject) -> Iterator[ProofFinding]:
    """Yield fields of one account's records that two syncs would write."""
    writers: dict[tuple[str, str], list[tuple[Sync, str]]] = {}
    for sync in subject.syncs.values():
        for name in sync.members:
            account = subject.accounts.get(name)
            if account is not None:
                writers.setdefault((account, sync.entity), []).append((sync, name))
    for (_account_key, entity), found in writers.items():
        (sync, name), *others = found
        for other, there in others:
            if there == name or other is sync:
                continue  # one account twice in a sync is seen with the settings, sandboxes apart
            if all(each.members[member].only is not None for each, member in found):
                continue
            fields = _written(subject, sync, name) & _written(subject, other, there)
            if not fields:
                continue
            what = (
                f"{name} and {there} are one account, so {some(sorted(fields))} of one {entity} "
                f"would be written by {sync.name} and by {other.name}: "
                "give each member an `only`, so that no record is in both"
            )
            at = subject.places.in_syncs(other.name, "members", there)
            yield of_sync(other, "two-syncs", "refused", at, what, [name, there])


def _written(subject: ProofSubject, sync: Sync, name: str) -> set[str]:
    compiled = subject.compiled.get(name, {}).get(sync.entity)
    fields = compiled.fields if compiled is not None else {}
    return {field for field, declared in fields.items() if declared.map.write_key is not None}


def check_circles(subject: ProofSubject) -> Iterator[ProofFinding]:
    """Yield syncs whose records another takes for new ones: copies of copies, without an end."""
    takers = _takers(subject)
    next_of = {name: _takes_in(subject, sync, takers) for name, sync in subject.syncs.items()}
    reported: set[frozenset[str]] = set()
    for name, following in next_of.items():
        for other, (maker, taker) in following.items():
            circle = _way_back(next_of, other, name)
            syncs = frozenset((name, *circle))
            if circle and syncs in reported:
                continue
            taking = subject.syncs[other]
            what = f"what {name} makes at {maker} is among the {taking.entity}s that {other} takes "
            what += f"in from {taker}"
            if circle:
                reported.add(syncs)
                way = " → ".join((name, *circle))
                what += f", and so on in a circle ({way}): it would be copied without an end"
            else:
                what += ": it would be copied on as if somebody had written it"
            yield of_sync(
                taking,
                "circle" if circle else "chain",
                "refused" if circle else "warning",
                subject.places.in_syncs(other, "members", taker),
                f"{what}; leave it out there",
                [maker, taker],
                proposed=f'{taker}: {{only: "…"}}',
            )


Takers = Mapping[tuple[str, str], Sequence[tuple[str, str]]]
"""Account and entity -> the syncs that take such records in, each with its member."""


def _takers(subject: ProofSubject) -> Takers:
    """Return which syncs take in whatever is in an account."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for sync in subject.syncs.values():
        for name, member in sync.members.items():
            can = subject.capabilities.get(name, {}).get(sync.entity)
            if can is not None and member.only is None and can.originates:
                account = subject.accounts.get(name, name)
                found.setdefault((account, sync.entity), []).append((sync.name, name))
    return found


def _takes_in(subject: ProofSubject, sync: Sync, takers: Takers) -> dict[str, tuple[str, str]]:
    """Return the syncs that take in what this one makes, each with who makes and who takes it."""
    found: dict[str, tuple[str, str]] = {}
    for maker, member in sync.members.items():
        able = subject.capabilities.get(maker, {}).get(sync.entity)
        if able is None or Support.NO in (member.create, able.creates):
            continue
        account = subject.accounts.get(maker, maker)
        for entity in (sync.entity, *sorted(able.also_as)):
            for other, taker in takers.get((account, entity), ()):
                if other != sync.name:
                    found.setdefault(other, (maker, taker))
    return found


def _way_back(
    next_of: Mapping[str, Mapping[str, tuple[str, str]]], start: str, goal: str
) -> list[str]:
    """Return the syncs from one to another, both included; empty: none leads there."""
    before: dict[str, str] = {start: ""}
    waiting = [start]
    while waiting:
        here = waiting.pop(0)
        if here == goal:
            way = [here]
            while before[here]:
                here = before[here]
                way.append(here)
            return way[::-1]
        for other in next_of[here]:
            if other not in before:
                before[other] = here
                waiting.append(other)
    return []
