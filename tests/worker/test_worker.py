import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from bridge.core.model.outcome_codes import Code
from bridge.queue.doorbell import Doorbell
from bridge.queue.embedded_valkey import Embedded
from bridge.queue.rq_worker import run_worker

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 60.0


def eventually(what, *, told):
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {told}")


class Workers:
    def __init__(self, url, journal):
        self.url, self.journal, self.running = url, journal, []
        journal.touch()

    def start(self):
        command = [sys.executable, "-m", "tests.worker.process", self.url, str(self.journal)]
        with (self.journal.parent / "output").open("ab") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        self.running.append(process)
        return process

    def order(self, name):
        (self.journal.parent / name).touch()

    def lines(self):
        return self.journal.read_text().split("\n")[:-1]

    def wait_for(self, *expected):
        eventually(lambda: self.lines() == list(expected), told=f"{expected}, have {self.lines()}")

    def output(self):
        return (self.journal.parent / "output").read_text()


@pytest.fixture
def workers(emptied, tmp_path):
    found = Workers(emptied.url, tmp_path / "journal")
    yield found
    for process in found.running:
        process.kill()
        process.wait()


@pytest.fixture
def bell(emptied):
    found = Doorbell(emptied.url)
    yield found
    found.close()


def queue(redis, name="live"):
    return Queue(name, connection=redis, serializer=JSONSerializer)


def test_rings_coalesce_until_one_is_answered(bell, redis):
    assert [bell.ring() for _ in range(50)] == [True] * 50
    assert queue(redis).count == 1
    bell.answered()
    bell.ring()
    assert queue(redis).count == 2


def test_queues_are_rung_apart(bell, redis):
    bell.ring("live")
    bell.ring("bulk")
    assert queue(redis, "live").count == queue(redis, "bulk").count == 1


def test_a_lost_job_leaves_no_key_that_silences_the_bell(bell, redis):
    bell.ring()
    assert 0 < redis.pttl("wake:live") <= 1000


def test_a_dead_redis_is_reported_and_never_raises(tmp_path):
    bell = Doorbell(f"unix://{tmp_path}/nobody.sock")
    assert bell.ring() is False
    bell.answered()
    assert bell.enqueue("jobs.prune.run") is False
    assert bell.ping() is False


def test_only_our_jobs_can_be_enqueued(bell):
    with pytest.raises(ValueError, match=r"os\.system is not a job"):
        bell.enqueue("os.system", "true")


def test_a_ring_is_heard_after_a_failure_a_kill_and_a_success(bell, workers):
    first = workers.start()
    workers.order("fail")
    bell.ring()
    workers.wait_for("failing")
    workers.order("hang")
    bell.ring()
    workers.wait_for("failing", "hanging")
    first.kill()
    first.wait()
    bell.ring()
    workers.start()
    workers.wait_for("failing", "hanging", "drained")
    bell.ring()
    workers.wait_for("failing", "hanging", "drained", "drained")


def test_a_ring_during_a_drain_brings_another_drain(bell, redis, workers):
    workers.start()
    workers.order("hang")
    bell.ring()
    workers.wait_for("hanging")
    bell.ring()
    assert queue(redis).count == 1


def test_a_job_that_names_another_function_is_refused(redis, bell, workers, tmp_path):
    proof = tmp_path / "proof"
    job = queue(redis).enqueue_call(
        "os.system", args=(f"touch {proof}",), result_ttl=0, failure_ttl=60
    )
    workers.start()
    eventually(lambda: job.get_status(refresh=True) == "failed", told="the refusal")
    assert not proof.exists()
    assert "RefusedJob" in job.latest_result().exc_string
    assert "os.system" in workers.output()
    bell.ring()
    workers.wait_for("drained")  # and the worker lives on


