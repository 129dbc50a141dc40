"""The engine: carries out what procedures ask for, many tickets at a time.

It is handed the procedures and knows none itself. Rules named F1 to F22 stand in
docs/merge-rules.md; `bridge/flow/__init__.py` says what a link, a side and a lease are.
"""
