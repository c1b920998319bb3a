"""How many records there are of each kind on each day, and how often notices were shown: what figures are made from.

A database adds up, so that the number of rows that are read grows with days and kinds of answers, not with visitors.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Executable, and_, case, func, literal, select

from consentkit.ledger.tables import counts, notices, records, shown

__all__ = [
    "DAY",
    "WITHDRAWN_WITHIN",
    "Count",
    "Period",
    "Tally",
    "read_counts",
    "read_notices",
    "read_shown",
    "read_signals",
    "read_tallies",
]

DAY: Final = 86_400
WITHDRAWN_WITHIN: Final = (3600, DAY, 7 * DAY, 30 * DAY, 90 * DAY, 182 * DAY)
"""Ends of the classes of times from grant to withdrawal, in seconds. The last class has no end."""
_ROWS_AT_ONCE: Final = 1000
_GRANTS: Final = ("given", "changed", "renewed")
_row: Final = records.c


class Period(NamedTuple):
    """Whole months and sites.

    Attributes:
        months: the first second of each month in order, and that of the month after the last one.
        end: the first second that does not count any more.
        sites: ids of the sites.
    """

    months: Sequence[int]
    end: int
    sites: Sequence[str]


class Tally(NamedTuple):
    """How many visitors did the same on one day.

    Attributes:
        site: id of the site.
        day: its first second since the epoch, UTC.
        kind: grant, refused, withdrawn or loaded_once.
        surface: where it was done.
        gpc: whether the browsers sent Global Privacy Control.
        notice: digest of the notice of a grant or refusal; otherwise empty.
        categories, vendors: the answers of a grant or refusal as JSON; otherwise empty.
        within: number of the class of `WITHDRAWN_WITHIN` of a withdrawal; None otherwise, and where no grant is on record.
        number: how many visitors.
    """

    site: str
    day: int
    kind: str
    surface: str
    gpc: bool
    notice: str
    categories: str
    vendors: str
    within: int | None
    number: int


def read_tallies(connection: Connection, period: Period) -> Iterator[Tally]:
    """Yield what was done in a period. A pseudonym counts once a month for each kind, with its first record of that kind.

    Nothing links the refusals of one visitor, so each of them counts.
    """
    kind = case((_row.event.in_(_GRANTS), "grant"), else_=_row.event)
    first = (
        select(func.min(_row.seq).label("seq"))
        .where(
            *_within(_row.at, _row.site, period),
            _row.event.in_((*_GRANTS, "refused", "withdrawn", "loaded_once")),
        )
        .group_by(_row.site, _month(_row.at, period), kind, func.coalesce(_row.subject, _row.id))
        .subquery("first")
    )
    is_answer = _row.event.in_((*_GRANTS, "refused"))
    fields = (
        _row.site.label("site"),
        (_row.at - _row.at % DAY).label("day"),
        kind.label("kind"),
        _row.surface.label("surface"),
        _row.gpc.label("gpc"),
        *(
            case((is_answer, column), else_="").label(column.name)
            for column in (_row.notice, _row.categories, _row.vendors)
        ),
        _time_class().label("within"),
    )
    found = select(*fields).join(first, first.c.seq == _row.seq).subquery("found")
    query = select(*found.c, func.count()).group_by(*found.c)
    return (Tally(*row) for row in _read(connection, query))


class Count(NamedTuple):
    """How many decisions of one kind on one day were not recorded one by one; fields as in `Tally`."""

    site: str
    day: int
    event: str
    surface: str
    notice: str
    choice: str
    number: int


def read_counts(connection: Connection, period: Period) -> Iterator[Count]:
    """Yield the decisions that were not recorded one by one."""
    day = (counts.c.hour - counts.c.hour % DAY).label("day")
    fields = (counts.c.site, day, counts.c.event, counts.c.surface, counts.c.notice, counts.c.choice)
    query = (
        select(*fields, func.sum(counts.c.count))
        .where(*_within(counts.c.hour, counts.c.site, period))
        .group_by(*fields)
    )
    return (Count._make((*row[:6], int(row[6]))) for row in _read(connection, query))


def read_shown(connection: Connection, period: Period) -> Iterator[tuple[str, int, str, int]]:
    """Yield site, day, surface and number of the banners and pages that were sent."""
    fields = (shown.c.site, shown.c.day, shown.c.surface)
    query = (
        select(*fields, func.sum(shown.c.count))
        .where(*_within(shown.c.day, shown.c.site, period), shown.c.surface != "signal")
        .group_by(*fields)
    )
    return ((*row[:3], int(row[3])) for row in _read(connection, query))


def read_signals(connection: Connection, period: Period) -> Iterator[tuple[str, int, str, int]]:
    """Yield site, day, notice and number of the pages that were sent to browsers with Global Privacy Control."""
    fields = (shown.c.site, shown.c.day, shown.c.notice)
    query = (
        select(*fields, func.sum(shown.c.count))
        .where(*_within(shown.c.day, shown.c.site, period), shown.c.surface == "signal")
        .group_by(*fields)
    )
    return ((*row[:3], int(row[3])) for row in _read(connection, query))


def read_notices(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield digest and content of all notices, as they are stored."""
    return ((row[0], row[1]) for row in _read(connection, select(notices.c.digest, notices.c.content)))


def _read(connection: Connection, query: Executable) -> Iterator[Any]:
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as rows:
        yield from rows


def _within(at: ColumnElement[int], site: ColumnElement[str], period: Period) -> tuple[Any, ...]:
    return at >= period.months[0], at < period.end, site.in_(period.sites)


def _month(at: ColumnElement[int], period: Period) -> ColumnElement[int]:
    """Return the number of the month. Months differ in length, and databases in how they work them out."""
    return case(*((at < end, number) for number, end in enumerate(period.months[1:])), else_=literal(-1))


def _time_class() -> ColumnElement[int | None]:
    """Return the class of the time between the first grant of a pseudonym and its withdrawal; NULL if there is none."""
    granted = records.alias("granted")
    since = (
        select(func.min(granted.c.at))
        .where(granted.c.subject == _row.subject, granted.c.status == "given", granted.c.event != "withdrawn")
        .scalar_subquery()
    )
    took = _row.at - since
    classes = ((and_(took.is_not(None), took < end), number) for number, end in enumerate(WITHDRAWN_WITHIN))
    number = case(*classes, (took.is_not(None), len(WITHDRAWN_WITHIN)))
    return case((_row.event == "withdrawn", number))
