"""The calls that one connection may make, shared by all workers: declared rates and calls in flight.

Rates hold in every window, not just on average: each call of the longest window is remembered by
its time. Where nothing is remembered (a first start, an emptied Redis) nobody knows what was called
a moment ago, so calls are spread evenly until one whole window has been seen.

A call that turns out to have made more requests than it asked for is charged for them afterwards.
Such a charge may lie ahead: a window that was overdrawn by what was under way is made up for by the
windows after it.

The lanes share one budget. Each lane below live may fill only its part of every window, and leaves
the last place in flight free: however much a reconciliation or an import has to do, what people
wait for finds room at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from redis.exceptions import RedisError

from bridge.core.model.lanes import SHARES
from bridge.core.model.syncs import Connection, Rate
from bridge.queue.doorbell import Address, connect

BUSY_WAIT: Final = 0.05
"""Seconds after which a holder who found all places taken asks again (sooner if a lease runs out before)."""
NO_REDIS_WAIT: Final = 1.0
"""Seconds to wait while Redis cannot be asked: without it nobody knows what the others are calling."""


_ACQUIRE: Final = """
local log, leases, state = KEYS[1], KEYS[2], KEYS[3]
local now = tonumber(ARGV[1])
local holder, hold, places, rates = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local share = tonumber(ARGV[7])
if share < 1 then places = math.max(1, places - 1) end
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local born = tonumber(redis.call('HGET', state, 'born') or '')
if not born then
  born = now
  redis.call('HSET', state, 'born', string.format('%.6f', now))
end
local wait = tonumber(redis.call('HGET', state, 'until') or '0') - now
if wait > 0 then return tostring(wait) end
redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
local held = redis.call('ZSCORE', leases, holder)
if not held and redis.call('ZCARD', leases) >= places then
  local first = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
  return tostring(math.max(0.001, math.min(tonumber(first[2]) - now, tonumber(ARGV[6]))))
end
local longest = 0
wait = 0
for i = 0, rates - 1 do
  local calls, seconds = tonumber(ARGV[8 + 2 * i]), tonumber(ARGV[9 + 2 * i])
  calls = math.max(1, math.floor(calls * share + 0.000001))
  longest = math.max(longest, seconds)
  local known = now - born
  local used = redis.call('ZCOUNT', log, '(' .. string.format('%.6f', now - seconds), '+inf')
  if used >= calls then
    local nth = redis.call('ZREVRANGE', log, calls - 1, calls - 1, 'WITHSCORES')
    wait = math.max(wait, tonumber(nth[2]) + seconds - now)
  elseif known < seconds and used * seconds / calls > known then
    wait = math.max(wait, used * seconds / calls - known)
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

_CHARGE: Final = """
local log, state = KEYS[1], KEYS[3]
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
redis.call('HSETNX', state, 'born', string.format('%.6f', now))
local at, longest = now, 0
for _ = 1, tonumber(ARGV[2]) do
  for i = 3, #ARGV, 2 do
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

_HOLD_OFF: Final = """
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local till = math.max(now + tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'until') or '0'))
redis.call('HSET', KEYS[1], 'until', string.format('%.6f', till))
return '0'
"""


class RedisBudget:
    """The budget in Redis, one atomic script an answer. Redis' own clock counts, whatever the machines' clocks say.

    `server_time` False counts by the caller's `now` instead, for those who have a clock of their
    own.
    """

    def __init__(self, address: Address, *, server_time: bool = True) -> None:
        self._redis = connect(address)
        self._acquire: Any = self._redis.register_script(_ACQUIRE)
        self._charge: Any = self._redis.register_script(_CHARGE)
        self._hold_off: Any = self._redis.register_script(_HOLD_OFF)
        self._server_time = server_time

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Take one call for `hold` seconds at most: 0 when granted, else the seconds to wait before asking again."""
        arguments: list[str | float] = [
            self._time(now),
            holder,
            hold,
            connection.concurrency,
            len(connection.rates),
        ]
        arguments += [BUSY_WAIT, SHARES[lane]]
        for rate in connection.rates:
            arguments += [rate.calls, rate.seconds]
        try:
            return float(self._acquire(keys=_keys(connection.name), args=arguments))
        except (RedisError, OSError):
            return NO_REDIS_WAIT

    def release(self, connection_name: str, holder: str) -> None:
        """Give the place in flight back; if Redis is away the lease runs out by itself."""
        try:
            self._redis.zrem(_keys(connection_name)[1], holder)
        except (RedisError, OSError):
            return

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests that were made without asking, each where the rates have room for it next."""
        if not connection.rates:
            return
        arguments: list[str | float] = [self._time(now), requests]
        for rate in connection.rates:
            arguments += [rate.calls, rate.seconds]
        try:
            self._charge(keys=_keys(connection.name), args=arguments)
        except (RedisError, OSError):
            return

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing for so long, to anyone: the vendor has said Retry-After."""
        try:
            self._hold_off(keys=[_keys(connection_name)[2]], args=[self._time(now), seconds])
        except (RedisError, OSError):
            return

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _time(self, now: datetime) -> float:
        return -1 if self._server_time else now.timestamp()


