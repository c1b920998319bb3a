"""The example's pages as they are served, without JavaScript, in each state and language."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.judges.findings import PLANTED, Page
from tests.support.walking import LANGUAGES, STATES, article_paths, other_paths

__all__ = ["collect", "planted_page"]

HERE = Path(__file__).parent
ARTICLE = "/articles/hamstrings"
# One of each kind: the walk looks at all of them.
PIECES = {path.split("/")[1]: path for path in article_paths("stride")}
PAGES = {
    "stride": [*other_paths("stride"), ARTICLE, *PIECES.values()],
    "trailhead": ["/", "/consent", "/consent/sites"],
}
FORMS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "undecided": [],
    "refused": [("decision", {"choice": "reject_all"})],
    "granted": [("decision", {"choice": "accept_all"})],
    "withdrawn": [("decision", {"choice": "accept_all"}), ("withdraw", {})],
}
_FRAME = re.compile(r'<iframe[^>]* src="(/consent/embed[^"]*)"')
_ONWARD = re.compile(r'content="0; url=([^"]*)"')
_RANDOM = re.compile(r'(name="submission" value="|nonce=")[^"]*|&amp;s=[\w-]*')


class Visitor:
    """A browser without JavaScript, in one language, that keeps each page with another content than those before."""

    def __init__(self, origins: dict[str, str], folder: Path, language: str) -> None:
        self.state = ""
        self.pages: list[Page] = []
        self._origins = origins
        self._folder = folder
        self._language = language
        self._jars: dict[str, dict[str, str]] = {}
        self._seen: set[str] = set()
        self._client = httpx2.Client(timeout=30)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def start(self, state: str) -> None:
        """Begin without cookies, and answer on every site as the state demands."""
        self.state = state
        self._jars = {}
        for site, origin in self._origins.items():
            for form, fields in FORMS[state]:
                self.post(f"{origin}/consent/{form}", {"next": "/", **fields}, keep=site == "stride")

    def get(self, url: str, *, name: str = "", keep: bool = True) -> str:
        """Load a page and follow redirects, also those in a page; return the last page."""
        return self._send("GET", url, None, name, keep)

    def post(self, url: str, fields: dict[str, str], *, name: str = "", keep: bool = True) -> str:
        """Send a form of the same site."""
        return self._send("POST", url, fields, name, keep)

    def _send(self, method: str, url: str, fields: dict[str, str] | None, name: str, keep: bool) -> str:
        at = urlsplit(url)
        jar = self._jars.setdefault(at.netloc, {})
        cookies = "; ".join(f"{key}={value}" for key, value in jar.items())
        # The sites differ in host names that not every machine resolves.
        response = self._client.request(
            method,
            at._replace(netloc=f"127.0.0.1:{at.port}").geturl(),
            data=fields,
            headers={
                "Host": at.netloc,
                "Origin": f"{at.scheme}://{at.netloc}",
                "Accept": "text/html",
                "Accept-Language": self._language,
                "Cookie": cookies,
            },
        )
        for line in response.headers.get_list("set-cookie"):
            key, _, value = line.split(";")[0].partition("=")
            if "Max-Age=0" in line:
                jar.pop(key, None)
            else:
                jar[key] = value
        if "location" in response.headers:
            return self.get(urljoin(url, response.headers["location"]), name=name, keep=keep)
        if keep:
            self._keep(
                name or (at.path if method == "GET" else f"{method} {at.path}"), url, cookies, response
            )
        onward = _ONWARD.search(response.text)
        if onward:
            return self.get(urljoin(url, unescape(onward[1])), name=name, keep=keep)
        return response.text

    def _keep(self, path: str, url: str, cookies: str, response: httpx2.Response) -> None:
        what = f"{path} ({self.state}, {self._language})"
        assert response.headers["content-type"].startswith("text/html"), what
        assert response.status_code < 500, f"{what}: {response.status_code}"
        site = str(urlsplit(url).hostname).removesuffix(".localhost")
        content = _RANDOM.sub(r"\1", response.text)
        if content in self._seen:
            return
        self._seen.add(content)
        name = re.sub(r"\W+", "_", path).strip("_") or "front"
        stem = f"{len(self.pages):03}-{self._language}-{self.state}-{site}-{name[:60]}"
        file = self._folder / f"{stem}.html"
        file.write_text(response.text, "utf-8")
        csp = response.headers.get("content-security-policy", "")
        self.pages.append(Page(path, self.state, self._language, file, url, cookies, csp))


def collect(origins: dict[str, str], folder: Path) -> Iterator[Page]:
    """Yield the pages of the example with their files in a folder; a page that is the same in two states comes once."""
    for language in LANGUAGES:
        with Visitor(origins, folder, language) as visitor:
            for state in STATES:
                visitor.start(state)
                _visit(visitor, origins)
            yield from visitor.pages


def _visit(visitor: Visitor, origins: dict[str, str]) -> None:
    stride = origins["stride"]
    for site, paths in PAGES.items():
        for path in paths:
            visitor.get(origins[site] + path)
    frame = _FRAME.search(visitor.get(stride + ARTICLE))
    assert frame, ARTICLE
    visitor.get(stride + unescape(frame[1]), name="embed")
    visitor.post(f"{stride}/consent/decision", {"choice": "nothing"}, name="error")
    visitor.get(f"{stride}/consent/handoff/complete?t=nothing", name="error of the hand-off")
    # All pages on the way to the other sites and back.
    visitor.post(f"{stride}/consent/handoff/carry", {"page": ""}, name="to all sites")


def planted_page() -> Page:
    """Return the page that has a mistake for each judge."""
    file = HERE / "planted.html"
    csp = "default-src 'self'; script-src * 'unsafe-inline'"
    return Page(PLANTED, "-", "en", file, file.as_uri(), csp=csp)
