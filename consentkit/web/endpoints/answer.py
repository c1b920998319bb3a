"""What an endpoint is: a function of an exchange and a request's body that answers, or says how to once the ledger is asked."""

from collections.abc import Callable, Mapping

from consentkit.web.exchange import Exchange
from consentkit.web.response import Response

__all__ = ["Answer", "Endpoint", "LedgerStep", "Methods"]

LedgerStep = Callable[[], Response]
"""Asks the ledger and returns the response. Blocks: a host runs it in place, or in a thread."""

Answer = Response | LedgerStep

Endpoint = Callable[[Exchange, bytes | None], Answer]
"""Answers a request; the body is None where it is larger than 16 KiB. Raises HTTPProblem to refuse."""

Methods = Mapping[str, Endpoint]
"""Endpoints of one address by method."""
