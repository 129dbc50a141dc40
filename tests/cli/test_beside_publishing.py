"""What is said where nothing can be published or compared, and where the folder has other files."""

from tests.cli.admins import change, ledger_url  # noqa: F401
from tests.cli.test_revisions import WORDS, admins, files  # noqa: F401


def test_a_home_of_files_publishes_nothing_and_says_so_before_it_looks_at_anything(files):  # noqa: F811
    files.start()
    change(files.home / "mappings", WORDS)
    folder = str(files.home / "mappings")
    for words in (("publish",), ("import", folder), ("rollback", "1"), ("rollback", "1", "--undo")):
        said = files("mappings", *words, code=1)
        assert said.startswith("Error: this home takes its mappings from its files")
    assert "normal: high" in files("mappings", "publish", "--dry-run")


def test_apply_says_what_to_do_where_there_is_nothing_before(files):  # noqa: F811
    said = files("mappings", "apply", code=1)
    assert "none were in force yet" in said
    assert "restart the bridge" in said
    files.start()
    assert "are the first ones" in files("mappings", "apply", code=1)


def test_after_a_rollback_it_is_said_that_the_folder_has_the_files_of_before(admins):  # noqa: F811
    change(admins.home / "mappings", WORDS)
    admins.publish()
    said = admins("mappings", "rollback", "1", "--yes")
    assert "mappings/ still has the files of before: `bridge mappings diff` shows" in said
    admins("mappings", "export", str(admins.home / "mappings"), "--overwrite")
    assert "still has" not in admins("mappings", "rollback", "1", "--yes")
