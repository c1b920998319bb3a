"""What the application asks for on behalf of a visitor: everything on record, and its erasure."""

from collections.abc import Callable, Iterable
from typing import Any

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record
from consentkit.manager.delivery import Delivery
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.revocations import RevocationCache
from consentkit.proof import Erased, as_data, erase, history_of

__all__ = ["VisitorRecords"]


class VisitorRecords:
    """The records of visitors, found by their references, in the ledger and among those that wait for it."""

    def __init__(
        self,
        ledger: Ledger | None,
        delivery: Delivery | None,
        revocations: RevocationCache | NoRevocations,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._ledger, self._delivery, self._revocations, self._clock = ledger, delivery, revocations, clock

    def export(self, references: Iterable[str]) -> list[dict[str, Any]]:
        """Return everything that is recorded about visitors; see `ConsentManager.export_for`.

        Raises:
            LedgerUnavailableError: the ledger does not answer, or there is none.
        """
        ledger = self._required_ledger()
        waiting = self._delivery.pending() if self._delivery is not None else ()
        return [as_data(history_of(ledger, each, waiting=waiting), self._clock()) for each in references]

    def erase(self, references: Iterable[str], withdraw: Callable[[str], Record | None]) -> list[Erased]:
        """Erase everything that is recorded about visitors; see `ConsentManager.erase`.

        `withdraw` records the withdrawal of the grant of a pseudonym.

        Raises:
            LedgerUnavailableError: the ledger does not answer, or there is none.
        """
        ledger = self._required_ledger()

        def withdrawn(grant: Record) -> tuple[Record, ...]:
            record = withdraw(grant.subject or "")
            return () if record is None else (record,)

        erased = [
            erase(ledger, reference, now=int(self._clock()), withdraw=withdrawn) for reference in references
        ]
        if isinstance(self._revocations, RevocationCache):
            self._revocations.notice_erasures()
        return erased

    def _required_ledger(self) -> Ledger:
        if self._ledger is None:
            raise LedgerUnavailableError("This manager has no ledger, so nothing is recorded.")
        return self._ledger
