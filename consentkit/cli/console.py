"""The consoles, and what all commands share: printing problems, and loading the policy."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from consentkit.config import PolicyFile, check_file
from consentkit.errors import PolicyProblem

__all__ = [
    "DEFAULT_POLICY",
    "count",
    "count_problems",
    "err",
    "fail",
    "load_checked_policy",
    "out",
    "print_json",
    "print_problems",
]

DEFAULT_POLICY = Path("consent.toml")

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def fail(message: object, code: int) -> NoReturn:
    """Print an error message as one line, and end the command.

    Raises:
        typer.Exit: always, with the exit code.
    """
    # SQLAlchemy's own text repeats the statement, over several lines.
    text = str(getattr(message, "orig", None) or message)
    err.print(f"[bold red]{escape(' '.join(text.split()))}[/]")
    raise typer.Exit(code)


def print_problems(problems: Iterable[PolicyProblem], *, are_warnings: bool = False) -> None:
    """Print each problem with its place, its key and its remedy."""
    kind = "[bold yellow]warning[/]" if are_warnings else "[bold red]error[/]"
    for problem in problems:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        key = f"{problem.key} = {problem.value}" if problem.value else problem.key
        if problem.subject:
            key = f"{problem.subject}: {key}"
        out.print(f"[bold]{escape(place)}[/]: {kind}: {escape(problem.message)}")
        if key:
            out.print(f"  [dim]{escape(key)}[/]")
        out.print(f"  [green]{escape(problem.remedy)}[/]")


def print_json(value: Any) -> None:
    """Print a value as JSON, without colours."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def load_checked_policy(path: Path) -> PolicyFile:
    """Return a policy that passed every check.

    Raises:
        typer.Exit: the policy has problems, which are printed; the exit code is 1.
    """
    report = check_file(path)
    if report.policy is None:
        print_problems(report.problems)
        out.print(
            f"[bold red]{escape(str(path))}: {count_problems(len(report.problems), len(report.warnings))}.[/]"
        )
        raise typer.Exit(1)
    return report.policy


def count_problems(problems: int, warnings: int) -> str:
    """Return the numbers of problems and warnings as text, such as `1 problem, 2 warnings`."""
    return f"{count(problems, 'problem')}, {count(warnings, 'warning')}"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun; the plural ends in `s` unless it is given."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
