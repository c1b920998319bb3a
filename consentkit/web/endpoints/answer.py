"""The type of endpoints: functions of an exchange and a body that return a response, or a step that waits for the ledger."""

from collections.abc import Callable, Mapping

from consentkit.web.exchange import Exchange
from consentkit.web.response import Response

__all__ = ["Answer", "Endpoint", "LedgerStep", "Methods"]

LedgerStep = Callable[[], Response]
"""Asks the ledger and returns the response. The step blocks: a host runs it in place or in a thread."""

Answer = Response | LedgerStep

Endpoint = Callable[[Exchange, bytes | None], Answer]
"""Returns the response to a request, or a step. The body is None if it is larger than 16 KiB. Raises HTTPProblem to refuse."""

Methods = Mapping[str, Endpoint]
"""The endpoints of one address, by HTTP method."""
