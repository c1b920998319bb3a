from typing import Any

import pytest

from consentkit.web import RequestHead
from tests.support.front import Front, ask, without_submissions


@pytest.mark.parametrize(
    ("path", "options", "target"),
    [
        ("/a b", {"raw_path": b"/a%20b", "query": b"q=%C3%A4"}, "/a%20b?q=%C3%A4"),
        ("/\u00e4 b", {}, "/%C3%A4%20b"),
        ("/", {"raw_path": None, "query": b""}, "/"),
    ],
)
def test_the_target_is_the_address_as_it_was_asked_for(
    path: str, options: dict[str, Any], target: str
) -> None:
    assert RequestHead("GET", path, [], **options).target == target


@pytest.mark.parametrize(
    ("path", "root_path", "local"),
    [
        ("/consent", "", "/consent"),
        ("/app/consent", "/app", "/consent"),
        ("/app/consent", "/app/", "/consent"),
        ("/consent", "/app", "/consent"),  # a server that takes the root path off
        ("/apples/consent", "/app", "/apples/consent"),
        ("/app", "/app", "/app"),
        ("/a b/\u00e4/consent", "/a b/\u00e4", "/consent"),
        ("/consent", "/", "/consent"),
        ("//x/consent", "//x", "//x/consent"),
    ],
)
def test_the_local_path_lies_below_the_root_path(path: str, root_path: str, local: str) -> None:
    assert RequestHead("GET", path, [], root_path=root_path).local_path == local


@pytest.fixture
def nothing_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.web.request_head._refused_root_paths", set())


# Some servers and proxies take the root path from a header, which anybody can send.
@pytest.mark.parametrize(
    "root_path",
    [
        *("//evil.example", "///evil.example/", "/\\evil.example", "\\\\evil.example", "/app\\x"),
        *("/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/app\r\nx: y", "/\x00", "/app\x7f"),
        *("https://evil.example", "evil.example", "javascript:alert(1)", ".", "app", " /app"),
        *("/app?next=", "/app#", "/\udcff"),
    ],
)
def test_root_path_that_is_not_a_plain_path_reaches_no_address_and_is_logged_once(
    nothing_refused: None, front: Front, caplog: pytest.LogCaptureFixture, root_path: str
) -> None:
    page = ask(front.around(), "/", root_path=root_path)
    settings = ask(front.around(), "/consent", root_path=root_path)
    plain = ask(front.around(), "/")
    assert (page.status, page.headers) == (plain.status, plain.headers)
    assert without_submissions(page.body) == without_submissions(plain.body)
    assert without_submissions(settings.body) == without_submissions(ask(front.around(), "/consent").body)
    (warning,) = caplog.messages
    assert f"root_path = {root_path!r} is not a path, so it is ignored." in warning


def test_refused_root_paths_fill_neither_the_log_nor_the_memory(
    nothing_refused: None, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        assert RequestHead("GET", "/", [], root_path=f"//{number}.example{'x' * 1000}").root_path == ""
    assert len(caplog.messages) == 16
    assert max(map(len, caplog.messages)) < 250
