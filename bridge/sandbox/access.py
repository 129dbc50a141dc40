"""The accounts of the sandboxes: where they are, with which keys, and how each is told apart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.core.model.syncs import Secret, Webhook
from bridge.sandbox.deployments import Deployment
from bridge.sandbox.population import AGENTS
from bridge.sandbox.registry import sandbox_class, systems

PORT_BASE = 9400
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class SandboxAccess:
    """An account of a sandbox, for the connection that uses it."""

    system: str
    base_url: str
    api_key: str
    webhook_secret: str
    options: Mapping[str, Any]
    """Connection options (`project_id`)."""

    def users(self) -> dict[str, str]:
        """Return the people at work there that it knows: e-mail address -> id."""
        known = {agent.email: sandbox_class(self.system).agent_id(agent) for agent in AGENTS}
        return {email: agent_id for email, agent_id in known.items() if agent_id}

    def webhook(self) -> Webhook | None:
        """Return how this sandbox signs its webhooks; None: it sends none."""
        signing = sandbox_class(self.system).SIGNING
        return None if signing is None else replace(signing, secrets=(Secret(self.webhook_secret),))


def accounts(
    urls: Mapping[str, str] | None = None,
    seed: int = 0,
    port_base: int = PORT_BASE,
    deployment: Deployment | None = None,
) -> dict[str, SandboxAccess]:
    """Return the account of every sandbox, by system.

    The same seed gives the same keys in every process.
    `urls` are the addresses that `serve` found (`http://127.0.0.1:9400`); without them they follow
    `port_base`. What a deployment lacks, its connection is told not to use.
    """
    deployed = deployment or {}
    urls = urls or {system: f"http://{HOST}:{port_base + n}" for n, system in enumerate(systems())}
    return {
        system: SandboxAccess(
            system=system,
            base_url=url.rstrip("/") + sandbox_class(system).PREFIX,
            api_key=f"sandbox-{system}-{_derived(seed, system, 'key').hex()[:24]}",
            webhook_secret="whsec_" + base64.b64encode(_derived(seed, system, "webhook")).decode(),
            options=sandbox_class(system).account_options(deployed.get(system, {})),
        )
        for system, url in urls.items()
    }


def _derived(seed: int, system: str, purpose: str) -> bytes:
    return hashlib.sha256(f"bridge sandbox {seed} {system} {purpose}".encode()).digest()
