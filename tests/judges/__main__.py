"""Judge the example's pages by programs of others, in each state and language.

    python -m tests.judges INSTALLATION               all of them, as `make judge` does
    python -m tests.judges INSTALLATION --only vnu    one of them

The pages are kept in .artifacts/judge as they were served. axe-core is not among the judges, because the walk
(`tests/journeys/test_walk_*.py`) runs it on the same pages and states at several widths, the articles in English.
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.judges.collecting import collect, planted_page
from tests.judges.findings import PLANTED, Finding, Judge, Page, missed_mistakes, report
from tests.judges.programs import judges
from tests.support.walking import serving_magazine

ARTIFACTS = Path(__file__).parents[2] / ".artifacts" / "judge"


def judged(name: str, judge: Judge, pages: list[Page]) -> list[Finding]:
    """Return what a judge finds on the pages, and whether it misses the mistake on the planted page."""
    began = time.monotonic()
    planted = planted_page()
    found = judge([*pages, planted])
    real = [finding for finding in found if finding.page.path != PLANTED]
    real += missed_mistakes(name, planted, found)
    print(f"{name:14} {len(real):4} findings, {time.monotonic() - began:3.0f} s", flush=True)
    return real


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("installation", type=Path, help="where tools/judges has installed the judges")
    parser.add_argument("--only", metavar="JUDGE", help="one judge instead of all")
    options = parser.parse_args()
    called = judges(options.installation.resolve())
    if options.only:
        called = {options.only: called[options.only]}
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as data, serving_magazine(Path(data)) as origins:
        began = time.monotonic()
        pages = list(collect(origins, ARTIFACTS))
        print(f"{len(pages)} pages in {ARTIFACTS}, {time.monotonic() - began:.0f} s", flush=True)
        with ThreadPoolExecutor(2) as pool:
            results = pool.map(lambda item: judged(*item, pages), called.items())
            lines = report(finding for found in results for finding in found)
    if lines:
        print(*lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
