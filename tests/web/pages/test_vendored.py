"""What others wrote is served as they wrote it, with its licence, and is in the wheel."""

import hashlib
import re
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "bridge" / "web" / "pages" / "static"
ROW = re.compile(r"^\| `(?P<file>\S+)` \|.*\|(?P<licence>[^|]*)\| `(?P<digest>[0-9a-f]{64})` \|$")


def listed() -> dict[str, re.Match[str]]:
    rows = map(ROW.match, (STATIC / "VENDORED.md").read_text().splitlines())
    return {row["file"]: row for row in rows if row}


def test_every_file_of_others_is_listed_with_its_digest():
    found = {
        f"vendor/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").iterdir()
    }
    assert found == {name: row["digest"] for name, row in listed().items()}


def test_every_file_of_others_names_a_licence_that_lies_beside_it():
    for name, row in listed().items():
        if not name.endswith(".LICENSE"):
            licence = re.search(r"`(vendor/\S+\.LICENSE)`", row["licence"])
            assert licence, name
            assert licence[1] in listed()


def test_the_wheel_has_what_the_pages_are_made_of():
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    folder = ROOT / "bridge" / "web" / "pages"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "bridge/web/pages/static/vendor/htmx.min.js" in wanted
    assert wanted <= shipped
