"""The people who may use the pages: added, listed, given a password or a link, disabled."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.errors import NotPossible, UnknownName
from bridge.ledger import accounts, sign_ins, web_sessions
from bridge.ledger.accounts import AccountRow
from bridge.ledger.database import Tx
from bridge.ledger.web_sessions import OpenSession
from bridge.operations import passwords
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission, Role, may

LINK_LASTS: Final = timedelta(hours=1)
INVITATION: Final = "invitation-"
"""How a token begins that signs its user in from elsewhere, too."""
SHOWN_SESSIONS: Final = 20
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A person. Its fields are the keys of `bridge user list --json`."""

    name: str
    role: Role
    has_password: bool
    made_at: datetime
    disabled_at: datetime | None
    provider: str = ""
    """The issuer by whose provider they sign in, who decides their role; empty: none."""
    left_at: datetime | None = None
    """Since when that gives them no role, so that they are out; None: it gives them one."""

    @property
    def signs_in_by(self) -> str:
        """Return how they come in, in one word."""
        if self.provider:
            return "provider"
        return "password" if self.has_password else "link"

    @property
    def actor(self) -> str:
        """The name under which the audit has what this person does in the pages."""
        return f"user:{self.name}"

    def may(self, permission: Permission) -> bool:
        """Return whether this person may do it."""
        return self.disabled_at is None and self.left_at is None and may(self.role, permission)


@dataclass(frozen=True, slots=True)
class UserPage:
    """A part of the list of users."""

    users: list[User]
    sessions: dict[str, int]
    """By name: in how many browsers they are signed in; left out: in none."""
    after: str | None
    """Behind whom the next part begins; None: this is the end."""


@dataclass(frozen=True, slots=True)
class UserFile:
    """One user, and where they are signed in."""

    user: User
    sessions: list[OpenSession]
    """The newest first, at most SHOWN_SESSIONS."""
    is_last_admin: bool
    """Nobody else could say who may do what."""


def as_user(row: AccountRow) -> User:
    """Return an account as others may know it."""
    role = Role(row.role)
    return User(
        name=row.name,
        role=role,
        has_password=row.password is not None,
        made_at=row.made_at,
        disabled_at=row.disabled_at,
        provider=row.issuer or "",
        left_at=row.left_at,
    )


def is_of_present_provider(desk: Desk, row: AccountRow) -> bool:
    """Return whether an account is nobody else's than that of the provider in the files."""
    known = desk.config.settings.openid
    return row.issuer is None or (known is not None and known.issuer == row.issuer)


def every(desk: Desk) -> list[User]:
    """Return all users, by name, those who are disabled among them."""
    with desk.ledger.read() as tx:
        return [as_user(row) for row in accounts.every(tx)]


def page(desk: Desk, limit: int, after: str = "") -> UserPage:
    """Return so many users by name, those behind one, and who of them is signed in."""
    with desk.ledger.read() as tx:
        rows = accounts.page(tx, limit + 1, after)
        sessions = web_sessions.numbers(tx, [row.name for row in rows], desk.now())
    shown = rows[:limit]
    return UserPage(
        [as_user(row) for row in shown], sessions, shown[-1].name if len(rows) > limit else None
    )


def file_of(desk: Desk, name: str) -> UserFile:
    """Return one user and where they are signed in. Raises UnknownName."""
    with desk.ledger.read() as tx:
        row = _known(tx, name)
        sessions = web_sessions.of_account(tx, name, desk.now(), SHOWN_SESSIONS)
        return UserFile(as_user(row), sessions, _is_last_admin(tx, name))


def add(desk: Desk, name: str, role: Role, *, password: str = "") -> None:
    """Add a user, who without a password comes in by a link. Raises NotPossible."""
    if not _NAME.fullmatch(name):
        raise NotPossible(
            f"{name!r} is no user name: small letters, digits and . _ - + @, at most 64"
        )
    kept = passwords.hashed(password, name) if password else None
    with desk.acting("user added", name, {"role": role.value}) as tx:
        if not accounts.add(tx, name, role.value, desk.now()):
            raise NotPossible(f"{name} is a user already: `bridge user role` changes the role")
        if kept:
            accounts.change(tx, name, password=kept)


