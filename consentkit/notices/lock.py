"""The lock: every published notice, because a decision covers exactly what its notice disclosed.

A lock also holds the changes of wording that the owner declared editorial. Two texts of which one is an editorial change of
the other count as the same text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consentkit.errors import ConfigurationError
from consentkit.notices.changes import Change, compare
from consentkit.notices.notice import Notice
from consentkit.policy import Policy, RegimePolicies

__all__ = ["EditorialChange", "Lock", "add_notices_to_lock", "changes_of_regimes", "notices_of_regimes"]


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

    def comparable_with(self, *notices: Notice) -> tuple[Notice, ...]:
        """Return the notices as `comparable` does, followed by those of some notices that are not locked yet."""
        locked = {notice.digest for notice in self.notices}
        added = (notice for notice in notices if notice.digest not in locked)
        return Lock((*self.notices, *added), self.editorial).comparable()

    def last(self, regime: str) -> Notice | None:
        """Return the notice of a regime that was locked last; None without one. The regime of `Notice.regime`."""
        return next((notice for notice in reversed(self.notices) if notice.regime == regime), None)

    def ends_with(self, notices: Iterable[Notice]) -> bool:
        """Return whether each of some notices is the one of its regime that was locked last."""
        last = ((self.last(notice.regime), notice) for notice in notices)
        return all(locked is not None and locked.digest == notice.digest for locked, notice in last)


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


def add_notices_to_lock(
    policy: Policy, old: Lock, today: date, *, editorial: str = ""
) -> tuple[Lock, tuple[Change, ...]]:
    """Return a lock with the policy's notices, and what changed for visitors compared with the last notice.

    The policy's own notice comes last, after those of its other regimes.

    Args:
        policy: its notices are added, apart from those that are the last of their regime in the lock already.
        old: the lock so far.
        today: the day on which the notices are published.
        editorial: the reason why visitors need not be asked again about changes of wording.

    Raises:
        ConfigurationError: an editorial change changes more than wording, or no text at all.
    """
    home, *others = notices_of_regimes(policy)
    new = [notice for notice in (*others, home) if not old.ends_with([notice])]
    if not new:
        return old, ()
    added = tuple(Notice(notice.digest, notice.facts, published=today.isoformat()) for notice in new)
    digests = {notice.digest for notice in added}
    kept = tuple(locked for locked in old.notices if locked.digest not in digests)
    changes: tuple[Change, ...] = ()
    declared = old.editorial
    last = old.last(home.regime)
    if last is not None and last.digest != home.digest:
        changes = _changes_since(last, home, old)
    if editorial:
        declared = (*old.editorial, _editorial_change(changes, last, today, editorial))
        changes = tuple(change for change in changes if not change.asks)
    return Lock((*kept, *added), declared), changes


def changes_of_regimes(policy: Policy, old: Lock) -> Iterator[tuple[Policy, tuple[Change, ...] | None]]:
    """Yield the policy under each of its other regimes whose notice is not the last one in a lock, with what changed.

    The changes are None if the lock has no notice of the regime.
    """
    _, *others = RegimePolicies(policy).by_id.values()
    for applied in others:
        notice = Notice.of(applied)
        last = old.last(notice.regime)
        if last is None:
            yield applied, None
        elif last.digest != notice.digest:
            yield applied, _changes_since(last, notice, old)


def _changes_since(last: Notice, notice: Notice, lock: Lock) -> tuple[Change, ...]:
    before = next(locked for locked in lock.comparable() if locked.digest == last.digest)
    return compare(before, Lock((*lock.notices, notice), lock.editorial).comparable()[-1])


def notices_of_regimes(policy: Policy) -> list[Notice]:
    """Return the notices of a policy under each of its regimes, its own first."""
    return [Notice.of(applied) for applied in RegimePolicies(policy).by_id.values()]


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
