"""Ways to answer late, without end, in part, or with a body that is none."""

from __future__ import annotations

import gzip
import itertools
from functools import cache

from tests.hostile.exchange import Exchange
from tests.hostile.register import way

# --- slow, endless, broken off


@way("slow: no answer at all", late=True)
def no_answer(call: Exchange) -> None:
    while call.goes_on(0.2):
        pass


@way("slow: status line", late=True)
def slow_status_line(call: Exchange) -> None:
    call.real()
    call.drip(b"HTTP/1.1 200 " + b"O" * 200, 0.3)


@way("slow: a header line every 0.3 s", late=True)
def slow_headers(call: Exchange) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        call.raw(f"X-Line-{number}: more\r\n".encode())
        if not call.goes_on(0.3):
            return


@way("slow: the body, byte by byte", late=True)
def slow_body(call: Exchange) -> None:
    reply = call.real()
    call.head(reply.status, "Content-Type: application/json", f"Content-Length: {10**6}")
    call.drip(b" " * 1000, 0.3)


@way("endless: interim answers", late=True)
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
