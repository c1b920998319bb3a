"""What a parser does grows as its input does: twice the input, twice the work."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from consentkit.config.toml_document import TomlDocument
from consentkit.config.toml_positions import key_lines
from consentkit.enforcement import ObservedCookies, SetCookieFilter
from consentkit.errors import InvalidDecisionError, PolicyError
from consentkit.handoff.token import HandoffRefusal
from consentkit.headers import preferred_language
from consentkit.headers.caching import depends_on_visitor, match_state
from consentkit.web.endpoints.choice import read_form, read_json
from tests.benchmarks.counting import callgrind, has_valgrind
from tests.fuzz import growth
from tests.fuzz.growth import INSTRUCTED, SKIPPED, Read, insert, insert_in_pieces
from tests.fuzz.handoff_tokens import PUBLIC, TRANSACTIONS, verify_token
from tests.fuzz.site import COOKIE, GRANTED, NAME, NOW, UNDECIDED, new_gate

FILTER = SetCookieFilter(new_gate(), ObservedCookies())
# What a call at the beginning and at the end adds to twice the work.
MOST = 2.25


def refused(read: Callable[[], object], *errors: type[Exception]) -> None:
    """Read what may be refused."""
    try:
        read()
    except errors:
        return


def read_toml(content: bytes) -> None:
    refused(lambda: TomlDocument("consent.toml", content), PolicyError)
    key_lines(content.decode())


def filter_line(line: bytes) -> None:
    for consent in (UNDECIDED, GRANTED):
        FILTER.filter([(b"set-cookie", line)], consent, NOW, NOW + 100)


def read_token(value: bytes) -> None:
    COOKIE.verify(value)
    COOKIE.read([(b"cookie", NAME + b"=" + value)])


def read_bodies(body: bytes) -> None:
    refused(lambda: read_json(body, merge=False), InvalidDecisionError)
    refused(lambda: read_form(body), InvalidDecisionError)


def read_handoff(value: bytes) -> None:
    verify_token(value.decode("latin-1"), PUBLIC)
    refused(lambda: TRANSACTIONS.loads(value), HandoffRefusal)


def vary(value: bytes) -> None:
    depends_on_visitor(
        [(b"vary", value), (b"cache-control", value), (b"etag", value)], b"Cookie", lambda: b"x"
    )
    match_state(b'"~ck.x", ' + value, [b"x"])
    preferred_language([(b"accept-language", value)], ("en", "nl"))


_BODY = b"<html><body>"
# The reader, the beginning, and the parts of which each is repeated.
READERS: dict[str, tuple[Read, bytes, tuple[bytes, ...]]] = {
    "html": (
        insert,
        _BODY,
        (b"<", b"</", b"<!", b"<a ", b"<a x='", b"<!--", b"&", b"a=", b"--!", b"\0", b"</x>"),
    ),
    "raw text": (insert, _BODY, (b"<script>", b"<script><!--", b"<title>", b"<textarea></x", b"<style><!--")),
    "foreign": (insert, _BODY, (b"<svg><g>", b"<svg></x>", b"<math><mi>", b"<template>", b"<svg><![CDATA[")),
    "head": (insert, b"<html><head>", (b"<meta x='", b"<!-- -->", b"<link>", b" ", b"<title>x</title>")),
    "pieces": (insert_in_pieces, _BODY, (b"<", b"<a x='", b"<!--", b"<p a=b ", b"<script>", b"\"'", b"<p>")),
    "set-cookie": (
        filter_line,
        b"_ga=1",
        (b";", b",", b"=", b", _ga=1", b"; Max-Age=9", b" ", b"; Expires=1"),
    ),
    "cookie": (growth.read_cookies, b"", (b";", b"=", b"a=b; ", b" ", b"__Host-consent=x;")),
    "hidden cookies": (
        growth.strip_cookies,
        b"",
        (b";", b",", b"=_ga", b"_ga=1; ", b"_GA1=1; session=1;", b" "),
    ),
    "token": (read_token, b"1d", (b".", b"a", b"=", b"\xff")),
    "csp": (
        growth.open_policy,
        b"default-src 'self'",
        (b";", b",", b" ", b" a", b"; a", b", default-src a", b"; script-src 'nonce-a'", b"'"),
    ),
    "toml": (
        read_toml,
        b"",
        (b"#", b"# a\n", b"[", b'"', b"'", b"a.", b"[[t]]\na = '#'\n", b"a = {", b"\n", b"="),
    ),
    "bodies": (read_bodies, b"", (b"[", b"{", b'{"a":', b'"', b"&", b"a=b&", b"%41", b"%", b"\\u0000", b",")),
    "handoff": (read_handoff, b"e30", (b".", b"a", b"=", b"-")),
    "caching": (vary, b"a", (b",", b'"', b"a,", b'"a", ', b"\\", b";q=0", b'a="')),
}
CASES = {
    f"{name} {part!a}": (read, start, part)
    for name, (read, start, parts) in READERS.items()
    for part in parts
} | SKIPPED


@pytest.mark.parametrize("name", CASES)
def test_calls_double_at_most_with_the_input(name: str) -> None:
    counted = growth.growth(*CASES[name])
    # Smaller input may fit into the 16 KiB of a tag that are held back.
    for before, after in pairwise(counted[-3:]):
        assert after <= MOST * before + 100, counted


# Without valgrind only calls are counted. With it, a program takes fifty times as long.
@pytest.mark.timeout(900)
def test_instructions_of_a_regular_expression_double_at_most_with_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_valgrind():
        return
    # The work of a coverage measurement would be counted too.
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        monkeypatch.delenv(name)
    _, parts = callgrind(["-m", growth.__name__], tmp_path, "--dump-before=getpgid", "--instr-atstart=no")
    # Each input has a part of warming up, then its own.
    counted = [parts[number] for number in range(2, 4 * len(SKIPPED) + 1, 2)]
    assert len(counted) == len(SKIPPED) * len(INSTRUCTED)
    for name, before, after in zip(SKIPPED, counted[::2], counted[1::2], strict=True):
        assert before > 10_000 and after <= MOST * before + 100_000, name
