"""Compiles and checks other mappings beside settings that are loaded already."""

from __future__ import annotations

from bridge.config import Config, HomeLoader, all_problems, without_problems
from bridge.config.mapping_texts import Published, secret_problems
from bridge.config.one_account import Classes
from bridge.core.model.syncs import Secret


def with_mappings(config: Config, published: Published, connectors: Classes) -> Config:
    """Return a configuration with other mappings and the same settings, whatever files say now.

    Raises ConfigError with the problems of all mappings.
    """
    assert config.compiled is not None  # noqa: S101 - it was loaded
    loader = HomeLoader(config.home, {}, {}, connectors)
    return without_problems(loader, loader.compiled(config.compiled, published))


def check_mappings(config: Config, published: Published, connectors: Classes) -> list[str]:
    """Return the problems that `check` would return with these mappings and the same settings."""
    assert config.compiled is not None  # noqa: S101 - it was loaded
    loader = HomeLoader(config.home, {}, {}, connectors)
    loader.compiled(config.compiled, published)
    loader.problems += secret_problems(published.files, secrets_of(config))
    return all_problems(loader)


def secrets_of(config: Config) -> list[Secret]:
    """Return the secrets that a configuration knows, none of which may stand in a mapping."""
    connections = config.connections.values()
    of_connections = [secret for connection in connections for secret in connection.secrets]
    return [*config.settings.secrets, *of_connections]
