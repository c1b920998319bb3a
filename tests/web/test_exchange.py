"""One request and its response: what the application sees, and what leaves."""

import gzip
import logging
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from consentkit import Ledger
from consentkit.headers import COOKIE_BYTES_READ, caching
from consentkit.notices.notice import Notice
from consentkit.ui import inline_style
from consentkit.web import Exchange, RequestHead
from consentkit.web.held_page import LONGEST_DOUBT
from consentkit.web.request_consent import RequestConsent
from tests.support.front import (
    CLEARED,
    COMPANION,
    COOKIE,
    DOCUMENT,
    EVERYTHING,
    Front,
    Headers,
    a_policy,
    without_submissions,
)
from tests.support.records import another_process_holds, nobody_reads
from tests.support.told import rows, tree

MakeFront = Callable[..., Front]
Do = Callable[[RequestConsent], object]
HTML = (b"content-type", b"text/html; charset=utf-8")
JSON = (b"content-type", b"application/json")
PAGE = DOCUMENT.encode()
BROWSED = (b"sec-fetch-dest", b"document")
GONE = b"Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
STRICT = "default-src 'none'; script-src 'self' 'nonce-{nonce}'; frame-src 'self'"
CASES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@dataclass
class Passed:
    """What the application saw, and what left."""

    seen: Headers
    headers: Headers
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode()

    def values(self, name: bytes) -> list[bytes]:
        return caching.values(self.headers, name)

    @property
    def caching(self) -> tuple[list[bytes], list[bytes]]:
        return self.values(b"cache-control"), self.values(b"vary")


def passed(
    front: Front,
    headers: Sequence[tuple[bytes, bytes]] = (HTML,),
    body: bytes | Sequence[bytes] = PAGE,
    *,
    sent: Sequence[tuple[bytes, bytes]] = (),
    method: str = "GET",
    status: int = 200,
    path: str = "/stretching",
    own: bool = False,
    do: Do = lambda consent: None,
) -> Passed:
    """Be an adapter: let a request and its answer pass through an exchange."""
    asked, _, query = path.partition("?")
    exchange = Exchange(front.shared, RequestHead(method, asked, list(sent), query=query.encode()))
    if exchange.needs_ledger:
        exchange.ask_ledger()
    exchange.is_own = own
    seen = list(exchange.application_headers())
    do(exchange.consent)
    left = exchange.start(status, list(headers))
    chunks = [body] if isinstance(body, bytes) else list(body)
    out: list[bytes] = []
    for place, chunk in enumerate(chunks, 1):
        held, piece = exchange.body(chunk, place < len(chunks))
        out.append(piece)
        assert held is None or left is None, "headers leave once"
        left = held if left is None else left
    assert left is not None
    return Passed(seen, left, out)


def at_home(front: Front, sent: Sequence[tuple[bytes, bytes]] = ()) -> Exchange:
    """Begin the exchange of a request for the first page."""
    return Exchange(front.shared, RequestHead("GET", "/", list(sent)))


def reads(consent: RequestConsent) -> None:
    consent.allows("social")


def cookie(front: Front, **categories: bool) -> tuple[bytes, bytes]:
    """Decide, and give the Cookie header of the browser that did."""
    return b"cookie", f"{COOKIE}={front.cookie(front.client(), **categories)}".encode()


def also(header: tuple[bytes, bytes], *names: str) -> tuple[bytes, bytes]:
    """Add cookies to a Cookie header."""
    return header[0], b"; ".join([header[1], *(f"{name}=1".encode() for name in names)])


# What no consent has a part in


# HT-03
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([JSON], b"{}", 200),
        ([JSON, (b"cache-control", b"public, max-age=60"), (b"etag", b'"1"')], b"{}", 200),
        ([(b"content-type", b"text/event-stream")], b"data: 1\n\n", 200),
        ([(b"location", b"/a")], b"", 302),
        ([(b"etag", b'"1"')], b"", 304),
        ([], b"", 204),
        ([(b"set-cookie", b"other=1")], b"", 200),
        ([(b"set-cookie", b"session=1"), (b"set-cookie", b"_ga=; Max-Age=0")], b"", 200),
        ([HTML, (b"etag", b'"1"')], b"not found", 404),
        ([HTML], PAGE, 302),
    ],
)
@pytest.mark.parametrize("granted", [None, {}, EVERYTHING])
def test_response_that_does_not_depend_on_the_consent_passes_byte_for_byte(
    front: Front, headers: Headers, body: bytes, status: int, granted: dict[str, bool] | None
) -> None:
    sent = [(b"accept", b"*/*")] + ([cookie(front, **granted)] if granted is not None else [])
    answer = passed(front, headers, body, status=status, sent=sent)
    assert (answer.headers, answer.body, answer.seen) == (headers, body, sent)


# HT-03
@pytest.mark.parametrize(
    "body",
    [b"<p>One</p>", b"\n  <li>two</li>", b"", b"text", b"<!-- x --><div>3</div>", b"<body>no</body>"],
)
@pytest.mark.parametrize("cut", [False, True])
def test_html_fragment_and_its_headers_are_unchanged(front: Front, body: bytes, cut: bool) -> None:
    headers = [
        HTML,
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"max-age=60"),
        (b"etag", b'"1"'),
    ]
    chunks = [body[at : at + 1] for at in range(len(body))] if cut else body
    answer = passed(front, headers, chunks or b"", sent=[(b"cookie", b"_ga=1")])
    assert (answer.headers, answer.body) == (headers, body)


def test_page_that_starts_with_16_kib_of_comments_passes_unchanged(front: Front) -> None:
    begins = b"<!--" + b"x" * LONGEST_DOUBT + b"-->"
    answer = passed(front, body=[begins[:9], begins[9:], b"<p>", b"</p>"])
    assert answer.chunks == [b"", begins, b"<p>", b"</p>"]
    assert answer.caching[0] == [b"private, no-cache"]


def test_fragment_whose_handler_read_the_consent_is_private(front: Front) -> None:
    answer = passed(front, [HTML, (b"content-length", b"2")], b"<p", do=reads)
    assert answer.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC, Accept-Language"])
    assert (answer.values(b"content-length"), answer.body) == ([b"2"], b"<p")


# The cookie gate


# LB-01, HT-03
def test_the_gate_drops_what_is_not_granted_and_keeps_the_rest_in_order(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    given = [
        (b"X-First", b"1"),
        (b"Set-Cookie", b"session=1; Path=/; HttpOnly"),
        (b"set-cookie", b"_ga=1; Path=/"),
        (b"SET-COOKIE", b"other=1"),
        (b"set-cookie", b"_GA_x=1"),
        (b"set-cookie", b"watched=1"),
        (b"set-cookie", b"seen_ads=; Max-Age=0"),
        JSON,
    ]
    with caplog.at_level(logging.WARNING, "consentkit"):
        answers = [passed(front, given, b"{}") for _ in range(3)]
    private = [(b"cache-control", b"private, no-cache"), (b"vary", b"Cookie, Sec-GPC")]
    assert answers[0].headers == [given[0], given[1], given[3], given[6], JSON, *private]
    assert [record.getMessage() for record in caplog.records] == [
        "Set-Cookie '_ga' dropped: refused, category 'analytical'.",
        "Set-Cookie 'other' let through: undeclared. Declare it in the policy.",
        "Set-Cookie '_GA_x' dropped: refused, category 'analytical'.",
        "Set-Cookie 'watched' dropped: refused, category 'social'.",
    ]


# HT-01, HT-03
@pytest.mark.parametrize(
    ("granted", "passes"),
    [(None, False), ({}, False), ({"social": True}, False), ({"analytical": True}, True)],
)
def test_a_cookie_that_a_consent_decides_about_makes_the_answer_private(
    front: Front, granted: dict[str, bool] | None, passes: bool
) -> None:
    sent = [cookie(front, **granted)] if granted is not None else []
    answer = passed(front, [JSON, (b"set-cookie", b"_ga=1")], b"{}", sent=sent)
    assert answer.values(b"set-cookie") == ([b"_ga=1"] if passes else [])
    assert answer.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC"])


# LB-09
def test_a_vendors_cookie_follows_the_vendors_answer(front: Front) -> None:
    client = front.client()
    client.post("/consent/decision", json={"categories": EVERYTHING, "vendors": {"google-analytics": False}})
    sent = [(b"cookie", f"{COOKIE}={client.cookies[COOKIE]}".encode())]
    lines = [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"watched=1")]
    assert passed(front, lines, b"", sent=sent).values(b"set-cookie") == [b"watched=1"]


