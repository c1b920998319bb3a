"""The files that `consentkit init` writes: a first policy that passes the checks, and an application that runs."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Literal

from consentkit.errors import ConfigurationError

__all__ = [
    "FRAMEWORKS",
    "QUESTIONS",
    "Answers",
    "ExistingApplication",
    "Framework",
    "detect_framework",
    "find_application",
    "make_key",
    "render_application",
    "render_lines_to_add",
    "render_policy",
]

Framework = Literal["starlette", "fastapi"]
FRAMEWORKS: tuple[Framework, ...] = ("starlette", "fastapi")


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that a first policy is written from; the defaults are placeholders for the owner to replace."""

    site: str = "My site"
    origin: str = "https://www.example.org"
    controller: str = "Example Publishing Ltd"
    address: str = "1 Example Street, 1011 AB Amsterdam"
    country: str = "NL"
    email: str = "privacy@example.org"
    authority: str = "Autoriteit Persoonsgegevens"
    authority_url: str = "https://autoriteitpersoonsgegevens.nl"
    language: str = "en"


QUESTIONS: tuple[tuple[str, str], ...] = (
    ("site", "Name of the site"),
    ("origin", "Address of the site (scheme and host)"),
    ("controller", "Who is responsible for the site (legal name)"),
    ("address", "Postal address"),
    ("country", "Country (two letters, ISO 3166-1)"),
    ("email", "E-mail address for questions about data"),
    ("authority", "Supervisory authority for complaints"),
    ("authority_url", "Web address of the authority"),
    ("language", "Language of the texts (en or nl)"),
)


def render_policy(answers: Answers) -> str:
    """Return a policy with one required category, three to ask about, and texts in one language."""
    translations = _TEXTS.get(answers.language.split("-")[0], _TEXTS["en"])
    values = {name: _quoted(getattr(answers, name)) for name, _ in QUESTIONS}
    texts = {name: f"{{ {_key(answers.language)} = {_quoted(text)} }}" for name, text in translations.items()}
    return _template("consent.toml").substitute(values, **texts)


_TEXTS = {
    "en": {
        "necessary": "Necessary",
        "necessary_text": "To keep you logged in and remember your choice about cookies.",
        "analytics": "Analytics",
        "analytics_text": "To count visits and see what is read.",
        "marketing": "Marketing",
        "marketing_text": "To see which of our ads bring visitors.",
        "media": "Media",
        "media_text": "To show you videos from other sites.",
        "session": "Keeps you logged in.",
        "visits": "Tells visits apart.",
        "campaign": "Remembers which of our ads brought you here.",
        "video": "Remembers what you watched, and may be used to show you advertisements.",
    },
    "nl": {
        "necessary": "Noodzakelijk",
        "necessary_text": "Om je ingelogd te houden en je keuze over cookies te onthouden.",
        "analytics": "Statistieken",
        "analytics_text": "Om bezoeken te tellen en te zien wat er wordt gelezen.",
        "marketing": "Marketing",
        "marketing_text": "Om te zien welke van onze advertenties bezoekers opleveren.",
        "media": "Media",
        "media_text": "Om je video's van andere sites te laten zien.",
        "session": "Houdt je ingelogd.",
        "visits": "Onderscheidt bezoeken.",
        "campaign": "Onthoudt via welke advertentie je hier kwam.",
        "video": "Onthoudt wat je bekeken hebt, en kan worden gebruikt om je advertenties te tonen.",
    },
}


def render_application(framework: Framework) -> str:
    """Return the source of an application named `app`, with a page at `/`."""
    return _template(f"app_{framework}.py").template


@dataclass(frozen=True, slots=True)
class ExistingApplication:
    """A file with an application, the application's name in it, and its framework if the file shows it."""

    path: Path
    name: str = "app"
    framework: Framework | None = None


def find_application(directory: Path) -> ExistingApplication | None:
    """Return the application nearest to a directory, or an `app.py` there whatever it contains, or None."""
    for path in _sources(directory):
        assignment = _ASSIGNMENT.search(path.read_text("utf-8", "replace"))
        if assignment:
            framework: Framework = "fastapi" if assignment["class"] == "FastAPI" else "starlette"
            return ExistingApplication(path, assignment["name"], framework)
    path = directory / APPLICATION
    return ExistingApplication(path) if path.exists() else None


APPLICATION = "app.py"
"""Name of the application file that `consentkit init` writes."""
_ASSIGNMENT = re.compile(
    r"^[ \t]*(?P<name>\w+)(?:[ \t]*:[^=\n]+)?[ \t]*=[ \t]*(?:\w+\.)*(?P<class>Starlette|FastAPI)\(",
    re.MULTILINE,
)
_MAX_DEPTH = 3
_SKIPPED_FOLDERS = frozenset(
    {"build", "dist", "docs", "env", "node_modules", "site-packages", "test", "tests", "venv"}
)


def _sources(directory: Path, depth: int = _MAX_DEPTH) -> Iterator[Path]:
    """Yield Python files, those of a folder before those of its subfolders."""
    entries = sorted(directory.iterdir()) if directory.is_dir() else []
    yield from (path for path in entries if path.suffix == ".py" and path.is_file())
    for path in entries if depth else ():
        if path.is_dir() and not path.name.startswith((".", "__")) and path.name not in _SKIPPED_FOLDERS:
            yield from _sources(path, depth - 1)


def render_lines_to_add(framework: Framework, *, name: str = "app", depth: int = 0) -> str:
    """Return the lines that an existing application needs; its file is `depth` folders below the policy."""
    text = render_application(framework)
    start, end = text.index("manager = "), text.index("\n\n\n", text.index("manager = "))
    module = "fastapi" if framework == "fastapi" else "asgi"
    here = f"Path(__file__).resolve().parents[{depth}]" if depth else "Path(__file__).parent"
    return (
        "from pathlib import Path\n\nfrom consentkit import ConsentManager, load_policy\n"
        f"from consentkit.{module} import ConsentMiddleware\n\n"
        f"HERE = {here}\n\n{text[start:end]}\n\n{name}.add_middleware(ConsentMiddleware, manager=manager)\n"
    )


def detect_framework(directory: Path, installed: Callable[[str], object] = find_spec) -> Framework:
    """Return the framework that the project's files mention, else the installed one.

    FastAPI comes first, because it requires Starlette.

    Raises:
        ConfigurationError: neither framework is mentioned or installed.
    """
    sources = "".join(
        (directory / name).read_text("utf-8", "replace").lower()
        for name in ("pyproject.toml", "requirements.txt", "app.py", "main.py")
        if (directory / name).is_file()
    )
    for framework in reversed(FRAMEWORKS):
        if framework in sources:
            return framework
    for framework in reversed(FRAMEWORKS):
        if installed(framework):
            return framework
    raise ConfigurationError(
        "No framework was detected: choose --framework starlette or --framework fastapi."
    )


def make_key() -> str:
    """Make a random key for signing cookies."""
    return secrets.token_urlsafe(48)


def _template(name: str) -> Template:
    return Template((files("consentkit.cli") / "data" / "init" / f"{name}.txt").read_text("utf-8"))


def _quoted(text: str) -> str:
    """Return a TOML basic string; a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    """Return a TOML key, quoted if necessary."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
