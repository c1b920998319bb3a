"""Throw mutated bytes at the parsers, and check the properties of `targets`.

    python -m tests.fuzz --seconds 600 --only html      ten minutes at one target
    python -m tests.fuzz --only html --replay FILE      the properties once more for one input

Input that breaks a property is written to .artifacts/fuzz, with a command that replays it. What was interesting stays in
.artifacts/fuzz/corpus for the next run. After a fix the input becomes a test,
as tests/fuzz/seeds/TARGET/NAME.seed.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import SEEDS, TARGETS

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / ".artifacts" / "fuzz"
SECONDS = 120
# In seconds and MiB. One input takes milliseconds; a machine that others share may be slow.
LONGEST_INPUT, MOST_MEMORY = 20, 2048
LARGEST_INPUT = 8192


class Run(NamedTuple):
    """What came of one target: how many inputs were tried, how many branches they reached, and what libFuzzer printed."""

    name: str
    executions: int
    branches: int
    output: str
    failed: bool

    @property
    def row(self) -> str:
        """A line for the terminal."""
        return f"{self.name:12} {self.executions:>10,} inputs {self.branches:>7,} branches   {'FAILED' if self.failed else 'ok'}"


def words_file(name: str) -> Path:
    """Write a target's words as a dictionary of libFuzzer, and return its path."""
    path = ARTIFACTS / f"{name}.dict"
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode("latin-1")) for word in TARGETS[name].words)
    path.write_text("".join(f'"{line}"\n' for line in lines), "ascii")
    return path


def mutate(name: str, seconds: int, seed: int) -> Run:
    """Throw mutations of a target's seeds at it for some seconds; a seed other than 0 repeats their order."""
    corpus = ARTIFACTS / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-artifact_prefix={ARTIFACTS.relative_to(ROOT)}/{name}-",
        f"-dict={words_file(name)}",
        f"-timeout={LONGEST_INPUT}",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-max_len={LARGEST_INPUT}",
        "-print_final_stats=1",
        str(corpus),
        str(SEEDS / name),
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.mutating", name, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    (ARTIFACTS / f"{name}.log").write_text(ran.stdout, "utf-8")
    executions = re.findall(r"^stat::number_of_executed_units: (\d+)", ran.stdout, re.MULTILINE)
    branches = re.findall(r" cov: (\d+) ", ran.stdout)
    return Run(
        name,
        int(executions[-1]) if executions else 0,
        int(branches[-1]) if branches else 0,
        ran.stdout,
        failed=ran.returncode != 0,
    )


def report(run: Run) -> None:
    """Print what failed, and how to see it again."""
    shown = [line for line in run.output.splitlines() if not re.match(r"#\d+\s|INFO: |stat::", line)]
    print("\n".join(shown[-40:]))
    saved = re.findall(r"Test unit written to (\S+)", run.output)
    for path in saved:
        print(f"See it again: {Path(sys.executable)} -m tests.fuzz --only {run.name} --replay {path}")
        print(f"Once it is fixed, make it a test: cp {path} tests/fuzz/seeds/{run.name}/what-it-shows.seed")


def main(arguments: Sequence[str]) -> int:
    """Run the targets, or one input, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for all targets together")
    parser.add_argument(
        "--seed", type=int, default=0, help="repeat the order of one run; 0, the default: another each time"
    )
    parser.add_argument("--only", action="append", choices=TARGETS, help="one target; may be repeated")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="check one input instead")
    options = parser.parse_args(arguments)
    names = options.only or list(TARGETS)
    if options.replay:
        for name in names:
            TARGETS[name].check(options.replay.read_bytes())
        print("Every property holds.")
        return 0
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in names:
        run = mutate(name, max(1, options.seconds // len(names)), options.seed)
        print(run.row, flush=True)
        if run.failed:
            report(run)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
