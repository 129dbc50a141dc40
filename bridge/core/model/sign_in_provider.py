"""How users sign in by OpenID Connect, as the files say it, and how that may fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from bridge.core.model.outcome_codes import Code
from bridge.core.model.roles import Role
from bridge.core.model.syncs import Proxy, Secret
from bridge.errors import BridgeError

BACK: Final = "/sign-in/openid/back"
"""Where among the pages a provider sends browsers back to."""
RANKS: Final = tuple(Role)
"""From the least to the highest."""


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """The provider, what the bridge is to it, and what its groups are to the bridge."""

    issuer: str
    client_id: str
    client_secret: Secret
    pages: str
    """Where browsers reach the pages, as `https://bridge.example.com`."""
    label: str
    """What the button of the sign-in says."""
    scopes: tuple[str, ...]
    groups_claim: str
    roles: Mapping[str, Role]
    """Group -> the role of who is in it."""
    default_role: Role | None
    """The role of who is in none of these groups; None: they are not let in."""
    authorities: str = field(default="", repr=False)
    """Certificates in PEM that are trusted in place of the public ones; empty: those."""
    proxy: Proxy | None = None

    @property
    def redirect_uri(self) -> str:
        """Return the address that has to be registered with the provider."""
        return f"{self.pages}{BACK}"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return all that no log, page or error may show."""
        return (self.client_secret, *(self.proxy.secrets if self.proxy else ()))

    def role_of(self, groups: Collection[str]) -> Role | None:
        """Return the highest role of somebody's groups; None: they are not let in."""
        roles = {role for group, role in self.roles.items() if group in groups}
        roles |= {self.default_role} if self.default_role is not None else set()
        return max(roles, key=RANKS.index, default=None)


@dataclass(frozen=True, slots=True)
class AttemptSecrets:
    """What an attempt to sign in is recognised by, when it comes back."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class OpenIdRefused(BridgeError):
    """Nobody is signed in by the provider: with the outcome code, and the facts in our own words.

    `hint` is for those who keep the bridge, in logs and checks; it may repeat a word of the
    provider's.
    """

    def __init__(self, code: Code, facts: str, hint: str = "") -> None:
        super().__init__(facts)
        self.code, self.facts, self.hint = code, facts, hint

    @property
    def in_full(self) -> str:
        """Return the facts with the hint."""
        return f"{self.facts}; {self.hint}" if self.hint else self.facts
