"""Copies of records that take consent back, for every pseudonym that hand-offs have linked to the visitor's.

A visitor has another pseudonym on each site, and hand-offs between the sites link the pseudonyms in the ledger. A record
that takes consent back is copied to all of them in one transaction, so that each site finds it under its own. Such a copy is
called an echo. A record that grants more reaches another site only by a hand-off.

Echoes go by time. A withdrawal that was delivered late takes back what was granted before it, and nothing that the visitor
granted later on another site.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from consentkit.consent import ConsentStatus, Decision, Evaluator
from consentkit.ledger import Entries, Ledger, Plan, Record, View
from consentkit.manager.difference import as_lists, ended_by
from consentkit.manager.newest import allowed_by_both, answer, is_full_answer, newest_of
from consentkit.manager.record_ids import derived_id, late_id
from consentkit.manager.webhooks import WebhookMessages

__all__ = ["Delivered", "LinkedLedger", "echoes", "stored_as"]

CLOCKS_DIFFER = 300
"""Seconds by which the clock of another host may be wrong."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of records that waited.

    Attributes:
        stored: the records that are new in the ledger, echoes included.
        had: for each record that the ledger had already, what it has.
        newest: what counted in the ledger for the same visitors, perhaps a record of another process.
        erased: the records that were not stored, because the visitor's records were erased since.
    """

    stored: tuple[Record, ...]
    had: tuple[tuple[Record, Record], ...]
    newest: tuple[Record, ...]
    erased: tuple[Record, ...]


class LinkedLedger:
    """Deliver records that waited to the ledger, together with the echoes that they have by now."""

    def __init__(self, ledger: Ledger, evaluator: Evaluator, messages: WebhookMessages | None = None) -> None:
        self._ledger = ledger
        self._evaluator = evaluator
        self._messages_of = messages.of_all if messages is not None else lambda records: ()

    def append(self, *records: Record) -> Delivered:
        """Store records durably, all or none.

        A record that is stored already may have come by another way, such as a second click, with its own call of the
        listeners. So it is not new. If a process ends between storing a record and calling the listeners, they miss it.

        Raises:
            LedgerUnavailableError: nothing was stored.
        """
        subjects = tuple(record.subject for record in records if record.subject)
        had: list[tuple[Record, Record]] = []
        newest: list[Record] = []
        erased: list[Record] = []

        def work_out(view: View) -> Entries:
            stored: list[Record] = []
            for found in (had, newest, erased):
                found.clear()
            for subject in subjects:
                counting = newest_of(view.newest(subject), self._evaluator)
                newest.extend([counting] if counting is not None else [])
            for waiting in records:
                if _is_erased(waiting, view):
                    erased.append(waiting)
                elif (copy := stored_as(waiting, view)) is not None:
                    had.append((waiting, copy))
                else:
                    added = self._to_store(waiting, view)
                    view.add(Entries(added))
                    stored.extend(added)
            return Entries(tuple(stored), messages=self._messages_of(stored))

        plan = Plan(
            work_out=work_out,
            subjects=subjects,
            linked_to=subjects,
            repeats=tuple(record_id for record in records for record_id in (record.id, late_id(record.id))),
        )
        stored = self._ledger.carry_out(plan).records
        return Delivered(tuple(stored), tuple(had), tuple(newest), tuple(erased))

    def _to_store(self, waiting: Record, view: View) -> tuple[Record, ...]:
        """Return a record that the ledger lacks, and the records that follow from it."""
        is_taken = view.stored(waiting.id) is not None
        record = replace(waiting, id=late_id(waiting.id)) if is_taken else waiting
        linked = view.linked(record.subject) if record.subject else ()
        joint = _joint(record, view, self._evaluator)
        return (
            record,
            *echoes(record, view, self._evaluator, linked),
            *([joint] if joint is not None else []),
        )


def _is_erased(record: Record, view: View) -> bool:
    """Return whether the records of a visitor were erased after a record that waited was made.

    Such a record changed a grant, so the ledger had an older record of the same pseudonym then.
    """
    if not record.subject or not view.erased_since(record.at - CLOCKS_DIFFER):
        return False
    return not any(known.at <= record.at for known in view.history(record.subject))


def stored_as(record: Record, view: View) -> Record | None:
    """Return what the ledger has of a record that waited; None if it lacks the record.

    The same submission may have been recorded by another process meanwhile, with another answer, because that process knew
    more or less about the visitor. Both answers were given, so both are stored: the one that waited with an id of its own.
    If both processes gave the same answer, the ledger has it once, with the moment of the one that came first.
    """
    stored = view.stored(record.id)
    same = ("subject", "status", "categories", "vendors")
    if stored is None or all(getattr(stored, name) == getattr(record, name) for name in same):
        return stored
    return view.stored(late_id(record.id))


def echoes(record: Record, view: View, evaluator: Evaluator, linked: Iterable[str]) -> list[Record]:
    """Return a narrower record for every linked grant of which this record takes something back."""
    found = []
    for other in linked:
        newest = newest_of(view.newest(other), evaluator)
        if newest is None or newest.status != ConsentStatus.GIVEN:
            continue
        limit = record if newest.moment <= record.moment else _limit_of_then(newest, record, view, evaluator)
        echo = _narrowed(newest, record, limit, evaluator) if limit is not None else None
        if echo is not None:
            found.append(echo)
    return found


def _joint(record: Record, view: View, evaluator: Evaluator) -> Record | None:
    """Return a record of what a late record and the pseudonym's newest one both leave; None if one of the two is that already.

    Neither was made with knowledge of the other. A change that is later keeps what it does not mention, so it would bring back
    what the other one took back.
    """
    newest = newest_of(view.newest(record.subject), evaluator) if record.subject else None
    if newest is None or newest.ends_subject or record.ends_subject:
        return None
    if newest.moment > record.moment:
        limit = _limit_of_then(newest, record, view, evaluator)
        joint = _narrowed(newest, record, limit, evaluator) if limit is not None else None
    elif is_full_answer(record):
        joint = None
    else:
        joint = _narrowed(record, record, newest, evaluator)
    if joint is None:
        return None
    # The visitor did not answer everything with knowledge of both. An answer between the two may still be on its way.
    return replace(joint, choice="change" if is_full_answer(record) else record.choice)


def _limit_of_then(newest: Record, record: Record, view: View, evaluator: Evaluator) -> Record | None:
    """Return what a record leaves of a linked grant that changed after it: all that the visitor turned on later stays.

    Returns None if the record takes nothing back, because the visitor gave a full answer later.
    """
    history = view.history(newest.subject or "")
    later = [known for known in history if known.moment > record.moment]
    if any(is_full_answer(known) for known in later):
        return None
    # A restored ledger may lack what was changed.
    then = newest_of((known for known in history if known.moment <= record.moment), evaluator)
    then = then or _before(newest)
    notice = evaluator.known(newest.notice)
    vendors = notice.vendor_category if notice is not None else {}
    return replace(
        record,
        categories={
            category: record.categories.get(category, False) or not then.categories.get(category, False)
            for category in newest.categories
        },
        vendors={
            vendor: _allows(record, vendor, category) or not _allows(then, vendor, category)
            for vendor, category in vendors.items()
        },
    )


def _before(change: Record) -> Record:
    """Return what a change rests on at least: all that it allows and did not turn on itself."""
    began = change.began
    return replace(
        change,
        categories={
            category: allowed and category not in began["categories"]
            for category, allowed in change.categories.items()
        },
        vendors={**change.vendors, **dict.fromkeys(began["vendors"], False)},
    )


def _allows(record: Record, vendor: str, category: str) -> bool:
    return record.vendors.get(vendor, record.categories.get(category, False))


def _narrowed(newest: Record, record: Record, limit: Record, evaluator: Evaluator) -> Record | None:
    """Return a linked grant with only what the limit allows too; None if that takes nothing back."""
    granted, vendors = allowed_by_both(newest, limit, evaluator)
    categories = {category: category in granted for category in newest.categories}
    if categories == newest.categories and vendors == newest.vendors:
        return None
    if _grants(evaluator, answer(granted, vendors, newest.notice)):
        narrowed = newest
    else:
        withdrawn = record.status == ConsentStatus.WITHDRAWN
        narrowed = replace(
            newest,
            status=(ConsentStatus.WITHDRAWN if withdrawn else ConsentStatus.REFUSED).value,
            decided_at=record.decided_at,
            expires_at=record.expires_at,
        )
    # Of one moment counts what both allow, so this record replaces the newest one. An answer that is later than both, and was
    # given without knowledge of this record, is later than this record too.
    changed_at, revision = max(record.moment, newest.moment)
    narrowed = replace(
        narrowed,
        id=_echo_id(record, newest),
        at=record.at,
        event="withdrawn",
        site=record.site,
        language=record.language,
        surface=record.surface,
        choice="handoff",
        categories=categories,
        vendors=vendors,
        changed_at=changed_at,
        revision=revision,
        gpc=record.gpc,
        version=record.version,
        began=as_lists(()),
        seq=None,
    )
    return replace(narrowed, ended=ended_by(newest, narrowed, evaluator))


def _grants(evaluator: Evaluator, decision: Decision) -> bool:
    notice = evaluator.known(decision.notice)
    return evaluator.grants(replace(decision, notice=notice.digest)) if notice else bool(decision.granted)


def _echo_id(record: Record, newest: Record) -> str:
    """Derive the id of an echo, so that a record that is delivered twice has the same echoes."""
    return derived_id(f"{record.id} {newest.id}")
