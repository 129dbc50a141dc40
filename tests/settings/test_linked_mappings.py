"""Links among mappings that are to be published: within their folder, and out of it."""

import pytest

from bridge.config.mapping_texts import read_folder
from bridge.errors import ConfigError


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    folder, secret = tmp_path / "mappings", tmp_path / "secret.txt"
    folder.mkdir()
    secret.write_text("nobody is to see this")
    (folder / "syncs.yaml").write_text("tickets: {}\n")
    for name, target in (("a.yaml", secret), ("b.yaml", "../secret.txt"), ("c.yaml", tmp_path)):
        (folder / name).symlink_to(target)
        with pytest.raises(ConfigError) as refused:
            read_folder(folder)
        (problem,) = refused.value.problems
        assert problem == (
            f"mappings/{name}:1: is a link that leads out of the folder; put the file itself here"
        )
        (folder / name).unlink()
    assert list(read_folder(folder)) == ["syncs.yaml"]


def test_a_linked_folder_and_links_within_it_are_read(tmp_path):
    """As a volume of Kubernetes has them: each file is a link into the newest of hidden folders."""
    kept = tmp_path / "kept" / "..2026"
    kept.mkdir(parents=True)
    (kept / "syncs.yaml").write_text("tickets: {}\n")
    (kept.parent / "..data").symlink_to("..2026")
    (kept.parent / "syncs.yaml").symlink_to("..data/syncs.yaml")
    (tmp_path / "mappings").symlink_to(kept.parent)
    assert read_folder(tmp_path / "mappings") == {"syncs.yaml": "tickets: {}\n"}


def test_a_link_that_leads_to_itself_is_named(tmp_path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    with pytest.raises(ConfigError) as refused:
        read_folder(tmp_path)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "mappings/a.yaml",
        "mappings/b.yaml",
    ]
