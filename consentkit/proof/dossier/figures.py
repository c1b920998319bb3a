"""The figures of a dossier: how often each event happened, and how often the notice was shown."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup
from sqlalchemy import Connection

from consentkit.policy import Policy
from consentkit.proof.dossier.page import para, table
from consentkit.proof.dossier.period import Period, Tally
from consentkit.proof.export_page import EVENTS
from consentkit.proof.figures import BATCH, figures_of
from consentkit.proof.figures_export import figures_as_csv, figures_as_data, figures_as_json

__all__ = ["Figures", "FiguresOf", "events_of", "with_report"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a dossier has to say in figures.

    Attributes:
        section: of the page about the ledger.
        files: contents by name, which go into the folder of the ledger.
    """

    section: Markup
    files: Mapping[str, str | bytes] = field(default_factory=dict)


FiguresOf = Callable[[Connection, Period, Tally], Figures]
"""Works out the figures over a connection that sees the same moment of the ledger as the rest of the dossier."""


def events_of(_connection: Connection, _period: Period, tally: Tally) -> Figures:
    """Return the number of decisions by site, notice and event."""
    rows = [(site, notice, event, number) for (site, notice, event), number in sorted(tally.events.items())]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["site", "notice", "event", "decisions"])
    writer.writerows(rows)
    totals: dict[tuple[str, str], int] = {}
    for site, _, event, number in rows:
        totals[site, event] = totals.get((site, event), 0) + number
    shown = [(site, EVENTS.get(event, event), number) for (site, event), number in totals.items()]
    note = para(
        "Where very many decisions without a pseudonym arrive, such as refusals, they are counted by hour and not recorded one "
        f"by one. {tally.only_counted:,} of these decisions are only counted. figures.csv and figures.json have the numbers by "
        "notice."
    )
    section = table("Decisions by site and event", ("Site", "Event", "Decisions"), shown) + note
    as_json = json.dumps(
        [dict(zip(("site", "notice", "event", "decisions"), row, strict=True)) for row in rows],
        indent=1,
        ensure_ascii=False,
    )
    return Figures(section, {"figures.csv": file.getvalue(), "figures.json": f"{as_json}\n"})


_ROUNDED: Final = (
    f"Visitors and banners are counted in batches of {BATCH}, so that no figure is about fewer. A count of whole months is "
    f"too low by less than {BATCH} for each site and month; where the period begins within a month, it is less than {BATCH} "
    "away. Sums and differences of counts, such as the banners shown and those that were not answered, may be off by as "
    "much for each of their counts, too high as well as too low. Banners that were not answered on the banner itself are "
    "those shown, less the answers on a banner; some of their visitors may have answered elsewhere. Anyone who grants "
    "something counts once a month on each site. Banners are shown on each page until there is an answer, and robots count "
    "too. report.csv and report.json have more, by day, purpose and third party. Percentages in them name their base, and "
    "there is none where rounding would make it wrong."
)


def with_report(policy: Policy) -> FiguresOf:
    """Return a function that adds the figures of `consentkit report` to those of `events_of`."""

    def work_out(connection: Connection, period: Period, tally: Tally) -> Figures:
        events = events_of(connection, period, tally)
        sites = [site.id for site in policy.sites if period.site in (None, site.id)]
        data = figures_as_data(figures_of(connection, sites, period.first, period.last), policy)
        answers, unanswered = data["answers"], data["not_answered_on_banner"]
        rows = [
            ("Banners shown", data["shown"]["banner"] + data["shown"]["asked_again"]),
            ("Of these, to somebody who had answered before", data["shown"]["asked_again"]),
            (
                "Banners that were not answered on the banner itself",
                "not known" if unanswered is None else unanswered,
            ),
            ("Accepted all", answers["accepted"]["number"]),
            ("Accepted a part", answers["partly"]["number"]),
            ("Rejected all", answers["rejected"]["number"]),
            ("Opted out, where no consent is needed", data["opt_outs"]["opted_out"]),
            ("Left everything on, where no consent is needed", data["opt_outs"]["left_on"]),
            ("Withdrew", data["withdrawn"]),
            ("Answers of browsers that sent Global Privacy Control", data["gpc"]["number"]),
        ]
        note = para(_ROUNDED)
        shown = table(
            "How often the banner was shown, and what visitors answered", ("Figure", "Number"), rows
        )
        files = {"report.json": figures_as_json(data), "report.csv": figures_as_csv(data)}
        return Figures(events.section + shown + note, {**events.files, **files})

    return work_out
