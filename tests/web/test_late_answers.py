import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bridge.web.receiver.late_answer import LateAnswer, in_json
from tests.web.server import Server, ids


def unsigned(server):
    return server.ask("POST", "/webhooks/helpdesk", b"{}", {"content-type": "application/json"})


@pytest.mark.processes
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


def test_an_event_loop_is_never_made_to_wait_for_what_it_may_have_to_begin():
    begun = Future()
    answer = LateAnswer(begun, 60.0, lambda: in_json({"status": "accepted"}, 202))

    async def wait():
        return answer.waited()

    with pytest.raises(RuntimeError, match="await the answer"):
        asyncio.run(wait())
    begun.set_result(None)
    assert asyncio.run(wait()) == answer.waited()
