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
from consentkit.cli.project import (
    APPLICATION,
    FRAMEWORKS,
    DjangoSettings,
    ExistingApplication,
    Framework,
    detect_framework,
    find_application,
    find_django_settings,
)
from consentkit.cli.scaffold import (
    QUESTIONS,
    Answers,
    make_key,
    render_application,
    render_lines_to_add,
    render_policy,
    render_settings,
)
from consentkit.config import LOCK, PolicyFile, check_file, write_lock
from consentkit.errors import ConfigurationError, PolicyError
from consentkit.notices import Lock, add_notices_to_lock

__all__ = ["init"]

_POLICY, _KEY, _IGNORED = "consent.toml", "consent.key", ".gitignore"
_FRAMEWORK_NAMES: dict[Framework, str] = {
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "quart": "Quart",
    "flask": "Flask",
    "django": "Django",
    "wagtail": "Wagtail",
}
_NEW_PROJECT = {"django": "django-admin startproject mysite .", "wagtail": "wagtail start mysite ."}


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

    Overwrites no file: what exists already stays as it is, and the lines to add to an application are printed. The key and the
    records are added to `.gitignore`.
    """
    try:
        existing = find_application(directory)
        chosen = _choose_framework(framework, existing, directory)
        settings = _settings_of(chosen, directory)
        _write_policy(directory, yes, chosen)
        if settings is None:
            _write_secret(directory / _KEY)
        _ignore(directory, ["consent.db*"] if settings else [_KEY, "consent.db*"])
    except (ConfigurationError, PolicyError, OSError) as error:
        fail(error, 1)
    if settings is not None:
        _print_settings(settings, directory)
    elif existing is not None:
        _print_lines_to_add(chosen, existing, directory)
    else:
        (directory / APPLICATION).write_text(render_application(chosen), "utf-8")
        _print_file(APPLICATION, f"a {_FRAMEWORK_NAMES[chosen]} application that asks for consent")
        start = "uvicorn app:app --host localhost" if _port(chosen) == 8000 else f"{chosen} --app app run"
        out.print(f"\nStart it with [bold]{start}[/] and open http://localhost:{_port(chosen)}")


def _choose_framework(name: str, existing: ExistingApplication | None, directory: Path) -> Framework:
    if not name:
        has_project = (directory / "manage.py").exists()
        if existing and existing.framework and not has_project:
            return existing.framework
        return detect_framework(directory)
    for framework in FRAMEWORKS:
        if framework == name.lower():
            return framework
    raise ConfigurationError(f"Unknown framework {name!r}: expected one of {', '.join(FRAMEWORKS)}.")


def _settings_of(framework: Framework, directory: Path) -> DjangoSettings | None:
    """Return the settings of a Django project; None for other frameworks.

    Raises:
        ConfigurationError: the directory has no Django project.
    """
    if framework not in _NEW_PROJECT:
        return None
    settings = find_django_settings(directory)
    if settings is None:
        raise ConfigurationError(
            f"{directory.resolve()} has no manage.py that names the settings of a {_FRAMEWORK_NAMES[framework]} project: "
            f"make one with `{_NEW_PROJECT[framework]}`, or run init where manage.py is."
        )
    return settings


def _port(framework: Framework) -> int:
    """Return the port on which a framework's own server listens in development."""
    return 5000 if framework in ("flask", "quart") else 8000


def _print_settings(settings: DjangoSettings, directory: Path) -> None:
    file = settings.path.relative_to(directory)
    out.print(f"\nAdd these lines at the end of [bold]{escape(str(file))}[/]:\n")
    out.print(escape(render_settings(settings)))
    out.print(
        "The key of the consent cookie is derived from SECRET_KEY. Visitors are asked at http://localhost:8000, and not at "
        "http://127.0.0.1:8000; if you develop at another address, write it in `origins`."
    )


