"""What dead workers held is freed at once, but for what they may have sent."""

import os
import subprocess
import sys
from datetime import timedelta

from bridge.core.model.state import Attempt, Link, Side
from bridge.engine import worker_identity
from bridge.ledger import links, takeover, work
from tests.ledger.helpers import LONG, begin, hint


def held_link(tx, now, name, owner):
    side = Side("helpdesk", f"r{name}")
    link = Link(name, "tickets", "ticket", sides={"helpdesk": side})
    assert links.create(tx, link, now)
    fence = links.lease(tx, name, f"{owner}/task", now, now + LONG)
    return side, fence


def test_the_dead_free_what_they_held_and_the_living_keep_it(tx, now):
    hint(tx, now, "1")
    work.claim(tx, "dead", now, now + LONG, 1)
    hint(tx, now, "2")
    work.claim(tx, "living", now, now + LONG, 1)
    held_link(tx, now, "a", "dead")
    held_link(tx, now, "b", "living")
    assert takeover.release_dead(tx, now, lambda owner: owner == "dead") == 1
    assert [row.remote_id for row in work.claim(tx, "new", now, now + LONG, 9)] == ["1"]
    assert links.lease(tx, "a", "new/1", now, now + LONG) == 2
    assert links.lease(tx, "b", "new/1", now, now + LONG) is None


def test_a_link_whose_write_may_be_on_its_way_keeps_its_lease(tx, now):
    side, _fence = held_link(tx, now, "a", "dead")
    side.attempt = Attempt("at", "patch", {}, {}, {}, {}, now + timedelta(seconds=5))
    begin(tx, "a", side, now)
    hint(tx, now, "1", kind="deliver", key="deliver:a:helpdesk", link_id="a")
    work.claim(tx, "dead", now, now + LONG, 1)
    assert takeover.release_dead(tx, now, lambda _owner: True) == 0
    assert links.lease(tx, "a", "new/1", now, now + LONG) is None
    assert links.lease(tx, "a", "new/1", now + LONG, now + 2 * LONG) == 2


def test_a_process_is_called_dead_only_when_it_is():
    code = "from bridge.engine import worker_identity as w; print(w.name('x'), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    other = process.stdout.readline().strip()
    assert not worker_identity.is_dead(other)
    process.kill()
    process.communicate()
    assert worker_identity.is_dead(other)
    assert not worker_identity.is_dead(worker_identity.name("y"))
    host, here, pid, began, salt = other.split(":")
    assert not worker_identity.is_dead(f"{host}:another machine:{pid}:{began}:{salt}")
    assert worker_identity.is_dead(":".join([host, here, str(os.getpid()), "1", salt])), (
        "the id is in use again"
    )
    for odd in ("", "drain", "a:b", "host:12:abcdef"):
        assert not worker_identity.is_dead(odd)
