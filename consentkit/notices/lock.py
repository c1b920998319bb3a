"""The lock: every published notice, because a decision covers exactly what its notice disclosed.

A lock also holds the changes of wording that the owner declared editorial. Two texts of which one is an editorial change of
the other count as the same text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consentkit.errors import ConfigurationError
from consentkit.notices.changes import Change, compare
from consentkit.notices.notice import Notice
from consentkit.policy import Policy

__all__ = ["EditorialChange", "Lock", "add_notice_to_lock"]


@dataclass(frozen=True, slots=True)
class EditorialChange:
    """A change of wording that, as the owner declared, leaves the meaning unchanged.

    Attributes:
        published: the day of the change, as an ISO date.
        reason: why the meaning is the same.
        texts: pairs of hashes, of the old text and the new one.
    """

    published: str
    reason: str
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """The contents of a `consent.lock`.

    Attributes:
        notices: oldest first, with the facts that were locked.
        editorial: declared changes of wording, oldest first.
    """

    notices: tuple[Notice, ...] = ()
    editorial: tuple[EditorialChange, ...] = ()

    def comparable(self) -> tuple[Notice, ...]:
        """Return the notices with the same hash for all texts that count as the same."""
        earlier: dict[str, str] = {}
        for change in self.editorial:
            for old, new in change.texts:
                old_text, new_text = _earliest(earlier, old), _earliest(earlier, new)
                if old_text != new_text:
                    earlier[new_text] = old_text
        return tuple(
            Notice(
                notice.digest,
                _with_earliest_texts(notice.facts, earlier),
                notice.content,
                published=notice.published,
            )
            for notice in self.notices
        )

    def comparable_with(self, notice: Notice) -> tuple[Notice, ...]:
        """Return the notices as `comparable` does, followed by a notice that may not be locked yet."""
        if any(locked.digest == notice.digest for locked in self.notices):
            return self.comparable()
        return Lock((*self.notices, notice), self.editorial).comparable()


def _earliest(earlier: Mapping[str, str], text: str) -> str:
    while text in earlier:
        text = earlier[text]
    return text


def _with_earliest_texts(facts: Mapping[str, Any], earlier: Mapping[str, str]) -> dict[str, Any]:
    def replaced(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {language: _earliest(earlier, text) for language, text in value.items()}

    sections = {
        section: [{key: replaced(value) for key, value in row.items()} for row in facts[section]]
        for section in ("categories", "vendors", "trackers")
    }
    return {**facts, **sections}


def add_notice_to_lock(
    policy: Policy, old: Lock, today: date, *, editorial: str = ""
) -> tuple[Lock, tuple[Change, ...]]:
    """Return a lock that ends with the policy's notice, and what changed for visitors compared with the last notice.

    Args:
        policy: its notice is added unless the lock already ends with it.
        old: the lock so far.
        today: the day on which the notice is published.
        editorial: the reason why visitors need not be asked again about changes of wording.

    Raises:
        ConfigurationError: an editorial change changes more than wording, or no text at all.
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
        declared = (*old.editorial, _editorial_change(changes, last, today, editorial))
        changes = tuple(change for change in changes if not change.asks)
    others = tuple(locked for locked in old.notices if locked.digest != notice.digest)
    return Lock((*others, added), declared), changes


def _editorial_change(
    changes: Iterable[Change], last: Notice | None, today: date, reason: str
) -> EditorialChange:
    """Return the editorial change that these changes make.

    Raises:
        ConfigurationError: a change that would ask visitors again is more than wording, or no text changed.
    """
    texts: list[tuple[str, str]] = []
    for change in (change for change in changes if change.asks):
        is_wording = change.verb == "changed" and isinstance(change.old, Mapping)
        if not is_wording or change.thing in ("controller", "site"):
            what = f"{change.thing} {change.name!r} {change.field or change.verb}"
            raise ConfigurationError(
                f"More than wording changed: {what}. Visitors who granted consent have to be asked again: run "
                "`consentkit lock` without --editorial."
            )
        texts += [
            (change.old[language], change.new[language]) for language in change.new if language in change.old
        ]
    texts = [(old, new) for old, new in texts if old != new]
    if last is None or not texts:
        raise ConfigurationError(
            "No text changed that visitors have seen: run `consentkit lock` without --editorial."
        )
    return EditorialChange(today.isoformat(), reason, tuple(texts))
