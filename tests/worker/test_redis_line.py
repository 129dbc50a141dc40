import signal

import pytest
from redis.exceptions import RedisError, ResponseError

from bridge.queue.redis_line import RedisLine


@pytest.fixture
def line(emptied):
    found = RedisLine(emptied.url)
    yield found
    found.close()


def test_what_was_told_is_done_before_what_is_asked_next(line):
    for number in range(50):
        line.tell("RPUSH", "told", number)
    assert line.ask("LLEN", "told") == 50
    assert line.ask("LRANGE", "told", 0, 1) == [b"0", b"1"]


def test_what_was_told_is_done_also_when_nothing_is_asked_any_more(line, redis):
    line.tell("RPUSH", "told", "once")
    assert redis.blpop("told", timeout=5) == (b"told", b"once")


def test_a_refusal_of_what_was_told_is_nobody_elses_answer(line):
    line.ask("SET", "text", "a")
    for _ in range(3):
        line.tell("ZREM", "text", "a")
    assert line.ask("GET", "text") == b"a"
    with pytest.raises(ResponseError):
        line.ask("ZCARD", "text")
    assert line.ask("ECHO", "b") == b"b"


class Interrupted(BaseException):
    pass


def test_an_answer_that_was_not_waited_for_is_never_taken_for_another(line):
    def interrupt(*_):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        line.tell("SET", "text", "told")
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            line.ask("BLPOP", "nobody", 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [line.ask("ECHO", text) for text in ("a", "b")] == [b"a", b"b"]


def test_a_connection_that_was_closed_is_opened_again(line, redis):
    line.ask("SET", "text", "a")
    redis.client_kill_filter(_type="normal", skipme=True)
    assert line.ask("GET", "text") == b"a"


def test_a_script_that_redis_has_forgotten_is_loaded_again(line, redis):
    script = "return ARGV[1] .. KEYS[1]"
    assert line.run(script, ["k"], ["a"]) == b"ak"
    redis.script_flush()
    line.tell("SET", "text", "told")
    assert line.run(script, ["k"], ["b"]) == b"bk"


def test_where_nobody_answers_it_says_so_each_time(tmp_path):
    line = RedisLine(f"unix://{tmp_path}/nobody.sock")
    for say in (line.ask, line.tell, line.ask):
        with pytest.raises((RedisError, OSError)):
            say("PING")
    line.close()
