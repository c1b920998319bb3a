"""Reading of `consent.toml`: a policy that passed every check, or all problems of the file, each with its line."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import PrivateAttr, ValidationError

from consentkit.config.lock_file import LOCK, read_lock
from consentkit.config.schema_errors import explain_errors, with_placeholders
from consentkit.config.toml_document import TomlDocument
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.notices import Lock, Notice, notices_of_regimes
from consentkit.policy import Finding, KeyPath, Policy, PolicyData, RegimeData, TransferData, checks

__all__ = ["CheckReport", "PolicyFile", "check_file", "load_policy"]


log = logging.getLogger("consentkit")

_List = TypeVar("_List", TransferData, RegimeData)


class PolicyFile(Policy):
    """A policy that was read from a file and passed every check."""

    _path: Path = PrivateAttr(default=Path("consent.toml"))
    _warnings: tuple[PolicyProblem, ...] = PrivateAttr(default=())
    _lock: Lock = PrivateAttr(default=Lock())
    _notices: tuple[Notice, ...] = PrivateAttr(default=())
    _current: tuple[Notice, ...] = PrivateAttr(default=())

    @classmethod
    def from_checked(
        cls,
        data: Mapping[str, Any],
        *,
        path: Path,
        lock: Lock,
        warnings: tuple[PolicyProblem, ...],
        lists: PolicyData,
    ) -> Self:
        """Make the policy of a file whose data passed every check."""
        policy = cls.from_data(data, transfer_data=lists.transfers, regime_data=lists.regimes)
        policy._path, policy._lock, policy._warnings = path, lock, warnings
        policy._current = tuple(notices_of_regimes(policy))
        policy._notices = lock.comparable_with(*policy._current)
        return policy

    @property
    def path(self) -> Path:
        """The file that the policy was read from."""
        return self._path

    @property
    def warnings(self) -> tuple[PolicyProblem, ...]:
        """What is lawful but unwise, in the order of the file."""
        return self._warnings

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices of `consent.lock`, oldest first, then those of the policy that are not locked yet."""
        return self._notices

    @property
    def lock(self) -> Lock:
        """The `consent.lock` in the policy's folder."""
        return self._lock

    @property
    def locked(self) -> bool:
        """Whether the policy's own notice, and those of its other regimes, are the last ones in the lock."""
        return self._lock.ends_with(self._current)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of checking a policy file; `policy` is None if there are problems."""

    policy: PolicyFile | None
    problems: tuple[PolicyProblem, ...] = ()
    warnings: tuple[PolicyProblem, ...] = ()


def load_policy(path: str | Path, *, today: date | None = None) -> PolicyFile:
    """Read and check a policy file.

    Args:
        path: the file; `consent.lock` is read from the same folder.
        today: the day on which adequacy decisions have to be in force, by default the current date in UTC.

    Raises:
        PolicyError: with every problem found.
    """
    report = check_file(path, today=today)
    policy = report.policy
    if policy is None:
        raise PolicyError(report.problems)
    if not policy.lock.notices:
        log.warning("%s has no %s, so earlier notices are unknown. Run `consentkit lock`.", path, LOCK)
    elif not policy.locked:
        log.warning("%s has changed since %s was written. Run `consentkit lock`.", path, LOCK)
    return policy


def check_file(path: str | Path, *, today: date | None = None) -> CheckReport:
    """Check a policy file and its lock like `load_policy`, but return the problems instead of raising them."""
    path = Path(path)
    try:
        document = TomlDocument.read(path)
    except PolicyError as error:
        return CheckReport(None, error.problems)
    lock, lock_problems = _read_lock(path.with_name(LOCK))
    transfers, transfer_problems = _read_list(path, document, "adequacy_file", TransferData)
    regimes, regime_problems = _read_list(path, document, "regimes_file", RegimeData)
    lists = PolicyData(transfers=transfers, regimes=regimes)
    unusable = frozenset({("regimes",), ("regimes_file",)} if regime_problems else ())
    findings = _run_checks(
        document,
        lists,
        today or datetime.now(UTC).date(),
        ignore_countries=bool(transfer_problems),
        ignored=unusable,
    )
    problems = document.problems(finding for finding in findings if not finding.warning)
    problems += transfer_problems + regime_problems + lock_problems
    warnings = document.problems(finding for finding in findings if finding.warning)
    if problems:
        return CheckReport(None, problems, warnings)
    policy = PolicyFile.from_checked(document.data, path=path, lock=lock, warnings=warnings, lists=lists)
    return CheckReport(policy, (), warnings)


def _run_checks(
    document: TomlDocument,
    lists: PolicyData,
    today: date,
    *,
    ignore_countries: bool,
    ignored: frozenset[KeyPath] = frozenset(),
) -> list[Finding]:
    """Check a document; placeholders stand for invalid values, so that one does not hide the problems of others.

    `ignore_countries` leaves out findings about countries, for a policy whose list of the EEA is unusable. `ignored` are paths
    whose values count as invalid too.
    """
    findings: list[Finding] = []
    placeholder_paths: frozenset[KeyPath] = frozenset()
    transfers, regimes = lists.transfers, lists.regimes
    try:
        policy = Policy.from_data(document.data, transfer_data=transfers, regime_data=regimes)
    except ValidationError as error:
        findings = explain_errors(error)
        data, placeholder_paths = with_placeholders(document.data, findings)
        policy = Policy.from_data(data, transfer_data=transfers, regime_data=regimes)
    placeholder_paths |= ignored
    if ignore_countries:
        placeholder_paths |= {("adequacy_file",), ("jurisdiction",)}
        placeholder_paths |= {("vendors", index, "country") for index in range(len(policy.vendors))}
    return findings + checks.run_checks(policy, today=today, placeholder_paths=placeholder_paths)


def _read_lock(path: Path) -> tuple[Lock, tuple[PolicyProblem, ...]]:
    try:
        return read_lock(path), ()
    except PolicyError as error:
        return Lock(), error.problems


def _read_list(
    path: Path, document: TomlDocument, key: str, model: type[_List]
) -> tuple[_List | None, tuple[PolicyProblem, ...]]:
    """Read the file that a key of the policy names; None, for the shipped list, if there is no such key or file."""
    name = document.data.get(key)
    if not isinstance(name, str) or not name.strip():
        return None, ()
    try:
        list_document = TomlDocument.read(path.parent / name)
    except PolicyError as error:
        reasons = " ".join(problem.message for problem in error.problems)
        message = f"The list cannot be used. {reasons}"
        finding = Finding((key,), message, "Fix the file, or remove the key.")
        return None, document.problems([finding])
    try:
        return model.model_validate(list_document.data), ()
    except ValidationError as error:
        return None, list_document.problems(explain_errors(error, model))
