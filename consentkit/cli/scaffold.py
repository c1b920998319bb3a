"""The files that `consentkit init` writes: a first policy that passes the checks, and an application that runs."""

import json
import re
import secrets
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from consentkit.cli.project import DjangoSettings, Framework

__all__ = [
    "QUESTIONS",
    "Addition",
    "Answers",
    "make_key",
    "render_application",
    "render_lines_to_add",
    "render_policy",
    "render_settings",
]


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


def render_policy(answers: Answers, framework: Framework = "starlette") -> str:
    """Return a policy with one required category, three to ask about, and texts in one language.

    It declares the cookies that the framework itself sets.
    """
    translations = _TEXTS.get(answers.language.split("-")[0], _TEXTS["en"])
    values = {name: _quoted(getattr(answers, name)) for name, _ in QUESTIONS}
    texts = {name: f"{{ {_key(answers.language)} = {_quoted(text)} }}" for name, text in translations.items()}
    cookies = _COOKIES.get(framework, _COOKIES["starlette"])
    trackers = "\n".join(
        _template("tracker.toml").substitute(
            name=_quoted(name),
            necessity=_quoted(necessity),
            lifetime=_quoted(lifetime),
            purpose=texts[purpose],
        )
        for name, necessity, lifetime, purpose in cookies
    )
    return _template("consent.toml").substitute(values, trackers=trackers, **texts)


_DJANGO_COOKIES = (
    ("sessionid", "session", "P14D", "session"),
    ("csrftoken", "security", "P364D", "security"),
    ("messages", "session", "session", "messages"),
)
# Name, necessity, lifetime and purpose of the cookies that a framework sets for what is strictly necessary.
_COOKIES: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "starlette": (("session", "session", "session", "session"),),
    "django": _DJANGO_COOKIES,
    "wagtail": _DJANGO_COOKIES,
}


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
        "security": "Protects forms against other sites that pretend to be you.",
        "messages": "Shows you the result of what you just did.",
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
        "security": "Beschermt formulieren tegen andere sites die zich voor jou uitgeven.",
        "messages": "Toont je het resultaat van wat je net deed.",
        "visits": "Onderscheidt bezoeken.",
        "campaign": "Onthoudt via welke advertentie je hier kwam.",
        "video": "Onthoudt wat je bekeken hebt, en kan worden gebruikt om je advertenties te tonen.",
    },
}


def render_application(framework: Framework) -> str:
    """Return the source of an application named `app`, with a page at `/`; Django has a project instead."""
    return _template(f"app_{framework}.py").template


_ADDED: dict[Framework, tuple[str, str]] = {
    "starlette": (
        "from consentkit.asgi import ConsentMiddleware",
        "{name}.add_middleware(ConsentMiddleware, manager=manager)",
    ),
    "fastapi": (
        "from consentkit.fastapi import ConsentMiddleware",
        "{name}.add_middleware(ConsentMiddleware, manager=manager)",
    ),
    "litestar": ("from consentkit.litestar import ConsentPlugin", "plugins=[ConsentPlugin(manager)]"),
    "quart": ("from consentkit.quart import Consent", "Consent({name}, manager)"),
    "flask": ("from consentkit.flask import Consent", "Consent({name}, manager)"),
}


@dataclass(frozen=True, slots=True)
class Addition:
    """What an existing application needs: lines for the manager, and a line that adds it to the application."""

    manager: str
    application: str


def render_lines_to_add(framework: Framework, *, name: str = "app", depth: int = 0) -> Addition:
    """Return the lines that an existing application needs; its file is `depth` folders below the policy."""
    text = render_application(framework)
    start, end = text.index("manager = "), text.index("\n\n\n", text.index("manager = "))
    here = f"Path(__file__).resolve().parents[{depth}]" if depth else "Path(__file__).parent"
    imported, added = _ADDED[framework]
    lines = (
        "from pathlib import Path\n\nfrom consentkit import ConsentManager, load_policy\n"
        f"{imported}\n\nHERE = {here}\n\n{text[start:end]}\n"
    )
    return Addition(lines, added.format(name=name))


def render_settings(settings: DjangoSettings) -> str:
    """Return the lines that the settings of a Django project need at their end."""
    place, before = settings.place
    reason = f"behind {before.rpartition('.')[2]}" if before else "before all that sets cookies"
    return _template("settings_django.py").substitute(place=place, reason=reason)


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
