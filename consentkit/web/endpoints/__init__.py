"""The endpoints: the library's own addresses, below its prefix."""

from consentkit.web.endpoints.answer import Answer, LedgerStep
from consentkit.web.endpoints.body import BodyBuffer
from consentkit.web.endpoints.router import Endpoints, refusal

__all__ = ["Answer", "BodyBuffer", "Endpoints", "LedgerStep", "refusal"]
