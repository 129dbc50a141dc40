"""A sender of webhooks: a process of its own that keeps so many connections busy.

`python -m bench.webhook_load PORT CONNECTIONS COUNT FIRST SECRET` sends COUNT webhooks, signed
as Switch signs them and each about another ticket, and prints as JSON what came of it. Each
connection sends its next one when the last was answered.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

HOST = "127.0.0.1"
HEADER = "X-Webhook-Signature"
PATH = "/webhooks/left"
SIZE = 1400
"""Bytes of a body."""
PATIENCE = 60.0


def request(number: int, secret: str) -> bytes:
    """Give one webhook as it goes over the wire."""
    data = {
        "id": f"tkt_{number:08}",
        "subject": f"Export stops at {number} rows",
        "status": "open",
        "priority": "medium",
        "customer": {"id": f"cust_{number % 997}", "email": "ana.silva@customer.example"},
        "assignee": None,
        "tags": ["export", "VIP"],
        "created_at": "2026-11-20T09:15:00Z",
        "updated_at": "2026-11-23T11:59:58Z",
        "description": "",
    }
    told = {"event": "ticket.updated", "timestamp": "2026-11-23T12:00:00Z", "data": data}
    data["description"] = "x" * (SIZE - len(json.dumps(told)))
    body = json.dumps(told).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"User-Agent: switch-webhooks/1\r\nX-Webhook-Event: ticket.updated\r\n"
        f"X-Webhook-Delivery: {number:032x}\r\n{HEADER}: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Caller:
    """One connection."""

    line: socket.socket
    began: float = 0.0
    heard: bytearray = field(default_factory=bytearray)

    def send(self, webhook: bytes) -> None:
        """Send the next one."""
        self.heard.clear()
        self.began = time.perf_counter()
        self.line.sendall(webhook)

    def listen(self) -> str:
        """Take what has arrived; give the status once the answer is whole."""
        part = self.line.recv(65536)
        if not part:
            raise SystemExit("the server has closed a connection")
        self.heard += part
        head, end, body = bytes(self.heard).partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return ""
        return head[9:12].decode()


def load(port: int, connections: int, webhooks: list[bytes]) -> dict:
    """Send all; give the rate, each answer's time in ms, and how often each status was answered."""
    statuses: Counter[str] = Counter()
    times: list[float] = []
    waiting = webhooks[::-1]
    with selectors.DefaultSelector() as selector:
        callers = [Caller(socket.create_connection((HOST, port))) for _ in range(connections)]
        for caller in callers:
            caller.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(caller.line, selectors.EVENT_READ, caller)
        gc.disable()
        began = time.perf_counter()
        for caller in callers:
            caller.send(waiting.pop())
        while len(times) < len(webhooks):
            ready = selector.select(PATIENCE)
            if not ready:
                raise SystemExit("the server answers no more")
            for key, _ in ready:
                if status := key.data.listen():
                    times.append(1000 * (time.perf_counter() - key.data.began))
                    statuses[status] += 1
                    if waiting:
                        key.data.send(waiting.pop())
        seconds = time.perf_counter() - began
        for caller in callers:
            caller.line.close()
    return {"per_second": len(times) / seconds, "times": sorted(times), "statuses": statuses}


def main() -> None:
    """Send what the command line says."""
    port, connections, count, first = (int(each) for each in sys.argv[1:5])
    webhooks = [request(first + number, sys.argv[5]) for number in range(count)]
    found = load(port, connections, webhooks)
    times = found.pop("times")
    found |= {"p50": times[len(times) // 2], "p99": times[int(0.99 * len(times))]}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
