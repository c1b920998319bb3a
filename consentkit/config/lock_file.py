"""`consent.lock`: read with every value checked, and written as a whole.

The file is JSON and committed with `consent.toml`; only `consentkit lock` writes it. It has the notices in the order of
publication, each with its digest and its facts, then the editorial changes.
"""

import json
import os
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consentkit.errors import PolicyError, PolicyProblem
from consentkit.notices import EditorialChange, Lock, Notice, compare

__all__ = ["LOCK", "read_lock", "write_lock"]

LOCK = "consent.lock"
"""Name of the lock in the policy's folder."""

_LARGEST = 16 * 1024 * 1024
_REMEDY = "Restore the file from version control; only `consentkit lock` may change it."

_Digest = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
_TextHash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_TextHashes = dict[str, _TextHash]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _FactsRow(BaseModel):
    """A row of a notice's facts: the keys that comparisons read. Rows may have more."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _SiteRow(_FactsRow):
    id: str
    origin: str


class _CategoryRow(_FactsRow):
    id: str
    required: bool
    exempt: bool
    title: _TextHashes
    description: _TextHashes


class _VendorRow(_FactsRow):
    id: str
    category: str
    name: _TextHashes


class _TrackerRow(_FactsRow):
    name: str
    kind: str
    category: str
    lifetime: str
    purpose: _TextHashes


class _OwnStorageRow(_FactsRow):
    name: str
    kind: str


class _Facts(_FactsRow):
    validity: str
    controller: dict[str, Any]
    sites: list[_SiteRow]
    categories: list[_CategoryRow]
    vendors: list[_VendorRow]
    trackers: list[_TrackerRow]
    own_storage: list[_OwnStorageRow] = []


class _NoticeEntry(_Entry):
    digest: _Digest
    published: _Day
    facts: _Facts


class _EditorialEntry(_Entry):
    published: _Day
    reason: Annotated[str, Field(min_length=1)]
    texts: list[tuple[_TextHash, _TextHash]]


class _LockFile(_Entry):
    format: Literal[1]
    notices: list[_NoticeEntry]
    editorial: list[_EditorialEntry] = []


def read_lock(path: Path) -> Lock:
    """Read a `consent.lock`. Return an empty lock if there is no such file.

    Raises:
        PolicyError: the file cannot be read, or `write_lock` did not write it.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise _error(path, "The file is larger than 16 MiB.")
        content = _LockFile.model_validate_json(path.read_bytes())
        notices = tuple(_notice(entry) for entry in content.notices)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise _error(path, f"The file cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _error(path, f"{first['msg']}.", key=".".join(map(str, first["loc"]))) from None
    except ValueError as error:
        raise _error(path, f"The file has a value that no lock can have: {error}.") from None
    editorial = (EditorialChange(row.published, row.reason, tuple(row.texts)) for row in content.editorial)
    return Lock(notices, tuple(editorial))


def _notice(entry: _NoticeEntry) -> Notice:
    notice = Notice(entry.digest, entry.facts.model_dump(), published=entry.published)
    # Raise ValueError now, and not at the first request, for values that the patterns above accept.
    date.fromisoformat(entry.published)
    _ = notice.validity
    compare(notice, notice)
    return notice


def _error(path: Path, message: str, key: str = "") -> PolicyError:
    return PolicyError((PolicyProblem(str(path), None, key or LOCK, "", message, _REMEDY),))


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock to its file as a whole or not at all, so that an interrupted run loses nothing."""
    content = {
        "format": 1,
        "notices": [
            {"digest": notice.digest, "published": notice.published, "facts": dict(notice.facts)}
            for notice in lock.notices
        ],
        "editorial": [asdict(change) for change in lock.editorial],
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
