"""The magazine's articles and shoe tests: one file each, TOML between two `+++` lines, then HTML.

The path of a piece is `content/SITE/LANGUAGE/SECTION/SLUG.html`. A translation is a file of the same name in
another language's folder, and a sister site has its own folder.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

__all__ = ["Offer", "Piece", "Shelf", "Test", "Video", "read_shelf"]

SECTIONS = ("articles", "shoes", "courses", "pages")

_WORDS_A_MINUTE = 210


@dataclass(frozen=True, slots=True)
class Video:
    """A video on YouTube; `key` is its id there."""

    id: str
    key: str
    title: str

    @property
    def frame_url(self) -> str:
        """Return the URL for a frame, which is loaded once the visitor agrees."""
        return f"https://www.youtube-nocookie.com/embed/{self.key}"

    @property
    def watch_url(self) -> str:
        """Return the URL for a plain link, which needs no consent."""
        return f"https://www.youtube.com/watch?v={self.key}"


@dataclass(frozen=True, slots=True)
class Test:
    """The results of a shoe test, in grams, millimetres, whole euros, kilometres run, and marks out of ten."""

    __test__ = False  # not a class of tests for pytest

    brand: str
    model: str
    score: float
    price: int
    weight: int
    drop: int
    stack: str
    distance: int
    ratings: Mapping[str, int]
    pros: list[str]
    cons: list[str]
    verdict: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A partner's offer to readers; prices in whole euros."""

    partner: str
    url: str
    code: str
    price: int
    reduced: int
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """One article or shoe test in one language; `body` is the source of a Jinja2 template."""

    slug: str
    section: str
    language: str
    title: str
    kicker: str
    standfirst: str
    published: date
    art: str
    art_alt: str
    points: tuple[str, ...]
    body: str
    videos: Mapping[str, Video] = field(default_factory=dict)
    test: Test | None = None
    offer: Offer | None = None

    @property
    def path(self) -> str:
        """Return the path of the piece within the site."""
        return f"/{self.section}/{self.slug}"

    @property
    def minutes(self) -> int:
        """Return the estimated reading time, in whole minutes."""
        words = len(re.sub(r"<[^>]*>|\{\{.*?\}\}", " ", self.body).split())
        return max(1, round(words / _WORDS_A_MINUTE))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything that one site has published in one language, each section newest first."""

    sections: Mapping[str, tuple[Piece, ...]]

    @property
    def all(self) -> tuple[Piece, ...]:
        """Return the pieces of all sections."""
        return tuple(piece for pieces in self.sections.values() for piece in pieces)

    def find(self, section: str, slug: str) -> Piece | None:
        """Return the piece with this section and slug, or None."""
        return next((piece for piece in self.sections[section] if piece.slug == slug), None)

    def others(self, piece: Piece, count: int = 3) -> tuple[Piece, ...]:
        """Return pieces to read next, those of the same section first."""
        order = sorted(("articles", "shoes"), key=lambda section: section != piece.section)
        return tuple(other for section in order for other in self.sections[section] if other is not piece)[
            :count
        ]


def read_shelf(folder: Path, language: str) -> Shelf:
    """Read all pieces of one site in one language; a file without a required field raises."""
    return Shelf({section: _read_section(folder / language / section, language) for section in SECTIONS})


def _read_section(folder: Path, language: str) -> tuple[Piece, ...]:
    pieces = [_read_piece(path, language) for path in sorted(folder.glob("*.html"))]
    return tuple(sorted(pieces, key=lambda piece: piece.published, reverse=True))


def _read_piece(path: Path, language: str) -> Piece:
    _, front, body = path.read_text(encoding="utf-8").split("+++\n", 2)
    data = tomllib.loads(front)
    videos = {video["id"]: Video(**video) for video in data.pop("videos", ())}
    points = tuple(data.pop("points", ()))
    test = Test(**data.pop("test")) if "test" in data else None
    offer = Offer(**data.pop("offer")) if "offer" in data else None
    return Piece(
        slug=path.stem,
        section=path.parent.name,
        language=language,
        body=body,
        points=points,
        videos=videos,
        test=test,
        offer=offer,
        **data,
    )
