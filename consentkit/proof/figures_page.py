"""The page with figures: charts with a table behind each, without scripts and without a network, on screens and on paper."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Final

from markupsafe import Markup

from consentkit.errors import ConfigurationError
from consentkit.proof.document import opening
from consentkit.proof.figures_export import ANSWERS, DAILY, OPT_OUTS, SURFACES, Row

__all__ = ["figures_page"]

MOST_DAYS: Final = 62
"""Longer periods are shown by month, because so many bars cannot be read."""
MOST_BARS: Final = 12

_WORDS: Final = {
    "banner": "Banner, for the first time",
    "asked_again": "Banner that asks again",
    "preferences": "Settings page",
    "policy": "Cookie policy",
    "embed": "Placeholder of embedded content",
    "shown": "Banners shown",
    "accepted": "Accepted all",
    "partly": "Accepted a part",
    "rejected": "Rejected all",
    "withdrawn": "Withdrew",
    "opted_out": "Opted out",
    "left_on": "Left everything on",
}
_SPANS: Final = {
    3600: "1 hour",
    86_400: "1 day",
    7 * 86_400: "1 week",
    30 * 86_400: "30 days",
    90 * 86_400: "90 days",
    182 * 86_400: "182 days",
}
_COLORS: Final = ("var(--one)", "var(--two)", "var(--three)", "var(--four)")
_SCRIPT: Final = re.compile(r"<script\b.*?</script>", re.DOTALL)
_SERIES_ID: Final = re.compile(r' id="activate-serie-\d+"')

_STYLE: Final = Markup("""
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --faint: #8c8c8c; --card: #f3f3f1;
  --one: #1f5fa8; --two: #c2700a; --three: #5f6773; --four: #a3324f; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #161616; --faint: #8c8c8c; --card: #242424;
  --one: #6aa8f0; --two: #f0a84a; --three: #a9b2bf; --four: #f0829c; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; margin: 1rem 0 0; }