# VA-07
def test_a_cookie_that_would_outlive_the_consent_is_shortened(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    sent = [cookie(front, **EVERYTHING)]
    front.clock.advance(days=180)
    with caplog.at_level(logging.WARNING, "consentkit"):
        answer = passed(front, [(b"set-cookie", b"_ga=1; Max-Age=31536000")], b"", sent=sent)
    (line,) = answer.values(b"set-cookie")
    assert b"Max-Age=86400" in line
    assert "'_ga' shortened: clamped, category 'analytical'" in caplog.text


def test_set_cookie_with_a_line_break_is_dropped_and_logged(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "consentkit"):
        answer = passed(front, [(b"set-cookie", b"other=1\r\nset-cookie: _ga=1")], b"")
    assert answer.headers == []
    assert "'other' dropped: broken" in caplog.text


# IN-08
def test_strict_mode_drops_what_is_undeclared(
    make_front: MakeFront, caplog: pytest.LogCaptureFixture
) -> None:
    front = make_front(strict=True)
    with caplog.at_level(logging.WARNING, "consentkit"):
        answer = passed(front, [(b"set-cookie", b"other=1"), (b"set-cookie", b"session=1")], b"")
    assert answer.headers == [(b"set-cookie", b"session=1")]
    assert "'other' dropped: undeclared. Declare it" in caplog.text


# LB-01, HT-04: what is hidden from everybody makes no page depend on the visitor.
@pytest.mark.parametrize("more", [[], [(b"cookie", b"more=2")], [(b"if-none-match", b'"1"')]])
def test_strict_mode_hides_undeclared_cookies_and_changes_no_response(
    make_front: MakeFront, caplog: pytest.LogCaptureFixture, more: Headers
) -> None:
    front = make_front(strict=True)
    _, own = cookie(front, social=True)
    public = [JSON, (b"cache-control", b"public, max-age=60")]
    for _ in range(2):
        answer = passed(
            front, public, b"{}", sent=[(b"cookie", b"other=1; session=1; " + own + b"; watched=2"), *more]
        )
        assert caching.values(answer.seen, b"cookie") == [b"session=1; " + own + b"; watched=2"]
        assert answer.headers == public
    ours = [record.getMessage() for record in caplog.records if record.name == "consentkit"]
    assert [message.split("'")[1] for message in ours] == [
        "other",
        *["more"] * (b"more=2" in dict(more).values()),
    ]


@pytest.mark.parametrize("more", [[], [(b"cookie", b"_ga=2")], [(b"if-none-match", b'"1"')]])
def test_an_undeclared_cookie_of_a_request_is_reported_once_and_passes(
    front: Front, caplog: pytest.LogCaptureFixture, more: Headers
) -> None:
    for number in range(3):
        sent = [(b"cookie", b"session=%d; ajs_anonymous_id=1" % number), *more]
        assert passed(front, sent=sent).seen[0] == sent[0]
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "The browser sends the cookie 'ajs_anonymous_id'"
    ]


