"""Visits to one site, with and without the middleware; run as a program, their instructions are counted.

The application is driven as a server drives it, by its ASGI messages, but without any server or event loop: nothing in
these visits waits. Each request and each answer is made of fresh objects, as those of a server are, so that no hash of
an earlier visit's bytes is left to profit from.
"""

import logging
import marshal
import sys
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from itsdangerous import TimestampSigner
from jinja2 import DictLoader, Environment
from sqlalchemy import event
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentkit import ConsentManager, Ledger, load_policy
from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.consent.model import Choice
from consentkit.ledger.engines import make_engine
from consentkit.manager.choice import ChoiceContext
from tests.benchmarks.counting import WARMING_UP, Cases, run_marked
from tests.benchmarks.wsgi_visits import PATHS, wsgi_cases

__all__ = ["PAIRS", "Visitor", "answering", "managing", "visits"]

POLICY = Path(__file__).parents[1] / "consent.example.toml"
KEY = "a key that the benchmarks sign with, and nobody else"
signer = TimestampSigner(KEY)
Pairs = list[tuple[bytes, bytes]]

# What Chromium sends for a page of the site.
BROWSER: Pairs = [
    (b"host", b"stride.example"),
    (b"connection", b"keep-alive"),
    (b"sec-ch-ua", b'"Chromium";v="140", "Not=A?Brand";v="24"'),
    (b"sec-ch-ua-mobile", b"?0"),
    (b"sec-ch-ua-platform", b'"Linux"'),
    (b"upgrade-insecure-requests", b"1"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    (b"sec-fetch-site", b"same-origin"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-user", b"?1"),
    (b"sec-fetch-dest", b"document"),
    (b"referer", b"https://stride.example/articles"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"nl,en;q=0.8"),
]
JSON: Pairs = [(b"content-length", b"13"), (b"content-type", b"application/json")]
HTML = (b"content-type", b"text/html; charset=utf-8")
ONE_COOKIE: Pairs = [
    (b"set-cookie", b"_ga=GA1.1.1021234567.1767225600; Max-Age=2592000; Path=/; SameSite=lax; Secure")
]
FIVE_COOKIES: Pairs = [
    *ONE_COOKIE,
    (b"set-cookie", b"session=eyJ1c2VyIjogIjQ3MTEifQ==; Path=/; HttpOnly; SameSite=lax; Secure"),
    (b"set-cookie", b"_ga_K1X2Y3=GS1.1.1767225600.1.1.1767225700; Max-Age=2592000; Path=/; Secure"),
    (b"set-cookie", b"adhub_uid=5f1c2d3e4b5a; Max-Age=7776000; Path=/; SameSite=none; Secure"),
    (b"set-cookie", b"theme=dark; Max-Age=31536000; Path=/; SameSite=lax"),
]
BODY = b'{"ok": "yes"}'

# Each case, what it is like without the middleware, and a case may serve several.
PAIRS = [
    ("SessionMiddleware", "bare"),
    ("untouched", "bare"),
    ("untouched, seen", "bare, consent cookie"),
    ("read, seen", "reading bare"),
    ("read, never seen", "reading bare, never seen"),
    ("1 Set-Cookie", "1 Set-Cookie bare"),
    ("5 Set-Cookie", "5 Set-Cookie bare"),
    ("page, undecided", "page bare"),
    ("page, decided", "page bare, consent cookie"),
    *((f"WSGI {path}", f"WSGI {bare}") for path, bare in PATHS.items()),
]

PAGE = """{% extends "base.html" %}
{% macro stars(n) %}<span class="stars" aria-label="{{ n }} of 5">{{ "*" * n }}</span>{% endmacro %}
{% block title %}{{ article.title }}{% endblock %}
{% block main %}<article><h1>{{ article.title }}</h1><p class="by">{{ article.author }}, <time>{{ article.date }}</time></p>
{% for paragraph in article.paragraphs %}<p>{{ paragraph }}</p>
{% endfor %}</article><section><h2>{{ comments|length }} comments</h2>
{% for comment in comments %}<div class="comment{% if loop.first %} first{% endif %}" id="comment-{{ comment.id }}">
<h3><a href="/readers/{{ comment.reader|urlencode }}">{{ comment.reader }}</a> {{ stars(comment.stars) }}</h3>
<p>{{ comment.text }}</p><a href="#comment-{{ comment.id }}">Link</a></div>
{% endfor %}</section>{% endblock %}"""
BASE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{% block title %}{% endblock %} - {{ site }}</title>
<link rel="stylesheet" href="/static/site.css"><script src="/static/site.js" defer></script></head>
<body><header><a href="/">{{ site }}</a><nav><ul>{% for name, address in sections %}
<li><a href="{{ address }}">{{ name }}</a></li>{% endfor %}</ul></nav></header>
<main>{% block main %}{% endblock %}</main><footer><p>&copy; {{ site }}</p></footer></body></html>"""


def page() -> Callable[[], bytes]:
    """Prepare a magazine's article with its comments, 30 KB of HTML; what is returned renders it."""
    environment = Environment(loader=DictLoader({"base.html": BASE, "page.html": PAGE}), autoescape=True)
    template = environment.get_template("page.html")
    text = "Run with your hips, not with your knees, and keep your head where a string would pull it. "
    values = {
        "site": "Stride",
        "sections": [
            (name, f"/{name.lower()}") for name in ("Training", "Shoes", "Races", "Food", "Readers")
        ],
        "article": {
            "title": "Stretch well, run far",
            "author": "The editors",
            "date": "31 August 2026",
            "paragraphs": [text * 6] * 14,
        },
        "comments": [
            {"id": number, "reader": f"Runner {number}", "stars": number % 5 + 1, "text": text * 4}
            for number in range(1, 38)
        ],
    }
    return lambda: template.render(values).encode()


class Visitor:
    """A visitor who granted some categories, whom the ledger knows, and who was here before.

    Attributes:
        first: the request of somebody without a consent cookie, but with a session's.
        again: the same of this visitor.
    """

    def __init__(self, manager: ConsentManager) -> None:
        self._manager = manager
        choice = Choice(categories={"analytical": True, "social": True, "tracking": False}, vendors={})
        outcome = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext(choice="save"))
        assert outcome.record is not None and outcome.record.subject and manager.revocations is not None
        self._record = outcome.record
        manager.revocations.refresh(outcome.record.subject, manager.clock())
        token, companion = (line.partition(";")[0].encode() for line in outcome.cookies)
        self._token = token.partition(b"=")[2]
        session = b"session=" + signer.sign(b64encode(b'{"user": "4711"}')) + b"; theme=dark"
        self.first: Pairs = [*BROWSER, (b"cookie", session)]
        self.again: Pairs = [*BROWSER, (b"cookie", session + b"; " + token + b"; " + companion)]

    def others(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Sign tokens of others, whom the ledger knows and whose tokens nobody has seen; yield each with this visitor's."""
        manager = self._manager
        token = manager.cookie.verify(self._token)
        assert token is not None and manager.revocations is not None
        for place in range(number):
            other = replace(token.decision, subject=f"{place:022d}")
            record = replace(self._record, subject=other.subject)
            manager.revocations.hold(record, manager.clock(), stored=True)
            yield self._token, manager.cookie.dumps(other).encode()


def put(scope: Scope, token: bytes, other: bytes) -> None:
    name, value = scope["headers"][-1]
    scope["headers"][-1] = (name, value.replace(token, other))


def prepared(manager: ConsentManager, fresh: int) -> Cases:
    """Prepare the cases by name, each a call that makes one visit; at most `fresh` visitors have a new token."""
    visitor = Visitor(manager)
    render = page()
    html = render()
    plain, reading = answering(JSON, BODY), answering(JSON, BODY, ask=False)
    asking = answering(JSON, BODY, ask=True)
    one, five = answering(JSON + ONE_COOKIE, BODY), answering(JSON + FIVE_COOKIES, BODY)
    document = answering([(b"content-length", b"%d" % len(html)), HTML], html)
    first, again = _scope(visitor.first), _scope(visitor.again)
    others = list(visitor.others(2 * fresh))
    strangers, newcomers = iter(others[:fresh]), iter(others[:fresh])

    def around(app: ASGIApp) -> ASGIApp:
        return ConsentMiddleware(app, manager)

    return {
        "bare": visit(plain, first),
        "SessionMiddleware": visit(SessionMiddleware(plain, secret_key=KEY), first),
        "untouched": visit(around(plain), first),
        "bare, consent cookie": visit(plain, again),
        "untouched, seen": visit(around(plain), again),
        "reading bare": visit(reading, again),
        "read, seen": visit(around(asking), again),
        "reading bare, never seen": visit(reading, again, lambda scope: put(scope, *next(strangers))),
        "read, never seen": visit(around(asking), again, lambda scope: put(scope, *next(newcomers))),
        "1 Set-Cookie bare": visit(one, again),
        "1 Set-Cookie": visit(around(one), again),
        "5 Set-Cookie bare": visit(five, again),
        "5 Set-Cookie": visit(around(five), again),
        "rendering": render,
        "page bare": visit(document, first),
        "page, undecided": visit(around(document), first),
        "page bare, consent cookie": visit(document, again),
        "page, decided": visit(around(document), again),
        **wsgi_cases(
            manager,
            first=visitor.first,
            again=visitor.again,
            others=others[fresh:],
            answers={
                "plain": (JSON, BODY),
                "one": (JSON + ONE_COOKIE, BODY),
                "five": (JSON + FIVE_COOKIES, BODY),
                "page": ([(b"content-length", b"%d" % len(html)), HTML], html),
            },
        ),
    }


def _scope(headers: Pairs) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 54321),
        "scheme": "http",
        "root_path": "",
        "headers": headers,
        "method": "GET",
        "path": "/articles/stretching",
        "raw_path": b"/articles/stretching",
        "query_string": b"",
        "state": {},
    }


