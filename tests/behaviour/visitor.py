"""A visitor's browser as far as it matters here: cookies of a site on https, and the header fields of its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

__all__ = ["Visitor"]

_PAGE = {"accept": "text/html,*/*;q=0.8", "accept-language": "en", "sec-fetch-site": "same-origin"}


class Visitor:
    """Visits a site whose server is reached by http, as a proxy would, and returns its Secure cookies all the same.

    Attributes:
        cookies: what the browser has stored.
    """

    def __init__(self, client: httpx2.Client, **cookies: str) -> None:
        self._client = client
        self.cookies = dict(cookies)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Request an address."""
        return self._keep(self._client.get(path, headers=self._headers(headers)))

    def head(self, path: str) -> httpx2.Response:
        """Request what an address would answer."""
        return self._keep(self._client.head(path, headers=self._headers({})))

    def post(self, path: str, **options: Any) -> httpx2.Response:
        """Submit a form, or JSON."""
        return self._keep(self._client.post(path, headers=self._headers({}), **options))

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """Request an address and yield its body as it arrives."""
        with self._client.stream("GET", path, headers=self._headers({})) as answer:
            yield answer.iter_raw()

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        headers = _PAGE | {name.replace("_", "-"): value for name, value in more.items()}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    def _keep(self, answer: httpx2.Response) -> httpx2.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer
