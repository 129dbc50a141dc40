"""Actions by hand at a system, such as opening a screen share. No sync ever takes one."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.connectors import connector_class
from bridge.errors import UnknownName
from bridge.operations.desk import Desk


def allowed(desk: Desk, connection: str) -> Mapping[str, str]:
    """Return the actions at a connection, each with what it does. Raises UnknownName."""
    return connector_class(desk.connection(connection).system).ACTIONS


def act(desk: Desk, connection: str, action: str, arguments: Mapping[str, str]) -> str:
    """Do something at a system, and return its answer, which is kept nowhere.

    That it was asked for is in the audit before it is done. It is never repeated by itself. Raises
    UnknownName for connection or action, and the connector's errors.
    """
    actions = allowed(desk, connection)
    if action not in actions:
        system = desk.connection(connection).system
        known = "; ".join(f"{name}: {meaning}" for name, meaning in actions.items())
        raise UnknownName(f"no action {action}; allowed: {known or f'none ({system} has none)'}")
    # The audit gets the names of what was given, and which record it is about; no other value,
    # since that may be about a person.
    about = {key: value for key, value in arguments.items() if "." not in key}
    detail = {"action": action, "given": sorted(arguments), **about}
    with desk.acting("action", f"{connection} {action}", detail):
        pass
    return desk.connectors[connection].perform_action(action, arguments)