# WD-05
def test_a_cookie_that_is_set_elsewhere_than_declared_is_reported(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    line = b"session=1; Path=/account; Max-Age=1209600"
    for _ in range(2):
        assert passed(front, [(b"set-cookie", line)], b"").values(b"set-cookie") == [line]
    (message,) = caplog.messages
    assert "'session' differs" in message
    assert "lifetime P14D instead of session, path /account instead of /." in message


def test_a_decision_in_a_handler_counts_for_its_own_cookies(front: Front) -> None:
    line = (b"set-cookie", b"watched=1")

    def accept(consent: RequestConsent) -> None:
        consent.decide({"social": True})

    def refuse(consent: RequestConsent) -> None:
        consent.decide({})

    assert b"watched=1" in passed(front, [line], b"", do=accept).values(b"set-cookie")
    sent = [cookie(front, social=True)]
    assert b"watched=1" not in passed(front, [line], b"", sent=sent, do=refuse).values(b"set-cookie")


# LB-01, LB-02
@pytest.mark.parametrize(
    ("cookies", "shown"),
    [
        (b"session=1; _ga=1; other=2; watched=3", [b"session=1; other=2"]),
        (b"_ga=1", []),
        (b"session=1", [b"session=1"]),
        (b"", [b""]),
    ],
)
def test_the_application_sees_no_cookie_that_is_not_granted(
    front: Front, cookies: bytes, shown: list[bytes]
) -> None:
    sent = [(b"host", b"stride.example"), (b"cookie", cookies), (b"x-empty", b"")]
    seen = passed(front, sent=sent).seen
    assert caching.values(seen, b"cookie") == shown
    assert [header for header in seen if header[0] != b"cookie"] == [sent[0], sent[2]]


def test_hiding_cookies_does_not_make_an_answer_depend_on_the_consent(front: Front) -> None:
    answer = passed(front, [JSON, (b"cache-control", b"max-age=60")], b"{}", sent=[(b"cookie", b"_ga=1")])
    assert answer.headers == [JSON, (b"cache-control", b"max-age=60")]


@pytest.mark.parametrize("fields", [1, 2, 5])
def test_the_application_sees_no_cookie_past_the_first_sixteen_kibibytes(
    front: Front, fields: int, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = [b"name%d=%d" % (number, number) for number in range(5000)]
    of_field = len(pairs) // fields
    sent = [(b"cookie", b"; ".join(pairs[at : at + of_field])) for at in range(0, len(pairs), of_field)]
    assert sum(len(field) for _, field in sent) > 60_000
    for _ in range(2):
        seen = caching.values(passed(front, sent=sent).seen, b"cookie")
    assert 16_000 < sum(map(len, seen)) <= COOKIE_BYTES_READ
    shown = b"; ".join(seen).split(b"; ")
    assert shown == pairs[: len(shown)]
    assert len([message for message in caplog.messages if "more than 16 KiB of cookies" in message]) == 1


def test_cookies_of_sixteen_kibibytes_pass_unchanged(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    sent = [(b"cookie", b"session=" + b"x" * (COOKIE_BYTES_READ - 18)), (b"cookie", b"session=23")]
    assert passed(front, sent=sent).seen == sent
    assert passed(front, sent=[*sent, (b"cookie", b"_ga=1"), (b"x", b"")]).seen == [*sent, (b"x", b"")]
    assert len(caplog.messages) == 1


# Leftovers


# WD-05
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_leftovers_are_expired_on_documents(front: Front, method: str, status: int) -> None:
    sent = [(b"cookie", b"_ga=1; watched=2; session=3; other=4; _ga_X=5")]
    answer = passed(front, [HTML, (b"cache-control", b"max-age=60")], sent=sent, method=method, status=status)
    assert answer.values(b"set-cookie") == [
        b"_ga=; %b; Path=/; SameSite=Lax" % GONE,
        b"watched=; %b; Path=/videos; Domain=.stride.example; SameSite=Lax" % GONE,
        b"_ga_X=; %b; Path=/; SameSite=Lax" % GONE,
    ]
    assert answer.values(b"cache-control") == [b"private, no-store"]


# WD-05
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([JSON], b"{}"),
        ([HTML, (b"cache-control", b"public")], PAGE),
        ([HTML, (b"surrogate-control", b"max-age=60")], PAGE),
        ([HTML], b"<p>fragment</p>"),
    ],
)
def test_leftovers_are_expired_on_nothing_else(front: Front, headers: Headers, body: bytes) -> None:
    answer = passed(front, headers, body, sent=[(b"cookie", b"_ga=1")])
    assert answer.values(b"set-cookie") == []


# WD-05
def test_many_leftovers_are_expired_by_one_response_after_another(front: Front) -> None:
    left = {b"_ga%d" % number for number in range(200)}
    responses = 0
    while left:
        answer = passed(front, sent=[(b"cookie", b"; ".join(name + b"=1" for name in sorted(left)))])
        lines = answer.values(b"set-cookie")
        assert sum(len(b"set-cookie: %b\r\n" % line) for line in lines) <= 2048
        left -= {line.partition(b"=")[0] for line in lines}
        responses += 1
    assert responses < 15


# WD-05
def test_only_what_was_sent_and_is_not_granted_is_left_over(front: Front) -> None:
    assert passed(front).values(b"set-cookie") == []
    sent = [also(cookie(front, analytical=True), "_ga", "watched", COMPANION)]
    (line,) = passed(front, sent=sent).values(b"set-cookie")
    assert line.startswith(b"watched=;")


# Caching


# HT-01, HT-02
def test_response_whose_handler_read_the_consent_is_private(front: Front) -> None:
    given = [
        JSON,
        (b"Cache-Control", b"max-age=60"),
        (b"Vary", b"Accept-Encoding"),
        (b"Last-Modified", b"x"),
        (b"ETag", b'W/"1"'),
    ]
    answer = passed(front, given, b"{}", do=reads)
    assert answer.caching == ([b"private, no-cache"], [b"Accept-Encoding, Cookie, Sec-GPC"])
    assert answer.values(b"last-modified") == []
    assert re.fullmatch(rb'W/"1~ck\.[0-9a-f]{18}"', answer.values(b"etag")[0])
    assert answer.body == b"{}"


# HT-02
def test_vary_lists_no_gpc_or_language_that_the_policy_ignores(make_front: MakeFront) -> None:
    silent = {one: {"honours_gpc": False} for one in EVERYTHING}
    front = make_front(a_policy(languages=["en"], categories=rows("categories", **silent)))
    assert passed(front, do=reads).values(b"vary") == [b"Cookie"]


def states(front: Front) -> list[Headers]:
    """List what browsers send to which a page looks different."""
    client = front.client()
    client.post("/consent/decision", json={"vendors": {"youtube": True}})
    one_vendor = (b"cookie", f"{COOKIE}={client.cookies[COOKIE]}".encode())
    given = cookie(front, **EVERYTHING)
    front.clock.advance(days=1)
    return [
        [],
        [(b"sec-gpc", b"1")],
        [(b"accept-language", b"nl")],
        [cookie(front, social=False)],
        [cookie(front, social=True)],
        [one_vendor],
        [given],
        [cookie(front, **EVERYTHING)],
    ]


# HT-01
def test_entity_tag_matches_only_in_the_consent_state_it_was_sent_in(front: Front) -> None:
    each = states(front)
    tags = [passed(front, [HTML, (b"etag", b'"1"')], sent=sent).values(b"etag")[0] for sent in each]
    assert len(set(tags)) == len(tags)
    for sent, tag in zip(each, tags, strict=True):
        again = passed(front, [HTML, (b"etag", b'"1"')], sent=[*sent, (b"if-none-match", tag)])
        assert caching.values(again.seen, b"if-none-match") == [b'"1"']
        assert again.values(b"etag") == [tag]
        every = (b"if-none-match", b", ".join(other for other in tags if other != tag))
        assert caching.values(passed(front, sent=[*sent, every]).seen, b"if-none-match") == []


# HT-01
def test_entity_tags_tell_no_visitors_apart_who_see_the_same(front: Front) -> None:
    def tag(sent: Headers) -> bytes:
        (tag,) = passed(front, [HTML, (b"etag", b'"1"')], sent=sent).values(b"etag")
        return tag

    front.clock.advance(days=0.5)  # it stood at noon
    visitors = []
    for _ in range(200):
        visitors.append([cookie(front, **EVERYTHING)])
        front.clock.advance(432)
    assert len({header for ((_, header),) in visitors}) == 200
    assert len({tag(sent) for sent in visitors}) == 1
    tomorrow = [cookie(front, **EVERYTHING)]
    assert tag(tomorrow) != tag(visitors[0])
    # The day is what the settings show.
    shown = [
        without_submissions(front.client().get("/consent", headers=sent).content)
        for sent in (visitors[0], visitors[-1], tomorrow)
    ]
    assert shown[0] == shown[1] != shown[2]


# HT-01
def test_change_of_banner_csp_or_policy_changes_the_entity_tag(make_front: MakeFront) -> None:
    technical = rows("vendors", youtube={"origins": {"frame": ["https://video.example"]}})
    fronts = [
        make_front(),
        make_front(banner=False),
        make_front(csp="default-src 'self'"),
        make_front(a_policy(records_kept="P3Y")),
        make_front(a_policy(vendors=technical)),
    ]
    tags = {passed(front, [HTML, (b"etag", b'"1"')]).values(b"etag")[0] for front in fronts}
    assert len(tags) == len(fronts)


# A browser that kept the page from before the library was added would else see no banner as long as the page is the same.
@pytest.mark.parametrize(
    "browsed",
    [
        (b"sec-fetch-dest", b"document"),
        (b"sec-fetch-dest", b"iframe"),
        (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
        (b"hx-boosted", b"true"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("granted", [False, True])
def test_what_was_kept_before_the_library_was_added_is_sent_once_more(
    front: Front, browsed: tuple[bytes, bytes], granted: bool
) -> None:
    visitor = [cookie(front, **EVERYTHING)] if granted else []
    kept = [(b"if-none-match", b'"1", W/"2"'), (b"if-modified-since", b"Mon, 31 Aug 2026 12:00:00 GMT")]
    given = [HTML, (b"etag", b'"1"'), (b"last-modified", b"x")]
    answer = passed(front, given, sent=[*visitor, browsed, *kept])
    assert not {b"if-none-match", b"if-modified-since"} & {name for name, _ in answer.seen}
    (tag,) = answer.values(b"etag")
    again = passed(front, given, sent=[*visitor, browsed, (b"if-none-match", tag), kept[1]])
    assert caching.values(again.seen, b"if-none-match") == [b'"1"']
    assert caching.values(again.seen, b"if-modified-since") == []


@pytest.mark.parametrize("dest", [b"empty", b"image", b"script", b"style", None])
def test_what_is_no_page_is_revalidated_as_the_application_likes(front: Front, dest: bytes | None) -> None:
    kept = [(b"if-none-match", b'"1"'), (b"if-modified-since", b"x"), (b"accept", b"*/*")]
    sent = [*kept, *([(b"sec-fetch-dest", dest)] if dest else [])]
    assert passed(front, sent=sent).seen == sent


def test_writes_reach_the_application_with_its_own_tag(front: Front) -> None:
    tag = passed(front, [JSON, (b"etag", b'"1"')], b"", do=reads).values(b"etag")[0]
    sent = [(b"if-match", tag), cookie(front, **EVERYTHING)]
    assert caching.values(passed(front, sent=sent, method="PUT").seen, b"if-match") == [b'"1"']
    assert passed(front, sent=[(b"if-match", b"*")], method="PUT").seen == [(b"if-match", b"*")]


# HT-01, HT-04
def test_a_304_carries_the_state_and_no_policy_with_a_nonce(front: Front) -> None:
    tag = passed(front, [HTML, (b"etag", b'"1"')]).values(b"etag")[0]
    given = [
        (b"etag", b'"1"'),
        (b"last-modified", b"x"),
        (b"content-security-policy", b"script-src 'nonce-abc'"),
        (b"vary", b"Origin"),
    ]
    answer = passed(front, given, b"", status=304, sent=[(b"if-none-match", tag)])
    assert answer.values(b"etag") == [tag]
    assert answer.caching == ([b"private, no-cache"], [b"Origin, Cookie, Sec-GPC, Accept-Language"])
    assert answer.values(b"content-security-policy") + answer.values(b"last-modified") == []
    assert passed(front, given, b"", status=304, sent=[(b"if-none-match", b'"1"')]).headers == given


# CK-01, WD-03
def test_a_decision_in_a_handler_leaves_with_its_answer(front: Front) -> None:
    def accept(consent: RequestConsent) -> None:
        consent.decide(EVERYTHING)

    given = [JSON, (b"cache-control", b"public, max-age=60"), (b"expires", b"x"), (b"pragma", b"x")]
    answer = passed(front, given, b"{}", do=accept)
    assert [line.partition(b"=")[0].decode() for line in answer.values(b"set-cookie")] == [COOKIE, COMPANION]
    assert answer.caching == ([b"private, no-store"], [])
    assert answer.values(b"expires") + answer.values(b"pragma") + answer.values(b"clear-site-data") == []


# WD-03, WD-05, WD-06
@pytest.mark.parametrize(
    ("do", "narrows"),
    [
        (lambda consent: consent.withdraw(), True),
        (lambda consent: consent.withdraw("social"), True),
        (lambda consent: consent.withdraw("tracking"), False),
        (lambda consent: consent.decide({}), True),
        (lambda consent: consent.change(vendors={"youtube": False}), True),
        (lambda consent: consent.change({"tracking": True}), False),
        (lambda consent: consent.decide({"social": False, "tracking": True}), True),
        (lambda consent: (consent.withdraw(), consent.decide(EVERYTHING)), True),
    ],
)
def test_an_answer_that_takes_something_away_empties_the_caches(front: Front, do: Do, narrows: bool) -> None:
    sent = [cookie(front, social=True)]
    front.clock.advance(1)
    answer = passed(front, [JSON], b"{}", sent=sent, do=do)
    assert answer.values(b"clear-site-data") == ([CLEARED.encode()] if narrows else [])


# WD-05
def test_a_withdrawal_expires_what_was_sent_whatever_the_answer_is(front: Front) -> None:
    sent = [also(cookie(front, **EVERYTHING), "_ga", "seen_ads")]
    front.clock.advance(1)
    answer = passed(front, [(b"location", b"/")], b"", status=303, sent=sent, do=lambda one: one.withdraw())
    names = [line.partition(b"=")[0] for line in answer.values(b"set-cookie")]
    assert names == [COOKIE.encode(), COMPANION.encode(), b"_ga", b"seen_ads"]


# Public pages


PUBLIC: list[Headers] = [
    [(b"cache-control", b"public, max-age=60")],
    [(b"cache-control", b"s-maxage=60")],
    [(b"cdn-cache-control", b"max-age=60")],
    [(b"surrogate-control", b"max-age=60")],
]


# HT-01
@pytest.mark.parametrize("public", PUBLIC)
def test_a_public_page_is_the_same_for_every_visitor(front: Front, public: Headers) -> None:
    given = [HTML, *public, (b"etag", b'"1"'), (b"last-modified", b"x"), (b"vary", b"Accept-Encoding")]
    visitors = [*states(front), [(b"cookie", b"_ga=1; watched=1")], [(b"referer", b"https://evil.example")]]
    pages = [passed(front, given, sent=sent) for sent in visitors]
    pages.append(passed(front, given, sent=visitors[-1], path="/elsewhere?q=1"))
    assert len({(tuple(page.headers), page.body) for page in pages}) == 1
    page = pages[0]
    length = (b"content-length", b"%d" % len(page.body))
    tag = (b"etag", b'"1~ck.%b"' % front.shared.shared_state)
    assert page.headers == [
        *(HTML, *public, (b"vary", b"Accept-Encoding"), length),
        *((b"x-frame-options", b"SAMEORIGIN"), tag),
    ]
    assert b'href="/consent"' in page.body and b"/consent/assets/" in page.body
    assert b"cookie-consent-accept-all" not in page.body and b"/withdraw" not in page.body


# HT-01
def test_a_public_page_is_known_again_until_the_policy_changes(make_front: MakeFront) -> None:
    front = make_front()
    given = [HTML, *PUBLIC[0], (b"etag", b'W/"1"'), (b"last-modified", b"x")]
    (tag,) = passed(front, given).values(b"etag")
    for sent in states(front):
        again = passed(front, given[1:], b"", status=304, sent=[*sent, BROWSED, (b"if-none-match", tag)])
        assert caching.values(again.seen, b"if-none-match") == [b'W/"1"']
        assert again.headers == [*PUBLIC[0], (b"etag", tag)]
    for other in (make_front(a_policy(records_kept="P3Y")), make_front(banner=False)):
        assert (
            caching.values(passed(other, given, sent=[(b"if-none-match", tag)]).seen, b"if-none-match") == []
        )
    asked = passed(front, given[1:], b"", status=304, sent=[(b"if-none-match", tag)], do=reads)
    assert asked.caching[0] == [b"private, no-cache"]


# HT-01
@pytest.mark.parametrize("public", PUBLIC)
def test_private_wins_where_a_public_page_depends_on_the_consent(
    front: Front, public: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "consentkit"):
        for _ in range(2):
            answer = passed(front, [HTML, *public], do=reads, path="/mixed\n")
    assert answer.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC, Accept-Language"])
    assert answer.values(b"cdn-cache-control") + answer.values(b"surrogate-control") == []
    assert b"cookie-consent-accept-all" in answer.body
    (warning,) = caplog.messages
    assert warning == r"'/mixed\n' is marked public but depends on the consent: sent as private."


# HT-01
def test_private_wins_where_a_public_answer_sets_a_cookie_that_needs_consent(front: Front) -> None:
    given = [JSON, PUBLIC[0][0], (b"set-cookie", b"_ga=1")]
    assert passed(front, given, b"{}").caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC"])
    others = [JSON, PUBLIC[0][0], (b"set-cookie", b"session=1")]
    assert passed(front, others, b"{}").headers == others


@pytest.mark.parametrize("do", [reads, lambda consent: consent.nonce])
def test_a_public_page_that_asked_while_it_streamed_is_private(make_front: MakeFront, do: Do) -> None:
    exchange = at_home(make_front(csp=STRICT))
    assert exchange.start(200, [HTML, PUBLIC[0][0]]) is None
    do(exchange.consent)
    headers, _ = exchange.body(PAGE[:80], True)
    assert headers is not None and caching.values(headers, b"cache-control") == [b"private, no-cache"]


# Injection


# UI-01, UI-05, WD-02
def test_a_document_gets_a_banner_first_and_a_settings_link_last(front: Front) -> None:
    answer = passed(front, path="/stretching?page=2")
    page = tree(answer.text)
    body = page.find("body")
    assert page.find("head/script").get("defer") == "" and page.find("head/style").text == inline_style()[0]
    own = [HTML, (b"content-security-policy", b"style-src 'self'")]
    linked = tree(passed(front, own).text).find("head/link")
    assert linked.get("href") == front.shared.pages.asset_url("consent.css")
    assert page.find("head")[-1].tag == "title"
    assert body[0].get("id") == "cookie-consent"
    assert body[-1].find("a[@class='site-privacy-settings']").get("href") == "/consent"
    assert {field.get("value") for field in body.iter("input") if field.get("name") == "next"} == {
        "/stretching?page=2"
    }
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    assert answer.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC, Accept-Language"])
    assert b'action="/consent/withdraw"' not in answer.body


# UI-08, WD-01, WD-02
@pytest.mark.parametrize(("granted", "withdrawable"), [({}, False), ({"social": True}, True)])
def test_who_has_answered_is_not_asked_and_can_withdraw_at_one_click(
    front: Front, granted: dict[str, bool], withdrawable: bool
) -> None:
    answer = passed(front, sent=[cookie(front, **granted)])
    assert b'id="cookie-consent"' not in answer.body
    assert b"site-privacy-settings" in answer.body
    assert (b'action="/consent/withdraw"' in answer.body) is withdrawable
    assert answer.caching[0] == [b"private, no-cache"]


# IN-07
def test_our_parts_speak_the_visitors_language(front: Front) -> None:
    answer = passed(front, sent=[(b"accept-language", b"nl")])
    assert tree(answer.text).find(".//section[@id='cookie-consent']").get("lang") == "nl"


def test_the_banner_can_be_left_to_the_site(make_front: MakeFront) -> None:
    answer = passed(make_front(banner=False))
    assert b'id="cookie-consent"' not in answer.body and b"site-privacy-settings" in answer.body


def test_a_site_that_places_the_settings_itself_gets_no_other(front: Front) -> None:
    page = PAGE.replace(b"<h1>", b'<a class="site-privacy-settings" href="/consent">Cookies</a><h1>')
    assert passed(front, body=page).body.count(b'class="site-privacy-settings"') == 1


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("PUT", 200, []),
        ("GET", 303, []),
        ("GET", 206, [(b"content-range", b"bytes 0-9/10")]),
        ("GET", 200, [(b"content-range", b"bytes 0-9/10")]),
        ("GET", 200, [(b"content-disposition", b"attachment")]),
        ("GET", 200, [(b"content-encoding", b"gzip, br")]),
    ],
)
def test_response_that_is_not_a_whole_document_gets_no_markup(
    front: Front, method: str, status: int, headers: Headers
) -> None:
    given = [HTML, (b"content-length", b"%d" % len(PAGE)), *headers]
    answer = passed(front, given, method=method, status=status)
    assert (answer.headers, answer.body) == (given, PAGE)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [200, 201, 401, 404, 422, 500, 503])
def test_page_of_any_status_gets_the_markup_and_stays_the_same_otherwise(
    front: Front, method: str, status: int
) -> None:
    answer = passed(front, method=method, status=status)
    for markup in (b"/consent/assets/consent.", b'id="cookie-consent"', b"site-privacy-settings"):
        assert markup in answer.body
    assert (b" data-form " in answer.body or b' data-form=""' in answer.body) == (method == "POST")
    before, after = PAGE.split(b"<h1>")
    assert answer.body.startswith(before[:20]) and answer.body.endswith(after[-14:])
    assert after[: after.index(b"</body>")] in answer.body


# What is shown where


@pytest.mark.parametrize("dest", [b"iframe", b"embed", b"object"])
@pytest.mark.parametrize("granted", [False, True])
def test_page_in_a_frame_gets_the_script_alone(front: Front, dest: bytes, granted: bool) -> None:
    visitor = [cookie(front, **EVERYTHING)] if granted else []
    given = [HTML, (b"etag", b'"1"')]
    whole, framed = (
        passed(front, given, sent=visitor),
        passed(front, given, sent=[*visitor, (b"sec-fetch-dest", dest)]),
    )
    assert b"/consent/assets/consent." in framed.body
    assert b"cookie-consent-" not in framed.body.replace(inline_style()[0].encode(), b"")
    assert b'class="site-privacy' not in framed.body
    assert framed.caching == whole.caching and framed.values(b"x-frame-options") == [b"SAMEORIGIN"]
    # A browser keeps one copy of both, which must not be taken for the other.
    for place, sent in ((BROWSED, framed), ((b"sec-fetch-dest", dest), whole)):
        (tag,) = sent.values(b"etag")
        asked = passed(front, given, sent=[*visitor, place, (b"if-none-match", tag)])
        assert caching.values(asked.seen, b"if-none-match") == []
    frame = [*visitor, (b"sec-fetch-dest", dest)]
    asked = passed(front, given, sent=[*frame, (b"if-none-match", framed.values(b"etag")[0])])
    assert caching.values(asked.seen, b"if-none-match") == [b'"1"']


def test_public_page_is_the_same_in_a_frame_and_in_a_window(front: Front) -> None:
    given = [HTML, *PUBLIC[0], (b"etag", b'"1"')]
    windows = [
        passed(front, given, sent=[(b"sec-fetch-dest", dest)]) for dest in (b"document", b"iframe", b"frame")
    ]
    assert len({(tuple(window.headers), window.body) for window in windows}) == 1


def test_frame_of_a_frameset_is_asked_in(front: Front) -> None:
    assert b'id="cookie-consent"' in passed(front, sent=[(b"sec-fetch-dest", b"frame")]).body


@pytest.mark.parametrize("path", ["/docs", "/admin/", "/admin/users/1", "/a/edit"])
def test_excluded_page_is_left_alone_and_its_cookies_are_not(make_front: MakeFront, path: str) -> None:
    front = make_front(exclude=["/docs", "/admin/*", "/*/edit"], csp="default-src 'self'")
    given = [HTML, (b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=1")]
    answer = passed(front, given, sent=[BROWSED, (b"cookie", b"_ga=1")], path=path)
    assert answer.body == PAGE and answer.values(b"x-frame-options") == []
    assert not any(value.startswith(b"_ga=1") for value in answer.values(b"set-cookie"))
    assert b"session=1" in answer.values(b"set-cookie")
    assert caching.values(answer.seen, b"cookie") == []
    assert answer.values(b"content-security-policy")


def test_path_that_is_not_excluded_gets_the_banner(make_front: MakeFront) -> None:
    front = make_front(exclude=["/docs", "/admin/*"])
    for path in ("/", "/docs/", "/docs2", "/a/docs", "/administration"):
        assert b'id="cookie-consent"' in passed(front, path=path).body, path


def test_excluded_page_that_was_kept_with_a_banner_is_sent_once_more(make_front: MakeFront) -> None:
    given = [HTML, (b"etag", b'"1"')]
    (tag,) = passed(make_front(), given, path="/docs").values(b"etag")
    front = make_front(exclude=["/docs"])
    sent = [BROWSED, (b"if-none-match", b'"1", ' + tag)]
    answer = passed(front, given, sent=sent, path="/docs")
    assert caching.values(answer.seen, b"if-none-match") == [b'"1"']
    assert answer.headers == given
    (own,) = passed(front, given, path="/docs", do=reads).values(b"etag")
    again = passed(front, given, sent=[(b"if-none-match", own)], path="/docs")
    assert caching.values(again.seen, b"if-none-match") == [b'"1"']


@pytest.mark.parametrize(
    "body", [b"<p>Hello, World!</p>", b"Hello, World!", b"<head><title>x</title></head>Hello"]
)
def test_what_a_browser_shows_in_a_window_is_a_page_without_a_doctype_too(front: Front, body: bytes) -> None:
    given = [HTML, (b"etag", b'"1"')]
    page = passed(front, given, body, sent=[BROWSED])
    assert b'id="cookie-consent"' in page.body and b"site-privacy-settings" in page.body
    assert page.caching[0] == [b"private, no-cache"]
    # A script that fetches the same address gets the fragment, and never the page that the browser kept.
    fetched = [(b"sec-fetch-dest", b"empty"), (b"if-none-match", page.values(b"etag")[0])]
    fragment = passed(front, given, body, sent=fetched)
    assert (fragment.headers, fragment.body) == (given, body)
    assert caching.values(fragment.seen, b"if-none-match") == []
    again = passed(
        front, given[1:], b"", status=304, sent=[BROWSED, (b"if-none-match", page.values(b"etag")[0])]
    )
    assert caching.values(again.seen, b"if-none-match") == [b'"1"']
    assert again.values(b"etag") == page.values(b"etag")


def test_fragment_in_shared_caches_stays_a_fragment_in_a_window(front: Front) -> None:
    given = [HTML, *PUBLIC[0]]
    assert passed(front, given, b"<p>fragment</p>", sent=[BROWSED]).body == b"<p>fragment</p>"


LEFT_ALONE: list[tuple[Headers, bytes, str, int]] = [
    ([(b"content-type", b"text/html; charset=latin-1")], PAGE, "it is not in UTF-8. Send it as UTF-8.", 30),
    ([HTML, (b"content-disposition", b"attachment")], PAGE, "it is an attachment.", 20),
    ([HTML, (b"content-range", b"bytes 0-1/2")], PAGE, "it is a part of a larger response.", 20),
    ([HTML], b"<p>fragment</p>", "it begins with neither a doctype nor <html>.", 20),
    (
        [HTML, (b"content-encoding", b"x")],
        PAGE,
        "its compression cannot be undone. Compress it with gzip",
        30,
    ),
]


@pytest.mark.parametrize(
    ("given", "body", "reason", "level"), LEFT_ALONE, ids=[reason for *_, reason, _ in LEFT_ALONE]
)
def test_what_is_left_alone_is_logged_once_with_the_reason(
    make_front: MakeFront,
    given: Headers,
    body: bytes,
    reason: str,
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    front = make_front(debug=True)
    with caplog.at_level(logging.INFO, "consentkit"):
        for path in ("/a", "/b"):
            answer = passed(front, given, body, path=path)
            assert answer.body == body
            (timing,) = answer.values(b"server-timing")
    (record,) = caplog.records
    assert (
        record.getMessage().startswith(f"'/a' gets no banner, because {reason}") and record.levelno == level
    )
    assert timing.decode() == f'consentkit;desc="no banner: {reason.partition(".")[0]}"'


def test_the_reason_for_excluded_pages_and_frames_is_logged_too(
    make_front: MakeFront, caplog: pytest.LogCaptureFixture
) -> None:
    front = make_front(exclude=["/docs"])
    with caplog.at_level(logging.INFO, "consentkit"):
        assert passed(front, path="/docs").values(b"server-timing") == []
        passed(front, sent=[(b"sec-fetch-dest", b"iframe")])
        passed(front, body=b"")
    assert [message.partition("because ")[2] for message in caplog.messages] == [
        "its path is excluded.",
        "it is shown in a frame.",
    ]


# A shared cache keeps one answer for all, so a header of one request must not decide what all others get.
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("body", [PAGE, b"<p>fragment</p>"])
@pytest.mark.parametrize("caches", [b"public, max-age=60", b"max-age=60"])
def test_no_header_of_the_request_decides_what_is_a_document(
    make_front: MakeFront, method: str, body: bytes, caches: bytes
) -> None:
    front = make_front(csp="script-src 'self'")
    given = [HTML, (b"cache-control", caches), (b"etag", b'"1"')]
    of_htmx = [
        *((b"hx-request", b"true"), (b"hx-boosted", b"true"), (b"x-requested-with", b"XMLHttpRequest")),
        *((b"sec-fetch-dest", b"empty"), (b"sec-fetch-mode", b"cors"), (b"accept", b"*/*")),
    ]
    plain = passed(front, given, body, method=method)
    asked = passed(front, given, body, method=method, sent=of_htmx)
    assert asked.headers == plain.headers
    assert without_submissions(asked.body) == without_submissions(plain.body)
    assert (b"/consent/assets/" in asked.body) == (body == PAGE and method != "HEAD")
    assert asked.values(b"content-security-policy")


@pytest.mark.parametrize("kind", [b"text/html; charset=latin-1", b"application/xhtml+xml", b"text/plain"])
def test_response_that_is_not_html_in_utf8_gets_no_markup(front: Front, kind: bytes) -> None:
    given = [(b"content-type", kind)]
    assert passed(front, given).headers == given
    assert passed(front, given).body == PAGE


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        (b"gzip", gzip.compress),
        (b"X-GZip", gzip.compress),
        (b"deflate", zlib.compress),
        (b"br", brotli.compress),
    ],
)
@pytest.mark.parametrize("size", [7, 100_000])
def test_page_that_the_application_compressed_gets_the_markup_and_leaves_compressed(
    front: Front, coding: bytes, compress: Callable[[bytes], bytes], size: int
) -> None:
    whole = compress(PAGE)
    chunks = [whole[at : at + size] for at in range(0, len(whole), size)]
    given = [
        *(HTML, (b"content-encoding", coding), (b"content-length", b"%d" % len(whole))),
        *((b"vary", b"Accept-Encoding"), (b"etag", b'W/"1"')),
    ]
    sent = [(b"accept-encoding", b"gzip, deflate, br")]
    answer = passed(front, given, chunks, sent=sent)
    page = gzip.decompress(answer.body)
    assert without_submissions(page) == without_submissions(passed(front, sent=sent).body)
    assert answer.values(b"content-encoding") == [b"gzip"]
    assert answer.values(b"content-length") == ([b"%d" % len(answer.body)] if len(chunks) == 1 else [])
    assert answer.values(b"vary") == [b"Accept-Encoding, Cookie, Sec-GPC, Accept-Language"]
    assert passed(front, given, b"", sent=sent, method="HEAD").values(b"content-encoding") == [b"gzip"]


def test_page_leaves_uncompressed_for_a_visitor_who_takes_no_gzip(front: Front) -> None:
    given = [HTML, (b"content-encoding", b"br")]
    answer = passed(front, given, brotli.compress(PAGE), sent=[(b"accept-encoding", b"br, gzip;q=0")])
    assert 'id="cookie-consent"' in answer.text and answer.values(b"content-encoding") == []


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"<p>fragment</p>"), gzip.compress(b""), PAGE, b"\x1f\x8bbroken"],
    ids=["fragment", "empty", "plain", "broken"],
)
def test_compressed_fragment_and_broken_compression_pass_byte_for_byte(front: Front, body: bytes) -> None:
    given = [HTML, (b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(body)), (b"etag", b'"1"')]
    for chunks in ([body], [body[:10], body[10:]]):
        answer = passed(front, given, chunks)
        assert (answer.headers, answer.body) == (given, body)


