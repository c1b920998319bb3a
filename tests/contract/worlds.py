"""Sites to make requests to, visitors who have answered there, and an application that answers in every way."""

import base64
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jinja2 import Environment
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from consentkit import ConsentManager, Ledger, Policy, load_policy
from consentkit.asgi import ConsentMiddleware, get_consent, requires_consent
from consentkit.jinja import install
from tests.contract.harness import DAY, NOW, Answer, Browser, Clock, Masks, Randomness

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "tests" / "consent.example.toml"
MAGAZINE = ROOT / "examples" / "running_magazine"
TODAY = date(2026, 8, 31)

KEY = "the key that the recording of the contract signs with"
OLDER_KEY = "the key that the recording signed with before that one"
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'"
CSP_WITH_NONCE = (
    f"{CSP.replace(chr(39) + 'self' + chr(39), chr(39) + 'nonce-{nonce}' + chr(39), 1)}; base-uri 'none'"
)

MORE_TRACKERS = """
[[trackers]]
name = "watched"
kind = "cookie"
category = "social"
path = "/videos"
domain = ".stride.example"
lifetime = "P1M"
purpose = { en = "Remembers videos.", nl = "Onthoudt video's." }

[[trackers]]
name = "seen_ads"
kind = "cookie"
category = "tracking"
partitioned = true
lifetime = "P1M"
purpose = { en = "Remembers advertisements.", nl = "Onthoudt advertenties." }
"""


def private_key(site: str) -> str:
    """Return the private key of a site."""
    return _base64url(_seed(site))


def public_key(site: str) -> str:
    """Return its public half."""
    key = Ed25519PrivateKey.from_private_bytes(_seed(site))
    return _base64url(key.public_key().public_bytes_raw())


def _seed(site: str) -> bytes:
    return site.encode().ljust(32, b".")


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@dataclass(frozen=True)
class Policies:
    """The policies that are recorded with."""

    example: Policy
    magazine: Policy
    with_keys: Policy
    with_more_cookies: Policy

    @classmethod
    def read(cls, folder: Path) -> "Policies":
        """Read them; variants are written into a folder first."""
        magazine = (MAGAZINE / "consent.toml").read_text("utf-8")
        for site in ("stride", "trailhead", "shoelab"):
            origin = f'origin = "https://{site}.example"\n'
            magazine = magazine.replace(origin, f'{origin}public_key = "{public_key(site)}"\n')
        keyed = folder / "keyed"
        keyed.mkdir()
        (keyed / "consent.toml").write_text(magazine, "utf-8")
        (keyed / "consent.lock").write_bytes((MAGAZINE / "consent.lock").read_bytes())
        more = folder / "more.toml"
        more.write_text(EXAMPLE.read_text("utf-8") + MORE_TRACKERS, "utf-8")
        return cls(
            load_policy(EXAMPLE, today=TODAY),
            load_policy(MAGAZINE / "consent.toml", today=TODAY),
            load_policy(keyed / "consent.toml", today=TODAY),
            load_policy(more, today=TODAY),
        )


