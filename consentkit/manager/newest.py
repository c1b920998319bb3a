"""Which record of a pseudonym counts: the rule is the same in the ledger, in a process's memory, in the spool and for cookies.

A record that refuses or withdraws everything ends its pseudonym for good. Otherwise the latest change counts. Two different
answers of the same moment count as what both allow. So the result never depends on the order in which records arrive, and a
record that is delivered late or twice changes nothing that is newer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce

from consentkit.consent import Decision, Evaluator, transitions
from consentkit.ledger import Record, highest
from consentkit.manager.record_ids import derived_id

__all__ = [
    "RecordFold",
    "allowed_by_both",
    "answer",
    "answer_in",
    "is_echo",
    "is_full_answer",
    "newest_of",
    "same_answer",
]

_FULL_ANSWERS = ("accept_all", "reject_all", "save", "api")


def is_full_answer(record: Record) -> bool:
    """Return whether a visitor answered everything with a record, rather than change a part of an earlier answer."""
    return record.choice in _FULL_ANSWERS or record.event == "imported"


def is_echo(record: Record) -> bool:
    """Return whether a record takes back what the visitor took back on a linked site, rather than hold an answer."""
    return record.choice == "handoff" and record.event == "withdrawn"


def newest_of(records: Iterable[Record], evaluator: Evaluator) -> Record | None:
    """Return the record that counts among those of one pseudonym, or None if there are none.

    Of different records of the same moment the result is a record with what all of them allow, which no ledger holds. Its id
    follows from theirs.
    """
    given = tuple(records)
    if not given:
        return None
    tied = sorted(highest(given), key=lambda record: record.id)
    return reduce(lambda first, second: _narrower(first, second, evaluator), tied)


class RecordFold:
    """Fold records of one pseudonym, as they arrive, into what counts.

    Args:
        fold: returns what counts among several records, whatever their order.
    """

    def __init__(self, fold: Callable[[Iterable[Record]], Record | None]) -> None:
        self.all = fold

    def both(self, record: Record, old: Record | None) -> Record:
        """Return what counts of a record and an old one. The old object is returned if it is the same record."""
        if old is None:
            return record
        if old.id == record.id and same_answer(old, record):
            return old
        return self.all((old, record)) or record

    def covers(self, newest: Record | None, other: Record) -> bool:
        """Return whether a record makes another one superfluous."""
        return newest is not None and same_answer(self.both(other, newest), newest)


def same_answer(first: Record, second: Record) -> bool:
    """Return whether two records of one pseudonym say the same, of the same moment."""
    return _answer_of(first) == _answer_of(second)


def _answer_of(record: Record) -> tuple[object, ...]:
    return record.precedence, record.notice, record.categories, record.vendors


def _narrower(first: Record, second: Record, evaluator: Evaluator) -> Record:
    """Return a record with what two records of the same moment allow; the first one if they agree."""
    if (first.categories, first.vendors, first.notice) == (second.categories, second.vendors, second.notice):
        return first
    granted, vendors = allowed_by_both(first, second, evaluator)
    categories = {category: category in granted for category in first.categories}
    if first.ends_subject or (categories == first.categories and vendors == first.vendors):
        return first
    if categories == second.categories and vendors == second.vendors and first.notice == second.notice:
        return second
    return replace(
        first,
        id=derived_id(f"{first.id} {second.id}"),
        categories=categories,
        vendors=vendors,
        decided_at=min(first.decided_at, second.decided_at),
        expires_at=min(
            (end for end in (first.expires_at, second.expires_at) if end is not None), default=None
        ),
    )


def allowed_by_both(
    first: Record, second: Record, evaluator: Evaluator
) -> tuple[frozenset[str], dict[str, bool]]:
    """Return what two records allow, as `transitions.narrower` does for two decisions.

    Vendors follow their category in the notice of the first record. If that notice is not known here, no vendor is allowed
    apart from its category.
    """
    answers = answer_in(first), answer_in(second)
    notice = evaluator.known(first.notice)
    if notice is None:
        return answers[0].granted & answers[1].granted, {}
    return transitions.allowed_by_both(*answers, notice, evaluator.known(second.notice) or notice)


def answer_in(record: Record) -> Decision:
    """Return the answer that a record holds, without its times and its subject."""
    granted = frozenset(category for category, allowed in record.categories.items() if allowed)
    return answer(granted, record.vendors, record.notice)


def answer(
    granted: frozenset[str], vendors: Mapping[str, bool], notice: str, *, subject: str = ""
) -> Decision:
    """Return a decision without times, to find out what it grants."""
    return Decision(
        granted=granted, vendors=vendors, decided_at=0, changed_at=0, notice=notice, subject=subject
    )
