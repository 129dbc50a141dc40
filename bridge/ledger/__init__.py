"""The ledger: the only memory, and the only user of SQLAlchemy."""
