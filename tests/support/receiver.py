"""A receiver of webhooks: a real HTTP server on loopback, which answers as it is told and keeps what it got."""

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from standardwebhooks import Webhook as Verifier

SECRET = "whsec_dGhlIHRlc3RzIHNpZ24gd2l0aCB0aGlzIHNlY3JldA=="
PATIENCE = 30.0


@dataclass(frozen=True)
class Delivery:
    """One POST that arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> Any:
        """Return the payload, verified as a receiver in Python does it; the clock must be right."""
        return Verifier(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """Where a server listens, what it got, and what it answers next.

    Attributes:
        answers: statuses and headers of the next answers; afterwards 204.
        held: if cleared, no request is answered.
    """

    url: str
    deliveries: "SimpleQueue[Delivery]" = field(default_factory=SimpleQueue)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Delivery:
        """Wait for a delivery."""
        return self.deliveries.get(timeout=PATIENCE)

    def fails(self, *statuses: int, **headers: str) -> None:
        """Answer the next deliveries with these statuses."""
        self.answers += [
            (status, {name.replace("_", "-"): value for name, value in headers.items()})
            for status in statuses
        ]


@contextmanager
def receiving(path: str = "/hooks") -> Iterator[Receiver]:
    """Run a receiver until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.deliveries.put(
                Delivery(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
            receiver.held.wait(PATIENCE)
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}{path}")
        receiver.held.set()
        thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.held.set()
            server.shutdown()
            thread.join(PATIENCE)