def test_each_chunk_of_a_compressed_stream_can_be_read_before_the_next(front: Front) -> None:
    compressor = zlib.compressobj(wbits=31)
    exchange = at_home(front)
    assert exchange.start(200, [HTML, (b"content-encoding", b"gzip")]) is None
    reader = zlib.decompressobj(wbits=31)
    read = b""
    for part in (PAGE[:90], PAGE[90:100], PAGE[100:]):
        sent = compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH)
        _, out = exchange.body(sent, True)
        read += reader.decompress(out)
        assert read.endswith(part[-9:])
    _, out = exchange.body(compressor.flush(), False)
    assert (read + reader.decompress(out)).endswith(b"</body></html>") and reader.eof


def test_without_its_package_brotli_cannot_be_undone(
    front: Front, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert passed(front, [HTML, (b"content-encoding", b"br")], b"\x8b").body == b"\x8b"
    assert "its compression cannot be undone. Compress it with gzip" in caplog.text


# HT-04
def test_our_tags_use_the_nonce_of_the_responses_policy(front: Front) -> None:
    policy = (b"Content-Security-Policy", b"style-src 'nonce-abc123'; script-src 'nonce-abc123'")
    link = tree(passed(front, [HTML, policy]).text).find(".//link")
    assert link.get("nonce") == "abc123"
    assert tree(passed(front).text).find(".//style").get("nonce") is None


def test_headers_about_the_original_body_are_dropped_when_markup_is_inserted(front: Front) -> None:
    given = [
        HTML,
        (b"content-length", b"9"),
        (b"accept-ranges", b"bytes"),
        (b"content-digest", b"sha-256=:x:"),
    ]
    answer = passed(front, given, [PAGE[:20], PAGE[20:]])
    names = [b"content-type", b"x-frame-options", b"cache-control", b"vary"]
    assert [name for name, _ in answer.headers] == names
    head = passed(front, [HTML, (b"content-length", b"9")], b"", method="HEAD")
    assert head.values(b"content-length") == []
    assert head.caching == answer.caching


def test_chunked_page_gets_no_content_length(front: Front) -> None:
    answer = passed(front, [HTML, (b"Transfer-Encoding", b"chunked")])
    assert answer.values(b"content-length") == []


# Framing: another site could lay its own page over the banner's buttons


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("public", [[], PUBLIC[0]])
@pytest.mark.parametrize("granted", [None, {}, EVERYTHING])
def test_page_with_our_markup_is_framed_by_its_own_site_alone(
    front: Front, method: str, public: Headers, granted: dict[str, bool] | None
) -> None:
    sent = [cookie(front, **granted)] if granted is not None else []
    answer = passed(front, [HTML, *public], method=method, sent=sent)
    assert answer.values(b"x-frame-options") == [b"SAMEORIGIN"]


@pytest.mark.parametrize(
    "chosen",
    [
        (b"X-Frame-Options", b"DENY"),
        (b"Content-Security-Policy", b"frame-ancestors https://partner.example"),
    ],
)
def test_page_that_says_who_may_frame_it_keeps_its_own_rule(
    make_front: MakeFront, chosen: tuple[bytes, bytes]
) -> None:
    given = [HTML, chosen]
    assert chosen in passed(make_front(), given).headers
    assert passed(make_front(), given).values(b"x-frame-options") == caching.values(
        [chosen], b"x-frame-options"
    )
    whole_site = make_front(csp="default-src 'self'; frame-ancestors 'self' https://partner.example")
    assert passed(whole_site).values(b"x-frame-options") == []


def test_response_without_our_markup_may_be_framed_as_before(front: Front) -> None:
    for headers, body, status in (([JSON], b"{}", 200), ([HTML], b"<p>one", 200), ([HTML], PAGE, 302)):
        assert passed(front, headers, body, status=status).headers == headers


# The Content-Security-Policy


VIDEO, ADS = b"https://www.youtube-nocookie.com", b"https://frames.adhub.example"


@pytest.fixture
def guarded(make_front: MakeFront) -> Front:
    """A site with a strict policy."""
    return make_front(csp=STRICT)


# HT-04, LB-10
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 404])
def test_the_policy_is_opened_for_granted_vendors_on_every_page(
    guarded: Front, method: str, status: int
) -> None:
    sent = [cookie(guarded, social=True)]
    (refused,) = passed(guarded, method=method, status=status).values(b"content-security-policy")
    answer = passed(guarded, sent=sent, method=method, status=status)
    (granted,) = answer.values(b"content-security-policy")
    assert VIDEO not in refused and VIDEO in granted and ADS not in granted
    assert re.search(rb"'nonce-[\w-]{22}'", granted)
    assert answer.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC, Accept-Language"])


