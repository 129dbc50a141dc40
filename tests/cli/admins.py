"""A home whose mappings are published, and what its admins type and edit."""

import json

import pytest

from bridge import wiring
from bridge.ledger import mapping_revisions
from bridge.ledger.database import Ledger
from tests.conftest import BOTH

on_both = pytest.mark.parametrize("ledger_url", BOTH, indirect=True)


@pytest.fixture
def ledger_url(request):
    """SQLite, but for what is tried `on_both`: who meets whom, and what was begun and not ended."""
    return request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")


class Admins:
    """A home on a ledger of either kind, and the commands that are typed in it."""

    def __init__(self, run, home, url):
        self.run, self.home, self.url = run, home, url
        self.running = []

    def __call__(self, *arguments, code=0, keys=""):
        result = self.run(*arguments, keys=keys)
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments, code=0):
        (row,) = self.rows(*arguments, code=code)
        return row

    def rows(self, *arguments, code=0):
        return [json.loads(line) for line in self(*arguments, "--json", code=code).splitlines()]

    def keep_in(self, place):
        path = self.home / "config" / "bridge.yaml"
        lines = [x for x in path.read_text().splitlines() if not x.startswith("mappings:")]
        path.write_text("\n".join([f"mappings: {place}", *lines, ""]))

    def start(self, kind="worker", *, stop=True):
        bridge = wiring.build_bridge(self.home)
        bridge.enter(kind)
        self.running.append(bridge)
        if stop:
            bridge.leave()
        return bridge

    def publish(self, *arguments, code=0):
        return self("mappings", "publish", "--yes", *arguments, code=code)

    def newest(self):
        ledger = Ledger(self.url)
        with ledger.read() as tx:
            found = mapping_revisions.newest(tx)
        ledger.close()
        return found

    def files_of(self, number):
        ledger = Ledger(self.url)
        with ledger.read() as tx:
            found = mapping_revisions.get(tx, number)
        ledger.close()
        return found.files

    def copy_of_files(self, name):
        folder = self.home / name
        self("mappings", "export", str(folder))
        return folder


def change(folder, *changes, file="switch.yaml"):
    path = folder / file
    text = path.read_bytes().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode())
