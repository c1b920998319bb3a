"""Figures for people to look at: how often the notice was shown, and what visitors answered, without figures about few people.

Visitors are counted in batches of five. Within a calendar month of a site, each kind of answer is added up day by day, and a
batch counts on the day on which it becomes full. All other figures are sums of batches. So they are multiples of five, they add
up whatever the period, and the number of successive days of a month fits at least five different true numbers.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from consentkit.ledger import (
    DAY,
    WITHDRAWN_WITHIN,
    Count,
    Period,
    Tally,
    read_counts,
    read_notices,
    read_shown,
    read_signals,
    read_tallies,
)

__all__ = ["BATCH", "LONGEST", "Quartiles", "VisitorFigures", "batches", "figures_of", "share"]

BATCH: Final = 5
"""Visitors are counted in batches of so many."""
LONGEST: Final = 1830
"""Days that figures may cover, so that reading them has a bound."""
_BATCHES_OF_WHOLE: Final = 20

_ANSWERS: Final = ("accepted", "partly", "rejected")
_BANNERS: Final = ("banner", "asked_again")

Cell = tuple[str, str]
"""What is counted: a kind, and for some kinds which one, such as a category."""
Quartiles = tuple[int, int, int]
"""The classes of times that a quarter, half, and three quarters of the withdrawals are reached in."""


def batches(numbers: Iterable[int]) -> Iterator[int]:
    """Yield the number of each day of a month in whole batches. What makes no batch is added to the next day."""
    total = published = 0
    for number in numbers:
        total += number
        full = total - total % BATCH
        yield full - published
        published = full


def share(part: int, whole: int, least: int = 1) -> int | None:
    """Return how many per cent a part is of a whole, at most 100; None if the whole is below the least."""
    return min(100, round(100 * part / whole)) if whole >= least else None


@dataclass(frozen=True, slots=True)
class VisitorFigures:
    """The figures of some sites for a period. All numbers are multiples of five.

    Attributes:
        first, last: the days with which the period begins and ends, UTC.
        sites: ids of the sites.
        cells: how many, by site, kind of figure, and day of the period.
    """

    first: date
    last: date
    sites: tuple[str, ...]
    cells: Mapping[str, Mapping[Cell, Sequence[int]]]

    @property
    def days(self) -> list[date]:
        """The days of the period."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def least_whole(self) -> int:
        """The least number of which per cents are told: twenty batches for each site and month, so that rounding is small."""
        months = len(_months(self.first, self.last)) - 1
        return _BATCHES_OF_WHOLE * BATCH * len(self.sites) * months

    def total(self, kind: str, which: str = "", *, site: str | None = None) -> int:
        """Return a figure for the period: of one site, or of all."""
        return sum(self.by_day(kind, which, site=site))

    def by_day(self, kind: str, which: str = "", *, site: str | None = None) -> list[int]:
        """Return a figure for each day of the period."""
        found = [
            self.cells.get(each, {}).get((kind, which)) for each in (self.sites if site is None else (site,))
        ]
        return [sum(numbers) for numbers in zip(*filter(None, found), strict=True)] or [0] * len(self.days)

    def which(self, kind: str) -> dict[str, int]:
        """Return the totals of a kind that has several, such as categories, the largest first."""
        names = {name for cells in self.cells.values() for found, name in cells if found == kind}
        totals = {name: self.total(kind, name) for name in names}
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    def answered(self, *, site: str | None = None) -> int:
        """Return how many answered: everything, a part, or nothing was accepted."""
        return sum(self.total(kind, site=site) for kind in _ANSWERS)

    def not_answered_on_banner(self, *, site: str | None = None) -> int | None:
        """Return how many banners were not answered on the banner itself; None if fewer were sent than answered.

        Their visitors may have answered on the settings page.
        """
        sent = sum(self.total("shown", surface, site=site) for surface in _BANNERS)
        answered = self.total("on_banner", site=site)
        return sent - answered if sent and sent >= answered else None

    def withdrawn_within(self) -> list[int]:
        """Return how many withdrew within each class of times after the grant; see `WITHDRAWN_WITHIN`."""
        return [self.total("within", str(number)) for number in range(len(WITHDRAWN_WITHIN) + 1)]

    def quartiles(self) -> Quartiles | None:
        """Return the classes of times that have the quartiles of the time to withdrawal; None without withdrawals."""
        numbers = self.withdrawn_within()
        if not sum(numbers):
            return None
        return (_class_of(numbers, 1), _class_of(numbers, 2), _class_of(numbers, 3))


def figures_of(connection: Connection, sites: Sequence[str], first: date, last: date) -> VisitorFigures:
    """Return the figures of some sites, from the first to the last day of a period.

    Args:
        connection: sees one moment of the ledger, as `consentkit.ledger.snapshot` yields it.
        sites: ids of the sites.
        first: the first day, UTC.
        last: the last day. It should be over, because its figures change until then.
    """
    months = _months(first, last)
    period = Period([_second(day) for day in months], _second(last + timedelta(days=1)), sites)
    numbers = _Numbers(months, last)
    notices = list(read_notices(connection))
    without_consent = set(_without_consent(notices))
    _add_tallies(numbers, read_tallies(connection, period), dict(_vendors(notices)), without_consent)
    for each in read_counts(connection, period):
        for cell in _cells_of_count(each, needs_consent=each.notice not in without_consent):
            numbers.add(each.site, cell, each.day, each.number)
    for site, day, surface, count in read_shown(connection, period):
        numbers.add(site, ("shown", surface), day, count)
    # The ledger has a notice from the first answer on. Until then its digest stands for its rules.
    rules_of = dict(_rules(notices))
    for site, day, notice, count in read_signals(connection, period):
        numbers.add(site, ("signal", rules_of.get(notice, notice)), day, count)
    return VisitorFigures(first, last, tuple(sites), numbers.published(first))


