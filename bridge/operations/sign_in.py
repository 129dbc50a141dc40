"""Signing in to the pages and out again, with a password or a link; who guesses has to wait."""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bridge.errors import BridgeError
from bridge.ledger import accounts, sign_ins, web_sessions
from bridge.ledger.accounts import AccountRow
from bridge.ledger.database import Tx
from bridge.ledger.sign_ins import Failures
from bridge.operations import passwords, users
from bridge.operations.desk import Desk
from bridge.operations.users import User, as_user

SESSION_LASTS: Final = timedelta(hours=12)
FREE: Final = {"account": 5, "address": 20, "provider": 20}
"""So often in a row it may go wrong for an account, or from an address that many may share.

What goes wrong by a provider counts apart: it keeps nobody from a password.

After that one has to wait, twice as long each time ..."""
FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(minutes=15)
"""... up to so long."""
FORGOTTEN_AFTER: Final = timedelta(hours=1)
NETWORK_BITS: Final = 64
"""Addresses of IPv6 count by the network: one subscriber has all the rest."""


log = logging.getLogger(__name__)


class NotLetIn(BridgeError):
    """Name, password or link is not right; which of them is not said."""


class TryLater(BridgeError):
    """Too many attempts failed; `wait` is how long the next one is not looked at."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(f"too many attempts failed; try again in {seconds} s")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who has just signed in, and the token by which their browser is known."""

    user: User
    token: str = field(repr=False)


def by_password(desk: Desk, name: str, password: str, address: str) -> SignedIn:
    """Sign somebody in who comes from an address. Raises NotLetIn, TryLater.

    The attempt counts as failed before the password is looked at, so that many at once are no way
    around the wait.
    """
    row = _matching(desk, name, password, address)
    with desk.ledger.transaction() as tx:
        return begin(tx, desk, _still(tx, row, address), address, "password")


def change_password(desk: Desk, user: User, old: str, new: str, address: str) -> SignedIn:
    """Give whoever is signed in another password, end all their sessions, and begin a new one.

    `old` has to be right where there is one; guessing it is no quicker than at the sign-in. Raises
    NotLetIn, TryLater, and NotPossible for a new one that cannot be taken.
    """
    passwords.check(new, user.name)
    if user.has_password:
        row = _matching(desk, user.name, old, address)
        with desk.ledger.transaction() as tx:
            _still(tx, row, address)
    users.set_password(desk, user.name, new)
    with desk.ledger.transaction() as tx:
        return begin(tx, desk, _allowed(tx, user.name, address), address, "new password")


def _matching(desk: Desk, name: str, password: str, address: str) -> AccountRow:
    """Return the account that name and password are of. Raises NotLetIn, TryLater."""
    with desk.ledger.transaction() as tx:
        _count(tx, desk.now(), _subjects(name, address))
        row = accounts.get(tx, name)
    if not passwords.matches(row.password if row else None, password) or row is None:
        _tell("password", row, address)
        raise NotLetIn("name or password is not right")
    return row


def count_by_provider(desk: Desk, address: str) -> None:
    """Count an attempt by the provider as failed until it is taken back. Raises TryLater."""
    with desk.ledger.transaction() as tx:
        _count(tx, desk.now(), (f"provider {_network(address)}",))


def take_back_by_provider(desk: Desk, address: str) -> None:
    """Count that attempt no more: what came of it was nobody's guess."""
    with desk.ledger.transaction() as tx:
        sign_ins.take_back(tx, f"provider {_network(address)}")


def _count(tx: Tx, now: datetime, subjects: Sequence[str]) -> None:
    """Count an attempt as failed for each of these, before it is looked at. Raises TryLater."""
    sign_ins.prune(tx, now, now - FORGOTTEN_AFTER)
    if (wait := _wait(sign_ins.failures(tx, subjects), now)) > timedelta():
        raise TryLater(wait)
    for subject in subjects:
        sign_ins.add_failure(tx, subject, now)


def _still(tx: Tx, row: AccountRow, address: str) -> AccountRow:
    """Return an account whose password was right a moment ago, and count no failure for that."""
    account, place = _subjects(row.name, address)
    still = _allowed(tx, row.name, address)
    if still.password != row.password:
        raise NotLetIn("name or password is not right")
    sign_ins.forget_failures(tx, account)
    sign_ins.take_back(tx, place)  # not more: who has an account would guess for ever
    return still


def _subjects(name: str, address: str) -> tuple[str, str]:
    """Return under which names failures are counted: of the account, and of the address."""
    return f"account {name[:64]}", f"address {_network(address)}"


def by_link(desk: Desk, token: str, address: str) -> SignedIn:
    """Sign in whoever this link was made for, and use it up. Raises NotLetIn."""
    with desk.ledger.transaction() as tx:
        name = sign_ins.take_link(tx, passwords.digest(token), desk.now())
        if name is None:
            _tell("link", None, address)
            raise NotLetIn("this link was used already or is too old: `bridge user link` makes one")
        return begin(tx, desk, _allowed(tx, name, address), address, "link")


def user_of(desk: Desk, token: str) -> User | None:
    """Return who is signed in with this token; None: nobody (any more)."""
    with desk.ledger.read() as tx:
        row = web_sessions.account_of(tx, passwords.digest(token), desk.now())
    return None if row is None or not users.is_of_present_provider(desk, row) else as_user(row)


def sign_out(desk: Desk, token: str) -> None:
    """End the session with this token."""
    with desk.ledger.transaction() as tx:
        web_sessions.end(tx, passwords.digest(token))


def begin(tx: Tx, desk: Desk, row: AccountRow, address: str, by: str) -> SignedIn:
    """Begin a session of an account that may sign in, and write it down."""
    now, token, user = desk.now(), secrets.token_urlsafe(32), as_user(row)
    web_sessions.prune(tx, now)
    web_sessions.begin(
        tx,
        passwords.digest(token),
        row.name,
        now=now,
        ends_at=now + SESSION_LASTS,
        address=address,
    )
    replace(desk, actor=user.actor).write_down(tx, "signed in", row.name, {"by": by})
    return SignedIn(user, token)


def _tell(by: str, row: AccountRow | None, address: str) -> None:
    """Log that an attempt failed. An unknown name is left out: it may be a password, typed there.

    Attempts that have to wait are not told: nobody is to fill the log.
    """
    about = {"user": row.name if row else "unknown", "by": by, "address": address}
    log.warning("somebody could not sign in", extra=about)


def _allowed(tx: Tx, name: str, address: str) -> AccountRow:
    row = accounts.get(tx, name)
    if row is None or row.disabled_at is not None:
        _tell("disabled", row, address)
        raise NotLetIn("name or password is not right")
    return row


def _wait(failed: Mapping[str, Failures], now: datetime) -> timedelta:
    """Return how long it is until the next attempt is looked at."""
    waits = [timedelta()]
    for subject, known in failed.items():
        too_many = known.count - FREE[subject.partition(" ")[0]]
        if too_many >= 0:
            waits.append(
                known.last_at + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(too_many, 20)) - now
            )
    return max(waits)


def _network(address: str) -> str:
    """Return what of an address counts as one subscriber."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, NETWORK_BITS), strict=False))
    return str(known)
