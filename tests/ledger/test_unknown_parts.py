"""What no file knows, as it is kept: counted over processes, bounded, forgotten in the end."""

from datetime import timedelta

from bridge.core.mapping.unknown_fields import FIELD, MAX_NAMES, OTHERS, VALUE, Sighting
from bridge.core.mapping.value_shapes import ValueShape
from bridge.ledger import unknown_parts


def seen(at, *values, name="stage"):
    shape = ValueShape()
    for number, value in enumerate(values):
        shape.add(name, value, f"r{number}")
    return Sighting(len(values), at, at, shape)


def place(name, kind=FIELD, connection="L", value=""):
    return (connection, "ticket", kind, name, value)


def stored(ledger):
    with ledger.read() as tx:
        return {(part.connection, part.field): part for part in unknown_parts.all_parts(tx)}


def test_what_processes_note_is_added_up(ledger, now):
    later = now + timedelta(minutes=1)
    for at, words in ((now, ["archived"] * 3), (later, ["active"] * 4), (now, [None])):
        with ledger.transaction() as tx:
            unknown_parts.store(tx, [(place("stage"), seen(at, *words))])
    (part,) = stored(ledger).values()
    assert (part.seen, part.first_seen, part.last_seen) == (8, now, later)
    assert part.shape == {
        "kinds": ["null", "text"],
        "longest": 8,
        "words": ["active", "archived"],
        "open": False,
    }
    with ledger.transaction() as tx:
        unknown_parts.store(tx, [(place("stage"), seen(now, "Mary Bishop"))])
        unknown_parts.store(tx, [(place("stage"), seen(now, *["archived"] * 3))])
    (part,) = stored(ledger).values()
    assert (part.shape["words"], part.shape["open"]) == ([], True)  # once open, always


def test_so_many_names_of_a_connection_are_kept_and_the_others_under_one(ledger, now):
    for batch in range(4):
        names = [f"f{chr(97 + batch)}{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(50)]
        with ledger.transaction() as tx:
            unknown_parts.store(tx, [(place(name), seen(now, 1)) for name in names])
    with ledger.transaction() as tx:
        unknown_parts.store(tx, [(place("colour", connection="R"), seen(now, 1))])
    found = stored(ledger)
    of_one = [part for (name, _field), part in found.items() if name == "L"]
    assert len(of_one) == MAX_NAMES + 1
    assert found["L", OTHERS].seen == 200 - MAX_NAMES
    assert found["L", OTHERS].shape == {}
    assert ("R", "colour") in found


def test_what_was_dismissed_counts_on_and_makes_room(ledger, now):
    with ledger.transaction() as tx:
        names = [place(f"f{chr(97 + n % 26)}{chr(97 + n // 26)}") for n in range(MAX_NAMES)]
        unknown_parts.store(tx, [(name, seen(now, 1)) for name in names])
        first = names[0][3]
        assert unknown_parts.dismiss(tx, "L", "ticket", first, now) == 1
        assert unknown_parts.dismiss(tx, "L", "ticket", first, now) == 0
        assert unknown_parts.dismiss(tx, "L", "ticket", "nothing", now) == 0
        unknown_parts.store(tx, [(names[0], seen(now, 1)), (place("new"), seen(now, 1))])
    found = stored(ledger)
    assert (found["L", first].seen, found["L", first].dismissed_at) == (2, now)
    assert ("L", "new") in found
    assert ("L", OTHERS) not in found


def test_ignored_values_of_one_field_are_told_apart(ledger, now):
    with ledger.transaction() as tx:
        for value in ("'archived'", "'gone'", "'gone'"):
            unknown_parts.store(tx, [(place("status", VALUE, value=value), seen(now, None))])
    with ledger.read() as tx:
        found = [(part.value, part.seen) for part in unknown_parts.all_parts(tx)]
    assert found == [("'gone'", 2), ("'archived'", 1)]


def test_what_was_not_seen_for_long_is_forgotten(ledger, now):
    with ledger.transaction() as tx:
        unknown_parts.store(tx, [(place("old"), seen(now, 1))])
        unknown_parts.store(tx, [(place("new"), seen(now + timedelta(days=2), 1))])
        unknown_parts.prune(tx, now + timedelta(days=1))
    assert {field for _name, field in stored(ledger)} == {"new"}
