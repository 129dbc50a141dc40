"""Users and how they sign in: what lets somebody in, what does not, and what is kept of it."""

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from sqlalchemy import select, update

from bridge.errors import NotPossible, UnknownName
from bridge.ledger import audit, sign_ins, tables
from bridge.operations import audit_trail, passwords, sign_in, users
from bridge.operations.permissions import Permission, Role
from bridge.operations.sign_in import (
    FORGOTTEN_AFTER,
    FREE,
    LONGEST_WAIT,
    SESSION_LASTS,
    NotLetIn,
    TryLater,
)
from tests.flow.world import World
from tests.operations.desks import desk_of

PASSWORD = "correct horse battery"
HERE = "192.0.2.7"
HASHED = passwords.hashed(PASSWORD)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """A password costs what it must in the test about that, and next to nothing elsewhere."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODYS", hasher.hash("of nobody"))


@pytest.fixture
def desk(sqlite_ledger):
    return desk_of(World(ledger=sqlite_ledger, names="LH"))


@pytest.fixture
def on_both(ledger):
    return desk_of(World(ledger=ledger, names="LH"))


@pytest.fixture
def ana(desk):
    users.add(desk, "ana", Role.OPERATOR, password=PASSWORD)
    return desk


def clock(desk):
    return desk.context.clock


def wrong(desk, name="ana", address=HERE):
    with pytest.raises(NotLetIn):
        sign_in.by_password(desk, name, "not this one", address)


def test_who_knows_the_password_is_in_until_the_session_ends(on_both):
    users.add(on_both, "ana", Role.OPERATOR, password=PASSWORD)
    entry = sign_in.by_password(on_both, "ana", PASSWORD, HERE)
    user = sign_in.user_of(on_both, entry.token)
    assert (user.name, user.role, user.actor) == ("ana", Role.OPERATOR, "user:ana")
    assert user.may(Permission.TEND_TICKETS)
    assert not user.may(Permission.MANAGE_USERS)
    clock(on_both).advance(SESSION_LASTS.total_seconds() - 1)
    assert sign_in.user_of(on_both, entry.token) == user
    clock(on_both).advance(1)
    assert sign_in.user_of(on_both, entry.token) is None


def test_each_sign_in_has_a_token_of_its_own_and_signing_out_ends_that_one_alone(ana):
    first = sign_in.by_password(ana, "ana", PASSWORD, HERE).token
    second = sign_in.by_password(ana, "ana", PASSWORD, HERE).token
    assert first != second
    sign_in.sign_out(ana, first)
    assert sign_in.user_of(ana, first) is None
    assert sign_in.user_of(ana, second) is not None


@pytest.mark.parametrize(
    ("name", "password"),
    [("ana", "Correct horse battery"), ("nobody", PASSWORD), ("", ""), ("ana", ""), ("bo", "")],
)
def test_nobody_else_comes_in_and_all_are_told_the_same(ana, name, password):
    users.add(ana, "bo", Role.ADMIN)  # without a password
    with pytest.raises(NotLetIn, match="name or password is not right"):
        sign_in.by_password(ana, name, password, HERE)
    assert rows(ana, tables.web_session) == []


@pytest.mark.parametrize(
    "act", [users.disable, lambda desk, name: users.set_password(desk, name, "another one 1234")]
)
def test_who_is_disabled_or_gets_another_password_is_out_at_once(ana, act):
    token, link = sign_in.by_password(ana, "ana", PASSWORD, HERE).token, users.make_link(ana, "ana")
    act(ana, "ana")
    assert sign_in.user_of(ana, token) is None
    wrong(ana)
    with pytest.raises(NotLetIn):
        sign_in.by_link(ana, link, HERE)
    with pytest.raises(NotLetIn):
        sign_in.by_password(ana, "ana", PASSWORD, HERE)


def test_who_could_not_sign_in_is_in_the_log_and_what_was_typed_is_not(ana, caplog):
    link = users.make_link(ana, "ana")
    wrong(ana)
    wrong(ana, name=PASSWORD)  # in the wrong field
    for token in (link, link):
        with suppress(NotLetIn):
            sign_in.by_link(ana, token, HERE)
    users.disable(ana, "ana")
    with pytest.raises(NotLetIn):
        sign_in.by_password(ana, "ana", PASSWORD, HERE)
    lines = [line for line in caplog.records if "could not sign in" in line.getMessage()]
    assert [(line.user, line.by, line.address) for line in lines] == [
        ("ana", "password", HERE),
        ("unknown", "password", HERE),
        ("unknown", "link", HERE),
        ("ana", "disabled", HERE),
    ]
    said = repr([line.__dict__ for line in caplog.records])
    assert not any(secret in said for secret in (PASSWORD, link, "not this one"))


def test_a_disabled_user_may_be_let_in_again(ana):
    users.disable(ana, "ana")
    with pytest.raises(NotPossible, match="bridge user enable ana"):
        users.make_link(ana, "ana")
    users.enable(ana, "ana")
    assert sign_in.by_password(ana, "ana", PASSWORD, HERE).user.name == "ana"


def test_another_role_holds_from_the_next_look_on(ana):
    token = sign_in.by_password(ana, "ana", PASSWORD, HERE).token
    users.set_role(ana, "ana", Role.VIEWER)
    assert not sign_in.user_of(ana, token).may(Permission.TEND_TICKETS)


def test_a_link_lets_in_once_and_not_for_long(on_both):
    users.add(on_both, "ana", Role.ADMIN)
    link, late = users.make_link(on_both, "ana"), users.make_link(on_both, "ana")
    assert sign_in.by_link(on_both, link, HERE).user.name == "ana"
    with pytest.raises(NotLetIn, match="used already or is too old"):
        sign_in.by_link(on_both, link, HERE)
    clock(on_both).advance(users.LINK_LASTS.total_seconds())
    with pytest.raises(NotLetIn, match="used already or is too old"):
        sign_in.by_link(on_both, late, HERE)


def test_whoever_starts_the_bridge_first_is_its_admin_and_later_ones_are_not(desk):
    link = users.first_link(desk, "ana")
    assert sign_in.by_link(desk, link, HERE).user.role is Role.ADMIN
    assert users.first_link(desk, "bo") == ""
    assert [user.name for user in users.every(desk)] == ["ana"]
    assert users.first_link(desk, "ana") != link
    users.add(desk, "bo", Role.ADMIN)
    users.disable(desk, "ana")
    assert users.first_link(desk, "ana") == ""


def test_who_guesses_waits_longer_each_time_and_a_right_password_is_not_looked_at_meanwhile(ana):
    for _ in range(FREE["account"]):
        wrong(ana, address="192.0.2.1")
    waits = []
    for number in range(12):
        with pytest.raises(TryLater) as told:
            sign_in.by_password(ana, "ana", PASSWORD, f"198.51.100.{number}")
        waits.append(told.value.wait)
        clock(ana).advance(told.value.wait.total_seconds())
        wrong(ana, address=f"203.0.113.{number}")
    assert waits == sorted(waits)
    assert waits[0] < waits[1]
    assert waits[-1] == LONGEST_WAIT
    clock(ana).advance(LONGEST_WAIT.total_seconds())
    assert sign_in.by_password(ana, "ana", PASSWORD, HERE)
    wrong(ana)  # the row of failures begins anew


def test_an_address_waits_whatever_names_it_tries_and_its_own_account_does_not_help(ana):
    for number in range(FREE["address"]):
        if number % 4 == 3:
            sign_in.by_password(ana, "ana", PASSWORD, "2001:db8::1")
        wrong(ana, name=f"guess{number}", address=f"2001:db8::{number:x}")
    with pytest.raises(TryLater):
        sign_in.by_password(ana, "ana", PASSWORD, "2001:db8::ffff")
    assert sign_in.by_password(ana, "ana", PASSWORD, "2001:db8:0:1::1")  # another subscriber


def test_what_went_wrong_long_ago_is_forgotten(ana):
    for number in range(FREE["address"] - 1):
        wrong(ana, name=f"guess{number}")
    clock(ana).advance(FORGOTTEN_AFTER.total_seconds() + 1)
    wrong(ana)
    assert {row.subject for row in rows(ana, tables.sign_in_failure)} == {
        "account ana",
        f"address {HERE}",
    }


def test_many_attempts_at_once_are_no_way_around_the_wait(sqlite_ledger):
    desk = desk_of(World(ledger=sqlite_ledger, names="L"))
    users.add(desk, "ana", Role.ADMIN, password=PASSWORD)
    seen = []

    def guess():
        try:
            sign_in.by_password(desk, "ana", "not this one", HERE)
        except (NotLetIn, TryLater) as error:
            seen.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(FREE["account"] + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.count(NotLetIn) == FREE["account"]
    assert seen.count(TryLater) == 4


def test_the_ledger_holds_no_password_token_or_link(ana):
    entry, link = sign_in.by_password(ana, "ana", PASSWORD, HERE), users.make_link(ana, "ana")
    kept = repr([rows(ana, table) for table in tables.metadata.sorted_tables])
    assert not any(secret in kept for secret in (PASSWORD, entry.token, link))
    assert "$argon2id$" in kept
    assert entry.token not in repr(entry)


@pytest.mark.parametrize("password", ["", "fourteen chars", "x" * 257])
def test_a_password_has_a_length(desk, password):
    users.add(desk, "ana", Role.VIEWER)
    with pytest.raises(NotPossible, match="15 to 256 characters"):
        users.set_password(desk, "ana", password)


def test_any_characters_make_a_password(desk):
    odd = "\ud800 half of a pair\x00"
    users.add(desk, "ana", Role.VIEWER, password=odd)
    assert sign_in.by_password(desk, "ana", odd, HERE)


@pytest.mark.parametrize(
    "password",
    [
        *("123456789012345", "qwertyuiopasdfgh", "1q2w3e4r5t6y7u8i9o0p", "aaaaaaaaaaaaaaab"),
        *("passwordpassword1", "Summer2026Summer2026", "CorrectHorseBatteryStaple"),
        *("Bridge-Admin-2026!", "Ana.Schmidt.2026", "ana.schmidtana.schmidt"),
    ],
)
def test_a_password_that_is_soon_guessed_is_refused(desk, password):
    name = "ana.schmidt"
    with pytest.raises(NotPossible, match="soon guessed"):
        users.add(desk, name, Role.VIEWER, password=password)
    users.add(desk, name, Role.VIEWER, password=PASSWORD)
    with pytest.raises(NotPossible, match="soon guessed"):
        users.set_password(desk, name, password)
    with pytest.raises(NotPossible, match="soon guessed"):
        sign_in.change_password(desk, users.every(desk)[0], PASSWORD, password, HERE)


@pytest.mark.parametrize(
    "password",
    [
        *(PASSWORD, "wir fahren nach rom", "welcome to the bridge of dreams", "Kx7-pQ2_vR9.mT4"),
        "once more, and once more",
    ],
)
def test_words_of_ones_own_choice_make_a_password(password):
    passwords.check(password, "ana")


def test_guessing_from_a_digest_costs_what_it_has_to():
    ours = extract_parameters(HASHED)
    assert ours.type is Type.ID
    assert ours.memory_cost >= 19 * 1024
    assert ours.time_cost >= 2
    assert ours.salt_len >= 16
    assert ours.hash_len >= 32


def test_what_is_kept_in_a_form_that_nobody_knows_lets_nobody_in():
    assert not passwords.matches("not a digest", PASSWORD)


@pytest.mark.parametrize("name", ["", "Ana", "a b", "-a", "a" * 65, "ana\n", "<b>"])
def test_a_name_is_plain(desk, name):
    with pytest.raises(NotPossible, match="is no user name"):
        users.add(desk, name, Role.VIEWER)


def test_names_that_are_taken_or_unknown_are_named(ana):
    with pytest.raises(NotPossible, match="bridge user role"):
        users.add(ana, "ana", Role.ADMIN)
    assert users.every(ana)[0].role is Role.OPERATOR
    for act in (users.disable, users.enable, users.make_link):
        with pytest.raises(UnknownName, match="there are: ana"):
            act(ana, "bo")


def test_what_is_done_to_users_and_who_signs_in_is_in_the_audit(ana):
    sign_in.by_password(ana, "ana", PASSWORD, HERE)
    users.disable(ana, "ana")
    acts = [(act.actor, act.action, act.subject) for act in audit_trail.acts(ana, limit=9)]
    assert acts == [
        ("local:me", "user disabled", "ana"),
        ("user:ana", "signed in", "ana"),
        ("local:me", "user added", "ana"),
    ]


def rows(desk, table):
    with desk.ledger.read() as tx:
        return list(tx.execute(select(table)))


def test_old_links_and_failures_are_forgotten(ana):
    users.make_link(ana, "ana")
    with ana.ledger.transaction() as tx:
        sign_ins.prune(tx, ana.now() + timedelta(days=1), ana.now())
    assert rows(ana, tables.sign_in_link) == []


# The chain of the audit.


@pytest.fixture
def acts(on_both):
    for number in range(4):
        with on_both.acting("tried", f"№ {number} \ud800", {"n": number, "f": 1.5}):
            pass
    return on_both


def changed(desk, statement):
    with desk.ledger.transaction() as tx:
        tx.execute(statement)
    return audit_trail.verify(desk)


def ids(desk):
    return [row.id for row in rows(desk, tables.audit)]


def test_acts_hang_together(acts):
    chain = audit_trail.verify(acts)
    assert (chain.acts, chain.earlier, chain.broken_at) == (4, 0, None)
    assert chain.head == rows(acts, tables.audit)[-1].digest


@pytest.mark.parametrize(
    "values",
    [
        {"actor": "local:you"},
        {"action": "did not"},
        {"subject": "another"},
        {"detail": {"n": 2, "f": 1.5}},
        {"digest": "0" * 64},
        {"digest": None},
    ],
)
def test_an_act_that_was_changed_is_found(acts, values):
    second = ids(acts)[1]
    chain = changed(acts, update(tables.audit).where(tables.audit.c.id == second).values(values))
    assert (chain.acts, chain.broken_at) == (1, second)


def test_another_time_is_found(acts):
    second = ids(acts)[1]
    later = {"at": acts.now() + timedelta(microseconds=1)}
    chain = changed(acts, update(tables.audit).where(tables.audit.c.id == second).values(later))
    assert chain.broken_at == second


def test_an_act_that_was_taken_out_is_found(acts):
    _first, second, third, _fourth = ids(acts)
    chain = changed(acts, tables.audit.delete().where(tables.audit.c.id == second))
    assert chain.broken_at == third


def test_newest_acts_that_were_taken_out_show_by_the_digest_alone(acts):
    head = audit_trail.verify(acts).head
    chain = changed(acts, tables.audit.delete().where(tables.audit.c.id == ids(acts)[-1]))
    assert chain.broken_at is None
    assert chain.head != head


def test_acts_of_an_older_version_stand_before_the_chain(desk):
    with desk.ledger.transaction() as tx:
        plain = {"at": desk.now(), "actor": "a", "action": "b", "subject": "c", "detail": {}}
        tx.execute(tables.audit.insert().values(plain))
    with desk.acting("tried", "it"):
        pass
    chain = audit_trail.verify(desk)
    assert (chain.acts, chain.earlier, chain.broken_at) == (1, 1, None)


def test_an_act_and_its_digest_are_rolled_back_together(acts):
    def fail():
        with acts.acting("failed", "it") as tx:
            audit.add(tx, actor="a", action="b", subject="c", at=acts.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert audit_trail.verify(acts).acts == 4
