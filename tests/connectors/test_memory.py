"""Systems in memory: their habits, their faults, and that they are reached as any other."""

import pytest

from bridge.connectors.contract import Draft, Intent
from bridge.core.model.capabilities import Support
from bridge.core.model.values import NotCarried, Unreadable
from bridge.errors import Malformed, Refused, Unsupported
from tests.connectors.bench import StillClock
from tests.memory import SERVICE_USER, helpdesk_like, lossless, posthog_like, zaia_like
from tests.memory.account import MAKERS, START, TICKET, Account


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def any_account(request):
    return Account(request.param)


@pytest.fixture
def account():
    return Account(lossless)


class TestAllFour:
    def test_what_they_can_do_is_declared_completely(self, any_account):
        can, mapped = any_account.can, any_account.mapped
        assert any_account.connector.capabilities == {"ticket": can}
        written = {key for verb in can.verbs for key in verb.writes}
        assert {
            key for key, each in can.writable.items() if each.on_update is not Support.NO
        } == written
        assert {field.write_key for field in mapped.fields.values()} == can.writable.keys()
        assert can.writable.keys() <= can.readable

    def test_every_value_that_they_are_known_to_send_can_be_read(self, any_account):
        for key, values in any_account.can.values.items():
            for value in values:
                assert not isinstance(any_account.mapped.fields[key].read(value), Unreadable)

    def test_reading_changes_nothing_and_shows_a_copy(self, any_account):
        before = list(any_account.system.journal)
        record = any_account.read()
        record.data["tags"].append("mine")
        assert any_account.read().data["tags"] == ["a"]
        assert any_account.connector.read("ticket", ["nobody"]) == {"nobody": None}
        assert any_account.system.journal == before
        assert record.read_at == START

    def test_a_create_plants_a_marker_by_which_it_is_found(self, any_account):
        values = {"subject": "hello"} if "subject" in any_account.can.writable else {}
        draft = Draft("ticket", values, "m-1")
        made = any_account.connector.create(draft)
        assert made.marker == "m-1"
        assert "m-1" not in str(made.data)
        assert [each.ref for each in any_account.connector.find(Intent(draft, START))] == [made.ref]
        assert any_account.connector.find(Intent(Draft("ticket", values, "m-2"), START)) == []

    def test_an_unmarked_record_of_the_same_subject_is_found_too(self, any_account):
        found = any_account.connector.find(Intent(Draft("ticket", {"subject": "s"}, ""), None))
        assert [each.ref for each in found] == [any_account.ref]

    def test_undeclared_writes_raise(self, any_account):
        connector, before = any_account.connector, list(any_account.system.journal)
        for verb, values in (
            ("explode", {"status": "new"}),
            ("patch", {"odd": 1}),
            ("patch", {}),
            ("attach", {}),
        ):
            with pytest.raises(Unsupported):
                connector.update(any_account.ref, verb, values)
        for draft in (Draft("ticket", {"odd": 1}, "m"), Draft("invoice", {}, "m")):
            with pytest.raises(Unsupported):
                connector.create(draft)
        assert any_account.system.journal == before

    def test_the_generic_hint_is_understood_and_nothing_else(self, any_account):
        parsed = any_account.connector.parse({}, {"entity": "ticket", "id": "7"})
        assert [(hint.entity, hint.id) for hint in parsed.hints] == [("ticket", "7")]
        for body in ({"event": "x"}, {"entity": "invoice", "id": "7"}, None):
            with pytest.raises(Malformed):
                any_account.connector.parse({}, body)

    def test_they_answer_pings_and_probes(self, any_account):
        assert any_account.connector.ping() == "1 ticket"
        assert any_account.connector.probe() == {"tags": True}


@pytest.mark.parametrize("make", [helpdesk_like, posthog_like, zaia_like])
def test_values_that_nobody_knows_are_not_guessed_at(make):
    status = make(StillClock())[2].fields["status"]
    assert isinstance(status.read("snoozed"), Unreadable)
    assert isinstance(status.write("snoozed"), NotCarried)


class TestListing:
    def fill(self, account, count):
        return [account.id, *(account.system.add(**TICKET) for _ in range(count))]

    def test_a_poll_misses_nothing_and_goes_on_where_it_stopped(self, account):
        ids = self.fill(account, 120)
        seen, cursor = [], None
        while (page := account.connector.changed("ticket", cursor)).records:
            seen += [record.ref.id for record in page.records]
            cursor = page.cursor
        assert seen == ids
        assert page.cursor == cursor
        account.system.edit(ids[3], status="open")
        assert [each.ref.id for each in account.connector.changed("ticket", cursor).records] == [
            ids[3]
        ]

    def test_a_record_that_is_dated_back_is_listed_all_the_same(self, account):
        cursor = account.connector.changed("ticket", None).cursor
        account.system.step_back(account.id)
        assert [each.ref.id for each in account.connector.changed("ticket", cursor).records] == [
            account.id
        ]

    def test_a_scan_lists_everything_once(self, account):
        ids = self.fill(account, 120)
        seen, cursor = [], None
        while True:
            page = account.connector.scan("ticket", cursor)
            seen += [record.ref.id for record in page.records]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == sorted(ids)