def visit(
    app: ASGIApp, scope: dict[str, Any], prepare: Callable[[Scope], None] | None = None
) -> Callable[[], object]:
    """Prepare visits of an application; each call makes one and returns how many messages were sent."""
    packed = marshal.dumps(scope)
    numbers = count()

    async def send(message: Message) -> None:
        next(numbers)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    def call() -> None:
        request = marshal.loads(packed)  # noqa: S302 - packed above
        if prepare is not None:
            prepare(request)
        try:
            app(request, receive, send).send(None)  # type: ignore[attr-defined]  # the coroutine, which waits for nothing
        except StopIteration:
            return
        raise RuntimeError("Something in this visit waits, which only an event loop could serve.")

    return call


def answering(headers: Pairs, body: bytes, *, ask: bool | None = None) -> ASGIApp:
    """Make an application that gives one answer; with `ask` it makes a Request, and where that is true asks it for consent."""
    packed = marshal.dumps(headers)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if ask is not None:
            request = Request(scope)
            if ask:
                get_consent(request).allows("analytical")
        fresh = marshal.loads(packed)  # noqa: S302 - packed above
        await send({"type": "http.response.start", "status": 200, "headers": fresh})
        await send({"type": "http.response.body", "body": body})

    return app


@contextmanager
def managing() -> Iterator[tuple[ConsentManager, list[str]]]:
    """Yield a manager with a ledger in memory, which is asked once in a day; and the list of all that is read from it.

    How often a banner was shown is written in the background, and is not in the list.
    """
    logging.getLogger("consentkit").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    engine = make_engine("sqlite://", 2.0)
    asked: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note_read(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("INSERT INTO consentkit_shown "):
            asked.append(statement)

    # Under valgrind, a busy machine takes its time.
    ledger = Ledger(engine, lock_timeout=60)
    manager = ConsentManager(
        load_policy(POLICY), secret_key=KEY, ledger=ledger, site="stride", recheck=86_400
    )
    try:
        yield manager, asked
    finally:
        manager.close()
        ledger.close()


@contextmanager
def visits(fresh: int) -> Iterator[tuple[Cases, list[str]]]:
    """Yield the cases, and the list of what is read from the database from then on."""
    with managing() as (manager, asked):
        cases = prepared(manager, fresh)
        asked.clear()
        yield cases, asked


def main(times: int) -> None:
    with visits(times + WARMING_UP) as (cases, asked):
        run_marked(cases, times, asked)


if __name__ == "__main__":
    main(int(sys.argv[1]))
