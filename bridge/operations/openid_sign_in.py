"""Signing in by the provider that the files name: begun, and ended with what it says of somebody.

Who it is, issuer and subject say, never an e-mail address or a name. What they may do, their groups
say, each time they sign in.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from bridge.core.model.outcome_codes import Code
from bridge.core.model.sign_in_provider import AttemptSecrets, OpenIdRefused, OpenIdSettings
from bridge.errors import BridgeError, UnknownName
from bridge.ledger import accounts, sign_ins, web_sessions
from bridge.ledger.accounts import AccountRow
from bridge.ledger.database import Tx
from bridge.openid.identities import Identity
from bridge.openid.provider import Provider
from bridge.operations import passwords, sign_in
from bridge.operations.desk import Desk
from bridge.operations.permissions import Role
from bridge.operations.sign_in import SignedIn

ATTEMPT_LASTS: Final = timedelta(minutes=10)
"""So long one may take at the provider."""
LONGEST_CODE: Final = 4096
LONGEST_NAME: Final = 56
"""Of a user, so that a number fits behind it."""
MOST_ALIKE: Final = 99
CANCELLED: Final = frozenset(
    {
        *("access_denied", "login_required", "interaction_required", "consent_required"),
        "account_selection_required",
    }
)
PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
DEFINED: Final = frozenset(
    {
        *("invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope"),
        *("invalid_request_object", "request_not_supported", "registration_not_supported"),
    }
)
"""Words for errors that OAuth 2.0 and OpenID Connect define; any other is repeated nowhere."""
GUESSED: Final = frozenset({Code.OPENID_STATE, Code.OPENID_TOKEN})
"""What somebody may be trying out."""
UNKNOWN: Final = "unknown"
BY: Final = "provider"
_FOREIGN: Final = re.compile(r"[^a-z0-9._@+-]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """What a browser brings back from a provider."""

    code: str
    error: str
    issuer: str | None
    """Who says to have sent it; None: nobody says."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody who has just signed in by the provider."""

    entry: SignedIn
    taken: str = ""
    """How they would be called, had nobody else that name; empty: they are."""


def begin(desk: Desk) -> tuple[AttemptSecrets, str]:
    """Return what an attempt is recognised by, and where to send the browser for it.

    Raises OpenIdRefused, and UnknownName where no provider is named.
    """
    made = AttemptSecrets(*(secrets.token_urlsafe(32) for _ in range(3)))
    try:
        return made, _provider(desk).address_for(made)
    except OpenIdRefused as error:
        _tell(error, UNKNOWN, "")
        raise


def finish(
    desk: Desk, attempt: AttemptSecrets, began: float, brought: BroughtBack, address: str
) -> Entered:
    """Sign in whoever comes back from the provider. Raises OpenIdRefused, TryLater, UnknownName.

    `attempt` and `began`: as this browser remembers them.
    """
    provider = _provider(desk)
    if desk.now().timestamp() - began >= ATTEMPT_LASTS.total_seconds():
        raise OpenIdRefused(Code.OPENID_STATE, "you were away for more than ten minutes")
    sign_in.count_by_provider(desk, address)
    try:
        identity = _identity(provider, attempt, brought)
    except OpenIdRefused as error:
        if error.code not in GUESSED:
            sign_in.take_back_by_provider(desk, address)
        _tell(error, UNKNOWN, address)
        raise
    sign_in.take_back_by_provider(desk, address)
    with desk.ledger.transaction() as tx:
        if not sign_ins.use_up(tx, passwords.digest(attempt.state), desk.now() + ATTEMPT_LASTS):
            raise OpenIdRefused(Code.OPENID_STATE, "this sign-in is done already")
        row = accounts.known_to(tx, identity.issuer, identity.subject)
        ruling = _ruling(row, identity, provider.settings)
        if not isinstance(ruling, OpenIdRefused):
            row, taken = _admitted(tx, desk, row, ruling, identity)
            return Entered(sign_in.begin(tx, desk, row, address, BY), taken)
        _shut_out(tx, desk, row, identity, ruling, address)
    raise ruling  # not before it is written down


def _provider(desk: Desk) -> Provider:
    provider = desk.provider()
    if provider is None:
        raise UnknownName("the files name no provider to sign in by")
    return provider


def _identity(provider: Provider, attempt: AttemptSecrets, brought: BroughtBack) -> Identity:
    """Return who comes back. Raises OpenIdRefused."""
    provider.check_sender(brought.issuer)
    if brought.error:
        raise _error(brought.error)
    if not brought.code or len(brought.code) > LONGEST_CODE:
        raise OpenIdRefused(Code.OPENID_STATE, "nothing came back that anybody could sign in by")
    return provider.identity_by(brought.code, attempt)