class World:
    """One site, seen by two processes: one where visitors have answered before, one that answers now.

    They share nothing but the ledger.
    """

    def __init__(
        self, policy: Policy, randomness: Randomness, ledger: Ledger | None = None, **options: Any
    ) -> None:
        self.clock = Clock()
        self.randomness = randomness
        self.masks = Masks()
        self._readers: dict[str, Browser] = {}
        self.ledger = ledger or Ledger("sqlite://")
        common = {"secret_key": KEY, "site": "stride", "clock": self.clock}
        self.elsewhere = ConsentManager(policy, ledger=self.ledger, **(common | _earlier(options)))
        self.manager = ConsentManager(policy, ledger=self.ledger, **(common | options))
        self.before = ConsentMiddleware(answering, self.elsewhere)
        self.app = ConsentMiddleware(answering, self.manager)
        self.prefix = self.manager.prefix

    def close(self) -> None:
        self.elsewhere.close()
        self.manager.close()
        self.ledger.close()

    def visitor(self, state: str, name: str) -> Browser:
        """Make a visitor in a state; the same name makes the same cookies."""
        browser = Browser()
        self.randomness.step(f"visitor {name}")
        STATES[state](self, browser)
        self.clock.seconds = NOW
        self.randomness.step(name)
        return browser

    def reader(self, state: str) -> Browser:
        """Return a visitor in a state, who is the same for all requests that change nothing."""
        if state not in self._readers:
            self._readers[state] = self.visitor(state, f"reader: {state}")
        self.randomness.step("reading")
        return self._readers[state].copy()

    def decide(self, browser: Browser, method: str = "POST", body: bytes = b"", *, at: int) -> Answer:
        """Let a visitor answer in the process where visitors answered before."""
        self.clock.seconds = at
        kind = [("content-type", "application/json")] if body else []
        answer = browser.ask(self.before, f"{self.prefix}/decision", method=method, headers=kind, body=body)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.body!r}")
        return answer


def _earlier(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in options.items()
        if name in ("origins", "cookie_domain", "prefix", "site")
    }


@contextmanager
def living(policy: Policy, randomness: Randomness, **options: Any) -> Iterator[World]:
    """Make a world, and close it."""
    world = World(policy, randomness, **options)
    try:
        yield world
    finally:
        world.close()


# Visitors

ACCEPT, REJECT = b'{"choice":"accept_all"}', b'{"choice":"reject_all"}'
PARTIAL = (
    b'{"categories":{"analytical":true,"tracking":false},"vendors":{"youtube":true,"google-analytics":false}}'
)
YESTERDAY = NOW - DAY


def _never(world: World, browser: Browser) -> None:
    pass


def _gpc(world: World, browser: Browser) -> None:
    browser.always.append(("sec-gpc", "1"))


def _accepted(world: World, browser: Browser) -> None:
    world.decide(browser, body=ACCEPT, at=YESTERDAY)


def _refused(world: World, browser: Browser) -> None:
    world.decide(browser, body=REJECT, at=YESTERDAY)


def _partial(world: World, browser: Browser) -> None:
    world.decide(browser, body=PARTIAL, at=YESTERDAY)


def _always(world: World, browser: Browser) -> None:
    world.decide(browser, "PATCH", b'{"vendors":{"youtube":true}}', at=YESTERDAY)


def _withdrawn(world: World, browser: Browser) -> None:
    _accepted(world, browser)
    world.decide(browser, "DELETE", at=YESTERDAY + 100)


def _expired(world: World, browser: Browser) -> None:
    world.decide(browser, body=ACCEPT, at=NOW - 200 * DAY)


def _narrowed(world: World, browser: Browser) -> None:
    _accepted(world, browser)
    world.decide(browser.copy(), "PATCH", b'{"categories":{"tracking":false}}', at=YESTERDAY + 100)


def _ended(world: World, browser: Browser) -> None:
    _accepted(world, browser)
    world.decide(browser.copy(), "DELETE", at=YESTERDAY + 100)


def _tampered(world: World, browser: Browser) -> None:
    _accepted(world, browser)
    name = next(iter(browser.jar))
    browser.jar[name] = browser.jar[name].replace("1d.", "1p.")


STATES: dict[str, Callable[[World, Browser], None]] = {
    "never answered": _never,
    "never answered, GPC": _gpc,
    "accepted": _accepted,
    "refused": _refused,
    "partial": _partial,
    "always one vendor": _always,
    "withdrawn": _withdrawn,
    "expired": _expired,
    "narrowed elsewhere": _narrowed,
    "withdrawn elsewhere": _ended,
    "tampered": _tampered,
}


# The application

