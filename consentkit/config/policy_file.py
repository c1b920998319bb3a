"""Reading `consent.toml`: all that is wrong with it at once, each problem on its line, or a policy that can be relied on."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import PrivateAttr, ValidationError

from consentkit.config import schema_errors as shape
from consentkit.config.toml_document import TomlDocument
from consentkit.config.toml_positions import KeyPath
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.notices import Lock, Notice, read_lock
from consentkit.policy import Finding, Policy, TransferData, checks

__all__ = ["CheckReport", "PolicyFile", "check_file", "load_policy"]


log = logging.getLogger("consentkit")

LOCK = "consent.lock"
"""The file beside the policy that knows its notices."""


class PolicyFile(Policy):
    """A policy that was read from a file and passed every check."""

    _path: Path = PrivateAttr(default=Path("consent.toml"))
    _warnings: tuple[PolicyProblem, ...] = PrivateAttr(default=())
    _lock: Lock = PrivateAttr(default_factory=Lock)
    _notices: tuple[Notice, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def warnings(self) -> tuple[PolicyProblem, ...]:
        """What is lawful but unwise, in the order of the file."""
        return self._warnings

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices of `consent.lock`, newest last; and the one that this policy gives, where it is not locked yet."""
        return self._notices

    @property
    def lock(self) -> Lock:
        """What `consent.lock` beside the policy says."""
        return self._lock

    @property
    def locked(self) -> bool:
        """Whether the notice that this policy gives is the last one of the lock."""
        last = self._lock.notices[-1:]
        return bool(last) and last[0].digest == Notice.of(self).digest


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of a policy file found; there is a policy where there are no problems."""

    policy: PolicyFile | None
    problems: tuple[PolicyProblem, ...] = ()
    warnings: tuple[PolicyProblem, ...] = ()


def load_policy(path: str | Path, *, today: date | None = None) -> PolicyFile:
    """Read and check a policy file; `today`, by default the date in UTC, decides which adequacy decisions stand.

    Raises:
        PolicyError: with every problem found.
    """
    report = check_file(path, today=today)
    policy = report.policy
    if policy is None:
        raise PolicyError(report.problems)
    if not policy.lock.notices:
        log.warning(
            "%s has no %s: answers to earlier notices are not known. Run `consentkit lock`.", path, LOCK
        )
    elif not policy.locked:
        log.warning("%s has changed since %s was written. Run `consentkit lock`.", path, LOCK)
    return policy


def check_file(path: str | Path, *, today: date | None = None) -> CheckReport:
    """Check a policy file, and the lock beside it, without raising."""
    path = Path(path)
    try:
        source = TomlDocument.read(path)
    except PolicyError as error:
        return CheckReport(None, error.problems)
    locked, of_the_lock = _lock_beside(path)
    transfer_data, of_the_list = _transfer_data(path, source)
    policy, found = _policy(
        source, transfer_data, today or datetime.now(UTC).date(), unlisted=bool(of_the_list)
    )
    problems = source.problems(one for one in found if not one.warning) + of_the_list + of_the_lock
    warnings = source.problems(one for one in found if one.warning)
    if problems:
        return CheckReport(None, problems, warnings)
    policy._path = path
    policy._warnings = warnings
    policy._lock = locked
    policy._notices = locked.comparable_with(Notice.of(policy))
    return CheckReport(policy, (), warnings)


def _policy(
    source: TomlDocument, transfer_data: TransferData | None, today: date, *, unlisted: bool
) -> tuple[PolicyFile, list[Finding]]:
    """Build the policy, with fillers for what is wrong, and collect what is wrong with it.

    `unlisted`: the list that says where countries are cannot be used, so that nothing is said about them.
    """
    found: list[Finding] = []
    bad: frozenset[KeyPath] = frozenset()
    try:
        policy = PolicyFile.model_validate(source.data)
    except ValidationError as error:
        found = shape.findings(error)
        data, bad = shape.with_placeholders(source.data, found)
        policy = PolicyFile.model_validate(data)
    if unlisted:
        bad |= {("adequacy_file",), ("jurisdiction",)}
        bad |= {("vendors", index, "country") for index in range(len(policy.vendors))}
    policy._transfer_data = transfer_data
    return policy, found + checks.findings(policy, today=today, placeholder_paths=bad)


def _lock_beside(path: Path) -> tuple[Lock, tuple[PolicyProblem, ...]]:
    try:
        return read_lock(path.parent / LOCK), ()
    except PolicyError as error:
        return Lock(), error.problems


def _transfer_data(path: Path, source: TomlDocument) -> tuple[TransferData | None, tuple[PolicyProblem, ...]]:
    """Read the file that `adequacy_file` names, beside the policy; without one, the shipped list stands."""
    name = source.data.get("adequacy_file")
    if not isinstance(name, str) or not name.strip():
        return None, ()
    try:
        listed = TomlDocument.read(path.parent / name)
    except PolicyError as error:
        reasons = " ".join(problem.message for problem in error.problems)
        finding = Finding(
            ("adequacy_file",), f"The list cannot be used. {reasons}", "Mend it, or leave the key out."
        )
        return None, source.problems([finding])
    try:
        return TransferData.model_validate(listed.data), ()
    except ValidationError as error:
        return None, listed.problems(shape.findings(error, TransferData))
