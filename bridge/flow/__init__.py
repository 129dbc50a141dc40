"""One ticket's way: observe, match, deliver, create, delete.

The words that are used everywhere here (docs/glossary.md has them all):

- A *link* is the bridge's own ticket: the records, one on each connection, that are the same thing.
- A *side* is one of these records, as the link knows it. Its *shadow* is what the record last
  showed, field by field; its *level* is the revision of the agreed state with which the side was
  last in step. A side is a *tombstone* once its record is known to be gone, and out of *scope*
  while the sync's `only` does not let the record in.
- A *lease* is one task's sole right to work on a link, for a while. Its *fence* is a number that is
  raised with each lease: who comes with an older one stores nothing.
- An *attempt* is a write that is committed before it is sent, and closed by what is read
  afterwards. While it is open, its side takes no other write.
- The *settling time* is how long after an attempt's deadline a read tells for certain what became
  of it. Each system declares its own.

`bridge/procedures.py` has the table of which procedure does which kind of work. Rules named F1 to
F22 stand in docs/merge-rules.md.
"""
