import itertools
import logging
import os
import shutil
from datetime import UTC, datetime

import pytest
import sqlalchemy
from hypothesis import HealthCheck, settings

from bridge.ledger.database import Ledger
from tests.postgres import shared_url

# A loaded machine is slow, which is no finding: no example has a deadline, and slow generation is
# no error.
settings.register_profile("bridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bridge")

_numbers = itertools.count(1)


class _Told(logging.Handler):
    def __init__(self):
        super().__init__()
        self.calls = []

    def emit(self, record):
        self.calls.append(record.getMessage())


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Put back what a command has done to logging in this process; others here listen to it."""
    root = logging.getLogger()
    level, handlers, disabled = root.level, list(root.handlers), root.manager.disable
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.disable(disabled)


@pytest.fixture
def may_be_told():
    """Return whether a sandbox's complaint about a call is none about the bridge: never."""
    return lambda _: False


@pytest.fixture(autouse=True)
def no_forbidden_calls(request, may_be_told):
    """Fail a test during which any sandbox of this process was called as no sync may call it.

    So it does of a call that no document of the vendor's describes, unless the connector declares
    that it probes it. Sandboxes in processes of their own are judged by the verdict of their run.
    A test that `provokes` must do so.
    """
    told, logger = _Told(), logging.getLogger("bridge.sandbox")
    logger.addHandler(told)
    yield
    logger.removeHandler(told)
    provoked = request.node.get_closest_marker("provokes") is not None
    calls = [call for call in told.calls if not may_be_told(call)]
    assert bool(calls) is provoked, calls or "nothing was provoked"


@pytest.fixture
def now():
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory, request):
    """An address at which databases may be made and dropped."""
    given = os.environ.get("BRIDGE_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    base = tmp_path_factory.getbasetemp()
    url, lock = shared_url(base.parent if hasattr(request.config, "workerinput") else base)
    yield url
    os.close(lock)


@pytest.fixture(scope="session")
def postgres_admin(postgres_server):
    engine = sqlalchemy.create_engine(Ledger(postgres_server).url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_template(postgres_admin):
    """A database with the ledger's tables, to be copied: migrating one a test takes longer."""
    name = _name("template")
    with _Database(postgres_admin, name) as url:
        ledger = Ledger(url)
        ledger.upgrade()
        ledger.close()
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.upgrade()
    ledger.close()
    return path


@pytest.fixture
def empty_postgres_url(postgres_admin):
    """A database of the test's own, without tables."""
    with _Database(postgres_admin, _name("empty")) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_admin, postgres_template):
    """A ledger of the test's own, with its tables."""
    with _Database(postgres_admin, _name("test"), template=postgres_template) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path, sqlite_template):
    path = tmp_path / "ledger.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def ledger_url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=BOTH)
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a b' / 'ledger.db'}"
    return request.getfixturevalue("empty_postgres_url")


@pytest.fixture
def ledger(ledger_url):
    """A ledger with its tables, on each database in turn."""
    opened = quick(Ledger(ledger_url))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_ledger(sqlite_url):
    """The embedded ledger, for tests to which the database makes no difference."""
    opened = quick(Ledger(sqlite_url))
    yield opened
    opened.close()


def quick(ledger):
    """Let a ledger's commits not wait for the disk: no test in one process plays a power cut."""

    def prepare(raw, _record):
        raw.execute("PRAGMA synchronous=OFF").close()

    if ledger.engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(ledger.engine, "connect", prepare)
    return ledger


@pytest.fixture
def tx(ledger):
    with ledger.transaction() as opened:
        yield opened


def _name(kind):
    return f"bridge_{kind}_{os.getpid()}_{next(_numbers)}"


class _Database:
    def __init__(self, admin, name, template="template0"):
        self.admin, self.name, self.template = admin, name, template

    def __enter__(self):
        with self.admin.connect() as connection:
            connection.exec_driver_sql(
                f'CREATE DATABASE "{self.name}" TEMPLATE "{self.template}" ENCODING UTF8'
            )
        return self.admin.url.set(database=self.name).render_as_string(hide_password=False)

    def __exit__(self, *_error):
        with self.admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{self.name}" WITH (FORCE)')
