"""The middleware around WSGI applications: what PEP 3333 asks of both sides, checked by the standard library's validator."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, ResponseStartedError
from consentkit.wsgi import ConsentMiddleware, get_consent
from tests.support.front import COOKIE, DOCUMENT, EVERYTHING, ORIGIN, Front

Application = Callable[..., Iterable[bytes]]
PAGE = DOCUMENT.encode()
HTML = [("Content-Type", "text/html; charset=utf-8")]
TEXT = [("Content-Type", "text/plain")]


class Reply:
    """What a WSGI application sent, piece by piece; the cookies of a visitor go along from reply to reply."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.returned: Iterable[bytes] = ()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


def ask(
    app: Any, path: str = "/", *, method: str = "GET", body: bytes = b"", valid: bool = True, **environ: Any
) -> Reply:
    """Send one request, with the standard library's validator around the application and between it and us."""
    reply = Reply()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        reply.status, reply.headers = int(status[:3]), headers
        return reply.pieces.append

    request: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        **environ,
    }
    setup_testing_defaults(request)
    reply.returned = (validator(app) if valid else app)(request, start_response)
    try:
        for piece in reply.returned:
            reply.pieces.append(piece)
    finally:
        close = getattr(reply.returned, "close", None)
        if close is not None:
            close()
    return reply


def post(app: Any, document: Any, path: str = "/consent/decision", **environ: Any) -> Reply:
    return ask(
        app,
        path,
        method=environ.pop("method", "POST"),
        body=json.dumps(document).encode(),
        CONTENT_TYPE="application/json",
        **environ,
    )


def cookies_of(reply: Reply) -> str:
    return "; ".join(line.partition(";")[0] for line in reply.values("set-cookie"))


