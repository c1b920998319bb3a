"""`consentkit init`: a first policy, its lock, a key, and an application where there is none yet."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from consentkit.cli.scaffold import (
    APPLICATION,
    FRAMEWORKS,
    QUESTIONS,
    Answers,
    Existing,
    Framework,
    application,
    found_application,
    found_framework,
    lines_to_add,
    new_key,
    policy_text,
)
from consentkit.config import LOCK, PolicyFile, check_file
from consentkit.errors import ConfigurationError, PolicyError
from consentkit.notices import Lock, add_notice_to_lock, write_lock

__all__ = ["init"]

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

POLICY, KEY = "consent.toml", "consent.key"
NAMES = {"starlette": "Starlette", "fastapi": "FastAPI"}


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

    Never overwrites a file: an application that is there already is left as it is, and the lines to add to it are printed.
    """
    try:
        existing = found_application(directory)
        chosen = _framework(framework, existing, directory)
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
    if existing is not None:
        _tell_what_to_add(chosen, existing, directory)
        return
    (directory / APPLICATION).write_text(application(chosen), "utf-8")
    _told(APPLICATION, f"a {NAMES[chosen]} application with the consent in it")
    out.print("\nStart it with [bold]uvicorn app:app --host localhost[/] and open http://localhost:8000")


def _framework(named: str, existing: Existing | None, directory: Path) -> Framework:
    if not named:
        return existing.framework if existing and existing.framework else found_framework(directory)
    for framework in FRAMEWORKS:
        if framework == named.lower():
            return framework
    raise ConfigurationError(f"--framework {named} is not known: it is one of {', '.join(FRAMEWORKS)}.")


def _tell_what_to_add(framework: Framework, existing: Existing, directory: Path) -> None:
    file = existing.path.relative_to(directory)
    out.print(f"\n[bold]{escape(str(file))}[/] is there already. Add to it:\n")
    out.print(escape(lines_to_add(framework, name=existing.name, depth=len(file.parts) - 1)))
    out.print(
        "It asks at http://localhost:8000; where you develop at another address, write that in `origins`."
    )


def _asked() -> Answers:
    """Ask one question after another, offering the placeholders; what makes no policy is asked again."""
    answers = Answers()
    for name, question in QUESTIONS:
        answers = typer.prompt(
            question, default=getattr(answers, name), value_proc=partial(_with_answer, answers, name)
        )
    return answers


def _with_answer(answers: Answers, name: str, said: str) -> Answers:
    """Add what somebody said to the answers.

    Raises:
        typer.BadParameter: it makes no policy; typer tells why, and asks again.
    """
    said = said.strip()
    answered = replace(answers, **{name: said.upper() if name == "country" else said})
    try:
        _policy(answered)
    except PolicyError as error:
        raise typer.BadParameter(
            " ".join(dict.fromkeys(f"{one.message} {one.remedy}" for one in error.problems))
        ) from None
    return answered


def _policy(answers: Answers) -> PolicyFile:
    """Check what would be written, where nobody sees it.

    Raises:
        PolicyError: an answer makes no policy.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / POLICY
        path.write_text(policy_text(answers), "utf-8")
        report = check_file(path)
    if report.policy is None:
        raise PolicyError(report.problems)
    return report.policy


def _write_policy(directory: Path, answers: Answers) -> None:
    """Write policy and lock."""
    locked, _ = add_notice_to_lock(_policy(answers), Lock(), datetime.now(UTC).date())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / POLICY).write_text(policy_text(answers), "utf-8")
    write_lock(directory / LOCK, locked)


def _write_secret(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(new_key() + "\n")


def _told(name: str, what: str) -> None:
    out.print(f"[bold green]{name}[/]: {what}.")
