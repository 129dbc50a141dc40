"""Facts about the files of the project itself."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"


def python_files() -> list[Path]:
    return sorted(
        path
        for folder in ("bridge", "jobs", "tests", "docs")
        for path in (ROOT / folder).rglob("*.py")
    )


def test_no_file_is_longer_than_a_reader_can_hold():
    long = {
        str(p.relative_to(ROOT)): n
        for p in python_files()
        if (n := len(p.read_text().splitlines())) > 450
    }
    assert long == {}


def test_no_test_folder_takes_the_name_of_a_package():
    assert not {"jobs", "config", "mappings", "bridge"} & {
        path.name for path in (ROOT / "tests").iterdir()
    }


def test_every_dependency_is_locked_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = (
        project["project"]["dependencies"]
        + project["dependency-groups"]["dev"]
        + project["build-system"]["requires"]
    )
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in wanted}
    entries = re.findall(
        r"^([a-z0-9._-]+)==\S+(?:.*?)\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)",
        LOCK.read_text(),
        re.MULTILINE,
    )
    assert names <= {name for name, _ in entries}
    assert len(entries) == len(re.findall(r"^[a-z0-9._-]+==", LOCK.read_text(), re.MULTILINE))


def test_the_lock_names_no_index():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", LOCK.read_text())


@pytest.mark.parametrize("script", [".ci/run", ".ci/venv"])
def test_scripts_can_be_run(script):
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["/bin/sh", "-n", str(ROOT / script)], check=True)


def test_every_target_of_make_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    assert targets == explained == phony


def test_what_the_wheel_ships_is_there():
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    for folder in shipped["force-include"]:
        assert list((ROOT / folder).glob("*.yaml")), folder
