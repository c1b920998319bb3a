"""One event of a visitor's consent, as it is kept for proof."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from consentkit.errors import InvalidDecisionError

__all__ = ["Record"]

LONGEST_TEXT = 256
LARGEST_INTEGER = 2**63 - 1

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
# PostgreSQL takes neither NUL nor half of a surrogate pair; both are refused before they meet any database.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NEVER_EMPTY = frozenset({"id", "event", "status", "site"})


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event: who (by pseudonym), what, when, how, and under which notice.

    It has no place for an IP address, a user agent or a referrer. Times are whole seconds since the epoch, UTC.

    Attributes:
        id: a version 4 UUID; appending the same record twice stores it once.
        at: when the event happened, which may be earlier than when it was stored.
        event: given, refused, changed, withdrawn, renewed, linked, imported or loaded_once.
        status: what the event left behind, in the words of ConsentStatus.
        subject: the pseudonym in the visitor's cookie; None where nothing leads back to a browser.
        site: id of the site where it happened.
        group: id of the group of sites, empty for a single site.
        notice: whole digest of the notice that was shown.
        language: in which the notice was shown.
        surface: banner, preferences, policy, embed or api.
        choice: accept_all, reject_all, save, change, withdraw, load_once, api or handoff.
        categories: every optional category and whether it is granted.
        vendors: only those whose answer differs from their category's.
        decided_at: from which validity counts.
        changed_at: the last change, by which the newest answer wins.
        expires_at: end of validity; None where nothing is in force.
        gpc: whether the request carried Global Privacy Control.
        jurisdiction: whose rules were applied.
        version: of the library.
        seq: place in the ledger, given by it.

    Raises:
        InvalidDecisionError: a value that no database could keep unchanged.
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
    choice: str
    categories: dict[str, bool]
    vendors: dict[str, bool]
    decided_at: int
    changed_at: int
    expires_at: int | None
    gpc: bool
    jurisdiction: str
    version: str
    seq: int | None = None

    def __post_init__(self) -> None:
        for name, kind, optional in _KINDS:
            value: Any = getattr(self, name)
            if value is None and optional:
                continue
            if kind is str:
                check_text(name, value)
            elif kind is dict:
                _check_answers(name, value)
            elif type(value) is not kind:
                raise InvalidDecisionError(
                    f"A record's {name} is {kind.__name__}, not {type(value).__name__}."
                )
            elif kind is int and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                raise InvalidDecisionError(f"A record's {name} does not fit into 64 bits.")
        if not _UUID4.fullmatch(self.id):
            raise InvalidDecisionError("A record's id is a version 4 UUID in lower case.")

    def to_json(self) -> str:
        """Write the record as one line of JSON, ASCII only, without its place in the ledger."""
        values = asdict(self)
        del values["seq"]
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InvalidDecisionError: anything else.
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
    str | None: (str, True),
    int | None: (int, True),
}
_KINDS = tuple((each.name, *_TYPES[each.type]) for each in fields(Record))


def check_text(name: str, value: object) -> None:
    """Refuse a text that could not be stored unchanged or looked up by index in every database.

    Raises:
        InvalidDecisionError: not a text, too long, empty where it says who or what, NUL, or a lone surrogate.
    """
    if not isinstance(value, str):
        raise InvalidDecisionError(f"A record's {name} is a text, not {type(value).__name__}.")
    if len(value) > LONGEST_TEXT:
        raise InvalidDecisionError(f"A record's {name} is longer than {LONGEST_TEXT} characters.")
    if not value and name in _NEVER_EMPTY:
        raise InvalidDecisionError(f"A record's {name} is empty.")
    if _UNSTORABLE.search(value):
        raise InvalidDecisionError(f"A record's {name} holds NUL or half of a surrogate pair.")


def _check_answers(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidDecisionError(f"A record's {name} is a dict, not {type(value).__name__}.")
    for key, answer in value.items():
        check_text(name, key)
        if not isinstance(answer, bool):
            raise InvalidDecisionError(
                f"A record's {name} answers {key!r} with {answer!r}, not with yes or no."
            )
