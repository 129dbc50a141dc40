"""What each outcome code means: what happened, what it is for tickets, and what to do.

The one place for these words: the command line, the doctor and docs/outcomes.md take them from
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.core.model.api_meanings import API_MEANINGS
from bridge.core.model.outcome_codes import Code
from bridge.core.model.page_meanings import PAGE_MEANINGS
from bridge.core.model.running_meanings import RUNNING_MEANINGS, OutcomeMeaning

_WAITS: Final = "Only the named ticket waits; all others go on, and nothing is lost."
_FIELD_STAYS: Final = "This field stays on that side as it is; all other fields go on."
_OTHERS_KEEP: Final = "The value there does not travel; the other sides keep the agreed one."
_NONE_LOST: Final = "None is lost: the next poll finds what such a webhook would have told."

MEANINGS: Final[Mapping[Code, OutcomeMeaning]] = {
    Code.KEY: OutcomeMeaning(
        "the key is refused",
        "The system answered 401, 402 or 403 to the connection's key.",
        "Nothing is read from or written to that system; its work waits.",
        "mend the key, restart the bridge, then `bridge connection resume NAME`",
    ),
    Code.RECORD_FORBIDDEN: OutcomeMeaning(
        "the key does not reach one record",
        "The system answered 403 for one record while it lets the key at others.",
        _WAITS,
        "let the key reach this record too, or take the record out of the sync; then retry",
    ),
    Code.RECORD_WITHHELD: OutcomeMeaning(
        "one record is kept from the key's user",
        "The record is restricted or hidden there.",
        _WAITS,
        "let the key's user see and edit this record there, then retry; "
        "or take it out of its ticket with `bridge link detach`",
    ),
    Code.CONNECTION_FAILING: OutcomeMeaning(
        "calls to the system fail",
        "The last calls were not answered, or answered with a failure.",
        "Edits there and for there arrive late; none is lost.",
        "it is tried again by itself, and its work waits. Where the reason says what to mend, "
        "mend that; else, if it lasts, ask the vendor",
    ),
    Code.CONNECTION_PAUSED: OutcomeMeaning(
        "the system is left alone for a while",
        "It asked for that (429), or failed too often in a row.",
        "Edits there and for there arrive late; none is lost.",
        "it is tried again by itself, and its work waits. Where the reason says what to mend, "
        "mend that; else, if it lasts, ask the vendor",
    ),
    Code.CONNECTION_HELD: OutcomeMeaning(
        "the connection is paused by an operator",
        "Somebody said `bridge connection pause`.",
        "Nothing is read from or written to that system; its work waits.",
        "`bridge connection resume NAME` goes on",
    ),
    Code.CONNECTION_RETIRED: OutcomeMeaning(
        "work for a connection that the files do not name",
        "A connection, or a member of a sync, was taken out of the files.",
        "Its records are kept as they were seen last, and never called.",
        "nothing, if it is meant so: it goes on by itself when the connection is back in "
        "config/bridge.yaml and mappings/syncs.yaml; `bridge parked discard` forgets it",
    ),
    Code.HOOK_SIGNATURE: OutcomeMeaning(
        "wrong signature",
        "A webhook's signature fits none of the connection's secrets.",
        _NONE_LOST,
        "is the secret the one at the vendor? Compare the two, and restart the bridge",
    ),
    Code.HOOK_UNSIGNED: OutcomeMeaning(
        "no signature at all",
        "A request to a connection's address for webhooks carries none of a signature's headers.",
        _NONE_LOST,
        "nothing, if the vendor's own arrive: strangers try every open address. "
        "If none arrive: is the secret set at the vendor, too?",
    ),
    Code.HOOK_EXPIRED: OutcomeMeaning(
        "signed too long ago",
        "A webhook's signed time is outside the tolerance, or missing.",
        _NONE_LOST,
        "is this machine's clock right? Else raise the webhook's `tolerance`",
    ),
    Code.HOOK_UNKNOWN: OutcomeMeaning(
        "no such address for webhooks",
        "A webhook came for a connection that takes none.",
        _NONE_LOST,
        "compare the address at the vendor with `/webhooks/<connection>`, "
        "and see that the connection has a `webhook` with secrets",
    ),
    Code.HOOK_RATE: OutcomeMeaning(
        "too many webhooks at once",
        "More came in the time than the connection takes; the sender is told to repeat them.",
        _NONE_LOST,
        "if they are all the vendor's own, raise the webhook's `rate_limit`",
    ),
    Code.HOOK_SIZE: OutcomeMeaning(
        "the webhook is too large",
        "The body is longer than is taken.",
        _NONE_LOST,
        "have the vendor send less with each event",
    ),
    Code.HOOK_TYPE: OutcomeMeaning(
        "the webhook is no JSON",
        "The body is not declared as JSON, or is compressed.",
        _NONE_LOST,
        "have the vendor send plain JSON",
    ),
    Code.HOOK_LEDGER: OutcomeMeaning(
        "the ledger could not take the webhook",
        "Nothing was stored, so the sender was asked to send it again.",
        _NONE_LOST,
        "see that the ledger's database answers and that its disk is not full",
    ),
    Code.HOOK_MALFORMED: OutcomeMeaning(
        "a genuine webhook is not understood",
        "The signature is right, and no record could be found in it. The body is kept.",
        _NONE_LOST,
        "`bridge inbox show NUMBER` shows it; mend the connection's `webhook` paths, then "
        "`bridge inbox reprocess NUMBER`",
    ),
    Code.HOOK_IGNORED: OutcomeMeaning(
        "the webhook is about nothing that is mirrored",
        "It names no record, or an event that changes none.",
        "None is concerned.",
        "nothing",
    ),
    Code.WRITE_REFUSED: OutcomeMeaning(
        "the vendor refuses the write",
        "The system will never accept this value or call (400, 405, 409, 422).",
        _FIELD_STAYS,
        "mend the value or the mapping that the vendor refuses; then retry",
    ),
    Code.WRITE_MISSING: OutcomeMeaning(
        "something is not known there",
        "The system answered 404 to a call about a record that it shows.",
        _WAITS,
        "something that the call names (a person, a tag) is not known there: mend the value; "
        "then retry",
    ),
    Code.WRITE_EXISTS: OutcomeMeaning(
        "the vendor says it is so already",
        "The system answered 409, and its record reads otherwise.",
        _WAITS,
        "the vendor says that it is so already, and its record shows otherwise: look there; "
        "then retry",
    ),
    Code.WRITE_VAIN: OutcomeMeaning(
        "writes that change nothing",
        "The vendor took the same write many times, and the record reads as before.",
        _WAITS,
        "the vendor takes the write and does nothing, or fails over it each time: "
        "see the record; then retry",
    ),
    Code.WRITE_UNKNOWN: OutcomeMeaning(
        "nobody knows yet whether a write happened",
        "A write was sent and not answered.",
        "The side takes no other write until a read has told.",
        "nothing: it is read after the system's settling time, and goes on by itself",
    ),
    Code.WRITE_UNSAFE: OutcomeMeaning(
        "held, because too much would be lost",
        "More destructive writes are due within an hour than the sync's guard lets through.",
        _WAITS,
        "look at what would be lost (`bridge ticket REF`); "
        "`bridge parked retry ID --approve` lets it through",
    ),
    Code.CREATE_REFUSED: OutcomeMeaning(
        "the vendor refuses the new record",
        "The system did not take a record that the sync makes there.",
        "The ticket has no counterpart on that side; its other sides go on.",
        "mend the field that the vendor names, in the record or the mapping; then retry",
    ),
    Code.CREATE_BUDGET: OutcomeMeaning(
        "the import has made all that it may",
        "An import with --limit has reached it.",
        "The ticket gets its counterpart with the next import or poll.",
        "nothing; `bridge backfill SYNC` goes on with what is left at once",
    ),
    Code.MATCH_AMBIGUOUS: OutcomeMeaning(
        "several records may be the same ticket",
        "Records match, and which of them belong together cannot be told.",
        "Nothing is made and nothing joined for this ticket.",
        "`bridge link relink CONNECTION:ID --to TICKET` joins it to one of those named; "
        "or delete the double, then retry; "
        "`bridge parked retry ID --approve` says that it is a ticket of its own",
    ),
    Code.UNAVAILABLE: OutcomeMeaning(
        "one piece of work fails while others succeed",
        "The system failed over it again and again.",
        _WAITS,
        "it fails again and again while others work: look at the record there; then retry",
    ),
    Code.UNSUPPORTED: OutcomeMeaning(
        "the system cannot do this",
        "The mapping or the sync asks for what the system has no call for.",
        _WAITS,
        "the mapping asks for what the system cannot do: mend it; then retry",
    ),
    Code.DEFECT: OutcomeMeaning(
        "the bridge itself failed over it",
        "A mistake of ours; the log has the details.",
        _WAITS,
        "report what the log says of it; a retry helps once the bridge or the record is mended",
    ),
    Code.OTHER: OutcomeMeaning(
        "set aside for a reason without a code of its own",
        "The reason says what happened.",
        _WAITS,
        "read the reason, mend it, then retry: what is right is looked at anew",
    ),
    **RUNNING_MEANINGS,
    Code.NOTICE_FAILING: OutcomeMeaning(
        "an endpoint does not take its notices",
        "The last calls to an address under `notices` were not answered, or not with a 2xx.",
        "None: tickets travel as ever. Who reads the notices hears of nothing meanwhile.",
        "mend what the reason names; each notice is tried again for three days, and "
        "`bridge notices send-again NAME` tries what was given up",
    ),
    Code.NOTICE_GONE: OutcomeMeaning(
        "an endpoint wants no more notices",
        "An address under `notices` answered 410, which says that it is gone for good.",
        "None: tickets travel as ever. Nothing is sent there any more, and what waits is kept.",
        "take the endpoint out of config/bridge.yaml, or correct its `url`; if it is there again, "
        "`bridge notices send-again NAME`",
    ),
    Code.NOTICE_UNSENT: OutcomeMeaning(
        "notices were given up",
        "An address under `notices` took them at none of ten tries in three days.",
        "None: tickets travel as ever. Who reads the notices has not heard of these.",
        "mend the endpoint, then `bridge notices send-again NAME`; given up ones are kept for "
        "30 days",
    ),
    Code.MAP_VALUE: OutcomeMeaning(
        "a value has no writing there",
        "The mapping has no word for the agreed value on that side.",
        _FIELD_STAYS,
        "add the value to the table `write` of the field, or list it under `not_carried`",
    ),
    Code.MAP_DECLARED: OutcomeMeaning(
        "declared as not carried",
        "The mapping says that this value is not written there.",
        _FIELD_STAYS,
        "nothing, if it is meant so; else take it out of `not_carried` or `unless_null`",
    ),
    Code.MAP_PERSON: OutcomeMeaning(
        "a person has no name there",
        "The person is not known on that side.",
        _FIELD_STAYS,
        "add the person's name there to mappings/agents.yaml",
    ),
    Code.MAP_ONLY_READ: OutcomeMeaning(
        "the mapping only reads the field there",
        "The mapping has no way to write the field, or writes it on create only.",
        _FIELD_STAYS,
        "nothing, if it is meant so; else give the field a `write` in the mapping",
    ),
    Code.SYNC_NOT_SENT: OutcomeMeaning(
        "the sync does not send the field there",
        "The field's policy in mappings/syncs.yaml names other receivers.",
        _FIELD_STAYS,
        "nothing, if it is meant so; else add the connection to the field's `to`",
    ),
    Code.SYSTEM_FIXED: OutcomeMeaning(
        "the system does not let the field be changed so",
        "It cannot be changed, emptied, taken from, or moved in this direction there.",
        _FIELD_STAYS,
        "nothing on the bridge's side; change it there by hand if it has to be",
    ),
    Code.SYSTEM_IGNORES: OutcomeMeaning(
        "this deployment ignores the field, or takes no such call",
        "A first write showed that it does nothing there.",
        _FIELD_STAYS,
        "nothing on the bridge's side; where a newer version of the system or another licence "
        "takes it, `bridge connection resume NAME` has it tried again",
    ),
    Code.SYSTEM_VALUE: OutcomeMeaning(
        "this deployment refuses the value",
        "It refused the word once, so no other ticket tries it.",
        _FIELD_STAYS,
        "let the mapping write another word; "
        "`bridge parked retry` of the refused field tries it again",
    ),
    Code.SYSTEM_NEEDS: OutcomeMeaning(
        "no call of the system sets this",
        "Every call that would, needs another field that has no value.",
        _FIELD_STAYS,
        "give the field that the reason names a value",
    ),
    Code.FIELD_REFUSED: OutcomeMeaning(
        "the vendor refused the value of one field",
        "The rest of the record was taken without it.",
        _FIELD_STAYS,
        "see `bridge parked list`; mend the value or the mapping, then retry",
    ),
    Code.KEPT: OutcomeMeaning(
        "left as it is by the field's policy",
        "The policy decided that this side's own value stays until the state changes.",
        _FIELD_STAYS,
        "nothing, if it is meant so; else change the field's policy in mappings/syncs.yaml",
    ),
    Code.READ_VALUE: OutcomeMeaning(
        "a value has no reading",
        "The side shows a value that the mapping does not know, or of the wrong type.",
        _OTHERS_KEEP,
        "add the value to the table `read` of the field in the connection's mapping, or correct it "
        "there",
    ),
    Code.READ_IGNORED: OutcomeMeaning(
        "a value has no reading and is left alone",
        "The side shows a value that the mapping does not know, and the connection's "
        "`unknown_values` says that such a field is ignored.",
        _OTHERS_KEEP,
        "nothing, if it is meant so; `bridge values list` says how often such values came",
    ),
    Code.READ_FIELD: OutcomeMeaning(
        "a field that no file knows",
        "The vendor's records show a field that its document does not list, or one behind a door "
        "that no mapping reads.",
        "nothing of it travels; everything else does",
        "`bridge values list` proposes the lines that mirror it; `bridge values accept` puts them "
        "in, `bridge values dismiss` leaves it out for good",
    ),
    Code.READ_PERSON: OutcomeMeaning(
        "a person is not known",
        "The side shows somebody who is not in the table of people.",
        _OTHERS_KEEP,
        "add a row for the person to mappings/agents.yaml; `bridge agents` lists them all",
    ),
    Code.READ_GROUP: OutcomeMeaning(
        "a group stands where a person is expected",
        "The side shows a group or role.",
        _OTHERS_KEEP,
        "nothing: as soon as a person is chosen there, that travels",
    ),
    Code.READ_ABSENT: OutcomeMeaning(
        "the field was not shown",
        "The system's answer does not have the field.",
        _OTHERS_KEEP,
        "nothing, if the record lacks it for good reason; else compare the mapping's path with "
        "what the system shows",
    ),
    Code.READ_LIMIT: OutcomeMeaning(
        "too large to be taken",
        "The field is larger than the bridge's limits (docs/reliability.md).",
        _OTHERS_KEEP,
        "make it smaller there",
    ),
    Code.READ_PATH: OutcomeMeaning(
        "the mapping's path does not fit the record",
        "The record is of another shape than the path expects.",
        _OTHERS_KEEP,
        "mend the field's path in the connection's mapping",
    ),
    Code.READ_PARENT: OutcomeMeaning(
        "the ticket of a message is not mirrored",
        "A message or session belongs to a ticket that the bridge does not know.",
        "The message waits; as soon as its ticket is mirrored, it follows.",
        "nothing, if the ticket is out of the sync's scope on purpose",
    ),
    Code.READ_EMPTY: OutcomeMeaning(
        "an empty or shorter set is not believed",
        "The system is known to show sets as empty where they are not.",
        _OTHERS_KEEP,
        "nothing, unless it was emptied on purpose: then change it on another side",
    ),
    Code.CONFLICT: OutcomeMeaning(
        "two sides were changed differently",
        "Both values stand in the timeline, with the one that won.",
        "The winner travels; where the policy is `manual`, the field waits for a human.",
        "nothing, unless it is open: `bridge conflicts list`, then `bridge conflicts resolve`",
    ),
    Code.DOUBTFUL: OutcomeMeaning(
        "a change is not believed yet",
        "A record is missing, emptied, or changes to and fro in a suspicious way.",
        "Nothing is concluded from it until another look confirms it.",
        "nothing, as long as it is rare",
    ),
    Code.PAUSED: OutcomeMeaning(
        "tickets are paused",
        "An operator, or `bridge undo`, paused them.",
        "Their records are read, and nothing is written to them.",
        "`bridge link resume TICKET` lets them go on",
    ),
    Code.SCOPE: OutcomeMeaning(
        "out of the sync's scope",
        "The record does not fit the member's `only` (any more).",
        "Nothing travels from it or to it until it fits again.",
        "nothing, if it is meant so",
    ),
    Code.GONE: OutcomeMeaning(
        "the record is not there (any more)",
        "It was deleted, or is missing and will be looked for once more.",
        "Its end travels as the sync's `delete` says.",
        "nothing, if it was meant so; else restore it there",
    ),
    **PAGE_MEANINGS,
    **API_MEANINGS,
}
"""Every code's meaning. docs/outcomes.md is generated from it."""


def in_words(code: Code) -> str:
    """Return a code with what it means in a few words."""
    return f"{MEANINGS[code].title} [{code}]"
