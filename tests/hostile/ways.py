"""The ways in which a vendor answers wrongly: each a function that is handed one call.

Most let the account do what was asked, and spoil the answer. So a write may have landed of which
the bridge learns nothing, and once the vendor is well its account is as whole as ever.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.hostile.exchange import Exchange, leaves, listed, objects

Way = Callable[[Exchange], None]
WAYS: dict[str, Way] = {}
"""By name, which is what the table in docs/reliability.md says: `slow: status line`."""

LIES: set[str] = set()
"""Ways in which values are shown that are plausible and untrue. Nobody can tell them from edits."""

DATE = re.compile(r"\d{4}-\d\d-\d\dT")
YEAR_SECONDS = 31_536_000


def way(name: str) -> Callable[[Way], Way]:
    """Enter a way into the table."""

    def enter(act: Way) -> Way:
        assert name not in WAYS, name
        WAYS[name] = act
        return act

    return enter


# --- slow, endless, broken off


@way("slow: no answer at all")
def no_answer(call: Exchange) -> None:
    while call.goes_on(0.2):
        pass


@way("slow: status line")
def slow_status_line(call: Exchange) -> None:
    call.real()
    call.drip(b"HTTP/1.1 200 " + b"O" * 200, 0.3)


@way("slow: a header line every 0.3 s")
def slow_headers(call: Exchange) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        call.raw(f"X-Line-{number}: more\r\n".encode())
        if not call.goes_on(0.3):
            return


@way("slow: the body, byte by byte")
def slow_body(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", f"Content-Length: {10**6}")
    call.drip(b" " * 1000, 0.3)


@way("endless: interim answers")
def interim_answers(call: Exchange) -> None:
    while call.goes_on(0.01):
        call.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


@way("endless: header lines")
def endless_headers(call: Exchange) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\n")
    while call.goes_on():
        call.raw(b"".join(b"X-%d: y\r\n" % number for number in range(500)))


@way("endless: one header line")
def endless_header(call: Exchange) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while call.goes_on():
        call.raw(b"y" * 65_536)


@way("endless: body")
def endless_body(call: Exchange) -> None:
    call.head(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
    piece = b"[" * 65_536
    while call.goes_on():
        call.raw(b"%x\r\n%b\r\n" % (len(piece), piece))


@way("broken: reset before an answer")
def reset_before(call: Exchange) -> None:
    call.hang_up(reset=True)


@way("broken: reset after the work is done")
def reset_after(call: Exchange) -> None:
    call.real()
    call.hang_up(reset=True)


@way("broken: reset within the body")
def reset_within(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", f"Content-Length: {10**5}")
    call.raw(reply.body[:20])
    call.hang_up(reset=True)


@way("broken: closed without a word")
def closed(call: Exchange) -> None:
    call.hang_up()


@way("broken: longer than it says")
def longer(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", "Content-Length: 10")
    call.raw(reply.body)
    call.hang_up()


@way("broken: shorter than it says")
def shorter(call: Exchange) -> None:
    reply = call.real()
    call.head(
        reply.status, "Content-Type: application/json", f"Content-Length: {len(reply.body) + 99}"
    )
    call.raw(reply.body)
    call.hang_up()


@way("broken: a length that is no number")
def odd_length(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", "Content-Length: -1e9")
    call.raw(reply.body)
    call.hang_up()


@way("broken: chunks that are none")
def odd_chunks(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", "Transfer-Encoding: chunked")
    call.raw(b"zz\r\n" + reply.body)
    call.hang_up()


@way("broken: another protocol")
def no_http(call: Exchange) -> None:
    call.raw(b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(range(256)))
    call.hang_up()


@way("broken: a status that is none")
def odd_status(call: Exchange) -> None:
    call.raw(b"HTTP/1.1 nine Hundred\r\nContent-Length: 0\r\n\r\n")
    call.hang_up()


# --- bodies that are none


@way("body: empty, with 200")
def empty(call: Exchange) -> None:
    call.real()
    call.send(200)


@way("body: a web page, with 200")
def web_page(call: Exchange) -> None:
    call.real()
    call.send(200, b"<!doctype html><title>Sign in</title>" + b"<p>" * 2000, kind="text/html")


@way("body: JSON cut short")
def cut_short(call: Exchange) -> None:
    reply = call.real()
    call.send(reply.status, reply.body[: len(reply.body) * 2 // 3])


@way("body: called something else")
def octets(call: Exchange) -> None:
    reply = call.real()
    call.send(reply.status, reply.body, kind="application/octet-stream; charset=x-none")


@way("body: an error, with 200")
def error_as_success(call: Exchange) -> None:
    call.real()
    call.send(200, b'{"error": {"code": "INTERNAL", "message": "Something went wrong"}}')


@way("body: a bare value")
def bare_value(call: Exchange) -> None:
    reply = call.real()
    call.send(reply.status, (b"null", b"[]", b'"ok"', b"7", b"true")[call.count % 5])


@cache
def bomb() -> bytes:
    """Return 256 MB of blanks, packed."""
    return gzip.compress(b" " * 2**20, 9) * 256


@way("huge: 256 MB packed into 260 kB")
def packed_bomb(call: Exchange) -> None:
    call.real()
    call.send(200, bomb(), "Content-Encoding: gzip")


@way("huge: 190 kB of one key again and again")
def same_keys(call: Exchange) -> None:
    reply = call.real()
    call.send(reply.status, b"{" + b'"id":"1",' * 21_000 + b'"id":"1"}')


@way("huge: nested 10,000 deep")
def nested(call: Exchange) -> None:
    reply = call.real()
    call.send(reply.status, b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}")


# --- records that are wrong


def spoiling(name: str, *, lies: bool = False) -> Callable[[Callable[[Exchange, Any], Any]], Way]:
    """Enter a way that changes the body of a right answer; an answer without one stays."""

    def enter(change: Callable[[Exchange, Any], Any]) -> Way:
        def spoil(call: Exchange) -> None:
            reply = call.real()
            if reply.status >= 300 or not reply.body.strip():
                call.pass_on(reply)
                return
            changed = change(call, reply.json())
            call.send(
                reply.status,
                changed if isinstance(changed, bytes) else json.dumps(changed).encode(),
            )

        if lies:
            LIES.add(name)
        return way(name)(spoil)

    return enter


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
        record.update({name: None for name in record if name != "id"})
    return value


@spoiling("values: all missing but the id", lies=True)
def all_missing(_call: Exchange, value: Any) -> Any:
    for record in list(objects(value)):
        for name in [name for name in record if name != "id"]:
            del record[name]
    return value


@spoiling("values: of another type", lies=True)
def other_types(call: Exchange, value: Any) -> Any:
    odd: list[Any] = [[], {}, 7, True, 1.5, [[None]], {"a": {"b": []}}, None]

    def change(name: str, leaf: Any) -> Any:
        keep = name == "id" or name.lower().endswith("cursor")
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
        del record["id"]
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
        if str(record["id"]) in call.target:
            record["id"] = str(record["id"])[:-3] + "abc"
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
            row["id"] = make(number)
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


# --- refusals


@way("redirect: to another path")
def moved(call: Exchange) -> None:
    call.send(302, b"", f"Location: {call.here}/elsewhere")


@way("redirect: to another host")
def moved_away(call: Exchange) -> None:
    call.send(307, b"", f"Location: {call.elsewhere}{call.target}")


@way("wait: a year")
def wait_a_year(call: Exchange) -> None:
    call.send(429, b"{}", f"Retry-After: {YEAR_SECONDS}")


@way("redirect: to itself")
def moved_in_circles(call: Exchange) -> None:
    call.send(308, b"", f"Location: {call.here}{call.target}")


@way("wait: less than no time")
def wait_negative(call: Exchange) -> None:
    call.send(429, b"{}", "Retry-After: -120")


@way("wait: until nobody knows when")
def wait_garbage(call: Exchange) -> None:
    call.send(503, b"{}", "Retry-After: " + "soon, " * 2000)


@way("wait: one second")
def wait_a_second(call: Exchange) -> None:
    call.send(429, b"{}", "Retry-After: 1")


def _refusing(status: int) -> None:
    def refuse(call: Exchange) -> None:
        body = {"error": {"code": "REFUSED", "message": f"answered {status}"}, "detail": "no"}
        call.send(status, json.dumps(body).encode())

    way(f"refused: {status}")(refuse)


for _status in (400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 500, 502, 503):
    _refusing(_status)


@way("refused: 500 after the work is done")
def failed_after(call: Exchange) -> None:
    call.real()
    call.send(500, b'{"error": {"message": "Something went wrong"}}')


POISON = (b"a@" * 4_000 + b"-" * 8_000 + b"." * 8_000 + b" " * 8_000 + b"{[" * 8_000)[:63_000]


@way("refused: 64 kB that no pattern likes, and our key")
def poison(call: Exchange) -> None:
    key = call.headers.get("authorization", "") or call.headers.get("x-api-key", "")
    call.send(500, POISON + key.encode("latin-1") + POISON[:1000] + key.encode("latin-1"))


@way("refused: our own key and headers in the message")
def echo(call: Exchange) -> None:
    said = json.dumps({"error": {"message": f"bad request {call.target} {call.headers}"}})
    call.send(422, said.encode(), f"X-Request-Id: {list(call.headers.values())[:40]!r}"[:900])


REFUSALS = {name for name in WAYS if name.startswith(("refused: 4", "refused: our", "redirect: "))}
"""Ways that say of a write that it will never be taken."""
