import pytest

from bridge.queue.embedded_valkey import Embedded


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("run")) as server:
        yield server


@pytest.fixture
def emptied(valkey):
    from redis import Redis

    with Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey


@pytest.fixture
def redis(emptied):
    from redis import Redis

    client = Redis.from_url(emptied.url)
    yield client
    client.close()
