"""A visitor's browser as far as it matters here: cookies of a site on https, and the header fields of its pages."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

__all__ = ["Tour", "Visitor"]

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


class Tour:
    """A visitor of several sites, whose browser follows a link and its redirects from one site to another.

    Args:
        visitors: the same person on each site, by the id of the site, whose host is `<id>.example`.
    """

    def __init__(self, visitors: Mapping[str, Visitor]) -> None:
        self._visitors = visitors

    def __getitem__(self, site: str) -> Visitor:
        return self._visitors[site]

    def link(self, site: str, other: str) -> str:
        """Return where the link to another site on a site's page for the group leads."""
        links = re.findall(r'<a href="([^"]*)">', self[site].get("/group").text)
        (address,) = (unescape(link) for link in links if link.startswith(f"https://{other}.example/"))
        return address

    def steps(self, site: str, address: str) -> Iterator[tuple[str, httpx2.Response]]:
        """Click on a link, follow its redirects, and yield each address with the answer."""
        headers = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_user": "?1"}
        address = urljoin(f"https://{site}.example/", address)
        while True:
            place = urlsplit(address)
            path = f"{place.path}?{place.query}" if place.query else place.path
            answer = self[str(place.hostname).removesuffix(".example")].get(path, **headers)
            yield address, answer
            if "location" not in answer.headers:
                return
            address = urljoin(address, answer.headers["location"])

    def walk(self, site: str, address: str) -> tuple[httpx2.Response, list[str]]:
        """Click on a link, and return the last answer and every address on the way."""
        steps = list(self.steps(site, address))
        return steps[-1][1], [address for address, _ in steps]
