"""What `consentkit init` writes: a first policy that loads, and an application around it that runs."""

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
    "Existing",
    "Framework",
    "application",
    "found_application",
    "found_framework",
    "lines_to_add",
    "new_key",
    "policy_text",
]

Framework = Literal["starlette", "fastapi"]
FRAMEWORKS: tuple[Framework, ...] = ("starlette", "fastapi")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first policy cannot be written without; the defaults are placeholders that have to be replaced."""

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
    ("site", "What is the site called"),
    ("origin", "Where will it run (scheme and host)"),
    ("controller", "Who answers for it (legal name)"),
    ("address", "Postal address"),
    ("country", "Country (two letters, ISO 3166-1)"),
    ("email", "Where visitors write about their data"),
    ("authority", "Which authority may they complain to"),
    ("authority_url", "Its address on the web"),
    ("language", "Language of the texts (en or nl)"),
)


def policy_text(answers: Answers) -> str:
    """Write a policy with a required, an analytical and a social category; texts in one language."""
    words = _TEXTS.get(answers.language.split("-")[0], _TEXTS["en"])
    values = {name: _quoted(getattr(answers, name)) for name, _ in QUESTIONS}
    texts = {name: f"{{ {_key(answers.language)} = {_quoted(text)} }}" for name, text in words.items()}
    return _template("consent.toml").substitute(values, **texts)


_TEXTS = {
    "en": {
        "functional": "Functional",
        "functional_text": "Make the site work as you expect.",
        "analytical": "Analytical",
        "analytical_text": "Count visits and show us what is read, so that we can improve the site.",
        "social": "Social",
        "social_text": "Let you see videos from other sites.",
        "session": "Keeps you logged in.",
        "visits": "Tells visits apart.",
        "video": "Remembers what you watched, and may be used to show you advertisements.",
    },
    "nl": {
        "functional": "Functioneel",
        "functional_text": "Laten de site werken zoals je verwacht.",
        "analytical": "Analytisch",
        "analytical_text": "Tellen bezoeken en laten zien wat er gelezen wordt, zodat we de site kunnen verbeteren.",
        "social": "Sociaal",
        "social_text": "Laten je video's van andere sites zien.",
        "session": "Houdt je ingelogd.",
        "visits": "Onderscheidt bezoeken.",
        "video": "Onthoudt wat je bekeken hebt, en kan worden gebruikt om je advertenties te tonen.",
    },
}


def application(framework: Framework) -> str:
    """Write an application with `app` and a page at `/`."""
    return _template(f"app_{framework}.py").template


@dataclass(frozen=True, slots=True)
class Existing:
    """An application that is there already: where, what it is called there, and made with what, as far as that shows."""

    path: Path
    name: str = "app"
    framework: Framework | None = None


def found_application(directory: Path) -> Existing | None:
    """Look for an application under a directory, those nearest to it first; an `app.py` is one whatever is in it."""
    for path in _sources(directory):
        made = _MADE.search(path.read_text("utf-8", "replace"))
        if made:
            return Existing(path, made["name"], "fastapi" if made["class"] == "FastAPI" else "starlette")
    taken = directory / APPLICATION
    return Existing(taken) if taken.exists() else None


APPLICATION = "app.py"
"""What the application is called that `consentkit init` writes."""
_MADE = re.compile(
    r"^[ \t]*(?P<name>\w+)(?:[ \t]*:[^=\n]+)?[ \t]*=[ \t]*(?:\w+\.)*(?P<class>Starlette|FastAPI)\(",
    re.MULTILINE,
)
_DEEPEST = 3
_ELSEWHERE = frozenset(
    {"build", "dist", "docs", "env", "node_modules", "site-packages", "test", "tests", "venv"}
)


def _sources(directory: Path, depth: int = _DEEPEST) -> Iterator[Path]:
    """Walk through Python's files, those of a folder before those below it."""
    found = sorted(directory.iterdir()) if directory.is_dir() else []
    yield from (path for path in found if path.suffix == ".py" and path.is_file())
    for path in found if depth else ():
        if path.is_dir() and not path.name.startswith((".", "__")) and path.name not in _ELSEWHERE:
            yield from _sources(path, depth - 1)


def lines_to_add(framework: Framework, *, name: str = "app", depth: int = 0) -> str:
    """Write what an application that exists already needs; its file lies so many folders below the policy."""
    text = application(framework)
    start, end = text.index("manager = "), text.index("\n\n\n", text.index("manager = "))
    module = "fastapi" if framework == "fastapi" else "asgi"
    here = f"Path(__file__).resolve().parents[{depth}]" if depth else "Path(__file__).parent"
    return (
        "from pathlib import Path\n\nfrom consentkit import ConsentManager, load_policy\n"
        f"from consentkit.{module} import ConsentMiddleware\n\n"
        f"HERE = {here}\n\n{text[start:end]}\n\n{name}.add_middleware(ConsentMiddleware, manager=manager)\n"
    )


def found_framework(directory: Path, installed: Callable[[str], object] = find_spec) -> Framework:
    """Guess the framework: what the project's files name, else what is installed, FastAPI first, since it brings Starlette.

    Raises:
        ConfigurationError: neither is to be found.
    """
    named = "".join(
        (directory / name).read_text("utf-8", "replace").lower()
        for name in ("pyproject.toml", "requirements.txt", "app.py", "main.py")
        if (directory / name).is_file()
    )
    for framework in reversed(FRAMEWORKS):
        if framework in named:
            return framework
    for framework in reversed(FRAMEWORKS):
        if installed(framework):
            return framework
    raise ConfigurationError(
        "No framework was found: name one with --framework starlette or --framework fastapi."
    )


def new_key() -> str:
    """Make a key that signs cookies."""
    return secrets.token_urlsafe(48)


def _template(name: str) -> Template:
    return Template((files("consentkit.cli") / "data" / "init" / f"{name}.txt").read_text("utf-8"))


def _quoted(text: str) -> str:
    """Write a TOML basic string, which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    """Write a TOML key, quoted where it has to be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
