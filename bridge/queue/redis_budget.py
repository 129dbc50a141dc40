"""The budget of calls of a connection, shared by all workers: declared rates and calls in flight.

Rates hold in every window, not just on average: the time of each call in the longest window is
stored. After a first start, or when Redis was emptied, nobody knows what was called a moment ago,
so calls are spread evenly until one whole window has been seen.

A call that made more requests than it asked for is charged for them afterwards. Such a charge may
lie in the future: a window that was overdrawn is made up for by the windows after it.

The lanes share one budget. Each lane below live may fill only its share of every window, and leaves
the last place in flight free. So however much a reconciliation or an import has to do, live work
finds room at once.

A clock that was set back moves all that is known back with it: else nothing would be granted until
it has made up for that.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from redis.exceptions import RedisError

from bridge.core.model.budget_use import BudgetUse
from bridge.core.model.lanes import SHARES
from bridge.core.model.syncs import Connection, Rate
from bridge.queue.redis_address import Address, connect
from bridge.queue.redis_line import RedisLine

BUSY_WAIT_SECONDS: Final = 0.05
"""The wait when all places are taken, unless a lease runs out sooner."""
NO_REDIS_WAIT_SECONDS: Final = 1.0
"""The wait while Redis is away: without it nobody knows what the other workers call."""
SET_BACK_SECONDS: Final = 1.0
"""A time that lies so long before the last one comes from a clock that was set back."""

# The state of a connection in Redis: `log` has the time of each call (a sorted set), `leases` the
# calls in flight by holder with the time at which they run out, `state` the time of the first call
# (`born`), the time until which nothing is granted (`until`) and the time of the last question or
# news (`last`).
_FOLLOW: Final = """
local log, leases, state = KEYS[1], KEYS[2], KEYS[3]
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local known = redis.call('HMGET', state, 'born', 'until', 'last')
local born, till = tonumber(known[1] or '') or now, tonumber(known[2] or '') or 0
local step = (tonumber(known[3] or '') or now) - now
if step >= tonumber(ARGV[2]) then
  born, till = born - step, till - step
  redis.call('HSET', state, 'until', string.format('%.6f', till))
  for _, key in ipairs({log, leases}) do
    local entries = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #entries, 2 do
      redis.call('ZADD', key, string.format('%.6f', tonumber(entries[i + 1]) - step), entries[i])
    end
  end
end
redis.call('HSET', state, 'born', string.format('%.6f', born), 'last', string.format('%.6f', now))
"""
"""Begins every script: the time; all that is known is moved back with a clock that was set back."""

_ACQUIRE: Final = f"""{_FOLLOW}
local holder, hold, places, rates = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local busy, share = ARGV[7], tonumber(ARGV[8])
if share < 1 then places = math.max(1, places - 1) end
local wait = till - now
if wait > 0 then return tostring(wait) end
redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
local held = redis.call('ZSCORE', leases, holder)
if not held and redis.call('ZCARD', leases) >= places then
  local first = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
  return tostring(math.max(0.001, math.min(tonumber(first[2]) - now, tonumber(busy))))
end
local longest = 0
wait = 0
for i = 0, rates - 1 do
  local calls, seconds = tonumber(ARGV[9 + 2 * i]), tonumber(ARGV[10 + 2 * i])
  calls = math.max(1, math.floor(calls * share + 0.000001))
  longest = math.max(longest, seconds)
  local seen = now - born
  local used = redis.call('ZCOUNT', log, '(' .. string.format('%.6f', now - seconds), '+inf')
  if used >= calls then
    local nth = redis.call('ZREVRANGE', log, calls - 1, calls - 1, 'WITHSCORES')
    wait = math.max(wait, tonumber(nth[2]) + seconds - now)
  elseif seen < seconds and used * seconds / calls > seen then
    wait = math.max(wait, used * seconds / calls - seen)
  end
end
if wait > 0 then return tostring(math.max(0.001, wait)) end
if longest > 0 then
  local number = redis.call('HINCRBY', state, 'number', 1)
  redis.call('ZADD', log, string.format('%.6f', now), number)
  redis.call('ZREMRANGEBYSCORE', log, '-inf', string.format('%.6f', now - longest))
  redis.call('PEXPIRE', log, math.ceil(longest * 1000) + 1000)
