"""Chains: one click on “Use this choice on all our sites”, and how far the browser has come with it.

The site where the visitor clicked sends the browser to each other site and back. Every such step is a whole hand-off. The chain
is kept in that site's transaction cookie alone. Another site receives only the random nonce of its own step.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from consentkit.policy import TRANSACTION_LIFETIME

__all__ = ["CHAIN_SECONDS", "Chain", "ChainPage", "StepResult"]

CHAIN_SECONDS = TRANSACTION_LIFETIME.seconds
"""Seconds after the click in which the steps of a chain can be made. Nothing prolongs them."""


class StepResult(StrEnum):
    """What became of the choice on one site."""

    TAKEN = "taken"
    KEPT = "kept"
    """The visitor chose on that site after the click, so that choice stays."""
    REFUSED = "refused"
    SILENT = "silent"


class ChainPage(StrEnum):
    """The page that a chain begins and ends on, below the prefix."""

    SETTINGS = ""
    SITES = "/sites"


_LETTERS = {"t": StepResult.TAKEN, "k": StepResult.KEPT, "r": StepResult.REFUSED, "s": StepResult.SILENT}
_LETTER_OF = {result: letter for letter, result in _LETTERS.items()}
_TO_COME = "-"


@dataclass(frozen=True, slots=True)
class Chain:
    """One click on the button, on the site where the visitor clicked.

    Attributes:
        id: 128 random bits, which only this site and this browser know.
        asked_at: when the visitor clicked, in seconds since the epoch.
        page: where the visitor clicked, and where the results are shown.
        back: path of the site's own page that this page leads back to.
        sites: ids of the other sites, in the order of the policy. They never change.
        results: what became of the choice, by site. Sites that are still to come have no result.
        nonce: 128 random bits of the step that is under way; empty between steps.
    """

    id: str
    asked_at: int
    page: ChainPage
    back: str
    sites: tuple[str, ...]
    results: Mapping[str, StepResult] = field(default_factory=dict)
    nonce: str = ""

    @classmethod
    def begin(cls, sites: Sequence[str], page: ChainPage, back: str, now: int) -> Self:
        """Return a new chain without any step."""
        return cls(secrets.token_urlsafe(16), now, page, back, tuple(sites))

    @property
    def until(self) -> int:
        """When the chain ends, in seconds since the epoch."""
        return self.asked_at + CHAIN_SECONDS

    @property
    def to_come(self) -> tuple[str, ...]:
        """The sites without a result, in order. The first one is the site of the step that is under way or comes next."""
        return tuple(site for site in self.sites if site not in self.results)

    @property
    def is_over(self) -> bool:
        """Whether every site has a result."""
        return not self.to_come

    def is_at(self, site: str, nonce: str) -> bool:
        """Return whether the step with this nonce is under way on this site."""
        return bool(nonce) and self.nonce == nonce and self.to_come[:1] == (site,)

    def step(self) -> Self:
        """Return the chain with a new step to the next site. A step that was under way no longer counts."""
        return replace(self, nonce=secrets.token_urlsafe(16))

    def with_result(self, result: StepResult) -> Self:
        """Return the chain after the step that is under way."""
        return replace(self, results={**self.results, self.to_come[0]: result}, nonce="")

    def without(self, sites: Iterable[str]) -> Self:
        """Return the chain without the sites that did not answer. Sites that have a result keep it."""
        silent = dict.fromkeys((site for site in self.to_come if site in set(sites)), StepResult.SILENT)
        return replace(self, results={**self.results, **silent}, nonce="") if silent else self

    def fields(self) -> list[Any]:
        """Return the chain for the cookie, with one letter for each site."""
        letters = "".join(
            _LETTER_OF[self.results[site]] if site in self.results else _TO_COME for site in self.sites
        )
        order = _digest(self.sites)
        return [self.id, self.asked_at, self.page.value, self.back, order, letters, self.nonce]

    @classmethod
    def read(cls, fields: Sequence[Any], sites: Sequence[str]) -> Self:
        """Read a chain from the cookie.

        Args:
            fields: as `fields` returned them.
            sites: ids of the other sites in the policy today.

        Raises:
            ValueError: the policy had other sites when the chain began, or the fields are of another version.
        """
        chain_id, asked_at, page, back, order, letters, nonce = fields
        if order != _digest(sites) or len(letters) != len(sites):
            raise ValueError("The sites of the policy have changed.")
        results = {
            site: _LETTERS[letter] for site, letter in zip(sites, letters, strict=True) if letter != _TO_COME
        }
        return cls(chain_id, asked_at, ChainPage(page), back, tuple(sites), results, nonce)


def _digest(sites: Sequence[str]) -> str:
    """Return a short digest of the sites and their order, so that no letter is read for another site."""
    return hashlib.sha256(" ".join(sites).encode()).hexdigest()[:12]
