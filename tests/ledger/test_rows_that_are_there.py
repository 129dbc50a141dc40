"""A row that is there already is told from a new one, on both databases."""

from datetime import UTC, datetime

from bridge.ledger import accounts, api_tokens, kept_answers, sign_ins
from bridge.ledger.api_tokens import ApiTokenRow

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def token(name, digest):
    return ApiTokenRow(name, digest * 64, "viewer", [], NOW, "local:me", NOW, None, None)


def test_what_is_added_twice_is_added_once(ledger):
    known = {"issuer": "https://i.example", "subject": "s"}
    with ledger.transaction() as tx:
        assert accounts.add(tx, "ana", "admin", NOW)
        assert not accounts.add(tx, "ana", "viewer", NOW)
        assert accounts.add(tx, "bo", "admin", NOW, **known)
        assert not accounts.add(tx, "bo-2", "admin", NOW, **known)
        assert api_tokens.add(tx, token("ci", "a"))
        assert not api_tokens.add(tx, token("ci", "b"))
        assert sign_ins.use_up(tx, "d" * 64, NOW)
        assert not sign_ins.use_up(tx, "d" * 64, NOW)
        assert kept_answers.begin(tx, "ci", "k", "r", NOW) is None
        assert kept_answers.begin(tx, "ci", "k", "r", NOW).request == "r"
        assert [row.name for row in accounts.every(tx)] == ["ana", "bo"]
        assert api_tokens.get(tx, "ci").digest == "a" * 64
