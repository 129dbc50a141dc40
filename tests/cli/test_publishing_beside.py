"""Somebody publishes mappings while another one's are being checked."""

from bridge.operations import desk, revisions
from tests.cli.admins import ledger_url  # noqa: F401
from tests.cli.test_revisions import admins, files  # noqa: F401


def test_the_other_is_not_told_that_the_settings_are_others(admins, monkeypatch):  # noqa: F811
    worker, texts = admins.start(stop=False), admins.newest().files
    compiled = revisions._compiled
    with desk.opened(admins.home, "local:a") as a, desk.opened(admins.home, "local:b") as b:

        def meanwhile(*given):
            monkeypatch.setattr(revisions, "_compiled", compiled)
            theirs = {**texts, "one.yaml": texts["switch.yaml"]}
            revisions.publish(b, revisions.draft(b, theirs, parent=1))
            return compiled(*given)

        monkeypatch.setattr(revisions, "_compiled", meanwhile)
        mine = revisions.draft(a, {**texts, "two.yaml": texts["switch.yaml"]}, parent=1)
        assert revisions.publish(a, mine)[0].number == 3
    assert {"one.yaml", "two.yaml"} <= admins.newest().files.keys()
    worker.leave()
