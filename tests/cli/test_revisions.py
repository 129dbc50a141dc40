"""Mappings are published, taken up while all runs, merged, taken back and exported."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from bridge import wiring
from bridge.config.mapping_texts import read_folder
from bridge.core.model.state import Link, Side
from bridge.errors import ConfigError
from bridge.ledger import links
from bridge.ledger.database import Ledger
from bridge.operations import desk, revisions
from bridge.runs import adoption
from tests.cli.admins import Admins, change, ledger_url, on_both  # noqa: F401
from tests.cli.conftest import KEYS
from tests.cli.test_files_differ import NOWHERE

WORDS = ("medium: normal, normal: normal", "medium: normal, normal: high")
"""A change of a value table in mappings/switch.yaml."""
SUBJECT = ("subject: {path: subject, max_length: 500}", "subject: {path: subject, max_length: 400}")


@pytest.fixture
def files(run, tmp_path, monkeypatch, ledger_url):  # noqa: F811
    """A home whose mappings are its files."""
    home = tmp_path / "home"
    run("init", str(home))
    environ = {**KEYS, **NOWHERE, "BRIDGE_HOME": str(home), "BRIDGE_DATABASE_URL": ledger_url}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bridge.cli.process.watch_parent", lambda: None)
    made = Admins(run, home, ledger_url)
    yield made
    for bridge in made.running:
        bridge.close()


@pytest.fixture
def admins(files):
    """A home whose mappings are published; the bridge has run there once."""
    files.keep_in("ledger")
    files.start()
    return files


def reading(bridge):
    """Give what `normal` reads as, by the mapping that a process works by."""
    return bridge.context.maps["helpdesk"]["ticket"].fields["priority"].read("normal")


def test_the_files_become_the_first_revision_byte_for_byte(admins):
    first = admins.newest()
    assert (first.number, first.head.parent) == (1, None)
    own = {path.name: path.read_bytes() for path in (admins.home / "mappings").glob("*.yaml")}
    assert {name: text.encode() for name, text in first.files.items()} == own
    assert "nothing to publish: these are the files of revision 1" in admins.publish()
    admins.start()
    assert admins.newest() == first


@on_both
def test_what_is_published_is_taken_up_by_what_runs_and_not_what_is_merely_edited(admins):
    worker = admins.start(stop=False)
    clock = admins.start("clock", stop=False)
    change(admins.home / "mappings", WORDS)
    worker.follow()
    assert reading(worker) == "normal"
    assert "is not as published in revision 1, which is in force (switch.yaml)" in (
        admins("check") + admins("doctor", code=1)
    )
    said = admins.publish("--note", "it waits")
    assert WORDS[1] in said
    assert "revision 2 is in force" in said
    assert worker.is_outdated()
    worker.worker.run(0.1)
    assert worker.worker.outdated
    for process in (worker, clock):
        process.follow()
        assert not process.is_outdated()
        assert reading(process) == "high"
        assert process.context.mapping_revision == 2
        process.leave()
    assert "is not as published" not in admins("check")
    head = admins.newest().head
    assert (head.note, head.parent, head.state) == ("it waits", 1, "published")
    assert head.author.startswith("local:")
    assert "warnings" in head.proof
    assert head.effect["looked_at"] == 0
    assert "samples" not in head.effect
    (act,) = [x for x in admins.rows("audit") if x["action"] == "mappings published"]
    assert act["subject"] == "revision 2"
    assert act["detail"]["files"] == ["switch.yaml"]


def test_a_revision_that_differs_in_comments_alone_is_taken_up_too(admins):
    worker = admins.start(stop=False)
    change(admins.home / "mappings", ("system: switch", "system: switch  # ours"))
    admins.publish()
    worker.follow()
    assert worker.context.mapping_revision == 2
    worker.leave()


def test_what_is_wrong_is_not_published_and_all_of_it_is_said(admins):
    change(admins.home / "mappings", ("path: status", "path: 3"), SUBJECT)
    change(admins.home / "mappings", ("entity: ticket", "entity: thing"), file="syncs.yaml")
    said = admins.publish(code=2)
    assert "mappings/switch.yaml:" in said
    assert "mappings/syncs.yaml:" in said
    assert admins.newest().number == 1
    assert admins.publish("--dry-run", code=2) == said


def test_a_dry_run_and_a_no_change_nothing(admins):
    change(admins.home / "mappings", WORDS)
    assert WORDS[1] in admins("mappings", "publish", "--dry-run")
    told = admins.json("mappings", "publish", "--dry-run")
    assert (told["revision"], told["follows"], told["made_from"]) == (None, 1, 1)
    assert [each["file"] for each in told["differences"]] == ["switch.yaml"]
    assert told["effect"]["looked_at"] == 0
    assert admins.json("mappings", "publish", "--dry-run", "--no-effect")["effect"] is None
    assert "Publish this?" in admins("mappings", "publish", keys="n\n", code=1)
    assert "say --yes or --dry-run" in admins("mappings", "publish", "--json", code=2)
    assert admins.newest().number == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# ${PRODUCT_API_KEY}\n", "${…} is filled in in config/bridge.yaml alone"),
        (f"# {KEYS['HELPDESK_WEBHOOK_SECRET']}\n", "a secret of config/bridge.yaml stands here"),
    ],
)
def test_no_secret_gets_into_the_ledger(admins, text, said):
    path = admins.home / "mappings" / "switch.yaml"
    path.write_text(text + path.read_text())
    output = admins.publish(code=2)
    assert f"mappings/switch.yaml:1: {said}" in output
    assert KEYS["HELPDESK_WEBHOOK_SECRET"] not in output
    assert admins.newest().number == 1


def test_what_looks_like_a_mistake_is_published_only_when_it_is_accepted(admins, monkeypatch):
    doubt = adoption.ConfigurationChange("tickets would be made again", doubtful=True)
    monkeypatch.setattr(adoption, "compare", lambda *_: [doubt])
    change(admins.home / "mappings", WORDS)
    assert "tickets would be made again" in admins.publish(code=2)
    assert admins.newest().number == 1
    admins.publish("--accept")
    assert admins.newest().number == 2


def test_two_admins_lose_nothing(admins):
    ana, bo = admins.copy_of_files("ana"), admins.copy_of_files("bo")
    change(ana, WORDS)
    change(bo, SUBJECT, ("system: switch", "system: switch   # bo was here"))
    admins.publish("--from", str(ana), "--note", "ana's")
    said = admins.publish("--from", str(bo))
    assert "merged in: revision 2 by local:" in said
    assert "ana's" in said
    text = admins.newest().files["switch.yaml"]
    for part in (WORDS[1], SUBJECT[1], "# bo was here"):
        assert part in text
    assert f"{bo} is still as you wrote it" in said
    admins("mappings", "export", str(bo), "--overwrite")
    assert (bo / "switch.yaml").read_bytes().decode() == text
    assert "nothing to publish" in admins.publish("--from", str(bo))


def test_where_both_changed_the_same_it_is_named_with_both_values(admins):
    ana, bo = admins.copy_of_files("ana"), admins.copy_of_files("bo")
    change(ana, WORDS)
    change(bo, (WORDS[0], "medium: normal, normal: low"))
    admins.publish("--from", str(ana))
    said = admins.publish("--from", str(bo), code=1)
    assert "your files were made from revision 1, and since then there was 2 by local:" in said
    assert (
        "mappings/switch.yaml ticket.fields.priority.read.normal: yours 'low', theirs "
        "'high', before 'normal'"
    ) in said
    assert admins.newest().number == 2


def test_a_revision_that_came_while_the_other_asked_is_merged_in(admins, monkeypatch):
    ana, bo = admins.copy_of_files("ana"), admins.copy_of_files("bo")
    change(ana, WORDS)
    change(bo, SUBJECT)

    def ana_first(*_args, **_options):
        monkeypatch.undo()
        for name, value in {**KEYS, **NOWHERE}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BRIDGE_HOME", str(admins.home))
        monkeypatch.setenv("BRIDGE_DATABASE_URL", admins.url)
        admins.publish("--from", str(ana))
        return True

    monkeypatch.setattr("bridge.cli.publishing.click.confirm", ana_first)
    said = admins("mappings", "publish", "--from", str(bo), keys="y\n")  # asked once more
    assert "revision 2 was published meanwhile: this is left of yours" in said
    newest = admins.newest()
    assert newest.number == 3
    assert WORDS[1] in newest.files["switch.yaml"]
    assert SUBJECT[1] in newest.files["switch.yaml"]


@on_both
def test_many_who_publish_at_once_lose_nothing(admins):
    barrier = Barrier(4)
    texts = admins.newest().files

    def one(number):
        mine = {**texts, f"switch-{number}.yaml": texts["switch.yaml"]}
        with desk.opened(admins.home, f"local:{number}") as opened:
            made = revisions.draft(opened, mine, parent=1)
            barrier.wait()
            return revisions.publish(opened, made)[0].number

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [2, 3, 4, 5]
    files = admins.newest().files
    assert {f"switch-{number}.yaml" for number in range(4)} <= files.keys()


@on_both
def test_the_first_two_publish_at_once_and_lose_nothing(files):
    files.keep_in("ledger")
    texts = read_folder(files.home / "mappings")
    with desk.opened(files.home, "local:a") as a, desk.opened(files.home, "local:b") as b:
        drafts = [
            revisions.draft(each, {**texts, f"{name}.yaml": texts["switch.yaml"]}, parent=0)
            for each, name in ((a, "one"), (b, "two"))
        ]
        assert [revisions.publish(a, drafts[0])[0].number] == [1]
        revision, made = revisions.publish(b, drafts[1])
    assert revision.number == 2
    assert [each.number for each in made.merged] == [1]
    assert {"one.yaml", "two.yaml"} <= revision.files.keys()


@on_both
def test_a_publish_that_dies_in_the_middle_has_not_happened(admins, monkeypatch):
    worker = admins.start(stop=False)
    change(admins.home / "mappings", WORDS)
    with monkeypatch.context() as patch:

        def die(*_args, **_options):
            raise KeyboardInterrupt

        patch.setattr("bridge.operations.revisions.adoption.take_up", die)
        admins("mappings", "publish", "--yes", code=1)
    assert admins.newest().number == 1
    assert not worker.is_outdated()
    assert admins.publish()
    assert admins.newest().number == 2
    worker.leave()


def test_an_older_revision_comes_back_as_a_new_one(admins):
    change(admins.home / "mappings", WORDS)
    admins.publish()
    told = admins.json("mappings", "rollback", "1", "--yes")
    assert (told["revision"], told["follows"]) == (3, 2)
    newest = admins.newest()
    assert newest.head.note == "back to revision 1"
    assert newest.files == admins.files_of(1)
    assert "no revision 9 of the mappings; there are 1 to 3" in admins(
        "mappings", "rollback", "9", code=2
    )
    heads = admins.rows("mappings", "history")
    assert [(each["number"], each["parent"]) for each in heads] == [(3, 2), (2, 1), (1, None)]
    (difference,) = [admins.json("mappings", "diff", "1", "2")]
    assert any(line.startswith("+") and WORDS[1] in line for line in difference["lines"])
    assert "nothing differs" in admins("mappings", "diff", "1", "3")
    assert "mappings/switch.yaml (changed)" in admins("mappings", "diff")


def test_what_is_exported_comes_back_byte_for_byte(admins):
    path = admins.home / "mappings" / "switch.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"# \xc3\xa9 without an end")
    (admins.home / "mappings" / "agents.yaml").unlink()
    (admins.home / "mappings" / "agents.yaml").write_text("agents: []\n")
    admins.publish()
    folder = admins.copy_of_files("out")
    assert (folder / "switch.yaml").read_bytes() == path.read_bytes()
    assert {each.name for each in folder.glob("*.yaml")} == set(admins.newest().files)
    (folder / "posthog.yaml").write_text("system: posthog\n")
    assert "has other mappings (posthog.yaml)" in admins("mappings", "export", str(folder), code=1)
    (folder / "mine.yaml").write_text("x: 1\n")
    admins("mappings", "export", str(folder), "--overwrite")
    assert not (folder / "mine.yaml").exists()
    told = admins.json("mappings", "import", str(folder), "--yes")
    assert (told["revision"], told["differences"]) == (None, [])


def test_an_import_takes_the_folder_as_it_is(admins):
    old = admins.copy_of_files("old")
    change(admins.home / "mappings", WORDS)
    admins.publish()
    change(old, SUBJECT)
    assert admins.json("mappings", "import", str(old), "--yes")["revision"] == 3
    text = admins.newest().files["switch.yaml"]
    assert SUBJECT[1] in text
    assert WORDS[0] in text


def test_a_folder_of_which_nobody_knows_where_it_is_from_needs_a_parent(admins):
    folder = admins.home / "by hand"
    shutil.copytree(admins.home / "mappings", folder)
    change(folder, WORDS)
    said = admins.publish("--from", str(folder), code=1)
    assert "--parent N says from which revision it was made (the newest is 1" in said
    admins.publish("--from", str(folder), "--parent", "1")
    assert admins.newest().number == 2


def test_a_home_turns_from_files_to_the_ledger_and_back(files):
    files.start()
    change(files.home / "mappings", WORDS)
    files.start()
    assert [each["number"] for each in files.rows("mappings", "history")] == [2, 1]
    assert "this home takes its mappings from its files" in files(
        "mappings", "rollback", "1", "--yes", code=1
    )
    files("mappings", "export", str(files.home / "out"), "--revision", "1")
    assert WORDS[0] in (files.home / "out" / "switch.yaml").read_text()

    files.keep_in("ledger")
    process = files.start()
    assert (reading(process), process.context.mapping_revision) == ("high", 2)
    change(files.home / "mappings", SUBJECT)
    assert SUBJECT[1] not in files.start().config.files["switch.yaml"]
    files.publish()

    files.keep_in("files")
    change(files.home / "mappings", (WORDS[1], "medium: normal, normal: low"))
    process = files.start()
    assert (reading(process), process.context.mapping_revision) == ("low", 4)
    assert files.newest().head.state == "from files"


def test_settings_that_were_edited_meanwhile_stop_nobody(admins):
    worker = admins.start(stop=False)
    change(admins.home / "mappings", WORDS)
    path = admins.home / "config" / "bridge.yaml"
    before = path.read_text()
    path.write_text(before.replace("poll: 5m", "poll: 6m"))
    assert "restart the bridge, then publish" in admins.publish(code=1)
    path.write_text(before)
    admins.publish()
    path.write_text("connections: half saved")
    worker.follow()
    assert (worker.is_outdated(), reading(worker)) == (False, "high")
    worker.leave()


def test_settings_that_another_process_started_with_still_take_a_restart(admins, monkeypatch):
    worker = admins.start(stop=False)
    path = admins.home / "config" / "bridge.yaml"
    path.write_text(path.read_text().replace("poll: 5m", "poll: 6m"))
    admins.start("clock")
    loaded = []
    monkeypatch.setattr(wiring, "with_mappings", lambda *_: loaded.append(1))
    worker.follow()
    assert worker.is_outdated()
    assert not loaded  # nothing was published, so there is nothing to take up
    worker.leave()


def test_a_connection_gets_another_name_in_settings_and_mappings_at_once(admins, now):
    ledger = Ledger(admins.url)
    with ledger.transaction() as tx:
        sides = {name: Side(name, f"{name}-1") for name in ("helpdesk", "product")}
        links.create(tx, Link("ticket-1", "support-tickets", "ticket", sides=sides), now)
    ledger.close()
    for file in ("config/bridge.yaml", "mappings/syncs.yaml", "mappings/agents.yaml"):
        path = admins.home / file
        text = path.read_text().replace("  product:\n", "  hog:\n")
        path.write_text(re.sub(r"\bproduct\b", "hog", text))
    said = admins("check", code=1)
    assert "these are the mappings of revision 1, which is in force" in said
    assert "revision 1" in admins("status", code=2)
    admins("connection", "rename", "product", "hog")
    admins.publish()
    process = admins.start()
    assert (process.context.mapping_revision, "hog" in process.context.connections) == (2, True)
    admins("check")


def test_what_cannot_be_loaded_here_leaves_the_running_one_in_force(admins, monkeypatch):
    old, new = admins.start(stop=False), admins.start("clock", stop=False)
    change(admins.home / "mappings", WORDS)
    admins.publish()

    def cannot(*_):
        raise ConfigError(["mappings/switch.yaml:9: unknown key"])

    with monkeypatch.context() as patch:
        patch.setattr(wiring, "with_mappings", cannot)
        old.follow()
    assert (old.is_outdated(), reading(old)) == (False, "normal")
    old.worker.run(0.1)
    assert not old.worker.outdated
    said = admins("doctor", code=1)
    assert "the mappings that were published cannot be loaded here" in said
    assert "mappings/switch.yaml:9: unknown key" in said

    worker = admins.start(stop=False)  # another one goes by the new revision
    old.follow()
    assert old.is_outdated()
    old.worker.run(0.1)
    assert old.worker.outdated

    change(admins.home / "mappings", SUBJECT)
    admins.publish()
    old.follow()
    assert (old.is_outdated(), reading(old)) == (False, "high")
    assert "cannot be loaded here" not in admins("doctor", code=1)
    for process in (old, new, worker):
        process.leave()


@on_both
def test_a_process_that_starts_while_another_publishes_begins_by_what_is_in_force(admins):
    slow = wiring.build_bridge(admins.home)
    admins.running.append(slow)
    change(admins.home / "mappings", WORDS)
    admins.publish()
    slow.enter("worker")
    assert (reading(slow), slow.context.mapping_revision) == ("high", 2)
    assert not slow.is_outdated()
    slow.leave()


@on_both
def test_a_ledger_that_was_put_back_has_the_mappings_of_its_time(admins, tmp_path):
    admins("backup", str(tmp_path / "backup"))
    change(admins.home / "mappings", WORDS)
    admins.publish()
    admins("restore", str(tmp_path / "backup"), "--replace")
    assert admins.newest().number == 1
    assert reading(admins.start()) == "normal"
    said = admins.publish(code=1)
    assert "of another ledger: its revision 2" in said
    admins.publish("--parent", "1")
    assert reading(admins.start()) == "high"
