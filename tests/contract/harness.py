"""Raw ASGI calls, fixed time and randomness, and what is masked in what comes back."""

import asyncio
import base64
import gzip
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from unittest.mock import patch

from starlette.types import ASGIApp, Message

Headers = Sequence[tuple[str, str]]

NOW = 1_788_177_600
"""Noon of 31 August 2026, UTC: six months later the month is too short."""
HOUR, DAY = 3600, 86_400

LONGEST_TEXT = 6000
SHARED_FROM = 60
LONGEST_LIST = 12


@dataclass
class Clock:
    """Seconds since the epoch that move only when told."""

    seconds: int = NOW

    def __call__(self) -> float:
        return float(self.seconds)


class Randomness:
    """Random bytes that depend only on the step of the recording, whatever is drawn first within it.

    The standard library is patched at the source: `secrets` draws its bytes from `token_bytes`, `uuid` from `os.urandom`.
    """

    def __init__(self) -> None:
        self._step = ""
        self._drawn = 0

    def step(self, name: str) -> None:
        """Begin a step: until the next one all secrets of one length are the same, and all UUIDs differ."""
        self._step, self._drawn = name, 0

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Put these bytes in place of random ones."""
        with patch("secrets.token_bytes", self._secret), patch("os.urandom", self._counted):
            yield

    def _secret(self, size: int | None = None) -> bytes:
        return _bytes_of(self._step, size or 32)

    def _counted(self, size: int) -> bytes:
        self._drawn += 1
        return _bytes_of(f"{self._step}|{self._drawn}", size)


def _bytes_of(text: str, size: int) -> bytes:
    return hashlib.shake_128(text.encode()).digest(size)


# Calls


@dataclass
class Answer:
    """What an ASGI application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self._start["status"])

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
            for name, value in self._start.get("headers", ())
        ]

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages if m["type"] == "http.response.body")

    @property
    def _start(self) -> Message:
        return next(message for message in self.messages if message["type"] == "http.response.start")

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


def call(
    app: ASGIApp,
    path: str,
    *,
    method: str = "GET",
    headers: Headers = (),
    body: bytes | Sequence[bytes] = b"",
    **more: Any,
) -> Answer:
    """Call an application with exactly this, over HTTP, and collect exactly what it sends."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    messages = [
        {"type": "http.request", "body": piece, "more_body": place < len(pieces)}
        for place, piece in enumerate(pieces, 1)
    ]
    return _run(app, _scope("http", path, headers, {"method": method} | more), messages)


def connect(app: ASGIApp, path: str, *, headers: Headers = (), **more: Any) -> Answer:
    """Open a websocket, and collect what the application sends."""
    messages = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    return _run(
        app, _scope("websocket", path, headers, {"scheme": "wss", "subprotocols": []} | more), messages
    )


def _scope(kind: str, path: str, headers: Headers, more: Mapping[str, Any]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    common = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("stride.example", 443),
    }
    return common | dict(more)


def _run(app: ASGIApp, scope: dict[str, Any], messages: list[Message]) -> Answer:
    answer = Answer()

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    async def served() -> None:
        await app(scope, receive, send)

    _loops[-1].run(served())
    return answer


_loops: list[asyncio.Runner] = []


@contextmanager
def looping() -> Iterator[None]:
    """Run all calls on one event loop, which keeps its threads."""
    with asyncio.Runner() as runner:
        _loops.append(runner)
        try:
            yield
        finally:
            _loops.pop()


@dataclass
class Browser:
    """The cookies and the usual headers of one visitor."""

    jar: dict[str, str] = field(default_factory=dict)
    always: list[tuple[str, str]] = field(default_factory=list)

    def ask(
        self, app: ASGIApp, path: str, *, headers: Headers = (), keep: bool = True, **more: Any
    ) -> Answer:
        """Send a request; `keep` says whether the answer's cookies are kept."""
        answer = call(app, path, headers=[*self.sent(), *headers], **more)
        if keep:
            self.keep(answer.values("set-cookie"))
        return answer

    def sent(self) -> list[tuple[str, str]]:
        """List the headers that every request of this visitor carries."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return [*self.always, *([("cookie", cookies)] if cookies else [])]

    def keep(self, lines: Iterable[str]) -> None:
        """Take over Set-Cookie lines."""
        for line in lines:
            pair, _, attributes = line.partition(";")
            name, _, value = pair.partition("=")
            self.jar.pop(name, None)
            if "max-age=0" not in attributes.lower():
                self.jar[name] = value

    def copy(self) -> "Browser":
        return Browser(dict(self.jar), list(self.always))


# Log


class Names(logging.Handler):
    """Collect the names of the loggers that something was logged with; messages may change on purpose."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.found.add(record.name)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        logger = logging.getLogger("consentkit")
        level = logger.level
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(self)


# Masks

_ASSET = re.compile(r"\b(consent|handoff|debug)\.[0-9a-f]{12}\.(js|css)\b")
_STATE = re.compile(r"~ck\.([0-9a-f]+)")
_ATTRIBUTES = frozenset(
    {
        *(
            "action",
            "allow",
            "checked",
            "class",
            "disabled",
            "for",
            "form",
            "formaction",
            "formmethod",
            "formtarget",
        ),
        *(
            "hidden",
            "href",
            "id",
            "lang",
            "loading",
            "method",
            "name",
            "nonce",
            "open",
            "rel",
            "role",
            "sandbox",
            "src",
        ),
        *("target", "type", "value"),
    }
)
"""Attributes that are no words for people; so are all of `data-`."""


