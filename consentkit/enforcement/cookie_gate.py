"""Decides which cookies may pass: set by the application, shown to it, expired.

Names are read the way browsers read them (RFC 6265bis, section 5.7), and where a name could be taken for another one
the stricter reading counts: a declared cookie in other letter case, with odd bytes around its name, without a name
(`=_ga=1` comes back as `_ga=1`) or behind a comma in another's line is that declared cookie. Only a grant, or being
required, needs the exact name.
"""

import re
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import NamedTuple

from consentkit._bounded_cache import BoundedCache
from consentkit.headers import clamp, deletion, lifetime
from consentkit.policy import Policy, Tracker

__all__ = ["Action", "Allows", "CookieGate", "Reason", "Verdict", "permitted"]

Allows = Callable[[str, str | None], bool]
"""Whether a category, by id, is granted, for one vendor of it or for ourselves (None)."""

DELETIONS_AT_ONCE = 50
_NAMES_REMEMBERED = 2048
_LONGEST_NAME_REMEMBERED = 256

# What browsers trim, what frameworks trim beside, and what makes some browsers cut or ignore the line.
_AROUND_NAMES = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0"
_NO_NAME = {code: None for code in (*range(0x20), 0x7F)}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
NUL, LF, CR, COMMA = b"\0\n\r,"  # looking for a number is eight times faster than for a byte string
_JOINED = re.compile(rb",[= \t]*+([^;,=]*+)=[^;,]*+")


class Action(Enum):
    """What becomes of a Set-Cookie line."""

    PASS = auto()
    DROP = auto()
    REWRITE = auto()


class Reason(Enum):
    """Why; `UNDECLARED`, `REFUSED`, `CLAMPED`, `JOINED` and `BROKEN` are worth a line in the log."""

    OWN = "own"
    """Our own cookie."""
    REQUIRED = "required"
    """Declared in a required category."""
    GRANTED = "granted"
    REFUSED = "refused"
    """Declared, and its category or vendor is not granted."""
    DELETION = "deletion"
    UNDECLARED = "undeclared"
    """Not in the policy; dropped in strict mode alone."""
    CLAMPED = "clamped"
    """Granted, and would have outlived the consent."""
    JOINED = "joined"
    """A refused cookie stood behind a comma, and was cut out."""
    BROKEN = "broken"
    """Holds a byte that ends a header line."""


class Verdict(NamedTuple):
    """What becomes of one Set-Cookie line."""

    action: Action
    reason: Reason
    name: str
    """Of the cookie that decided."""
    tracker: Tracker | None = None
    """What declares it."""
    value: bytes | None = None
    """What goes out instead, for `REWRITE`."""
    depends: bool = False
    """Whether another consent would have given another line, so that the answer is not for shared caches."""


class _Known(NamedTuple):
    """What there is to know about one cookie name, as it stands in a header."""

    trackers: tuple[Tracker, ...]
    """All that match equally well; the cookie is granted only if they all are."""
    clamped: bool
    free: Verdict | None
    """The verdict where it is always the same."""
    granted: Verdict
    refused: Verdict
    deleted: Verdict
    broken: Verdict


def permitted(tracker: Tracker, allows: Allows) -> bool:
    """Say whether a declared item of any kind may be stored or read, personal data or not (EDPB 2/2023)."""
    return allows(tracker.category, tracker.vendor)