PLAIN = (
    "<!doctype html>\n<html lang=en><head><title>Stretching</title></head>"
    "<body><main><h1>Stretch well</h1></main></body></html>"
)
WITH_PARTS = (
    "<!doctype html><html><head><title>x</title><script nonce=abc>1</script></head><body class='a'>"
    '<script type="text/plain" data-category="analytical" data-src="https://x.example/x.js"></script>'
    '<a class="site-privacy-settings" href="/consent">Mine</a></body></html>'
)
COMMENTED = "<!-- <body> -->" + PLAIN.replace("<main>", "<!-- </body> --><main title='</body>'>")
HTML = ("content-type", "text/html; charset=utf-8")
OWN_CSP = ("content-security-policy", "default-src 'self'; script-src 'nonce-abc' 'strict-dynamic'")
COOKIE_LINES = (
    "reading-size=2; Path=/",
    "session=1; Path=/; HttpOnly",
    "stride-entry=%2Fa; Path=/; Max-Age=60",
    "_ga_X=1; Path=/; Max-Age=99999999",
    "_GA=1",
    "__gads=2; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Path=/",
    "cto_bundle=3; Secure",
    "watched=1; Path=/videos; Domain=.stride.example",
    "seen_ads=1; Secure; Partitioned; Path=/",
    "adhub_uid=1",
    "unknown=4; Path=/",
    "_ga=; Max-Age=0; Path=/",
    "unknown=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    " __gads = spaced ; Path=/",
    "nameless",
    "=valueless",
    "consent=forged",
    "__Host-consent=forged; Path=/; Secure",
    "_pk_id.1=a, _pk_ses.1=b",
)


@dataclass(frozen=True)
class Page:
    """What the application answers at one address."""

    body: bytes = PLAIN.encode()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (HTML,)
    pieces: int = 1
    reads: bool = False
    length: bool = True


