"""Ways to answer with records, rows and pages that are not as they should be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.hostile.exchange import IDS, Exchange, id_name, leaves, listed, objects
from tests.hostile.register import DATE, spoiling, way


def first_text(record: dict[str, Any], value: str) -> None:
    """Put a value into the first text field that is no id and no date."""
    for name, old in record.items():
        if isinstance(old, str) and "id" not in name.lower() and not DATE.match(old):
            record[name] = value
            return


@spoiling("huge: 1 MB in one field", lies=True)
def long_field(_call: Exchange, value: Any) -> Any:
    for record in itertools.islice(objects(value), 1):
        first_text(record, "A" * 2**20)
    return value


@spoiling("huge: 100,000 tags on a ticket", lies=True)
def many_tags(_call: Exchange, value: Any) -> Any:
    for record in itertools.islice(objects(value), 1):
        record["tags"] = [f"t{number}" for number in range(100_000)]
    return value


@spoiling("huge: 10,000 rows, the same again and again")
def many_rows(_call: Exchange, value: Any) -> Any:
    for rows in listed(value):
        rows.extend(rows * (10_000 // len(rows)))
        break
    return value


@spoiling("huge: 5,000 fields in a record")
def many_fields(_call: Exchange, value: Any) -> Any:
    for record in itertools.islice(objects(value), 3):
        record |= {f"field_{number}": number for number in range(5_000)}
    return value


@spoiling("values: all null but the id", lies=True)
def all_null(_call: Exchange, value: Any) -> Any:
    for record in list(objects(value)):
        record.update({name: None for name in record if name not in IDS})
    return value


@spoiling("values: all missing but the id", lies=True)
def all_missing(_call: Exchange, value: Any) -> Any:
    for record in list(objects(value)):
        for name in [name for name in record if name not in IDS]:
            del record[name]
    return value


@spoiling("values: of another type", lies=True)
def other_types(call: Exchange, value: Any) -> Any:
    odd: list[Any] = [[], {}, 7, True, 1.5, [[None]], {"a": {"b": []}}, None]

    def change(name: str, leaf: Any) -> Any:
        keep = name in IDS or name.lower().endswith("cursor")
        return leaf if keep else odd[(len(name) + call.count) % len(odd)]

    return leaves(value, change)


@spoiling("values: NaN and infinity")
def not_numbers(_call: Exchange, value: Any) -> Any:
    for record in objects(value):
        record["score"], record["weight"] = float("nan"), float("-inf")
    return value


@spoiling("values: half a character in each text", lies=True)
def half_characters(_call: Exchange, value: Any) -> Any:
    def change(name: str, leaf: Any) -> Any:
        is_text = isinstance(leaf, str) and "id" not in name.lower() and not DATE.match(leaf)
        return leaf + "\ud83d" if is_text and "cursor" not in name.lower() else leaf

    return leaves(value, change)


@spoiling("values: numbers of 70 bits")
def big_numbers(_call: Exchange, value: Any) -> Any:
    return leaves(value, lambda _name, leaf: 2**70 if type(leaf) is int else leaf)


@spoiling("dates: 1970")
def dates_of_1970(_call: Exchange, value: Any) -> Any:
    return _dated(value, "1970-01-01T00:00:00Z")


@spoiling("dates: 9999")
def dates_of_9999(_call: Exchange, value: Any) -> Any:
    return _dated(value, "9999-12-31T23:59:59Z")


@spoiling("dates: none at all")
def no_dates(_call: Exchange, value: Any) -> Any:
    return _dated(value, None)


@spoiling("dates: that nobody can read")
def odd_dates(_call: Exchange, value: Any) -> Any:
    return _dated(value, "the day before yesterday, 25:61")


def _dated(value: Any, date: str | None) -> Any:
    def change(_name: str, leaf: Any) -> Any:
        return date if isinstance(leaf, str) and DATE.match(leaf) else leaf

    return leaves(value, change)


@spoiling("rows: that are no records")
def no_records(_call: Exchange, value: Any) -> Any:
    for rows in listed(value):
        rows[:] = [None, "row", 7, [], [{}], {}]
        break
    return value


@spoiling("rows: without ids")
def no_ids(_call: Exchange, value: Any) -> Any:
    for record in list(objects(value)):
        for name in IDS:
            record.pop(name, None)
    return value


@spoiling("rows: each twice, the second otherwise", lies=True)
def twice(_call: Exchange, value: Any) -> Any:
    for rows in listed(value):
        seconds = [dict(row) for row in rows]
        for row in seconds:
            first_text(row, "another text")
        rows.extend(seconds)
        break
    return value


@spoiling("ids: of another record than was asked for")
def strangers(call: Exchange, value: Any) -> Any:
    for record in objects(value):
        name = id_name(record)
        if str(record[name]) in call.target:
            record[name] = str(record[name])[:-3] + "abc"
    return value


@spoiling("ids: `..`")
def dots(_call: Exchange, value: Any) -> Any:
    return _identified(value, lambda _number: "..")


@spoiling("ids: of 10,000 characters")
def long_ids(_call: Exchange, value: Any) -> Any:
    return _identified(value, lambda number: f"{number}" + "x" * 10_000)


@spoiling("ids: with line breaks and controls")
def breaking_ids(_call: Exchange, value: Any) -> Any:
    return _identified(value, lambda number: f"a{number}\r\nX-Injected: yes\r\n\x00\x1b[31m")


def _identified(value: Any, make: Callable[[int], str]) -> Any:
    for rows in listed(value):
        for number, row in enumerate(rows):
            row[id_name(row)] = make(number)
        break
    return value


@way("rows: all have vanished")
def vanished(call: Exchange) -> None:
    reply = call.real()
    if reply.status >= 300 or call.method != "GET":
        call.pass_on(reply)
        return
    value = reply.json()
    lists = list(listed(value))
    if not lists:
        call.send(404, b'{"error": {"code": "NOT_FOUND", "message": "Not found"}}')
        return
    for rows in lists:
        rows.clear()
    call.send_json(reply, value)


@spoiling("pages: the next one is this one")
def same_page(call: Exchange, value: Any) -> Any:
    return _leading(value, call.here + call.target, "same")


@spoiling("pages: the next one is at another host")
def page_elsewhere(call: Exchange, value: Any) -> Any:
    return _leading(value, call.elsewhere + "/next", call.elsewhere + "/next")


@spoiling("pages: ever another one")
def ever_more(call: Exchange, value: Any) -> Any:
    return _leading(value, f"{call.here}{call.target}&at={call.count}", f"at{call.count}")


def _leading(value: Any, link: str, cursor: str) -> Any:
    """Let every field that leads to the next page lead there."""
    for holder in _all_objects(value):
        for name in holder:
            if "cursor" in name.lower():
                holder[name] = cursor
            elif name == "next":
                holder[name] = link
            elif name in {"has_more", "hasMore", "has_next"}:
                holder[name] = True
    return value


@spoiling("pages: a total that changes with each")
def odd_total(call: Exchange, value: Any) -> Any:
    for holder in _all_objects(value):
        for name in ("count", "total", "total_count", "totalPages"):
            if name in holder:
                holder[name] = (call.count * 7919) % 1000 - 5
    return value


def _all_objects(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _all_objects(inner)
