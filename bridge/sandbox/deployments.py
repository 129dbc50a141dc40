"""What one deployment of a vendor's does otherwise than another: a sandbox's options.

They are written `NAME=VALUE,…`; a name is `option`, for every system that has such an option, or
`system.option`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from bridge.sandbox.documented_calls import IGNORE, STRICT
from bridge.sandbox.vendor_facts import VendorFacts

COMMON: Final[Mapping[str, Any]] = {STRICT: IGNORE, "list_lag": 0.0, "rate": None}
"""Options of every sandbox, with their usual values.

`list_lag`: so many seconds pass until a listing shows what was made or changed. `rate`: calls and
seconds.
"""
RANDOM: Final = "random"
"""In place of options: draw them."""
Deployment = Mapping[str, Mapping[str, Any]]
"""System -> option -> value, of all that is not as usual."""
SHARE_DRAWN: Final = 0.5
"""Of the options of a random deployment, so many are drawn; the others have their usual value."""


def usual_options(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a sandbox with their usual values."""
    return {**COMMON, **own}


def configured(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changed options. Raises ValueError, naming those that there are."""
    unknown = sorted(set(changes) - set(options))
    if unknown:
        allowed = ", ".join(sorted(options))
        raise ValueError(f"unknown option {', '.join(unknown)}; allowed: {allowed}")
    return {**options, **changes}


def draw(
    rng: random.Random, vendor: type[VendorFacts], share: float = SHARE_DRAWN
) -> dict[str, Any]:
    """Draw the options of one vendor's deployment; those that come out as usual are left out."""
    usual = usual_options(vendor.OPTIONS)
    drawn = {
        name: rng.choice(values)
        for name, values in vendor.DEPLOYMENTS.items()
        if rng.random() < share
    }
    return {name: value for name, value in drawn.items() if value != usual[name]}


def parse(text: str, vendors: Iterable[type[VendorFacts]], seed: int) -> dict[str, dict[str, Any]]:
    """Read `random` or `NAME=VALUE,…`. Raises ValueError, saying what there is."""
    known = {vendor.SYSTEM: vendor for vendor in vendors}
    if text == RANDOM:
        rng = random.Random(f"deployment {seed}")
        drawn = {system: draw(rng, vendor) for system, vendor in known.items()}
        return {system: options for system, options in drawn.items() if options}
    parsed: dict[str, dict[str, Any]] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            raise ValueError(f"{part!r} is not NAME=VALUE, nor is it {RANDOM!r}")
        system, dot, option = name.rpartition(".")
        having = [
            key
            for key, vendor in known.items()
            if option in usual_options(vendor.OPTIONS) and (not dot or key == system)
        ]
        if not having:
            raise ValueError(f"unknown option {name!r}; allowed: {', '.join(_names(known))}")
        for key in having:
            parsed.setdefault(key, {})[option] = _value(value)
    return parsed


def written(deployment: Deployment) -> str:
    """Return a deployment as `parse` reads it."""
    return ",".join(
        f"{system}.{name}={value if isinstance(value, str) else json.dumps(value)}"
        for system, options in sorted(deployment.items())
        for name, value in sorted(options.items())
    )


def _names(known: Mapping[str, type[VendorFacts]]) -> Iterator[str]:
    yield from COMMON
    for system, vendor in known.items():
        yield from (f"{system}.{name}" for name in vendor.OPTIONS if name not in COMMON)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
