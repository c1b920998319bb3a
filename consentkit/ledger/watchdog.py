"""A limit in time for conversations with a server that no longer answers."""

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
    """Break off conversations that take too long, from outside.

    A server keeps its own limits as long as it runs. One that is frozen, or whose disk is, keeps none, and a driver that
    waits for it cannot be interrupted; but when its socket is shut down, it raises as for any lost connection.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin without a thread and without conversations, as in a process just forked."""
        self._wake = threading.Condition(threading.Lock())
        self._limits: list[tuple[float, int]] = []
        self._sockets: dict[int, int] = {}
        self._number = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def watch(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Break off what this connection does when the block takes longer."""
        driver: Any = connection.connection.driver_connection  # psycopg's, which has a file number
        number = self._begin(driver.fileno(), seconds)
        try:
            yield
        finally:
            with self._wake:
                self._sockets.pop(number, None)

    def close(self) -> None:
        """Stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _begin(self, handle: int, seconds: float) -> int:
        with self._wake:
            self._number += 1
            self._sockets[self._number] = handle
            limit = (time.monotonic() + seconds, self._number)
            heapq.heappush(self._limits, limit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="consentkit-watchdog", daemon=True)
                self._thread.start()
            elif self._limits[0] is limit:
                self._wake.notify()
            return self._number

    def _run(self) -> None:
        with self._wake:
            while not self._closed:
                while self._limits and self._limits[0][1] not in self._sockets:
                    heapq.heappop(self._limits)
                if not self._limits:
                    self._wake.wait()
                    continue
                limit, number = self._limits[0]
                if (left := limit - time.monotonic()) > 0:
                    self._wake.wait(left)
                else:
                    _shut_down(self._sockets.pop(number))


def _shut_down(handle: int) -> None:
    # A copy of the handle: closing it must not close the driver's.
    with socket.socket(fileno=os.dup(handle)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