h2 { line-height: 1.25; font-size: 1.25rem; margin: 0 0 .25rem; }
p { max-width: 44rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.numbers div { background: var(--card); border-radius: .5rem; padding: .75rem; display: flex; flex-direction: column; }
.numbers dt { font-size: .875rem; }
.numbers dd { margin: 0; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.numbers dd small { font-size: .875rem; font-weight: 400; display: block; }
.charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2.5rem 3rem; margin: 2.5rem 0; align-items: start; }
@media (min-width: 60rem) { .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
figure { margin: 0; }
svg.pygal-chart { display: block; width: 100%; height: auto; max-width: 36rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: .5rem; }
th, td { border-bottom: 1px solid var(--faint); padding: .25rem .75rem .25rem 0; text-align: end; vertical-align: bottom; }
th:first-child { text-align: start; font-weight: 400; overflow-wrap: anywhere; }
thead th, thead th:first-child { font-weight: 600; }
summary { cursor: pointer; padding: .5rem 0; }
@media print { main { padding: 0; max-width: none; } .charts { display: block; }
  figure { break-inside: avoid; margin-bottom: 1.5rem; }
  details::details-content { content-visibility: visible; block-size: auto; } summary { display: none; }
  .numbers div { border: 1px solid var(--faint); } tr { break-inside: avoid; } }
""")

_HEAD: Final = Markup("""<main>
<h1>Consent in figures</h1>
<p><time datetime="{first}">{first}</time> to <time datetime="{last}">{last}</time>, both included, by days of UTC. {sites}</p>
""")
_FOOT: Final = Markup("""<h2>How to read these figures</h2>
<p>Visitors are counted in batches of five. A batch counts on the day on which it becomes full, and each month begins with an
empty one. So every figure is a multiple of five, and 0 means that no batch became full. Nothing on this page is a figure about
fewer than five.</p>
<p>“Shown” counts banners and pages that the server sent. A visitor who does not answer sees a banner on every page, so these are
not visitors. “Not answered” are the banners shown, less the answers on a banner. A visitor who answered on the settings page
counts there, as if the banner had been passed over. Robots are counted too.</p>
<p>A count of whole months is too low by less than five for each site and month; one of other days is less than five away. A
difference or a sum of several counts, such as “Not answered” and “Banners shown”, may be off by as much for each of them, and too
high as well as too low.</p>
<p>Anyone who accepts counts once a month on each site, with the first answer of the month. Anyone who rejects gets no
identifier, so that each rejection counts.</p>
<p>Percentages are worked out from these figures. “% of answers” is of all that accepted everything, a part or nothing, with GPC
also of those that needed no consent. “Of all grants” is of those that accepted everything or a part. There is no percentage where
its whole is below {least}: twenty batches for each site and each month that the period touches. Below, rounding would make it
wrong.</p>
</main>
</body>
</html>
""")


def figures_page(data: Row) -> str:
    """Return the page with the data of figures.

    Raises:
        ConfigurationError: pygal is not installed.
    """
    charts = _Charts()
    names = ", ".join(row["name"] for row in data["by_site"])
    head = opening(f"Consent in figures, {data['from']} to {data['to']}", _STYLE)
    head += _HEAD.format(first=data["from"], last=data["to"], sites=f"Sites: {names}.")
    parts = Markup("").join(_figures(data, charts))
    foot = _FOOT.format(least=_number(data["least_whole"]))
    return str(head + _numbers(data) + Markup('<div class="charts">\n{}</div>\n').format(parts) + foot)


def _numbers(data: Row) -> Markup:
    """Return the figures that come first, in words."""
    left = data["not_answered_on_banner"]
    rows: list[tuple[str, str, str]] = [
        ("Banners shown", _number(data["shown"]["banner"] + data["shown"]["asked_again"]), ""),
        ("Not answered", "not known" if left is None else _number(left), "on the banner itself"),
        ("Answered", _number(data["answered"]), ""),
        *(
            (_WORDS[kind], _number(data["answers"][kind]["number"]), _of_answers(data["answers"][kind]))
            for kind in ANSWERS
        ),
        *(
            (_WORDS[kind], _number(data["opt_outs"][kind]), "where no consent is needed")
            for kind in OPT_OUTS
            if any(data["opt_outs"].values())
        ),
        ("Withdrew", _number(data["withdrawn"]), ""),
        ("Browsers with GPC", _number(data["gpc"]["number"]), _of_answers(data["gpc"])),
        ("Loaded content once", _number(data["loaded_once"]), ""),
    ]
    if data["quartiles"]:
        rows.append(("Half of the withdrawals", _reach(data["quartiles"]["median"]), "from the grant"))
    item = Markup("<div><dt>{}</dt><dd>{}{}</dd></div>\n")
    small = Markup(" <small>{}</small>")
    return Markup('<dl class="numbers">\n{}</dl>\n').format(
        Markup("").join(
            item.format(title, value, small.format(note) if note else "") for title, value, note in rows
        )
    )


def _figures(data: Row, charts: "_Charts") -> Iterator[Markup]:
    yield from _figures_by_day(data, charts)
    yield from _figures_of_all(data, charts)


def _figures_by_day(data: Row, charts: "_Charts") -> Iterator[Markup]:
    unit, days = _by_day_or_month(data["by_day"])
    labels = [row["day"][5:] if unit == "day" else row["day"] for row in days]
    columns = (*ANSWERS, "withdrawn")
    yield charts.figure(
        f"Answers by {unit}",
        charts.columns(labels, [(_WORDS[kind], [row[kind] for row in days]) for kind in ANSWERS]),
        [unit.capitalize(), *(_WORDS[kind] for kind in columns)],
        [[row["day"], *(row[kind] for kind in columns)] for row in days],
    )
    if any(row[kind] for row in days for kind in OPT_OUTS):
        yield charts.figure(
            f"Answers where no consent is needed, by {unit}",
            charts.columns(labels, [(_WORDS[kind], [row[kind] for row in days]) for kind in OPT_OUTS]),
            [unit.capitalize(), *(_WORDS[kind] for kind in OPT_OUTS)],
            [[row["day"], *(row[kind] for kind in OPT_OUTS)] for row in days],
        )
    yield charts.figure(
        f"Banners shown by {unit}",
        charts.columns(labels, [(_WORDS["shown"], [row["shown"] for row in days])]),
        [unit.capitalize(), _WORDS["shown"]],
        [[row["day"], row["shown"]] for row in days],
    )


def _figures_of_all(data: Row, charts: "_Charts") -> Iterator[Markup]:
    shown = [(_WORDS[surface], data["shown"][surface]) for surface in SURFACES]
    yield charts.figure("What was shown", charts.bars(shown), ["What", "Times"], shown)
    within = [(_span(row), row["number"]) for row in data["withdrawn_within"]]
    yield charts.figure(
        "Time from grant to withdrawal",
        charts.bars(within),
        ["After", "Withdrawals"],
        within,
        _quartiles(data),
    )
    for title, key, one in (
        ("Categories in grants", "categories", "Category"),
        ("Vendors in grants", "vendors", "Vendor"),
    ):
        rows = sorted(data[key], key=lambda row: -row["number"])
        has_shares = any(row["per_cent"] is not None for row in rows)
        yield charts.figure(
            title,
            charts.bars(
                [(row["name"], row["per_cent" if has_shares else "number"]) for row in rows],
                per_cent=has_shares,
            ),
            [one, "Grants", "Of all grants"],
            [[row["name"], row["number"], _per_cent(row)] for row in rows],
            "How many per cent of those who accepted something accepted it."
            if has_shares
            else "How many accepted it. There were too few grants for percentages.",
        )
    if len(data["by_site"]) > 1:
        yield charts.figure(
            "Sites",
            charts.bars([(row["name"], sum(row[kind] for kind in ANSWERS)) for row in data["by_site"]]),
            ["Site", *(_WORDS[kind] for kind in DAILY)],
            [[row["name"], *(row[kind] for kind in DAILY)] for row in data["by_site"]],
            "Answers on each site.",
        )


class _Charts:
    """Charts and their tables. Each has an id of its own on the page."""

    def __init__(self) -> None:
        self._pygal = _import_pygal()
        self._numbers = count(1)
        font = "system-ui, sans-serif"
        sizes = dict.fromkeys(
            ("label", "major_label", "legend", "value", "value_label", "tooltip", "no_data"), 14
        )
        self._style = self._pygal.style.Style(
            background="transparent",
            plot_background="transparent",
            foreground="var(--ink)",
            foreground_strong="var(--ink)",
            foreground_subtle="var(--faint)",
            guide_stroke_color="var(--faint)",
            major_guide_stroke_color="var(--faint)",
            value_colors=("var(--ink)",) * 4,
            colors=_COLORS,
            opacity="1",
            font_family=font,
            **{f"{name}_font_size": size for name, size in sizes.items()},
            **{f"{name}_font_family": font for name in sizes},
        )

    def columns(self, labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> str:
        """Return a chart with a column for each day or month."""
        chart = self._pygal.StackedBar(
            **self._options(320),
            legend_at_bottom=True,
            legend_at_bottom_columns=3,
            truncate_legend=-1,
            show_legend=len(series) > 1,
            show_minor_x_labels=False,
            x_labels_major_count=4,
            max_scale=6,
            truncate_label=10,
        )
        chart.x_labels = labels
        for title, numbers in series:
            chart.add(title, numbers)
        return str(chart.render(is_unicode=True))

    def bars(self, rows: Sequence[tuple[str, int]], *, per_cent: bool = False) -> str:
        """Return a chart with a bar for each row, the first one on top. Further rows are in the table alone."""
        rows = rows[:MOST_BARS]
        chart = self._pygal.HorizontalBar(
            **self._options(60 + 36 * len(rows), " %" if per_cent else ""),
            show_legend=False,
            print_values=False,
            truncate_label=22,
            max_scale=6 if per_cent else 4,
            **({"range": (0, 100)} if per_cent else {}),
        )
        chart.x_labels = [title for title, _ in reversed(rows)]
        chart.add("", [number for _, number in reversed(rows)])
        return str(chart.render(is_unicode=True))

    def _options(self, height: int, unit: str = "") -> dict[str, Any]:
        return {
            "style": self._style,
            "js": [],
            "disable_xml_declaration": True,
            "width": 480,
            "height": height,
            "margin": 6,
            "zero": 0,
            "min_scale": 3,
            "formatter": lambda value: f"{_number(round(value))}{unit}",
        }

    def figure(
        self, title: str, chart: str, header: Sequence[str], rows: Iterable[Sequence[object]], note: str = ""
    ) -> Markup:
        """Return a chart with its title and its table."""
        name = f"chart-{next(self._numbers)}"
        chart = _SERIES_ID.sub("", _SCRIPT.sub("", chart))
        chart = re.sub(r"chart-[0-9a-f-]{36}", f"{name}-svg", chart)
        chart = chart.replace("<svg ", f'<svg role="img" aria-labelledby="{name}" ', 1)
        table = Markup("").join(_table_row("td", row) for row in rows)
        return Markup(
            '<figure>\n<figcaption><h2 id="{name}">{title}</h2>{note}</figcaption>\n{chart}\n'
            '<details><summary>The figures as a table</summary>\n<div class="scroll" role="region" aria-labelledby="{name}" '
            'tabindex="0"><table>\n<thead>{header}</thead>\n<tbody>{table}</tbody>\n</table></div></details>\n</figure>\n'
        ).format(
            name=name,
            title=title,
            note=Markup("<p>{}</p>").format(note) if note else "",
            chart=Markup(chart),  # noqa: S704 - pygal escapes texts
            header=_table_row("th", header),
            table=table,
        )


def _import_pygal() -> Any:
    finders = list(sys.meta_path)
    try:
        import pygal
        import pygal.style
    except ImportError:
        raise ConfigurationError(
            "The page needs pygal for its charts: pip install 'consentkit[report]'. JSON and CSV do not need it."
        ) from None
    finally:
        # pygal adds a finder for its maps, because of which Python 3.11 warns at each import that follows. The finder of
        # importlib_metadata, which it imports, stays: that one has taken the place of the standard library's.
        added = [each for each in sys.meta_path if each not in finders and not hasattr(each, "find_spec")]
        for finder in added:
            sys.meta_path.remove(finder)
    return pygal


def _table_row(tag: str, cells: Sequence[object]) -> Markup:
    scope = Markup(' scope="col"') if tag == "th" else ""
    first, *others = (_number(cell) if isinstance(cell, int) else cell for cell in cells)
    own_scope = scope or Markup(' scope="row"')
    row = Markup("<th{}>{}</th>").format(own_scope, first)
    for cell in others:
        row += Markup("<{tag}{scope}>{cell}</{tag}>").format(tag=tag, scope=scope, cell=cell)
    return Markup("<tr>{}</tr>\n").format(row)


def _by_day_or_month(days: Sequence[Row]) -> tuple[str, Sequence[Row]]:
    if len(days) <= MOST_DAYS:
        return "day", days
    months: dict[str, Row] = defaultdict(lambda: dict.fromkeys(DAILY, 0))
    for row in days:
        month = months[row["day"][:7]]
        for kind in DAILY:
            month[kind] += row[kind]
    return "month", [{"day": month, **row} for month, row in months.items()]


def _quartiles(data: Row) -> str:
    found = data["quartiles"]
    if not found:
        return "Too few withdrew to tell."
    quarter, median, three = (_reach(found[name]) for name in ("quarter", "median", "three_quarters"))
    return f"Of those who withdrew, a quarter did so {quarter}, half {median}, and three quarters {three}, from the grant."


def _reach(row: Row) -> str:
    """Return the end of a class of times in words."""
    end = row["to_seconds"]
    return f"within {_SPANS[end]}" if end is not None else f"after more than {_SPANS[row['from_seconds']]}"


def _span(row: Row) -> str:
    """Return a class of times in words."""
    start, end = row["from_seconds"], row["to_seconds"]
    if end is None:
        return f"over {_SPANS[start]}"
    return f"{_SPANS[start]} to {_SPANS[end]}" if start else f"up to {_SPANS[end]}"


def _of_answers(row: Row) -> str:
    return "" if row["per_cent"] is None else f"{row['per_cent']} % of answers"


def _per_cent(row: Row) -> str:
    return "not given" if row["per_cent"] is None else f"{row['per_cent']} %"


def _number(number: int) -> str:
    """Return a number with a narrow space between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