def page(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [*HTML, ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def around(front: Front, app: Application) -> ConsentMiddleware:
    return ConsentMiddleware(validator(app), front.manager)


def test_a_page_gets_the_banner_and_its_length(front: Front) -> None:
    reply = ask(around(front, page))
    assert b'id="cookie-consent"' in reply.body
    assert reply.values("content-length") == [str(len(reply.body))]
    assert reply.values("cache-control") == ["private, no-cache"]


def test_a_decision_is_remembered_obeyed_and_withdrawn(front: Front) -> None:
    def sets(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("Set-Cookie", "_ga=1"), ("Set-Cookie", "seen_ads=1")])
        seen = environ.get("HTTP_COOKIE", "")
        return [f"{get_consent(environ).allows('analytical')} {'_ga' in seen}".encode()]

    app = around(front, sets)
    before = ask(app, HTTP_COOKIE="_ga=1")
    assert (before.body, before.values("set-cookie")) == (b"False False", [])
    given = post(app, {"categories": EVERYTHING | {"tracking": False}})
    assert given.status == 200
    assert json.loads(given.body)["status"] == "given"
    cookies = cookies_of(given)
    assert COOKIE in cookies
    after = ask(app, HTTP_COOKIE=f"_ga=1; {cookies}")
    assert after.body == b"True True"
    assert [line[:4] for line in after.values("set-cookie")] == ["_ga="]
    assert after.values("vary") == ["Cookie, Sec-GPC"]
    gone = ask(app, "/consent/decision", method="DELETE", HTTP_COOKIE=cookies)
    assert json.loads(gone.body)["status"] == "withdrawn"
    assert [record.event for record in front.records()] == ["given", "withdrawn"]


def test_cookies_without_consent_are_hidden_from_the_application(front: Front) -> None:
    def shows(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", HTML)
        return [
            PAGE,
            environ.get("HTTP_COOKIE", "none").encode(),
            environ.get("HTTP_IF_MATCH", "none").encode(),
            environ.get("HTTP_IF_MODIFIED_SINCE", "none").encode(),
        ]

    reply = ask(
        ConsentMiddleware(shows, front.manager),
        HTTP_COOKIE="lang=en; _ga=1",
        HTTP_IF_MATCH='"a~ck.b"',
        HTTP_IF_MODIFIED_SINCE="Mon, 31 Aug 2026 12:00:00 GMT",
        HTTP_SEC_FETCH_DEST="document",
    )
    assert reply.body.endswith(b'lang=en"a"none')
    assert reply.values("content-length") == [str(len(reply.body))]
    assert "_ga=" in "".join(reply.values("set-cookie"))


def test_a_page_streams_piece_by_piece(front: Front) -> None:
    made: list[str] = []

    def streamed(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", HTML)
        for place, piece in enumerate((b"<!doctype html><html><body>", b"<p>one", b"<p>two</body></html>")):
            made.append(f"made {place}")
            yield piece

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        made.append("started")

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    pieces = iter(ConsentMiddleware(streamed, front.manager)(environ, start_response))
    assert b"cookie-consent" in next(pieces)
    assert made == ["made 0", "started"]
    assert next(pieces) == b"<p>one"
    assert made[-1] == "made 1"
    assert b"".join(pieces).startswith(b"<p>two")


def test_headers_wait_for_the_beginning_of_a_page(front: Front) -> None:
    def slow(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", HTML)
        yield b"\n<!-- made by hand -->"
        yield b""
        yield PAGE

    reply = ask(around(front, slow))
    assert b'id="cookie-consent"' in reply.body
    assert len(reply.pieces) == 1


def test_a_streamed_page_without_end_tags_gets_the_settings_link_at_its_end(front: Front) -> None:
    def streamed(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", HTML)
        yield b"<!doctype html><title>Stretching</title><p>one"
        yield b"<p>two"

    reply = ask(around(front, streamed))
    assert reply.pieces[1] == b"<p>two"
    assert b"site-privacy-settings" in reply.pieces[2]


def test_consent_that_is_read_while_the_body_is_made_marks_the_response(front: Front) -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield str(get_consent(environ).allows("social")).encode()

    reply = ask(around(front, late))
    assert reply.body == b"False"
    assert reply.values("vary") == ["Cookie, Sec-GPC"]


def test_bytes_that_are_written_pass_through_the_exchange(front: Front) -> None:
    def writing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", HTML)
        write(b"\n")
        write(PAGE)
        return [b"<!-- the end -->"]

    reply = ask(around(front, writing))
    assert b'id="cookie-consent"' in reply.body
    assert reply.body.endswith(b"<!-- the end -->")


def test_bytes_past_the_declared_length_are_left_out(front: Front) -> None:
    def longer(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*HTML, ("Content-Length", str(len(PAGE)))])
        yield PAGE
        yield b"and more"

    assert ask(ConsentMiddleware(longer, front.manager)).body.endswith(b"</html>")


def test_a_file_goes_to_the_server_as_a_file_and_a_page_in_one_gets_the_banner(
    front: Front, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_bytes(PAGE)

    def sending(kind: list[tuple[str, str]]) -> Application:
        def send(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", kind)
            return environ["wsgi.file_wrapper"]((tmp_path / "page.html").open("rb"))  # type: ignore[no-any-return]

        return send

    options: dict[str, Any] = {"valid": False, "wsgi.file_wrapper": FileWrapper}
    plain = ask(ConsentMiddleware(sending(TEXT), front.manager), **options)
    assert isinstance(plain.returned, FileWrapper)
    assert plain.body == PAGE
    shown = ask(ConsentMiddleware(sending(HTML), front.manager), **options)
    assert b'id="cookie-consent"' in shown.body


def test_head_has_the_headers_of_the_page_alone(front: Front) -> None:
    def head(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*HTML, ("Content-Length", str(len(PAGE)))])
        return []

    reply = ask(around(front, head), method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    settings = ask(around(front, head), "/consent", method="HEAD")
    assert (settings.status, settings.body) == (200, b"")
    assert int(settings.values("content-length")[0]) > 1000


def test_an_error_page_replaces_a_response_that_has_not_started(front: Front) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as error:
            start_response("500 Internal Server Error", HTML, (type(error), error, error.__traceback__))
        return [PAGE]

    reply = ask(around(front, failing))
    assert reply.status == 500
    assert b'id="cookie-consent"' in reply.body


def test_an_error_after_the_start_reaches_the_server(front: Front) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun"
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as error:
            start_response("500 Internal Server Error", TEXT, (type(error), error, error.__traceback__))

    with pytest.raises(ZeroDivisionError):
        ask(around(front, failing))


def test_an_application_that_fails_may_be_asked_again_by_an_outer_middleware(front: Front) -> None:
    attempts: list[int] = []

    def fails_once(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError
        return page(environ, start_response)

    inner = ConsentMiddleware(fails_once, front.manager)

    def retrying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return inner(environ, start_response)
        except ConnectionError:
            return inner(environ, start_response)

    assert b'id="cookie-consent"' in ask(retrying).body


def test_start_response_may_be_called_once(front: Front) -> None:
    def twice(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return []

    def never(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return [b"body"]

    with pytest.raises(RuntimeError, match="twice"):
        ask(ConsentMiddleware(twice, front.manager))
    with pytest.raises(RuntimeError, match="without calling"):
        ask(ConsentMiddleware(never, front.manager))


class Closing:
    """A body that remembers whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield PAGE

    def close(self) -> None:
        self.closed = True


def test_the_body_of_the_application_is_closed(front: Front) -> None:
    body = Closing()

    def closing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", HTML)
        return body

    ask(ConsentMiddleware(closing, front.manager))
    assert body.closed


def test_a_handler_without_its_consent_is_refused(front: Front) -> None:
    def early(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ConsentRequiredError("social", "youtube")

    def made_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", HTML)
        raise ConsentRequiredError("social")
        yield b""

    def too_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun"
        raise ConsentRequiredError("social")

    for app in (early, made_late):
        reply = ask(around(front, app), HTTP_ACCEPT="application/json")
        assert reply.status == 403
        assert json.loads(reply.body)["category"] == "social"
        shown = ask(around(front, app), HTTP_ACCEPT="text/html")
        assert shown.status == 403
        assert b"<!DOCTYPE html>" in shown.body
    with pytest.raises(ConsentRequiredError):
        ask(around(front, too_late))


def test_below_a_path_the_addresses_keep_it(front: Front) -> None:
    app = around(front, page)
    reply = ask(app, "/stretch", SCRIPT_NAME="/run")
    assert b'action="/run/consent/decision"' in reply.body
    assert ask(app, "/consent/policy", SCRIPT_NAME="/run").status == 200
    back = ask(app, "/l\u00c3\u00a9ger", RAW_URI="/l%C3%A9ger?a=1", QUERY_STRING="a=1")
    assert b'value="/l%C3%A9ger?a=1"' in back.body
    assert b'value="/l%C3%A9ger?a=1"' in ask(app, "/l\u00c3\u00a9ger", QUERY_STRING="a=1").body


@pytest.mark.parametrize("length", ["999", "9" * 30, "-1", "x", "٣"])
def test_a_body_that_ends_early_changes_nothing(front: Front, length: str) -> None:
    body = b"choice=accept_all"
    reply = ask(
        around(front, page),
        "/consent/decision",
        method="POST",
        body=body,
        valid=False,
        CONTENT_LENGTH=length,
        CONTENT_TYPE="application/x-www-form-urlencoded",
    )
    assert reply.status in (400, 413)
    assert front.records() == []


def test_a_chunked_body_is_read_to_its_end(front: Front) -> None:
    environ: dict[str, Any] = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    reply = post(around(front, page), {"choice": "accept_all"}, valid=False, **environ)
    assert reply.status == 200
    large = post(around(front, page), {"choice": "x" * 20_000}, valid=False, **environ)
    assert large.status == 413


def test_a_visitor_who_leaves_while_sending_changes_nothing(front: Front) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    environ: dict[str, Any] = {"wsgi.input": Broken(), "CONTENT_LENGTH": "17"}
    reply = ask(around(front, page), "/consent/decision", method="POST", valid=False, **environ)
    assert reply.status == 400


def test_two_middlewares_of_one_manager_act_as_one(front: Front) -> None:
    reply = ask(ConsentMiddleware(around(front, page), front.manager))
    assert reply.body.count(b'id="cookie-consent"') == 1


def test_deciding_after_the_start_raises(front: Front) -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun"
        get_consent(environ).decide({"social": True})

    with pytest.raises(ResponseStartedError):
        ask(around(front, late))


def test_without_the_middleware_get_consent_says_what_to_add() -> None:
    with pytest.raises(MissingMiddlewareError, match=r"ConsentMiddleware\(app, manager\)"):
        get_consent({})


def test_requests_from_elsewhere_are_refused(front: Front) -> None:
    reply = post(around(front, page), {"choice": "accept_all"}, HTTP_ORIGIN="https://elsewhere.example")
    assert reply.status == 403
    assert post(around(front, page), {"choice": "accept_all"}, HTTP_ORIGIN=ORIGIN).status == 200


def test_locks_that_gevent_replaces_too_late_are_an_error_and_no_standstill() -> None:
    late = (
        "from gevent import monkey\n"
        "from consentkit import ConfigurationError, ConsentManager, load_policy\n"
        "from consentkit.wsgi import ConsentMiddleware\n"
        "policy = load_policy('tests/consent.example.toml')\n"
        "manager = ConsentManager(policy, secret_key='a key that guards nothing but a test', ledger='sqlite://', site='stride')\n"
        "app = ConsentMiddleware(lambda environ, start: [], manager)\n"
        "monkey.patch_all()\n"
        "try:\n    app({}, None)\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, timeout=60)
    assert "start gunicorn without --preload" in done.stdout, done.stderr
