"""The provider, built with the first who asks for it: what it takes is loaded by few processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.core.model.sign_in_provider import OpenIdSettings

if TYPE_CHECKING:  # it loads in a second what verifies a token
    from bridge.openid.provider import Provider


class LateProvider:
    """Returns the provider of the files when it is called; nobody else is called by that."""

    def __init__(self, settings: OpenIdSettings | None, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._built: Provider | None = None

    def __call__(self) -> Provider | None:
        """Return the provider; None: the files name none."""
        if self._built is None and self._settings is not None:
            from bridge.openid.provider import Provider  # noqa: PLC0415 - as above

            self._built = Provider(self._settings, self._clock)
        return self._built
