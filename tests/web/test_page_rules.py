"""Which HTML gets our markup; what happens to it is tested with the exchange."""

import logging
from collections.abc import Callable

import pytest

from consentkit.headers import Obstacle
from consentkit.web import RequestHead
from consentkit.web.page_rules import PageRules
from consentkit.web.recoding import Recoder
from tests.support.front import Front

HTML = (b"content-type", b"text/html")


def rules(front: Front) -> PageRules:
    return front.shared.page_rules


def head(path: str = "/", root_path: str = "") -> RequestHead:
    return RequestHead("GET", path, [], root_path)


@pytest.mark.parametrize(
    ("path", "root_path", "excluded"),
    [
        ("/docs", "", True),
        ("/docs/", "", False),
        ("/documents", "", False),
        ("/admin/", "", True),
        ("/admin/a/b\nc", "", True),
        ("/admin", "", False),
        ("/a.b", "", True),
        ("/axb", "", False),
        ("/[ab]", "", True),
        ("/a", "", False),
        ("/shop/docs", "/shop", True),
        ("/shop/docs", "", False),
    ],
)
def test_excluded_paths_are_matched_whole_below_the_place_of_the_application(
    make_front: Callable[..., Front], path: str, root_path: str, excluded: bool
) -> None:
    made = rules(make_front(exclude=["/docs", "/admin/*", "/a.b", "/[ab]"]))
    assert made.is_excluded(head(path, root_path)) is excluded
    assert (made.judge(head(path, root_path), [HTML]) is Obstacle.EXCLUDED) is excluded


def test_a_long_path_is_matched_at_once_against_many_stars(make_front: Callable[..., Front]) -> None:
    made = rules(make_front(exclude=["/a*a*a*a*a*b"]))
    assert not made.is_excluded(head("/" + "a" * 20_000))
    assert made.is_excluded(head("/" + "a" * 20_000 + "b"))


def test_without_excluded_paths_every_page_is_for_the_banner(front: Front) -> None:
    assert not rules(front).is_excluded(head("/docs"))
    assert rules(front).judge(head("/docs"), [HTML]) is None


def test_compression_that_can_be_undone_is_no_obstacle(front: Front) -> None:
    gzip, zstd = ([HTML, (b"content-encoding", coding)] for coding in (b"gzip", b"zstd"))
    assert isinstance(rules(front).judge(head(), gzip), Recoder)
    assert rules(front).judge(head(), zstd) is Obstacle.ENCODED
    assert rules(front).judge(head(), [HTML]) is None


def test_a_report_is_logged_once_for_each_reason_and_is_in_the_headers_in_debug_mode(
    make_front: Callable[..., Front], caplog: pytest.LogCaptureFixture
) -> None:
    quiet, telling = rules(make_front()), rules(make_front(debug=True))
    with caplog.at_level(logging.INFO, "consentkit"):
        for path in ("/a", "/b"):
            assert quiet.report(Obstacle.ATTACHMENT, head(path), [HTML]) == [HTML]
        quiet.report(Obstacle.CHARSET, head("/c"), [HTML])
    assert caplog.messages == [
        "'/a' gets no banner, because it is an attachment.",
        "'/c' gets no banner, because it is not in UTF-8. Send it as UTF-8.",
    ]
    timing = (b"server-timing", b'consentkit;desc="no banner: it is shown in a frame"')
    assert telling.report(Obstacle.FRAME, head(), [HTML]) == [HTML, timing]
