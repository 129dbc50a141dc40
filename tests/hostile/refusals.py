"""Ways to refuse: elsewhere, later, never, and with words that are a trap."""

from __future__ import annotations

import json

from tests.hostile.exchange import Exchange
from tests.hostile.register import WAYS, way

YEAR_SECONDS = 31_536_000


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