# HT-04
def test_our_tags_and_the_applications_share_the_nonce_of_the_answer(guarded: Front) -> None:
    seen: list[str] = []
    answer = passed(guarded, do=lambda consent: seen.append(consent.nonce))
    page = tree(answer.text)
    assert page.find(".//style").get("nonce") == page.find(".//script").get("nonce") == seen[0]
    assert f"'nonce-{seen[0]}'".encode() in answer.values(b"content-security-policy")[0]
    passed(guarded, do=lambda consent: seen.append(consent.nonce))
    assert seen[1] != seen[0]


# HT-04
def test_a_policy_of_the_answer_is_opened_in_its_place(guarded: Front) -> None:
    given = [
        HTML,
        (b"Content-Security-Policy", b"default-src 'self'; script-src 'nonce-abc'"),
        (b"content-security-policy-report-only", b"frame-src 'none'"),
        (b"x-other", b"1"),
    ]
    answer = passed(guarded, given, sent=[cookie(guarded, social=True)])
    enforced, reported = answer.headers[1], answer.headers[2]
    assert enforced[0] == b"Content-Security-Policy" and VIDEO in enforced[1]
    assert reported[0] == b"content-security-policy-report-only" and VIDEO in reported[1]
    assert tree(answer.text).find(".//script").get("nonce") == "abc"


