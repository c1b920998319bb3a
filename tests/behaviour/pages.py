"""The pages of the site under test, the same in every framework, as functions of a request that is none of a framework's."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from consentkit import RequestConsent
from consentkit.errors import ConsentRequiredError
from consentkit.jinja import embed, link_to_group

__all__ = ["GROUP", "VIDEO", "Asked", "Reply", "Stream", "reply_to"]

VIDEO = "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"
GROUP = {"stride": "https://stride.example", "trailhead": "https://trailhead.example"}
_DOCUMENT = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stride</title></head>'
    "<body><main>{}</main></body></html>"
)
_ETAG = '"of-the-day"'
_HTML = "text/html; charset=utf-8"
_PATIENCE = 30.0


class Stream:
    """The two halves of a streamed page. The second is made once a test has seen the first."""

    def __init__(self) -> None:
        self.seen = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        first, last = _DOCUMENT.format("alpha{}").split("{}")
        yield first.encode()
        if not self.seen.wait(_PATIENCE):
            raise RuntimeError("Nobody saw the first half of the page.")
        yield f"omega{last}".encode()


@dataclass
class Asked:
    """A request: its path below the application, its cookies and header fields, and the visitor's consent when it is read."""

    path: str
    cookies: Mapping[str, str]
    fields: Mapping[str, str]
    consent: Callable[[], RequestConsent]


@dataclass
class Reply:
    """A response; the body is bytes, or is streamed."""

    body: bytes | Stream
    status: int = 200
    type: str = _HTML
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


def reply_to(asked: Asked, stream: Stream) -> Reply:
    """Answer a request, whichever framework passed it on."""
    if asked.path == "/stream":
        return Reply(stream)
    return _PAGES.get(asked.path, _missing)(asked)


def _document(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(_DOCUMENT.format(text).encode(), status, headers=headers or {})


def _home(asked: Asked) -> Reply:
    return _document("<h1>Run</h1>")


def _visits(asked: Asked) -> Reply:
    counted = asked.consent().allows("analytical")
    return _document("counted" if counted else "not counted")


def _cookies(asked: Asked) -> Reply:
    shown = " ".join(sorted(name for name in asked.cookies if not name.startswith("__Host-consent")))
    return Reply(
        shown.encode(), type="text/plain; charset=utf-8", cookies={"_ga": "GA1.2", "session": "4711"}
    )


def _shared(asked: Asked) -> Reply:
    caching = {"cache-control": "public, max-age=60", "etag": _ETAG}
    if asked.fields.get("if-none-match") == _ETAG:
        return Reply(b"", 304, headers=caching)
    return _document("<h1>For everybody</h1>", headers=caching)


def _film(asked: Asked) -> Reply:
    return _document(str(embed(asked.consent(), "youtube", VIDEO, title="Stretch")))


def _group(asked: Asked) -> Reply:
    consent = asked.consent()
    return _document(
        "".join(f'<a href="{link_to_group(consent, f"{to}/visits?x")}">' for to in GROUP.values())
    )


def _held(asked: Asked) -> Reply:
    return _document('<script type="text/plain" data-category="analytical">count()</script>')


def _raising(asked: Asked) -> Reply:
    raise ConsentRequiredError("social", "youtube")


def _data(asked: Asked) -> Reply:
    return Reply(b'{"plain": true}', type="application/json")


def _broken(asked: Asked) -> Reply:
    return _document("<h1>Broken</h1>", status=500)


def _missing(asked: Asked) -> Reply:
    return _document("<h1>Not found</h1>", status=404)


_PAGES: Mapping[str, Callable[[Asked], Reply]] = {
    "/": _home,
    "/visits": _visits,
    "/cookies": _cookies,
    "/shared": _shared,
    "/film": _film,
    "/group": _group,
    "/held": _held,
    "/raising": _raising,
    "/data": _data,
    "/broken": _broken,
}
