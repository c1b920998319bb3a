"""The commands for a policy: check it, and lock its notice. The command line needs the extra `consentkit[cli]`."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from consentkit._version import __version__
from consentkit.cli.change_report import describe_changes
from consentkit.cli.regimes import describe_changes_of_regimes, describe_regimes, regimes_as_json
from consentkit.config import LOCK, PolicyFile, check_file, write_lock
from consentkit.enforcement import SENT, CookieGate, deviation, read_observed_cookies
from consentkit.errors import ConfigurationError, PolicyProblem
from consentkit.ledger import Ledger
from consentkit.manager import what_an_outage_loses
from consentkit.notices import add_notices_to_lock

try:
    import typer
    from rich.markup import escape

    from consentkit.cli.catalogue import catalogue, check_languages
    from consentkit.cli.console import (
        DEFAULT_POLICY,
        count,
        count_problems,
        fail,
        load_checked_policy,
        out,
        print_json,
        print_problems,
    )
    from consentkit.cli.dossier import dossier
    from consentkit.cli.group import group
    from consentkit.cli.init import init
    from consentkit.cli.ledger import ledger as ledger_commands
    from consentkit.cli.report import report
except ImportError:  # pragma: no cover - the message is tested in an environment without the extra
    sys.exit("The command line needs an extra. Install it: pip install 'consentkit[cli]'.")

__all__ = ["app", "main"]

app = typer.Typer(
    name="consentkit",
    help="Cookie consent for Python web sites: check the policy, lock what visitors are told.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

app.command()(init)
app.command()(catalogue)
app.command()(dossier)
app.command()(report)
app.add_typer(group, name="group")
app.add_typer(ledger_commands, name="ledger")

PolicyPath = Annotated[Path, typer.Argument(help="The policy file.", show_default=True)]


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Cookie consent for Python web sites: check the policy, lock what visitors are told."""


@app.command()
def check(
    path: PolicyPath = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems and warnings as JSON.")] = False,
    observed: Annotated[
        Path | None,
        typer.Option("--observed", help="File of cookies that the middleware observed (`observed=`)."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger", help="URL of the ledger: warn of what an outage would lose. It is not opened."
        ),
    ] = None,
    spool: Annotated[
        Path | None, typer.Option("--spool", help="Directory for records that wait (`spool=`).")
    ] = None,
    locales: Annotated[
        Path | None, typer.Option("--locales", help="Folder of your own catalogues (`locales=`).")
    ] = None,
) -> None:
    """Check a policy and its lock. Prints which rules by place apply, and their gaps.

    Exits with 1 if there are problems, or if the policy has changed since it was locked; with 0 if there are only warnings.
    """
    report = check_file(path)
    problems, warnings = list(report.problems), list(report.warnings)
    if report.policy is not None:
        _check_lock(path, report.policy, problems, warnings)
        without, partly = check_languages(path, report.policy, locales)
        problems += without
        warnings += partly
        warnings += _observed_cookies(observed, report.policy) if observed is not None else ()
    warnings += _losses(ledger, spool) if ledger is not None else ()
    if as_json:
        regimes = regimes_as_json(report.policy, _today()) if report.policy is not None else None
        found = {"problems": list(map(asdict, problems)), "warnings": list(map(asdict, warnings))}
        print_json({**found, "regimes": regimes})
    else:
        print_problems(problems)
        print_problems(warnings, are_warnings=True)
        _print_summary(path, problems, warnings, report.policy)
        for line in describe_regimes(report.policy, _today()) if report.policy is not None else ():
            out.print(escape(line))
    raise typer.Exit(1 if problems else 0)


def _losses(ledger: str, spool: Path | None) -> Iterable[PolicyProblem]:
    """Return a warning if records are lost when a process ends during an outage of the ledger."""
    try:
        loss = what_an_outage_loses(Ledger(ledger), spool)
    except ConfigurationError as error:
        fail(str(error), 2)
    remedy = "Set spool= to a directory."
    if loss is not None:
        yield PolicyProblem("ledger", None, "spool", "", loss.removesuffix(f" {remedy}"), remedy)


def _check_lock(
    path: Path, policy: PolicyFile, problems: list[PolicyProblem], warnings: list[PolicyProblem]
) -> None:
    if policy.locked:
        return
    if policy.lock.notices:
        problems.append(_outdated_lock(path, policy))
    else:
        warnings.append(_missing_lock(path))


