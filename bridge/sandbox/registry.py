"""The sandbox of every system that has a connector, found by its name.

`bridge.connectors.<system>.connector.<Name>Connector` has its sandbox in
`bridge.sandbox.<system>.<Name>Sandbox`: the registry of connectors is the only one.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from bridge.connectors import CONNECTORS
from bridge.sandbox.vendor_app import Sandbox


def sandbox_class(system: str) -> type[Sandbox]:
    """Return a system's sandbox. Raises LookupError where there is none."""
    module, name = _place(system)
    if not has_sandbox(system):
        raise LookupError(f"system {system!r} has no sandbox; expected {name} in {module}")
    sandbox = getattr(import_module(module), name)
    if not (isinstance(sandbox, type) and issubclass(sandbox, Sandbox)):
        raise TypeError(f"{module}.{name} is not a sandbox")
    return sandbox


def has_sandbox(system: str) -> bool:
    """Return whether a system with a connector has a sandbox as well."""
    return find_spec(_place(system)[0]) is not None


def systems() -> list[str]:
    """Return all systems that have a sandbox, in the order of the registry."""
    return [system for system in CONNECTORS if has_sandbox(system)]


def _place(system: str) -> tuple[str, str]:
    """Return the module and the name of a system's sandbox class."""
    if system not in CONNECTORS:
        raise LookupError(f"there is no system {system!r}; allowed: {', '.join(CONNECTORS)}")
    package, _, connector = CONNECTORS[system].partition(".connectors.")
    name = connector.rpartition(".")[2].removesuffix("Connector")
    return f"{package}.sandbox.{system}", f"{name}Sandbox"
