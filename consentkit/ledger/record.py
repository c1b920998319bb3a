"""A record: one event of a visitor's consent, as the ledger stores it for proof."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from consentkit.errors import InvalidDecisionError

__all__ = ["HOUR", "Record"]

HOUR = 3600
"""Seconds in an hour: the times of a record without a subject are multiples of it."""

LONGEST_TEXT = 256
LARGEST_INTEGER = 2**63 - 1
_REVISION_BITS = 20
_LAST_SECOND = 2**38
_ENDED = 2**61

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
# PostgreSQL stores neither NUL nor half of a surrogate pair, so no ledger does.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NEVER_EMPTY = frozenset({"id", "event", "status", "site"})


def _new_id() -> str:
    return str(uuid.uuid4())


def _nothing() -> dict[str, list[str]]:
    return {"categories": [], "vendors": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event of a consent: who (by pseudonym), what, when, how, and under which notice.

    A record has no field for an IP address, a user agent or a referrer. Times are whole seconds since the epoch, UTC. The
    manager cuts those of a record without a subject to the hour, so that they lead to no browser's cookie.

    Attributes:
        id: a version 4 UUID; appending the same record twice stores it once.
        at: when the event happened; it may have been stored later.
        event: given, refused, changed, withdrawn, renewed, imported or loaded_once.
        status: the status after the event, a value of ConsentStatus.
        subject: the pseudonym in the visitor's cookie; None if that cookie has none, as after a refusal.
        site: id of the site where it happened.
        group: id of the group of sites; empty for a single site.
        notice: complete digest of the notice that was shown.
        language: BCP 47 tag of the language in which the notice was shown.
        surface: banner, preferences, policy, embed or api.
        rendering: id of the words that were sent, see `Ledger.rendering`; empty if no words were shown, or none that are known.
        choice: accept_all, reject_all, save, change, withdraw, load_once, api or handoff.
        categories: for every optional category, whether it is granted.
        vendors: the same for vendors whose answer differs from their category's.
        began: `{"categories": [...], "vendors": [...]}`, the ids of what this event allowed that was not allowed before. A vendor
            is listed also if it follows its category.
        ended: the same for what was granted before and is not any more.
        decided_at: when the validity began.
        changed_at: when the answer last changed; of two answers the later one wins.
        revision: how many changes of the same second came before.
        expires_at: when the validity ends; None if no decision is in force.
        gpc: whether the request carried Global Privacy Control.
        jurisdiction: whose rules were applied.
        version: version of the library.
        seq: place in the ledger; None until the record has been read from there.

    Raises:
        InvalidDecisionError: a value has the wrong type, or no database could store it unchanged.
    """

    id: str = field(default_factory=_new_id)
    at: int
    event: str
    status: str
    subject: str | None
    site: str
    group: str
    notice: str
    language: str
    surface: str
    rendering: str = ""
    choice: str
    categories: dict[str, bool]
    vendors: dict[str, bool]
    began: dict[str, list[str]] = field(default_factory=_nothing)
    ended: dict[str, list[str]] = field(default_factory=_nothing)
    decided_at: int
    changed_at: int
    revision: int = 0
    expires_at: int | None
    gpc: bool
    jurisdiction: str
    version: str
    seq: int | None = None

    def __post_init__(self) -> None:
        for name, kind, optional in _FIELD_TYPES:
            value: Any = getattr(self, name)
            if value is None and optional:
                continue
            if kind is str:
                check_text(name, value)
            elif kind is dict:
                _check_answers(name, value)
            elif kind is list:
                _check_ids(name, value)
            elif type(value) is not kind:
                raise InvalidDecisionError(
                    f"A record's {name}: expected {kind.__name__}, found {type(value).__name__}."
                )
            elif kind is int and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                raise InvalidDecisionError(f"A record's {name}: {value} does not fit into 64 bits.")
        if not _UUID4.fullmatch(self.id):
            raise InvalidDecisionError(
                f"A record's id: expected a version 4 UUID in lower case, found {self.id!r}."
            )

    @property
    def moment(self) -> tuple[int, int]:
        """When the answer last changed: seconds, then the revision within the second."""
        return self.changed_at, self.revision

    @property
    def ends_subject(self) -> bool:
        """Whether the record ends its pseudonym for good, because it refuses or withdraws everything."""
        return self.status in ("refused", "withdrawn")

    @property
    def precedence(self) -> int:
        """The rank among the records of one pseudonym: the highest counts, whenever it was stored.

        A record that ends the pseudonym comes before all others. Otherwise the later change does.
        """
        seconds = min(max(self.changed_at, 0), _LAST_SECOND)
        rank = (seconds << _REVISION_BITS) + min(max(self.revision, 0), (1 << _REVISION_BITS) - 1)
        return rank + _ENDED if self.ends_subject else rank

    def to_json(self) -> str:
        """Return the record as one line of ASCII JSON, without `seq`."""
        values = asdict(self)
        del values["seq"]
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the record that `to_json` wrote.

        Raises:
            InvalidDecisionError: the text is not such a record.
        """
        try:
            values = json.loads(text)
            return cls(**values)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidDecisionError(f"Not a record: {error}") from error


_TYPES: Mapping[Any, tuple[type[Any], bool]] = {
    str: (str, False),
    int: (int, False),
    bool: (bool, False),
    dict[str, bool]: (dict, False),
    dict[str, list[str]]: (list, False),
    str | None: (str, True),
    int | None: (int, True),
}
_FIELD_TYPES = tuple((record_field.name, *_TYPES[record_field.type]) for record_field in fields(Record))


def check_text(name: str, value: object) -> None:
    """Check that every database can store a text unchanged and find it by an index.

    Raises:
        InvalidDecisionError: the value is not a str, is too long, is empty although the field is required, or holds NUL or
            half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise InvalidDecisionError(f"A record's {name}: expected str, found {type(value).__name__}.")
    if len(value) > LONGEST_TEXT:
        raise InvalidDecisionError(
            f"A record's {name} has {len(value)} characters; at most {LONGEST_TEXT} are allowed."
        )
    if not value and name in _NEVER_EMPTY:
        raise InvalidDecisionError(f"A record's {name} is empty.")
    if _UNSTORABLE.search(value):
        raise InvalidDecisionError(f"A record's {name} holds NUL or half of a surrogate pair.")


def _check_answers(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidDecisionError(f"A record's {name}: expected dict, found {type(value).__name__}.")
    for key, answer in value.items():
        check_text(name, key)
        if not isinstance(answer, bool):
            raise InvalidDecisionError(
                f"A record's {name}: expected True or False for {key!r}, found {answer!r}."
            )


def _check_ids(name: str, value: object) -> None:
    if not isinstance(value, dict) or value.keys() != {"categories", "vendors"}:
        raise InvalidDecisionError(
            f"A record's {name}: expected lists of categories and vendors, found {value!r}."
        )
    for listed in value.values():
        if not isinstance(listed, list):
            raise InvalidDecisionError(f"A record's {name}: expected list, found {type(listed).__name__}.")
        for found in listed:
            check_text(name, found)
