"""The process of the vendors: accounts in sandboxes, hostile fronts before some of them.

`python -m tests.hostile.vendors` reads a plan as JSON from its input and prints the addresses. It
ends with its input.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import threading
from dataclasses import dataclass, replace
from typing import Any

import waitress
from werkzeug.wrappers import Request, Response

from bridge.clock import SystemClock
from bridge.core.model.syncs import Secret
from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.registry import sandbox_class
from bridge.sandbox.server import over_http
from bridge.sandbox.transport import sender
from tests.hostile.front import HOST, Canary, HostileFront

HANG_SECONDS = 1.0


@dataclass(frozen=True)
class PlannedAccount:
    """One account that is to be served."""

    name: str
    system: str
    key: str
    secret: str
    webhook_url: str
    hostile: bool


class Vendors:
    """All accounts, in this process."""

    def __init__(self, plan: list[PlannedAccount]) -> None:
        self.clock = SystemClock()
        self.canary = Canary()
        self.fronts: dict[str, HostileFront] = {}
        self.addresses: dict[str, dict[str, str]] = {}
        sequence = itertools.count(1)
        for account in plan:
            app = self._account(account, sequence)
            direct = self._serve(over_http(app, self.clock, HANG_SECONDS))
            told = direct
            if account.hostile:
                front = self.fronts[account.name] = HostileFront(app, self.canary.url)
                front.start()
                told = front.url
            app.outbox.start()
            prefix = sandbox_class(account.system).PREFIX
            self.addresses[account.name] = {"direct": direct, "told": told + prefix}
        self.canary.start()

    def control(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer the kit: `POST /` sets ways by name of the account; all others become well."""
        request = Request(environ)
        hits = {name: front.hits for name, front in self.fronts.items()}
        if request.method == "POST":
            ways = request.get_json()
            for name, front in self.fronts.items():
                front.answer_in(ways.get(name, ""))
        state = {"hits": hits, "led astray": self.canary.calls}
        response = Response(json.dumps({"data": state}), content_type="application/json")
        return response(environ, start_response)

    def start(self) -> dict[str, Any]:
        """Serve; return the addresses."""
        return {"accounts": self.addresses, "control": self._serve(self.control)}

    def _account(self, account: PlannedAccount, sequence: Any) -> Any:
        cls = sandbox_class(account.system)
        target = None
        if cls.SIGNING is not None:
            signing = replace(cls.SIGNING, secrets=(Secret(account.secret),))
            target = WebhookTarget(account.webhook_url, signing)
        return cls(
            self.clock,
            random.Random(account.name),
            api_key=account.key,
            name=account.name,
            webhook=target,
            sequence=sequence,
            send=sender(),
        )

    def _serve(self, app: Any) -> str:
        server = waitress.create_server(app, host=HOST, port=0, threads=4)
        threading.Thread(target=server.run, daemon=True).start()
        return f"http://{HOST}:{server.effective_port}"


def main() -> None:
    """Serve until the input ends."""
    plan = [PlannedAccount(**row) for row in json.loads(sys.stdin.readline())]
    sys.stdout.write(json.dumps(Vendors(plan).start()) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
