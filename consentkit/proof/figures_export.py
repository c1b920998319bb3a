"""Figures as plain data, JSON and CSV. All forms hold the same numbers."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from consentkit._version import __version__
from consentkit.ledger import WITHDRAWN_WITHIN
from consentkit.notices import notices_of_regimes
from consentkit.policy import Policy
from consentkit.proof.figures import BATCH, VisitorFigures, share

__all__ = ["DAILY", "figures_as_csv", "figures_as_data", "figures_as_json"]

SCHEMA: Final = 1
SURFACES: Final = ("banner", "asked_again", "preferences", "policy", "embed")
ANSWERS: Final = ("accepted", "partly", "rejected")
_DIGEST: Final = 43
OPT_OUTS: Final = ("opted_out", "left_on")
"""Answers of visitors from whom no consent was needed."""
DAILY: Final = ("shown", *ANSWERS, *OPT_OUTS, "withdrawn")
"""What there is for each day, and for each site. Shown are banners."""
COLUMNS: Final = ("figure", "id", "name", "day", "number", "per_cent", "per_cent_of")

Row = dict[str, Any]


def figures_as_data(figures: VisitorFigures, policy: Policy) -> Row:
    """Return figures as plain data, with the titles and names of the policy.

    `per_cent_of` says what `per_cent` is a part of. `per_cent` is None where that whole is so small that batches would make it
    wrong.
    """
    return {
        "schema": SCHEMA,
        "version": __version__,
        "from": figures.first.isoformat(),
        "to": figures.last.isoformat(),
        "sites": list(figures.sites),
        "multiple_of": BATCH,
        "least_whole": figures.least_whole,
        "shown": {surface: figures.total("shown", surface) for surface in SURFACES},
        **_answered(figures),
        "gpc_pages": _signals(figures, policy),
        "withdrawn": figures.total("withdrawn"),
        "loaded_once": figures.total("loaded_once"),
        **_grants(figures, policy),
        "withdrawn_within": _time_classes(figures),
        "quartiles": _quartiles(figures),
        "by_site": [
            {"id": site, "name": policy.site(site).name} | _daily_total(figures, site)
            for site in figures.sites
        ],
        "by_day": list(_by_day(figures)),
    }


def _answered(figures: VisitorFigures) -> Row:
    """Return what visitors answered. Opt-outs may have Global Privacy Control too, so its whole includes them."""
    answered, least = figures.answered(), figures.least_whole
    opt_outs = {kind: figures.total(kind) for kind in OPT_OUTS}
    everybody = answered + sum(opt_outs.values())
    return {
        "answered": answered,
        "answers": {kind: _part(figures.total(kind), answered, "answered", least) for kind in ANSWERS},
        "opt_outs": opt_outs,
        "answered_on_banner": figures.total("on_banner"),
        "not_answered_on_banner": figures.not_answered_on_banner(),
        "gpc": _part(figures.total("gpc"), everybody, "answered_and_opt_outs", least),
    }


def _grants(figures: VisitorFigures, policy: Policy) -> Row:
    """Return what grants include."""
    grants, least = figures.total("accepted") + figures.total("partly"), figures.least_whole
    language = policy.languages[0]
    titles = {category.id: category.title[language] for category in policy.optional}
    names = {vendor.id: vendor.name for vendor in policy.vendors if vendor.category in titles}
    return {
        "grants": grants,
        "categories": _granted(figures.which("category"), titles, grants, least),
        "vendors": _granted(figures.which("vendor"), names, grants, least),
    }


def _signals(figures: VisitorFigures, policy: Policy) -> dict[str, int]:
    """Return how many pages were sent to browsers with Global Privacy Control, by the rules that applied."""
    current = {notice.digest: notice.regime or policy.jurisdiction for notice in notices_of_regimes(policy)}
    pages: dict[str, int] = defaultdict(int)
    for rules, number in figures.which("signal").items():
        pages[current.get(rules, "unknown" if len(rules) == _DIGEST else rules)] += number
    return dict(pages)


def figures_as_json(data: Row) -> str:
    """Return the data of figures as a JSON document."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def figures_as_csv(data: Row) -> str:
    """Return the data of figures as a CSV file with a row for each number."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(_rows(data))
    return file.getvalue()


def _rows(data: Row) -> Iterator[Row]:
    for surface, number in data["shown"].items():
        yield {"figure": "shown", "id": surface, "number": number}
    for rules, number in data["gpc_pages"].items():
        yield {"figure": "gpc_pages", "id": rules, "number": number}
    for kind, row in (*data["answers"].items(), ("gpc", data["gpc"])):
        yield {"figure": kind, **row}
    for kind, number in data["opt_outs"].items():
        yield {"figure": kind, "number": number}
    for kind in (
        "answered",
        "grants",
        "answered_on_banner",
        "not_answered_on_banner",
        "withdrawn",
        "loaded_once",
    ):
        yield {"figure": kind, "number": data[kind]}
    for figure, plural in (("category", "categories"), ("vendor", "vendors")):
        for row in data[plural]:
            yield {"figure": figure, **row}
    for row in data["withdrawn_within"]:
        yield {"figure": "withdrawn_within", "id": _span(row), "number": row["number"]}
    for name, row in (data["quartiles"] or {}).items():
        yield {"figure": name, "id": _span(row)}
    for row in data["by_site"]:
        for kind in DAILY:
            yield {"figure": f"site_{kind}", "id": row["id"], "name": row["name"], "number": row[kind]}
    for row in data["by_day"]:
        for kind in DAILY:
            yield {"figure": f"day_{kind}", "day": row["day"], "number": row[kind]}


def _span(row: Row) -> str:
    return f"{row['from_seconds']}-{row['to_seconds'] or ''}"


def _part(number: int, whole: int, name: str, least: int) -> Row:
    """Return a number with the part of a whole that it is."""
    return {"number": number, "per_cent": share(number, whole, least), "per_cent_of": name}


def _granted(totals: Mapping[str, int], names: Mapping[str, str], grants: int, least: int) -> list[Row]:
    """Return rows of what grants include. What no longer is in the policy has its id for a name."""
    return [
        {"id": each, "name": names.get(each, each)} | _part(totals.get(each, 0), grants, "grants", least)
        for each in dict.fromkeys((*names, *totals))
    ]


def _time_classes(figures: VisitorFigures) -> list[Row]:
    ends = (*WITHDRAWN_WITHIN, None)
    starts = (0, *WITHDRAWN_WITHIN)
    return [
        {"from_seconds": start, "to_seconds": end, "number": number}
        for start, end, number in zip(starts, ends, figures.withdrawn_within(), strict=True)
    ]


def _quartiles(figures: VisitorFigures) -> Row | None:
    found, classes = figures.quartiles(), _time_classes(figures)
    if found is None:
        return None
    names = ("quarter", "median", "three_quarters")
    return {
        name: {key: classes[number][key] for key in ("from_seconds", "to_seconds")}
        for name, number in zip(names, found, strict=True)
    }


def _daily_total(figures: VisitorFigures, site: str) -> Row:
    return {kind: sum(_daily(figures, kind, site)) for kind in DAILY}


def _daily(figures: VisitorFigures, kind: str, site: str | None = None) -> Sequence[int]:
    if kind != "shown":
        return figures.by_day(kind, site=site)
    banners = (figures.by_day(kind, which, site=site) for which in ("banner", "asked_again"))
    return [first + again for first, again in zip(*banners, strict=True)]


def _by_day(figures: VisitorFigures) -> Iterator[Row]:
    columns = {kind: _daily(figures, kind) for kind in DAILY}
    days: list[date] = figures.days
    for number, day in enumerate(days):
        yield {"day": day.isoformat()} | {kind: column[number] for kind, column in columns.items()}
