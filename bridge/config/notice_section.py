"""Compiles `notices` of config/bridge.yaml: the endpoints that are told what happens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from bridge.config.schema_fields import LOOPBACK
from bridge.config.substitution import references
from bridge.config.yaml_reader import Document, Problem
from bridge.connectors.signing import STANDARD, webhook_problems
from bridge.core.model.notice_types import ALL, NoticeEndpoint
from bridge.core.model.syncs import Secret, Webhook

MOST_ENDPOINTS: Final = 20
"""Each has a thread of its own."""
SECTION: Final = "notices"
_PLACE: Final = "https://variable.invalid/"
_KEY: Final = "whsec_bm8gc2VjcmV0LCBidXQgbG9uZyBlbm91Z2g="
"""What a variable may hold, where nobody looks for its value."""


def compile_notices(
    rows: Any,
    document: Document,
    names: Collection[str] | None,
    problems: list[Problem],
    *,
    only_local: bool = False,
) -> dict[str, NoticeEndpoint]:
    """Return the endpoints that can be used; the problems of others are added.

    `names`: the connections that there are; None: not known. `only_local`: only those on this
    machine, for none else is told of what is played in a sandbox.
    """
    given = rows if isinstance(rows, Mapping) else {}
    if len(given) > MOST_ENDPOINTS:
        what = f"names {len(given)} endpoints; allowed {MOST_ENDPOINTS}"
        problems.append(document.problem((SECTION,), what))
    compiled = {}
    for name, row in given.items():
        before = len(problems)
        problems += _problems(name, row, document, names)
        if len(problems) == before:
            compiled[name] = NoticeEndpoint(
                name=name,
                url=Secret(row["url"]),
                secrets=tuple(Secret(secret) for secret in row["secrets"]),
                events=row.get("events", (ALL,)),
                connections=frozenset(row.get("connections", ())),
                syncs=frozenset(row.get("syncs", ())),
            )
    return _local_ones(compiled) if only_local else compiled


def _problems(
    name: str, row: Mapping[str, Any], document: Document, names: Collection[str] | None
) -> Iterator[Problem]:
    if "url" not in row or "secrets" not in row:
        return  # that was said already
    if not any("${" in secret for secret in row["secrets"]):
        secrets = tuple(Secret(secret) for secret in row["secrets"])
        for what in webhook_problems(Webhook(scheme=STANDARD, secrets=secrets)):
            hint = "; `openssl rand -base64 32` makes one, with whsec_ before it"
            yield document.problem((SECTION, name, "secrets"), what + hint)
    if names is not None:
        yield from _unknown(name, "connections", row, document, names)


def sync_problems(document: Document, syncs: Any) -> Iterator[Problem]:
    """Yield what is wrong with the syncs that endpoints name; `syncs`: as mappings/syncs.yaml is.

    Where nothing can be read of that, it says so itself.
    """
    rows = document.data.get(SECTION) if isinstance(document.data, Mapping) else None
    if not isinstance(rows, Mapping) or not isinstance(syncs, Mapping):
        return
    for name, row in rows.items():
        named = row.get("syncs") if isinstance(row, Mapping) else None
        if isinstance(named, list):
            yield from _unknown(name, "syncs", row, document, syncs)


def _unknown(
    name: str, key: str, row: Mapping[str, Any], document: Document, known: Collection[str]
) -> Iterator[Problem]:
    given: Iterable[str] = row.get(key, ())
    for item in given:
        if item not in known:
            kind = key.removesuffix("s")
            what = f"{item} is no {kind} of this home; allowed {', '.join(sorted(known))}"
            yield document.problem((SECTION, name, key), what)


def with_placeholders(data: Any) -> Any:
    """Return settings for a bridge over sandboxes, which need no variables: nothing is told there.

    What stands in the file is checked all the same.
    """
    given = data.get(SECTION) if isinstance(data, Mapping) else None
    if not isinstance(given, Mapping):
        return data
    return {**data, SECTION: {name: _filled(row) for name, row in given.items()}}


def _filled(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return row
    filled, secrets = dict(row), row.get("secrets")
    if references(row.get("url")):
        filled["url"] = _PLACE
    if isinstance(secrets, list):
        filled["secrets"] = [_KEY if references(each) else each for each in secrets]
    return filled


def _local_ones(endpoints: Mapping[str, NoticeEndpoint]) -> dict[str, NoticeEndpoint]:
    return {
        name: each
        for name, each in endpoints.items()
        if urlsplit(each.url.reveal()).hostname in LOOPBACK
    }
