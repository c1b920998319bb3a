"""What a benchmark found, and how it is shown."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Row", "show"]


@dataclass(frozen=True)
class Row:
    """One measurement against its budget.

    `ours` and `theirs` are in the unit of their table, each for one time; the ratio of the two is what has a budget.
    """

    path: str
    ours: float
    theirs: float
    budget: float | None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        return self.budget is None or self.ratio <= self.budget


def show(title: str, unit: str, against: str, rows: Iterable[Row]) -> bool:
    """Print a table; say whether every budget is met."""
    rows = list(rows)
    print(f"\n{title}\n  {'':58}{unit:>16}{'against':>16}{'ratio':>8}{'budget':>8}")
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:.2f}"
        verdict = "" if row.met else "  OVER"
        print(
            f"  {row.path:58}{_number(row.ours):>16}{_number(row.theirs):>16}{row.ratio:8.3f}{budget:>8}{verdict}"
        )
    print(f"  against: {against}", flush=True)
    return all(row.met for row in rows)


def _number(value: float) -> str:
    return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
