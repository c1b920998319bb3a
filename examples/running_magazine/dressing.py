"""Template functions of all three sites: drawings, dates, and links that carry a visitor's choice."""

from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from jinja2 import Environment
from markupsafe import Markup

from consentkit import ConsentManager
from consentkit.jinja import group_link, install

from .languages import NAMES, read_words, speak

__all__ = ["LINES", "dress"]

_ART = Path(__file__).parent / "art"
_WORDS = Path(__file__).parent / "words"
LINES = {
    "stride": "Technique, training and honestly tested shoes",
    "trailhead": "Paths for people who run off the road",
    "shoelab": "Running shoes on the bench and under the saw",
}


@dataclass(frozen=True, slots=True)
class OtherSite:
    """Another site of the same publisher, for links to it."""

    name: str
    line: str
    address: str


def dress(templates: Environment, manager: ConsentManager, language: str) -> None:
    """Add the functions, filters and texts of one site to an environment."""
    names = Locale.parse(language).territories
    templates.globals.update(
        art=_read_art(_ART).draw,
        country=lambda code: names.get(code, code),
        language=language,
        languages=NAMES,
        policy=manager.policy,
        settings=manager.prefix,
        sisters=_others(manager),
    )
    templates.filters["day"] = lambda day: format_date(day, "d MMMM y", locale=language)
    templates.filters["group_link"] = group_link
    install(templates)
    speak(templates, language, read_words(_WORDS, language))


def _others(manager: ConsentManager) -> list[OtherSite]:
    return [
        OtherSite(site.name, LINES[site.id], f"{manager.origins[site.id][0]}/")
        for site in manager.policy.sites
        if site.id != manager.site
    ]


class _Pictures(dict[str, str]):
    """SVG drawings by name."""

    def draw(self, name: str, alt: str = "") -> Markup:
        """Return an SVG element: an image if it has an alternative text, else an ornament that is not read out."""
        label = Markup('role="img" aria-label="{}"').format(alt) if alt else Markup('aria-hidden="true"')
        return Markup(self[name].replace("<svg ", f"<svg {label} ", 1))  # noqa: S704 - our own files


def _read_art(folder: Path) -> _Pictures:
    return _Pictures({path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.svg")})