def _keys(name: str) -> list[str]:
    # The braces keep a connection's three keys on one node of a cluster, where one script may touch
    # them all.
    return [f"budget:{{{name}}}:calls", f"budget:{{{name}}}:leases", f"budget:{{{name}}}:state"]


@dataclass(slots=True)
class _ConnectionUsage:
    born: float
    calls: list[float] = field(default_factory=list)
    leases: dict[str, float] = field(default_factory=dict)
    until: float = 0.0


class MemoryBudget:
    """The same rules for one process alone: the simulation, a dry run, tests."""

    def __init__(self) -> None:
        self._accounts: dict[str, _ConnectionUsage] = {}
        self._lock = threading.Lock()

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Take one call for `hold` seconds at most: 0 when granted, else the seconds to wait before asking again."""
        at = now.timestamp()
        with self._lock:
            account = self._accounts.setdefault(connection.name, _ConnectionUsage(born=at))
            wait = account.until - at
            if wait > 0:
                return wait
            account.leases = {name: until for name, until in account.leases.items() if until > at}
            share = SHARES[lane]
            places = connection.concurrency if share >= 1 else max(1, connection.concurrency - 1)
            if holder not in account.leases and len(account.leases) >= places:
                return max(0.001, min(min(account.leases.values()) - at, BUSY_WAIT))
            wait = max((_wait(rate, account, at, share) for rate in connection.rates), default=0.0)
            if wait > 0:
                return max(0.001, wait)
            longest = max((rate.seconds for rate in connection.rates), default=0.0)
            if longest:
                account.calls = [call for call in account.calls if call > at - longest]
                account.calls.append(at)
            account.leases[holder] = at + hold
            return 0.0

    def release(self, connection_name: str, holder: str) -> None:
        """Give the place in flight back; the call itself stays counted."""
        with self._lock:
            if account := self._accounts.get(connection_name):
                account.leases.pop(holder, None)

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests that were made without asking, each where the rates have room for it next."""
        at = now.timestamp()
        with self._lock:
            account = self._accounts.setdefault(connection.name, _ConnectionUsage(born=at))
            for _ in range(requests if connection.rates else 0):
                full = [rate for rate in connection.rates if len(account.calls) >= rate.calls]
                at = max([at, *(account.calls[-rate.calls] + rate.seconds for rate in full)])
                account.calls.append(at)

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing for so long, to anyone: the vendor has said Retry-After."""
        at = now.timestamp()
        with self._lock:
            account = self._accounts.setdefault(connection_name, _ConnectionUsage(born=at))
            account.until = max(account.until, at + seconds)


def _wait(rate: Rate, account: _ConnectionUsage, at: float, share: float) -> float:
    used = [call for call in account.calls if call > at - rate.seconds]
    allowed = max(1, int(rate.calls * share + 1e-6))
    if len(used) >= allowed:
        return used[-allowed] + rate.seconds - at
    known = at - account.born
    # While less than a window is known, the n-th call has to wait for its even share of it.
    return max(0.0, len(used) * rate.seconds / allowed - known) if known < rate.seconds else 0.0
