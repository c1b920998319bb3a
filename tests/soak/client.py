"""Browsers for long runs: plain HTTP/1.1 over sockets, with as many connections as there are browsers."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from tests.soak.site import COOKIE
from tests.support.servers import LOCALHOST

__all__ = ["Answer", "Browser", "ask"]

PATIENCE = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, and after how many seconds."""

    status: int
    said: dict[str, Any]
    cookie: str | None
    seconds: float


def ask(
    port: int, method: str, path: str, *, token: str | None = None, said: dict[str, Any] | None = None
) -> Answer:
    """Send one request on a connection of its own, with a consent cookie and a JSON body if there are any."""
    headers = {"Content-Type": "application/json"} if said is not None else {}
    if token:
        headers["Cookie"] = f"{COOKIE}={token}"
    body = json.dumps(said).encode() if said is not None else None
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=PATIENCE)
    begun = time.monotonic()
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    took = time.monotonic() - begun
    set_cookies = [value for name, value in response.getheaders() if name.lower() == "set-cookie"]
    tokens = [line.split(";")[0].partition("=")[2] for line in set_cookies if line.startswith(f"{COOKIE}=")]
    is_json = "json" in (response.getheader("content-type") or "")
    return Answer(
        response.status, json.loads(content) if is_json else {}, tokens[0] if tokens else None, took
    )


class Browser:
    """One visitor's browser, which keeps the newest cookie."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.granted: str | None = None

    def accept(self, port: int) -> Answer:
        """Accept everything, and remember the cookie for replays."""
        answer = self._send(port, "POST", {"choice": "accept_all"})
        self.granted = answer.cookie or self.granted
        return answer

    def refuse(self, port: int) -> Answer:
        """Reject everything."""
        return self._send(port, "POST", {"choice": "reject_all"})

    def narrow(self, port: int) -> Answer:
        """Turn tracking off and leave the rest."""
        return self._send(port, "PATCH", {"categories": {"tracking": False}})

    def withdraw(self, port: int) -> Answer:
        """Withdraw everything."""
        return self._send(port, "DELETE", None)

    def _send(self, port: int, method: str, said: dict[str, Any] | None) -> Answer:
        answer = ask(port, method, "/consent/decision", token=self.token, said=said)
        self.token = answer.cookie or self.token
        return answer
