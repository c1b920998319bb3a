"""The outbox: messages about records, stored in the transaction of their record, until a receiver has taken them.

A message that waits is due at a time. Whoever sends it claims it first, and then it is due again only after a while. So two
processes do not send it at once, and a process that ends in between loses nothing. Times are seconds since the epoch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Select, Update, and_, func, select

from consentkit.ledger.connections import Database
from consentkit.ledger.tables import outbox

__all__ = ["DEAD", "GONE", "WAITING", "Message", "Outbox", "OutboxRow"]

WAITING: Final = "waiting"
"""The message will be sent again at its time."""
DEAD: Final = "dead"
"""The message was given up."""
GONE: Final = "gone"
"""The receiver answered that it takes no messages any more. As long as such a row is there, its endpoint gets no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one endpoint is told of one record.

    Attributes:
        id: the same whenever and by whomever the message is made, so that a receiver recognises a repetition.
        record: id of the record.
        site: id of the site whose processes send the message.
        endpoint: name of the receiver in the site's configuration.
        type: such as `consent.withdrawn`.
        body: JSON, as it is sent.
        created_at: when the message was stored.
        gives_up_at: when a message that still fails is given up.
    """

    id: str
    record: str
    site: str
    endpoint: str
    type: str
    body: str
    created_at: int
    gives_up_at: int

    def to_row(self) -> dict[str, Any]:
        """Return the row of a message that is due at once."""
        return asdict(self) | {"state": WAITING, "due_at": self.created_at, "attempts": 0, "error": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow(Message):
    """A message in the outbox, with what became of it so far.

    Attributes:
        state: waiting, dead or gone.
        due_at: when it is sent next, or counts as lost by the process that has claimed it.
        attempts: how often it was claimed.
        error: why the last attempt failed; empty before.
    """

    state: str
    due_at: int
    attempts: int
    error: str


_COLUMNS: Final = [column for column in outbox.columns if column.name != "seq"]
_WAITS: Final = outbox.c.state == WAITING


def _sendable(site: str, endpoints: Iterable[str]) -> ColumnElement[bool]:
    gone = select(outbox.c.endpoint).where(outbox.c.state == GONE, outbox.c.site == site)
    return and_(
        _WAITS,
        outbox.c.site == site,
        outbox.c.endpoint.in_(list(endpoints)),
        outbox.c.endpoint.not_in(gone),
    )


class Outbox:
    """The messages of one ledger. Every method raises LedgerUnavailableError if the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Without the lock that orders records: a claim holds up nobody who decides.
        self._by_statement = database.dialect == "postgresql"

    def claim(self, site: str, endpoints: Sequence[str], now: int, lease: int) -> OutboxRow | None:
        """Return the message that has been due for longest, and make it due again after `lease` seconds; None if none is due.

        Only messages of the site to the endpoints are considered. No other process gets the same message meanwhile.
        """
        oldest = (
            select(outbox.c.seq)
            .where(_sendable(site, endpoints), outbox.c.due_at <= now)
            .order_by(outbox.c.due_at, outbox.c.seq)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        claimed = {"due_at": now + lease, "attempts": outbox.c.attempts + 1}
        if self._by_statement:
            change = outbox.update().where(outbox.c.seq == oldest.scalar_subquery()).values(claimed)
            rows = self._database.read(change.returning(*_COLUMNS))
            return _row(rows[0]) if rows else None
        # Read first, because most looks find nothing, and writing would wait for the lock.
        if not self._database.read(oldest):
            return None
        # SQLite before 3.35 has no RETURNING.
        with self._database.transaction() as connection:
            seq = connection.execute(oldest).scalar()
            connection.execute(outbox.update().where(outbox.c.seq == seq).values(claimed))
            found = connection.execute(_all_columns().where(outbox.c.seq == seq)).first()
        return _row(found) if found is not None else None

    def due(self, site: str, endpoints: Sequence[str]) -> dict[str, int]:
        """Return for each endpoint with messages that can be sent when the first of them is due."""
        first = func.min(outbox.c.due_at)
        rows = self._database.read(
            select(outbox.c.endpoint, first).where(_sendable(site, endpoints)).group_by(outbox.c.endpoint)
        )
        return {endpoint: due_at for endpoint, due_at in rows}

    def delivered(self, message_id: str) -> None:
        """Remove a message that its receiver has."""
        self._change(outbox.delete().where(outbox.c.id == message_id))

    def failed(self, row: OutboxRow, error: str, due_at: int) -> None:
        """Note why an attempt failed and when the next one follows, unless somebody has claimed the message since."""
        self._change(
            outbox.update()
            .where(outbox.c.id == row.id, _WAITS, outbox.c.attempts == row.attempts)
            .values(error=error, due_at=due_at)
        )

    def give_up(self, row: OutboxRow, error: str, now: int) -> int:
        """Mark messages as dead whose time is over, to the endpoint of a message that failed, and return their number."""
        return self._change(
            outbox.update()
            .where(
                _WAITS,
                outbox.c.site == row.site,
                outbox.c.endpoint == row.endpoint,
                outbox.c.gives_up_at <= now,
            )
            .values(state=DEAD, error=error)
        )

    def refused(self, row: OutboxRow, error: str) -> None:
        """Note that the endpoint of a message takes no more of them, so that nobody sends it others."""
        self._change(outbox.update().where(outbox.c.id == row.id).values(state=GONE, error=error))

    def counts(self, site: str | None = None) -> dict[str, int]:
        """Return how many messages wait, are dead and are gone, of one site or all."""
        number = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        rows = self._database.read(number if site is None else number.where(outbox.c.site == site))
        return {WAITING: 0, DEAD: 0, GONE: 0} | {state: count for state, count in rows}

    def rows(self, most: int) -> list[OutboxRow]:
        """Return the oldest messages, at most so many."""
        return [_row(row) for row in self._database.read(_all_columns().order_by(outbox.c.seq).limit(most))]

    def retry(self, message_id: str | None, now: int, gives_up_at: int) -> int:
        """Make one message due at once, or all; also those that were given up or refused. Return how many those are."""
        change = outbox.update().values(state=WAITING, due_at=now, gives_up_at=gives_up_at)
        return self._change(change if message_id is None else change.where(outbox.c.id == message_id))

    def drop(self, message_id: str) -> bool:
        """Remove a message without sending it, and return whether it was there."""
        return self._change(outbox.delete().where(outbox.c.id == message_id)) > 0

    def _change(self, change: Update | Delete) -> int:
        if self._by_statement:
            return len(self._database.read(change.returning(outbox.c.seq)))
        with self._database.transaction() as connection:
            return connection.execute(change).rowcount


def _all_columns() -> Select[Any]:
    return select(*_COLUMNS)


def _row(row: Any) -> OutboxRow:
    return OutboxRow(**row._mapping)
