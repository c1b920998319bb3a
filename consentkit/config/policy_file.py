"""Reading of `consent.toml`: a policy that passed every check, or all problems of the file, each with its line."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr, ValidationError

from consentkit.config.lock_file import LOCK, read_lock
from consentkit.config.schema_errors import explain_errors, with_placeholders
from consentkit.config.toml_document import TomlDocument
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.notices import Lock, Notice
from consentkit.policy import Finding, KeyPath, Policy, TransferData, checks

__all__ = ["CheckReport", "PolicyFile", "check_file", "load_policy"]


log = logging.getLogger("consentkit")


class PolicyFile(Policy):
    """A policy that was read from a file and passed every check."""

    _path: Path = PrivateAttr(default=Path("consent.toml"))
    _warnings: tuple[PolicyProblem, ...] = PrivateAttr(default=())
    _lock: Lock = PrivateAttr(default=Lock())
    _notices: tuple[Notice, ...] = PrivateAttr(default=())

    @classmethod
    def from_checked(
        cls,
        data: Mapping[str, Any],
        *,
        path: Path,
        lock: Lock,
        warnings: tuple[PolicyProblem, ...],
        transfer_data: TransferData | None,
    ) -> Self:
        """Make the policy of a file whose data passed every check."""
        policy = cls.from_data(data, transfer_data=transfer_data)
        policy._path, policy._lock, policy._warnings = path, lock, warnings
        policy._notices = lock.comparable_with(Notice.of(policy))
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
        """The notices of `consent.lock`, oldest first, then the policy's own notice if it is not locked yet."""
        return self._notices

    @property
    def lock(self) -> Lock:
        """The `consent.lock` in the policy's folder."""
        return self._lock

    @property
    def locked(self) -> bool:
        """Whether the lock ends with the policy's own notice."""
        last = self._lock.notices[-1:]
        return bool(last) and last[0].digest == Notice.of(self).digest


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
    transfer_data, list_problems = _read_transfer_data(path, document)
    findings = _run_checks(
        document, transfer_data, today or datetime.now(UTC).date(), ignore_countries=bool(list_problems)
    )
    problems = document.problems(finding for finding in findings if not finding.warning)
    problems += list_problems + lock_problems
    warnings = document.problems(finding for finding in findings if finding.warning)
    if problems:
        return CheckReport(None, problems, warnings)
    policy = PolicyFile.from_checked(
        document.data, path=path, lock=lock, warnings=warnings, transfer_data=transfer_data
    )
    return CheckReport(policy, (), warnings)


def _run_checks(
    document: TomlDocument, transfer_data: TransferData | None, today: date, *, ignore_countries: bool
) -> list[Finding]:
    """Check a document; placeholders stand for invalid values, so that one does not hide the problems of others.

    `ignore_countries` leaves out findings about countries, for a policy whose list of the EEA is unusable.
    """
    findings: list[Finding] = []
    placeholder_paths: frozenset[KeyPath] = frozenset()
    try:
        policy = Policy.from_data(document.data, transfer_data=transfer_data)
    except ValidationError as error:
        findings = explain_errors(error)
        data, placeholder_paths = with_placeholders(document.data, findings)
        policy = Policy.from_data(data, transfer_data=transfer_data)
    if ignore_countries:
        placeholder_paths |= {("adequacy_file",), ("jurisdiction",)}
        placeholder_paths |= {("vendors", index, "country") for index in range(len(policy.vendors))}
    return findings + checks.run_checks(policy, today=today, placeholder_paths=placeholder_paths)


def _read_lock(path: Path) -> tuple[Lock, tuple[PolicyProblem, ...]]:
    try:
        return read_lock(path), ()
    except PolicyError as error:
        return Lock(), error.problems


def _read_transfer_data(
    path: Path, document: TomlDocument
) -> tuple[TransferData | None, tuple[PolicyProblem, ...]]:
    """Read the policy's `adequacy_file`; None, for the shipped list, if there is no such key or file."""
    name = document.data.get("adequacy_file")
    if not isinstance(name, str) or not name.strip():
        return None, ()
    try:
        list_document = TomlDocument.read(path.parent / name)
    except PolicyError as error:
        reasons = " ".join(problem.message for problem in error.problems)
        message = f"The list cannot be used. {reasons}"
        finding = Finding(("adequacy_file",), message, "Fix the file, or remove the key.")
        return None, document.problems([finding])
    try:
        return TransferData.model_validate(list_document.data), ()
    except ValidationError as error:
        return None, list_document.problems(explain_errors(error, TransferData))
