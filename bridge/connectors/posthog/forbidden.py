"""What a 403 is about: the key, the action, or this one ticket. Only its words tell.

The words are those of posthog/permissions.py in https://github.com/PostHog/posthog, read 2026-11.
"""

from __future__ import annotations

from bridge.errors import Refused, RemoteError, Unauthorised, Withheld

OF_KEY = ("scope", "requested project", "requested organization")
"""In what is said of the key: it lacks a scope, or may not enter the project at all."""
OF_ACTION = "does not support personal api key"


def forbidden(error: Unauthorised, *, of_ticket: bool) -> RemoteError:
    """Return the error that a 403 stands for.

    The key's stops the connection, an action's withdraws that, and a ticket's parks that alone.
    Where no ticket was named (`of_ticket`), what is not about the key is about the action.
    """
    said = error.detail.casefold()
    kind: type[RemoteError] = Withheld
    why = "this ticket is kept from the key's user; let that user edit it in PostHog"
    if OF_ACTION in said:
        kind, why = Refused, "a personal key may not do this here"
    elif any(words in said for words in OF_KEY):
        return error
    elif not of_ticket:
        kind, why = Refused, "the key's user may not do this here"
    return kind(
        error.connection,
        why,
        status=error.status,
        request_id=error.request_id,
        detail=error.detail,
    )
