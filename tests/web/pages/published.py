"""The pages over a real home whose mappings are published, between Switch and PostHog."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from bridge import wiring
from bridge.home import shipped_folder
from bridge.ledger import mapping_revisions
from bridge.ledger.database import Ledger
from bridge.operations import desk as desks
from bridge.operations import revisions
from bridge.operations.permissions import Role
from bridge.web.pages.site import SiteSettings, create_site
from tests.cli.conftest import KEYS
from tests.cli.test_files_differ import NOWHERE
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.web.pages.conftest import KEY, Elements, Site, csrf_of


class Home(Site):
    """The application over a home of its own; `estate`: with the systems of one."""

    def __init__(self, folder, estate=None):
        self.folder, self.estate = folder, estate
        self.bridge = wiring.build_bridge(folder)
        self.ledger = self.bridge.ledger
        self.app = create_site(self._opened, SiteSettings(KEY, development=True))

    def _opened(self):
        self.bridge.follow()  # as the process does now and then
        opened = desks.of(self.bridge, "pages")
        return opened if self.estate is None else replace(opened, connectors=self.estate.connectors)

    @property
    def desk(self):
        return self._opened()

    @property
    def newest(self):
        """The revision in force."""
        with self.ledger.read() as tx:
            return mapping_revisions.newest(tx)

    @property
    def files(self):
        """The files in force."""
        return dict(self.newest.files)

    def publish(self, name, *changes, note="by somebody else"):
        """Publish a change of one file, as somebody else would at a terminal."""
        text = self.files[name]
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        desk = replace(self.desk, actor="local:ana")
        made = revisions.draft(desk, self.files | {name: text}, accept=True)
        revisions.publish(desk, made, note=note, accept=True)

    def settle(self):
        """Let the workers take up what is in force, and do their work."""
        self.estate.start({f"mappings/{name}": text for name, text in self.files.items()})
        self.estate.settle()

    def close(self):
        self.bridge.close()
        if self.estate is not None:
            self.estate.ledger.close()


def post(browser, address, page, **data):
    """Send a form of a page, with its token."""
    return browser.post(address, data={"csrf_token": csrf_of(page), **data})


def words(answer):
    """The text of an answer's page."""
    return Elements(answer.text).text


def keep_in(folder, place):
    settings = folder / "config" / "bridge.yaml"
    settings.write_text(f"mappings: {place}\n{settings.read_text()}")


def started(made):
    """Start the bridge once, so that its mappings are in force."""
    made.bridge.enter("worker")
    made.bridge.leave()
    return made


@pytest.fixture
def keys(monkeypatch):
    for name, value in {**KEYS, **NOWHERE}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Homes whose bridge has run once, to be copied: what a home costs is paid once."""
    made = {}

    def make(place):
        if place not in made:
            folder = tmp_path_factory.mktemp(place) / "home"
            for part in ("config", "mappings"):
                shutil.copytree(shipped_folder(part), folder / part)
            (folder / "mappings" / "syncs.yaml").write_text(SWITCH_AND_POSTHOG)
            keep_in(folder, place)
            ledger = wiring.load_config(folder).settings.database
            made[place] = folder
            Ledger(ledger).upgrade()
            started(Home(folder)).close()
        return made[place]

    return make


def copied(made_once, tmp_path, place):
    folder = tmp_path / f"home-{place}"
    shutil.copytree(made_once(place), folder)
    return Home(folder)


@pytest.fixture
def home(made_once, tmp_path, keys):
    """A home whose mappings are published, without tickets or systems."""
    del keys
    made = copied(made_once, tmp_path, "ledger")
    yield made
    made.close()


@pytest.fixture
def files_home(made_once, tmp_path, keys):
    """A home that keeps its mappings in files."""
    del keys
    made = copied(made_once, tmp_path, "files")
    yield made
    made.close()


@pytest.fixture
def living(tmp_path, keys):
    """A home whose mappings are published, with the sandboxes of both systems."""
    del keys
    estate = Estate.on_disk(tmp_path / "home", files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    keep_in(estate.folder, "ledger")
    made = started(Home(estate.folder, estate))
    yield made
    made.close()


@pytest.fixture
def mapper(home):
    return home.browser(Role.MAPPER)
