"""The line to one vendor: the sandbox behind it is healthy, and all trouble happens on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final, NoReturn

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import NewConnectionError, ProtocolError

from bridge.sandbox.store import from_iso
from bridge.sandbox.transport import WSGIAdapter
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate.poison import NO_RECORD, poisoned
from bridge.simulate.virtual_time import Skewed, VirtualClock

ONE_WAY_SECONDS: Final = 0.01
"""A request takes this long to arrive, and its answer as well."""
NEVER_ARRIVED = ("refused", "error before", "throttle", "gateway", "rejected")
_STATUS = {"error before": 500, "gateway": 502, "rejected": 422}
ANSWERED_ERRORS = (*_STATUS, "error after")
_INSTEAD = {"not JSON": b"<html>please wait</html>", "wordless": b"{}"}
DONE_UNSEEN = ("error after", "reset after", "timeout after", "truncated", "not JSON", "wordless")
KINDS = (*NEVER_ARRIVED, *DONE_UNSEEN, "timeout before", "late")
WITHOUT_WORDS = ("rejected", "truncated", *_INSTEAD)
"""Faults that leave nobody told what a refusal is about."""
KEY_REFUSED: Final = 401


class Died(BaseException):
    """The worker that made this call is dead. Not an error: nobody may catch it."""


@dataclass(slots=True)
class Fault:
    """A fault that will strike one request."""

    kind: str
    on: str
    """read, write, delete or any."""
    seconds: float
    spares: int = 0
    """Requests of that sort that pass before it strikes."""


@dataclass(slots=True)
class Illegible:
    """A while in which every answer had something in place of a record that was none."""

    id: str
    since: datetime
    until: datetime | None = None


class VendorLine(BaseAdapter):
    """A `requests` adapter into one sandbox, with faults that were asked for, one request each."""

    def __init__(
        self, app: Sandbox, clock: VirtualClock, theirs: Skewed, tell: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.app, self.theirs = app, theirs
        self._clock, self._tell = clock, tell
        self._inner = WSGIAdapter(app)
        self.faults: list[Fault] = []
        """Each waits for its request."""
        self.struck: Counter[str] = Counter()
        self.down_until: datetime | None = None
        self.held_until: datetime | None = None
        self.refusing = False
        self.lag = 0.0
        """Seconds for which a new record is not listed."""
        self.left_out: dict[str, datetime] = {}
        """By id: when listings began to leave a record out, for it was new or out of reach."""
        self.listed: dict[str, datetime] = {}
        """By id: when a listing first showed a record, whether the answer arrived or not."""
        self.poisons: dict[str, str] = {}
        """By id: how a record is shown oddly."""
        self.illegible: list[Illegible] = []
        self.intruders: list[Callable[[], None]] = []
        """Humans who save something after our read, just before our write arrives."""
        self.reactions: list[Callable[[], None]] = []
        """Automations that answer to every write."""
        self.dies_after = 0
        """The request from now at which the worker dies before the answer comes; 0: none."""
        self.early_calls: list[str] = []
        """Calls before a Retry-After had passed, in words."""
        self.refusals: list[list[datetime]] = []
        """When a call heard that the key is refused.

        A list for each time in which nothing made the bridge believe otherwise.
        """
        self._bridge_knows = False
        """Whether the last of these times is still going on."""

    def send(  # the signature is requests' own
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: Any = None,
        verify: Any = True,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
        proxies: Any = None,  # noqa: ARG002
    ) -> requests.Response:
        """Carry one request there and its answer back, as far as it goes."""
        self._clock.sleep(ONE_WAY_SECONDS)
        self._watch(request)
        writes = request.method not in {"GET", "HEAD"}
        sort = "delete" if request.method == "DELETE" else "write" if writes else "read"
        kind, seconds = self._fault(sort)
        dies = self._dies()
        if kind:
            self.struck[kind] += 1
            self._tell(f"{self.app.name}: {kind} on {request.method} {request.path_url[:60]}")
        longest = float(getattr(timeout, "total", None) or 10.0)
        try:
            answer = self._carry(request, kind, seconds, longest, writes=writes)
        finally:
            if dies:
                self.held_until = None  # nobody heard of it
                raise Died
            self._clock.sleep(ONE_WAY_SECONDS)
        self._count_refusal(answer.status_code)
        return answer

    def close(self) -> None:
        """Hold nothing, close nothing."""

    def heal(self) -> None:
        """End all trouble."""
        self.faults.clear()
        self.intruders.clear()
        self.reactions.clear()
        self.down_until = self.held_until = None
        self.refusing = False
        self.lag = 0.0
        self.cure()
        self.forget_refusals()

    def spoil(self, record_id: str, poison: str) -> None:
        """Show a record oddly from now on."""
        self._end_illegible([record_id])
        self.poisons[record_id] = poison
        if poison == NO_RECORD:
            self.illegible.append(Illegible(record_id, self._clock.now()))

    def cure(self) -> None:
        """Show all records as they are."""
        self._end_illegible(list(self.poisons))
        self.poisons.clear()

    def _end_illegible(self, ids: list[str]) -> None:
        for each in self.illegible:
            if each.id in ids and each.until is None:
                each.until = self._clock.now()

    def forget_refusals(self) -> None:
        """Let the bridge have no reason to leave the vendor alone: its next call may be refused."""
        self._bridge_knows = False

    def take_back_refusal(self) -> None:
        """Do not count the last refusal: whoever heard it is dead, and told nobody."""
        self.refusals[-1].pop()
        if not self.refusals[-1]:
            self.refusals.pop()
            self.forget_refusals()

    def _count_refusal(self, status: int) -> None:
        if status == KEY_REFUSED:
            if not self._bridge_knows:
                self.refusals.append([])
            self._bridge_knows = True
            self.refusals[-1].append(self._clock.now())
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
            self.forget_refusals()  # so only a system answers that takes the key

    def _watch(self, request: requests.PreparedRequest) -> None:
        now = self._clock.now()
        if self.held_until is not None and now < self.held_until:
            left = (self.held_until - now).total_seconds()
            early = f"{self.app.name}: called {left:.1f} s before Retry-After had passed"
            self.early_calls.append(f"{early}: {request.path_url[:60]}")

    def _dies(self) -> bool:
        if not self.dies_after:
            return False
        self.dies_after -= 1
        return self.dies_after == 0

    def _fault(self, sort: str) -> tuple[str, float]:
        if self.down_until is not None:
            if self._clock.now() < self.down_until:
                return "refused", 0.0
            self.down_until = None
        for number, fault in enumerate(self.faults):
            # A delete is a write as well, but a fault can be meant for deletes alone.
            if fault.on in {"any", sort} or (fault.on == "write" and sort == "delete"):
                fault.spares -= 1
                if fault.spares < 0:
                    del self.faults[number]
                    return fault.kind, fault.seconds
                break
        return "", 0.0

    def _carry(
        self,
        request: requests.PreparedRequest,
        kind: str,
        seconds: float,
        timeout: float,
        *,
        writes: bool,
    ) -> requests.Response:
        """Return the answer, if the request arrives and the answer does as well."""
        if kind in NEVER_ARRIVED:
            return self._turned_away(request, kind, seconds)
        if kind == "timeout before":
            self._wait(request, timeout)
        if kind == "late":
            self._clock.later(seconds, lambda: self._arrive_late(request, writes=writes))
            self._wait(request, timeout)
        answer = self._arrive(request, writes=writes)
        if kind == "reset after":
            raise requests.ConnectionError(
                ProtocolError("gone", ConnectionResetError()), request=request
            )
        if kind == "timeout after":
            self._wait(request, timeout)
        if kind == "error after":
            return self._made(request, 500, b"{}", {})
        return self._made(
            request,
            answer.status_code,
            self._garbled(kind, answer.content, writes=writes),
            dict(answer.headers),
        )

    def _garbled(self, kind: str, body: bytes, *, writes: bool) -> bytes:
        """Return what is left of an answer's body."""
        if kind == "truncated":
            return body[: len(body) // 2]
        if kind in _INSTEAD:
            return _INSTEAD[kind]
        if not writes and self.app.options["list_lag"]:
            self._note_unlisted(body)
        shown = body if writes or b"created_at" not in body else self._listing(body)
        odd = poisoned(shown, self.poisons) if self.poisons else shown
        self.struck["shown oddly"] += odd is not shown
        return odd

    def _wait(self, request: requests.PreparedRequest, timeout: float) -> NoReturn:
        self._clock.sleep(timeout)
        raise requests.ReadTimeout("no answer in time", request=request)

    def _turned_away(
        self, request: requests.PreparedRequest, kind: str, seconds: float
    ) -> requests.Response:
        if kind == "refused":
            cause = NewConnectionError(None, "connection refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(cause, request=request)
        if kind in _STATUS:
            return self._made(request, _STATUS[kind], b"<html>oops</html>", {})
        self.held_until = self._clock.now() + timedelta(seconds=seconds)
        # Retry-After may be seconds or a date; vendors use both.
        after = str(int(seconds)) if int(seconds) % 2 else self._date(seconds)
        return self._made(request, 429, b"{}", {"Retry-After": after})

    def _arrive(self, request: requests.PreparedRequest, *, writes: bool) -> requests.Response:
        """Let the vendor answer the request."""
        if writes:
            waiting, self.intruders = self.intruders, []
            for act in waiting:
                act()
        if self.refusing:
            request = request.copy()
            request.headers["Authorization"] = "Bearer revoked"
        answer = self._inner.send(request)
        if writes:
            for act in self.reactions:
                self._clock.later(1.0, act)
        return answer

    def _arrive_late(self, request: requests.PreparedRequest, *, writes: bool) -> None:
        """Let the vendor answer it when nobody waits any more."""
        self._arrive(request, writes=writes)

    def _listing(self, body: bytes) -> bytes:
        """Leave out of a listing what is too new for the vendor's index; note what is left out."""
        value, now = json.loads(body), self._clock.now()
        since = self.theirs.now() - timedelta(seconds=self.lag)
        for rows in _lists(value):
            for row in list(rows):
                new = bool(self.lag) and from_iso(row.get("created_at") or "2000-01-01") >= since
                record_id = str(row.get("id"))
                if new:
                    self.left_out.setdefault(record_id, now)
                    rows.remove(row)
                elif self.poisons.get(record_id) != NO_RECORD:
                    self.listed.setdefault(record_id, now)
        return json.dumps(value).encode() if self.lag else body

    def _note_unlisted(self, body: bytes) -> None:
        """Note which tickets the own index of the vendor lacks if this is a listing, even empty."""
        with suppress(ValueError):
            if _lists(json.loads(body)):
                shown = {str(each["id"]) for each in self.app.listed()}
                for record in self.app.records("ticket"):
                    if (record_id := str(record["id"])) not in shown:
                        self.left_out.setdefault(record_id, self._clock.now())

    def _date(self, seconds: float = 0.0) -> str:
        return format_datetime(self.theirs.now() + timedelta(seconds=seconds), usegmt=True)

    def _made(
        self, request: requests.PreparedRequest, status: int, body: bytes, headers: dict[str, str]
    ) -> requests.Response:
        headers = {
            name: value for name, value in headers.items() if name.lower() != "content-length"
        }
        headers["Date"] = self._date()
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        response.raw = HTTPResponse(
            BytesIO(body), headers=headers, status=status, preload_content=False
        )
        response.url = request.url or ""
        response.request = request
        return response


def _lists(value: Any) -> list[list[dict[str, Any]]]:
    """Return the lists of records in an answer."""
    if not isinstance(value, dict):
        return []
    return [rows for rows in (value.get("data"), value.get("results")) if isinstance(rows, list)]
