"""What a careful team would write without a ledger: a comparison application, frozen on the day it was written.

A webhook becomes an RQ job, the job reads the ticket and brings its counterpart level. The team knows its trade: the
signature is checked, the webhook is only a hint, RQ tries a failed job again, a worker lives on between jobs and keeps
one Session, and what it knows of a ticket is committed once an event, to a table source id -> target id.

It is a yardstick: do not make it faster, nor better, or figures of two days cannot be compared. What it does without,
and the bridge has not: a durable commit before the answer, order within a ticket, several edits in one write, edits in
both directions, a merge by field, conflicts, exactly one create when an answer is lost, budgets, a history.
"""
