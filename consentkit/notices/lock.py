"""`consent.lock`: every notice that was published and what it disclosed, so that an older answer covers exactly what it was told.

The file is JSON, committed beside `consent.toml`, written by `consentkit lock` and never by hand: notices in the order in
which they were published, each with its digest and its facts, and the changes of wording that the owner declared to be
editorial, each with a reason. Two texts of which one is an editorial change of the other count as the same text.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentkit.errors import ConfigurationError, PolicyError, PolicyProblem
from consentkit.notices.changes import Change, compare
from consentkit.notices.notice import Notice
from consentkit.policy import Policy

__all__ = ["EditorialChange", "Lock", "add_notice_to_lock", "read_lock", "write_lock"]

LARGEST = 16 * 1024 * 1024
REMEDY = "Restore it from version control; `consentkit lock` adds to it, nobody else does."

Digest = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
TextHash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
TextHashes = dict[str, TextHash]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Row(BaseModel):
    """What comparisons read; rows may hold more."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _Site(_Row):
    id: str
    origin: str


class _Category(_Row):
    id: str
    required: bool
    exempt: bool
    title: TextHashes
    description: TextHashes


class _Vendor(_Row):
    id: str
    category: str
    name: TextHashes


class _Tracker(_Row):
    name: str
    kind: str
    category: str
    lifetime: str
    purpose: TextHashes


class _Facts(_Row):
    validity: str
    controller: dict[str, Any]
    sites: list[_Site]
    categories: list[_Category]
    vendors: list[_Vendor]
    trackers: list[_Tracker]


class _Locked(_Entry):
    digest: Digest
    published: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    facts: _Facts


class EditorialChange(_Entry):
    """A change of wording that changes nothing for visitors, says the owner."""

    published: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    reason: Annotated[str, Field(min_length=1)]
    texts: list[tuple[TextHash, TextHash]]


class _File(_Entry):
    format: Literal[1]
    notices: list[_Locked]
    editorial: list[EditorialChange] = []


@dataclass(frozen=True, slots=True)
class Lock:
    """What the file says.

    Attributes:
        notices: oldest first, their facts as they were written.
        editorial: declared changes of wording, oldest first.
    """

    notices: tuple[Notice, ...] = ()
    editorial: tuple[EditorialChange, ...] = ()

    def comparable(self) -> tuple[Notice, ...]:
        """Give the notices with texts that count as the same under one hash."""
        same: dict[str, str] = {}
        for change in self.editorial:
            for old, new in change.texts:
                first, second = _first(same, old), _first(same, new)
                if first != second:
                    same[second] = first
        return tuple(
            Notice(one.digest, _rewritten(one.facts, same), one.content, published=one.published)
            for one in self.notices
        )

    def comparable_with(self, notice: Notice) -> tuple[Notice, ...]:
        """Give the same, with a notice at the end that may not be locked yet."""
        if any(one.digest == notice.digest for one in self.notices):
            return self.comparable()
        return Lock((*self.notices, notice), self.editorial).comparable()


def _first(same: Mapping[str, str], text: str) -> str:
    while text in same:
        text = same[text]
    return text


def _rewritten(facts: Mapping[str, Any], same: Mapping[str, str]) -> dict[str, Any]:
    rows = {
        part: [
            {key: _texts(value, same) if isinstance(value, dict) else value for key, value in row.items()}
            for row in facts[part]
        ]
        for part in ("categories", "vendors", "trackers")
    }
    return {**facts, **rows}


def _texts(texts: Mapping[str, str], same: Mapping[str, str]) -> dict[str, str]:
    return {language: _first(same, text) for language, text in texts.items()}


def read_lock(path: Path) -> Lock:
    """Read a `consent.lock`; one that does not exist locks nothing.

    Raises:
        PolicyError: it cannot be read, or is not what `write_lock` wrote.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise _error(path, None, "The file is larger than 16 MiB.")
        read = _File.model_validate_json(path.read_bytes())
        notices = tuple(_notice(entry) for entry in read.notices)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise _error(path, None, f"The file cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _error(path, None, f"{first['msg']}.", key=".".join(map(str, first["loc"]))) from None
    except ValueError as error:
        raise _error(path, None, f"The file holds a value that no lock has: {error}") from None
    return Lock(notices, tuple(read.editorial))


def _notice(entry: _Locked) -> Notice:
    notice = Notice(entry.digest, entry.facts.model_dump(), published=entry.published)
    date.fromisoformat(entry.published)
    _ = notice.validity
    compare(notice, notice)
    return notice


def _error(path: Path, line: int | None, message: str, key: str = "") -> PolicyError:
    return PolicyError((PolicyProblem(str(path), line, key or "consent.lock", "", message, REMEDY),))


def add_notice_to_lock(
    policy: Policy, old: Lock, today: date, *, editorial: str = ""
) -> tuple[Lock, tuple[Change, ...]]:
    """Add the notice of a policy to a lock, where it is not its last one already; and say what changed since that.

    With a reason in `editorial`, the changes of wording count as none for visitors.

    Raises:
        ConfigurationError: a change is to be editorial that is more than wording, or none is.
    """
    notice = Notice.of(policy)
    added = Notice(notice.digest, notice.facts, published=today.isoformat())
    last = old.notices[-1] if old.notices else None
    if last is not None and last.digest == notice.digest:
        return old, ()
    before = old.comparable()[-1:] if last is not None else ()
    changes = (
        compare(before[0], Lock((*old.notices, added), old.editorial).comparable()[-1]) if before else ()
    )
    declared = old.editorial
    if editorial:
        declared = (*old.editorial, _declared(changes, last, notice, today, editorial))
        changes = tuple(change for change in changes if not change.asks)
    kept = tuple(one for one in old.notices if one.digest != notice.digest)
    return Lock((*kept, added), declared), changes


def _declared(
    changes: Iterable[Change], last: Notice | None, notice: Notice, today: date, reason: str
) -> EditorialChange:
    """Collect the pairs of texts; all that would ask visitors again has to be wording."""
    texts: list[tuple[str, str]] = []
    for change in changes:
        if change.asks:
            if (
                change.verb != "changed"
                or not isinstance(change.old, Mapping)
                or change.thing in ("controller", "site")
            ):
                what = f"{change.thing} {change.name!r} {change.field or change.verb}"
                raise ConfigurationError(
                    f"This is more than wording: {what}. Visitors who granted it have to be asked again: lock without "
                    "--editorial."
                )
            texts += [(change.old[one], change.new[one]) for one in change.new if one in change.old]
    texts = [(old, new) for old, new in texts if old != new]
    if last is None or not texts:
        raise ConfigurationError("No text changed that visitors were shown before: lock without --editorial.")
    return EditorialChange(published=today.isoformat(), reason=reason, texts=texts)


def write_lock(path: Path, locked: Lock) -> None:
    """Write the file as a whole or not at all, so that an interrupted run loses nothing."""
    content = {
        "format": 1,
        "notices": [
            {"digest": one.digest, "published": one.published, "facts": dict(one.facts)}
            for one in locked.notices
        ],
        "editorial": [change.model_dump(mode="json") for change in locked.editorial],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