_OF_THE_SITE = (
    "data-cookie",
    "data-default",
    "data-google",
    "data-gpc",
    "data-group",
    "data-notice",
    "data-required",
)


class Masks:
    """Hide what other work changes on purpose, and keep apart what has to differ."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Mask hashes of assets; number the states in ETags in the order in which they appear."""
        text = _ASSET.sub(r"\1.HASH.\2", text)
        return _STATE.sub(self._numbered, text)

    def _numbered(self, match: re.Match[str]) -> str:
        return "~ck." + self._states.setdefault(match[1], f"STATE-{len(self._states) + 1}")

    def headers(self, headers: Iterable[tuple[str, str]], *, lengthless: bool) -> list[str]:
        return [
            f"{name}: {'LENGTH' if lengthless and name.lower() == 'content-length' else self.text(value)}"
            for name, value in headers
        ]

    def answer(self, answer: Answer, *, original: bytes | None = None) -> list[str]:
        """Describe an answer in lines: status, headers, an empty line, the body; `original` is the application's body."""
        kind = "".join(answer.values("content-type")[:1])
        html = kind.startswith("text/html") and answer.body != original
        asset = kind.startswith(("text/css", "text/javascript", "application/javascript"))
        lengthless = asset or (kind.startswith("text/html") and (html or original is None))
        if asset:
            body = ["MASKED" if answer.body else ""]
        elif original is not None and answer.body == original:
            body = ["AS THE APPLICATION GAVE IT" if original else ""]
        elif html and answer.body:
            is_compressed = answer.values("content-encoding") == ["gzip"]
            page = gzip.decompress(answer.body) if is_compressed else answer.body
            body = [self.text(line) for line in skeleton(page.decode())]
        else:
            body = [text_of(answer.body)]
        return [f"{answer.status}", *self.headers(answer.headers, lengthless=lengthless), "", *body]


def text_of(body: bytes) -> str:
    """Return a body as text, or its digest where it is long or no text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if len(body) > LONGEST_TEXT or (body and not text):
        return f"sha256 {hashlib.sha256(body).hexdigest()}, {len(body)} octets"
    return text


class _Skeleton(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = {
            name: name if value is None else f"{name}={value}"
            for name, value in sorted(attrs, key=lambda pair: pair[0])
            if name in _ATTRIBUTES or (name.startswith("data-") and name != "data-label")
        }
        # What the script is told is the same on all pages of a site, but for the visitor's part.
        site = [shown.pop(name) for name in _OF_THE_SITE if name in shown]
        self.lines.append(" ".join([tag, *shown.values()]))
        if site:
            self.lines.append(" ".join(["...", *site]))

    def handle_decl(self, decl: str) -> None:
        self.lines.append(f"!{decl.lower()}")


def skeleton(html: str) -> list[str]:
    """List the elements of a page in order with the attributes that are no words for people."""
    parser = _Skeleton()
    parser.feed(html)
    parser.close()
    return parser.lines


# The file


class Shared:
    """What many cases have in common is kept once, under its digest: lines of lists, and larger values."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def fold(self, value: Any) -> Any:
        """Return a value with its larger parts replaced by references."""
        if isinstance(value, dict):
            value = {key: self.fold(part) for key, part in value.items()}
        elif isinstance(value, list) and len(value) > 1 and all(isinstance(part, str) for part in value):
            value = self._listed(value)
        elif isinstance(value, list):
            value = [self.fold(part) for part in value]
        small = len(value if isinstance(value, str) else json.dumps(value)) < SHARED_FROM
        return value if small else _SHARED + self._kept(value)

    def _listed(self, lines: list[str]) -> str:
        """Keep lines; a long list in pieces, cut before lines that their own digest chooses, so that pieces recur."""
        keys = [self._kept(line) for line in lines]
        if len(keys) <= LONGEST_LIST:
            return _LINES + " ".join(keys)
        pieces: list[list[str]] = [[]]
        for key in keys:
            if key[0] < "D" and pieces[-1]:
                pieces.append([])
            pieces[-1].append(key)
        return _PIECES + " ".join(self._kept(_LINES + " ".join(piece)) for piece in pieces)

    def _kept(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True)
        key = _base64url(hashlib.sha256(text.encode()).digest())[:6]
        if self.values.setdefault(key, value) != value:
            raise RuntimeError(f"Two values have the digest {key}: lengthen it.")
        return key


_SHARED, _LINES, _PIECES = "shared:", "lines:", "pieces:"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unfold(value: Any, shared: Mapping[str, Any]) -> Any:
    """Put shared values back into their places."""
    if isinstance(value, str) and value.startswith(_SHARED):
        return unfold(shared[value.removeprefix(_SHARED)], shared)
    if isinstance(value, str) and value.startswith(_LINES):
        return [shared[key] for key in value.removeprefix(_LINES).split(" ")]
    if isinstance(value, str) and value.startswith(_PIECES):
        pieces = value.removeprefix(_PIECES).split(" ")
        return [line for key in pieces for line in unfold(shared[key], shared)]
    if isinstance(value, dict):
        return {key: unfold(part, shared) for key, part in value.items()}
    if isinstance(value, list):
        return [unfold(part, shared) for part in value]
    return value