@pytest.mark.parametrize(
    "field", ["success_callback_name", "failure_callback_name", "stopped_callback_name"]
)
@pytest.mark.parametrize("order", ["", "fail"])
def test_callbacks_that_a_job_brings_along_are_not_called(redis, workers, tmp_path, field, order):
    # A callback is called with (job, connection, ...): importing it would be enough for a module
    # with side effects.
    (tmp_path / "trap.py").write_text(
        f"open({str(tmp_path / 'sprung')!r}, 'w').close()\ndef spring(*_): pass\n"
    )
    if order:
        workers.order(order)
    job = Job.create(
        "jobs.drain.run", connection=redis, serializer=JSONSerializer, result_ttl=60, failure_ttl=60
    )
    job.save()
    redis.hset(job.key, field, "trap.spring")
    queue(redis).enqueue_job(job)
    redis.hset(job.key, field, "trap.spring")
    environ = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        workers.start()
    finally:
        os.environ.pop("PYTHONPATH")
        if environ is not None:
            os.environ["PYTHONPATH"] = environ
    workers.wait_for("failing" if order else "drained")
    eventually(
        lambda: job.get_status(refresh=True) in {"finished", "failed"}, told="the end of the job"
    )
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "data", [b"\x80\x04not json", b'["jobs.drain.run", {"a": 1}, [], {}]', b"[1, 2]", b'""']
)
def test_unreadable_jobs_do_not_stop_the_worker(redis, bell, workers, data):
    job = Job.create("jobs.drain.run", connection=redis, serializer=JSONSerializer, failure_ttl=60)
    job.save()
    queue(redis).enqueue_job(job)
    redis.hset(job.key, "data", data)
    workers.start()
    eventually(lambda: job.get_status(refresh=True) == "failed", told="the failure")
    assert workers.lines() == []
    bell.ring()
    workers.wait_for("drained")


def test_the_other_jobs_carry_their_arguments(bell, workers):
    workers.start()
    assert bell.enqueue("jobs.reconcile.run", "helpdesk", "full")
    workers.wait_for("run helpdesk full")


def test_sigterm_ends_the_drain_and_then_the_worker(bell, workers):
    process = workers.start()
    workers.order("until-told")
    bell.ring()
    workers.wait_for("working")
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert workers.lines() == ["working", "drained"]


def test_sigterm_ends_an_idle_worker(bell, workers):
    process = workers.start()
    bell.ring()
    workers.wait_for("drained")
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_SECONDS) == 0


def test_a_worker_outlives_its_redis(tmp_path):
    (tmp_path / "run").mkdir()
    workers = Workers(Embedded(tmp_path / "run").url, tmp_path / "journal")
    process = None
    try:
        with Embedded(tmp_path / "run") as server:
            bell = Doorbell(server.url)
            process = workers.start()
            bell.ring()
            workers.wait_for("drained")
        bell.close()
        with Embedded(tmp_path / "run") as server:
            bell = Doorbell(server.url)
            bell.ring()
            workers.wait_for("drained", "drained")
            bell.close()
        assert process.poll() is None
    finally:
        if process:
            process.kill()
            process.wait()


# --- a Redis that is up and of no use -------------------------------------------------------------


def test_a_redis_that_takes_writes_has_no_fault(bell):
    assert bell.fault() is None


def test_a_full_redis_is_named_and_works_again_once_it_has_room(bell, redis):
    redis.config_set("maxmemory", "1")
    try:
        assert bell.fault() is Code.REDIS_FULL
        assert bell.ring() is False
    finally:
        redis.config_set("maxmemory", "0")
    assert bell.fault() is None


def test_a_read_only_redis_is_named(bell, redis):
    redis.config_set("replica-read-only", "yes")
    redis.replicaof("127.0.0.1", "1")
    try:
        assert bell.fault() is Code.REDIS_READ_ONLY
    finally:
        redis.replicaof("no", "one")
    assert bell.fault() is None


@pytest.mark.parametrize("key", ["wake:live", "rq:queue:live", "rq:queues"])
def test_keys_of_a_wrong_type_are_named_and_put_right_by_ringing(valkey, bell, redis, key):
    redis.hset(key, "somebody", "else")
    assert bell.fault() is Code.REDIS_KEYS
    bell.ring()
    again = Doorbell(valkey.url)  # one whose last ring was not refused a moment ago
    bell.answered()
    assert again.ring()
    again.close()
    assert bell.fault() is None
    assert queue(redis).count >= 1


def test_a_key_that_never_ends_does_not_silence_the_bell(bell, redis):
    redis.set("wake:live", 1)
    assert bell.ring()
    assert queue(redis).count == 1
    assert 0 < redis.pttl("wake:live") <= 1000


def test_an_idle_worker_says_that_it_is_at_work(emptied):
    beats = []
    run_worker(emptied.url, burst=True, beat=lambda: beats.append(1))
    assert len(beats) >= 2
