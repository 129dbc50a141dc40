"""The merge: what a reading means for the agreed state, field by field (docs/merge-rules.md).

`observations` is the entrance. It hands each field to `scalars` or `sets`, which ask `policies`
where two values meet; `lifecycle` is about whole records, `guard` about brakes.
"""
