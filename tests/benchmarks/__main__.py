"""Print what the library costs against its budgets.

`python -m tests.benchmarks` measures everything; `--only visits` a part. The exit code is 1 where a budget is missed.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

from tests.benchmarks import banner, decisions, handoff, imports, ledger, over_http, processes, visits
from tests.benchmarks.counting import count_instructions, has_valgrind, time_differences
from tests.benchmarks.table import Row, show

SESSION = "what Starlette's SessionMiddleware adds (valid cookie, session untouched)"
VISITS = [
    ("no consent cookie; consent not read", "untouched", 0.25),
    ("granted, seen before; consent not read", "untouched, seen", 0.30),
    ("granted, seen before; consent read", "read, seen", 0.35),
    ("granted, never seen; consent read (look-up aside)", "read, never seen", 0.80),
    ("1 Set-Cookie line filtered", "1 Set-Cookie", 0.45),
    ("5 Set-Cookie lines filtered", "5 Set-Cookie", 0.70),
]
PAGES = [
    ("banner put into a 30 KB page", "page, undecided", 0.4),
    ("settings link put into a 30 KB page", "page, decided", 0.4),
]


def measure_visits(options: argparse.Namespace) -> bool:
    """Rows 1 to 4, 6 and 10 of the budgets."""
    counted = has_valgrind()
    if counted:
        costs, asked = count_instructions("tests.benchmarks.visits", options.times)
        added = {ours: costs[ours] - costs[bare] for ours, bare in visits.PAIRS}
        rendering = costs["rendering"]
    else:
        with visits.visits(options.rounds * options.times) as (cases, statements):
            pairs = [*visits.PAIRS, ("rendering", "nothing")]
            added = time_differences(cases, pairs, rounds=options.rounds, times=options.times)
        rendering, asked = added["rendering"], len(statements)
    unit = "instructions" if counted else "ns"
    met = show(
        "One request",
        unit,
        SESSION,
        [Row(path, added[case], added["SessionMiddleware"], budget) for path, case, budget in VISITS],
    )
    met &= show(
        "HTML",
        unit,
        "rendering that page with Jinja2",
        [Row(path, added[case], rendering, budget) for path, case, budget in PAGES],
    )
    met &= show(
        "The same over WSGI",
        unit,
        "what the same path adds over ASGI",
        [Row(path, added[f"WSGI {case}"], added[case], 2.0) for path, case, _ in [*VISITS, *PAGES]],
    )
    print(f"\nDatabase reads in all of these visits together: {asked} (budget: 0)")
    return met and not asked


def measure_http(options: argparse.Namespace) -> bool:
    """Row 5 of the budgets."""
    added = over_http.added_cpu(rounds=options.rounds)
    return show(
        "Over HTTP, uvicorn",
        "CPU ns",
        SESSION,
        [
            Row(path, added[path], added[over_http.REFERENCE], budget)
            for path, budget in over_http.BUDGETS.items()
        ],
    )


def measure_imports(options: argparse.Namespace) -> bool:
    """Row 7 of the budgets."""
    counted = has_valgrind()
    costs = imports.count_imports() if counted else imports.time_imports(options.rounds)
    return show(
        "Import",
        "instructions" if counted else "CPU ms",
        imports.THEIRS,
        [Row(imports.OURS, costs[imports.OURS], costs[imports.THEIRS], 1.5)],
    )


def measure_ledger(options: argparse.Namespace) -> bool:
    """Rows 8 and 9 of the budgets."""
    return ledger.main(["--rounds", str(min(options.rounds, 7))]) == 0


def measure_processes(options: argparse.Namespace) -> bool:
    """Several processes that write at once, next to several that take turns."""
    return processes.main(["--rounds", str(min(options.rounds, 5))]) == 0


def measure_decisions(options: argparse.Namespace) -> bool:
    """Decisions over HTTP, against an endpoint by hand."""
    return decisions.measure(rounds=min(options.rounds, 5), seconds=2)


def measure_handoff(options: argparse.Namespace) -> bool:
    """One answer for several sites, with few records and with many."""
    return handoff.main(["--rounds", str(min(options.rounds, 7))]) == 0


def measure_banner(options: argparse.Namespace) -> bool:
    """First paint and layout shift in Chromium."""
    return banner.measure(rounds=min(options.rounds, 9))


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "visits": measure_visits,
    "http": measure_http,
    "imports": measure_imports,
    "ledger": measure_ledger,
    "processes": measure_processes,
    "decisions": measure_decisions,
    "handoff": measure_handoff,
    "banner": measure_banner,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What the library costs.")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be repeated")
    parser.add_argument("--times", type=int, default=400, help="visits that are counted of each case")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of what is timed")
    options = parser.parse_args(arguments)
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("starlette", "uvicorn", "pydantic", "sqlalchemy")
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    if not has_valgrind():
        print(
            "valgrind is not installed: CPU times instead of instructions, medians of differences within a round."
        )
    met = [PARTS[name](options) for name in options.only or PARTS]
    print("\nEvery budget is met." if all(met) else "\nOVER budget: see above.")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
