"""What ScopeAI's answers are made of: pages linked by a header, tickets, and scored relationships to tags."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from bridge.connectors.parsing import row_id
from bridge.errors import Unavailable
from bridge.http.client import Answer

Row = Mapping[str, Any]

_LINK = re.compile(
    r"<([^<>]*)>((?:\s*;\s*[\w!#$&+\-.^`|~*]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\",;]*))?)*)"
)
_PARAMETER = re.compile(r";\s*([\w!#$&+\-.^`|~*]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",;]*))")
_TOP = 1 << 51
"""Numbers that stand for markers have this bit, so that no counted id of a helpdesk is one of them."""


def links(header: str) -> dict[str, str]:
    """Read a `Link` header (RFC 8288): relation -> address, the first of each. Folded lines are one line."""
    found: dict[str, str] = {}
    for address, parameters in _LINK.findall(" ".join(header.split())):
        given = [
            (name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(parameters)
        ]
        relations = next((value for name, value in given if name == "rel"), "")
        for relation in relations.lower().split():
            found.setdefault(relation, address)
    return found


def following(connection: str, base_url: str, path: str, answer: Answer) -> dict[str, str] | None:
    """Give the query of the next page; None when this was the last.

    Only the query is taken over, and only from the same place: an address that a server names may
    lead anywhere, and the key goes nowhere else. Raises Unavailable, naming the host.
    """
    address = links(answer.headers.get("link", "")).get("next")
    if address is None:
        return None
    here = base_url.rstrip("/") + path
    try:
        there, mine = urlsplit(urljoin(here, address)), urlsplit(here)
        same = (there.scheme, there.hostname, there.port) == (mine.scheme, mine.hostname, mine.port)
    except ValueError:
        raise Unavailable(
            connection, "the next page has an address that cannot be read", status=answer.status
        ) from None
    if not same or there.username is not None:
        what = f"the next page is said to be at {there.scheme}://{there.hostname}; it was not asked for, check base_url"
        raise Unavailable(connection, what, status=answer.status)
    if there.path.rstrip("/") != mine.path.rstrip("/"):
        raise Unavailable(
            connection,
            "the next page is said to be on another path; check base_url",
            status=answer.status,
        )
    return dict(parse_qsl(there.query))


def rows(connection: str, answer: Answer) -> list[Row]:
    """Give the rows of a bare array. Raises Unavailable unless every row is an object with an id."""
    found = answer.body
    if not isinstance(found, list) or not all(
        isinstance(row, Mapping) and row_id(row) for row in found
    ):
        raise Unavailable(
            connection, "a listing that is no array of proper rows", status=answer.status
        )
    return found


def relations(row: Row) -> list[Row] | None:
    """Give a ticket's relationships to tags: `id`, `salience`, `sentiment`. None: the row shows none at all.

    Both spellings of the scores are read; a score that is missing or no number is None.
    """
    given = row.get("tag_relationships")
    if not isinstance(given, list):
        return None
    return [
        {"id": tag, "salience": _score(each, "salience"), "sentiment": _score(each, "sentiment")}
        for each in given
        if isinstance(each, Mapping) and (tag := row_id({"id": each.get("tag_id")}))
    ]


def ticket(row: Row, tags: list[Row] | None) -> dict[str, Any]:
    """Make a record's data of a row: relationships give way to named tags, epoch seconds to a time."""
    data = {name: value for name, value in row.items() if name != "tag_relationships"}
    if tags is not None:
        data["tags"] = tags
    made = row.get("created")
    if isinstance(made, int | float) and not isinstance(made, bool) and 0 <= made < 1e11:
        data["created_at"] = datetime.fromtimestamp(made, UTC).isoformat()
    return data


def external_id(marker: str, kind: str) -> int | str:
    """Give the id that stands for our marker: the marker itself, or a number below 2**53 made of it."""
    if kind == "string":
        return marker
    digest = hashlib.sha256(f"bridge {marker}".encode()).digest()
    return _TOP | (int.from_bytes(digest[:8]) & (_TOP - 1))


def _score(relation: Row, name: str) -> float | None:
    for each in (name, f"{name}_score"):
        value = relation.get(each)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None
