import pytest

from bridge.core.model.outcome_codes import Code
from bridge.ledger import refused_webhooks, run_records
from bridge.operations.trouble import usual
from bridge.web.health import (
    KEPT_FOR,
    TROUBLES_EVERY,
    WRITES_KEPT_FOR,
    recent_troubles,
    trouble_metrics,
)
from tests.web.receiver import Hands


def test_health_and_readiness(receiver):
    assert receiver.client.get("/healthz").json == {"status": "ok"}
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "ok", "ledger": "ok", "redis": "ok"},
    )
    receiver.bell.up = False
    receiver.clock.sleep(KEPT_FOR.total_seconds())
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "degraded", "ledger": "ok", "redis": "down"},
    )


def test_a_receiver_whose_ledger_is_gone_is_not_ready_and_says_no_more(receiver):
    from sqlalchemy import text

    with receiver.ledger.transaction() as tx:
        tx.execute(text("delete from alembic_version"))
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "down", "ledger": "down", "redis": "ok"},
    )
    assert receiver.client.get("/healthz").status_code == 200
    assert 'bridge_up{part="ledger"} 0' in receiver.client.get("/metrics").text


def test_a_receiver_whose_ledger_takes_no_writes_is_not_ready_and_says_why(receiver):
    def let_write(answer):
        with receiver.ledger.read() as tx:  # the same connection comes again
            tx.exec_driver_sql(f"PRAGMA query_only = {answer}")
        receiver.clock.sleep(WRITES_KEPT_FOR.total_seconds())

    let_write("on")
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.json["ledger"]) == (503, "BRG-LEDGER")
    shown = receiver.client.get("/metrics").text
    assert 'bridge_up{part="ledger"} 0' in shown
    assert "bridge_conflicts_open 0" in shown  # what can be read is told
    let_write("off")
    assert receiver.client.get("/readyz").status_code == 200


def test_metrics_tell_what_happened_and_what_waits(receiver):
    receiver.post()
    receiver.post()
    receiver.clock.sleep(10)
    shown = receiver.client.get("/metrics")
    assert shown.headers["Content-Type"].startswith("text/plain")
    lines = shown.text.splitlines()
    assert 'bridge_webhooks_total{connection="helpdesk",status="accepted"} 1' in lines
    assert 'bridge_webhooks_total{connection="helpdesk",status="duplicate"} 1' in lines
    assert 'bridge_work{state="due"} 1' in lines
    assert "bridge_work_oldest_seconds 10" in lines
    assert 'bridge_inbox{verdict="pending"} 1' in lines
    for line in lines:
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2


def test_a_run_that_fails_is_in_the_metrics_and_in_the_verbose_health(receiver):
    now = receiver.clock.now()
    key = {"kind": "poll", "connection": "helpdesk", "entity": "ticket"}
    with receiver.ledger.transaction() as tx:
        run_id = run_records.begin(tx, **key, due=now, now=now)
        run_records.finish(tx, run_id, now, error="answered 422")
    receiver.clock.sleep(10)
    lines = receiver.client.get("/metrics").text.splitlines()
    labels = 'kind="poll",connection="helpdesk",entity="ticket"'
    assert f"bridge_run_failing_seconds{{{labels}}} 10" in lines
    (failing,) = receiver.client.get("/healthz?verbose").json["failing_runs"]
    assert failing == key | {"why": "answered 422"}


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.5", {}, 401),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.5"}, 401),
        ("127.0.0.1", {"forwarded": "for=10.0.0.5"}, 401),
        ("10.0.0.5", {"x-forwarded-for": "127.0.0.1"}, 401),
        ("10.0.0.5", {"authorization": "Bearer metrics-token"}, 200),
        ("10.0.0.5", {"authorization": "Bearer metrics-toke"}, 401),
        ("10.0.0.5", {"authorization": "Bearer "}, 401),
        ("10.0.0.5", {"authorization": "Bearer é"}, 401),
    ],
)
def test_metrics_are_for_this_machine_or_for_the_token(receiver, address, headers, status):
    answer = receiver.client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == status


def test_readiness_names_what_is_wrong_with_a_redis_that_answers(receiver):
    receiver.bell.code = Code.REDIS_FULL
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "degraded", "ledger": "ok", "redis": "BRG-REDIS-FULL"},
    )


def unsigned(receiver):
    return receiver.client.post(
        "/webhooks/helpdesk", data="{}", headers={"content-type": "application/json"}
    )


def test_refused_webhooks_are_counted_where_other_processes_see_them(receiver):
    for _ in range(3):
        unsigned(receiver)
    ((seconds, write),) = receiver.clock.put_off
    assert seconds == 5
    write()
    with receiver.ledger.read() as tx:
        (row,) = refused_webhooks.current(tx, receiver.clock.now())
    assert (row.connection, row.reason, row.count) == ("helpdesk", "unsigned", 3)


def test_a_flood_of_refused_webhooks_is_few_transactions(receiver):
    unsigned(receiver)
    with receiver.ledger.read() as tx:
        assert refused_webhooks.current(tx, receiver.clock.now())[0].count == 1
    for _ in range(20):
        unsigned(receiver)
    with receiver.ledger.read() as tx:
        assert refused_webhooks.current(tx, receiver.clock.now())[0].count == 1


def test_what_is_wrong_is_a_metric_with_the_outcome_code_and_not_looked_for_each_time():
    looks = []

    def look():
        looks.append(1)
        return [usual(Code.KEY, "it is stopped", None, "helpdesk")]

    clock = Hands()
    known = recent_troubles(look, clock)
    assert known.current() == known.current()
    assert len(looks) == 1
    clock.sleep(TROUBLES_EVERY.total_seconds())
    known.current()
    assert len(looks) == 2
    line = 'bridge_troubles{code="BRG-401-KEY",connection="helpdesk"} 1'
    assert line in trouble_metrics(known.current())
