"""The figures of a dossier: how often each event happened, unless the caller hands in others."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup
from sqlalchemy import Connection

from consentkit.proof.dossier.page import para, table
from consentkit.proof.dossier.period import Period, Tally
from consentkit.proof.export_page import EVENTS

__all__ = ["Figures", "FiguresOf", "events_of"]


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
