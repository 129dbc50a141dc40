from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.web.server import Server, ids

pytestmark = pytest.mark.processes


def unsigned(server):
    return server.ask("POST", "/webhooks/helpdesk", b"{}", {"content-type": "application/json"})


def test_webhooks_that_wait_for_the_ledger_hold_up_no_other(tmp_path, redis):
    server = Server(tmp_path, redis)
    try:
        # More than there are threads for requests.
        with ThreadPoolExecutor(40) as pool:
            with server.ledger.transaction():  # nobody else can commit
                hints = [pool.submit(server.hint, number) for number in range(40)]
                assert [unsigned(server)[0] for _ in range(20)] == [401] * 20
                assert not any(each.done() for each in hints)
            assert [each.result()[0] for each in hints] == [202] * 40
        assert len(ids(server.ledger)) == 40
    finally:
        server.kill()
        server.ledger.close()
