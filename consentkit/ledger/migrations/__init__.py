"""The revisions of the ledger's tables, for Alembic. `consentkit.ledger.upgrade` runs them."""
