"""How the work of a parser grows with its input: in calls, and in instructions where one regular expression does the work.

Calls are counted by the profiler of the standard library, and repeat exactly. They miss what a single call does, so some
cases are run again under callgrind: `python -m tests.fuzz.growth` marks where each of these begins and ends.
"""

import cProfile
import os
import subprocess
from collections.abc import Callable, Mapping

from consentkit.enforcement import nonce_of
from consentkit.headers import cookie_values, lifetime, local_path, sends_gpc, sent_cookie_names
from consentkit.html import Inserter
from tests.fuzz.security_policies import CSP, OWN
from tests.fuzz.site import GRANTED, POLICY, UNDECIDED, new_gate

SIZES = tuple(1 << power for power in range(15, 21))
ENOUGH = 300_000
"""Calls after which an input is large enough to show how they grow; to count more would only take time."""

Read = Callable[[bytes], object]


def repeated(part: bytes, size: int, start: bytes = b"") -> bytes:
    """Return about `size` bytes: a beginning, then a part again and again, an even number of times.

    With an odd number of quotes, half of the sizes would end inside a quoted value.
    """
    return start + part * ((size - len(start)) // len(part) // 2 * 2)


def calls(read: Read, data: bytes) -> int:
    """Return how many functions are called, built-in ones included."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        read(data)
    finally:
        profile.disable()
    return sum(entry.callcount for entry in profile.getstats())


def growth(read: Read, start: bytes, part: bytes) -> list[int]:
    """Return the calls for each size, at least three, up to the first that takes enough of them."""
    read(repeated(part, 1 << 12, start))
    counted: list[int] = []
    for size in SIZES:
        counted.append(calls(read, repeated(part, size, start)))
        if len(counted) >= 3 and counted[-1] > ENOUGH:
            break
    return counted


def insert(document: bytes) -> bytes:
    """Insert into a document."""
    return Inserter(b"[head]", b"[start]", b"[end]", unless_class=b"own").feed(document, False)


def insert_in_pieces(document: bytes) -> None:
    """Insert into a document that arrives 4 KiB at a time."""
    inserter = Inserter(b"[head]", b"[start]", b"[end]")
    for at in range(0, len(document), 4096):
        inserter.feed(document[at : at + 4096], True)
    inserter.feed(b"", False)


def read_cookies(field: bytes) -> None:
    """Read a Cookie field as the consent cookie's reader does."""
    cookie_values([(b"cookie", field)], b"__Host-consent")
    sent_cookie_names([(b"cookie", field)])


def strip_cookies(field: bytes) -> None:
    """Hide the cookies of a Cookie field that need consent, with a gate that remembers no names."""
    for consent in (UNDECIDED, GRANTED):
        new_gate().strip(field, consent.allows)
        new_gate(strict=True).strip(field, consent.allows)


def open_policy(value: bytes) -> None:
    """Open a Content-Security-Policy for every vendor."""
    CSP.merge_into(value, {vendor.id for vendor in POLICY.vendors}, OWN, nonce_of([value]))


_BODY = b"<html><body>"
# What one match of a regular expression reads: the reader, the beginning, and the part that is repeated.
SKIPPED: Mapping[str, tuple[Read, bytes, bytes]] = {
    "text": (insert, _BODY, b"a & b; "),
    "ordinary tags": (insert, _BODY, b"<p>"),
    "attributes": (insert, _BODY, b"<p a=\"b\" c='d' e=f>"),
    "an unclosed value": (insert, _BODY + b"<p a='", b"<b "),
    "attributes of an unclosed tag": (insert, _BODY + b"<p ", b"a=b "),
    "equals signs of an unclosed tag": (insert, _BODY + b"<p ", b"="),
    "spaces of an unclosed tag": (insert, _BODY + b"<p", b" "),
    "an unclosed comment": (insert, _BODY + b"<!--", b"-- "),
    "comments": (insert, _BODY, b"<!-- a - b -- c -->"),
    "dashes": (insert, _BODY + b"<!--", b"-"),
    "an unclosed script": (insert, _BODY + b"<script>", b"</scrip "),
    "scripts": (insert, _BODY, b"<script>a < b</script>"),
    "pictures": (insert, _BODY, b"<svg><path d='M0'/><g></g></svg>"),
    "an unclosed picture": (insert, _BODY + b"<svg>", b"<path d='M0'/>"),
    "classes": (insert, _BODY, b"<p class='a b'>own"),
    "commas of Cookie": (read_cookies, b"", b","),
    "hidden cookies": (strip_cookies, b"", b"_ga=1; "),
    "control characters of Cookie": (strip_cookies, b"_ga", b"\x01"),
    "commas of a Content-Security-Policy": (open_policy, b"default-src a", b","),
    "commas of Sec-GPC": (lambda field: sends_gpc([(b"sec-gpc", field)]), b"", b", "),
    "attributes of Set-Cookie": (lifetime, b"a=1", b"; max-ag"),
    "spaces of Set-Cookie": (lifetime, b"a=1", b"; \t  "),
    "ages of Set-Cookie": (lifetime, b"a=1; Max-Age=", b"9"),
    "dots of a path": (lambda path: local_path(path.decode(), "/consent"), b"/", b"../"),
}
INSTRUCTED = (1 << 15, 1 << 16)


def main() -> None:
    """Read each input of SKIPPED once to warm up, and once between two marks.

    Counting begins here, because the imports would take callgrind most of its time.
    """
    subprocess.run(
        ["callgrind_control", "--instr=on", str(os.getpid())], check=True, stdout=subprocess.DEVNULL
    )
    for read, start, part in SKIPPED.values():
        for size in INSTRUCTED:
            data = repeated(part, size, start)
            read(data[: 1 << 12])
            os.getpgid(0)
            read(data)
            os.getpgid(0)


if __name__ == "__main__":
    main()
