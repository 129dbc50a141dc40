"""Waiting until something is done, for as long as there is progress."""

from bridge.supervisor.demo import wait_until


def test_what_was_quiet_once_is_done_though_it_stirs_again():
    looks = iter([False, True, False])
    assert wait_until(lambda: next(looks), lambda: 0, 60.0, lambda: True) is True


def test_waiting_ends_without_success_when_told_to_or_without_progress():
    assert wait_until(lambda: False, lambda: 0, 60.0, lambda: False) is False
    assert wait_until(lambda: False, lambda: 0, -1.0, lambda: True) is False
