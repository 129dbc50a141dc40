"""One connection in lines, as `bridge connection show` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.core.model.counting import counted
from bridge.operations.connection_sheets import AbilityLine, ConnectionSheet
from bridge.operations.times import since_when, when


def connection_lines(sheet: ConnectionSheet) -> Iterator[str]:
    """Return everything about a connection in lines."""
    place, breaker = sheet.line.place, sheet.breaker
    yield f"{place.name} ({place.system}): {place.step}, {place.health}"
    yield f"breaker {breaker.state}{f': {breaker.words}' if breaker.words else ''}"
    for use in sheet.line.budget:
        yield f"budget {use.rate}: {'nobody knows' if use.used is None else f'{use.used} used'}"
    for trouble in sheet.troubles:
        yield f"{trouble.what}  [{trouble.code}]"
        yield f"  {trouble.do}"
    yield from _webhook_lines(sheet)
    for entity in sheet.abilities:
        yield f"{entity.entity}: {', '.join(map(_ability, [*entity.whole, *entity.fields]))}"
    for name, found in sheet.other_findings.items():
        yield f"found out {when(found.at)}: {name} {'yes' if found.value else 'no'} ({found.why})"
    for name, value in sheet.settings:
        yield f"{name}: {value}"


def _webhook_lines(sheet: ConnectionSheet) -> Iterator[str]:
    webhook = sheet.webhook
    if not webhook.scheme:
        yield "webhooks: none are taken, for no secret is set up"
        return
    last = f"the last came {when(webhook.last)}" if webhook.last else "none came lately"
    yield f"webhooks at {webhook.path}, {webhook.scheme}: {last}"
    for refused in webhook.refused:
        what = counted(refused.count, "delivery", "deliveries")
        over = ", over by now" if refused.over else f": {refused.do}"
        since, until = since_when(refused.since), since_when(refused.last)
        yield f"  {what} refused from {since} to {until}, {refused.why} [{refused.code}]{over}"


def _ability(line: AbilityLine) -> str:
    only = f" on {line.only_on} alone" if line.only_on else ""
    return f"{line.name} {line.works}{only}"
