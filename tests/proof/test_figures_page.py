import importlib.metadata
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from consentkit import Policy
from consentkit.errors import ConfigurationError
from consentkit.proof import figures_as_data, figures_page
from consentkit.proof.figures import VisitorFigures
from tests.support.figures import SITES, some_figures
from tests.support.walking import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

NewPage = Callable[..., "Page"]


def data_of(policy: Policy, days: int = 40) -> dict[str, Any]:
    return figures_as_data(some_figures(days), policy)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_is_accessible_and_complete_without_scripts_and_network(
    width: int, scheme: str, policy: Policy, new_page: NewPage
) -> None:
    data = data_of(policy)
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.set_content(figures_page(data))
    assert page.title() == f"Consent in figures, {data['from']} to {data['to']}"
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == [] and asked == [] and said == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.get_by_role("img").all()
    assert len(charts) == page.locator("table").count() == page.locator("figure").count() == 7
    for chart in charts:
        box = chart.bounding_box()
        assert box is not None and box["width"] > 300 and box["x"] + box["width"] <= width
    # The table has what the chart shows.
    answers = page.get_by_role("region", name="Answers by day").locator("tbody tr")
    assert answers.count() == 40
    first = data["by_day"][0]
    assert answers.first.locator("th, td").all_text_contents() == [
        first["day"],
        *(str(first[kind]) for kind in ("accepted", "partly", "rejected", "withdrawn")),
    ]


def test_tables_are_printed(policy: Policy, new_page: NewPage) -> None:
    page = new_page()
    page.set_content(figures_page(data_of(policy)))
    table = page.locator("table").first
    assert not table.is_visible()
    page.emulate_media(media="print")
    assert table.is_visible() and not page.locator("summary").first.is_visible()


def test_long_periods_are_shown_by_month(policy: Policy) -> None:
    page = figures_page(data_of(policy, days=100))
    assert "Answers by month" in page and '<th scope="row">2026-10</th>' in page
    assert "Answers by day" not in page


def test_one_site_needs_no_table_of_sites_and_nothing_is_figured_out_from_nothing(policy: Policy) -> None:
    whole = some_figures()
    page = figures_page(figures_as_data(VisitorFigures(whole.first, whole.last, SITES[:1], {}), policy))
    assert page.count("<figure>") == 6 and "Too few withdrew to tell." in page
    assert "not known" in page and "<td>not given</td>" in page


def test_the_page_says_what_percentages_are_of_and_has_none_of_few(policy: Policy) -> None:
    many, few = figures_page(data_of(policy)), figures_page(data_of(policy, days=4))
    assert "% of answers" in many and "per cent of those who accepted something" in many
    assert "Not answered</dt>" in many and "on the settings page" in many and "Left alone" not in many
    assert "below 400:" in many and "below 200:" in few
    assert "% of answers</small>" not in few and "too few grants for percentages" in few


def test_opt_outs_have_a_chart_if_there_were_any(policy: Policy) -> None:
    whole = some_figures(4)
    days = {"stride": {("opted_out", ""): [5, 0, 10, 0], ("left_on", ""): [0, 5, 0, 0]}}
    data = figures_as_data(VisitorFigures(whole.first, whole.last, ("stride",), days), policy)
    assert [row["opted_out"] for row in data["by_day"]] == [5, 0, 10, 0] and data["by_site"][0][
        "left_on"
    ] == 5
    page, title = figures_page(data), "Answers where no consent is needed, by day"
    assert title in page and title not in figures_page(data_of(policy))
    assert f'<th scope="row">{data["by_day"][2]["day"]}</th><td>10</td><td>0</td>' in page.replace("\n", "")


def test_texts_of_the_owner_are_escaped_in_tables_and_charts(policy: Policy) -> None:
    data = data_of(policy)
    for row in (*data["vendors"], *data["categories"], *data["by_site"]):
        row["name"] = "<script>alert(1)</script>"
    page = figures_page(data)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_late_withdrawals_have_words_too(policy: Policy) -> None:
    data = data_of(policy)
    data["quartiles"]["three_quarters"] = {"from_seconds": 182 * 86_400, "to_seconds": None}
    assert "three quarters after more than 182 days, from the grant" in figures_page(data)


def test_the_charts_leave_the_imports_of_the_process_as_they_were(policy: Policy) -> None:
    figures_page(data_of(policy))
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
    assert importlib.metadata.version("pygal")


def test_without_pygal_the_error_names_the_extra(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygal", None)
    with pytest.raises(ConfigurationError, match=r"consentkit\[report\]"):
        figures_page(data_of(policy))
