"""What judges find: a page as it was served, a finding on it, and the report of all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["PLANTED", "Finding", "Judge", "Page", "missed_mistakes", "report"]

PLANTED = "planted"
"""The path of the page in which each judge has to find a mistake."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was served, and how a browser gets it again."""

    path: str
    state: str
    language: str
    file: Path
    url: str
    cookies: str = ""
    csp: str = ""
    width: int = 1280


class Finding(NamedTuple):
    """What a judge objects to on one page."""

    judge: str
    page: Page
    rule: str
    message: str
    line: int = 0


Judge = Callable[[Sequence[Page]], list[Finding]]


def missed_mistakes(judge: str, planted: Page, found: Iterable[Finding]) -> list[Finding]:
    """Return a finding if a judge found nothing on the planted page, because it would find nothing on others either."""
    if any(finding.page.path == PLANTED for finding in found):
        return []
    return [
        Finding(judge, planted, "planted-mistake", "The judge reported nothing on the page with a mistake.")
    ]


def report(findings: Iterable[Finding]) -> list[str]:
    """Return lines for the terminal: each finding once, with the first page that has it and how many more do."""
    alike: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.judge, finding.page.path, finding.rule, finding.message)
        alike.setdefault(key, []).append(finding)
    lines = []
    for (judge, path, rule, message), (first, *more) in alike.items():
        page = first.page
        others = len(
            {(other.page.state, other.page.language, other.page.width, other.line) for other in more}
        )
        line = f", line {first.line}" if first.line else ""
        lines += [
            f"{judge}: {path} ({page.state}, {page.language}, {page.width} px){line}, {rule}",
            f"    {message}",
            f"    {page.file}" + (f", and {others} more places alike" if others else ""),
        ]
    return lines
