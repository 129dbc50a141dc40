"""Whether the provider by which users sign in answers, and what has to be registered there."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.clock import Clock, SystemClock
from bridge.config import Settings
from bridge.core.model.sign_in_provider import OpenIdRefused
from bridge.operations.desk import Desk
from bridge.operations.trouble import Trouble


def asked(settings: Settings, clock: Clock) -> tuple[str, str]:
    """Return in words what the provider answers, and what is wrong, if it is; empty: no provider.

    It is called just now, and not asked to sign anybody in: that takes a person.
    """
    known = settings.openid
    if known is None:
        return "", ""
    registered = f"redirect URI to register: {known.redirect_uri}"
    from bridge.openid.provider import Provider  # noqa: PLC0415 - loads what few need

    try:
        answer = Provider(known, clock).check()
    except OpenIdRefused as error:
        return "", f"{error.in_full} [{error.code}]; {registered}"
    return f"{known.issuer} {answer}; {registered}", ""


def troubles(desk: Desk) -> Iterator[Trouble]:
    """Say that nobody can sign in by the provider, if that is so."""
    known = desk.config.settings.openid
    if known is None:
        return
    from bridge.openid.provider import Provider  # noqa: PLC0415 - loads what few need

    try:
        Provider(known, SystemClock()).check()
    except OpenIdRefused as error:
        do = (
            f"see that {known.issuer} runs and that `openid` in config/bridge.yaml fits it; "
            f"redirect URI to register: {known.redirect_uri}"
        )
        yield Trouble(error.code, f"sign-in by the provider: {error.in_full}", None, do)
