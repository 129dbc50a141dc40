import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

USE = """
import sys
from pathlib import Path
from tests.postgres import shared_url
url, lock = shared_url(Path(sys.argv[1]))
print(url, flush=True)
sys.stdin.read()
"""


def use(meeting):
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", USE, str(meeting)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_the_server_is_shared_and_gone_when_its_last_user_was_killed(tmp_path):
    with use(tmp_path) as first, use(tmp_path) as second:
        urls = {first.stdout.readline(), second.stdout.readline()}
        home = Path((tmp_path / "postgres-first").read_text())
        postmaster = int((home / "data" / "postmaster.pid").read_text().splitlines()[0])
        first.kill()
        first.wait()
        os.kill(postmaster, 0)
        second.kill()
    assert len(urls) == 1
    deadline = time.monotonic() + 30
    while (home.exists() or Path(f"/proc/{postmaster}").exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not home.exists()
    assert not Path(f"/proc/{postmaster}").exists()


def test_who_started_the_server_ends_without_a_word_about_it(tmp_path):
    with use(tmp_path) as first:
        assert first.stdout.readline().startswith("postgresql")
        _, said = first.communicate()
    assert said == ""
