"""The people at the sandboxes, for the page on which one plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from bridge import wiring
from bridge.core.model.syncs import Connection
from bridge.errors import NotPossible
from bridge.operations.playing import PlayDeed, PlayedRecord, PlayedStep
from bridge.operations.timeline_sentences import value_words
from bridge.sandbox.population import AGENTS
from bridge.sandbox.registry import sandbox_class
from bridge.supervisor.sandbox_client import SandboxClient, SandboxError

ASSIGN, SUBJECT, TAG, REPLY = "assignee", "subject", "tag", "reply"
SHOWN: Final = frozenset({"edit", "write", "create", "delete", "webhook"})
"""Kinds of a journal's rows that tell of something: reading does not."""
LONGEST_TITLE: Final = 80


class ControlApi(Protocol):
    """The control API of one sandbox, as `SandboxClient` has it."""

    system: str

    def get(self, path: str, **query: str | int) -> Any:
        """Return what the sandbox answers to a GET."""

    def post(self, path: str, **body: Any) -> Any:
        """Have the sandbox do something; return its answer."""


@dataclass(frozen=True, slots=True)
class PlayedPeople:
    """The people at all sandboxes."""

    sandboxes: Mapping[str, ControlApi]
    """By connection."""

    def connections(self) -> Sequence[str]:
        """Return the connections that lead to sandboxes."""
        return list(self.sandboxes)

    def deeds(self, connection: str) -> Sequence[PlayDeed]:
        """Return what people can do at a connection."""
        sandbox = sandbox_class(self.sandboxes[connection].system)
        found = [
            PlayDeed(field, field, {word: word for word in words.values()})
            for field, words in sandbox.CHOICES.items()
        ]
        if sandbox.ASSIGNEE_FIELD:
            found.append(PlayDeed(ASSIGN, "assignee", {each.email: each.name for each in AGENTS}))
        if sandbox.SUBJECT_FIELD:
            found.append(PlayDeed(SUBJECT, "subject", {}))
        found.append(PlayDeed(TAG, "new tag", {}))
        if sandbox.TAKES_REPLIES:
            found.append(PlayDeed(REPLY, "reply", {}))
        return found

    def records(self, connection: str, limit: int) -> Sequence[PlayedRecord]:
        """Return the newest records of a connection."""
        sandbox = sandbox_class(self.sandboxes[connection].system)
        return [
            PlayedRecord(str(record["id"]), sandbox.title(record)[:LONGEST_TITLE])
            for record in self._all(connection)[: -limit - 1 : -1]
        ]

    def play(self, connection: str, record_id: str, deed: PlayDeed, given: str) -> None:
        """Do something as somebody there would. Raises NotPossible."""
        client = self.sandboxes[connection]
        try:
            if deed.name == REPLY:
                client.post("message", id=record_id, text=given)
            else:
                fields = self._edit(connection, record_id, deed.name, given)
                client.post("edit", id=record_id, fields=fields)
        except SandboxError as error:
            raise NotPossible(f"{connection} does not take it: {error}") from error

    def happened(self, records: Mapping[str, str], limit: int) -> Sequence[PlayedStep]:
        """Return what happened to records, by connection, the newest first."""
        rows = [
            row
            for connection, record_id in records.items()
            if connection in self.sandboxes
            for row in self._journal(connection, record_id, limit)
            if row["kind"] in SHOWN
        ]
        steps = [_step(row) for row in rows]
        return sorted(steps, key=lambda step: step.order, reverse=True)[:limit]

    def _journal(self, connection: str, record_id: str, limit: int) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = self.sandboxes[connection].get(
                "journal", id=record_id, newest=limit
            )
        except SandboxError:
            return []  # it is being started again, and shows when it is there
        return rows

    def _all(self, connection: str) -> list[dict[str, Any]]:
        client = self.sandboxes[connection]
        try:
            found: list[dict[str, Any]] = client.get(
                "records", entity=sandbox_class(client.system).PLAYED
            )
        except SandboxError as error:
            raise NotPossible(str(error)) from error
        return found

    def _edit(self, connection: str, record_id: str, name: str, given: str) -> dict[str, Any]:
        """Return the fields of an edit, in the system's own words."""
        sandbox = sandbox_class(self.sandboxes[connection].system)
        if name == ASSIGN:
            return sandbox.assignment(next(each for each in AGENTS if each.email == given))
        if name == SUBJECT:
            return {sandbox.SUBJECT_FIELD: given}
        if name == TAG:
            record = {str(each["id"]): each for each in self._all(connection)}.get(record_id)
            if record is None:
                raise NotPossible(f"{connection} has no record {record_id} (any more)")
            return sandbox.tagging(record, given)
        return sandbox.choice(name, given)


def of_home(home: Path, connections: Mapping[str, Connection]) -> PlayedPeople | None:
    """Return the people of the sandboxes that this process calls; None: it calls real systems."""
    accounts = wiring.sandbox_accounts(home)
    if accounts is None:
        return None
    return PlayedPeople(
        {
            name: SandboxClient(connection.system, accounts[connection.system].base_url)
            for name, connection in connections.items()
            if connection.system in accounts
        }
    )


def _step(row: Mapping[str, Any]) -> PlayedStep:
    by_bridge = row["actor"] == "bridge"
    return PlayedStep(
        int(row["seq"]),
        datetime.fromisoformat(row["at"]),
        row["connection"],
        by_bridge,
        _words(row, "The bridge" if by_bridge else "Somebody"),
    )


def _words(row: Mapping[str, Any], who: str) -> str:
    """Return in a sentence what happened."""
    kind, where, what = row["kind"], row["connection"], row["entity"]
    if kind == "webhook":
        return f"{where} sent a webhook: {row['event']}"
    if kind == "create":
        return f"{who} made a {what} at {where}"
    if kind == "delete":
        return f"{who} deleted the {what} at {where}"
    changes = [
        f"{name} from {value_words(row['before'].get(name))} to {value_words(value)}"
        for name, value in row["after"].items()
    ]
    if not changes:
        return f"{who} wrote to {where}, and nothing changed"
    verb = "wrote at" if who == "The bridge" else "changed at"
    return f"{who} {verb} {where}: {'; '.join(changes)}"
