"""What the files say after an admin took a connection out of them, or gave one another name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bridge.core.model.syncs import FieldPolicy, Sync
from bridge.engine.context import Context

MIN_MEMBERS: Final = 2
"""A sync with fewer is refused by `bridge check`, so an admin takes it out as well."""


def without(context: Context, gone: str) -> Context:
    """Return the context by files that no longer name a connection, anywhere."""
    syncs = {name: _sync_without(sync, gone) for name, sync in context.syncs.items()}
    return _restarted(
        context,
        {name: name for name in context.connections if name != gone},
        {name: sync for name, sync in syncs.items() if len(sync.members) >= MIN_MEMBERS},
    )


def renamed(context: Context, old: str, new: str) -> Context:
    """Return the context by files that call a connection otherwise, everywhere."""
    return _restarted(
        context,
        {new if name == old else name: name for name in context.connections},
        {name: _sync_renamed(sync, old, new) for name, sync in context.syncs.items()},
    )


def _restarted(context: Context, names: Mapping[str, str], syncs: Mapping[str, Sync]) -> Context:
    """Return what a new process has: by name now, what was under a name before; nothing learned."""
    return replace(
        context,
        connections={
            new: replace(context.connections[old], name=new) for new, old in names.items()
        },
        syncs=syncs,
        maps={new: context.maps[old] for new, old in names.items()},
        capabilities={new: context.capabilities[old] for new, old in names.items()},
        directory={new: context.directory[old] for new, old in names.items()},
        probes={},
        taken_in={},
        _rules={},
    )


def _sync_without(sync: Sync, gone: str) -> Sync:
    return replace(
        sync,
        members={name: member for name, member in sync.members.items() if name != gone},
        policies={name: _policy_without(policy, gone) for name, policy in sync.policies.items()},
        precedence=tuple(name for name in sync.precedence if name != gone),
    )


def _policy_without(policy: FieldPolicy, gone: str) -> FieldPolicy:
    return replace(
        policy,
        policy="latest" if policy.owner == gone else policy.policy,
        owner="" if policy.owner == gone else policy.owner,
        to=None if policy.to is None else tuple(name for name in policy.to if name != gone),
        on_link="" if policy.on_link == gone else policy.on_link,
    )


def _sync_renamed(sync: Sync, old: str, new: str) -> Sync:
    def named(name: str) -> str:
        return new if name == old else name

    def policy_named(policy: FieldPolicy) -> FieldPolicy:
        return replace(
            policy,
            owner=named(policy.owner),
            to=None if policy.to is None else tuple(map(named, policy.to)),
            on_link=named(policy.on_link),
        )

    return replace(
        sync,
        members={
            named(name): replace(member, connection=named(name))
            for name, member in sync.members.items()
        },
        policies={name: policy_named(policy) for name, policy in sync.policies.items()},
        precedence=tuple(map(named, sync.precedence)),
    )