def _outdated_lock(path: Path, policy: PolicyFile) -> PolicyProblem:
    _, changes = add_notices_to_lock(policy, policy.lock, _today())
    sentences = (
        "The policy has changed since it was locked.",
        *describe_changes(changes, policy),
        *describe_changes_of_regimes(policy, policy.lock, changes),
    )
    return _lock_problem(path, " ".join(sentences))


def _missing_lock(path: Path) -> PolicyProblem:
    return _lock_problem(path, "There is no lock, so decisions under this notice are lost when it changes.")


def _lock_problem(path: Path, message: str) -> PolicyProblem:
    remedy = "Run `consentkit lock`, and commit the file."
    return PolicyProblem(str(path.parent / LOCK), None, "", "", message, remedy)


def _observed_cookies(file: Path, policy: PolicyFile) -> Iterable[PolicyProblem]:
    """Return a warning for each observed cookie that the policy declares otherwise, or not at all (REQUIREMENTS IN-08)."""
    try:
        observations = read_observed_cookies(file.read_text("utf-8", "replace").splitlines())
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.", 2)
    gate = CookieGate(policy, own_names=frozenset())
    set_by_site = {each.cookie for each in observations if each.reason != SENT}
    # By what each warning is about, so that there is one.
    warnings: dict[str, tuple[str, str, str]] = {}
    for name, _, attributes in observations:
        declarations = gate.declarations(name.encode("latin-1", "replace"))
        found = deviation(attributes, declarations) if attributes is not None else None
        if found is not None:
            message = f"The site sets this cookie otherwise than declared: {', '.join(found.differences)}."
            warning = (name, message, "Declare what the site sets, or set what is declared.")
            warnings.setdefault(f"declaration {found.tracker.name}", warning)
        elif not declarations and name in set_by_site:
            message = "The site sets this cookie, but the policy does not declare it."
            warnings[f"cookie {name}"] = (name, message, "Declare it under [[trackers]], or stop setting it.")
        elif not declarations:
            message = "Browsers send this cookie, but the policy does not declare it."
            remedy = "Declare it under [[trackers]], or find out what sets it."
            warnings[f"cookie {name}"] = (name, message, remedy)
    return [
        PolicyProblem(str(file), None, name, "", message, remedy)
        for name, message, remedy in warnings.values()
    ]


def _print_summary(
    path: Path,
    problems: Sequence[PolicyProblem],
    warnings: Sequence[PolicyProblem],
    policy: PolicyFile | None,
) -> None:
    result = f"{escape(str(path))}: {count_problems(len(problems), len(warnings))}."
    if policy is None or problems:
        out.print(f"[bold red]{result}[/]")
        return
    asked = len(policy.consent_needed)
    outside = sum(map(policy.outside_eea, policy.vendors))
    out.print(
        f"[bold green]{result}[/] {count(len(policy.sites), 'site')}, "
        f"{count(asked, 'purpose that needs', 'purposes that need')} consent, "
        f"{count(len(policy.vendors), 'third party', 'third parties')} ({outside} outside the EEA), "
        f"{count(len(policy.trackers), 'tracker')}."
    )


@app.command()
def lock(
    path: PolicyPath = DEFAULT_POLICY,
    editorial: Annotated[
        bool,
        typer.Option(
            "--editorial", help="Only the wording changed, so that nobody is asked again. Needs --reason."
        ),
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the meaning is the same; stored in the lock.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the changes without writing the lock.")
    ] = False,
) -> None:
    """Add the notice of the policy to `consent.lock`.

    Prints what changed since the last notice, and who will be asked again because of it. Commit the file.
    """
    if editorial != bool(reason.strip()):
        fail("--editorial and --reason go together: give the reason why the meaning is the same.", 2)
    policy = load_checked_policy(path)
    try:
        new_lock, changes = add_notices_to_lock(policy, policy.lock, _today(), editorial=reason.strip())
    except ConfigurationError as error:
        fail(error, 1)
    if new_lock is policy.lock:
        out.print("The notice has not changed.")
        return
    if not policy.lock.notices:
        out.print("This is the first notice.")
    # An editorial change of this run is none in other places either.
    before = replace(policy.lock, editorial=new_lock.editorial)
    for sentence in (
        *describe_changes(changes, policy),
        *describe_changes_of_regimes(policy, before, changes),
    ):
        out.print(escape(sentence))
    target = path.parent / LOCK
    if not dry_run:
        write_lock(target, new_lock)
        out.print(
            f"[bold green]{escape(str(target))}: {count(len(new_lock.notices), 'notice')}.[/] Commit it."
        )


def _today() -> date:
    return datetime.now(UTC).date()


def main() -> None:
    """Run the command line."""
    app()