end
redis.call('ZADD', leases, string.format('%.6f', now + hold), holder)
return '0'
"""

_CHARGE: Final = f"""{_FOLLOW}
local at, longest = now, 0
for _ = 1, tonumber(ARGV[3]) do
  for i = 4, #ARGV, 2 do
    local calls, seconds = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local nth = redis.call('ZREVRANGE', log, calls - 1, calls - 1, 'WITHSCORES')
    if nth[2] then at = math.max(at, tonumber(nth[2]) + seconds) end
    longest = math.max(longest, seconds)
  end
  redis.call('ZADD', log, string.format('%.6f', at), redis.call('HINCRBY', state, 'number', 1))
end
redis.call('PEXPIRE', log, math.ceil((at - now + longest) * 1000) + 1000)
return '0'
"""

_HOLD_OFF: Final = f"""{_FOLLOW}
till = math.max(now + tonumber(ARGV[3]), till)
redis.call('HSET', state, 'until', string.format('%.6f', till))
return '0'
"""

_USE: Final = """
local log, leases, state = KEYS[1], KEYS[2], KEYS[3]
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local at = string.format('%.6f', now)
local till = tonumber(redis.call('HGET', state, 'until') or '') or 0
local use = {redis.call('ZCOUNT', leases, '(' .. at, '+inf'), tostring(math.max(0, till - now))}
for i = 2, #ARGV do
  local begin = string.format('%.6f', now - tonumber(ARGV[i]))
  table.insert(use, redis.call('ZCOUNT', log, '(' .. begin, '+inf'))
end
return use
"""
"""Only looks: calls in flight, the time of rest that is left, and the calls in each window."""


class RedisBudget:
    """The budget in Redis; one atomic script for each question, timed by Redis' own clock.

    With `server_time` False the caller's `now` counts instead, for tests with a clock of their own.
    """

    def __init__(self, address: Address, *, server_time: bool = True) -> None:
        self._line = RedisLine(address)
        self._redis = connect(address)
        self._charge: Any = self._redis.register_script(_CHARGE)
        self._hold_off: Any = self._redis.register_script(_HOLD_OFF)
        self._server_time = server_time

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Take a call for at most `hold` seconds; return 0 if granted, else the seconds to wait."""
        arguments: list[str | float] = [
            self._time(now),
            SET_BACK_SECONDS,
            holder,
            hold,
            connection.concurrency,
            len(connection.rates),
        ]
        arguments += [BUSY_WAIT_SECONDS, SHARES[lane]]
        for rate in connection.rates:
            arguments += [rate.calls, rate.seconds]
        try:
            return float(self._line.run(_ACQUIRE, _keys(connection.name), arguments))
        except (RedisError, OSError):
            return NO_REDIS_WAIT_SECONDS

    def release(self, connection_name: str, holder: str) -> None:
        """Give the place in flight back; if Redis is away, the lease runs out by itself."""
        try:
            self._line.tell("ZREM", _keys(connection_name)[1], holder)
        except (RedisError, OSError):
            return

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests made without asking, each at the next time that the rates allow."""
        if not connection.rates:
            return
        arguments: list[str | float] = [self._time(now), SET_BACK_SECONDS, requests]
        for rate in connection.rates:
            arguments += [rate.calls, rate.seconds]
        try:
            self._charge(keys=_keys(connection.name), args=arguments)
        except (RedisError, OSError):
            return

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing to anyone for so long, because the vendor sent Retry-After."""
        try:
            arguments = [self._time(now), SET_BACK_SECONDS, seconds]
            self._hold_off(keys=_keys(connection_name), args=arguments)
        except (RedisError, OSError):
            return

    def use(self, connection: Connection, now: datetime) -> BudgetUse | None:
        """Return how much is in use, and take nothing. None: nobody knows, Redis is away."""
        arguments: list[str | float] = [self._time(now)]
        arguments += [rate.seconds for rate in connection.rates]
        try:
            in_flight, held_off, *made = self._line.run(_USE, _keys(connection.name), arguments)
        except (RedisError, OSError):
            return None
        return BudgetUse(tuple(map(int, made)), int(in_flight), float(held_off))

    def close(self) -> None:
        """Close the connections."""
        self._line.close()
        self._redis.close()

    def _time(self, now: datetime) -> float:
        return -1 if self._server_time else now.timestamp()


def _keys(name: str) -> list[str]:
    # The braces keep the three keys on one node of a cluster, as a script needs them.
    return [f"budget:{{{name}}}:calls", f"budget:{{{name}}}:leases", f"budget:{{{name}}}:state"]


