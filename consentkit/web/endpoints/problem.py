"""Refusals with an HTTP status, which become problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from consentkit.ui import ErrorTopic
from consentkit.web.response import Response, json_document

__all__ = ["HTTPProblem"]


class HTTPProblem(Exception):
    """Raised by endpoints to refuse a request.

    Attributes:
        status: HTTP status code.
        detail: sentence for people; may be empty.
        headers: further headers of the response.
        more: further members of the problem document, for programs.
        about: what the request was about, for the words of the page that a browser gets.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        about: ErrorTopic = "choice",
    ) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        self.about = about
        super().__init__(f"{status} {detail}")

    def response(self) -> Response:
        """Return the refusal as application/problem+json, which no cache stores."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        headers = {**self.headers, "cache-control": "private, no-store"}
        return json_document(document | self.more, self.status, headers, "application/problem+json")
