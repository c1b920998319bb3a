"""A signal for every change of a consent."""

from django.db import connections
from django.dispatch import Signal

from consentkit.ledger import Record
from consentkit.manager import ConsentManager

__all__ = ["consent_changed", "send_with"]

consent_changed = Signal()
"""Sent with `record` once a Record is durable; the sender is the class ConsentManager.

What a receiver raises is logged and does not reach the visitor. Under ASGI receivers run in a thread.
"""


def send_with(manager: ConsentManager) -> None:
    """Send the signal with every record of a manager."""

    @manager.on_change
    def send(record: Record) -> None:
        opened_before = {id(each) for each in connections.all(initialized_only=True) if each.connection}
        consent_changed.send_robust(ConsentManager, record=record)
        # Under ASGI nobody closes what receivers open in the thread in which they run.
        for connection in connections.all(initialized_only=True):
            if (
                connection.connection
                and id(connection) not in opened_before
                and not connection.in_atomic_block
            ):
                connection.close()
