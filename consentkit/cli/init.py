"""`consentkit init`: write a first policy, its lock, a key, and an application if there is none."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.markup import escape

from consentkit.cli.console import fail, out
from consentkit.cli.scaffold import (
    APPLICATION,
    FRAMEWORKS,
    QUESTIONS,
    Answers,
    ExistingApplication,
    Framework,
    detect_framework,
    find_application,
    make_key,
    render_application,
    render_lines_to_add,
    render_policy,
)
from consentkit.config import LOCK, PolicyFile, check_file, write_lock
from consentkit.errors import ConfigurationError, PolicyError
from consentkit.notices import Lock, add_notice_to_lock

__all__ = ["init"]

_POLICY, _KEY = "consent.toml", "consent.key"
_FRAMEWORK_NAMES = {"starlette": "Starlette", "fastapi": "FastAPI"}


def init(
    directory: Annotated[
        Path, typer.Argument(help="Where to write the files; created if it does not exist.")
    ] = Path("."),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing, and write placeholders that you replace later.")
    ] = False,
    framework: Annotated[
        str,
        typer.Option("--framework", help=f"One of {', '.join(FRAMEWORKS)}; detected if omitted."),
    ] = "",
) -> None:
    """Write a first policy, its lock, a key, and an application if there is none.

    Overwrites no file: an existing application stays as it is, and the lines to add to it are printed.
    """
    try:
        existing = find_application(directory)
        chosen = _choose_framework(framework, existing, directory)
        taken = [name for name in (_POLICY, LOCK, _KEY) if (directory / name).exists()]
        if taken:
            raise ConfigurationError(
                f"{directory / taken[0]} already exists and is not overwritten: remove it, or choose another directory."
            )
        _write_policy(directory, Answers() if yes else _ask_questions())
    except (ConfigurationError, OSError) as error:
        fail(error, 1)
    _write_secret(directory / _KEY)
    _print_file(_POLICY, "what visitors are told and asked; replace what is not true of your site")
    _print_file(LOCK, "records what visitors were told; commit it")
    _print_file(_KEY, "signs the cookies; keep it secret and out of version control")
    if existing is not None:
        _print_lines_to_add(chosen, existing, directory)
        return
    (directory / APPLICATION).write_text(render_application(chosen), "utf-8")
    _print_file(APPLICATION, f"a {_FRAMEWORK_NAMES[chosen]} application that asks for consent")
    out.print("\nStart it with [bold]uvicorn app:app --host localhost[/] and open http://localhost:8000")


def _choose_framework(name: str, existing: ExistingApplication | None, directory: Path) -> Framework:
    if not name:
        return existing.framework if existing and existing.framework else detect_framework(directory)
    for framework in FRAMEWORKS:
        if framework == name.lower():
            return framework
    raise ConfigurationError(f"Unknown framework {name!r}: expected one of {', '.join(FRAMEWORKS)}.")


def _print_lines_to_add(framework: Framework, existing: ExistingApplication, directory: Path) -> None:
    file = existing.path.relative_to(directory)
    out.print(f"\n[bold]{escape(str(file))}[/] already exists. Add these lines:\n")
    out.print(escape(render_lines_to_add(framework, name=existing.name, depth=len(file.parts) - 1)))
    out.print(
        "Visitors are asked at http://localhost:8000; if you develop at another address, write it in `origins`."
    )


def _ask_questions() -> Answers:
    """Ask the questions one after another, and repeat a question whose answer makes no valid policy."""
    answers = Answers()
    for field, question in QUESTIONS:
        answers = typer.prompt(
            question, default=getattr(answers, field), value_proc=partial(_with_answer, answers, field)
        )
    return answers


def _with_answer(answers: Answers, field: str, text: str) -> Answers:
    """Return the answers with another one added.

    Raises:
        typer.BadParameter: the answer makes no valid policy; typer prints why, and asks again.
    """
    text = text.strip()
    answered = replace(answers, **{field: text.upper() if field == "country" else text})
    try:
        _build_policy(answered)
    except PolicyError as error:
        messages = dict.fromkeys(f"{problem.message} {problem.remedy}" for problem in error.problems)
        raise typer.BadParameter(" ".join(messages)) from None
    return answered


def _build_policy(answers: Answers) -> PolicyFile:
    """Return the policy that the answers make, checked in a temporary directory.

    Raises:
        PolicyError: an answer makes no valid policy.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / _POLICY
        path.write_text(render_policy(answers), "utf-8")
        report = check_file(path)
    if report.policy is None:
        raise PolicyError(report.problems)
    return report.policy


def _write_policy(directory: Path, answers: Answers) -> None:
    lock, _ = add_notice_to_lock(_build_policy(answers), Lock(), datetime.now(UTC).date())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _POLICY).write_text(render_policy(answers), "utf-8")
    write_lock(directory / LOCK, lock)


def _write_secret(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(make_key() + "\n")


def _print_file(name: str, purpose: str) -> None:
    out.print(f"[bold green]{name}[/]: {purpose}.")
