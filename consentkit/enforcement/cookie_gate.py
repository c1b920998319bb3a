"""The cookie gate: decides which cookies the application may set and see, and expires those without consent.

Cookie names are read as browsers read them (RFC 6265bis, section 5.7). A cookie whose name could be taken for a declared
one counts as declared: in other letter case, or with odd bytes around it. So does a cookie without a name (`=_ga=1` comes
back as `_ga=1`), and one behind a comma in the line of another. To be granted or required, the name must be exact.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from consentkit._bounded_cache import BoundedCache
from consentkit.enforcement.declared_names import NameIndex, beginnings_of, matches
from consentkit.headers import clamp, deletion, lifetime
from consentkit.policy import Policy, Tracker

__all__ = ["Action", "Allows", "CookieGate", "Reason", "Verdict", "permitted"]

Allows = Callable[[str, str | None], bool]
"""A function that returns whether a category is granted, by id: for one of its vendors, by id, or for the site (None)."""
# Of Set-Cookie lines in one response. nginx buffers 4 KiB of all headers.
DELETION_BYTES = 2048
_NAMES_REMEMBERED = 2048
_LONGEST_NAME_REMEMBERED = 256

# Browsers trim space and tab around names, frameworks also what Unicode calls space.
_TRIMMED = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0"
# Some browsers drop control characters, others the whole line.
_CONTROL_CHARACTERS = {code: None for code in (*range(0x20), 0x7F)}
# The same for bytes, to find the few names that begin like a declared one in the time that C takes.
_CONTROL_BYTES = bytes(_CONTROL_CHARACTERS)
_BEFORE_NAMES = f"={_TRIMMED}".encode("latin-1")
_LOWER_CASE = bytes(range(256)).lower()
# Chromium keeps 180 cookies of a site, and Firefox 150.
_MOST_COOKIES_OF_A_SITE = 180
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Numbers, because `44 in value` takes 0.02 us and `b"," in value` 0.17 us (timeit); every Set-Cookie line has four.
NUL, LF, CR, COMMA = b"\0\n\r,"
# A cookie behind a comma, as clients see it that still split lists of Set-Cookie values (RFC 2109).
_JOINED_COOKIE = re.compile(rb",[= \t]*+([^;,=]*+)=[^;,]*+")


class Action(Enum):
    """What happens to a Set-Cookie line."""

    PASS = auto()
    DROP = auto()
    REWRITE = auto()


class Reason(Enum):
    """Why an action was chosen; everything but `OWN`, `REQUIRED`, `GRANTED` and `DELETION` is worth a line in the log."""

    OWN = "own"
    """A cookie of this library."""
    REQUIRED = "required"
    """Declared in a required category."""
    GRANTED = "granted"
    """Declared, and its category or vendor is granted."""
    REFUSED = "refused"
    """Declared, and its category or vendor is not granted."""
    DELETION = "deletion"
    """Declared, and the line makes every browser delete the cookie."""
    UNDECLARED = "undeclared"
    """Not in the policy; dropped only in strict mode."""
    CLAMPED = "clamped"
    """Granted, but it would have outlived the consent."""
    JOINED = "joined"
    """A refused cookie stood behind a comma and was cut out."""
    BROKEN = "broken"
    """The line has a byte that ends a header field."""


class Verdict(NamedTuple):
    """The decision on one Set-Cookie line."""

    action: Action
    reason: Reason
    name: str
    """Name of the cookie that the verdict is about."""
    tracker: Tracker | None = None
    """The declaration of the cookie, if it has any."""
    value: bytes | None = None
    """The line to send instead, for `REWRITE`."""
    depends: bool = False
    """Whether another consent may have led to another line, so that shared caches must not store the response."""


class _Rule(NamedTuple):
    """The possible verdicts on the cookies of one name, as it stands in a header."""

    trackers: tuple[Tracker, ...]
    """All declarations that match equally well; the cookie is granted only if all of them are."""
    ends_with_consent: bool
    """Whether the cookie must not outlive the consent."""
    constant: Verdict | None
    """The verdict, if neither the consent nor the rest of the line can change it."""
    granted: Verdict
    refused: Verdict
    deleted: Verdict
    broken: Verdict


def permitted(tracker: Tracker, allows: Allows) -> bool:
    """Return whether a declared item may be stored or read, whatever its kind, personal data or not (EDPB 2/2023)."""
    return allows(tracker.category, tracker.vendor)


class CookieGate:
    """Decide on cookies by the policy's declarations and by what a consent allows.

    `own_names` are the names of the library's cookies, which always pass. `strict` drops undeclared cookies too, and hides
    them from the application.
    """

    __slots__ = (
        "_consent_needed",
        "_deletable",
        "_deletable_beginnings",
        "_folded_names",
        "_judged_beginnings",
        "_names",
        "_own",
        "_refusable",
        "_required",
        "_rules",
        "strict",
    )

    def __init__(self, policy: Policy, *, own_names: frozenset[str], strict: bool = False) -> None:
        cookies = [tracker for tracker in policy.trackers if tracker.kind == "cookie"]
        self._own = own_names
        self.strict = strict
        self._required = frozenset(category.id for category in policy.categories if category.required)
        self._consent_needed = frozenset(category.id for category in policy.consent_needed)
        self._refusable = [tracker for tracker in cookies if tracker.category not in self._required]
        self._names = NameIndex(cookies)
        self._folded_names = NameIndex(self._refusable, fold=str.lower)
        self._deletable = [tracker for tracker in self._refusable if not tracker.third_party]
        # How the names begin of which each is judged. All others are visible, or hidden if `strict`.
        judged = (
            (*beginnings_of(cookies), *map(str.lower, own_names))
            if strict
            else beginnings_of(self._refusable)
        )
        self._judged_beginnings = tuple(beginning.encode() for beginning in judged)
        self._deletable_beginnings = beginnings_of(self._deletable)
        self._rules: BoundedCache[bytes, _Rule] = BoundedCache(_NAMES_REMEMBERED)

    def classify(self, name: str) -> Tracker | None:
        """Return the declaration of a cookie: by exact name, else by the longest pattern, else in other letter case."""
        trackers = self._rule(name.encode("latin-1", "replace")).trackers
        return trackers[0] if trackers else None

    def set_cookie(self, value: bytes, allows: Allows, now: float, ends: int | None) -> Verdict:
        """Return the verdict on one Set-Cookie value.

        Args:
            value: the field's value, as the application wrote it.
            allows: what the consent allows.
            now: seconds since the epoch.
            ends: end of the consent in seconds since the epoch; None if it has none.
        """
        name = _name_of(value)
        rule = self._rules.get(name) or self._rule(name)
        if LF in value or CR in value or NUL in value:
            return rule.broken
        if COMMA in value and _JOINED_COOKIE.search(value):
            return self._verdict_on_joined(value, rule, allows, now, ends)
        return rule.constant or self._verdict(value, rule, allows, now, ends)

    def verdict_for_name(self, name: bytes, allows: Allows) -> Verdict:
        """Return the verdict on a line that sets a cookie of this name, without Max-Age, Expires or comma."""
        rule = self._rule(name)
        if rule.constant is not None:
            return rule.constant
        return rule.granted if rule.trackers and _all_permitted(rule.trackers, allows) else rule.refused

    def declarations(self, name: bytes) -> tuple[Tracker, ...]:
        """Return all declarations that match a name equally well, as it stands in a Set-Cookie line before the first `=`."""
        return self._rule(name).trackers

    def is_declared(self, name: bytes) -> bool:
        """Return whether a cookie of this name, as it stands in a Cookie header, is declared or the library's own."""
        readable = _readable(name)
        return readable in self._own or bool(self._matching_trackers(readable))

    def may_hide(self, name: bytes) -> bool:
        """Return whether `strip` may cut a cookie of this name, as it stands in a Cookie header."""
        folded = name.translate(_LOWER_CASE, _CONTROL_BYTES).lstrip(_BEFORE_NAMES)
        if not folded.startswith(self._judged_beginnings):
            return self.strict
        return self._rule(name.lstrip(b"= \t")).constant is None

    def strip(self, header: bytes, allows: Allows) -> bytes:
        """Cut declared cookies without consent out of a Cookie header, and if `strict` undeclared ones.

        The rest stays byte for byte. Returns the same object if nothing is cut, and empty bytes if no cookie is left.
        """
        folded = header.translate(_LOWER_CASE, _CONTROL_BYTES).split(b";")
        beginnings = self._judged_beginnings
        suspects = [
            index for index, pair in enumerate(folded) if pair.lstrip(_BEFORE_NAMES).startswith(beginnings)
        ]
        if not (suspects or self.strict):
            return header
        pairs = header.split(b";")
        names = [pairs[index].lstrip(b"= \t").partition(b"=")[0] for index in suspects]
        hidden = {suspects[place] for place in self._refused(names, allows)}
        if self.strict:
            others = set(range(len(pairs))).difference(suspects)
            hidden.update([index for index in others if pairs[index].strip(b"= \t")])
        if not hidden:
            return header
        joined = b";".join([pair for index, pair in enumerate(pairs) if index not in hidden])
        return joined.lstrip(b" \t") if 0 in hidden else joined

    def _refused(self, names: Sequence[bytes], allows: Allows) -> Iterator[int]:
        """Yield the indexes of the names that stand for cookies without consent, and if `strict` of undeclared ones.

        `names` are as they stand in a header, before the first `=`.
        """
        # More names than a browser keeps would only displace others in the cache.
        remember = len(names) <= _MOST_COOKIES_OF_A_SITE
        # By the identity of declarations, which live as long as the gate. Many names have the same.
        is_permitted: dict[int, bool] = {}
        for index, name in enumerate(names):
            rule = self._rules.get(name) or (self._rule(name) if remember else None)
            trackers = rule.trackers if rule else self._matching_trackers(_readable(name))
            if id(trackers) not in is_permitted:
                is_permitted[id(trackers)] = self._permits(trackers, allows)
            if not is_permitted[id(trackers)] and (trackers or _readable(name) not in self._own):
                yield index

    def _permits(self, trackers: tuple[Tracker, ...], allows: Allows) -> bool:
        if not trackers:
            return not self.strict
        return all(tracker.category in self._required for tracker in trackers) or _all_permitted(
            trackers, allows
        )

    def leftovers(self, sent_names: Iterable[str], allows: Allows, now: float) -> list[str]:
        """Return Set-Cookie values that expire declared cookies without consent, of those that the browser sent.

        There is one for each place where the browser may store the cookie (name, domain, path, partition), and at most 2 KiB
        of header lines together: the browser sends the other cookies again with its next request. A cookie on a vendor's own
        domain cannot be expired from here. `now` is in seconds since the epoch.
        """
        beginnings = self._deletable_beginnings
        sent = [name for name in dict.fromkeys(sent_names) if name.lower().startswith(beginnings)]
        names = [name for name in sent if _TOKEN.fullmatch(name)]
        refused = [names[index] for index in self._refused([name.encode() for name in names], allows)]
        lines, are_all = _fitting(self._deletions(refused, allows))
        if not are_all:
            # Cookies that are stored elsewhere than declared stay. They must not take the turn of the others for ever, so each
            # second begins with another name.
            first = int(now) % len(refused)
            lines, _ = _fitting(self._deletions(refused[first:] + refused[:first], allows))
        return lines

    def _deletions(self, names: Iterable[str], allows: Allows) -> Iterator[str]:
        """Yield Set-Cookie values that expire the cookies of these names in each place that the policy declares."""
        for name in names:
            places = {
                (tracker.path, tracker.domain, tracker.partitioned): None
                for tracker in self._deletable
                if matches(tracker, name) and not permitted(tracker, allows)
            }
            for place in places:
                yield deletion(name, *place)

    def _refuses(self, name: bytes, allows: Allows) -> bool:
        rule = self._rules.get(name) or self._rule(name)
        return rule.constant is None and not _all_permitted(rule.trackers, allows)

    def _rule(self, name: bytes) -> _Rule:
        rule = self._rules.get(name)
        if rule is None:
            rule = self._make_rule(_readable(name))
            if len(name) <= _LONGEST_NAME_REMEMBERED:
                self._rules[name] = rule
        return rule

    def _make_rule(self, name: str) -> _Rule:
        trackers = self._matching_trackers(name)
        first = trackers[0] if trackers else None
        constant = None
        if name in self._own:
            constant = Verdict(Action.PASS, Reason.OWN, name)
        elif trackers and all(tracker.category in self._required for tracker in trackers):
            constant = Verdict(Action.PASS, Reason.REQUIRED, name, first)
        elif not trackers and not self.strict:
            constant = Verdict(Action.PASS, Reason.UNDECLARED, name)
        refusal = Reason.REFUSED if trackers else Reason.UNDECLARED
        return _Rule(
            trackers,
            any(tracker.category in self._consent_needed for tracker in trackers),
            constant,
            granted=Verdict(Action.PASS, Reason.GRANTED, name, first, depends=True),
            refused=Verdict(Action.DROP, refusal, name, first, depends=bool(trackers)),
            deleted=Verdict(Action.PASS, Reason.DELETION, name, first),
            broken=Verdict(Action.DROP, Reason.BROKEN, name, first),
        )

    def _matching_trackers(self, name: str) -> tuple[Tracker, ...]:
        """Return the most specific declarations of a name, of refusable cookies only if it does not match exactly."""
        if name in self._own:
            return ()
        exact = self._names.most_specific(name)
        if exact:
            return exact
        return self._folded_names.most_specific(name.translate(_CONTROL_CHARACTERS).strip(_TRIMMED).lower())

    def _verdict(self, value: bytes, rule: _Rule, allows: Allows, now: float, ends: int | None) -> Verdict:
        """Return the verdict on a line by the consent and by its Max-Age and Expires."""
        life = lifetime(value)
        if life is not None and life.deletes(now):
            return rule.deleted
        if not rule.trackers or not _all_permitted(rule.trackers, allows):
            return rule.refused
        if ends is None or life is None or not rule.ends_with_consent or life.latest(now) <= ends:
            return rule.granted
        if ends <= now:
            return rule.refused
        name, tracker = rule.granted.name, rule.granted.tracker
        return Verdict(Action.REWRITE, Reason.CLAMPED, name, tracker, clamp(value, now, ends), depends=True)

    def _verdict_on_joined(
        self, value: bytes, rule: _Rule, allows: Allows, now: float, ends: int | None
    ) -> Verdict:
        """Return the verdict on a line with cookies behind commas, after cutting refused ones out."""
        refused: list[Verdict] = []

        def without_refused(joined: re.Match[bytes]) -> bytes:
            if not self._refuses(joined[1], allows):
                return joined[0]
            refused.append(self._rule(joined[1]).refused)
            return b""

        cleaned = _JOINED_COOKIE.sub(without_refused, value)
        if refused:
            # A name without a value may stand in front of the comma, and is a cookie of its own now.
            rule = self._rule(_name_of(cleaned))
        verdict = rule.constant or self._verdict(cleaned, rule, allows, now, ends)
        if not refused or verdict.action is Action.DROP:
            return verdict
        return refused[0]._replace(
            action=Action.REWRITE, reason=Reason.JOINED, value=verdict.value or cleaned
        )


def _name_of(value: bytes) -> bytes:
    """Return the name of a Set-Cookie value. Browsers send a cookie without a name back as its value: `=_ga=1` as `_ga=1`."""
    return value.lstrip(b"= \t").partition(b"=")[0]


def _fitting(lines: Iterable[str]) -> tuple[list[str], bool]:
    """Return the first Set-Cookie values that fit into `DELETION_BYTES`, and whether they are all.

    A value that does not even fit alone is left out.
    """
    fitting, bytes_left = [], DELETION_BYTES
    for line in lines:
        size = len(f"set-cookie: {line}\r\n")
        if size <= bytes_left:
            fitting.append(line)
            bytes_left -= size
        elif size <= DELETION_BYTES:
            return fitting, False
    return fitting, True


def _readable(name: bytes) -> str:
    """Return a cookie's name as browsers read it, of the bytes before the first `=`."""
    return name.partition(b";")[0].strip(b" \t").decode("latin-1")


def _all_permitted(trackers: tuple[Tracker, ...], allows: Allows) -> bool:
    for tracker in trackers:  # noqa: SIM110 - all() takes 0.8 us here, the loop 0.2 us (timeit)
        if not allows(tracker.category, tracker.vendor):
            return False
    return True
