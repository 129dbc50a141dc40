"""A database whose processes are stopped where they stand: it takes calls, and answers nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes.database import Database
from tests.web.server import Server, ids

pytestmark = [pytest.mark.processes, pytest.mark.postgres]


def unsigned(server):
    return server.ask("POST", "/webhooks/helpdesk", b"{}", {"content-type": "application/json"})


def test_beside_a_database_that_hangs_every_caller_has_an_answer(tmp_path, redis):
    with Database() as database:
        server = Server(tmp_path, redis, database.url)
        try:
            assert server.hint(1)[0] == 202
            database.freeze()
            # More at once than there are threads, so that one that waits for ever would show.
            with ThreadPoolExecutor(40) as pool:
                refused = [pool.submit(unsigned, server) for _ in range(4)]
                hints = [pool.submit(server.hint, number) for number in range(2, 26)]
                probes = [pool.submit(server.ask, "GET", "/readyz") for _ in range(4)]
                assert [each.result()[0] for each in refused] == [401] * 4
                assert [each.result()[0] for each in hints] == [503] * 24
                assert [each.result()[0] for each in probes] == [503] * 4
            assert server.ask("GET", "/healthz")[0] == 200
            database.thaw()
            assert server.hint(2)[0] in {200, 202}
            assert {"t1", "t2"} <= ids(server.ledger)
        finally:
            server.kill()
            server.ledger.close()
