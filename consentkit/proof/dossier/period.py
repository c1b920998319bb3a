"""The period of a dossier, what happened in it, and which notices were in force."""

import base64
import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from consentkit.ledger import Record
from consentkit.notices import Notice

__all__ = [
    "Period",
    "Tally",
    "Use",
    "Version",
    "canonical_json",
    "digest_of",
    "publication_of",
    "versions_in_force",
]


_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, the last one included, on one site or on all.

    Attributes:
        site: id of the site, or None for all.
    """

    first: date
    last: date
    site: str | None = None

    @property
    def start(self) -> int:
        """The first second, since the epoch."""
        return _midnight(self.first)

    @property
    def end(self) -> int:
        """The first second after the period."""
        return _midnight(self.last) + 86_400

    @property
    def name(self) -> str:
        """A name for files."""
        site = "" if self.site is None else f"-{self.site}"
        return f"{self.first}-to-{self.last}{site}"


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@dataclass(slots=True)
class Use:
    """How often records refer to a notice, and when first and last, in seconds since the epoch."""

    records: int = 0
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Tally:
    """What is counted while the records of the period are read.

    Attributes:
        published: the first second of the day on which a notice was locked, by its digest.
        records: how many there are.
        early: how many decisions refer to a notice that was not locked yet, those that are only counted included.
        unreadable: rows that hold no record.
        references: how many of the records have a pseudonym.
        gpc: how many requests carried Global Privacy Control.
        events: by site, digest of the notice, and event; decisions that are only counted are part of it.
        only_counted: how many decisions are counted and not recorded one by one.
        versions: versions of the library that wrote the records.
        renderings: by id of the words that were sent.
        wordless: records without words, by event and surface.
        uses: by digest of the notice.
        refs: numbers of the rows.
        entries: how many entries of records the chain has, by where their rows are: before, in or after the period, on other
            sites, or removed.
        first: the first records, to show what one looks like.
    """

    published: Mapping[str, int] = field(default_factory=dict)
    records: int = 0
    early: int = 0
    unreadable: int = 0
    references: int = 0
    gpc: int = 0
    only_counted: int = 0
    events: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    renderings: Counter[str] = field(default_factory=Counter)
    wordless: Counter[tuple[str, str]] = field(default_factory=Counter)
    uses: dict[str, Use] = field(default_factory=dict)
    refs: MutableSequence[int] = field(default_factory=lambda: array("q"))
    entries: dict[str, int] = field(default_factory=dict)
    first: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Count a record."""
        self.records += 1
        self.references += record.subject is not None
        self.gpc += record.gpc
        self.events[record.site, record.notice, record.event] += 1
        self.versions[record.version] += 1
        self.renderings[record.rendering] += 1
        self.refs.append(record.seq or 0)
        if not record.rendering:
            self.wordless[record.event, record.surface] += 1
        self.early += record.at < self.published.get(record.notice, record.at)
        self._use(record.notice, 1, record.at)
        if len(self.first) < _SHOWN:
            self.first.append(record)

    def add_count(self, row: Mapping[str, Any]) -> None:
        """Add decisions of an hour that were only counted."""
        site, notice, event = str(row["site"]), str(row["notice"]), str(row["event"])
        self.events[site, notice, event] += int(row["count"])
        self.only_counted += int(row["count"])
        if int(row["hour"]) < self.published.get(notice, int(row["hour"])):
            self.early += int(row["count"])
        self._use(notice, 0, int(row["hour"]))

    def _use(self, notice: str, records: int, at: int) -> None:
        use = self.uses.setdefault(notice, Use(0, at, at))
        use.records += records
        use.first, use.last = min(use.first, at), max(use.last, at)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the notice.

    Attributes:
        digest: by which records refer to it.
        notice: for comparison with other versions; None if what is stored is no notice.
        stored: the text in the ledger; None if it is not there.
        content: the disclosure with its texts, if they are known.
        published: the day on which it was locked, if it was.
        replaced: the day on which the next one was locked.
        use: how records of the period refer to it.
        number: its place among the versions in force, from 1; 0 for the last version before the period.
    """

    digest: str
    notice: Notice | None
    stored: str | None
    content: Mapping[str, Any] | None
    published: date | None
    replaced: date | None
    use: Use | None
    number: int = 0

    @property
    def canonical(self) -> bytes | None:
        """The bytes whose SHA-256 is the digest, if the texts are known."""
        return None if self.content is None else canonical_json(self.content)

    @property
    def is_intact(self) -> bool:
        """Whether the content has the digest, or is not known."""
        known = self.canonical
        return self.stored is None or (known is not None and digest_of(known) == self.digest)


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys, without white space, in UTF-8: the bytes that digests are made of."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes as a notice's digest is written: base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def publication_of(notices: Sequence[Notice]) -> dict[str, int]:
    """Return the first second of the day on which each notice was first locked, by its digest."""
    found: dict[str, int] = {}
    for notice in notices:
        if notice.published is not None:
            found.setdefault(notice.digest, _midnight(date.fromisoformat(notice.published)))
    return found


def versions_in_force(
    notices: Sequence[Notice],
    own: Notice,
    stored: Mapping[str, str],
    uses: Mapping[str, Use],
    period: Period,
) -> list[Version]:
    """Return the last version before the period, if there is one, then those that were in force or that records refer to.

    Args:
        notices: those of the lock in their order, ready to be compared.
        own: the notice of the policy as it is now.
        stored: what the ledger holds, by digest.
        uses: what the records of the period refer to, by digest.
        period: days, and the site that a notice has to list.
    """
    locked = [
        (notice, None if notice.published is None else date.fromisoformat(notice.published))
        for notice in notices
    ]
    versions = []
    for at, (notice, published) in enumerate(locked):
        replaced = locked[at + 1][1] if at + 1 < len(locked) else None
        content = own.content if notice.digest == own.digest else None
        versions.append(_version(notice.digest, notice, content, published, replaced, stored, uses))
    known = {notice.digest for notice in notices}
    unlocked = [
        _version(digest, None, None, None, None, stored, uses) for digest in uses if digest not in known
    ]
    # What is not in the lock has its place by its first record.
    versions = sorted(
        [*unlocked, *versions], key=lambda version: (_begin(version, period), _first_use(version))
    )
    chosen = [version for version in versions if _is_in_force(version, period)]
    numbered = [replace(version, number=number) for number, version in enumerate(chosen, 1)]
    before = [
        version for version in versions if _begin(version, period) < period.first and version not in chosen
    ]
    return [*before[-1:], *numbered]


def _version(
    digest: str,
    notice: Notice | None,
    content: Mapping[str, Any] | None,
    published: date | None,
    replaced: date | None,
    stored: Mapping[str, str],
    uses: Mapping[str, Use],
) -> Version:
    text = stored.get(digest)
    if text is not None:
        content = _read(text)
    if notice is None and content is not None:
        try:
            notice = Notice.from_content(content)
        except (KeyError, TypeError, AttributeError, ValueError):
            notice = None
    return Version(digest, notice, text, content, published, replaced, uses.get(digest))


def _read(text: str) -> Mapping[str, Any] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _begin(version: Version, period: Period) -> date:
    if version.published is not None:
        return version.published
    if version.use is not None:
        return datetime.fromtimestamp(version.use.first, UTC).date()
    # A policy that was changed since the last lock: its notice is the newest.
    return period.last


def _first_use(version: Version) -> int:
    """Return when records first refer to a version; those of the lock have their order from there."""
    return 0 if version.published is not None or version.use is None else version.use.first


def _is_in_force(version: Version, period: Period) -> bool:
    if version.use is not None:
        return True
    # A site may start with a new version some time after the day on which it was locked.
    is_over = version.replaced is not None and version.replaced + timedelta(days=1) <= period.first
    if is_over or _begin(version, period) > period.last:
        return False
    sites = [] if version.notice is None else [site["id"] for site in version.notice.facts["sites"]]
    return period.site is None or period.site in sites
