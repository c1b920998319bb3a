"""One request and its response without I/O, and the endpoints under the prefix."""

from consentkit.web.request_consent import RequestConsent

__all__ = ["RequestConsent"]