# HT-01, HT-04
def test_a_public_page_is_opened_for_all_that_are_declared(guarded: Front) -> None:
    pages = [
        passed(guarded, [HTML, PUBLIC[0][0]], sent=sent) for sent in ([], [cookie(guarded, social=True)])
    ]
    assert (pages[0].headers, pages[0].body) == (pages[1].headers, pages[1].body)
    (policy,) = pages[0].values(b"content-security-policy")
    assert VIDEO in policy and ADS in policy and b"nonce" not in policy
    asked = passed(guarded, [HTML, PUBLIC[0][0]], do=lambda consent: consent.nonce)
    assert asked.caching[0] == [b"private, no-cache"]
    assert ADS not in asked.values(b"content-security-policy")[0]


def test_response_that_is_not_html_gets_no_content_security_policy(guarded: Front) -> None:
    assert passed(guarded, [JSON], b"{}").headers == [JSON]


# HT-04
@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"<p>fragment", 200, []),
        (PAGE, 200, [(b"content-encoding", b"br")]),
        (PAGE, 200, [(b"content-disposition", b"attachment")]),
        (PAGE, 206, [(b"content-range", b"bytes 0-9/10")]),
        (b"<p>gone", 404, []),
        (PAGE, 302, []),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_html_that_gets_no_markup_carries_the_policy_all_the_same(
    guarded: Front, body: bytes, status: int, headers: Headers, method: str
) -> None:
    def answer(*more: tuple[bytes, bytes], sent: Sequence[tuple[bytes, bytes]] = ()) -> Passed:
        return passed(guarded, [HTML, *headers, *more], body, status=status, method=method, sent=sent)

    granted = [cookie(guarded, social=True)]
    assert VIDEO not in answer().values(b"content-security-policy")[0]
    mine = answer(sent=granted)
    assert VIDEO in mine.values(b"content-security-policy")[0] and mine.body == body
    assert mine.caching == ([b"private, no-cache"], [b"Cookie, Sec-GPC, Accept-Language"])
    shared = [answer(PUBLIC[0][0], sent=sent) for sent in ([], granted)]
    assert shared[0].headers == shared[1].headers
    assert ADS in shared[0].values(b"content-security-policy")[0]
    assert shared[0].caching == ([PUBLIC[0][0][1]], [])


