"""ScopeAI's API as its document describes it, with the traps that stand between the lines.

Listings are bare arrays by the time of creation, of the last 14 days when nobody says since when;
the address of the next page has lost the window. Subjects are found a while after a ticket was
made. External ids may be given twice. What no client should do, listing without `start_date` and
making one thing twice, is journalled as `forbidden: …`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from bridge.sandbox import population
from bridge.sandbox.documented_calls import IGNORE, REFUSE, STRICT
from bridge.sandbox.exchange import Problem, ReceivedCall, answer
from bridge.sandbox.scopeai_calls import CALLS
from bridge.sandbox.scopeai_tags import Catalogue, discovered
from bridge.sandbox.store import Record, past
from bridge.sandbox.vendor_app import Sandbox

DEFAULT_WINDOW = timedelta(days=14)
_HAND = ("add_tag", "tag_relationships")


class ScopeaiSandbox(Sandbox):
    """A ScopeAI account in memory."""

    SYSTEM = "scopeai"
    PREFIX = "/v1"
    VOLATILE = frozenset({"made_at"})
    ACCOUNT_OPTIONS: ClassVar[Mapping[str, Any]] = {"find_by": True}
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "create_answer": "ticket",  # or "empty"
        "create_status": 201,
        "external_id": "any",  # or "number", or "text": the only type that is taken
        "scores": "salience",  # or "salience_score": the names that the prose has
        "analysis_delay": 5.0,
        "find_by": True,
        "keep_window": False,  # whether the address of the next page has the window
        "page_size": 25,
        "alone": True,  # whether a ticket read alone shows its relationships
    }
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        STRICT: (IGNORE, REFUSE),
        "list_lag": (0.0, 1.0),
        "create_answer": ("ticket", "empty"),
        "create_status": (201, 200),
        "external_id": ("any", "text", "number"),
        "scores": ("salience", "salience_score"),
        "find_by": (True, False),
        "keep_window": (False, True),
        "alone": (True, False),
    }
    CALLS = CALLS

    @classmethod
    def tagging(cls, record: Record, name: str) -> dict[str, Any]:
        """Return the edit that has the analysis find one more tag."""
        del record
        return {"add_tag": {"name": name}}

    @classmethod
    def title(cls, record: Record) -> str:
        """Return how the text begins."""
        return str(record.get("original_text") or "").partition("\n")[0]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._number = 0
        self.catalogue = Catalogue()

    @classmethod
    def planted_marker(cls, record: Record) -> str:
        """Return the external id of a ticket that came by the API."""
        return str(record.get("external_id") or "") if record.get("source") == "api" else ""

    def unauthorised(self, request: Request) -> Problem | None:
        """Refuse all but the key, in the document's own grammar."""
        given = request.headers.get("Authorization")
        return (
            None
            if given == f"Token token={self.api_key}"
            else Problem(401, "UNAUTHORIZED", "Unauthorized")
        )

    def problem(self, problem: Problem) -> Response:
        """Refuse; the document shows no body for errors."""
        return answer({"error": problem.message}, problem.status)

    # The API.

    def list_tickets(self, call: ReceivedCall) -> Response:
        """List the tickets made in a window (by default the last 14 days), as a bare array."""
        if not call.query.get("start_date"):
            call.note = "forbidden: a listing without start_date"
        now = self.clock.now()
        start = _epoch(call.query, "start_date", now - DEFAULT_WINDOW)
        end = _epoch(call.query, "end_date", now)
        # Neither end belongs to the window: a client that relies on either one misses a row.
        rows = [row for row in self.listed() if start < _made(row) < end]
        return self._page(call, [self._shown(row, alone=False) for row in rows])

    def get_ticket(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Show one ticket."""
        call.id = ticket_id
        return answer(self._shown(self._present(call.id), alone=True))

    def find_ticket(self, call: ReceivedCall) -> Response:
        """Show one of the tickets that have an external id, where the deployment can."""
        wanted = call.query.get("external_id")
        rows = [
            row
            for row in self.tickets()
            if wanted is not None and str(row["external_id"]) == wanted
        ]
        if not self.options["find_by"] or not rows:
            raise Problem(404, "NOT_FOUND", "Not found")
        call.id = str(rows[0]["id"])
        return answer(self._shown(rows[0], alone=True))

    def create_ticket(self, call: ReceivedCall) -> Response:
        """Take a text in. An external id that is known already is accepted like any other."""
        fields = call.body()
        given = fields.get("external_id")
        takes = {"number": int, "text": str}.get(self.options["external_id"])
        if takes is not None and not isinstance(given, takes):
            raise Problem(422, "UNPROCESSABLE_ENTITY", f"external_id must be {takes.__name__}")
        if given is not None and any(
            str(row["external_id"]) == str(given) for row in self.tickets()
        ):
            call.note = "forbidden: one external_id twice"
        record = self.made(fields)
        self.committed(call, "create", None, record)
        status = int(self.options["create_status"])
        if self.options["create_answer"] == "empty":
            return Response(status=status)
        return answer(self._shown(record, alone=True), status)

    def list_tags(self, call: ReceivedCall) -> Response:
        """List the tags that are relevant, or (`relevant=false`) those that are not."""
        call.entity = "tag"
        relevant = call.query.get("relevant", "true") != "false"
        return self._page(
            call, [self._counted(tag) for tag in self.catalogue if tag["relevant"] is relevant]
        )

    def get_tag(self, call: ReceivedCall, tag_id: str) -> Response:
        """Show one tag, relevant or not."""
        call.entity, call.id = "tag", tag_id
        tag = self.catalogue.get(int(tag_id)) if tag_id.isdecimal() else None
        if tag is None:
            raise Problem(404, "NOT_FOUND", f"Tag {tag_id} not found")
        return answer(self._counted(tag))

    # What people do, and the vendor's analysis.

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Store a ticket; an import (`human`) may date it back by `made_at` (epoch seconds)."""
        given = fields if human is None else human
        for name in ("original_text", "original_html"):
            if given.get(name) is not None and not isinstance(given[name], str):
                raise Problem(400, "BAD_REQUEST", f"{name} is text")
        self._number += 1
        text = given.get("original_text")
        record = {
            "id": self._number,
            "external_id": given.get("external_id"),
            "source": "api" if human is None else given.get("source", "zendesk"),
            "original_text": text,
            "cleanest_body": " ".join((text or "").split()),
            "found": discovered(text or ""),
            "by_hand": list(given.get("tag_relationships", ())),
            "made_at": given.get("made_at", self.clock.now().timestamp()),
        }
        self.store.put(record)
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Let the analysis change its mind.

        `add_tag` (name, salience, relevant) adds a tag, `tag_relationships` replaces all of them.
        """
        unknown = sorted(set(fields) - set(_HAND))
        if unknown or not human:
            raise Problem(
                400,
                "BAD_REQUEST",
                f"no {', '.join(unknown)} to change; allowed: {', '.join(_HAND)}",
            )
        new = dict(record)
        if "tag_relationships" in fields:
            new |= {"found": (), "by_hand": list(fields["tag_relationships"])}
        if "add_tag" in fields:
            given = fields["add_tag"]
            tag = self.catalogue.named(given["name"], relevant=given.get("relevant", True))
            salience, sentiment = given.get("salience", 0.8), given.get("sentiment")
            relation = {"tag_id": tag["id"], "salience": salience, "sentiment": sentiment}
            new["by_hand"] = [*new["by_hand"], relation]
        self.store.put(new)
        return new, ()

    def remove(self, record: Record) -> None:
        """Lose a ticket; no call of the API does this."""
        self.store.drop(str(record["id"]))

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket into one that was imported from elsewhere."""
        made = past(self.clock.now(), index, count).timestamp()
        return {"original_text": draft.body, "external_id": 564652 + index // 2, "made_at": made}

    def _relations(self, record: Record) -> list[dict[str, Any]]:
        ready = self.clock.now().timestamp() >= record["made_at"] + float(
            self.options["analysis_delay"]
        )
        discovered_tags = record["found"] if ready else ()
        made = [
            {
                "tag_id": self.catalogue.named(name, relevant=relevant)["id"],
                "salience": salience,
                "sentiment": mood,
            }
            for name, salience, mood, relevant in discovered_tags
        ]
        return [*made, *record["by_hand"]]

    def _shown(self, record: Record, *, alone: bool) -> dict[str, Any]:
        hidden = {"found", "by_hand", "made_at"}
        shown = {name: value for name, value in record.items() if name not in hidden}
        related = self._relations(record) if self.options["alone"] or not alone else []
        if self.options["scores"] == "salience_score":
            names = {"salience": "salience_score", "sentiment": "sentiment_score"}
            related = [
                {names.get(name, name): value for name, value in relation.items()}
                for relation in related
            ]
        return shown | {"tag_relationships": related}

    def _counted(self, tag: Record) -> dict[str, Any]:
        count = sum(
            any(relation["tag_id"] == tag["id"] for relation in self._relations(row))
            for row in self.tickets()
        )
        return {**tag, "score": 3, "tickets_count": count}

    def _page(self, call: ReceivedCall, rows: Sequence[Mapping[str, Any]]) -> Response:
        query = call.query
        try:
            number = max(1, int(query.get("page", "1")))
            size = max(1, min(100, int(query.get("per_page", self.options["page_size"]))))
        except ValueError:
            raise Problem(400, "BAD_REQUEST", "page and per_page are numbers") from None
        last = max(1, -(-len(rows) // size))
        page_rows = rows[(number - 1) * size : number * size]
        response = Response(json.dumps(page_rows), content_type="application/json")
        targets = {"next": number + 1, "prev": number - 1, "last": last}
        if last > 1:
            base = call.request.base_url
            kept = {
                n: query[n]
                for n in ("start_date", "end_date")
                if n in query and self.options["keep_window"]
            }
            kept |= {n: query[n] for n in ("relevant",) if n in query}
            links = [
                f'<{base}?{urlencode({"page": page, "per_page": size, **kept})}>; rel="{relation}"'
                for relation, page in targets.items()
                if 1 <= page <= last and not (relation == "last" and number == last)
            ]
            # The document folds the header over several lines, which arrives as spaces.
            response.headers["Link"] = ",   ".join(links)
        return response


def _made(record: Record) -> float:
    return float(record["made_at"])


def _epoch(query: Mapping[str, str], name: str, usual: datetime) -> float:
    given = query.get(name)
    if not given:
        return usual.timestamp()
    try:
        return float(int(given))
    except ValueError:
        raise Problem(400, "BAD_REQUEST", f"{name} is a UNIX time") from None