@dataclass(slots=True)
class _ConnectionUsage:
    """The state that the scripts keep in Redis, as an object."""

    born: float
    """When the connection was first called."""
    calls: list[float] = field(default_factory=list)
    """The times of the calls in the longest window."""
    leases: dict[str, float] = field(default_factory=dict)
    """Holder -> when its place in flight runs out."""
    until: float = 0.0
    """Nothing is granted until then."""
    last: float = 0.0
    """The time of the last question or news."""

    def follow(self, at: float) -> None:
        """Note the time; move all that is known back with a clock that was set back."""
        if (step := self.last - at) >= SET_BACK_SECONDS:
            self.born -= step
            self.until -= step
            self.calls = [call - step for call in self.calls]
            self.leases = {holder: until - step for holder, until in self.leases.items()}
        self.last = at


class MemoryBudget:
    """The same rules for one process alone: the simulation, a dry run, tests."""

    def __init__(self) -> None:
        self._usage: dict[str, _ConnectionUsage] = {}
        self._lock = threading.Lock()

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Take a call for at most `hold` seconds; return 0 if granted, else the seconds to wait."""
        at = now.timestamp()
        with self._lock:
            usage = self._at(connection.name, at)
            wait = usage.until - at
            if wait > 0:
                return wait
            share = SHARES[lane]
            places = connection.concurrency if share >= 1 else max(1, connection.concurrency - 1)
            wait = _wait_for_place(usage, places, holder, at)
            if wait > 0:
                return wait
            waits = (_wait_for_rate(rate, usage, at, share) for rate in connection.rates)
            wait = max(waits, default=0.0)
            if wait > 0:
                return max(0.001, wait)
            longest = max((rate.seconds for rate in connection.rates), default=0.0)
            if longest:
                usage.calls = [call for call in usage.calls if call > at - longest]
                usage.calls.append(at)
            usage.leases[holder] = at + hold
            return 0.0

    def release(self, connection_name: str, holder: str) -> None:
        """Give the place in flight back; the call itself stays counted."""
        with self._lock:
            if usage := self._usage.get(connection_name):
                usage.leases.pop(holder, None)

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests made without asking, each at the next time that the rates allow."""
        at = now.timestamp()
        with self._lock:
            usage = self._at(connection.name, at)
            for _ in range(requests if connection.rates else 0):
                full = [rate for rate in connection.rates if len(usage.calls) >= rate.calls]
                at = max([at, *(usage.calls[-rate.calls] + rate.seconds for rate in full)])
                usage.calls.append(at)

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing to anyone for so long, because the vendor sent Retry-After."""
        at = now.timestamp()
        with self._lock:
            usage = self._at(connection_name, at)
            usage.until = max(usage.until, at + seconds)

    def use(self, connection: Connection, now: datetime) -> BudgetUse | None:
        """Return how much is in use, and take nothing."""
        at = now.timestamp()
        with self._lock:
            usage = self._usage.get(connection.name) or _ConnectionUsage(born=at)
            return BudgetUse(
                made=tuple(
                    sum(call > at - rate.seconds for call in usage.calls)
                    for rate in connection.rates
                ),
                in_flight=sum(until > at for until in usage.leases.values()),
                held_off=max(0.0, usage.until - at),
            )

    def _at(self, connection_name: str, at: float) -> _ConnectionUsage:
        usage = self._usage.setdefault(connection_name, _ConnectionUsage(born=at))
        usage.follow(at)
        return usage


def _wait_for_place(usage: _ConnectionUsage, places: int, holder: str, at: float) -> float:
    """Return the seconds to wait for a place in flight; 0 when there is one."""
    usage.leases = {name: until for name, until in usage.leases.items() if until > at}
    if holder in usage.leases or len(usage.leases) < places:
        return 0.0
    return max(0.001, min(min(usage.leases.values()) - at, BUSY_WAIT_SECONDS))


def _wait_for_rate(rate: Rate, usage: _ConnectionUsage, at: float, share: float) -> float:
    """Return the seconds to wait until a rate allows one more call; 0 when it does now."""
    used = [call for call in usage.calls if call > at - rate.seconds]
    allowed = max(1, int(rate.calls * share + 1e-6))
    if len(used) >= allowed:
        return used[-allowed] + rate.seconds - at
    known = at - usage.born
    if known >= rate.seconds:
        return 0.0
    # Less than one window is known: the n-th call waits until its even share of the window is over.
    return max(0.0, len(used) * rate.seconds / allowed - known)