class _Numbers:
    """True numbers by site, cell and day of whole months. Only `published` leaves this module."""

    def __init__(self, months: Sequence[date], last: date) -> None:
        self._start = _second(months[0])
        self._first = months[0]
        self._days = (last - months[0]).days + 1
        self._starts = [(month - months[0]).days for month in months[:-1]] + [self._days]
        self._cells: dict[str, dict[Cell, list[int]]] = defaultdict(lambda: defaultdict(self._zeros))

    def _zeros(self) -> list[int]:
        return [0] * self._days

    def add(self, site: str, cell: Cell, day: int, count: int) -> None:
        self._cells[site][cell][(day - self._start) // DAY] += count

    def published(self, first: date) -> dict[str, dict[Cell, list[int]]]:
        skipped = (first - self._first).days
        return {
            site: {cell: self._in_batches(numbers)[skipped:] for cell, numbers in cells.items()}
            for site, cells in self._cells.items()
        }

    def _in_batches(self, numbers: list[int]) -> list[int]:
        months = zip(self._starts, self._starts[1:], strict=False)
        return [number for start, end in months for number in batches(numbers[start:end])]


def _add_tallies(
    numbers: _Numbers,
    tallies: Iterable[Tally],
    vendors_of: Mapping[str, Mapping[str, str]],
    without_consent: Collection[str],
) -> None:
    """Add records; `vendors_of` and `without_consent` are by digest of the notice."""

    @lru_cache(maxsize=1000)
    def cells_of(kind: str, notice: str, categories: str, vendors: str) -> tuple[Cell, ...]:
        if kind == "refused" and notice not in without_consent:
            return (("rejected", ""),)
        try:
            answers = _answers(json.loads(categories), json.loads(vendors), vendors_of.get(notice, {}))
            if kind == "grant":
                return tuple(_cells_of_grant(answers))
            return (("left_on" if answers.accepts_all else "opted_out", ""),)
        except (ValueError, TypeError, AttributeError):
            # Another program wrote the row, or it is damaged. `consentkit ledger verify` names it.
            return ()

    for tally in tallies:
        if tally.kind in ("grant", "refused"):
            cells = [
                *cells_of(tally.kind, tally.notice, tally.categories, tally.vendors),
                *_of_answer(tally),
            ]
        elif tally.kind == "withdrawn" and tally.within is not None:
            cells = [("withdrawn", ""), ("within", str(tally.within))]
        else:
            cells = [(tally.kind, "")]
        for cell in cells:
            numbers.add(tally.site, cell, tally.day, tally.number)


def _cells_of_count(count: Count, *, needs_consent: bool) -> Iterator[Cell]:
    """Yield what decisions count as that were not recorded one by one."""
    if count.event != "refused":
        yield "loaded_once", ""
        return
    if needs_consent:
        yield "rejected", ""
    # Of other answers the counts do not say what was left on.
    elif count.choice in ("accept_all", "reject_all"):
        yield ("left_on" if count.choice == "accept_all" else "opted_out"), ""
    if count.surface == "banner":
        yield "on_banner", ""


def _of_answer(tally: Tally) -> Iterator[Cell]:
    """Yield what is counted for grants and refusals alike."""
    if tally.gpc:
        yield "gpc", ""
    if tally.surface == "banner":
        yield "on_banner", ""


class _Answers(NamedTuple):
    """What one answer allows: each category, and each vendor of these."""

    categories: Mapping[str, bool]
    vendors: Mapping[str, bool]

    @property
    def accepts_all(self) -> bool:
        return all(self.categories.values()) and all(self.vendors.values())


def _answers(
    categories: Mapping[str, bool], vendors: Mapping[str, bool], vendors_of: Mapping[str, str]
) -> _Answers:
    """Return what an answer allows. A vendor that it does not mention follows its category."""
    of_category = {vendor: categories[own] for vendor, own in vendors_of.items() if own in categories}
    return _Answers(categories, {**of_category, **vendors})


def _cells_of_grant(answers: _Answers) -> Iterator[Cell]:
    """Yield what a grant counts as: accepted or partly, its categories, and its vendors."""
    yield ("accepted" if answers.accepts_all else "partly"), ""
    yield from (("category", name) for name, allowed in answers.categories.items() if allowed)
    yield from (("vendor", name) for name, allowed in answers.vendors.items() if allowed)


def _vendors(notices: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the digest of each notice, with the category of each of its vendors. A damaged notice is left out."""
    for digest, text in notices:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            content: dict[str, Any] = json.loads(text)
            yield digest, {row["id"]: row["category"] for row in content.get("vendors", ())}


def _without_consent(notices: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the digest of each notice under which nothing needs consent: all is on until the visitor opts out."""
    for digest, text in notices:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            optional = [row for row in json.loads(text)["categories"] if not row["required"]]
            if optional and all(row["exempt"] for row in optional):
                yield digest


def _rules(notices: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the digest of each notice, with the rules that it is for, as records name them: a country, or a regime."""
    for digest, text in notices:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            content: dict[str, Any] = json.loads(text)
            yield digest, str(content.get("regime") or content["jurisdiction"])


def _months(first: date, last: date) -> list[date]:
    """Return the first days of the months of a period, and of the month after it."""
    months = [first.replace(day=1)]
    while months[-1] <= last:
        months.append((months[-1] + timedelta(days=31)).replace(day=1))
    return months


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _class_of(numbers: Sequence[int], quarters: int) -> int:
    """Return the first class up to which some quarters of all are reached."""
    total = sum(numbers)
    return next(place for place, reached in enumerate(accumulate(numbers)) if 4 * reached >= quarters * total)