class CookieGate:
    """Hold the declared cookies against a consent.

    `own_names` are our own cookies' names, which always pass. In `strict` mode what is undeclared is dropped too.
    """

    __slots__ = (
        "_by_name",
        "_by_prefix",
        "_clamped",
        "_folded_by_name",
        "_folded_by_prefix",
        "_known",
        "_own",
        "_refusable",
        "_required",
        "_strict",
    )

    def __init__(self, policy: Policy, *, own_names: frozenset[str], strict: bool = False) -> None:
        cookies = [tracker for tracker in policy.trackers if tracker.kind == "cookie"]
        self._own = own_names
        self._strict = strict
        self._required = frozenset(category.id for category in policy.categories if category.required)
        self._clamped = frozenset(category.id for category in policy.consent_needed)
        self._refusable = refusable = [one for one in cookies if one.category not in self._required]
        self._by_name, self._by_prefix = _sorted_out(cookies, str)
        self._folded_by_name, self._folded_by_prefix = _sorted_out(refusable, str.lower)
        self._known: BoundedCache[bytes, _Known] = BoundedCache(_NAMES_REMEMBERED)

    def classify(self, name: str) -> Tracker | None:
        """Return what declares a cookie: by its exact name, else by the longest pattern, else in other letter case."""
        trackers = self._look_up(name.encode("latin-1", "replace")).trackers
        return trackers[0] if trackers else None

    def set_cookie(self, value: bytes, allows: Allows, now: float, ends: int | None) -> Verdict:
        """Judge one Set-Cookie value; `now` and `ends`, the end of the consent, in seconds since the epoch."""
        name = value.lstrip(b"= \t").partition(b"=")[0]
        known = self._known.get(name) or self._look_up(name)
        if LF in value or CR in value or NUL in value:
            return known.broken
        if COMMA in value and _JOINED.search(value):
            return self._judge_joined(value, known, allows, now, ends)
        return known.free or self._evaluate(value, known, allows, now, ends)

    def usual(self, name: bytes, allows: Allows) -> Verdict:
        """Give the verdict on a plain line that sets a cookie of this name and says nothing about its end."""
        known = self._look_up(name)
        if known.free is not None:
            return known.free
        return known.granted if known.trackers and _all_permitted(known.trackers, allows) else known.refused

    def hidden(self, names: Iterable[str], allows: Allows) -> list[str]:
        """Return those of the sent cookies that are declared and not granted."""
        return [name for name in names if self._refuses(name.encode("latin-1", "replace"), allows)]

    def may_hide(self, name: bytes) -> bool:
        """Say whether a cookie of this name, as it stands in a Cookie header, is hidden for want of some consent."""
        known = self._look_up(name.lstrip(b"= \t"))
        return known.free is None and bool(known.trackers)

    def strip(self, header: bytes, allows: Allows) -> bytes:
        """Cut cookies that are declared and not granted out of a Cookie header; the rest stays byte for byte.

        Returns the same object where nothing is hidden, and nothing where nothing is left.
        """
        pairs = header.split(b";")
        left = []
        for pair in pairs:
            name = pair.lstrip(b"= \t").partition(b"=")[0]
            known = self._known.get(name) or self._look_up(name)
            if known.free or _all_permitted(known.trackers, allows):
                left.append(pair)
        if len(left) == len(pairs):
            return header
        joined = b";".join(left)
        return joined if left and left[0] is pairs[0] else joined.lstrip(b" \t")

    def leftovers(self, sent_names: Iterable[str], allows: Allows) -> list[str]:
        """Write Set-Cookie values that expire the sent cookies that are declared and not granted.

        One for each place of storage (name, domain, path, partition), at most 50 at a time: what is left comes again with the
        next request. Cookies on a vendor's own domain are out of our reach.
        """
        found: dict[str, None] = {}
        for name in sent_names:
            if _TOKEN.fullmatch(name) and self._refuses(name.encode(), allows):
                for tracker in self._refusable:
                    if _matches(tracker, name) and not tracker.third_party and not permitted(tracker, allows):
                        place = (tracker.path, tracker.domain, tracker.partitioned)
                        found[deletion(name, *place)] = None
        return list(found)[:DELETIONS_AT_ONCE]

    def _refuses(self, name: bytes, allows: Allows) -> bool:
        known = self._known.get(name) or self._look_up(name)
        return known.free is None and not _all_permitted(known.trackers, allows)

    def _look_up(self, name: bytes) -> _Known:
        known = self._known.get(name)
        if known is None:
            known = self._learn(name.partition(b";")[0].strip(b" \t").decode("latin-1"))
            if len(name) <= _LONGEST_NAME_REMEMBERED:
                self._known[name] = known
        return known

    def _learn(self, name: str) -> _Known:
        trackers = self._trackers(name)
        first = trackers[0] if trackers else None
        free = None
        if name in self._own:
            free = Verdict(Action.PASS, Reason.OWN, name)
        elif trackers and all(tracker.category in self._required for tracker in trackers):
            free = Verdict(Action.PASS, Reason.REQUIRED, name, first)
        elif not trackers and not self._strict:
            free = Verdict(Action.PASS, Reason.UNDECLARED, name)
        refusal = Reason.REFUSED if trackers else Reason.UNDECLARED
        return _Known(
            trackers,
            any(tracker.category in self._clamped for tracker in trackers),
            free,
            granted=Verdict(Action.PASS, Reason.GRANTED, name, first, depends=True),
            refused=Verdict(Action.DROP, refusal, name, first, depends=bool(trackers)),
            deleted=Verdict(Action.PASS, Reason.DELETION, name, first),
            broken=Verdict(Action.DROP, Reason.BROKEN, name, first),
        )

    def _trackers(self, name: str) -> tuple[Tracker, ...]:
        """Return the most specific declarations of a name; only what can be refused counts for one that is not exact."""
        if name in self._own:
            return ()
        found = _best(name, self._by_name, self._by_prefix)
        loose = name.translate(_NO_NAME).strip(_AROUND_NAMES).lower()
        return found or _best(loose, self._folded_by_name, self._folded_by_prefix)

    def _evaluate(self, value: bytes, known: _Known, allows: Allows, now: float, ends: int | None) -> Verdict:
        """Judge a cookie that is not free."""
        life = lifetime(value)
        if life is not None and life.deletes(now):
            return known.deleted
        if not known.trackers or not _all_permitted(known.trackers, allows):
            return known.refused
        if ends is None or life is None or not known.clamped or life.latest(now) <= ends:
            return known.granted
        if ends <= now:
            return known.refused
        name, tracker = known.granted.name, known.granted.tracker
        return Verdict(Action.REWRITE, Reason.CLAMPED, name, tracker, clamp(value, now, ends), depends=True)

    def _judge_joined(
        self, value: bytes, known: _Known, allows: Allows, now: float, ends: int | None
    ) -> Verdict:
        """Judge a line with a comma, behind which some clients see another cookie; cut that out where it is refused."""
        refused: list[Verdict] = []

        def cut(joined: re.Match[bytes]) -> bytes:
            if not self._refuses(joined[1], allows):
                return joined[0]
            refused.append(self._look_up(joined[1]).refused)
            return b""

        cleaned = _JOINED.sub(cut, value)
        verdict = known.free or self._evaluate(cleaned, known, allows, now, ends)
        if not refused or verdict.action is Action.DROP:
            return verdict
        return refused[0]._replace(
            action=Action.REWRITE, reason=Reason.JOINED, value=verdict.value or cleaned
        )


