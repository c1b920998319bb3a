"""Regimes: the rules of places, as dated and reviewed data.

The facts ship as `data/regimes.toml`; a policy replaces them with its `regimes_file`. `regime_policies` applies them to a policy.
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from consentkit.policy.duration import Duration
from consentkit.policy.findings import invalid
from consentkit.policy.transfers import COUNTRIES, normalize_country

__all__ = [
    "FAMILIES",
    "STRICTEST",
    "Exemption",
    "Family",
    "Law",
    "Mode",
    "Place",
    "Regime",
    "RegimeData",
    "shipped_regime_data",
    "stricter_mode",
]

Mode = Literal["opt_in", "opt_out", "notice"]
Exemption = Literal["audience", "statistics", "appearance"]
Family = Literal["eea", "gb", "ch", "us", "ca", "br"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""The keys of the policy's `[regimes]`."""
STRICTEST = "strictest"
"""Id of the regime for visitors of whom nothing is known."""

_MODES: tuple[Mode, ...] = get_args(Mode)
_PLACE = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visitor is, as far as the site knows.

    Attributes:
        country: ISO 3166-1 alpha-2 code.
        region: the part of an ISO 3166-2 code after the hyphen, such as "CA" for California; empty if it is not known.
    """

    country: str
    region: str = ""

    @classmethod
    def parse(cls, code: str) -> "Place | None":
        """Return the place of a code such as "NL" or "US-CA"; None for anything else. EL and UK become GR and GB."""
        country, _, region = code.strip().upper().partition("-")
        country = normalize_country(country)
        place = cls(country, region)
        return place if country in COUNTRIES and _PLACE.fullmatch(place.code) else None

    @property
    def code(self) -> str:
        """The code of ISO 3166-2, or that of ISO 3166-1 without a region."""
        return f"{self.country}-{self.region}" if self.region else self.country


def _validated_place(code: str) -> str:
    place = Place.parse(code)
    if place is None or place.code != code:
        raise invalid("Not a code of ISO 3166.", 'Write a code such as "NL" or "US-CA".')
    return code


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Law(_Row):
    """A law that puts a place under a regime."""

    place: Annotated[str, AfterValidator(_validated_place)]
    name: str
    article: str
    begins: date = Field(alias="from")
    ends: date | None = Field(default=None, alias="until")
    source: Annotated[str, Field(pattern=r"^https://")]
    evidence: Literal["V", "V2", "M", "E"]
    as_of: date
    note: str = ""

    def in_force(self, on: date) -> bool:
        """Return whether the law applies on a day, its first and its last day included."""
        return self.begins <= on and (self.ends is None or on <= self.ends)


class Regime(_Row):
    """The rules of some places.

    Attributes:
        id: is recorded with every decision.
        family: the key of the policy's `[regimes]` that turns it on.
        mode: what holds for optional categories that are not exempt: off until the visitor agrees (`opt_in`), on until the
            visitor opts out (`opt_out`), or on (`notice`).
        modes: what an owner may choose instead.
        exempts: what needs no consent, with information and an objection: a category's `exempt` audience measurement,
            `statistics` or `appearance`.
        validity_at_least: for how long an opt-out is remembered at least.
        ask_again_after: how long nobody who refused is asked again.
        retention_at_most: of exempt data.
        gpc: what Global Privacy Control does: a no until the visitor chooses (`refusal`), or an opt-out of sale and
            sharing (`opt_out`).
        gpc_over_choice: whether the signal also counts against an earlier yes.
        age: from which a visitor can agree.
        links: which links the pages must have.
        status: which states pages must show.
        evidence_needed: whether an exemption rests on an assessment that the owner must be able to show.
    """

    id: Annotated[str, Field(pattern=r"^[a-z]{2,}(?:-[a-z]+)*$")]
    family: Family | None
    name: str
    mode: Mode
    modes: Annotated[tuple[Mode, ...], Field(strict=False, min_length=1)]
    exempts: Annotated[tuple[Exemption, ...], Field(strict=False)] = ()
    validity_at_most: Duration | None = None
    validity_at_least: Duration | None = None
    ask_again_after: Duration | None = None
    retention_at_most: Duration | None = None
    gpc: Literal["refusal", "opt_out", "none"] = "refusal"
    gpc_over_choice: bool = False
    age: int | None = None
    links: Annotated[tuple[Literal["privacy_choices", "limit_sensitive"], ...], Field(strict=False)] = ()
    status: Annotated[tuple[Literal["opt_out_honored"], ...], Field(strict=False)] = ()
    evidence_needed: bool = False
    review_by: date
    laws: Annotated[tuple[Law, ...], Field(strict=False)] = ()

    def holds_in(self, code: str, on: date) -> bool:
        """Return whether one of the laws is in force in exactly this place on a day."""
        return any(law.place == code and law.in_force(on) for law in self.laws)

    @property
    def places(self) -> tuple[str, ...]:
        """The codes of the places, each once, also of laws that are not in force yet."""
        return tuple(dict.fromkeys(law.place for law in self.laws))


class RegimeData(_Row):
    """All known regimes, as of the day `as_of`."""

    as_of: date
    regimes: Annotated[tuple[Regime, ...], Field(strict=False, min_length=1)]
    _by_id: dict[str, Regime] = PrivateAttr(default_factory=dict)
    _homes: dict[str, Regime] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: object) -> None:
        """Index the regimes by their ids."""
        self._by_id = {regime.id: regime for regime in self.regimes}

    @model_validator(mode="after")
    def _is_consistent(self) -> "RegimeData":
        if len(self._by_id) < len(self.regimes) or STRICTEST in self._by_id:
            raise invalid("Two regimes have the same id, or one is called strictest.", "Correct the ids.")
        if "eea" not in self._by_id:
            raise invalid(
                "The regime `eea` is missing.", "Add it: it applies where a policy says nothing else."
            )
        for regime in self.regimes:
            if regime.mode not in regime.modes:
                raise invalid(f"`modes` of {regime.id} lack its `mode`.", "Add the mode.")
        return self

    @property
    def eea(self) -> Regime:
        """The rules of the European Economic Area, which apply where a policy says nothing else."""
        return self._by_id["eea"]

    def home_of(self, jurisdiction: str) -> Regime:
        """Return the regime of a policy's jurisdiction: that of the country in the EEA, else of the EEA as such."""
        # Every answer asks for it. Looking through the laws each time costs 25 us.
        if jurisdiction not in self._homes:
            found = self.of(Place(jurisdiction), self.as_of)
            self._homes[jurisdiction] = found if found is not None and found.family == "eea" else self.eea
        return self._homes[jurisdiction]

    def of(self, place: Place, on: date) -> Regime | None:
        """Return the regime of a place on a day, by the region first and then by the country; None if no law is known."""
        for code in dict.fromkeys((place.code, place.country)):
            for regime in self.regimes:
                if regime.holds_in(code, on):
                    return regime
        return None


def stricter_mode(*modes: Mode) -> Mode:
    """Return the strictest of some modes."""
    return min(modes, key=_MODES.index)


@cache
def shipped_regime_data() -> RegimeData:
    """Read the regimes that ship with the package."""
    text = files("consentkit.policy").joinpath("data/regimes.toml").read_text("utf-8")
    return RegimeData.model_validate(tomllib.loads(text))
