"""The report of the judges, and what becomes of one that finds nothing."""

from pathlib import Path

from tests.judges.collecting import planted_page
from tests.judges.findings import Finding, Page, missed_mistakes, report


def on(path: str, state: str, line: int = 7) -> Finding:
    page = Page(path, state, "nl", Path(f"{state}.html"), f"http://localhost{path}")
    return Finding("vnu", page, "error", "Stray end tag.", line)


def test_a_finding_is_reported_once_with_the_first_of_its_places() -> None:
    assert report([on("/", "refused"), on("/", "granted", 9), on("/about", "refused")]) == [
        "vnu: / (refused, nl, 1280 px), line 7, error",
        "    Stray end tag.",
        "    refused.html, and 1 more places alike",
        "vnu: /about (refused, nl, 1280 px), line 7, error",
        "    Stray end tag.",
        "    refused.html",
    ]
    assert report([]) == []


def test_a_judge_that_misses_the_planted_mistake_is_a_finding() -> None:
    planted = planted_page()
    assert planted.file.exists()
    seen = Finding("vnu", planted, "error", "Duplicate ID.")
    assert missed_mistakes("vnu", planted, [seen, on("/", "refused")]) == []
    (missed,) = missed_mistakes("vnu", planted, [on("/", "refused")])
    assert (missed.judge, missed.rule) == ("vnu", "planted-mistake")
