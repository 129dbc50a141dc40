"""Tokens, by which programs use the API: made, listed, revoked, and recognised.

A token is shown once, when it is made. The ledger keeps its digest, so that who reads the ledger
learns no way in.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bridge.errors import LedgerError, NotPossible, UnknownName
from bridge.ledger import accounts, api_tokens
from bridge.ledger.api_tokens import ApiTokenRow
from bridge.ledger.database import Tx
from bridge.operations import passwords
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission, Role, may
from bridge.operations.users import as_user

PREFIX: Final = "brg_"
"""How every token begins, so that whoever scans files for secrets can find one."""
USUAL_DAYS: Final = 90
LONGEST_DAYS: Final = 366
"""A token that nobody remembers ends by itself."""
USED_PRECISION: Final = timedelta(minutes=1)
"""The last use is written down no oftener: reading must not write all the time."""
LONGEST_TOKEN: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_USER: Final = "user:"
_TOKEN: Final = "token:"  # noqa: S105 - how such a maker is named


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without the secret. Its fields are the keys of `bridge token list --json`."""

    name: str
    role: Role
    connections: list[str]
    """The connections that it is for; none: for the whole bridge."""
    made_at: datetime
    made_by: str
    ends_at: datetime
    used_at: datetime | None
    """When it was used last, to the minute; None: never."""
    revoked_at: datetime | None
    maker_is_out: bool = False
    """Whoever made it in the pages is disabled or no admin any more; they saw the secret."""

    @property
    def actor(self) -> str:
        """The name under which the audit has what is done with it."""
        return f"{_TOKEN}{self.name}"

    def may(self, permission: Permission) -> bool:
        """Return whether its role may do this, at the connections that it is for."""
        return self.revoked_at is None and may(self.role, permission)

    def is_good(self, now: datetime) -> bool:
        """Return whether it lets anybody in."""
        return self.revoked_at is None and now < self.ends_at and not self.maker_is_out


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made just now, and the secret, which nobody is shown again."""

    token: Token
    secret: str = field(repr=False)


def create(
    desk: Desk,
    name: str,
    role: Role,
    *,
    connections: Sequence[str] = (),
    days: int = USUAL_DAYS,
) -> NewToken:
    """Make a token that is good for so many days. Raises NotPossible, UnknownName.

    `connections`: those that it is for; none: it is for the whole bridge.
    """
    if not _NAME.fullmatch(name):
        raise NotPossible(
            f"{name!r} is no name of a token: small letters, digits and . _ -, at most 64"
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise NotPossible(f"a token is good for 1 to {LONGEST_DAYS} days; choose another number")
    meant = sorted({desk.connection(each).name for each in connections})
    secret, now = PREFIX + secrets.token_urlsafe(32), desk.now()
    row = ApiTokenRow(
        name=name,
        digest=passwords.digest(secret),
        role=role.value,
        connections=meant,
        made_at=now,
        made_by=desk.actor,
        ends_at=now + timedelta(days=days),
        used_at=None,
        revoked_at=None,
    )
    detail = {"role": role.value, "connections": meant, "days": days}
    with desk.acting("token created", name, detail) as tx:
        if not api_tokens.add(tx, row):
            raise NotPossible(
                f"there is or was a token {name}, and the audit names what it did: choose another "
                "name"
            )
    return NewToken(_as_token(row), secret)


def every(desk: Desk) -> list[Token]:
    """Return all tokens by name, those that let nobody in any more among them."""
    with desk.ledger.read() as tx:
        return [_as_token(row, out=_is_out(tx, row.made_by)) for row in api_tokens.every(tx)]


def stopped_with(desk: Desk, name: str) -> str:
    """Return in words which tokens let nobody in while this user may make none; empty: none."""
    with desk.ledger.read() as tx:
        rows = [row for row in api_tokens.every(tx) if _root(tx, row.made_by) == f"{_USER}{name}"]
        out = bool(rows) and _is_out(tx, rows[0].made_by)
    names = [row.name for row in rows if out and _as_token(row).is_good(desk.now())]
    return f"; tokens that let nobody in meanwhile: {', '.join(names)}" if names else ""


def get(desk: Desk, name: str) -> Token:
    """Return a token by its name. Raises UnknownName with those that there are."""
    known = {token.name: token for token in every(desk)}
    if name not in known:
        allowed = ", ".join(known) or "none; `bridge token create`"
        raise UnknownName(f"no token {name}; there are: {allowed}")
    return known[name]


def revoke(desk: Desk, name: str) -> None:
    """Let nobody in with a token any more, from the next request on. Raises UnknownName."""
    if get(desk, name).revoked_at is not None:
        return
    with desk.acting("token revoked", name) as tx:
        api_tokens.revoke(tx, name, desk.now())


def of_secret(desk: Desk, secret: str) -> Token | None:
    """Return the token that somebody came with, and note that it was used; None: it is none."""
    if not secret.startswith(PREFIX) or len(secret) > LONGEST_TOKEN:
        return None
    now = desk.now()
    with desk.ledger.read() as tx:
        row = api_tokens.by_digest(tx, passwords.digest(secret), now)
        if row is None or _is_out(tx, row.made_by):
            return None
    if row.used_at is None or now - row.used_at >= USED_PRECISION:
        # Questions are answered also while nothing can be stored.
        with contextlib.suppress(LedgerError), desk.ledger.transaction() as tx:
            api_tokens.used(tx, row.name, now)
    return _as_token(row)


def _is_out(tx: Tx, maker: str) -> bool:
    """Return whether somebody made a token in the pages who may make none any more.

    What is made at the bridge's own machine is nobody's in particular.
    """
    root = _root(tx, maker)
    if not root.startswith(_USER):
        return False
    row = accounts.get(tx, root.removeprefix(_USER))
    return row is None or not as_user(row).may(Permission.MANAGE_USERS)


def _root(tx: Tx, maker: str) -> str:
    """Return who made the token that made a token, and so on."""
    while maker.startswith(_TOKEN):
        row = api_tokens.get(tx, maker.removeprefix(_TOKEN))
        if row is None:
            break
        maker = row.made_by
    return maker


def _as_token(row: ApiTokenRow, *, out: bool = False) -> Token:
    return Token(
        name=row.name,
        role=Role(row.role),
        connections=row.connections,
        made_at=row.made_at,
        made_by=row.made_by,
        ends_at=row.ends_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        maker_is_out=out,
    )
