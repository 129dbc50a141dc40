"""Tokens of programs: what lets one in, for how long and for what, and what is kept of it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.errors import LedgerError, NotPossible, UnknownName
from bridge.ledger import renaming, tables
from bridge.operations import audit_trail, tokens, users
from bridge.operations.permissions import Permission, Role
from tests.flow.world import World
from tests.operations.desks import desk_of


@pytest.fixture
def desk(sqlite_ledger):
    return desk_of(World(ledger=sqlite_ledger, names="LH"))


def rows(desk, table):
    with desk.ledger.read() as tx:
        return tx.execute(select(table)).all()


def test_a_token_lets_in_until_it_ends(ledger):
    desk = desk_of(World(ledger=ledger, names="LH"))
    made = tokens.create(desk, "ci", Role.OPERATOR, days=2)
    assert made.secret.startswith("brg_")
    assert made.secret not in repr(made)
    token = tokens.of_secret(desk, made.secret)
    assert (token.name, token.role, token.actor) == ("ci", Role.OPERATOR, "token:ci")
    assert token.may(Permission.TEND_TICKETS)
    assert not token.may(Permission.MANAGE_USERS)
    desk.context.clock.advance(timedelta(days=2).total_seconds() - 1)
    assert tokens.of_secret(desk, made.secret).is_good(desk.now())
    desk.context.clock.advance(1)
    assert tokens.of_secret(desk, made.secret) is None
    assert not tokens.get(desk, "ci").is_good(desk.now())


def test_a_revoked_token_lets_nobody_in_and_its_name_is_not_given_again(desk):
    made = tokens.create(desk, "ci", Role.VIEWER)
    tokens.revoke(desk, "ci")
    tokens.revoke(desk, "ci")
    assert tokens.of_secret(desk, made.secret) is None
    assert not tokens.get(desk, "ci").may(Permission.SEE)
    with pytest.raises(NotPossible, match="choose another name"):
        tokens.create(desk, "ci", Role.ADMIN)
    assert [act.action for act in audit_trail.acts(desk, limit=9, action="token")] == [
        "token revoked",
        "token created",
    ]


@pytest.mark.parametrize("act", [users.disable, lambda *who: users.set_role(*who, Role.MAPPER)])
def test_whoever_is_out_takes_the_tokens_along_that_they_have_seen(desk, act):
    for name in ("ana", "bo"):
        users.add(desk, name, Role.ADMIN)
    in_pages = desk.seen_by("user:ana", personal=True)
    hers = tokens.create(in_pages, "hers", Role.OPERATOR)
    by_program = desk.seen_by(hers.token.actor, personal=True)
    hers_too = tokens.create(by_program, "hers-too", Role.VIEWER)
    other = tokens.create(desk.seen_by("user:bo", personal=True), "other", Role.VIEWER)
    own = tokens.create(desk, "machine", Role.VIEWER)
    assert tokens.stopped_with(desk, "ana") == ""
    act(desk, "ana")
    let_in = [tokens.of_secret(desk, made.secret) for made in (hers, hers_too, other, own)]
    assert [token and token.name for token in let_in] == [None, None, "other", "machine"]
    assert tokens.stopped_with(desk, "ana").endswith("meanwhile: hers, hers-too")
    good = {token.name for token in tokens.every(desk) if token.is_good(desk.now())}
    assert good == {"other", "machine"}
    users.enable(desk, "ana")
    users.set_role(desk, "ana", Role.ADMIN)
    assert tokens.of_secret(desk, hers.secret).name == "hers"


@pytest.mark.parametrize("secret", ["", "brg_", "brg_" + "x" * 43, "brg_\ud800", "x" * 50, "b\0"])
def test_what_is_no_token_lets_nobody_in(desk, secret):
    tokens.create(desk, "ci", Role.VIEWER)
    assert tokens.of_secret(desk, secret) is None


def test_nothing_that_is_kept_lets_anybody_in(desk):
    made = tokens.create(desk, "ci", Role.VIEWER)
    tokens.of_secret(desk, made.secret)
    kept = repr([rows(desk, table) for table in tables.metadata.sorted_tables])
    assert made.secret not in kept
    assert made.secret.removeprefix("brg_") not in kept
    (digest,) = (row.digest for row in rows(desk, tables.api_token))
    assert tokens.of_secret(desk, "brg_" + digest) is None


def test_the_last_use_is_known_to_the_minute(desk):
    made = tokens.create(desk, "ci", Role.VIEWER)
    first = desk.now()
    tokens.of_secret(desk, made.secret)
    desk.context.clock.advance(59)
    tokens.of_secret(desk, made.secret)
    assert tokens.get(desk, "ci").used_at == first
    desk.context.clock.advance(1)
    tokens.of_secret(desk, made.secret)
    assert tokens.get(desk, "ci").used_at == desk.now()


def test_a_token_lets_in_while_nothing_can_be_stored(desk, monkeypatch):
    made = tokens.create(desk, "ci", Role.VIEWER)

    def full():
        raise LedgerError("the disk is full")

    monkeypatch.setattr(type(desk.ledger), "transaction", lambda _self: full())
    assert tokens.of_secret(desk, made.secret).name == "ci"


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("Capital", {}, "small letters, digits"),
        ("", {}, "small letters, digits"),
        ("ci", {"days": 0}, "1 to 366 days"),
        ("ci", {"days": 367}, "1 to 366 days"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_what_could(desk, name, wrong, says):
    with pytest.raises(NotPossible, match=says):
        tokens.create(desk, name, Role.VIEWER, **wrong)
    assert tokens.every(desk) == []


def test_a_token_is_for_connections_that_there_are_and_goes_with_a_new_name(desk):
    with pytest.raises(UnknownName, match="allowed: L, H"):
        tokens.create(desk, "ci", Role.VIEWER, connections=["nowhere"])
    tokens.create(desk, "ci", Role.VIEWER, connections=["L", "H", "L"])
    tokens.create(desk, "all", Role.VIEWER)
    with desk.ledger.transaction() as tx:
        assert renaming.rename_connection(tx, "L", "M")["api_token"] == 1
    assert tokens.get(desk, "ci").connections == ["H", "M"]
    assert tokens.get(desk, "all").connections == []
