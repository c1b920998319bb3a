"""What importing the adapter costs beyond an interpreter that imports nothing."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.counting import ROOT, callgrind

__all__ = ["OURS", "THEIRS", "count_imports", "time_imports"]

OURS = "import consentkit.asgi"
THEIRS = "import starlette.applications, pydantic, sqlalchemy"
_NOTHING = "pass"


def count_imports() -> dict[str, float]:
    """Count the instructions of each import."""
    counted = {}
    for code in (_NOTHING, OURS, THEIRS):
        _take(code)  # writes what it compiles
        with tempfile.TemporaryDirectory(prefix="callgrind-") as directory:
            _, parts = callgrind(["-c", code], Path(directory))
        counted[code] = float(parts[0])
    return {code: counted[code] - counted[_NOTHING] for code in (OURS, THEIRS)}


def time_imports(rounds: int) -> dict[str, float]:
    """Take the CPU time of each import in milliseconds: medians over rounds in which they take turns."""
    taken: dict[str, list[float]] = {code: [] for code in (_NOTHING, OURS, THEIRS)}
    for _ in range(rounds):
        for code, times in taken.items():
            times.append(_take(code))
    return {
        code: statistics.median(mine - nothing for mine, nothing in zip(times, taken[_NOTHING], strict=True))
        for code, times in taken.items()
        if code != _NOTHING
    }


def _take(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    after = os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return used * 1000
