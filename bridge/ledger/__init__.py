"""The ledger: the SQL database, the only memory of the bridge, and the only user of SQLAlchemy."""
