"""How far runs are is shown while they go on."""

from bridge.cli.run_progress import ProgressDisplay
from bridge.operations.reconciliations import RunProgress


def test_progress_is_told_once_for_each_step_ahead(capsys, monkeypatch):
    looks = [[RunProgress("1", "product", "ticket", seen, 1, 0)] for seen in (0, 50, 50, 90)]
    monkeypatch.setattr("bridge.cli.run_progress.LOOK_SECONDS", 0.001)
    display = ProgressDisplay(lambda: looks.pop(0) if len(looks) > 1 else looks[0])
    with display:
        while display.seen.get("1") != 90:
            pass
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        "product ticket: 50 seen on 1 page, 0 differ",
        "product ticket: 90 seen on 1 page, 0 differ",
    ]


def test_why_a_run_waits_is_told_once_for_each_reason(capsys):
    waits = [
        "product is paused until 9, because nobody answers",
        "product is paused until 10, because nobody answers",
        "product is stopped, because the key is refused",
    ]
    display = ProgressDisplay(
        lambda: [RunProgress("1", "product", "ticket", 0, 0, 0, each) for each in ["", *waits]]
    )
    with display:
        pass
    assert capsys.readouterr().err.splitlines() == [waits[0], waits[2]]
