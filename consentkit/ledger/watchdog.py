"""A time limit for conversations with a database server that no longer answers."""

import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

__all__ = ["Watchdog"]


class Watchdog:
    """Shut down the sockets of conversations that take too long.

    A running server enforces its own statement timeout. A server that is frozen, or waits for its disk, enforces nothing,
    and no thread can interrupt a driver that waits for it. But when its socket is shut down, the driver raises as for any
    lost connection.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start with no thread and no conversations, as a forked child has neither."""
        self._wake = threading.Condition(threading.Lock())
        # A heap of deadlines with the numbers of their conversations. Finished ones stay in it until they reach the top.
        self._deadlines: list[tuple[float, int]] = []
        self._sockets: dict[int, int] = {}
        self._last_number = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def watch(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Shut down the socket of a psycopg connection if the block takes longer than `seconds`."""
        driver_connection: Any = connection.connection.driver_connection
        number = self._add(driver_connection.fileno(), seconds)
        try:
            yield
        finally:
            with self._wake:
                self._sockets.pop(number, None)

    def close(self) -> None:
        """Stop the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _add(self, file_descriptor: int, seconds: float) -> int:
        with self._wake:
            self._last_number += 1
            self._sockets[self._last_number] = file_descriptor
            deadline = (time.monotonic() + seconds, self._last_number)
            heapq.heappush(self._deadlines, deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="consentkit-watchdog", daemon=True)
                self._thread.start()
            elif self._deadlines[0] is deadline:
                self._wake.notify()
            return self._last_number

    def _run(self) -> None:
        with self._wake:
            while not self._closed:
                while self._deadlines and self._deadlines[0][1] not in self._sockets:
                    heapq.heappop(self._deadlines)
                if not self._deadlines:
                    self._wake.wait()
                    continue
                deadline, number = self._deadlines[0]
                if (seconds_left := deadline - time.monotonic()) > 0:
                    self._wake.wait(seconds_left)
                else:
                    # Still under the lock: `watch` cannot end meanwhile, so the descriptor is still this connection's.
                    _shut_down(self._sockets.pop(number))


def _shut_down(file_descriptor: int) -> None:
    # A duplicate, because Python closes the descriptor with the socket object, and the original is the driver's to close.
    with socket.socket(fileno=os.dup(file_descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