def test_page_that_the_server_sends_itself_carries_the_policy(guarded: Front) -> None:
    exchange = at_home(guarded)
    assert exchange.start(200, [HTML]) is None
    headers = exchange.body_elsewhere()
    assert headers is not None and caching.values(headers, b"content-security-policy")


# HT-04
@pytest.mark.parametrize("marked", [True, False])
def test_a_304_leaves_the_policy_of_the_page_that_was_kept(guarded: Front, marked: bool) -> None:
    tag = passed(guarded, [HTML, (b"etag", b'"1"')]).values(b"etag")[0] if marked else b'"1"'
    given = [(b"etag", b'"1"'), (b"content-security-policy", b"default-src 'self'")]
    answer = passed(guarded, given, b"", status=304, sent=[(b"if-none-match", tag)])
    assert answer.values(b"content-security-policy") == []
    assert answer.values(b"etag") == [tag]


def test_what_was_dropped_is_shown_to_developers_who_ask(make_front: MakeFront) -> None:
    front = make_front(debug=True, strict=True)
    given = [
        HTML,
        *((b"set-cookie", line) for line in (b"_ga=1", b"other=1", b"session=1", b"watched=; Max-Age=0")),
    ]
    scripts = list(tree(passed(front, given).text).iter("script"))
    assert [script.get("data-dropped") for script in scripts] == [
        None,
        "_ga: refused (analytical), other: undeclared",
    ]
    assert len(list(tree(passed(make_front(), given).text).iter("script"))) == 1


