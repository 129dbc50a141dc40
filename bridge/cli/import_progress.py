"""Shows how far an import is: one line that changes on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.live import Live
from rich.text import Text

from bridge.cli.screen import Screen, say
from bridge.core.model.counting import counted
from bridge.operations.imports import AllowedRate, ImportProgress

LINE_SECONDS: Final = 5.0
"""At least so long between two lines where there is no terminal, besides one for each page."""

Show = Callable[[str, bool], None]
"""Shows a line; True: it is one that also those see who have no terminal."""
Tell = Callable[[str], None]


def show_progress(
    steps: Iterable[ImportProgress], rates: list[AllowedRate], *, quiet: bool
) -> ImportProgress:
    """Follow an import to its end, showing how far it is unless quiet; return the last progress."""
    allowed = _in_words(rates)
    shown_mark, shown_at = (-1, -1), 0.0
    shut: dict[str, str] = {}
    with _display(quiet=quiet) as (show, tell):
        for step in steps:
            for name, words in step.shut.items():
                if shut.get(name) != words:
                    tell(words)
            shut = step.shut  # each is told once, and again when the reason has changed
            line, mark = progress_line(step, allowed), (step.pages, step.waiting)
            waited = time.monotonic() - shown_at > LINE_SECONDS
            new_page, changed = mark[0] != shown_mark[0], mark != shown_mark
            due = new_page or (changed and (waited or step.is_over))
            if due:
                shown_mark, shown_at = mark, time.monotonic()
            show(line, due)
    return step


def progress_line(progress: ImportProgress, allowed: str) -> str:
    """Return in one line how much is done, how fast, how long it will still take, what it cost."""
    rate = progress.done / max(0.001, progress.seconds)
    left = "still listing"
    if not progress.unlisted:
        left = f"{progress.waiting / rate:.0f} s left" if rate else ""
    return (
        f"{counted(progress.pages, 'page')}, {progress.listed} listed, "
        f"{progress.done} of {progress.queued} done, {progress.made} made, "
        f"{rate:.1f}/s {left}, {counted(progress.calls, 'call')}{allowed}"
    )


def _in_words(rates: list[AllowedRate]) -> str:
    parts = [f"{rate.connection} {rate.calls:.0f} in {rate.seconds:.0f} s" for rate in rates]
    return f" (allowed: {', '.join(parts)})" if parts else ""


@contextmanager
def _display(*, quiet: bool) -> Iterator[tuple[Show, Tell]]:
    """Yield what shows progress, and what tells of a connection that is not called any more."""
    console = Screen(err=True)
    if quiet:
        yield lambda _line, _due: None, lambda _news: None
    elif console.is_terminal:
        with Live(console=console, transient=True) as live:
            yield (
                lambda line, _due: live.update(Text(line)),
                lambda news: console.print(Text(news), soft_wrap=True),
            )
    else:
        yield (
            lambda line, due: say(line, err=True) if due else None,
            lambda news: say(news, err=True),
        )
