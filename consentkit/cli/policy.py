"""The command line: check a policy, lock its notice. Needs the extra `consentkit[cli]`."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from consentkit._version import __version__
from consentkit.cli.change_report import difference
from consentkit.config import LOCK, PolicyFile, check_file
from consentkit.enforcement import CookieGate, read_sightings
from consentkit.errors import ConfigurationError, PolicyProblem
from consentkit.notices import Change, add_notice_to_lock, write_lock

try:
    import typer
    from rich.console import Console
    from rich.markup import escape

    from consentkit.cli.group import group
    from consentkit.cli.init import init
except ImportError:  # pragma: no cover - the message is tested in an environment without the extra
    sys.exit("The command line needs the extra: pip install 'consentkit[cli]'.")

__all__ = ["app", "main"]

app = typer.Typer(
    name="consentkit",
    help="Cookie consent for Python web sites: check the policy, lock what visitors are told.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

app.command()(init)
app.add_typer(group, name="group")

PolicyPath = Annotated[Path, typer.Argument(help="The policy file.", show_default=True)]
DEFAULT = Path("consent.toml")


def _version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Cookie consent for Python web sites: check the policy, lock what visitors are told."""


@app.command()
def check(
    path: PolicyPath = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems and warnings as JSON.")] = False,
    observed: Annotated[
        Path | None, typer.Option("--observed", help="File of cookies that the middleware saw (`observed=`).")
    ] = None,
) -> None:
    """Check a policy and the lock beside it.

    Exits with 1 where something is wrong, or where the policy moved on without its lock; warnings alone exit with 0.
    """
    report = check_file(path)
    problems, warnings = report.problems, report.warnings
    if report.policy is not None and not report.policy.locked:
        if report.policy.lock.notices:
            problems = _behind(path, report.policy)
        else:
            warnings = (*warnings, _unlocked(path))
    if observed is not None and report.policy is not None:
        warnings = (*warnings, *_seen(observed, report.policy))
    if as_json:
        found = {"problems": list(map(asdict, problems)), "warnings": list(map(asdict, warnings))}
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(problems, "error", "red")
        _print(warnings, "warning", "yellow")
        _summary(path, problems, warnings, report.policy)
    raise typer.Exit(1 if problems else 0)


def _behind(path: Path, policy: PolicyFile) -> tuple[PolicyProblem, ...]:
    """Say what has changed since the policy was locked."""
    _, changes = add_notice_to_lock(policy, policy.lock, _today())
    reason = " ".join(("The policy has changed since it was locked.", *_told(policy, changes)))
    return (
        PolicyProblem(
            str(path.parent / LOCK), None, "", "", reason, "Run `consentkit lock`, and commit the file."
        ),
    )


def _unlocked(path: Path) -> PolicyProblem:
    reason = "There is no lock: answers to this notice will not be known once it changes."
    return PolicyProblem(
        str(path.parent / LOCK), None, "", "", reason, "Run `consentkit lock`, and commit the file."
    )


def _seen(file: Path, policy: PolicyFile) -> list[PolicyProblem]:
    """Name the cookies that the site sets and the policy does not declare (REQUIREMENTS IN-08)."""
    try:
        names = read_sightings(file.read_text("utf-8", "replace").splitlines())
    except OSError as error:
        err.print(f"[bold red]{escape(str(file))} cannot be read: {escape(error.strerror or '')}[/]")
        raise typer.Exit(2) from None
    gate = CookieGate(policy, own_names=frozenset())
    reason = "The site sets this cookie and the policy does not declare it."
    remedy = "Declare it under [[trackers]], or stop setting it."
    return [
        PolicyProblem(str(file), None, name, "", reason, remedy)
        for name in names
        if gate.classify(name) is None
    ]


def _told(policy: PolicyFile, changes: Iterable[Change]) -> list[str]:
    return difference(changes, [category.id for category in policy.consent_needed])


def _print(problems: Iterable[PolicyProblem], kind: str, colour: str) -> None:
    for problem in problems:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        key = f"{problem.key} = {problem.value}" if problem.value else problem.key
        out.print(f"[bold]{escape(place)}[/]: [bold {colour}]{kind}[/]: {escape(problem.message)}")
        if key:
            out.print(f"  [dim]{escape(key)}[/]")
        out.print(f"  [green]{escape(problem.remedy)}[/]")


def _summary(
    path: Path,
    problems: tuple[PolicyProblem, ...],
    warnings: tuple[PolicyProblem, ...],
    policy: PolicyFile | None,
) -> None:
    counted = f"{_count(len(problems), 'problem')}, {_count(len(warnings), 'warning')}"
    if policy is None or problems:
        out.print(f"[bold red]{escape(str(path))}: {counted}.[/]")
        return
    asked = len(policy.consent_needed)
    outside = sum(map(policy.outside_eea, policy.vendors))
    out.print(
        f"[bold green]{escape(str(path))}: {counted}.[/] {_count(len(policy.sites), 'site')}, "
        f"{_count(asked, 'purpose')} that need consent, {_count(len(policy.vendors), 'third party', 'third parties')} "
        f"({outside} outside the EEA), {_count(len(policy.trackers), 'tracker')}."
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


@app.command()
def lock(
    path: PolicyPath = DEFAULT,
    editorial: Annotated[
        bool,
        typer.Option("--editorial", help="Only the wording changed: nobody is asked again. Needs --reason."),
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the new wording says the same; kept in the lock.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference and write nothing.")
    ] = False,
) -> None:
    """Remember what visitors are told from now on, in `consent.lock` beside the policy.

    Prints what changed since the last lock, and who will be asked again because of it. Commit the file.
    """
    if editorial != bool(reason.strip()):
        err.print("[bold red]--editorial and --reason go together: say why the new wording says the same.[/]")
        raise typer.Exit(2)
    report = check_file(path)
    if report.policy is None:
        _print(report.problems, "error", "red")
        _summary(path, report.problems, report.warnings, None)
        raise typer.Exit(1)
    policy = report.policy
    try:
        locked, changes = add_notice_to_lock(policy, policy.lock, _today(), editorial=reason.strip())
    except ConfigurationError as error:
        err.print(f"[bold red]{escape(str(error))}[/]")
        raise typer.Exit(1) from None
    if locked is policy.lock:
        out.print("Nothing changed that visitors are told.")
        return
    if not policy.lock.notices:
        out.print("This is the first notice.")
    for line in _told(policy, changes):
        out.print(escape(line))
    target = path.parent / LOCK
    if not dry_run:
        write_lock(target, locked)
        out.print(
            f"[bold green]{escape(str(target))}: {_count(len(locked.notices), 'notice')}.[/] Commit it."
        )


def _today() -> date:
    return datetime.now(UTC).date()


def main() -> None:
    """Run the command line."""
    app()
