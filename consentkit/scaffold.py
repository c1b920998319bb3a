"""What `consentkit init` writes: a first policy that loads, and an application around it that runs."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Literal

from consentkit.errors import ConfigurationError

__all__ = [
    "FRAMEWORKS",
    "Answers",
    "Framework",
    "application",
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
    ("language", "Language of the texts (en, nl)"),
)


def policy_text(answers: Answers) -> str:
    """Write a policy with a required, an analytical and a social category; texts in one language."""
    words = _TEXTS.get(answers.language.split("-")[0], _TEXTS["en"])
    values = {name: _quoted(getattr(answers, name)) for name, _ in QUESTIONS}
    texts = {name: f"{{ {answers.language} = {_quoted(text)} }}" for name, text in words.items()}
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


def lines_to_add(framework: Framework) -> str:
    """Write what an application that exists already needs."""
    text = application(framework)
    start, end = text.index("manager = "), text.index("\n\n\n", text.index("manager = "))
    module = "fastapi" if framework == "fastapi" else "asgi"
    return (
        "from pathlib import Path\n\nfrom consentkit import ConsentManager, load_policy\n"
        f"from consentkit.{module} import ConsentMiddleware, get_consent\n\n"
        f"{text[start:end]}\n\napp.add_middleware(ConsentMiddleware, manager=manager)\n"
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
    return Template((files("consentkit") / "data" / "init" / f"{name}.txt").read_text("utf-8"))


def _quoted(text: str) -> str:
    """Write a TOML basic string, which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)
