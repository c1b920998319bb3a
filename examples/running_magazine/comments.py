"""Comments, kept in memory: enough for an example, and lost when the process stops."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = ["Comment", "CommentBook"]

NAME_LIMIT = 60
TEXT_LIMIT = 2_000
KEPT_PER_ARTICLE = 200


@dataclass(frozen=True, slots=True)
class Comment:
    """A reader's comment in plain text, which the template escapes."""

    name: str
    text: str
    at: datetime


@dataclass(slots=True)
class CommentBook:
    """The comments on each article, oldest first; the oldest are dropped when there are too many.

    `clock` gives seconds since the epoch.
    """

    clock: Callable[[], float] = time.time
    _pages: dict[str, deque[Comment]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=KEPT_PER_ARTICLE))
    )

    def under(self, slug: str) -> tuple[Comment, ...]:
        """Return the comments on one article."""
        return tuple(self._pages[slug]) if slug in self._pages else ()

    def add(self, slug: str, fields: Mapping[str, str]) -> str | None:
        """Add a comment and return None, or return a sentence that says what is wrong with it."""
        name = " ".join(fields.get("name", "").split())
        text = fields.get("text", "").replace("\r\n", "\n").strip()
        if not name or not text:
            return "A comment needs a name and a text."
        if len(name) > NAME_LIMIT or len(text) > TEXT_LIMIT:
            return f"A name has at most {NAME_LIMIT} characters, a comment at most {TEXT_LIMIT}."
        self._pages[slug].append(Comment(name, text, datetime.fromtimestamp(self.clock(), UTC)))
        return None
