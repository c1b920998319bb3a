"""A grant as the ledger proves it: what a record and the notice that it names say about each purpose."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from consentkit.ledger import Record

__all__ = ["Grant", "GrantState", "Part", "grant_of"]

Row = Mapping[str, Any]
GrantState = Literal["given", "renewed", "refused", "withdrawn", "invalidated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A purpose that visitors are asked about, or some third parties of it, with one answer.

    Attributes:
        category: the purpose, as the notice has it.
        has_own: whether the answer is that about the purpose itself. Otherwise it is about these third parties alone.
        vendors: the third parties, as the notice has them.
        trackers: what is stored or read for these.
        state: the answer, and whether it still counts.
        at: when the answer was given, in seconds since the epoch.
        event: the record that has the answer first.
    """

    category: Row
    has_own: bool
    vendors: tuple[Row, ...]
    trackers: tuple[Row, ...]
    state: GrantState
    at: int
    event: Record

    @property
    def is_given(self) -> bool:
        """Whether the consent allows this part."""
        return self.state in ("given", "renewed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant with what proves it.

    Attributes:
        record: the newest record of the visitor's pseudonym.
        notice: the content of the notice that the record names.
        parts: the answers by purpose, in the notice's order. Purposes that need no consent are not among them.
    """

    record: Record
    notice: Row
    parts: tuple[Part, ...]

    @property
    def controllers(self) -> tuple[tuple[str, Row], ...]:
        """The notice's controller with the id "", and those of its sites that have their own, each with the site's id."""
        own = ((site["id"], site["controller"]) for site in self.notice["sites"] if site.get("controller"))
        return (("", self.notice["controller"]), *own)


def grant_of(
    record: Record, notice: Row, *, history: Sequence[Record] = (), in_force: Collection[str] | None = None
) -> Grant:
    """Return the grant that a record proves.

    Args:
        record: the newest record of a pseudonym.
        notice: the content of the notice that the record names, as the ledger has it.
        history: all records of the pseudonym, from which the time of each answer follows.
        in_force: ids of the categories, and of the vendors with "~" before them, that still count. What else the record
            grants is invalidated, because the notice has grown since. None if all of it counts.
    """
    events = sorted({each.id: each for each in (*history, record)}.values(), key=lambda each: each.moment)
    parts = [
        part
        for category in notice["categories"]
        if not category.get("required") and not category.get("exempt")
        for part in _parts_of(category, record, notice, events, in_force)
    ]
    return Grant(record=record, notice=notice, parts=tuple(parts))


def _parts_of(
    category: Row, record: Record, notice: Row, events: Sequence[Record], in_force: Collection[str] | None
) -> list[Part]:
    """Return the parts of one purpose: what is granted, what is not any more, and what was not."""
    own = record.categories.get(category["id"], False)

    def answer_of(granted: bool, row_id: str) -> str:
        if not granted:
            return "off"
        return "given" if in_force is None or row_id in in_force else "invalidated"

    vendors = [row for row in notice.get("vendors", ()) if row["category"] == category["id"]]
    answers = {row["id"]: answer_of(record.vendors.get(row["id"], own), f"~{row['id']}") for row in vendors}
    own_answer = answer_of(own, category["id"])
    parts = []
    for answer in ("given", "invalidated", "off"):
        members = tuple(row for row in vendors if answers[row["id"]] == answer)
        if members or own_answer == answer:
            has_own = own_answer == answer
            event, state = _origin(answer, category["id"] if has_own else None, members, record, events)
            holders = {row["id"] for row in members} | ({None} if has_own else set())
            parts.append(
                Part(
                    category=category,
                    has_own=has_own,
                    vendors=members,
                    trackers=tuple(
                        row
                        for row in notice.get("trackers", ())
                        if row["category"] == category["id"] and row.get("vendor") in holders
                    ),
                    state=state,
                    at=max(event.at, record.decided_at),
                    event=event,
                )
            )
    return parts


def _origin(
    answer: str, category: str | None, vendors: Sequence[Row], record: Record, events: Sequence[Record]
) -> tuple[Record, GrantState]:
    """Return the record that has an answer first, and the state of the answer.

    Records list what each event began and ended. An answer that no later event concerns is as old as the decision.
    """
    ids = {row["id"] for row in vendors}
    since_decision = [each for each in events if each.at >= record.decided_at] or [record]
    # A full answer replaces an older one. What only partial changes say comes later.
    first = since_decision[0]
    changes = [
        each
        for each in since_decision
        for lists in (each.ended if answer == "off" else each.began,)
        if category in lists["categories"] or ids.intersection(lists["vendors"])
    ]
    event = changes[-1] if changes else first
    if answer == "off":
        return event, "withdrawn" if changes else "refused"
    if answer == "invalidated":
        return event, "invalidated"
    return event, "renewed" if event.event == "renewed" else "given"