def _error(word: str) -> OpenIdRefused:
    """Return what an error means that the provider has a browser bring back."""
    if word in CANCELLED:
        return OpenIdRefused(Code.OPENID_CANCELLED, "you did not sign in at the provider")
    if word in PASSING:
        return OpenIdRefused(Code.OPENID_DOWN, "the provider has trouble of its own just now")
    named = word if word in DEFINED else "a word of its own"
    return OpenIdRefused(
        Code.OPENID_SETUP, "the provider refuses what the bridge asks for", f"it answered {named}"
    )


def _ruling(
    row: AccountRow | None, identity: Identity, settings: OpenIdSettings
) -> Role | OpenIdRefused:
    """Return as what somebody is let in whom the provider knows, or why they are not."""
    role = settings.role_of(identity.groups or ())
    if row is not None and row.disabled_at is not None:
        return OpenIdRefused(Code.OPENID_OUT, f"{row.name} is disabled here")
    if role is not None:
        return role
    if identity.groups is not None:
        return OpenIdRefused(Code.OPENID_ROLE, "none of your groups at the provider is a role here")
    if identity.too_many:
        return OpenIdRefused(
            Code.OPENID_ROLE,
            "you are in so many groups that the provider has sent none of them",
            "have it send only those groups that are assigned to the bridge",
        )
    return OpenIdRefused(
        Code.OPENID_ROLE,
        f"the provider has sent no groups of yours: there is no claim {settings.groups_claim}",
        "have it send them, or name its claim under `openid.groups_claim`",
    )


def _shut_out(
    tx: Tx,
    desk: Desk,
    row: AccountRow | None,
    identity: Identity,
    why: OpenIdRefused,
    address: str,
) -> None:
    """Write down that somebody is not let in; whoever lost their role is out everywhere."""
    name = row.name if row is not None else UNKNOWN
    if row is not None and why.code is Code.OPENID_ROLE:
        if row.left_at is None:
            accounts.change(tx, name, left_at=desk.now())
        web_sessions.end_all(tx, name)
    detail: dict[str, Any] = {"by": BY, "code": str(why.code)}
    if row is None:
        detail["called"] = readable_name(identity)
    replace(desk, actor=BY).write_down(tx, "sign-in refused", name, detail)
    _tell(why, name, address)


def _admitted(
    tx: Tx, desk: Desk, row: AccountRow | None, role: Role, identity: Identity
) -> tuple[AccountRow, str]:
    """Return the account of somebody, with the role that they have now; a new one gets a name.

    With the name that was taken, where it was.
    """
    taken, writer = "", replace(desk, actor=BY)
    if row is None:
        row, taken = _made(tx, desk, role, identity)
        writer.write_down(tx, "user added", row.name, {"role": role.value, "by": BY})
    elif row.role != role or row.left_at is not None:
        accounts.change(tx, row.name, role=role.value, left_at=None)
        writer.write_down(tx, "user role", row.name, {"role": role.value, "by": BY})
    return replace(row, role=role.value, left_at=None), taken


def _made(tx: Tx, desk: Desk, role: Role, identity: Identity) -> tuple[AccountRow, str]:
    """Make an account under a name that nobody has."""
    wanted, who = readable_name(identity), {"issuer": identity.issuer, "subject": identity.subject}
    for name in _names(wanted, identity):
        if accounts.add(tx, name, role.value, desk.now(), **who):
            break
        if accounts.known_to(tx, **who) is not None:
            break  # they came in by another tab just now
    row = accounts.known_to(tx, **who)
    if row is None:
        raise BridgeError(f"no name could be found for another {wanted}")
    return row, "" if row.name == wanted else wanted


def _names(wanted: str, identity: Identity) -> Iterator[str]:
    yield wanted
    yield from (f"{wanted}-{number}" for number in range(2, MOST_ALIKE + 1))
    yield _nameless(identity)


def readable_name(identity: Identity) -> str:
    """Return how somebody may be called here, of what the provider calls them; nobody may choose.

    Letters lose their accents, and whatever no name here has becomes a dash.
    """
    for given in identity.names:
        plain = unicodedata.normalize("NFKD", given[:200])
        plain = "".join(each for each in plain if not unicodedata.combining(each)).lower()
        name = _FOREIGN.sub("-", plain).strip("-._@+")[:LONGEST_NAME]
        if name:
            return name
    return _nameless(identity)


def _nameless(identity: Identity) -> str:
    who = f"{identity.issuer} {identity.subject}"
    return f"user-{hashlib.sha256(who.encode()).hexdigest()[:12]}"


def _tell(error: OpenIdRefused, name: str, address: str) -> None:
    """Log why somebody is not signed in: nothing of it is the provider's own text."""
    about = {"user": name, "by": BY, "address": address, "code": str(error.code)}
    log.warning("somebody could not sign in: %s", error.in_full, extra=about)
