"""What the bridge stands on goes away for a while: Redis forgets, the database restarts, the disk is full."""

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_valkey_is_killed_and_emptied(kit):
    for strike in (kit.kill_valkey, kit.empty_valkey, kit.kill_valkey):
        kit.work(6)
        strike()
    kit.work(6)
    kit.check()


@pytest.mark.postgres
@pytest.mark.parametrize("kit", ["postgres"], indirect=True)
def test_postgresql_is_stopped_in_order_and_at_once(kit, database):
    for how in ("fast", "immediate"):
        kit.work(6)
        database.stop(how)
        kit.struck[f"postgresql {how}"] += 1
        before = kit.refused()
        kit.work(6)
        kit.wait(lambda: kit.refused() > before, "a webhook that is refused")  # noqa: B023
        database.start()
    kit.work(6)
    kit.check()


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_the_disk_is_full(kit):
    kit.work(6)
    kit.asking = False  # we write into the ledger too, and our own files have no limit
    with kit.full_disk():
        kit.work(12)
        kit.wait(lambda: kit.refused() > 0, "a webhook that is refused")
    kit.asking = True
    kit.work(6)
    kit.check()
