"""`consentkit init`: a first policy, its lock, a key, and an application where there is none yet."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from consentkit.errors import ConfigurationError, PolicyError
from consentkit.lock import Lock, lock, write_lock
from consentkit.policy_file import LOCK, check_file
from consentkit.scaffold import (
    FRAMEWORKS,
    QUESTIONS,
    Answers,
    Framework,
    application,
    found_framework,
    lines_to_add,
    new_key,
    policy_text,
)

__all__ = ["init"]

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

POLICY, KEY, APPLICATION = "consent.toml", "consent.key", "app.py"


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write; made where it does not exist.")] = Path(
        "."
    ),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: write placeholders to be replaced.")
    ] = False,
    framework: Annotated[
        str,
        typer.Option("--framework", help=f"One of {', '.join(FRAMEWORKS)}; found out where it is left out."),
    ] = "",
) -> None:
    """Write a first policy, its lock, a key, and an application where there is none yet.

    Never overwrites a file.
    """
    try:
        chosen = _framework(framework, directory)
        directory.mkdir(parents=True, exist_ok=True)
        taken = [name for name in (POLICY, LOCK, KEY) if (directory / name).exists()]
        if taken:
            raise ConfigurationError(f"{directory / taken[0]} is there already: it is not overwritten.")
        _write_policy(directory, Answers() if yes else _asked())
    except (ConfigurationError, OSError) as error:
        err.print(f"[bold red]{escape(str(error))}[/]")
        raise typer.Exit(1) from None
    _write_secret(directory / KEY)
    _told(POLICY, "what visitors are told and asked; replace what is not true of your site")
    _told(LOCK, "remembers it; commit it")
    _told(KEY, "signs the cookies; keep it secret and out of version control")
    if (directory / APPLICATION).exists():
        out.print(f"\n{APPLICATION} is there already. Add to it:\n")
        out.print(escape(lines_to_add(chosen)))
        return
    (directory / APPLICATION).write_text(application(chosen), "utf-8")
    _told(APPLICATION, f"a {chosen} application with the consent in it")
    out.print("\nStart it with [bold]uvicorn app:app --host localhost[/] and open http://localhost:8000")


def _framework(named: str, directory: Path) -> Framework:
    if not named:
        return found_framework(directory)
    for framework in FRAMEWORKS:
        if framework == named.lower():
            return framework
    raise ConfigurationError(f"--framework {named} is not known: it is one of {', '.join(FRAMEWORKS)}.")


def _asked() -> Answers:
    """Ask one question after another, offering the placeholders."""
    defaults = asdict(Answers())
    return Answers(
        **{name: typer.prompt(question, default=defaults[name]).strip() for name, question in QUESTIONS}
    )


def _write_policy(directory: Path, answers: Answers) -> None:
    """Write policy and lock; what does not pass the checks is not left behind."""
    path = directory / POLICY
    path.write_text(policy_text(answers), "utf-8")
    report = check_file(path)
    if report.policy is None:
        path.unlink()
        raise PolicyError(report.problems)
    locked, _ = lock(report.policy, Lock(), datetime.now(UTC).date())
    write_lock(directory / LOCK, locked)


def _write_secret(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(new_key() + "\n")


def _told(name: str, what: str) -> None:
    out.print(f"[bold green]{name}[/]: {what}.")
