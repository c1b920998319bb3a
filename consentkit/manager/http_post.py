"""One POST over HTTP/1.1, with a limit for the time that it takes as a whole.

`http.client` sends exactly one request: it follows no redirect, reads no settings of proxies from the environment, and repeats
nothing. That is all that a webhook needs, so there is no further dependency.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Answer", "post"]

CONNECT_TIMEOUT: Final = 5.0
TIME_LIMIT: Final = 15.0
"""Seconds for everything after the connection is there; the specification of Standard Webhooks recommends 15 to 30."""
MOST_READ: Final = 16 * 1024
"""Bytes of the answer's body that are read, and dropped. Without reading, receivers would log a broken connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a POST.

    Attributes:
        status: the HTTP status.
        retry_after: the value of `Retry-After`, or None.
    """

    status: int
    retry_after: str | None


class _Connection(http.client.HTTPConnection):
    """A connection that is shut down when the time is over, even if the receiver sends a byte now and then."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext | None, limit: float) -> None:
        # The port that belongs to the scheme: it decides whether the Host header has it.
        self.default_port = http.client.HTTP_PORT if context is None else http.client.HTTPS_PORT
        super().__init__(host, port)
        self._context = context
        self._limit = limit
        self.is_over = False
        self._timer = threading.Timer(limit, self._shut_down)
        self._timer.daemon = True

    def connect(self) -> None:
        """Connect, and shake hands over TLS."""
        self.sock = socket.create_connection((self.host, self.port), min(CONNECT_TIMEOUT, self._limit))
        self.sock.settimeout(self._limit)
        if self._context is not None:
            self.sock = self._context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        # `http.client` forgets the socket as soon as the head of the answer is read.
        self._watched = self.sock
        self._timer.start()
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()

    def end(self) -> None:
        """Close the connection for good."""
        self._timer.cancel()
        self.close()

    def _shut_down(self) -> None:
        self.is_over = True
        # The method of plain sockets, because that of TLS sockets changes state which another thread uses.
        with suppress(OSError):
            socket.socket.shutdown(self._watched, socket.SHUT_RDWR)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limit: float = TIME_LIMIT,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send a body to an address and return the answer. Blocks for at most about `limit` seconds after the connection.

    Args:
        url: an http or https address.
        body: what is sent.
        headers: in addition to those of HTTP itself.
        limit: seconds.
        context: for https; None trusts the system's certificates.

    Raises:
        OSError, http.client.HTTPException: there is no connection, its certificate is wrong, or no valid answer came in time.
    """
    parts = urlsplit(url)
    secure = (context or ssl.create_default_context()) if parts.scheme == "https" else None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Connection(parts.hostname or "", parts.port, secure, limit)
    try:
        connection.request("POST", target, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        # A head that was cut off looks as if it had ended.
        if connection.is_over:
            raise _too_late(limit)
        with closing(response), suppress(OSError, http.client.HTTPException):
            response.read(MOST_READ)
        return Answer(response.status, response.headers.get("Retry-After"))
    except (OSError, http.client.HTTPException) as error:
        raise (_too_late(limit) if connection.is_over else error) from None
    finally:
        connection.end()


def _too_late(limit: float) -> TimeoutError:
    return TimeoutError(f"no answer within {limit:g} s")