def _all_permitted(trackers: tuple[Tracker, ...], allows: Allows) -> bool:
    for tracker in trackers:  # noqa: SIM110 - a loop costs a third of all() with a generator
        if not allows(tracker.category, tracker.vendor):
            return False
    return True


_Exact = dict[str, tuple[Tracker, ...]]
_Prefixes = list[tuple[str, tuple[Tracker, ...]]]


def _sorted_out(trackers: Iterable[Tracker], fold: Callable[[str], str]) -> tuple[_Exact, _Prefixes]:
    """Put trackers by exact name, and by prefix, the longest first."""
    exact: _Exact = {}
    prefixes: _Exact = {}
    for tracker in trackers:
        name = fold(tracker.name)
        places, key = (prefixes, name[:-1]) if name.endswith("*") else (exact, name)
        places[key] = (*places.get(key, ()), tracker)
    return exact, sorted(prefixes.items(), key=lambda item: -len(item[0]))


def _best(name: str, exact: _Exact, prefixes: _Prefixes) -> tuple[Tracker, ...]:
    found = exact.get(name)
    if found:
        return found
    return next((trackers for prefix, trackers in prefixes if name.startswith(prefix)), ())


def _matches(tracker: Tracker, name: str) -> bool:
    """Say whether a tracker declares a cookie of this name, in whatever letter case."""
    pattern, lower = tracker.name.lower(), name.lower()
    return lower.startswith(pattern[:-1]) if pattern.endswith("*") else lower == pattern
