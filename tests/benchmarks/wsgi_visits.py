"""The visits of `visits` over WSGI: each case makes the same request of the same application, as a WSGI server would.

Each request and each answer is made of fresh objects here too.
"""

import marshal
from collections.abc import Callable, Iterable
from typing import Any

from consentkit import ConsentManager
from consentkit.wsgi import ConsentMiddleware, get_consent
from tests.benchmarks.counting import Cases

__all__ = ["PATHS", "wsgi_cases"]

Pairs = list[tuple[bytes, bytes]]
Prepare = Callable[[dict[str, Any]], None]

PATHS = {
    "untouched": "bare",
    "untouched, seen": "bare, consent cookie",
    "read, seen": "bare, consent cookie",
    "read, never seen": "bare, never seen",
    "1 Set-Cookie": "1 Set-Cookie bare",
    "5 Set-Cookie": "5 Set-Cookie bare",
    "page, undecided": "page bare",
    "page, decided": "page bare, consent cookie",
}
"""Each path, and what it is like without the middleware. Reading the consent needs no Request here."""


def wsgi_cases(
    manager: ConsentManager,
    *,
    first: Pairs,
    again: Pairs,
    others: Iterable[tuple[bytes, bytes]],
    answers: dict[str, tuple[Pairs, bytes]],
) -> Cases:
    """Prepare the cases by name.

    Args:
        manager: of the site.
        first: header fields of somebody without a consent cookie.
        again: those of a visitor who granted some categories.
        others: a visitor's token and the one to put in its place, for each visit of somebody new.
        answers: header fields and body of `plain`, `one`, `five` and `page`.
    """
    replaced = list(others)
    strangers, newcomers = iter(replaced), iter(replaced)

    def around(app: Any) -> Any:
        return ConsentMiddleware(app, manager)

    apps = {name: answering(*answer) for name, answer in answers.items()}
    asking = answering(*answers["plain"], ask=True)
    plain, one, five, page = (apps[name] for name in ("plain", "one", "five", "page"))
    cases = {
        "bare": visit(plain, first),
        "untouched": visit(around(plain), first),
        "bare, consent cookie": visit(plain, again),
        "untouched, seen": visit(around(plain), again),
        "read, seen": visit(around(asking), again),
        "bare, never seen": visit(plain, again, lambda environ: put(environ, *next(strangers))),
        "read, never seen": visit(around(asking), again, lambda environ: put(environ, *next(newcomers))),
        "1 Set-Cookie bare": visit(one, again),
        "1 Set-Cookie": visit(around(one), again),
        "5 Set-Cookie bare": visit(five, again),
        "5 Set-Cookie": visit(around(five), again),
        "page bare": visit(page, first),
        "page, undecided": visit(around(page), first),
        "page bare, consent cookie": visit(page, again),
        "page, decided": visit(around(page), again),
    }
    return {f"WSGI {name}": call for name, call in cases.items()}


def put(environ: dict[str, Any], token: bytes, other: bytes) -> None:
    environ["HTTP_COOKIE"] = environ["HTTP_COOKIE"].replace(token.decode(), other.decode())


def _environ(headers: Pairs) -> dict[str, Any]:
    """What gunicorn makes of a request, without the objects that no middleware reads."""
    fields = {
        f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode("latin-1") for name, value in headers
    }
    return {
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        "SERVER_SOFTWARE": "gunicorn",
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "",
        "RAW_URI": "/articles/stretching",
        "SERVER_PROTOCOL": "HTTP/1.1",
        **fields,
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "54321",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "PATH_INFO": "/articles/stretching",
        "SCRIPT_NAME": "",
    }


def visit(app: Any, headers: Pairs, prepare: Prepare | None = None) -> Callable[[], object]:
    """Prepare visits of an application; each call makes one."""
    packed = marshal.dumps(_environ(headers))
    sent: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        sent.clear()
        return sent.append

    def call() -> None:
        environ = marshal.loads(packed)  # noqa: S302 - packed above
        if prepare is not None:
            prepare(environ)
        body = app(environ, start_response)
        for piece in body:
            sent.append(piece)
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return call


def answering(headers: Pairs, body: bytes, *, ask: bool = False) -> Any:
    """Make an application that gives one answer; with `ask` it reads the consent."""
    packed = marshal.dumps([(name.decode(), value.decode("latin-1")) for name, value in headers])

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        if ask:
            get_consent(environ).allows("analytical")
        start_response("200 OK", marshal.loads(packed))  # noqa: S302 - packed above
        return [body]

    return app