PAGES: dict[str, Page] = {
    "/plain": Page(),
    "/read": Page(reads=True),
    "/pieces": Page(pieces=7, length=False),
    "/fragment": Page(b"<p>only a part</p>"),
    "/bodiless": Page(b"<!doctype html><title>x</title><p>omitted"),
    "/parts": Page(WITH_PARTS.encode()),
    "/commented": Page(COMMENTED.encode()),
    "/missing": Page(status=404),
    "/not-modified": Page(b"", 304, (("etag", '"a~ck.0123456789abcdef01"'), OWN_CSP), length=False),
    "/public": Page(headers=(HTML, ("cache-control", "public, max-age=60"), ("etag", '"p"'))),
    "/public-read": Page(headers=(HTML, ("cache-control", "public, s-maxage=60")), reads=True),
    "/tagged": Page(
        headers=(
            HTML,
            ("etag", 'W/"t"'),
            ("last-modified", "Mon, 31 Aug 2026 10:00:00 GMT"),
            ("vary", "Accept"),
        )
    ),
    "/cached": Page(headers=(HTML, ("cache-control", "max-age=300"), ("expires", "0"))),
    "/own-csp": Page(headers=(HTML, OWN_CSP)),
    "/encoded": Page(gzip.compress(PLAIN.encode(), mtime=0), headers=(HTML, ("content-encoding", "gzip"))),
    "/latin": Page(headers=(("content-type", "text/html; charset=iso-8859-1"),)),
    "/attachment": Page(headers=(HTML, ("content-disposition", "attachment"))),
    "/json": Page(b'{"a": 1}', headers=(("content-type", "application/json"),)),
    "/json-read": Page(
        b'{"a": 1}', headers=(("content-type", "application/json"), ("etag", '"j"')), reads=True
    ),
    "/redirect": Page(b"", 302, (("location", "/elsewhere"),)),
    "/cookies": Page(headers=(HTML, *(("set-cookie", line) for line in COOKIE_LINES))),
    "/json-cookies": Page(
        b"{}",
        headers=(("Content-Type", "application/json"), *(("Set-Cookie", line) for line in COOKIE_LINES)),
    ),
    "/public-cookies": Page(
        headers=(
            HTML,
            ("cache-control", "public"),
            ("set-cookie", COOKIE_LINES[0]),
            ("set-cookie", COOKIE_LINES[3]),
        )
    ),
}


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the address says."""
    path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
    if scope["type"] == "websocket":
        await _talk(path, scope, receive, send)
    elif path in HANDLERS:
        response: Response = await HANDLERS[path](Request(scope, receive))
        await response(scope, receive, send)
    elif path == "/headers":
        shown = b"\n".join(name + b": " + value for name, value in scope["headers"])
        await PlainTextResponse(shown)(scope, receive, send)
    else:
        await _page(PAGES.get(path, PAGES["/plain"]), scope, send)


async def _page(page: Page, scope: Scope, send: Send) -> None:
    if page.reads:
        get_consent(HTTPConnection(scope)).allows("analytical")
    headers = [(name.encode(), value.encode()) for name, value in page.headers]
    if page.length:
        headers.append((b"content-length", b"%d" % len(page.body)))
    await send({"type": "http.response.start", "status": page.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else page.body
    size = max(1, -(-len(body) // page.pieces))
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    for place, piece in enumerate(pieces, 1):
        more = place < len(pieces)
        await send({"type": "http.response.body", "body": piece, "more_body": more})


async def _decides(request: Request) -> Response:
    await get_consent(request).adecide({"analytical": True}, vendors={"youtube": True})
    return Response(PLAIN, media_type="text/html")


async def _changes(request: Request) -> Response:
    await get_consent(request).achange({"analytical": False})
    return PlainTextResponse("changed", headers={"cache-control": "public, max-age=9"})


async def _withdraws(request: Request) -> Response:
    return PlainTextResponse(str(await get_consent(request).awithdraw()))


async def _tells(request: Request) -> Response:
    consent = get_consent(request)
    told = (
        consent.status.value,
        ",".join(sorted(consent.granted)),
        str(consent.decided_at),
        str(consent.expires_at),
        str(consent.needs_asking),
    )
    return PlainTextResponse("\n".join(told))


@requires_consent("analytical")
async def _category_only(request: Request) -> Response:
    return PlainTextResponse("allowed")


@requires_consent("social", vendor="youtube")
async def _vendor_only(request: Request) -> Response:
    return PlainTextResponse("allowed")


TEMPLATE = """<!doctype html><html lang=en><head><title>x</title></head><body>
{% consent "analytical" %}<i id=measured></i>{% endconsent %}
{% consent "social" vendor="youtube" %}<i id=allowed></i>{% else %}<i id=refused></i>{% endconsent %}
{{ consent_embed("youtube", "https://www.youtube-nocookie.com/embed/a?b=c&d", title="A <stretch>", link="https://a.example/") }}
</body></html>"""
TEMPLATES = Environment(autoescape=True)
install(TEMPLATES)


async def _template(request: Request) -> Response:
    return Response(TEMPLATES.from_string(TEMPLATE).render(request=request), media_type="text/html")


HANDLERS: dict[str, Callable[[Request], Any]] = {
    "/decides": _decides,
    "/changes": _changes,
    "/withdraws": _withdraws,
    "/tells": _tells,
    "/template": _template,
    "/category-only": _category_only,
    "/vendor-only": _vendor_only,
}


async def _talk(path: str, scope: Scope, receive: Receive, send: Send) -> None:
    socket = WebSocket(scope, receive, send)
    consent = get_consent(socket)
    if path == "/chat-only":
        await _chat_only(socket)
        return
    if path == "/chat-decides":
        await consent.adecide({"social": True})
    await socket.accept(headers=[(b"x-app", b"1"), (b"set-cookie", COOKIE_LINES[3].encode())])
    await socket.send_text(f"{consent.status.value}: {','.join(sorted(consent.granted))}")
    await socket.close()


@requires_consent("social", vendor="youtube")
async def _chat_only(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()
