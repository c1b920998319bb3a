"""Ledgers of many visitors, for the tests of figures."""

import random
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from consentkit.ledger import Ledger, Record
from consentkit.proof.figures import VisitorFigures
from tests.support.records import a_record

SITES = ("stride", "trailhead")
CATEGORIES = ("analytical", "tracking", "social")
VENDORS = {"youtube": "social", "google-analytics": "analytical", "adhub": "tracking"}
NOTICE = "n" * 43
FIRST, LAST = date(2026, 9, 14), date(2026, 11, 8)
CONTENT = {"vendors": [{"id": vendor, "category": own} for vendor, own in VENDORS.items()]}


class Drawn(random.Random):
    """Draws the same visitors for the same seed."""


def second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def answered(drawn: Drawn, at: int, subject: str | None, **changes: Any) -> Record:
    """Make one record of a visitor who answers at random."""
    values: dict[str, Any] = {
        "id": str(uuid.UUID(int=drawn.getrandbits(128), version=4)),
        "at": at,
        "decided_at": at,
        "changed_at": at,
        "subject": subject,
        "site": drawn.choice(SITES),
        "surface": drawn.choice(("banner", "preferences")),
        "gpc": drawn.random() < 0.3,
        "categories": {each: drawn.random() < 0.7 for each in CATEGORIES} | {"analytical": True},
        "vendors": {"youtube": False} if drawn.random() < 0.3 else {},
    }
    return a_record(**(values | changes))


def visit(drawn: Drawn) -> list[Record]:
    """Make the records of one visitor: a refusal, or a grant with what follows it."""
    start, end = second(FIRST) - 20 * 86_400, second(LAST) + 5 * 86_400
    at = drawn.randrange(start, end)
    nothing = {"categories": dict.fromkeys(CATEGORIES, False), "vendors": {}}
    if drawn.random() < 0.3:
        once = (
            {"event": "loaded_once", "choice": "load_once"} if drawn.random() < 0.3 else {"event": "refused"}
        )
        return [answered(drawn, at, None, status="refused", **nothing, **once)]
    subject = f"s{drawn.getrandbits(80):020x}"
    found = [answered(drawn, at, subject)]
    site = found[0].site
    while drawn.random() < 0.5:
        at += drawn.choice((60, 5_000, 90_000, 900_000, 4_000_000))
        event = drawn.choice(("changed", "renewed"))
        found.append(answered(drawn, at, subject, event=event, site=site))
    if drawn.random() < 0.4:
        at += drawn.choice((60, 5_000, 90_000, 900_000, 4_000_000, 20_000_000))
        found.append(
            answered(
                drawn,
                at,
                subject,
                event="withdrawn",
                status="withdrawn",
                site=site,
                expires_at=None,
                **nothing,
            )
        )
    return found


def fill(ledger: Ledger, visits: list[list[Record]]) -> None:
    """Store visits, what was shown, and decisions that were counted alone."""
    ledger.store_notice(NOTICE, CONTENT)
    ledger.append(*(record for records in visits for record in records))
    places: dict[str, Any] = {"notice": NOTICE, "language": "nl"}
    days = range(second(FIRST), second(LAST) + 1, 86_400)
    ledger.add_shown(
        [
            places | {"site": site, "day": day, "surface": surface, "count": day // 86_400 % 7}
            for site in (*SITES, "elsewhere")
            for day in days
            for surface in ("banner", "asked_again", "embed")
        ]
    )
    counted = places | {"site": "stride", "surface": "banner", "choice": "x", "count": 4}
    ledger.add_counts(
        [
            counted | {"hour": second(FIRST) + 3600, "event": "refused"},
            counted | {"hour": second(FIRST) + 7200, "event": "loaded_once"},
            counted | {"hour": second(LAST) + 3600, "event": "refused", "surface": "preferences"},
        ]
    )


def some_figures(days: int = 40) -> VisitorFigures:
    """Make figures of two sites, all of them in batches."""
    drawn = Drawn(3)
    kinds = [
        *(
            (kind, "")
            for kind in ("accepted", "partly", "rejected", "withdrawn", "gpc", "on_banner", "loaded_once")
        )
    ]
    kinds += [("shown", surface) for surface in ("banner", "asked_again", "preferences", "policy", "embed")]
    cells = {
        site: {
            cell: [5 * drawn.randrange(4 if cell[0] != "shown" else 40) for _ in range(days)]
            for cell in kinds
        }
        for site in SITES
    }
    stride = cells["stride"]
    grants = sum(
        sum(numbers)
        for kind in ("accepted", "partly")
        for numbers in (each[kind, ""] for each in cells.values())
    )
    two_thirds = round(2 * grants / 15) * 5
    for cell, number in (
        (("category", "analytical"), two_thirds),
        (("category", "gone"), 10),
        (("vendor", "youtube"), two_thirds),
        *(((("within", str(place)), number)) for place, number in enumerate((5, 0, 25, 0, 5, 0, 0))),
    ):
        stride[cell] = [number] + [0] * (days - 1)
    return VisitorFigures(FIRST, FIRST + timedelta(days=days - 1), SITES, cells)
