"""A vendor that costs next to nothing: pages of one big account from memory, over loopback HTTP.

It speaks as much of one helpdesk API as a listing, a direct read, a create and a change need. Rows
are encoded once, so what is measured is the client. `--latency` makes each answer to a write or a
direct read wait, as a real vendor's does.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
LIMIT = 100


def stamp(number: int) -> str:
    """Give the time of a ticket: one a second."""
    return (BEGAN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ticket(number: int) -> dict[str, object]:
    """Give a ticket as a direct read shows it."""
    return {
        "id": f"tkt_{number}",
        "number": number,
        "subject": f"The invoice of order {number} shows the wrong VAT number",
        "description": "Please correct it before the end of the month, " * 4,
        "status": ("open", "pending", "resolved", "closed")[number % 4],
        "priority": ("low", "medium", "high", "urgent")[number % 4],
        "type": "question",
        "customer": {
            "id": f"cus_{number}",
            "email": f"customer{number}@example.com",
            "name": f"Customer {number}",
        },
        "assignee": None,
        "tags": ["billing", f"area-{number % 7}"],
        "created_at": stamp(number),
        "updated_at": stamp(number),
        "resolved_at": None,
    }


class Account:
    """The rows, encoded."""

    def __init__(
        self,
        count: int,
        latency: float,
        *,
        fresh: bool = False,
        edited: bool = False,
        slow_pages: bool = False,
        lazy: bool = False,
    ) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.common = (
            {"status": "new"}
            if fresh
            else {"subject": "Edited", "updated_at": now}
            if edited
            else {}
        )
        self.lazy = range(count if lazy else 0)
        whole = [ticket(number) | self.common for number in range(0 if lazy else count)]
        listed = [
            {key: value for key, value in row.items() if key != "description"} for row in whole
        ]
        self.listed = [json.dumps(row).encode() for row in listed]
        self.whole = {row["id"]: json.dumps(row).encode() for row in whole}
        self.made = itertools.count(1)
        self.posted = self.asked = 0
        self.new: list[tuple[str, bytes]] = []
        """Rows that were created, as they are listed, each with its second."""
        self.changed: dict[str, float] = {}
        """When each ticket was last changed, by the clock that all processes of a machine share."""
        self.latency, self.slow_pages = latency, slow_pages

    def answer(  # noqa: PLR0911 - one return for each route
        self, method: str, target: str, body: bytes
    ) -> tuple[int, bytes, bool]:
        """Give the status, the body, and whether it takes the vendor's time."""
        url = urlsplit(target)
        path, query = url.path.removeprefix("/api/v1"), parse_qs(url.query)
        if path == "/written":
            return 200, json.dumps({"written": len(self.changed)}).encode(), False
        if path in {"/posted", "/changed", "/asked"}:
            return 200, json.dumps({path[1:]: getattr(self, path[1:])}).encode(), False
        self.asked += 1
        if method == "POST" and path == "/tickets":
            return 201, b'{"data":' + self.create(json.loads(body)) + b"}", True
        if path == "/tickets" and ("tags" in query or "customer_id" in query):
            return 200, b'{"data":[],"meta":{"next_cursor":null}}', True
        if path == "/tickets":
            cursor, newest = query.get("cursor", [""])[0], query.get("order_dir") == ["desc"]
            return 200, self.newest(cursor) if newest else self.page(cursor), self.slow_pages
        name = unquote(path.removeprefix("/tickets/"))
        row = self.change(name, json.loads(body)) if method == "PATCH" else self.row(name)
        if row:
            return 200, b'{"data":' + row + b"}", True
        if path == "/customers":
            return 200, b'{"data":[],"meta":{"next_cursor":null}}', True
        return 404, b'{"error":{"code":"NOT_FOUND"}}', False

    def page(self, cursor: str) -> bytes:
        """List what was created after the cursor's second."""
        begin = 0
        if cursor:
            at = datetime.fromisoformat(cursor)
            begin = max(0, int((at - BEGAN).total_seconds()) + 1)
        rows = self.listed[begin : begin + LIMIT]
        following = json.dumps(
            stamp(begin + LIMIT - 1) if begin + LIMIT < len(self.listed) else None
        )
        meta = f'"meta":{{"total":{len(self.listed)},"next_cursor":{following}}}'
        return b'{"data":[' + b",".join(rows) + b"]," + meta.encode() + b"}"

    def row(self, name: str) -> bytes | None:
        """Show a ticket; a lazy account makes it when it is first asked for."""
        number = name.removeprefix("tkt_")
        if name not in self.whole and number.isdecimal() and int(number) in self.lazy:
            self.whole[name] = json.dumps(ticket(int(number)) | self.common).encode()
        return self.whole.get(name)

    def newest(self, cursor: str) -> bytes:
        """List what was created before the cursor's second, the newest first."""
        stamps = [made for made, _row in self.new] if cursor else []
        end = bisect_left(stamps, cursor) if cursor else len(self.new)
        rows = self.new[max(0, end - LIMIT) : end]
        following = json.dumps(rows[0][0] if end > LIMIT else None)
        meta = f'"meta":{{"total":{len(self.new)},"next_cursor":{following}}}'
        shown = b",".join(row for _made, row in reversed(rows))
        return b'{"data":[' + shown + b"]," + meta.encode() + b"}"

    def change(self, name: str, given: dict[str, object]) -> bytes | None:
        """Change a ticket, and show it."""
        row = self.row(name)
        if row is None:
            return None
        self.changed[name] = time.monotonic()
        changed = (
            json.loads(row)
            | given
            | {"updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        )
        self.whole[name] = encoded = json.dumps(changed).encode()
        return encoded

    def create(self, given: dict[str, object]) -> bytes:
        """Keep a new ticket, and show it."""
        self.posted += 1
        name = f"new_{next(self.made)}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = ticket(0) | {"id": name, "created_at": now, "status": "new", **given}
        row["customer"] = {"id": "cus_x", "email": given.get("customer_email"), "name": ""}
        self.whole[name] = encoded = json.dumps(row).encode()
        listed = {key: value for key, value in row.items() if key != "description"}
        self.new.append((now, json.dumps(listed).encode()))
        return encoded


class Line(asyncio.Protocol):
    """One kept-open connection."""

    def __init__(self, account: Account) -> None:
        self.account, self.buffer = account, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            first, *lines = head.split("\r\n")
            size = next(
                (int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0
            )
            if len(self.buffer) < end + 4 + size:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + size], self.buffer[end + 4 + size :]
            method, target, _version = first.split(" ")
            status, answer, slow = self.account.answer(method, target, body)
            head_out = (
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n"
            )
            out = head_out.encode() + answer
            if slow and self.account.latency:
                asyncio.get_running_loop().call_later(
                    self.account.latency, self.transport.write, out
                )
            else:
                self.transport.write(out)


async def serve(account: Account) -> None:
    """Listen on a free port, and print it."""
    server = await asyncio.get_running_loop().create_server(lambda: Line(account), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tickets", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument(
        "--fresh", action="store_true", help="all of them new, as they are when somebody opens them"
    )
    parser.add_argument(
        "--edited", action="store_true", help="all of them as somebody has edited them just now"
    )
    parser.add_argument(
        "--slow-pages", action="store_true", help="pages of a listing take the latency, too"
    )
    parser.add_argument(
        "--lazy", action="store_true", help="no listing: a million tickets take no memory"
    )
    chosen = parser.parse_args()
    options = {"fresh": chosen.fresh, "edited": chosen.edited, "slow_pages": chosen.slow_pages}
    account = Account(chosen.tickets, chosen.latency, lazy=chosen.lazy, **options)
    asyncio.run(serve(account))