def set_password(desk: Desk, name: str, password: str) -> None:
    """Give a user another password, and end all sessions. Raises UnknownName, NotPossible."""
    kept = passwords.hashed(password, name)
    with desk.acting("user password", name) as tx:
        _keep_to_provider(_known(tx, name), "has no password here")
        accounts.change(tx, name, password=kept)
        _shut_out(tx, name)


def set_role(desk: Desk, name: str, role: Role) -> None:
    """Give a user another role, from the next page on.

    Raises UnknownName, and NotPossible for the last admin and where a provider decides.
    """
    with desk.acting("user role", name, {"role": role.value}) as tx:
        _keep_to_provider(
            _known(tx, name), "has the role that their groups there have by `openid.roles`"
        )
        if role is not Role.ADMIN:
            _keep_an_admin(tx, name)
        accounts.change(tx, name, role=role.value)


def disable(desk: Desk, name: str) -> None:
    """Keep a user out, and end all sessions at once.

    Raises UnknownName, and NotPossible for the last admin.
    """
    with desk.acting("user disabled", name) as tx:
        _known(tx, name)
        _keep_an_admin(tx, name)
        accounts.change(tx, name, disabled_at=desk.now())
        _shut_out(tx, name)


def enable(desk: Desk, name: str) -> None:
    """Let a disabled user in again. Raises UnknownName."""
    with desk.acting("user enabled", name) as tx:
        _known(tx, name)
        accounts.change(tx, name, disabled_at=None)


def sign_out_everywhere(desk: Desk, name: str) -> int:
    """End all sessions of a user, and the links that would begin one; return how many sessions.

    Raises UnknownName.
    """
    with desk.acting("user signed out", name) as tx:
        _known(tx, name)
        return _shut_out(tx, name)


def make_link(desk: Desk, name: str, *, from_elsewhere: bool = False) -> str:
    """Return a token that signs a user in on this machine, once and within LINK_LASTS.

    `from_elsewhere`: in any browser, for whoever cannot sit at this machine. Nothing of it is kept
    but a digest. Raises UnknownName, NotPossible for whoever is disabled or signs in by a provider.
    """
    token = f"{INVITATION if from_elsewhere else ''}{secrets.token_urlsafe(32)}"
    action = "user invited" if from_elsewhere else "user link made"
    with desk.acting(action, name) as tx:
        row = _known(tx, name)
        _keep_to_provider(row, "comes in by no link")
        if row.disabled_at is not None:
            raise NotPossible(f"{name} is disabled: `bridge user enable {name}` lets them in again")
        sign_ins.add_link(tx, passwords.digest(token), name, desk.now() + LINK_LASTS)
    return token


def is_invitation(token: str) -> bool:
    """Return whether a token, if it is one, signs in from elsewhere than this machine."""
    return token.startswith(INVITATION)


def first_link(desk: Desk, name: str) -> str:
    """Return a token for whoever starts the bridge at this machine; empty: they are no user.

    Where there is no user at all yet, they become the first admin.
    """
    known = {user.name: user for user in every(desk)}
    if not known:
        add(desk, name, Role.ADMIN)
    elif name not in known or known[name].disabled_at is not None or known[name].provider:
        return ""
    return make_link(desk, name)


def _known(tx: Tx, name: str) -> AccountRow:
    row = accounts.get(tx, name)
    if row is None:
        allowed = ", ".join(each.name for each in accounts.every(tx)) or "none; `bridge user add`"
        raise UnknownName(f"no user {name}; there are: {allowed}")
    return row


def _keep_to_provider(row: AccountRow, what: str) -> None:
    if row.issuer is not None:
        raise NotPossible(f"{row.name} signs in by the provider {row.issuer}, and {what}")


def _is_last_admin(tx: Tx, name: str, *, locked: bool = False) -> bool:
    """Return whether nobody else could say who may do what.

    Whom a provider makes an admin it may make none again, so that one counts only where there is
    no admin of our own.
    """
    admins = accounts.enabled(tx, Role.ADMIN, locked=locked)
    own = [row.name for row in admins if row.issuer is None]
    return (own or [row.name for row in admins]) == [name]


def _keep_an_admin(tx: Tx, name: str) -> None:
    if _is_last_admin(tx, name, locked=True):
        raise NotPossible(
            f"{name} is the last admin, and nobody else could say who may do what: make somebody "
            "else one before, `bridge user role NAME admin`"
        )


def _shut_out(tx: Tx, name: str) -> int:
    sign_ins.drop_links(tx, name)
    return web_sessions.end_all(tx, name)