class TestHabits:
    def test_a_change_has_a_newer_version_even_within_one_instant(self, account):
        versions = [account.mapped.version(account.read().data)]
        for status in ("open", "closed"):
            account.system.edit(account.id, status=status)
            versions.append(account.mapped.version(account.read().data))
        assert versions == sorted(set(versions))
        assert account.read().changed_before is not None

    def test_a_version_can_step_back(self):
        account = Account(posthog_like)
        before = account.mapped.version(account.read().data)
        account.system.step_back(account.id)
        assert account.mapped.version(account.read().data) < before

    def test_lossless_keeps_everything(self, account):
        wanted = {
            "subject": " S. ",
            "status": "on_hold",
            "priority": None,
            "assignee": None,
            "tags": ["VIP", "b"],
        }
        answer = account.update(**wanted)
        assert {key: answer.data[key] for key in wanted} == wanted

    def test_a_helpdesk_fills_in_what_a_create_leaves_out(self):
        account = Account(helpdesk_like)
        made = account.connector.create(Draft("ticket", {"subject": "x"}, "m"))
        assert (made.data["status"], made.data["priority"], made.data["tags"]) == (
            "new",
            "normal",
            [],
        )
        assert account.can.writable["priority"].default == "normal"

    def test_a_helpdesk_can_cut_tags_and_trim_subjects_whoever_writes(self):
        account = Account(helpdesk_like, longest_tag=4, trims=True)
        assert account.update(tags=["billing"], subject="Bill.").data["tags"] == ["bill"]
        assert account.true("subject") == "Bill"
        account.system.edit(account.id, subject="Ann.")
        assert account.true("subject") == "Ann"

    def test_a_helpdesk_reads_more_statuses_than_it_is_written(self):
        status = Account(helpdesk_like).mapped.fields["status"]
        assert (status.read("in_progress"), status.write("open"), status.write("on_hold")) == (
            "open",
            "open",
            "pending",
        )

    def test_posthog_folds_tags(self):
        account = Account(posthog_like)
        assert account.update(tags=["VIP", " vip "]).data["tags"] == ["vip"]

    def test_without_a_licence_tags_read_as_empty_and_are_written_in_vain(self):
        account = Account(posthog_like)
        account.system.lapse()
        answer = account.update(tags=["b"], status="open")
        assert (answer.data["tags"], answer.data["status"]) == ([], "open")
        assert "tags" in answer.unreadable
        assert account.connector.probe() == {"tags": False}
        account.system.renew()
        assert account.read().data["tags"] == ["a"]
        assert account.read().unreadable == {}

    def test_a_takeover_sets_the_assignee_and_the_service_user_reads_as_nobody(self):
        account = Account(zaia_like)
        answer = account.update("takeover", status="ongoing", assignee=SERVICE_USER)
        assert (answer.data["status"], answer.data["assignee"]) == ("ongoing", SERVICE_USER)
        assert account.mapped.canonical(answer.data)["assignee"] is None

    def test_a_status_that_only_moves_forward_refuses_to_go_back(self):
        account = Account(zaia_like)
        account.update("complete", status="completed")
        with pytest.raises(Refused, match="forward"):
            account.update("takeover", status="ongoing", assignee="ann")
        account.system.edit(account.id, status="ongoing")  # humans may
        assert account.true("status") == "ongoing"

    def test_a_status_that_it_does_not_know_is_refused(self):
        account = Account(zaia_like)
        with pytest.raises(Refused, match="snoozed"):
            account.update("complete", status="snoozed")

    def test_what_cannot_be_deleted_stays(self):
        account = Account(zaia_like)
        with pytest.raises(Unsupported):
            account.connector.delete(account.ref)
        assert account.system.ids == [account.id]

    def test_nobody_is_unassigned_where_that_does_not_work(self):
        account = Account(zaia_like)
        with pytest.raises(Refused, match="emptied"):
            account.update("assign", assignee=None)

    def test_tags_are_attached_one_by_one_and_only_humans_take_them_away(self):
        account = Account(zaia_like)
        assert account.update("attach", tags="b").data["tags"] == ["a", "b"]
        assert account.update("attach", tags="b").data["tags"] == ["a", "b"]
        account.system.edit(account.id, tags=["b"])
        assert account.true("tags") == ["b"]

    def test_a_system_that_dates_nothing(self):
        account = Account(zaia_like)
        record = account.read()
        assert record.changed_before is None
        assert account.mapped.version(record.data) is None


def test_the_journal_tells_who_did_what(account):
    account.system.edit(account.id, status="open")
    account.update(status="open", tags=["a", "b"])
    account.connector.delete(account.ref)
    said = [
        (each.by, each.kind, dict(each.after), dict(each.sent))
        for each in account.system.journal[1:]
    ]
    assert said == [
        ("human", "update", {"status": "open"}, {"status": "open"}),
        ("bridge", "update", {"tags": ["a", "b"]}, {"status": "open", "tags": ["a", "b"]}),
        ("bridge", "delete", {}, {}),
    ]
    assert [each.kind for each in account.system.writes()] == ["update", "delete"]
    assert account.system.ids == []
