"""A time limit for conversations with a database server that no longer answers."""

import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, event

__all__ = ["Watchdog"]


class _Opening(threading.local):
    """The limit of each thread that is opening a connection, and the sockets that it has opened."""

    seconds: float | None = None
    watched: Sequence[tuple[int, int]] = ()


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
        self._opening = _Opening()
        self._thread: threading.Thread | None = None
        self._closed = False

    def follow(self, engine: Engine) -> None:
        """Notice the connections that an engine for psycopg opens."""

        @event.listens_for(engine, "do_connect")
        def connect(dialect: Any, _entry: object, arguments: Any, options: dict[str, Any]) -> Any:
            connection = dialect.connect(*arguments, **options)
            if self._opening.seconds is not None:
                # A duplicate, because the driver may close its own descriptor, and another file may then get the number.
                descriptor = os.dup(connection.fileno())
                number = self._add(descriptor, self._opening.seconds)
                self._opening.watched = (*self._opening.watched, (number, descriptor))
            return connection

    @contextmanager
    def opening(self, seconds: float) -> Iterator[None]:
        """Shut down the socket of a connection that this thread opens in the block, if its setup takes longer than `seconds`.

        A pooler accepts connections also when it has no server for them. The first statement then waits, not the connecting.
        """
        self._opening.seconds = seconds
        try:
            yield
        finally:
            for number, descriptor in self._opening.watched:
                with self._wake:
                    self._sockets.pop(number, None)
                os.close(descriptor)
            self._opening.seconds, self._opening.watched = None, ()

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
    # The server may have closed its end by now.
    with suppress(OSError), socket.socket(fileno=os.dup(file_descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
