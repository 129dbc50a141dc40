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
from bridge.operations import passwords
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission, Role, may

LINK_LASTS: Final = timedelta(hours=1)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A person. Its fields are the keys of `bridge user list --json`."""

    name: str
    role: Role
    has_password: bool
    made_at: datetime
    disabled_at: datetime | None

    @property
    def actor(self) -> str:
        """The name under which the audit has what this person does in the pages."""
        return f"user:{self.name}"

    def may(self, permission: Permission) -> bool:
        """Return whether this person may do it."""
        return self.disabled_at is None and may(self.role, permission)


def as_user(row: AccountRow) -> User:
    """Return an account as others may know it."""
    role = Role(row.role)
    return User(row.name, role, row.password is not None, row.made_at, row.disabled_at)


def every(desk: Desk) -> list[User]:
    """Return all users, by name, those who are disabled among them."""
    with desk.ledger.read() as tx:
        return [as_user(row) for row in accounts.every(tx)]


def add(desk: Desk, name: str, role: Role, *, password: str = "") -> None:
    """Add a user, who without a password comes in by a link. Raises NotPossible."""
    if not _NAME.fullmatch(name):
        raise NotPossible(
            f"{name!r} is no user name: small letters, digits and . _ - + @, at most 64"
        )
    kept = passwords.hashed(password) if password else None
    with desk.acting("user added", name, {"role": role.value}) as tx:
        if not accounts.add(tx, name, role.value, desk.now()):
            raise NotPossible(f"{name} is a user already: `bridge user role` changes the role")
        if kept:
            accounts.change(tx, name, password=kept)


def set_password(desk: Desk, name: str, password: str) -> None:
    """Give a user another password, and end all sessions. Raises UnknownName, NotPossible."""
    kept = passwords.hashed(password)
    with desk.acting("user password", name) as tx:
        _known(tx, name)
        accounts.change(tx, name, password=kept)
        _shut_out(tx, name)


def set_role(desk: Desk, name: str, role: Role) -> None:
    """Give a user another role, from the next page on. Raises UnknownName."""
    with desk.acting("user role", name, {"role": role.value}) as tx:
        _known(tx, name)
        accounts.change(tx, name, role=role.value)


def disable(desk: Desk, name: str) -> None:
    """Keep a user out, and end all sessions at once. Raises UnknownName."""
    with desk.acting("user disabled", name) as tx:
        _known(tx, name)
        accounts.change(tx, name, disabled_at=desk.now())
        _shut_out(tx, name)


def enable(desk: Desk, name: str) -> None:
    """Let a disabled user in again. Raises UnknownName."""
    with desk.acting("user enabled", name) as tx:
        _known(tx, name)
        accounts.change(tx, name, disabled_at=None)


def make_link(desk: Desk, name: str) -> str:
    """Return a token that signs a user in on this machine, once and within LINK_LASTS.

    Nothing of it is kept but a digest. Raises UnknownName, NotPossible for a disabled user.
    """
    token = secrets.token_urlsafe(32)
    with desk.acting("user link made", name) as tx:
        if _known(tx, name).disabled_at is not None:
            raise NotPossible(f"{name} is disabled: `bridge user enable {name}` lets them in again")
        sign_ins.add_link(tx, passwords.digest(token), name, desk.now() + LINK_LASTS)
    return token


def first_link(desk: Desk, name: str) -> str:
    """Return a token for whoever starts the bridge at this machine; empty: they are no user.

    Where there is no user at all yet, they become the first admin.
    """
    known = {user.name: user for user in every(desk)}
    if not known:
        add(desk, name, Role.ADMIN)
    elif name not in known or known[name].disabled_at is not None:
        return ""
    return make_link(desk, name)


def _known(tx: Tx, name: str) -> AccountRow:
    row = accounts.get(tx, name)
    if row is None:
        allowed = ", ".join(each.name for each in accounts.every(tx)) or "none; `bridge user add`"
        raise UnknownName(f"no user {name}; there are: {allowed}")
    return row


def _shut_out(tx: Tx, name: str) -> None:
    web_sessions.end_all(tx, name)
    sign_ins.drop_links(tx, name)
