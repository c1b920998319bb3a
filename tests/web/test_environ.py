"""Requests as WSGI describes them."""

import ast
import io
from pathlib import Path
from typing import Any

import pytest

import consentkit
from consentkit.web import RequestHead, head_from_environ, read_body

BASE: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}


def head(**environ: Any) -> RequestHead:
    return head_from_environ(BASE | environ)


def test_fields_are_read_under_their_names_on_the_wire() -> None:
    read = head(
        HTTP_SEC_FETCH_SITE="none", CONTENT_TYPE="text/plain", CONTENT_LENGTH="", HTTP_CONTENT_LENGTH="9", X=1
    )
    assert sorted(read.headers) == [(b"content-type", b"text/plain"), (b"sec-fetch-site", b"none")]


# Fields of requests, in the registry of HTTP field names and of libraries for front ends.
OF_REQUESTS = {
    *("accept", "accept-charset", "accept-encoding", "accept-language", "access-control-request-headers"),
    *("access-control-request-method", "authorization", "cache-control", "content-encoding", "cookie", "dnt"),
    *("expect", "forwarded", "from", "host", "hx-boosted", "hx-request", "hx-target", "if-match"),
    *(
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "origin",
        "pragma",
        "priority",
    ),
    *("purpose", "range", "referer", "save-data", "sec-ch-ua", "sec-fetch-dest", "sec-fetch-mode"),
    *("sec-fetch-site", "sec-fetch-storage-access", "sec-fetch-user", "sec-gpc", "sec-purpose", "te"),
    *("transfer-encoding", "turbo-frame", "user-agent", "via", "x-forwarded-for", "x-forwarded-proto"),
    *("x-moz", "x-requested-with", "x-sec-purpose", "x-turbo-request-id", "x-up-target", "x-up-version"),
}
OF_RESPONSES_TOO = {"cache-control", "pragma"}
OF_PLACES = {"x-forwarded-for", "x-requested-with"}
"""What is read only for the place of a visitor, for which a host passes every field on."""


def test_every_field_that_the_library_reads_is_taken_over() -> None:
    package = Path(consentkit.__file__).parent
    written = {
        node.value.decode("latin-1")
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes)
    }
    read = written & OF_REQUESTS - OF_RESPONSES_TOO
    environ = {f"HTTP_{name.upper().replace('-', '_')}": "1" for name in read}
    assert {name.decode() for name, _ in head(**environ).headers} == read - OF_PLACES
    every_field = head_from_environ(BASE | environ, every_field=True).headers
    assert {name.decode() for name, _ in every_field} == read
    assert len(read) > 15


@pytest.mark.parametrize(
    ("script_name", "path_info", "local", "root"),
    [
        ("", "/a", "/a", ""),
        ("/app", "/a", "/a", "/app"),
        ("/app", "/app/a", "/app/a", "/app"),
        ("/app/", "/a", "/a", "/app"),
        ("", "", "/", ""),
        ("//elsewhere.example", "/a", "//elsewhere.example/a", ""),
        ("", "/l\u00c3\u00a9ger", "/léger", ""),
        ("", "/\u00ff\u20ac", "/\ufffd?", ""),
    ],
)
def test_paths_are_text_below_the_place_of_the_application(
    script_name: str, path_info: str, local: str, root: str
) -> None:
    read = head(SCRIPT_NAME=script_name, PATH_INFO=path_info)
    assert (read.local_path, read.root_path) == (local, root)


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({"PATH_INFO": "/a b", "QUERY_STRING": "c=d"}, "/a%20b?c=d"),
        ({"PATH_INFO": "/a/b", "RAW_URI": "/a%2Fb?c=d", "QUERY_STRING": "c=d"}, "/a%2Fb?c=d"),
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb"}, "/a%2Fb"),
        ({"PATH_INFO": "/a", "RAW_URI": "https://elsewhere.example/a"}, "/a"),
    ],
)
def test_the_target_is_what_the_browser_sent(environ: dict[str, str], target: str) -> None:
    assert head(**environ).target == target


def test_a_body_without_a_length_is_empty() -> None:
    environ = BASE | {"wsgi.input": io.BytesIO(b"more than nothing")}
    assert read_body(environ, head_from_environ(environ)) == (b"", True)
