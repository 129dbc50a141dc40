"""The merge: what a reading means for the agreed state, field by field. Rules F1-F22 of docs/merge-rules.md."""
