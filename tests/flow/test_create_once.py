"""A worker dies when the vendor has made a record and the ledger does not know: one is made."""

import pytest

from bridge.ledger import work
from tests.flow.estate import Estate
from tests.flow.world import StepWorker


def raise_(estate, name, remote_id, entity="ticket"):
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        work.enqueue(
            tx,
            kind="observe",
            key=f"observe:{name}:{entity}:{remote_id}",
            connection=name,
            entity=entity,
            remote_id=str(remote_id),
            due_at=now,
            now=now,
        )


def die_creating(estate, connection, *, after=True):
    """Work until a create is about to be sent; let the vendor do it (or not), and be no more."""
    worker = StepWorker(estate, "doomed")
    for _ in range(400):
        if worker.place() == "create/make.Call1" and worker.task.row.connection == connection:
            worker.die(after=after)
            return
        if not worker.step():
            estate.clock.advance(0.5)
    raise AssertionError("nothing was created")


def healed(estate):
    estate.clock.advance(300)
    estate.settle()
    estate.reconcile()


@pytest.fixture
def estate(tmp_path):
    return Estate(tmp_path / "home")


@pytest.mark.parametrize(
    ("origin", "target"),
    [
        ("helpdesk", "product"),
        ("product", "helpdesk"),
        ("helpdesk", "feedback"),
        ("desk", "helpdesk"),
    ],
)
def test_a_ticket(estate, origin, target):
    (began,) = estate.apps[origin].populate(1, 3)
    raise_(estate, origin, began)
    die_creating(estate, target)
    healed(estate)
    assert len(estate.apps[target].tickets()) == 1
    assert {"helpdesk", "product", "feedback"} <= set(estate.refs(origin, began))


@pytest.mark.parametrize("times", [1, 2, 4])
def test_workers_that_die_before_they_could_send_use_up_no_tries(estate, times):
    (began,) = estate.apps["helpdesk"].populate(1, 3)
    raise_(estate, "helpdesk", began)
    for _ in range(times):
        die_creating(estate, "product", after=False)
        estate.clock.advance(60)
    healed(estate)
    assert estate.parked() == []
    assert len(estate.apps["product"].tickets()) == 1


def test_a_note_about_a_screen_share(estate):
    estate.apps["helpdesk"].populate(12, 1)
    estate.reconcile("poll", "full")
    before = len(estate.links("session"))
    estate.apps["screens"].populate(12, 1)
    for row in estate.apps["screens"].records("session"):
        raise_(estate, "screens", row["id"], "session")
    die_creating(estate, "helpdesk")
    healed(estate)
    noted = [link for link in estate.links("session") if "helpdesk" in link.live()]
    made = estate.journal("helpdesk", "create")
    notes = [row for row in made if row.entity != "ticket"]
    assert before == 0
    assert len(noted) == len(notes) > 0


def test_a_reply_that_is_analysed(estate):
    (began,) = estate.apps["helpdesk"].populate(1, 3)
    estate.hint("helpdesk", began)
    texts = len(estate.apps["feedback"].tickets())
    reply = estate.apps["helpdesk"].message(began, "It still does not print.")
    estate.apps["helpdesk"].note(began, "Sounds angry.")
    raise_(estate, "helpdesk", reply["id"], "message")
    die_creating(estate, "feedback")
    healed(estate)
    assert len(estate.apps["feedback"].tickets()) == texts + 1
    (link,) = [link for link in estate.links("message") if "feedback" in link.live()]
    assert link.sides["helpdesk"].remote_id == reply["id"]


@pytest.mark.parametrize(("later", "there"), [(30, 1), (600, 2)])
def test_a_ticket_of_the_same_customer_and_moment_is_adopted_whatever_its_subject(
    estate, later, there
):
    """PostHog has no subject: the newest message stands in for it, and tells nothing any more."""
    product, helpdesk = estate.apps["product"], estate.apps["helpdesk"]
    mine = product.create(
        {"anonymous_traits": {"email": "ana@customer.example"}, "email_subject": "Invoice"}
    )["id"]
    estate.clock.advance(later)
    helpdesk.create({"subject": "My invoice", "customer_email": "ana@customer.example"})
    raise_(estate, "product", mine)
    estate.settle()
    assert len(helpdesk.tickets()) == there