def _print_lines_to_add(framework: Framework, existing: ExistingApplication, directory: Path) -> None:
    file = existing.path.relative_to(directory)
    addition = render_lines_to_add(framework, name=existing.name, depth=len(file.parts) - 1)
    name, line = existing.name, existing.line
    advice = _advice_on_compression(existing)
    out.print(f"\n[bold]{escape(str(file))}[/] already exists. ", end="")
    if framework == "litestar":
        out.print(f"Add these lines above line {line}, where `{name}` is made:\n")
        out.print(escape(addition.manager))
        out.print(f"And this argument to Litestar(...) in that line:\n\n{escape(addition.application)}\n")
    elif existing.is_inside:
        out.print("Add these lines after the imports:\n")
        out.print(escape(addition.manager))
        out.print(
            f"And this one below line {line}, where `{name}` is made:\n\n{escape(addition.application)}\n"
        )
    else:
        out.print("Add these lines:\n")
        out.print(escape(f"{addition.manager}\n{addition.application}\n"))
    if advice:
        out.print(f"{escape(advice)}\n")
    out.print(
        f"Visitors are asked at http://localhost:{_port(framework)}; if you develop at another address, write it in `origins`."
    )


def _advice_on_compression(existing: ExistingApplication) -> str:
    """Return what to change where an application compresses pages before the banner is in them; empty if nothing."""
    if existing.compression is None:
        return ""
    name, line = existing.compression
    if existing.is_listed:
        return (
            f"{name} in line {line} would compress pages before the banner is in them. Instead of the last line, put "
            f"Middleware(ConsentMiddleware, manager=manager) behind {name} in its list."
        )
    return (
        f"Then move line {line}, which adds {name}, below these lines. What is added last runs outermost, so pages are "
        "compressed with the banner in them."
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


def _build_policy(answers: Answers, framework: Framework = "starlette") -> PolicyFile:
    """Return the policy that the answers make, checked in a temporary directory.

    Raises:
        PolicyError: an answer makes no valid policy.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / _POLICY
        path.write_text(render_policy(answers, framework), "utf-8")
        return _checked(path)


def _checked(path: Path) -> PolicyFile:
    report = check_file(path)
    if report.policy is None:
        raise PolicyError(report.problems)
    return report.policy


def _write_policy(directory: Path, yes: bool, framework: Framework) -> None:
    """Write the policy and its lock, or keep those that exist.

    Raises:
        ConfigurationError: there is a lock without its policy.
        PolicyError: the policy that exists has problems.
    """
    path, lock_path = directory / _POLICY, directory / LOCK
    if path.exists():
        policy = _checked(path)
        _print_kept(_POLICY)
    elif lock_path.exists():
        raise ConfigurationError(
            f"{lock_path} exists without {_POLICY}, which it belongs to: restore the policy, or remove the lock."
        )
    else:
        answers = Answers() if yes else _ask_questions()
        policy = _build_policy(answers, framework)
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(render_policy(answers, framework), "utf-8")
        _print_file(_POLICY, "what visitors are told and asked; replace what is not true of your site")
    if lock_path.exists():
        _print_kept(LOCK)
        return
    lock, _ = add_notices_to_lock(policy, Lock(), datetime.now(UTC).date())
    write_lock(lock_path, lock)
    _print_file(LOCK, "records what visitors were told; commit it")


def _write_secret(path: Path) -> None:
    """Write a new key that only this user may read, or keep the one that exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _print_kept(_KEY)
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(make_key() + "\n")
    _print_file(_KEY, "signs the cookies; keep it secret and out of version control")


def _ignore(directory: Path, names: list[str]) -> None:
    """Add files to `.gitignore` that do not belong in version control."""
    path = directory / _IGNORED
    text = path.read_text("utf-8") if path.exists() else ""
    ignored = {line.strip().removeprefix("/") for line in text.splitlines()}
    missing = [name for name in names if not ignored.intersection({name, f"*{Path(name).suffix}"})]
    if not missing:
        return
    before = text if not text or text.endswith("\n") else f"{text}\n"
    path.write_text(before + "".join(f"{name}\n" for name in missing), "utf-8")
    _print_file(_IGNORED, f"keeps {' and '.join(missing)} out of version control")


def _print_file(name: str, purpose: str) -> None:
    out.print(f"[bold green]{name}[/]: {purpose}.")


def _print_kept(name: str) -> None:
    out.print(f"[bold]{name}[/]: exists already, and stays as it is.")
