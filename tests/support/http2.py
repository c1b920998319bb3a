"""A listener that takes each HTTP/1.1 request, byte for byte, to a server that speaks HTTP/2 (RFC 9113) without TLS.

Programs that write requests by hand can thus attack such a server. Header values go through as they are, also those that HTTP/2
does not allow; what the server refuses by ending the stream or the connection comes back as 400.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.support.servers import LOCALHOST, PATIENCE

Headers = list[tuple[bytes, bytes]]

# Fields of one connection, which HTTP/2 has no place for (RFC 9113, section 8.2.2).
_OF_THE_CONNECTION = {b"connection", b"upgrade", b"keep-alive", b"transfer-encoding", b"host"}
_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def exchange(port: int, headers: Headers, body: bytes = b"") -> tuple[Headers, bytes] | None:
    """Send one request, and return the headers and the body of the response; None if the server refuses the request."""
    connection = H2Connection(
        H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    )
    with socket.create_connection((LOCALHOST, port), timeout=PATIENCE) as channel:
        connection.initiate_connection()
        connection.send_headers(1, headers, end_stream=not body)
        channel.sendall(connection.data_to_send())
        left = body
        response: Headers = []
        received = b""
        while True:
            if left and (room := min(connection.local_flow_control_window(1), 16_384)) > 0:
                connection.send_data(1, left[:room], end_stream=len(left) <= room)
                left = left[room:]
            with suppress(OSError):
                channel.sendall(connection.data_to_send())
            chunk = channel.recv(65_536)
            for event in connection.receive_data(chunk) if chunk else [ConnectionTerminated()]:
                match event:
                    case ResponseReceived():
                        response = [(bytes(name), bytes(value)) for name, value in event.headers]
                    case DataReceived():
                        received += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, 1)
                    case StreamEnded() | StreamReset(error_code=ErrorCodes.NO_ERROR) if response:
                        return response, received
                    case StreamReset() | ConnectionTerminated():
                        return None


def _translated(head: bytes) -> Headers:
    """Return the header list of HTTP/2 for the head of a request."""
    first, *lines = head.split(b"\r\n")
    method, path, _ = first.split(b" ", 2)
    split = [line.partition(b": ") for line in lines]
    fields = [(name.lower(), value) for name, _, value in split]
    host = next((value for name, value in fields if name == b"host"), b"")
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":authority", host), (b":path", path)]
    return pseudo + [field for field in fields if field[0] not in _OF_THE_CONNECTION]


def _answer(channel: socket.socket, port: int) -> None:
    """Read a request of one connection, and write the response."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = channel.recv(65_536)
        if not chunk:
            return
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    headers = _translated(head)
    length = int(dict(headers).get(b"content-length", b"0"))
    while len(body) < length and (chunk := channel.recv(65_536)):
        body += chunk
    try:
        response = exchange(port, headers, body)
    except (OSError, ProtocolError):
        response = None
    channel.sendall(_written(*response) if response else _REFUSED)


def _written(headers: Headers, body: bytes) -> bytes:
    status = dict(headers)[b":status"]
    lines = [name + b": " + value for name, value in headers if not name.startswith(b":")]
    return b"\r\n".join([b"HTTP/1.1 " + status + b" OK", *lines, b"Connection: close", b"", body])


@contextmanager
def forwarding(port: int) -> Iterator[int]:
    """Listen until the context ends, and yield the port; requests go to a server on the other port."""

    def serve() -> None:
        while True:
            channel, _ = listener.accept()
            if ended.is_set():
                channel.close()
                return
            with channel:
                channel.settimeout(PATIENCE)
                with suppress(OSError):
                    _answer(channel, port)

    ended = threading.Event()
    with socket.create_server((LOCALHOST, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        own_port = int(listener.getsockname()[1])
        try:
            yield own_port
        finally:
            ended.set()
            socket.create_connection((LOCALHOST, own_port)).close()
            thread.join(PATIENCE)
