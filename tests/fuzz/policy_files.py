"""Target `policy`: `consent.toml` and `consent.lock`."""

import tempfile
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from consentkit.config.lock_file import LOCK, read_lock, write_lock
from consentkit.config.policy_file import CheckReport, check_file
from consentkit.config.toml_positions import key_lines
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.notices import Lock, Notice, add_notices_to_lock

TODAY = date(2026, 11, 22)
FOLDER = tempfile.TemporaryDirectory(prefix="fuzzed-policy-")
FILE = Path(FOLDER.name) / "consent.toml"
OTHER_LOCK = FILE.with_name("other.lock")
UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
REORDERING = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
"""Categories and directions of characters (Unicode Standard Annexes 44 and 9)."""


def check(data: bytes) -> None:
    """Check the bytes as a policy file, and read them as a lock."""
    FILE.write_bytes(data)
    FILE.with_name(LOCK).unlink(missing_ok=True)
    report = check_file(FILE, today=TODAY)
    _check_report(data, report)
    if report.policy is not None:
        lock, _ = add_notices_to_lock(report.policy, Lock(), TODAY)
        write_lock(FILE.with_name(LOCK), lock)
        assert _written(read_lock(FILE.with_name(LOCK))) == _written(lock)
        again = check_file(FILE, today=TODAY)
        assert again.policy is not None and again.policy.locked
        assert Notice.of(again.policy).digest == lock.notices[-1].digest
    _check_lines(data)
    _check_lock(data)


def _check_report(data: bytes, report: CheckReport) -> None:
    assert (report.policy is None) == bool(report.problems)
    for problems in (report.problems, report.warnings):
        lines = [problem.line or 0 for problem in problems]
        assert lines == sorted(lines)
        assert not lines or max(lines) <= data.count(b"\n") + 1
        for problem in problems:
            _check_printable(problem)


def _check_printable(problem: PolicyProblem) -> None:
    """Check that nothing controls a terminal or reorders a line. Characters newer than this Python may appear."""
    for text in (problem.key, problem.value, problem.message, problem.remedy, problem.subject):
        for character in text.replace("\n", ""):
            assert unicodedata.category(character) not in UNPRINTABLE, text
            assert unicodedata.bidirectional(character) not in REORDERING, text


def _check_lines(data: bytes) -> None:
    """Check that every key that `tomllib` finds has a line."""
    try:
        text = data.decode()
        found = tomllib.loads(text) if text.count(".") < 1000 else {}
    except (ValueError, RecursionError):
        return
    lines = key_lines(text)
    for path in _paths(found):
        assert lines.get(path, 0) > 0, path


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from _paths(below, (*path, key))


def _check_lock(data: bytes) -> None:
    OTHER_LOCK.write_bytes(data)
    try:
        lock = read_lock(OTHER_LOCK)
    except PolicyError:
        return
    write_lock(OTHER_LOCK, lock)
    assert _written(read_lock(OTHER_LOCK)) == _written(lock)


def _written(lock: Lock) -> Any:
    """Return what a lock holds, as values that can be compared."""
    return [(notice.digest, notice.published, dict(notice.facts)) for notice in lock.notices], lock.editorial