@CASES
@given(cuts=st.sets(st.integers(1, len(PAGE) - 1), max_size=8))
def test_how_a_document_was_cut_makes_no_difference(front: Front, cuts: set[int]) -> None:
    places = [0, *sorted(cuts), len(PAGE)]
    chunks = [PAGE[at:end] for at, end in pairwise(places)]
    assert without_submissions(passed(front, body=chunks).body) == without_submissions(passed(front).body)


def test_a_body_may_be_a_view_of_memory(front: Front) -> None:
    views: Any = [memoryview(PAGE[:30]), memoryview(PAGE[30:])]
    assert without_submissions(passed(front, body=views).body) == without_submissions(passed(front).body)


@pytest.mark.parametrize("kind", [b"text/html", b"Text/HTML", b"tEXT/html; charset=utf-8", b"TEXT/html"])
def test_a_page_is_a_page_in_whatever_letters(front: Front, kind: bytes) -> None:
    assert b'id="cookie-consent"' in passed(front, [(b"Content-Type", kind)]).body


def test_page_that_the_server_sends_itself_keeps_its_headers(front: Front) -> None:
    given = [HTML, (b"content-length", b"9"), (b"etag", b'"1"')]
    exchange = at_home(front)
    assert exchange.start(200, list(given)) is None and not exchange.passes
    assert exchange.body_elsewhere() == given
    assert exchange.passes and exchange.body_elsewhere() is None


@CASES
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(
                        b"content-type",
                        b"Set-Cookie",
                        b"cache-control",
                        b"etag",
                        b"vary",
                        b"content-encoding",
                    ),
                    *(b"content-disposition", b"content-security-policy", b"cdn-cache-control", b"x"),
                ]
            ),
            st.one_of(
                st.binary(max_size=30), st.sampled_from([b"text/html", b"public", b"_ga=1", b'"1"', b"*"])
            ),
        ),
        max_size=6,
    ),
    body=st.lists(st.binary(max_size=40) | st.just(PAGE), min_size=1, max_size=4),
    status=st.sampled_from([200, 204, 206, 304, 404, 500]),
    sent=st.lists(
        st.tuples(
            st.sampled_from([b"cookie", b"if-none-match", b"if-match", b"accept-language", b"sec-gpc"]),
            st.binary(max_size=40) | st.sampled_from([b'"1~ck.x"', b"_ga=1; session=2", b"1"]),
        ),
        max_size=4,
    ),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
)
def test_any_response_of_an_application_passes_without_an_error(
    front: Front, headers: Headers, body: list[bytes], status: int, sent: Headers, method: str
) -> None:
    answer = passed(front, headers, body, status=status, sent=sent, method=method)
    assert not [line for line in answer.values(b"set-cookie") if re.match(rb"(?i)[\s=]*_ga=1", line)]
    assert answer.body.replace(b"".join(body), b"") is not None
    if any(line.startswith(COOKIE.encode()) for line in answer.values(b"set-cookie")):
        assert not caching.is_public(answer.headers)


# The ledger


# WD-03, CK-08
def test_a_grant_is_looked_up_when_it_is_seen_first_and_then_believed(
    make_front: MakeFront, ledger_url: str
) -> None:
    first, second = make_front(ledger=ledger_url), make_front(ledger=ledger_url)
    sent = [cookie(first, **EVERYTHING)]
    exchange = at_home(second, sent)
    assert exchange.needs_ledger
    exchange.ask_ledger()
    assert exchange.consent.allows("social")
    for later in (sent, [], [(b"cookie", b"consent=x")]):
        assert not at_home(second, later).needs_ledger


# WD-03
def test_withdrawal_on_another_server_updates_the_cookie_on_the_next_page(
    make_front: MakeFront, ledger_url: str
) -> None:
    here, there = make_front(ledger=ledger_url), make_front(ledger=ledger_url)
    client = here.client()
    sent = [also((b"cookie", f"{COOKIE}={here.cookie(client, **EVERYTHING)}".encode()), "_ga")]
    assert passed(there, sent=sent).values(b"set-cookie") == []
    here.clock.advance(61)
    client.delete("/consent/decision")
    assert passed(there, [JSON], b"{}", sent=sent, do=reads).values(b"set-cookie") == []
    page = passed(there, sent=sent)
    ours, companion, leftover = page.values(b"set-cookie")
    assert ours.startswith(f"{COOKIE}=1w.".encode())
    assert companion.startswith(f"{COMPANION}=-;".encode())
    assert leftover.startswith(b"_ga=;")
    assert page.values(b"cache-control") == [b"private, no-store"]
    assert b'id="cookie-consent"' not in page.body
    assert passed(there, [HTML, PUBLIC[0][0]], sent=sent).values(b"set-cookie") == []


# VA-05
def test_a_notice_that_another_process_published_is_learned(make_front: MakeFront, ledger_url: str) -> None:
    older = a_policy(records_kept="P3Y")
    assert Notice.of(older).digest != Notice.of(a_policy()).digest
    renewed = make_front(ledger=ledger_url)
    sent = [cookie(make_front(older, ledger=ledger_url), **EVERYTHING)]
    exchange = at_home(renewed, sent)
    assert exchange.needs_ledger
    exchange.ask_ledger()
    assert exchange.consent.status == "given"
    forged = (b"cookie", sent[0][1][:-1] + b"!")
    assert not at_home(renewed, [forged]).needs_ledger


# VA-05, CK-08
def test_a_notice_that_nobody_published_stays_unknown(make_front: MakeFront, ledger_url: str) -> None:
    sent = [cookie(make_front(a_policy(records_kept="P3Y")), **EVERYTHING)]
    exchange = at_home(make_front(ledger=ledger_url), sent)
    assert exchange.needs_ledger
    exchange.ask_ledger()
    assert exchange.consent.status == "unknown"


# VA-05, CK-08
def test_page_does_not_wait_for_the_notices_of_a_ledger_that_hangs(
    make_front: MakeFront, ledger_url: str
) -> None:
    first = make_front(a_policy(records_kept="P3Y"), ledger=ledger_url)
    sent = [cookie(first, **EVERYTHING)]
    first.manager.close()
    second = make_front(ledger=Ledger(ledger_url, lock_timeout=30))
    with nobody_reads(ledger_url):
        exchange = at_home(second, sent)
        assert exchange.needs_ledger
        assert not exchange.ask_ledger(0) and not exchange.ask_ledger(0.01)
        assert exchange.consent.status == "unknown"
    later = at_home(second, sent)
    assert later.ask_ledger()
    assert later.consent.status == "given"
    second.ledger.close()


def test_unavailable_ledger_does_not_delay_requests(make_front: MakeFront, ledger_url: str) -> None:
    first, second = make_front(ledger=ledger_url), make_front(ledger=ledger_url)
    sent = [cookie(first, **EVERYTHING)]
    with another_process_holds(ledger_url):
        assert b'id="cookie-consent"' not in passed(second, sent=sent).body


# Over a whole visit


# LB-01, LB-03, LB-04, UI-07
def test_a_visitor_who_does_nothing_grants_nothing(front: Front) -> None:
    client: TestClient = front.client()
    for _ in range(5):
        page = client.get("/")
        front.clock.advance(days=30)
        assert "cookie-consent-accept-all" in page.text
        assert "set-cookie" not in page.headers
    assert front.records() == []


# UI-08, VA-01, VA-02, VA-03, VA-04
@pytest.mark.parametrize("categories", [EVERYTHING, {}])
def test_an_answer_stands_for_six_months_and_no_visit_prolongs_it(
    front: Front, categories: dict[str, bool]
) -> None:
    client = front.client()
    token = front.cookie(client, **categories)
    for _ in range(181):
        page = client.get("/", headers={"Cookie": f"{COOKIE}={token}"})
        assert 'id="cookie-consent"' not in page.text and "set-cookie" not in page.headers
        front.clock.advance(days=1)
    assert 'id="cookie-consent"' in client.get("/", headers={"Cookie": f"{COOKIE}={token}"}).text
