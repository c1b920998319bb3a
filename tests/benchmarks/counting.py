"""Cost of a call: in instructions where valgrind is installed, else in time.

Instructions repeat to a fraction of a percent however busy the machine is; times do not. One process runs every case; a
system call that nothing else makes marks where a case begins and ends, and callgrind writes down what was counted between
two of them, so that neither start-up nor warming up counts. Without valgrind the cases take turns, and what is
reported is the median over the rounds of what each took beyond its own round's reference.
"""

import gc
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["UNIT", "Cases", "count_instructions", "has_valgrind", "run_marked", "time_differences"]

ROOT = Path(__file__).parents[2]
UNIT = {True: "instructions", False: "ns"}
WARMING_UP = 150
"""Calls before a case is counted: caches are filled, and the interpreter has specialised its instructions."""

Cases = Mapping[str, Callable[[], object]]


def has_valgrind() -> bool:
    return shutil.which("valgrind") is not None


def _mark() -> None:
    os.getpgid(0)


def run_marked(cases: Cases, times: int, asked: Sequence[str]) -> None:
    """Run every case, marking where it begins and ends; for the process in which instructions are counted."""
    for call in cases.values():
        for _ in range(WARMING_UP):
            call()
        gc.collect()
        gc.freeze()
        _mark()
        for _ in range(times):
            call()
        _mark()
    print(json.dumps([list(cases), len(asked)]))


def callgrind(arguments: Sequence[str], directory: Path, *options: str) -> tuple[str, dict[int, int]]:
    """Run Python under callgrind; return its output and the instructions of each part."""
    out = directory / "callgrind.out"
    ran = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            "-q",
            *options,
            sys.executable,
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    counted = {}
    for path in directory.glob("callgrind.out*"):
        text = path.read_text("utf-8", "replace")
        found = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if found:
            counted[int(path.suffix[1:]) if path.suffix != ".out" else 0] = int(found[1])
    return ran.stdout, counted


def count_instructions(module: str, times: int) -> tuple[dict[str, float], int]:
    """Count one call of each case of a module, which is run as a program with the number of times.

    Also returns how often all of them together asked the database.
    """
    with tempfile.TemporaryDirectory(prefix="callgrind-") as directory:
        output, parts = callgrind(["-m", module, str(times)], Path(directory), "--dump-before=getpgid")
    names, asked = json.loads(output.splitlines()[-1])
    # Part 1 is the start; then each case has its warming up, which the first part after its end holds, and itself.
    if len(parts) < 2 * len(names):
        raise RuntimeError(f"{len(names)} cases were marked, and callgrind wrote {len(parts)} parts.")
    return {name: parts[2 * place] / times for place, name in enumerate(names, 1)}, asked


def time_differences(
    cases: Cases, pairs: Sequence[tuple[str, str]], *, rounds: int, times: int
) -> dict[str, float]:
    """Time the first of each pair beyond the second, in nanoseconds of this process for one call; medians over the rounds."""
    for call in cases.values():
        for _ in range(WARMING_UP):
            call()
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, call in cases.items():
            gc.collect()
            begun = time.process_time_ns()
            for _ in range(times):
                call()
            taken[name].append((time.process_time_ns() - begun) / times)
    return {
        ours: statistics.median(mine - theirs for mine, theirs in zip(taken[ours], taken[bare], strict=True))
        for ours, bare in pairs
    }
