"""Refusals of the HTTP contract, as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["HTTPProblem"]


class HTTPProblem(Exception):
    """Answer a request with a status, a sentence for people, and members for programmes."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        super().__init__(f"{status} {detail}")

    def response(self) -> JSONResponse:
        """Write it as application/problem+json, which no cache keeps."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        if self.detail:
            body["detail"] = self.detail
        headers = {**self.headers, "cache-control": "private, no-store"}
        return JSONResponse(
            body | self.more, self.status, headers=headers, media_type="application/problem+json"
        )
