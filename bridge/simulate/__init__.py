"""The whole bridge in one process and in virtual time.

The real core, flow, ledger, receiver and connectors, against the sandboxes, with everything that
can go wrong going wrong. One seed decides all of it.
"""
