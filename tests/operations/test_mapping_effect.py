"""The effect of changed mappings is what a rehearsal of the whole flow foretells, by writes."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest

from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import NotCarried, Unreadable
from bridge.operations.mapping_effect import effect_of
from bridge.preview.dry_run import preview
from tests.flow.taken_away import SYNC, LivingWorld

SWAPPED = {"open": "pending", "pending": "open"}
WORDS = ("new", "open", "pending", "resolved")
RANKS = ("low", "normal", "high")


def changed(context, name, field, **parts):
    """The context by which a connection reads a field otherwise."""
    entity_map = context.maps[name]["ticket"]
    fields = {**entity_map.fields, field: replace(entity_map.fields[field], **parts)}
    maps = {**context.maps, name: {"ticket": replace(entity_map, fields=fields)}}
    return replace(context, maps=maps, taken_in={}, _rules={})


def swapped(context, name, revision="another"):
    """Two words of the status the other way round."""
    was = context.maps[name]["ticket"].fields["status"]
    return changed(
        context,
        name,
        "status",
        revision=revision,
        read=lambda raw: SWAPPED.get(was.read(raw), was.read(raw)),
        write=lambda value: was.write(SWAPPED.get(value, value)),
    )


def written_by_field(writes):
    """Each field that is set once, whatever calls set it."""
    found = Counter()
    for write in writes:
        for name, raw in (write.sent or {"": None}).items():
            found[write.op, write.connection, write.id, name, repr(raw)] += 1
    return found


def look(world, new):
    effects = []
    summary = effect_of(world.ledger, world.everything, new, take=effects.append)
    return summary, [write for effect in effects for write in effect.writes]


def foretold(world, new):
    world.context = new
    try:
        return preview(new, world.ledger, world.connectors, [SYNC], live=False).writes
    finally:
        world.context = world.everything


@pytest.fixture(scope="module")
def world():
    """Tickets of every status and rank on all four systems, edited here and there since."""
    world = LivingWorld("LHPZ")
    for status, priority in itertools.product(WORDS, RANKS):
        made = world.systems["L"].add(
            subject=f"{status} {priority}", status=status, priority=priority, tags=["vip"]
        )
        world.hint("L", made)
    world.settle()
    for number, link in enumerate(world.links()):
        name = "LHP"[number % 3]
        if number % 2:
            world.edit(name, "status", WORDS[number % 4], link=link)
    world.settle()
    world.reconcile()
    return world


def rules_of(context, **policies):
    """The context under which fields have other policies."""
    sync = context.syncs[SYNC]
    sync = replace(sync, policies={**sync.policies, **policies})
    return replace(context, syncs={SYNC: sync}, taken_in={}, _rules={})


def narrower(context):
    """H knows no `resolved` any more, and says nothing of it."""
    was = context.maps["H"]["ticket"].fields["status"]
    return changed(
        context,
        "H",
        "status",
        revision="narrower",
        read=lambda raw: Unreadable("no row") if raw == "resolved" else was.read(raw),
        write=lambda value: NotCarried("no row") if value == "resolved" else was.write(value),
    )


def flat(context):
    """P writes each priority as `high`."""
    return changed(context, "P", "priority", revision="flat", write=lambda value: value and "high")


CHANGES = {
    "L swapped": lambda context: swapped(context, "L"),
    "H swapped": lambda context: swapped(context, "H"),
    "P swapped": lambda context: swapped(context, "P"),
    "Z swapped": lambda context: swapped(context, "Z"),
    "narrower": narrower,
    "flat": flat,
    "other words, same meaning": lambda context: changed(context, "L", "status", revision="2"),
    "owner moved": lambda context: rules_of(context, status=FieldPolicy("owner", owner="H")),
    "sent to nobody": lambda context: rules_of(context, priority=FieldPolicy(to=())),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_what_the_rehearsal_of_the_flow_foretells(world, name):
    new = CHANGES[name](world.everything)
    summary, writes = look(world, new)
    assert written_by_field(writes) == written_by_field(foretold(world, new))
    assert summary.looked_at == len(world.links())
    assert sum(summary.writes.values()) == len(writes)
