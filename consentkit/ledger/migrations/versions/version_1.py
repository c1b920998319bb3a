"""The first tables."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Do nothing, because a ledger without tables is created at the newest version."""
